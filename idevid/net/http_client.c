/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges over one connection, by libcurl. */
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>

#include "net/client_int.h"

static int ms(int seconds, int otherwise)
{
    return (seconds > 0 ? seconds : otherwise) * 1000;
}

static void set_scope(const struct idvi_client *c, struct curl_sockaddr *a)
{
    struct sockaddr_in6 in;
    uint8_t *raw = (uint8_t *)a + offsetof(struct curl_sockaddr, addr);
    if (!c->scope || a->family != AF_INET6)
        return;
    memcpy(&in, raw, sizeof(in)); /* there is room for each kind */
    in.sin6_scope_id = c->scope;
    memcpy(raw, &in, sizeof(in));
}

/* no second connection once there was one: not even curl's own retry */
static curl_socket_t open_socket(void *client, curlsocktype purpose,
                                 struct curl_sockaddr *a)
{
    struct idvi_client *c = client;
    (void)purpose;
    set_scope(c, a);
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
    const char *zone = strchr(c->to.host, '%');
    snprintf(c->peer.address, sizeof(c->peer.address), "%s%s", ip,
             zone && !strchr(ip, '%') ? zone : "");
    c->failed = idvi_client_shaken(c);
    if (c->failed == IDV_OK)
        c->failed = c->connected(c->connected_arg, &c->peer, &c->body);
    const struct idv_buf *known = &c->to.first.body;
    if (c->failed == IDV_OK && known->n &&
        !idv_bytes_eq(idv_view(known), idv_view(&c->body)))
        c->failed = idv_fail(IDV_E_STATE,
                             "%s: the first request has another "
                             "body than was said",
                             c->where);
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

/* --- what curl waits for -------------------------------------------------- */

static struct pollfd *place_of(struct idvi_client *c, curl_socket_t fd)
{
    for (size_t i = 0; i < c->n_fds; i++) {
        if (c->fds[i].fd == fd)
            return &c->fds[i];
    }
    if (c->n_fds == IDVI_CLIENT_FDS)
        return NULL;
    c->fds[c->n_fds] = (struct pollfd){.fd = fd};
    return &c->fds[c->n_fds++];
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *client,
                     void *ours)
{
    struct idvi_client *c = client;
    struct pollfd *p = place_of(c, fd);
    (void)easy;
    (void)ours;
    if (!p)
        return -1;
    if (what == CURL_POLL_REMOVE)
        *p = c->fds[--c->n_fds];
    else
        p->events = (short)((what & CURL_POLL_IN ? POLLIN : 0) |
                            (what & CURL_POLL_OUT ? POLLOUT : 0));
    return 0;
}

static int on_timer(CURLM *multi, long after_ms, void *client)
{
    struct idvi_client *c = client;
    (void)multi;
    c->timer = after_ms < 0 ? -1 : idv_ticks_ms() + after_ms;
    return 0;
}

static void set_multi(struct idvi_client *c)
{
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
}

static idv_rc set_options(struct idvi_client *c)
{
    long connect = ms(c->conf->connect_s, 10);
    set_callbacks(c);
    set_multi(c);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* a name server that never answers holds up nobody else */
    curl_easy_setopt(c->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(c->easy, CURLOPT_MAXAGE_CONN, 86400L * 7);
    curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, connect + 1000);
    if (c->to.address[0]) {
        IDV_TRY(idvi_client_at(c, &c->at));
        curl_easy_setopt(c->easy, CURLOPT_CONNECT_TO, c->at);
    }
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
    idv_msg_init(&c->req);
    c->conf = conf;
    c->timer = -1;
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

/* --- one exchange --------------------------------------------------------- */

static void halt(struct idvi_client *c)
{
    if (c->running && !c->looks)
        curl_multi_remove_handle(c->multi, c->easy);
    c->running = false;
    if (c->easy) {
        curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, NULL);
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, NULL);
    }
    curl_slist_free_all(idv_steal(&c->headers));
}

