/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of a name, and connections to one of them. */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <idevid/auto.h>

#include "net/client_int.h"

/* --- to one of them ------------------------------------------------------- */

/* curl connects there for whatever host the URL names; SNI, Host and the zone
 * of a link-local address are not its business. */
idv_rc idvi_client_at(struct idvi_client *c, struct curl_slist **out)
{
    char text[96];
    const char *zone = strchr(c->to.address, '%');
    const int n = zone ? (int)(zone - c->to.address) : 63;
    const bool v6 = strchr(c->to.address, ':') != NULL;
    c->scope = zone ? if_nametoindex(zone + 1) : 0;
    if (zone && !c->scope)
        return idv_fail(IDV_E_NET, "%s: no interface %.16s", c->where,
                        zone + 1);
    snprintf(text, sizeof(text), v6 ? "::[%.*s]:" : "::%.*s:", n,
             c->to.address);
    *out = curl_slist_append(NULL, text);
    return *out ? IDV_OK : idv_fail(IDV_E_NOMEM, "out of memory");
}

/* --- all of them ---------------------------------------------------------- */

/* The C library may wait for a name server as long as it likes: whichever of
 * the thread and the client comes last takes this away. */
struct idvi_lookup {
    atomic_int users;
    atomic_bool whole; /* what follows; done says so to who waits */
    int done[2]; /* a pipe */
    char host[256];
    int failed; /* EAI_ */
    size_t n;
    char list[IDV_MAX_ADDRESSES][64];
};

static void release(struct idvi_lookup *l)
{
    if (atomic_fetch_sub(&l->users, 1) > 1)
        return;
    close(l->done[0]);
    close(l->done[1]);
    free(l);
}

static void note(struct idvi_lookup *l, const struct addrinfo *a)
{
    char *out = l->list[l->n];
    if (getnameinfo(a->ai_addr, a->ai_addrlen, out, sizeof(l->list[0]), NULL, 0,
                    NI_NUMERICHOST) != 0)
        return;
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->list[i], out) == 0)
            return;
    }
    l->n++;
}

static void *look(void *lookup)
{
    struct idvi_lookup *l = lookup;
    struct addrinfo *all = NULL;
    const struct addrinfo want = {.ai_family = AF_UNSPEC,
                                  .ai_socktype = SOCK_STREAM,
                                  .ai_flags = AI_ADDRCONFIG};
    l->failed = getaddrinfo(l->host, NULL, &want, &all);
    for (const struct addrinfo *a = l->failed ? NULL : all;
         a && l->n < IDV_MAX_ADDRESSES; a = a->ai_next)
        note(l, a);
    if (all)
        freeaddrinfo(all);
    atomic_store(&l->whole, true);
    const ssize_t told = write(l->done[1], "", 1);
    (void)told; /* the pipe is empty, and its other end is ours */
    release(l);
    return NULL;
}

/* Signals are for the thread that drives. */
static int begin(struct idvi_lookup *l)
{
    pthread_attr_t detached;
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&thread, &detached, look, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    return rc;
}

idv_rc idvi_lookup_new(const char *host, struct idvi_lookup **out, int *fd)
{
    struct idvi_lookup *l = calloc(1, sizeof(*l));
    if (!l)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (pipe2(l->done, O_CLOEXEC) != 0) {
        free(l);
        return idv_fail(IDV_E_IO, "pipe: %s", strerror(errno));
    }
    snprintf(l->host, sizeof(l->host), "%s", host);
    atomic_init(&l->users, 2);
    if (begin(l) != 0) {
        atomic_init(&l->users, 1);
        release(l);
        return idv_fail(IDV_E_NOMEM, "no thread to look '%.100s' up", host);
    }
    *out = l;
    *fd = l->done[0];
    return IDV_OK;
}

idv_rc idvi_lookup_result(const struct idvi_lookup *l, const char *where,
                          struct idv_told *told)
{
    if (!atomic_load(&l->whole))
        return idv_fail(IDV_E_STATE, "%s: still looked up", where);
    if (l->n == 0)
        return idv_fail(IDV_E_NET, "%s: %s", where,
                        l->failed ? gai_strerror(l->failed) : "no address");
    told->addresses.n = l->n;
    memcpy(told->addresses.list, l->list, sizeof(l->list));
    return IDV_OK;
}

void idvi_lookup_free(struct idvi_lookup *l)
{
    if (l)
        release(l);
}
