/* SPDX-License-Identifier: Apache-2.0 */
/* Closing so that the last reply arrives: what the client still sends is read
 * and thrown away for a while, as unread bytes would reset the connection. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/server_int.h"

#define LINGER_S 2
#define LINGER_BYTES (16u << 20)
#define LINGERING 64 /* the oldest is closed for the next one */

struct idvi_linger {
    TAILQ_ENTRY(idvi_linger) link;
    struct idvi_worker *worker;
    struct event *input, *limit;
    int fd;
    size_t left;
};

static void linger_free(struct idvi_linger *l)
{
    struct idvi_worker *w = l->worker;
    TAILQ_REMOVE(&w->lingering, l, link);
    w->lingering_n--;
    if (l->input)
        event_free(l->input);
    if (l->limit)
        event_free(l->limit);
    close(l->fd);
    free(l);
}

static void on_limit(evutil_socket_t fd, short what, void *linger)
{
    (void)fd;
    (void)what;
    linger_free(linger);
}

static void on_input(evutil_socket_t fd, short what, void *linger)
{
    static char rubbish[65536]; /* never looked at */
    struct idvi_linger *l = linger;
    (void)what;
    ssize_t n = recv(fd, rubbish, sizeof(rubbish), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || (size_t)n > l->left) {
        linger_free(l);
        return;
    }
    l->left -= (size_t)n;
}

static bool watch(struct idvi_linger *l)
{
    struct timeval limit = {.tv_sec = LINGER_S};
    struct event_base *base = l->worker->base;
    l->input = event_new(base, l->fd, EV_READ | EV_PERSIST, on_input, l);
    l->limit = evtimer_new(base, on_limit, l);
    return l->input && l->limit && event_add(l->input, NULL) == 0 &&
           event_add(l->limit, &limit) == 0;
}

void idvi_linger(struct idvi_worker *w, int fd)
{
    struct idvi_linger *l = w->draining ? NULL : calloc(1, sizeof(*l));
    shutdown(fd, SHUT_WR);
    if (!l) {
        close(fd);
        return;
    }
    if (w->lingering_n >= LINGERING)
        linger_free(TAILQ_FIRST(&w->lingering));
    l->worker = w;
    l->fd = fd;
    l->left = LINGER_BYTES;
    TAILQ_INSERT_TAIL(&w->lingering, l, link);
    w->lingering_n++;
    if (!watch(l))
        linger_free(l);
}

void idvi_linger_end(struct idvi_worker *w)
{
    struct idvi_linger *l;
    while ((l = TAILQ_FIRST(&w->lingering)))
        linger_free(l);
}