void idvi_client_free(struct idvi_client *c)
{
    if (!c)
        return;
    halt(c);
    curl_easy_cleanup(c->easy);
    curl_multi_cleanup(c->multi);
    curl_slist_free_all(c->at);
    idvi_lookup_free(c->looks);
    idv_peer_free(&c->peer);
    idv_msg_free(&c->to.first);
    idv_msg_free(&c->req);
    idv_buf_free(&c->body);
    idvi_reply_free(&c->reply);
    free(c);
}

/* chunked: the body comes from c->body later */
static idv_rc begin(struct idvi_client *c, const struct idv_msg *req,
                    const struct idv_buf *body, bool chunked)
{
    IDV_AUTO(buf) url = {0};
    CURL *e = c->easy;
    IDV_TRY(idvi_http_url(c->to.host, c->to.port, req->path, &url));
    IDV_TRY(
        idvi_http_headers(c->to.host, c->to.port, req, chunked, &c->headers));
    idvi_reply_free(&c->reply);
    idvi_reply_init(&c->reply, c->conf->env);
    c->error[0] = 0;
    c->failed = IDV_OK;
    c->began = c->progress = idv_ticks_ms();
    curl_easy_setopt(e, CURLOPT_URL, url.p);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers);
    idvi_http_method(e, req, chunked ? NULL : body);
    if (curl_multi_add_handle(c->multi, e) != CURLM_OK)
        return idv_fail(IDV_E_NET, "%s: curl failed", c->where);
    c->running = true;
    c->timer = c->began; /* curl is called at once */
    return IDV_OK;
}

idv_rc idvi_client_first(struct idvi_client *c, idvi_connected *connected,
                         void *arg)
{
    const struct idv_msg *first = &c->to.first;
    c->connected = connected;
    c->connected_arg = arg;
    c->first = first->verb == IDV_POST && first->body.n == 0;
    return begin(c, first, &first->body, c->first);
}

idv_rc idvi_client_lookup(struct idvi_client *c)
{
    int fd = -1;
    IDV_TRY(idvi_lookup_new(c->to.host, &c->looks, &fd));
    c->fds[0] = (struct pollfd){.fd = fd, .events = POLLIN};
    c->n_fds = 1;
    c->running = true;
    c->began = c->progress = idv_ticks_ms();
    return IDV_OK;
}

idv_rc idvi_client_addresses(const struct idvi_client *c, struct idv_told *told)
{
    return idvi_lookup_result(c->looks, c->where, told);
}

idv_rc idvi_client_exchange(struct idvi_client *c, struct idv_msg *req)
{
    idv_msg_free(&c->req);
    idv_msg_move(&c->req, req);
    return begin(c, &c->req, &c->req.body, false);
}

static idv_rc ended(struct idvi_client *c, CURLcode code)
{
    if (code == CURLE_OK && idvi_reply_whole(&c->reply, c->goodbye))
        return c->told ? IDV_OK
                       : idv_fail(IDV_E_STATE, "%s: no handshake", c->where);
    if (c->failed != IDV_OK)
        return idvi_http_refused(c->where, c->failed);
    if (c->refused)
        return idv_fail(IDV_E_NET, "%s: connection closed by the other end",
                        c->where);
    return idvi_http_failed(c->where, c->easy, code, c->error);
}

/* --- deadlines ------------------------------------------------------------ */

static int64_t deadline(const struct idvi_client *c)
{
    const struct idv_drive_conf *f = c->conf;
    return c->began + (c->told ? ms(f->exchange_s, 60) : ms(f->connect_s, 10));
}

static int64_t stalls(const struct idvi_client *c)
{
    return c->progress + ms(c->conf->stall_s, 5);
}

int64_t idvi_client_stalls(const struct idvi_client *c)
{
    return stalls(c);
}

int idvi_client_stalled(const struct idvi_client *c)
{
    const int64_t now = idv_ticks_ms();
    return c->running && now >= stalls(c) ? (int)(now - c->progress) : 0;
}

