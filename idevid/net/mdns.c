/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that talks to avahi, and what passes between it and its owner. */
#include "config.h" /* GNU extensions */

#include "net/mdns.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <avahi-common/error.h>
#include <sys/eventfd.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "net/mdns_int.h"

#define STACK (256 * 1024)

bool idvi_mdns_built(void)
{
    return true;
}

/* --- what passes -------------------------------------------------------- */

static void ring(const struct idvi_mdns *m)
{
    const uint64_t one = 1;
    /* (full: it rings already) */
    (void)!write(m->news, &one, sizeof(one));
}

static size_t gather(const struct idvi_mdns *m,
                     struct idv_offer offers[static MDNS_ITEMS])
{
    size_t n = 0;
    for (size_t i = 0; i < MDNS_ITEMS; i++) {
        const struct mdns_item *it = &m->items[i];
        for (size_t s = 0; it->m && s < 2 && n < MDNS_ITEMS; s++) {
            if (it->slots[s].found)
                offers[n++] = it->slots[s].offer;
        }
    }
    return n;
}

void idvi_mdns_publish(struct idvi_mdns *m)
{
    pthread_mutex_lock(&m->lock);
    m->n = gather(m, m->offers);
    m->settled = m->unsettled == 0;
    pthread_mutex_unlock(&m->lock);
    ring(m);
}

static void say(struct idvi_mdns *m, bool up, const char *why)
{
    pthread_mutex_lock(&m->lock);
    m->up = up;
    m->settled = false; /* what was known stands until all is known anew */
    snprintf(m->why, sizeof(m->why), "%s", why);
    pthread_mutex_unlock(&m->lock);
    ring(m);
}

void idvi_mdns_ready(struct idvi_mdns *m, const struct idv_env *env,
                     struct idvi_book *book)
{
    uint64_t count;
    if (read(m->news, &count, sizeof(count)) < 0)
        return;
    pthread_mutex_lock(&m->lock);
    idvi_book_begin(book, IDV_FROM_MDNS);
    for (size_t i = 0; i < m->n; i++)
        idvi_book_put(book, &m->offers[i], 0, IDVI_NEVER);
    if (m->settled)
        idvi_book_end(book, IDV_FROM_MDNS, IDVI_NEVER);
    if (!m->said || m->told != m->up)
        idv_log(env, IDV_LOG_INFO, m->up ? "avahi" : "no-avahi", "reason=%s",
                idv_log_value(m->why));
    m->said = true;
    m->told = m->up;
    pthread_mutex_unlock(&m->lock);
}

int idvi_mdns_fd(const struct idvi_mdns *m)
{
    return m->news;
}

void idvi_mdns_anew(struct idvi_mdns *m)
{
    __atomic_store_n(&m->anew, 1, __ATOMIC_RELEASE);
    avahi_simple_poll_wakeup(m->poll);
}

/* --- the thread --------------------------------------------------------- */

static bool stopped(struct idvi_mdns *m)
{
    return __atomic_load_n(&m->stop, __ATOMIC_ACQUIRE);
}

static void changed(AvahiClient *client, AvahiClientState state, void *arg)
{
    struct idvi_mdns *m = arg;
    switch (state) {
    case AVAHI_CLIENT_S_RUNNING:
    case AVAHI_CLIENT_S_REGISTERING:
    case AVAHI_CLIENT_S_COLLISION: /* of its host name, which is not ours */
        m->pause_ms = MDNS_PAUSE_MS;
        if (m->browsers[0])
            return;
        say(m, true, "found");
        idvi_mdns_browse(m, client);
        return;
    case AVAHI_CLIENT_CONNECTING: /* it waits for the daemon by itself */
        idvi_mdns_forget(m);
        say(m, false, "the daemon does not run");
        return;
    default:
        m->broken = true;
    }
}

