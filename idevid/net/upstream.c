/* SPDX-License-Identifier: Apache-2.0 */
/* HTTPS requests of a service inside the event loop (curl's socket API). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <idevid/auto.h>

#include "net/http.h"
#include "net/http_reply.h"
#include "net/server_int.h"
#include "net/tls.h"

#define MAX_POOLS 16
#define MAX_HOST_CONNECTIONS 8

struct idvi_upstreams {
    struct event_base *base;
    const struct idv_server_conf *conf;
    LIST_HEAD(, pool) pools; /* the last used first */
    unsigned pools_n, jobs_n;
};

/* curl reuses a connection whatever the client certificate: so one for each
 * identity and set of anchors */
struct pool {
    LIST_ENTRY(pool) link;
    struct idvi_upstreams *all;
    CURLM *multi;
    struct event *timer;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
    STACK_OF(X509) * anchors;
    LIST_HEAD(, job) jobs;
    const SSL *goodbye; /* the last connection with a close_notify */
};

struct job {
    LIST_ENTRY(job) link;
    struct pool *pool;
    CURL *easy;
    struct curl_slist *headers;
    struct idv_buf body;
    struct idvi_reply reply;
    const SSL *ssl; /* from which it comes; only compared */
    char host[256], where[300];
    char error[CURL_ERROR_SIZE];
    idv_rc failed; /* what a callback ended the transfer with */
    struct event *refuse;
    idvi_upstream_done *done;
    void *arg;
};

static bool same_certs(const STACK_OF(X509) * a, const STACK_OF(X509) * b)
{
    if (!a || !b || sk_X509_num(a) != sk_X509_num(b))
        return !a && !b;
    for (int i = 0; i < sk_X509_num(a); i++) {
        if (sk_X509_value(a, i) != sk_X509_value(b, i))
            return false;
    }
    return true;
}

static STACK_OF(X509) * hold(const STACK_OF(X509) * certs)
{
    return certs ? X509_chain_up_ref((STACK_OF(X509) *)(uintptr_t)certs) : NULL;
}

/* --- curl's sockets and timer as events ----------------------------------- */

static void job_end(struct job *j, CURLcode code);

static void collect(struct pool *p)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(p->multi, &left))) {
        struct job *j = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &j);
        job_end(j, code);
    }
}