idv_rc idvi_client_no_progress(const struct idvi_client *c)
{
    return idv_fail(IDV_E_TIMEOUT, "%s: no progress for %d s", c->where,
                    ms(c->conf->stall_s, 5) / 1000);
}

static idv_rc overdue(struct idvi_client *c, bool patient)
{
    const int64_t now = idv_ticks_ms();
    const struct idv_drive_conf *f = c->conf;
    if (now >= deadline(c) && c->told)
        return idv_fail(IDV_E_TIMEOUT, "%s: no answer within %d s", c->where,
                        ms(f->exchange_s, 60) / 1000);
    if (now >= deadline(c))
        return idv_fail(IDV_E_TIMEOUT, "%s: no connection within %d s",
                        c->where, ms(f->connect_s, 10) / 1000);
    if (!patient && c->told && now >= stalls(c))
        return idvi_client_no_progress(c);
    return IDV_OK;
}

int64_t idvi_client_due(const struct idvi_client *c, bool patient)
{
    if (!c->running)
        return INT64_MAX;
    int64_t due = deadline(c);
    if (!patient && c->told && stalls(c) < due)
        due = stalls(c);
    return c->timer >= 0 && c->timer < due ? c->timer : due;
}

/* --- turning -------------------------------------------------------------- */

size_t idvi_client_fds(const struct idvi_client *c, struct pollfd *out)
{
    memcpy(out, c->fds, c->n_fds * sizeof(*out));
    return c->n_fds;
}

static bool act(struct idvi_client *c, curl_socket_t fd, int what)
{
    int running;
    return curl_multi_socket_action(c->multi, fd, what, &running) == CURLM_OK;
}

static int events(short revents)
{
    return (revents & (POLLIN | POLLHUP) ? CURL_CSELECT_IN : 0) |
           (revents & POLLOUT ? CURL_CSELECT_OUT : 0) |
           (revents & (POLLERR | POLLNVAL) ? CURL_CSELECT_ERR : 0);
}

static bool curl_turns(struct idvi_client *c, const struct pollfd *fds,
                       size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i].revents && !act(c, fds[i].fd, events(fds[i].revents)))
            return false;
    }
    if (c->timer < 0 || idv_ticks_ms() < c->timer)
        return true;
    c->timer = -1;
    return act(c, CURL_SOCKET_TIMEOUT, 0);
}

/* a server that wants to know the length beforehand */
static bool length_wanted(const struct idvi_client *c)
{
    const int status = c->reply.msg.status;
    return c->first && (status == 411 || status == 501);
}

static idv_rc turn(struct idvi_client *c, const struct pollfd *fds, size_t n,
                   bool *done)
{
    int queued;
    *done = c->looks && n > 0 && fds[0].revents;
    if (c->looks)
        return IDV_OK;
    *done = true;
    if (!curl_turns(c, fds, n))
        return idv_fail(IDV_E_NET, "%s: curl failed", c->where);
    CURLMsg *m = curl_multi_info_read(c->multi, &queued);
    *done = m && m->msg == CURLMSG_DONE;
    return *done ? ended(c, m->data.result) : IDV_OK;
}

idv_rc idvi_client_turn(struct idvi_client *c, const struct pollfd *fds,
                        size_t n, bool patient, bool *done,
                        struct idv_msg *reply)
{
    idv_rc rc = turn(c, fds, n, done);
    if (!*done) {
        rc = overdue(c, patient);
        *done = rc != IDV_OK;
        if (!*done)
            return IDV_OK;
    }
    halt(c);
    if (rc == IDV_OK && length_wanted(c)) {
        *done = c->first = false;
        rc = begin(c, &c->to.first, &c->body, false);
        *done = rc != IDV_OK;
        return rc;
    }
    c->first = false;
    if (rc == IDV_OK)
        idv_msg_move(reply, &c->reply.msg);
    return rc;
}
