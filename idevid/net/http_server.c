/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to the service and back, perhaps by way of an upstream. */
#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/http.h>

#include <idevid/x509.h>

#include "net/server_int.h"

#define NOT_NOW_S 2 /* after which a store is asked again */

/* One request while it is served. Its connection may go away meanwhile, and it
 * may be answered before its upstream is. */
struct idvi_exchange {
    LIST_ENTRY(idvi_exchange) link;
    struct idvi_worker *worker;
    struct evhttp_request *req; /* NULL: answered */
    struct idvi_conn *conn;     /* NULL: plain HTTP */
    const struct idv_service *service;
    bool busy;                  /* counted: a client waits for it */
    bool by_name;               /* Host says which of the worker's services */
    struct idv_peer plain_peer; /* this request's alone */
    bool counted;               /* of its origin */
    uint64_t origin;
    struct idv_call call;
    int64_t began, asked;   /* asked: the upstream */
    bool abroad;            /* it has not told yet */
    struct event *patience; /* ends while it is abroad; NULL: never */
    unsigned number;
    bool head;
    struct idvi_held held; /* what next says */
    enum idv_next next;
};

/* lines logged on behalf of x say so */
static void name_in_log(const struct idvi_exchange *x)
{
    char text[128];
    const char *label = x->held.host ? x->held.host->label : NULL;
    snprintf(text, sizeof(text), "req=%08x-%u%s%s", x->worker->id, x->number,
             label ? " " : "", label ? label : "");
    idv_log_context(text);
}

/* not of those any more that its address has at a time */
static void uncount(struct idvi_exchange *x)
{
    if (x->counted)
        idvi_board_remove(x->worker->conf->board, x->worker->row, x->origin);
    x->counted = false;
}

static void set_busy(struct idvi_exchange *x, bool busy)
{
    struct idvi_worker *w = x->worker;
    if (x->busy == busy)
        return;
    x->busy = busy;
    w->busy += busy ? 1 : -1u;
    idvi_board_busy(w->conf->board, w->row, w->busy);
}

static void exchange_free(struct idvi_exchange *x)
{
    set_busy(x, false);
    LIST_REMOVE(x, link);
    idvi_unhold(x->worker, &x->held);
    if (x->patience)
        event_free(x->patience);
    idv_call_free(&x->call);
    idv_peer_free(&x->plain_peer);
    uncount(x);
    if (x->conn)
        idvi_conn_unref(x->conn);
    free(x);
}

static void answer(struct idvi_exchange *x)
{
    struct idv_msg *m = &x->call.reply;
    struct evhttp_request *req = x->req;
    if (m->status == 405) /* RFC 9110 section 15.5.6: each path has one */
        evhttp_add_header(evhttp_request_get_output_headers(req), "Allow",
                          x->call.req.verb == IDV_GET ? "POST" : "GET, HEAD");
    idvi_http_kept(req, x->call.req.verb == IDV_GET, m);
    idv_log(x->worker->conf->env, IDV_LOG_DEBUG, "served",
            "peer=%s path=%s status=%d ms=%lld", x->call.peer->address,
            idv_log_value(x->call.as ? x->call.as : x->call.req.path),
            m->status, (long long)(idv_ticks_ms() - x->began));
    x->req = NULL;
    uncount(x);
    set_busy(x, false);
    idvi_http_answer(x->worker, req, m, x->head, x->call.close);
}

/* whoever asked is answered once; an exchange ends with its upstream */
static void reply(struct idvi_exchange *x)
{
    if (x->req)
        answer(x);
    if (!x->abroad)
        exchange_free(x);
    idv_log_context(NULL);
}

/* a reply that the service did not make */
static void refuse(struct idvi_exchange *x, int status, const char *why)
{
    struct idv_msg *m = &x->call.reply;
    int retry_after = m->retry_after;
    idv_msg_free(m);
    m->retry_after = retry_after;
    if (idv_msg_refuse(m, status, why) != IDV_OK)
        idv_note_clear();
    m->status = status;
    x->call.close = true;
    reply(x);
}

/* for a store or a device that may be back soon */
static void not_now(struct idvi_exchange *x)
{
    x->call.reply.retry_after = NOT_NOW_S;
    refuse(x, 503, "not now, try again");
}