static void talk(struct idvi_mdns *m)
{
    int error = 0;
    m->broken = false;
    AvahiClient *client =
        avahi_client_new(avahi_simple_poll_get(m->poll), AVAHI_CLIENT_NO_FAIL,
                         changed, m, &error);
    if (!client) {
        say(m, false, avahi_strerror(error));
        return;
    }
    while (!m->broken && !stopped(m) &&
           avahi_simple_poll_iterate(m->poll, -1) == 0)
        ;
    if (!stopped(m))
        say(m, false, avahi_strerror(avahi_client_errno(client)));
    idvi_mdns_forget(m);
    avahi_client_free(client);
}

static void rest(struct idvi_mdns *m)
{
    int64_t end = idv_ticks_ms() + m->pause_ms;
    m->pause_ms = m->pause_ms < MDNS_PAUSE_MOST_MS / 2 ? 2 * m->pause_ms
                                                       : MDNS_PAUSE_MOST_MS;
    for (int64_t left; (left = end - idv_ticks_ms()) > 0 && !stopped(m);) {
        if (__atomic_exchange_n(&m->anew, 0, __ATOMIC_ACQ_REL)) {
            m->pause_ms = MDNS_PAUSE_MS;
            return;
        }
        if (avahi_simple_poll_iterate(m->poll, (int)left) != 0)
            return;
    }
}

static void destroy(struct idvi_mdns *m)
{
    if (m->poll)
        avahi_simple_poll_free(m->poll);
    if (m->news >= 0)
        close(m->news);
    idv_list_free(m->interfaces);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static void *run(void *arg)
{
    struct idvi_mdns *m = arg;
    while (!stopped(m)) {
        __atomic_store_n(&m->anew, 0, __ATOMIC_RELEASE);
        talk(m);
        rest(m);
    }
    pthread_mutex_lock(&m->lock);
    m->ended = true;
    bool alone = m->abandoned;
    pthread_mutex_unlock(&m->lock);
    if (alone)
        destroy(m);
    return NULL;
}

/* --- life --------------------------------------------------------------- */

/* signals are for the threads of the program */
static int start_thread(struct idvi_mdns *m)
{
    sigset_t all, before;
    pthread_attr_t attr;
    int e = pthread_attr_init(&attr);
    if (e)
        return e;
    sigfillset(&all);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    e = pthread_create(&m->thread, &attr, run, m);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return e;
}

static idv_rc make(struct idvi_mdns *m, char *const *interfaces)
{
    for (; interfaces && *interfaces; interfaces++)
        IDV_TRY(idv_list_add(&m->interfaces, idv_str(*interfaces)));
    m->poll = avahi_simple_poll_new();
    m->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!m->poll || m->news < 0)
        return idv_fail(IDV_E_NOMEM, "mDNS: out of memory or descriptors");
    int e = start_thread(m);
    return e ? idv_fail(IDV_E_NOMEM, "mDNS: no thread: %s", strerror(e))
             : IDV_OK;
}

idv_rc idvi_mdns_new(char *const *interfaces, bool registrars,
                     struct idvi_mdns **out)
{
    struct idvi_mdns *m = calloc(1, sizeof(*m));
    if (!m)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    m->news = -1;
    m->registrars = registrars;
    m->pause_ms = MDNS_PAUSE_MS;
    pthread_mutex_init(&m->lock, NULL);
    idv_rc rc = make(m, interfaces);
    if (rc == IDV_OK)
        *out = m;
    else
        destroy(m);
    return rc;
}

static bool join_in_a_second(struct idvi_mdns *m)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec++;
    return pthread_timedjoin_np(m->thread, NULL, &end) == 0;
}

void idvi_mdns_free(struct idvi_mdns *m)
{
    if (!m)
        return;
    __atomic_store_n(&m->stop, 1, __ATOMIC_RELEASE);
    avahi_simple_poll_wakeup(m->poll);
    if (join_in_a_second(m)) {
        destroy(m);
        return;
    }
    pthread_mutex_lock(&m->lock);
    bool ended = m->ended;
    m->abandoned = !ended;
    pthread_t thread = m->thread;
    pthread_mutex_unlock(&m->lock);
    if (!ended) { /* it hangs in D-Bus, and frees all when it comes back */
        pthread_detach(thread);
        return;
    }
    pthread_join(thread, NULL);
    destroy(m);
}
