/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges over one connection, by libcurl. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>

#include "net/client_int.h"

#define TICK_MS 250 /* how soon a stop flag is seen */

static int ms(int seconds, int otherwise)
{
    return (seconds > 0 ? seconds : otherwise) * 1000;
}

/* no second connection once there was one: not even curl's own retry */
static curl_socket_t open_socket(void *client, curlsocktype purpose,
                                 struct curl_sockaddr *a)
{
    struct idvi_client *c = client;
    (void)purpose;
    if (c->shaken) {
        c->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* after the handshake, before the first byte of the request */
static int before_request(void *client, char *ip, char *local, int port,
                          int local_port)
{
    struct idvi_client *c = client;
    (void)local;
    (void)port;
    (void)local_port;
    if (c->told)
        return CURL_PREREQFUNC_OK;
    c->told = true;
    idvi_client_binding(c);
    const char *zone = strchr(c->to.host, '%');
    snprintf(c->peer.address, sizeof(c->peer.address), "%s%s", ip,
             zone && !strchr(ip, '%') ? zone : "");
    c->failed = c->connected(c->connected_arg, &c->peer, &c->body);
    c->began = c->progress = idv_ticks_ms();
    return c->failed == IDV_OK ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static size_t read_body(char *to, size_t size, size_t count, void *client)
{
    struct idvi_client *c = client;
    size_t n = c->body.n - c->sent;
    if (n > size * count)
        n = size * count;
    if (n)
        memcpy(to, c->body.p + c->sent, n);
    c->sent += n;
    c->progress = idv_ticks_ms();
    return n;
}

static size_t header_line(char *p, size_t size, size_t n, void *client)
{
    struct idvi_client *c = client;
    c->progress = idv_ticks_ms();
    c->failed = idvi_reply_header(&c->reply, idv_bytes(p, size * n));
    return c->failed == IDV_OK ? size * n : 0;
}

static size_t body_part(char *p, size_t size, size_t n, void *client)
{
    struct idvi_client *c = client;
    c->progress = idv_ticks_ms();
    c->failed = idvi_reply_body(&c->reply, idv_bytes(p, size * n));
    return c->failed == IDV_OK ? size * n : 0;
}

static void set_callbacks(struct idvi_client *c)
{
    CURL *e = c->easy;
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->error);
    curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, idvi_client_ssl);
    curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, c);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, c);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, before_request);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, c);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, read_body);
    curl_easy_setopt(e, CURLOPT_READDATA, c);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, header_line);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, body_part);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
}

static idv_rc set_options(struct idvi_client *c)
{
    long connect = ms(c->conf->connect_s, 10);
    set_callbacks(c);
    curl_easy_setopt(c->easy, CURLOPT_MAXAGE_CONN, 86400L * 7);
    curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, connect + 1000);
    return idvi_http_options(c->easy);
}

idv_rc idvi_client_new(struct idv_connect *to,
                       const struct idv_drive_conf *conf,
                       struct idvi_client **out)
{
    static atomic_uint_fast64_t connections;
    struct idvi_client *c = calloc(1, sizeof(*c));
    if (!c)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    c->to = *to;
    idv_msg_init(&to->first);
    c->conf = conf;
    c->body.max = IDV_MAX_BODY;
    c->peer.connection = ++connections;
    idvi_reply_init(&c->reply, conf->env);
    snprintf(c->where, sizeof(c->where),
             strchr(to->host, ':') ? "%s [%s]:%u" : "%s %s:%u",
             to->name ? to->name : "registrar", to->host, to->port);
    c->multi = curl_multi_init();
    c->easy = curl_easy_init();
    idv_rc rc = IDV_OK;
    if (!c->multi || !c->easy)
        rc = idv_fail(IDV_E_NOMEM, "out of memory");
    if (rc == IDV_OK)
        rc = set_options(c);
    if (rc != IDV_OK) {
        idvi_client_free(c);
        return rc;
    }
    *out = c;
    return IDV_OK;
}

void idvi_client_free(struct idvi_client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->easy);
    curl_multi_cleanup(c->multi);
    idv_peer_free(&c->peer);
    idv_msg_free(&c->to.first);
    idv_buf_free(&c->body);
    idvi_reply_free(&c->reply);
    free(c);
}

