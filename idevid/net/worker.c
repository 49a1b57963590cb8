/* SPDX-License-Identifier: Apache-2.0 */
/* One event loop: accepts, serves, drains. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <idevid/x509.h>

#include "net/server_int.h"

#define MAX_HEADERS (16 * 1024)
#define MAX_FRONT_HEADERS (96 * 1024) /* with a chain of certificates */
#define FRONT_IDLE_S 300 /* more than proxies keep theirs: they end it */
#define OVER 16          /* that give way and are not closed yet */
#define FOREVER_S (7 * 24 * 3600) /* our own deadlines are absolute */

/* for one more, if need be in the place of another; looks again soon where
 * those that are there have only begun */
static bool has_room(struct idvi_worker *w)
{
    struct timeval soon = {.tv_usec = 200000};
    unsigned max = w->conf->max_connections;
    if (w->live < max || (w->live < max + OVER && idvi_can_shed(w)))
        return true;
    if (w->ev_resume && !event_pending(w->ev_resume, EV_TIMEOUT, NULL))
        event_add(w->ev_resume, &soon);
    return false;
}

void idvi_worker_gate(struct idvi_worker *w)
{
    if (!w->spare && !w->draining)
        w->spare = idvi_conn_spare(w);
    bool open = w->spare && !w->paused && !w->draining && has_room(w);
    idvi_board_live(w->conf->board, w->row, w->live);
    for (size_t i = 0; i < w->listeners; i++) {
        if (open)
            evconnlistener_enable(w->listener[i]);
        else
            evconnlistener_disable(w->listener[i]);
    }
}

enum idv_level idvi_worker_warns(struct idvi_worker *w)
{
    const int64_t now = idv_ticks_ms();
    if (now - w->said_over < 1000)
        return IDV_LOG_DEBUG;
    w->said_over = now;
    return IDV_LOG_WARN;
}

static struct evhttp *make_http(struct idvi_worker *w,
                                void (*serve)(struct evhttp_request *, void *))
{
    struct evhttp *http = evhttp_new(w->base);
    if (!http)
        return NULL;
    evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_POST |
                                         EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(http, MAX_HEADERS);
    evhttp_set_max_body_size(http, (ev_ssize_t)w->conf->max_body);
    evhttp_set_timeout(http, FOREVER_S);
    evhttp_set_default_content_type(http, NULL);
    evhttp_set_gencb(http, serve, w);
    return http;
}

static void on_resume(evutil_socket_t fd, short what, void *worker)
{
    struct idvi_worker *w = worker;
    (void)fd;
    (void)what;
    w->paused = false;
    idvi_worker_gate(w);
}

/* of this thread: evhttp, which has the listeners, knows nothing of it */
static _Thread_local struct idvi_worker *current;

/* no descriptor, no memory: not again in the same breath */
static void accept_failed(struct evconnlistener *l, void *http)
{
    struct idvi_worker *w = current;
    struct timeval soon = {.tv_usec = 200000};
    (void)l;
    (void)http;
    idv_log(w->conf->env, IDV_LOG_WARN, "accept-failed", "reason=%s",
            idv_log_value(strerror(errno)));
    w->paused = true;
    idvi_worker_gate(w);
    event_add(w->ev_resume, &soon);
}

static idv_rc make_listeners(struct idvi_worker *w,
                             const struct idvi_sockets *s, size_t slot)
{
    w->listener = calloc(s->n ? s->n : 1, sizeof(struct evconnlistener *));
    if (!w->listener)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (size_t i = 0; i < s->n; i++) {
        struct evconnlistener *l =
            evconnlistener_new(w->base, NULL, NULL, LEV_OPT_CLOSE_ON_EXEC, 0,
                               s->fd[slot * s->n + i]);
        if (!l)
            return idv_fail(IDV_E_NOMEM, "out of memory");
        if (!evhttp_bind_listener(w->http, l)) {
            evconnlistener_free(l);
            return idv_fail(IDV_E_NOMEM, "out of memory");
        }
        evconnlistener_set_error_cb(l, accept_failed);
        w->listener[w->listeners++] = l;
    }
    return IDV_OK;
}