static void failed(struct idvi_exchange *x, idv_rc rc)
{
    idv_log_failure(x->worker->conf->env, "serve-failed", rc);
    x->worker->device_failed |= rc == IDV_E_DEVICE;
    if (rc == IDV_E_IO || rc == IDV_E_DEVICE)
        not_now(x);
    else
        refuse(x, 500, "internal error");
}

static void on_upstream(void *exchange, struct idv_told *told);
static void on_patience(evutil_socket_t fd, short what, void *exchange);

static idv_rc be_patient(struct idvi_exchange *x)
{
    const int ms = x->call.up.patience_ms;
    struct timeval in = {ms / 1000, ms % 1000 * 1000};
    if (x->patience)
        event_free(x->patience);
    x->patience = NULL;
    if (ms <= 0 || !x->req)
        return IDV_OK;
    x->patience = evtimer_new(x->worker->base, on_patience, x);
    if (!x->patience || event_add(x->patience, &in) != 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return IDV_OK;
}

static idv_rc go_abroad(struct idvi_exchange *x)
{
    IDV_TRY(be_patient(x));
    x->asked = idv_ticks_ms();
    IDV_TRY(
        idvi_upstream_start(x->worker->upstreams, &x->call.up, on_upstream, x));
    x->abroad = true;
    return IDV_OK;
}

/* what the call did is on the disk, or will never be */
static void go(struct idvi_held *held, idv_rc committed)
{
    struct idvi_exchange *x =
        (void *)((char *)held - offsetof(struct idvi_exchange, held));
    name_in_log(x);
    if (committed != IDV_OK)
        not_now(x);
    else if (x->next == IDV_NEXT_REPLY)
        reply(x);
    else {
        idv_rc rc = go_abroad(x);
        if (rc != IDV_OK)
            failed(x, rc);
    }
    idv_log_context(NULL);
}

/* An answer before the upstream's that was not sent yet gives way to the one
 * after it. */
static void serve(struct idvi_exchange *x, struct idv_told *told)
{
    const struct idv_server_worker *made = &x->worker->made;
    x->next = IDV_NEXT_REPLY;
    x->call.may_store =
        made->gather && made->commit && !(told && told->kind == IDV_TOLD_STORE);
    idvi_unhold(x->worker, &x->held);
    idv_msg_free(&x->call.reply);
    idv_msg_init(&x->call.reply);
    idv_note_clear();
    name_in_log(x);
    idv_rc rc = x->service->serve(x->service->self, &x->call, told, &x->next);
    if (rc == IDV_OK && x->next == IDV_NEXT_REPLY && x->call.reply.status < 200)
        rc = idv_fail(IDV_E_STATE, "service: no status in its reply");
    if (rc == IDV_OK && x->next == IDV_NEXT_STORE && !x->call.may_store)
        rc = idv_fail(IDV_E_STATE, "service: it may not store");
    x->held.stores = x->next == IDV_NEXT_STORE;
    if (rc != IDV_OK)
        failed(x, rc);
    else if (!x->abroad || x->next != IDV_NEXT_UPSTREAM)
        idvi_hold(x->worker, &x->held);
    idv_log_context(NULL);
}

static void store(struct idvi_held *held)
{
    struct idv_told told = {.kind = IDV_TOLD_STORE};
    serve((void *)((char *)held - offsetof(struct idvi_exchange, held)), &told);
}

/* UPSTREAM, said now, is to go on waiting */
static void on_patience(evutil_socket_t fd, short what, void *exchange)
{
    struct idv_told told = {.kind = IDV_TOLD_ELAPSED};
    (void)fd;
    (void)what;
    serve(exchange, &told);
}

static void log_upstream(const struct idvi_exchange *x,
                         const struct idv_told *told)
{
    char status[16] = "lost";
    if (told->kind == IDV_TOLD_REPLY)
        snprintf(status, sizeof(status), "%d", told->msg.status);
    idv_log(x->worker->conf->env, IDV_LOG_DEBUG, "upstream",
            "host=%s path=%s status=%s ms=%lld reason=%s", x->call.up.url.host,
            idv_log_value(x->call.up.msg.path), status,
            (long long)(idv_ticks_ms() - x->asked),
            idv_log_value(told->kind == IDV_TOLD_LOST ? told->note : ""));
}

static void on_upstream(void *exchange, struct idv_told *told)
{
    struct idvi_exchange *x = exchange;
    x->abroad = false;
    if (x->patience)
        event_del(x->patience);
    name_in_log(x);
    log_upstream(x, told);
    serve(x, told);
    idv_told_free(told);
}

static void turn_away(struct idvi_exchange *x, int status, const char *why)
{
    const struct idv_server_worker *made = &x->worker->made;
    if (x->conn)
        idvi_conn_turned_away(x->conn);
    else if (x->plain_peer.fronted && made->turned_away)
        made->turned_away(made->service.self, &x->plain_peer);
    refuse(x, status, why);
}

/* one certificate asks too often; false: not (yet) */
static bool asks_too_often(struct idvi_exchange *x)
{
    const struct idv_server_conf *conf = x->worker->conf;
    uint8_t client[32];
    const STACK_OF(X509) *chain = x->call.peer->chain;
    if (!chain || idv_peer_sha256(x->call.peer, client) != IDV_OK)
        return false;
    if (idvi_board_asked(conf->board, client, x->began) <= conf->max_per_minute)
        return false;
    idv_log(conf->env, IDV_LOG_WARN, "client-limit", "peer=%s device=%s",
            x->call.peer->address,
            idv_log_value(idv_cert_subject(sk_X509_value(chain, 0))));
    return true;
}

static bool directed(struct idvi_exchange *x)
{
    struct idvi_worker *w = x->worker;
    const struct idv_server_host *host = NULL;
    const char *name = evhttp_request_get_host(x->req);
    if (!idvi_host_asked(w, x->req, x->conn, &host)) {
        idv_log(w->conf->env, idvi_worker_warns(w), "misdirected",
                "peer=%s host=%s", x->call.peer->address,
                idv_log_value(name ? name : ""));
        return false;
    }
    if (host)
        x->service = &host->service;
    x->held.host = host;
    name_in_log(x);
    return true;
}

/* framing that has two readings is answered without the service */
static void begin(struct idvi_exchange *x)
{
    int status = 500;
    name_in_log(x);
    set_busy(x, x->by_name);
    if (asks_too_often(x)) {
        x->call.reply.retry_after = 60;
        turn_away(x, 429, "too many requests");
        return;
    }
    const char *bad = idvi_http_misframed(x->req);
    if (bad) {
        turn_away(x, 400, bad);
        return;
    }
    if (x->by_name && !directed(x)) {
        turn_away(x, 421, "not served on this connection");
        return;
    }
    if (idvi_http_to_msg(x->req, &x->call.req, x->worker->conf->max_body,
                         &status) != IDV_OK) {
        char why[IDV_NOTE_MAX];
        snprintf(why, sizeof(why), "%s", idv_note());
        idv_note_clear();
        turn_away(x, status, why);
        return;
    }
    serve(x, NULL);
}

static struct idvi_exchange *exchange_new(struct idvi_worker *w,
                                          struct evhttp_request *req)
{
    struct idvi_exchange *x = calloc(1, sizeof(*x));
    if (!x)
        return NULL;
    x->worker = w;
    x->req = req;
    x->held.go = go;
    x->held.store = store;
    x->began = idv_ticks_ms();
    x->number = ++w->requests;
    x->head = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD;
    LIST_INSERT_HEAD(&w->exchanges, x, link);
    return x;
}

/* who has a TLS connection of his own is who he proved to be there */
static void ignore_front(struct idvi_worker *w, struct evhttp_request *req,
                         const struct idvi_conn *c)
{
    const char *name = w->front ? idvi_front_named(req) : NULL;
    if (name)
        idv_log(w->conf->env, idvi_worker_warns(w), "front-ignored",
                "peer=%s field=%s", c->peer.address, name);
}

void idvi_http_serve(struct evhttp_request *req, void *worker)
{
    struct idvi_worker *w = worker;
    struct idvi_conn *c = idvi_conn_of(evhttp_request_get_connection(req));
    idv_rc rc = c ? idvi_conn_peer(c) : IDV_E_STATE;
    struct idvi_exchange *x = rc == IDV_OK ? exchange_new(w, req) : NULL;
    if (!x) {
        idv_log_failure(w->conf->env, "request-failed", rc);
        idvi_http_answer_bare(req, rc == IDV_E_LIMIT ? 400 : 503);
        return;
    }
    ignore_front(w, req, c);
    idvi_conn_serving(c);
    x->conn = c;
    c->refs++;
    x->service = &w->made.service;
    x->by_name = true;
    idv_call_init(&x->call, &c->peer);
    begin(x);
}

/* NULL: nobody who may ask, or no memory */
static struct idvi_exchange *
admin_exchange(struct idvi_worker *w, struct evhttp_request *req, int *status)
{
    struct evhttp_connection *c = evhttp_request_get_connection(req);
    struct bufferevent *bev = c ? evhttp_connection_get_bufferevent(c) : NULL;
    struct idvi_local_peer who;
    *status = 503;
    if (!bev || !w->made.admin.serve)
        return NULL;
    if (!idvi_local_peer(bufferevent_getfd(bev), w->conf->admin_gid, &who)) {
        idv_log(w->conf->env, IDV_LOG_WARN, "admin-refused", "uid=%u gid=%u",
                who.uid, who.gid);
        *status = 403;
        return NULL;
    }
    struct idvi_exchange *x = exchange_new(w, req);
    if (x)
        snprintf(x->plain_peer.address, sizeof(x->plain_peer.address),
                 "unix:uid=%u", who.uid);
    return x;
}

void idvi_http_serve_admin(struct evhttp_request *req, void *worker)
{
    struct idvi_worker *w = worker;
    int status = 503;
    struct idvi_exchange *x = admin_exchange(w, req, &status);
    if (!x) {
        idvi_http_answer_bare(req, status);
        return;
    }
    x->service = &w->made.admin;
    idv_call_init(&x->call, &x->plain_peer);
    begin(x);
}

/* a request of somebody we know nothing of */
static void serve_plainly(struct idvi_worker *w, struct evhttp_request *req,
                          const struct idv_service *service, const char *who,
                          bool last)
{
    struct idvi_exchange *x = service->serve ? exchange_new(w, req) : NULL;
    if (!x) {
        idvi_http_answer_bare(req, 503);
        return;
    }
    x->service = service;
    strcpy(x->plain_peer.address, who);
    idv_call_init(&x->call, &x->plain_peer);
    x->call.close = last;
    begin(x);
}

void idvi_http_serve_monitor(struct evhttp_request *req, void *worker)
{
    struct idvi_worker *w = worker;
    serve_plainly(w, req, &w->made.monitor, "monitor", false);
}

void idvi_http_serve_public(struct evhttp_request *req, void *worker)
{
    struct idvi_worker *w = worker;
    serve_plainly(w, req, &w->made.public, "public", true);
}

/* once the proxy has said whose request it is */
static void begin_fronted(struct idvi_exchange *x)
{
    const struct idv_server_conf *conf = x->worker->conf;
    x->counted = true;
    if (idvi_board_add(conf->board, x->worker->row, x->origin) <=
        conf->max_per_address) {
        begin(x);
        return;
    }
    idv_log(conf->env, idvi_worker_warns(x->worker), "address-limit", "peer=%s",
            x->plain_peer.address);
    x->call.reply.retry_after = 1;
    turn_away(x, 429, "too many requests at a time");
}

static void misused(struct idvi_exchange *x, idv_rc rc)
{
    char why[IDV_NOTE_MAX];
    if (rc != IDV_E_FORMAT && rc != IDV_E_LIMIT) {
        failed(x, rc);
        return;
    }
    snprintf(why, sizeof(why), "%s", idv_note());
    idv_note_clear();
    idv_log(x->worker->conf->env, idvi_worker_warns(x->worker), "front-misused",
            "peer=%s why=%s", x->plain_peer.address, idv_log_value(why));
    turn_away(x, 400, why);
}

void idvi_http_serve_front(struct evhttp_request *req, void *worker)
{
    struct idvi_worker *w = worker;
    struct idvi_exchange *x = exchange_new(w, req);
    if (!x) {
        idvi_http_answer_bare(req, 503);
        return;
    }
    name_in_log(x);
    idv_note_clear();
    x->service = &w->made.service;
    x->by_name = true;
    idv_call_init(&x->call, &x->plain_peer);
    if (!idvi_front_trusts(w, req, x->plain_peer.address)) {
        refuse(x, 403, "not a trusted proxy");
        return;
    }
    idv_rc rc = idvi_front_peer(w, req, &x->plain_peer, &x->origin);
    if (rc == IDV_OK)
        begin_fronted(x);
    else
        misused(x, rc);
}

void idvi_http_abandon(struct idvi_worker *w)
{
    struct idvi_exchange *x;
    while ((x = LIST_FIRST(&w->exchanges))) {
        /* with a connection it is freed by evhttp, otherwise it is ours */
        if (x->req && !evhttp_request_get_connection(x->req))
            evhttp_request_free(x->req);
        exchange_free(x);
    }
}