/* deadlines that hold now; 0: go on */
static idv_rc overdue(struct idvi_client *c)
{
    int64_t now = idv_ticks_ms();
    const struct idv_drive_conf *f = c->conf;
    if (f->stop && __atomic_load_n(f->stop, __ATOMIC_RELAXED))
        return idv_fail(IDV_E_STATE, "%s: stopped", c->where);
    if (!c->told) {
        if (now - c->began < ms(f->connect_s, 10))
            return IDV_OK;
        return idv_fail(IDV_E_TIMEOUT, "%s: no connection within %d s",
                        c->where, ms(f->connect_s, 10) / 1000);
    }
    if (now - c->began >= ms(f->exchange_s, 60))
        return idv_fail(IDV_E_TIMEOUT, "%s: no answer within %d s", c->where,
                        ms(f->exchange_s, 60) / 1000);
    if (now - c->progress >= ms(f->stall_s, 5))
        return idv_fail(IDV_E_TIMEOUT, "%s: no progress for %d s", c->where,
                        ms(f->stall_s, 5) / 1000);
    return IDV_OK;
}

/* how long to sleep at most: until the next deadline or a look at stop */
static int next_tick(const struct idvi_client *c)
{
    const struct idv_drive_conf *f = c->conf;
    int64_t now = idv_ticks_ms(), left;
    if (c->told) {
        int64_t stall = c->progress + ms(f->stall_s, 5) - now;
        left = c->began + ms(f->exchange_s, 60) - now;
        left = stall < left ? stall : left;
    } else {
        left = c->began + ms(f->connect_s, 10) - now;
    }
    if (left < 0)
        return 0;
    return left < TICK_MS ? (int)left + 1 : TICK_MS;
}

static idv_rc ended(struct idvi_client *c, CURLcode code)
{
    if (code == CURLE_OK && idvi_reply_whole(&c->reply, c->goodbye))
        return IDV_OK;
    if (c->failed != IDV_OK)
        return idvi_http_refused(c->where, c->failed);
    if (c->refused)
        return idv_fail(IDV_E_NET, "%s: connection closed by the other end",
                        c->where);
    return idvi_http_failed(c->where, c->easy, code, c->error);
}

static idv_rc transfer(struct idvi_client *c)
{
    for (int running = 1;;) {
        if (curl_multi_perform(c->multi, &running) != CURLM_OK)
            return idv_fail(IDV_E_NET, "%s: curl failed", c->where);
        int queued;
        CURLMsg *done = curl_multi_info_read(c->multi, &queued);
        if (done && done->msg == CURLMSG_DONE)
            return ended(c, done->data.result);
        IDV_TRY(overdue(c));
        if (curl_multi_poll(c->multi, NULL, 0, next_tick(c), NULL) != CURLM_OK)
            return idv_fail(IDV_E_NET, "%s: curl failed", c->where);
    }
}

/* one request and its reply; chunked: the body comes from c->body later */
static idv_rc perform(struct idvi_client *c, const struct idv_msg *req,
                      const struct idv_buf *body, bool chunked)
{
    IDV_AUTO(buf) url = {0};
    struct curl_slist *headers = NULL;
    CURL *e = c->easy;
    IDV_TRY(idvi_http_url(c->to.host, c->to.port, req->path, &url));
    IDV_TRY(idvi_http_headers(c->to.host, c->to.port, req, chunked, &headers));
    idvi_reply_free(&c->reply);
    idvi_reply_init(&c->reply, c->conf->env);
    c->error[0] = 0;
    c->failed = IDV_OK;
    c->began = c->progress = idv_ticks_ms();
    curl_easy_setopt(e, CURLOPT_URL, url.p);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
    idvi_http_method(e, req, chunked ? NULL : body);
    curl_multi_add_handle(c->multi, e);
    idv_rc rc = transfer(c);
    curl_multi_remove_handle(c->multi, e);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, NULL);
    curl_slist_free_all(headers);
    return rc;
}

idv_rc idvi_client_first(struct idvi_client *c, idvi_connected *connected,
                         void *arg, struct idv_msg *reply)
{
    const struct idv_msg *first = &c->to.first;
    c->connected = connected;
    c->connected_arg = arg;
    IDV_TRY(perform(c, first, &c->body, first->verb == IDV_POST));
    if (!c->told)
        return idv_fail(IDV_E_STATE, "%s: no handshake", c->where);
    int status = c->reply.msg.status;
    if (first->verb == IDV_POST && (status == 411 || status == 501))
        IDV_TRY(perform(c, first, &c->body, false));
    idv_msg_move(reply, &c->reply.msg);
    return IDV_OK;
}

idv_rc idvi_client_exchange(struct idvi_client *c, const struct idv_msg *req,
                            struct idv_msg *reply)
{
    IDV_TRY(perform(c, req, &req->body, false));
    idv_msg_move(reply, &c->reply.msg);
    return IDV_OK;
}