static void on_socket(evutil_socket_t fd, short what, void *pool)
{
    struct pool *p = pool;
    int running, how = (what & EV_READ ? CURL_CSELECT_IN : 0) |
                       (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(p->multi, fd, how, &running);
    collect(p);
}

static void on_timeout(evutil_socket_t fd, short what, void *pool)
{
    struct pool *p = pool;
    int running;
    (void)fd;
    (void)what;
    curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(p);
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *pool,
                       void *event)
{
    struct pool *p = pool;
    short ev = (short)((what & CURL_POLL_IN ? EV_READ : 0) |
                       (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
    (void)easy;
    if (event)
        event_free(event);
    event = what == CURL_POLL_REMOVE
                ? NULL
                : event_new(p->all->base, fd, ev, on_socket, p);
    if (event)
        event_add(event, NULL);
    curl_multi_assign(p->multi, fd, event);
    return 0;
}

static int want_timer(CURLM *multi, long after_ms, void *pool)
{
    struct pool *p = pool;
    struct timeval in = {after_ms / 1000, after_ms % 1000 * 1000};
    (void)multi;
    if (after_ms < 0)
        event_del(p->timer);
    else
        event_add(p->timer, &in);
    return 0;
}

/* --- pools ---------------------------------------------------------------- */

static void pool_free(struct pool *p)
{
    if (p->multi)
        curl_multi_cleanup(p->multi);
    if (p->timer)
        event_free(p->timer);
    EVP_PKEY_free(p->key);
    idv_certs_free(p->chain);
    idv_certs_free(p->anchors);
    free(p);
}

static idv_rc pool_fill(struct pool *p, const struct idv_upstream *what)
{
    p->multi = curl_multi_init();
    p->timer = evtimer_new(p->all->base, on_timeout, p);
    p->chain = hold(what->chain);
    p->anchors = hold(what->anchors);
    if (!p->multi || !p->timer || (what->chain && !p->chain) ||
        (what->anchors && !p->anchors))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (what->key && EVP_PKEY_up_ref(what->key) == 1)
        p->key = what->key;
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
    curl_multi_setopt(p->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                      (long)MAX_HOST_CONNECTIONS);
    return IDV_OK;
}

static void drop_an_idle_pool(struct idvi_upstreams *u)
{
    struct pool *p, *oldest = NULL;
    LIST_FOREACH(p, &u->pools, link)
    {
        if (LIST_EMPTY(&p->jobs))
            oldest = p;
    }
    if (!oldest)
        return;
    LIST_REMOVE(oldest, link);
    u->pools_n--;
    pool_free(oldest);
}

static struct pool *pool_find(struct idvi_upstreams *u,
                              const struct idv_upstream *what)
{
    struct pool *p;
    LIST_FOREACH(p, &u->pools, link)
    {
        if (p->key == what->key && same_certs(p->chain, what->chain) &&
            same_certs(p->anchors, what->anchors))
            return p;
    }
    return NULL;
}

static idv_rc pool_get(struct idvi_upstreams *u,
                       const struct idv_upstream *what, struct pool **out)
{
    struct pool *p = pool_find(u, what);
    if (p) {
        LIST_REMOVE(p, link);
        LIST_INSERT_HEAD(&u->pools, p, link);
        *out = p;
        return IDV_OK;
    }
    if (u->pools_n >= MAX_POOLS)
        drop_an_idle_pool(u);
    p = calloc(1, sizeof(*p));
    if (!p)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    p->all = u;
    LIST_INIT(&p->jobs);
    idv_rc rc = pool_fill(p, what);
    if (rc != IDV_OK) {
        pool_free(p);
        return rc;
    }
    LIST_INSERT_HEAD(&u->pools, p, link);
    u->pools_n++;
    *out = p;
    return IDV_OK;
}

/* --- the server's certificate --------------------------------------------- */

static idv_rc trust(SSL_CTX *ctx, const STACK_OF(X509) * anchors)
{
    if (!anchors) {
        if (SSL_CTX_set_default_verify_paths(ctx) != 1)
            return idv_fail(IDV_E_CRYPTO, "TLS: the system's anchors");
        return IDV_OK;
    }
    IDV_AUTO_PTR(X509_STORE) store = X509_STORE_new();
    if (!store)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (int i = 0; i < sk_X509_num(anchors); i++) {
        if (X509_STORE_add_cert(store, sk_X509_value(anchors, i)) != 1)
            return idv_fail(IDV_E_CRYPTO, "TLS: anchors");
    }
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_cert_store(ctx, idv_steal(&store));
    return IDV_OK;
}

/* DNS-ID (RFC 6125), never the common name; or an address */
static idv_rc expect(SSL_CTX *ctx, const char *host, const struct idv_env *env)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
    uint8_t ip[16];
    bool literal = inet_pton(AF_INET, host, ip) == 1 || strchr(host, ':');
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    X509_VERIFY_PARAM_set_time(param, (time_t)idv_now(env));
    if ((literal ? X509_VERIFY_PARAM_set1_ip_asc(param, host)
                 : X509_VERIFY_PARAM_set1_host(param, host, 0)) != 1)
        return idv_fail(IDV_E_CRYPTO, "TLS: name %s", host);
    return IDV_OK;
}

/* how a connection ends; an address may be used again by the next one */
static void on_tls(const SSL *ssl, int where, int ret)
{
    struct pool *p = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if ((where & SSL_CB_HANDSHAKE_START) && p->goodbye == ssl)
        p->goodbye = NULL;
    if (where == SSL_CB_READ_ALERT && (ret & 0xff) == SSL_AD_CLOSE_NOTIFY)
        p->goodbye = ssl;
}

static idv_rc set_tls(struct job *j, SSL_CTX *ctx)
{
    SSL_CTX_set_app_data(ctx, j->pool);
    SSL_CTX_set_info_callback(ctx, on_tls);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    IDV_TRY(trust(ctx, j->pool->anchors));
    IDV_TRY(expect(ctx, j->host, j->pool->all->conf->env));
    return j->pool->key ? idvi_tls_identity(ctx, j->pool->key, j->pool->chain)
                        : IDV_OK;
}

static CURLcode on_ssl_ctx(CURL *easy, void *ctx, void *job)
{
    struct job *j = job;
    (void)easy;
    j->failed = set_tls(j, ctx);
    return j->failed == IDV_OK ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

/* --- jobs ----------------------------------------------------------------- */

static size_t on_header(char *p, size_t size, size_t n, void *job)
{
    struct job *j = job;
    struct curl_tlssessioninfo *tls = NULL;
    if (curl_easy_getinfo(j->easy, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK &&
        tls)
        j->ssl = tls->internals;
    j->failed = idvi_reply_header(&j->reply, idv_bytes(p, size * n));
    return j->failed == IDV_OK ? size * n : 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *job)
{
    struct job *j = job;
    j->failed = idvi_reply_body(&j->reply, idv_bytes(p, size * n));
    return j->failed == IDV_OK ? size * n : 0;
}

static void job_free(struct job *j)
{
    LIST_REMOVE(j, link);
    j->pool->all->jobs_n--;
    if (j->easy) {
        curl_multi_remove_handle(j->pool->multi, j->easy);
        curl_easy_cleanup(j->easy);
    }
    if (j->refuse)
        event_free(j->refuse);
    curl_slist_free_all(j->headers);
    idv_buf_free(&j->body);
    idvi_reply_free(&j->reply);
    free(j);
}

static void lost(struct idv_told *told, idv_rc rc)
{
    told->kind = IDV_TOLD_LOST;
    told->rc = rc;
    snprintf(told->note, sizeof(told->note), "%s", idv_note());
    idv_note_clear();
}

static void job_end(struct job *j, CURLcode code)
{
    struct idv_told told = {.kind = IDV_TOLD_REPLY};
    idvi_upstream_done *done = j->done;
    void *arg = j->arg;
    bool goodbye = j->ssl && j->ssl == j->pool->goodbye;
    idv_msg_init(&told.msg);
    if (j->failed != IDV_OK)
        lost(&told, idvi_http_refused(j->where, j->failed));
    else if (code != CURLE_OK || !idvi_reply_whole(&j->reply, goodbye))
        lost(&told, idvi_http_failed(j->where, j->easy, code, j->error));
    else
        idv_msg_move(&told.msg, &j->reply.msg);
    job_free(j);
    done(arg, &told);
}

/* Sent over a connection whose server was verified, to it alone: nothing is
 * followed elsewhere. Digest costs a round, and the password does not travel.
 */
static void job_login(struct job *j, const struct idv_upstream *what)
{
    if (!what->user || !what->password)
        return;
    curl_easy_setopt(j->easy, CURLOPT_HTTPAUTH,
                     what->digest ? (long)CURLAUTH_DIGEST
                                  : (long)CURLAUTH_BASIC);
    curl_easy_setopt(j->easy, CURLOPT_USERNAME, what->user);
    curl_easy_setopt(j->easy, CURLOPT_PASSWORD, what->password);
}

static idv_rc job_options(struct job *j, const struct idv_upstream *what)
{
    CURL *e = j->easy;
    IDV_AUTO(buf) url = {0};
    long limit = what->timeout_s > 0 ? what->timeout_s : 30;
    IDV_TRY(idvi_http_options(e));
    IDV_TRY(
        idvi_http_url(what->url.host, what->url.port, what->msg.path, &url));
    IDV_TRY(idvi_http_headers(what->url.host, what->url.port, &what->msg, false,
                              &j->headers));
    curl_easy_setopt(e, CURLOPT_URL, url.p);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, j->headers);
    idvi_http_method(e, &what->msg, &j->body);
    job_login(j, what);
    curl_easy_setopt(e, CURLOPT_PRIVATE, j);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT, limit);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, limit < 10 ? limit : 10L);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, j->error);
    curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
    curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, j);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, j);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, j);
    return IDV_OK;
}

