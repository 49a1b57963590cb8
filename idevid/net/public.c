/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of plain HTTP from anybody: few, and over soon. */
#include <stdlib.h>
#include <sys/socket.h>

#include <event2/bufferevent.h>

#include "net/server_int.h"

#define MOST 64
#define LOOK_MS 500
#define LIFE_MS 30000

/* Holds its bufferevent once more: evhttp does not say when it lets go. */
struct idvi_public {
    TAILQ_ENTRY(idvi_public) link;
    struct idvi_worker *worker;
    struct bufferevent *bev;
    struct event *timer;
    int64_t began;
};

static void release(struct idvi_public *p)
{
    TAILQ_REMOVE(&p->worker->publics, p, link);
    p->worker->publics_n--;
    event_free(p->timer);
    bufferevent_decref(p->bev);
    free(p);
}

/* evhttp takes its callbacks away when it is done */
static bool is_over(const struct idvi_public *p)
{
    bufferevent_data_cb read = NULL, write = NULL;
    bufferevent_event_cb event = NULL;
    bufferevent_getcb(p->bev, &read, &write, &event, NULL);
    return !read && !write && !event && bufferevent_getfd(p->bev) >= 0;
}

static void on_look(evutil_socket_t fd, short what, void *public)
{
    struct idvi_public *p = public;
    (void)fd;
    (void)what;
    if (is_over(p))
        release(p);
    else if (idv_ticks_ms() - p->began >= LIFE_MS)
        shutdown(bufferevent_getfd(p->bev), SHUT_RDWR);
}

/* those that are over first; then the oldest, which evhttp closes */
static void make_room(struct idvi_worker *w)
{
    struct idvi_public *p, *next;
    for (p = TAILQ_FIRST(&w->publics); p && w->publics_n >= MOST; p = next) {
        next = TAILQ_NEXT(p, link);
        if (is_over(p))
            release(p);
    }
    p = TAILQ_FIRST(&w->publics);
    if (p && w->publics_n >= MOST) {
        shutdown(bufferevent_getfd(p->bev), SHUT_RDWR);
        release(p);
    }
}

static struct idvi_public *public_new(struct idvi_worker *w,
                                      struct bufferevent *bev)
{
    const struct timeval look = {.tv_usec = LOOK_MS * 1000};
    struct idvi_public *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->worker = w;
    p->bev = bev;
    p->began = idv_ticks_ms();
    p->timer = event_new(w->base, -1, EV_PERSIST, on_look, p);
    if (!p->timer || event_add(p->timer, &look) != 0) {
        if (p->timer)
            event_free(p->timer);
        free(p);
        return NULL;
    }
    return p;
}

struct bufferevent *idvi_public_accept(struct event_base *base, void *worker)
{
    struct idvi_worker *w = worker;
    struct bufferevent *bev =
        bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (!bev)
        return NULL;
    make_room(w);
    struct idvi_public *p = public_new(w, bev);
    if (!p) {
        bufferevent_free(bev);
        return NULL;
    }
    bufferevent_incref(bev);
    TAILQ_INSERT_TAIL(&w->publics, p, link);
    w->publics_n++;
    return bev;
}

void idvi_public_end(struct idvi_worker *w)
{
    while (!TAILQ_EMPTY(&w->publics))
        release(TAILQ_FIRST(&w->publics));
}