/* plain HTTP */
static idv_rc listen_plain(struct idvi_worker *w, struct evhttp *http, int fd)
{
    struct evconnlistener *l =
        evconnlistener_new(w->base, NULL, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (l && evhttp_bind_listener(http, l)) {
        w->plain[w->plains++] = l;
        return IDV_OK;
    }
    if (l)
        evconnlistener_free(l);
    return idv_fail(IDV_E_NOMEM, "out of memory");
}

static idv_rc make_admin(struct idvi_worker *w, const struct idvi_sockets *s)
{
    if (s->admin < 0)
        return IDV_OK;
    w->admin = make_http(w, idvi_http_serve_admin);
    if (!w->admin)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    evhttp_set_timeout(w->admin, 60);
    return listen_plain(w, w->admin, s->admin);
}

static idv_rc make_monitor(struct idvi_worker *w, const struct idvi_sockets *s)
{
    if (!s->monitor.n)
        return IDV_OK;
    w->monitor = make_http(w, idvi_http_serve_monitor);
    if (!w->monitor)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    evhttp_set_timeout(w->monitor, 20);
    for (size_t i = 0; i < s->monitor.n; i++)
        IDV_TRY(listen_plain(w, w->monitor, s->monitor.fd[i]));
    return IDV_OK;
}

static idv_rc make_public(struct idvi_worker *w, const struct idvi_sockets *s)
{
    if (!s->public.n)
        return IDV_OK;
    w->public = make_http(w, idvi_http_serve_public);
    if (!w->public)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    evhttp_set_bevcb(w->public, idvi_public_accept, w);
    for (size_t i = 0; i < s->public.n; i++)
        IDV_TRY(listen_plain(w, w->public, s->public.fd[i]));
    return IDV_OK;
}

static idv_rc make_front(struct idvi_worker *w, const struct idvi_sockets *s)
{
    if (!s->front.n)
        return IDV_OK;
    IDV_TRY(idvi_front_nets(&w->conf->front, &w->proxies));
    w->front = make_http(w, idvi_http_serve_front);
    if (!w->front)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    evhttp_set_timeout(w->front, FRONT_IDLE_S);
    evhttp_set_max_headers_size(w->front, MAX_FRONT_HEADERS);
    evhttp_set_bevcb(w->front, idvi_front_accept, w);
    for (size_t i = 0; i < s->front.n; i++) {
        IDV_TRY(listen_plain(w, w->front, s->front.fd[i]));
        evconnlistener_set_error_cb(w->plain[w->plains - 1], accept_failed);
    }
    return IDV_OK;
}

static void on_drained(evutil_socket_t fd, short what, void *worker)
{
    struct idvi_worker *w = worker;
    (void)fd;
    (void)what;
    event_base_loopbreak(w->base);
}

static bool is_drained(const struct idvi_worker *w)
{
    return w->draining && w->live == 0 && w->unsent == 0 &&
           LIST_EMPTY(&w->exchanges);
}

/* idle connections end now, the others with the answer they wait for; what was
 * answered early is done to its end */
static void drain(evutil_socket_t fd, short what, void *worker)
{
    struct idvi_worker *w = worker;
    struct idvi_conn *c, *next;
    struct timeval limit = {.tv_sec = w->conf->drain_s};
    (void)fd;
    (void)what;
    if (w->draining)
        return;
    w->draining = true;
    event_del(w->ev_stop);
    idvi_worker_gate(w);
    for (size_t i = 0; i < w->plains; i++)
        evconnlistener_disable(w->plain[i]);
    for (c = LIST_FIRST(&w->conns); c; c = next) {
        next = LIST_NEXT(c, link);
        idvi_conn_dismiss(c);
    }
    event_add(w->ev_drain, &limit);
}

static idv_rc make_events(struct idvi_worker *w)
{
    w->ev_drain = evtimer_new(w->base, on_drained, w);
    w->ev_resume = evtimer_new(w->base, on_resume, w);
    w->ev_term = evsignal_new(w->base, SIGTERM, drain, w);
    w->ev_stop = event_new(w->base, w->conf->stop_fd, EV_READ, drain, w);
    if (!w->ev_drain || !w->ev_resume || !w->ev_term || !w->ev_stop)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (w->conf->in_process
            ? w->conf->stop_fd > 0 && event_add(w->ev_stop, NULL) != 0
            : event_add(w->ev_term, NULL) != 0)
        return idv_fail(IDV_E_IO, "event loop: cannot watch for the end");
    return IDV_OK;
}

static idv_rc make_all(struct idvi_worker *w, const struct idvi_sockets *s,
                       size_t slot)
{
    IDV_TRY(w->conf->make(w->conf->arg, &w->made));
    IDV_TRY(idvi_hosts_open(w));
    w->base = event_base_new();
    if (!w->base)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(make_events(w));
    IDV_TRY(idvi_upstreams_new(w->base, w->conf, &w->upstreams));
    w->spare = idvi_conn_spare(w);
    w->http = make_http(w, idvi_http_serve);
    if (!w->spare || !w->http)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    evhttp_set_bevcb(w->http, idvi_conn_accept, w);
    IDV_TRY(make_admin(w, s));
    IDV_TRY(make_monitor(w, s));
    IDV_TRY(make_public(w, s));
    IDV_TRY(make_front(w, s));
    IDV_TRY(idvi_tick_start(w));
    IDV_TRY(idv_random(w->conf->env, (uint8_t *)&w->id, sizeof(w->id)));
    return make_listeners(w, s, slot);
}

static void tell_of_device(struct idvi_worker *w)
{
    if (w->device_failed && w->made.device_failed)
        w->made.device_failed(w->made.self);
    w->device_failed = false;
}

static void free_event(struct event *e)
{
    if (e)
        event_free(e);
}

static void free_all(struct idvi_worker *w)
{
    w->draining = true;
    idvi_http_abandon(w);
    idvi_upstreams_free(w->upstreams);
    w->listeners = w->plains = 0; /* evhttp's; sockets stay */
    if (w->http)
        evhttp_free(w->http);
    if (w->admin)
        evhttp_free(w->admin);
    if (w->monitor)
        evhttp_free(w->monitor);
    if (w->public)
        evhttp_free(w->public);
    idvi_public_end(w);
    if (w->front)
        evhttp_free(w->front);
    if (w->spare)
        bufferevent_free(w->spare);
    idvi_linger_end(w);
    free_event(w->ev_drain);
    free_event(w->ev_resume);
    free_event(w->ev_term);
    free_event(w->ev_stop);
    free_event(w->ev_tick);
    if (w->base)
        event_base_free(w->base);
    idvi_hosts_close(w);
    free(w->listener);
    if (w->made.free)
        w->made.free(w->made.self);
}

idv_rc idvi_worker_run(const struct idv_server_conf *conf,
                       const struct idvi_sockets *sockets, size_t slot,
                       void (*started)(void *arg), void *arg)
{
    struct idvi_worker w = {.conf = conf};
    int pid = (int)getpid();
    current = &w;
    w.row = idvi_board_enter(conf->board, pid);
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    LIST_INIT(&w.conns);
    LIST_INIT(&w.exchanges);
    TAILQ_INIT(&w.lingering);
    TAILQ_INIT(&w.held);
    TAILQ_INIT(&w.publics);
    idv_rc rc = make_all(&w, sockets, slot);
    if (rc == IDV_OK) {
        idvi_board_ready(conf->board, w.row);
        started(arg);
        while (!is_drained(&w)) {
            if (!idvi_worker_turn(&w, EVLOOP_ONCE) || !idvi_commit_turn(&w))
                break;
            tell_of_device(&w);
        }
    }
    free_all(&w);
    idvi_board_leave(conf->board, pid);
    sigaction(SIGPIPE, &before, NULL);
    return rc;
}