static idv_rc job_go(struct job *j, struct idv_upstream *what)
{
    j->easy = curl_easy_init();
    if (!j->easy)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_buf_move(&j->body, &what->msg.body);
    IDV_TRY(job_options(j, what));
    if (curl_multi_add_handle(j->pool->multi, j->easy) != CURLM_OK)
        return idv_fail(IDV_E_NET, "%s: curl failed", j->where);
    return IDV_OK;
}

static void on_refused(evutil_socket_t fd, short what, void *job)
{
    struct job *j = job;
    (void)fd;
    (void)what;
    idv_fail(IDV_E_LIMIT, "too many requests in progress");
    j->failed = IDV_E_LIMIT;
    job_end(j, CURLE_OK);
}

/* too many: said later, as everything is */
static idv_rc job_refuse(struct job *j)
{
    struct timeval now = {0};
    j->refuse = evtimer_new(j->pool->all->base, on_refused, j);
    if (!j->refuse || event_add(j->refuse, &now) != 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return IDV_OK;
}

idv_rc idvi_upstream_start(struct idvi_upstreams *u, struct idv_upstream *what,
                           idvi_upstream_done *done, void *arg)
{
    struct pool *p = NULL;
    IDV_TRY(pool_get(u, what, &p));
    struct job *j = calloc(1, sizeof(*j));
    if (!j)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    j->pool = p;
    j->done = done;
    j->arg = arg;
    idvi_reply_init(&j->reply, u->conf->env);
    snprintf(j->host, sizeof(j->host), "%s", what->url.host);
    snprintf(j->where, sizeof(j->where), "upstream %s:%u", what->url.host,
             what->url.port);
    LIST_INSERT_HEAD(&p->jobs, j, link);
    bool full = u->jobs_n++ >= u->conf->max_upstream;
    idv_rc rc = full ? job_refuse(j) : job_go(j, what);
    if (rc != IDV_OK)
        job_free(j);
    return rc;
}

idv_rc idvi_upstreams_new(struct event_base *base,
                          const struct idv_server_conf *conf,
                          struct idvi_upstreams **out)
{
    struct idvi_upstreams *u = calloc(1, sizeof(*u));
    if (!u)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    u->base = base;
    u->conf = conf;
    LIST_INIT(&u->pools);
    *out = u;
    return IDV_OK;
}

void idvi_upstreams_free(struct idvi_upstreams *u)
{
    struct pool *p;
    struct job *j;
    if (!u)
        return;
    while ((p = LIST_FIRST(&u->pools))) {
        while ((j = LIST_FIRST(&p->jobs)))
            job_free(j);
        LIST_REMOVE(p, link);
        pool_free(p);
    }
    free(u);
}
