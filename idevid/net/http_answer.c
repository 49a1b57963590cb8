/* SPDX-License-Identifier: Apache-2.0 */
/* A reply on its way out: its header, its body, and the end of both. */
#include <stdio.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>

#include "net/server_int.h"

static bool says_close(struct evkeyvalq *headers)
{
    const char *v = evhttp_find_header(headers, "Connection");
    return v && evutil_ascii_strcasecmp(v, "close") == 0;
}

static bool is_last(struct evhttp_request *req)
{
    if (says_close(evhttp_request_get_input_headers(req)) ||
        says_close(evhttp_request_get_output_headers(req)))
        return true;
    const char *v =
        evhttp_find_header(evhttp_request_get_input_headers(req), "Connection");
    return (req->major < 1 || (req->major == 1 && req->minor == 0)) &&
           !(v && evutil_ascii_strcasecmp(v, "keep-alive") == 0);
}

/* the connection of plain HTTP ends before a reply is sent */
static void unsent_ends(struct evhttp_connection *connection, void *worker)
{
    struct idvi_worker *w = worker;
    (void)connection;
    w->unsent--;
}

static void unsent_begins(struct idvi_worker *w, struct evhttp_request *req)
{
    struct evhttp_connection *c = evhttp_request_get_connection(req);
    if (!c)
        return;
    w->unsent++;
    evhttp_connection_set_closecb(c, unsent_ends, w);
}

static void on_sent(struct evhttp_request *req, void *worker)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(req);
    struct idvi_conn *c = idvi_conn_of(connection);
    if (c) {
        idvi_conn_replied(c, is_last(req));
        return;
    }
    evhttp_connection_set_closecb(connection, NULL, NULL);
    unsent_ends(connection, worker);
}

static void put_header(struct evhttp_request *req, const char *name,
                       const char *value)
{
    if (*value)
        evhttp_add_header(evhttp_request_get_output_headers(req), name, value);
}

/* Head and body in one piece, where nothing else waits to be sent: TLS makes a
 * record, and a call to the system, of each that there is. */
static void send_whole(struct evhttp_request *req, int status)
{
    struct evhttp_connection *c = evhttp_request_get_connection(req);
    struct bufferevent *bev = c ? evhttp_connection_get_bufferevent(c) : NULL;
    struct evbuffer *out = bev ? bufferevent_get_output(bev) : NULL;
    const bool alone = out && evbuffer_get_length(out) == 0;
    evhttp_send_reply(req, status, NULL, NULL);
    if (alone && evbuffer_get_length(out) <= SSL3_RT_MAX_PLAIN_LENGTH)
        (void)evbuffer_pullup(out, -1);
}

/* what evhttp leaves out */
static void put_headers(struct evhttp_request *req, const struct idv_msg *m)
{
    char number[32];
    put_header(req, "Content-Type", m->media);
    put_header(req, "Location", m->location);
    put_header(req, "WWW-Authenticate", m->authenticate);
    if (m->retry_after >= 0) {
        snprintf(number, sizeof(number), "%d", m->retry_after);
        put_header(req, "Retry-After", number);
    }
}

static void sending(struct idvi_worker *w, struct evhttp_request *req)
{
    struct idvi_conn *c = idvi_conn_of(evhttp_request_get_connection(req));
    evhttp_request_set_on_complete_cb(req, on_sent, w);
    if (c)
        idvi_conn_replying(c);
    else
        unsent_begins(w, req);
}

void idvi_http_answer(struct idvi_worker *w, struct evhttp_request *req,
                      const struct idv_msg *m, bool head, bool last)
{
    char number[32];
    const bool bodiless = m->status == 204 || m->status == 304;
    sending(w, req);
    put_headers(req, m);
    if (last || w->draining)
        put_header(req, "Connection", "close");
    if (!bodiless) {
        snprintf(number, sizeof(number), "%zu", m->body.n);
        put_header(req, "Content-Length", number);
    }
    struct evbuffer *out = evhttp_request_get_output_buffer(req);
    if (!head && !bodiless && m->body.n)
        evbuffer_add(out, m->body.p, m->body.n);
    send_whole(req, m->status);
}

void idvi_http_answer_bare(struct evhttp_request *req, int status)
{
    put_header(req, "Connection", "close");
    evhttp_send_reply(req, status, NULL, NULL);
}
