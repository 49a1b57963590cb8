/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS connection of the server: its deadlines, counts and peer. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <openssl/err.h>

#include <idevid/x509.h>

#include "net/server_int.h"
#include "net/tls.h"

static int conn_index = -1;
static CRYPTO_ONCE index_once = CRYPTO_ONCE_STATIC_INIT;

void idvi_conn_unref(struct idvi_conn *c)
{
    if (--c->refs)
        return;
    idv_peer_free(&c->peer);
    free(c);
}

/* the SSL is freed: the connection is closed */
static void closed(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx,
                   long argl, void *argp)
{
    struct idvi_conn *c = ptr;
    (void)parent;
    (void)ad;
    (void)idx;
    (void)argl;
    (void)argp;
    if (!c)
        return;
    struct idvi_worker *w = c->worker;
    if (c->linger >= 0)
        idvi_linger(w, c->linger);
    c->linger = -1;
    c->ssl = NULL;
    c->bev = NULL;
    event_free(c->timer);
    c->timer = NULL;
    if (c->phase != IDVI_SPARE) {
        LIST_REMOVE(c, link);
        w->live--;
        if (c->checked)
            idvi_board_remove(w->conf->board, w->row, c->origin);
        idvi_worker_gate(w);
    }
    idvi_conn_unref(c);
}

static void make_index(void)
{
    conn_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, closed);
}

static void arm(struct idvi_conn *c, int seconds)
{
    c->armed = true;
    struct timeval in = {.tv_sec = seconds};
    event_add(c->timer, &in);
}

/* never frees: evhttp does when it sees the end of the socket */
static void cut(struct idvi_conn *c)
{
    int fd = SSL_get_fd(c->ssl);
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
}

void idvi_conn_shut(struct idvi_conn *c)
{
    if (SSL_is_init_finished(c->ssl))
        SSL_shutdown(c->ssl);
    ERR_clear_error();
    cut(c);
}

static bool has_unread(const struct idvi_conn *c)
{
    char byte;
    return recv(SSL_get_fd(c->ssl), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* (what has come and was not read yet ends idleness, and is answered) */
void idvi_conn_dismiss(struct idvi_conn *c)
{
    if (c->phase == IDVI_IDLE && !has_unread(c))
        idvi_conn_shut(c);
}

static void learn_address(struct idvi_conn *c)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof(a);
    int fd = SSL_get_fd(c->ssl);
    memset(&a, 0, sizeof(a));
    if (fd < 0 || getpeername(fd, (struct sockaddr *)&a, &n) != 0 ||
        getnameinfo((struct sockaddr *)&a, n, c->peer.address,
                    sizeof(c->peer.address), NULL, 0, NI_NUMERICHOST) != 0)
        strcpy(c->peer.address, "?");
    c->origin = idvi_board_origin((struct sockaddr *)&a);
}

/* once its socket is known: is there room for one more of its address? */
static bool admit(struct idvi_conn *c)
{
    struct idvi_worker *w = c->worker;
    if (c->checked)
        return !c->over;
    c->checked = true;
    learn_address(c);
    c->over = idvi_board_add(w->conf->board, w->row, c->origin) >
                  w->conf->max_per_address &&
              !idvi_shed(w, &c->origin, c);
    if (c->over)
        idv_log(w->conf->env, idvi_worker_warns(w), "address-limit", "peer=%s",
                c->peer.address);
    return !c->over;
}

struct idvi_conn *idvi_conn_of_tls(const SSL *ssl)
{
    return ssl ? SSL_get_ex_data(ssl, conn_index) : NULL;
}

int idvi_conn_hello(SSL *ssl, int *alert, void *arg)
{
    struct idvi_conn *c = idvi_conn_of_tls(ssl);
    (void)arg;
    *alert = SSL_AD_USER_CANCELLED;
    return c && admit(c) ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

/* what hwkey says is first in the queue */
void idvi_conn_info(const SSL *ssl, int where, int alert)
{
    const unsigned long e = ERR_peek_error();
    const char *lib = ERR_lib_error_string(e);
    if (where != SSL_CB_WRITE_ALERT || (alert & 0xff) != SSL_AD_INTERNAL_ERROR)
        return;
    struct idvi_conn *c = SSL_get_ex_data(ssl, conn_index);
    if (!c || !lib || strcmp(lib, "hwkey") != 0)
        return;
    c->worker->device_failed = true;
    idv_log(c->worker->conf->env, idvi_worker_warns(c->worker), "key-failed",
            "peer=%s reason=%s", c->peer.address,
            idv_log_value(ERR_reason_error_string(e)));
}

/* first at once, when evhttp has given the socket; then at the deadline */
static void on_timer(evutil_socket_t fd, short what, void *conn)
{
    struct idvi_conn *c = conn;
    (void)fd;
    (void)what;
    if (!c->armed) {
        c->armed = true;
        if (!admit(c))
            cut(c);
        else if (c->phase == IDVI_READING)
            arm(c, c->worker->conf->request_s);
        return;
    }
    idv_log(c->worker->conf->env, IDV_LOG_DEBUG, "deadline", "peer=%s phase=%d",
            c->peer.address, c->phase);
    if (c->phase == IDVI_IDLE)
        idvi_conn_shut(c);
    else
        cut(c);
}

/* the first byte of a further request ends idleness */
static void on_input(struct evbuffer *in, const struct evbuffer_cb_info *info,
                     void *conn)
{
    struct idvi_conn *c = conn;
    (void)in;
    if (info->n_added && c->phase == IDVI_IDLE) {
        c->phase = IDVI_READING;
        arm(c, c->worker->conf->request_s);
    }
}

/* keeps the socket when evhttp closes it */
static void keep_socket(struct idvi_conn *c)
{
    int fd = SSL_get_fd(c->ssl);
    if (c->linger < 0 && fd >= 0)
        c->linger = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void idvi_conn_turned_away(struct idvi_conn *c)
{
    const struct idv_server_worker *made = &c->worker->made;
    if (c->turned_away || !made->turned_away)
        return;
    c->turned_away = true;
    if (idvi_conn_peer(c) != IDV_OK)
        idv_note_clear();
    made->turned_away(made->service.self, &c->peer);
}

/* evhttp refuses by itself, with a request that is not read to its end */
static void on_output(struct evbuffer *out, const struct evbuffer_cb_info *info,
                      void *conn)
{
    struct idvi_conn *c = conn;
    (void)out;
    if (!info->n_added || c->phase != IDVI_READING)
        return;
    keep_socket(c);
    idvi_conn_turned_away(c);
}

uint64_t idvi_conn_number(void)
{
    static uint64_t connections;
    return __atomic_add_fetch(&connections, 1, __ATOMIC_RELAXED);
}

static struct idvi_conn *new_conn(struct idvi_worker *w, SSL *ssl)
{
    struct idvi_conn *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->worker = w;
    c->refs = 1;
    c->linger = -1;
    c->peer.connection = idvi_conn_number();
    c->timer = evtimer_new(w->base, on_timer, c);
    if (!c->timer || SSL_set_ex_data(ssl, conn_index, c) != 1) {
        if (c->timer)
            event_free(c->timer);
        free(c);
        return NULL;
    }
    c->ssl = ssl;
    return c;
}

struct bufferevent *idvi_conn_spare(struct idvi_worker *w)
{
    CRYPTO_THREAD_run_once(&index_once, make_index);
    SSL *ssl = SSL_new(w->tls);
    struct idvi_conn *c = ssl && conn_index >= 0 ? new_conn(w, ssl) : NULL;
    if (!c) {
        SSL_free(ssl);
        return NULL;
    }
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        w->base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (!bev) {
        SSL_free(ssl);
        return NULL;
    }
    c->bev = bev;
    if (!evbuffer_add_cb(bufferevent_get_input(bev), on_input, c) ||
        !evbuffer_add_cb(bufferevent_get_output(bev), on_output, c)) {
        bufferevent_free(bev);
        return NULL;
    }
    return bev;
}

struct bufferevent *idvi_conn_accept(struct event_base *base, void *worker)
{
    struct idvi_worker *w = worker;
    struct bufferevent *bev = w->spare;
    struct timeval now = {0};
    (void)base;
    struct idvi_conn *c = idvi_conn_of_tls(bufferevent_openssl_get_ssl(bev));
    c->phase = IDVI_READING;
    c->began = idv_ticks_ms();
    LIST_INSERT_HEAD(&w->conns, c, link);
    w->live++;
    event_add(c->timer, &now);
    w->spare = idvi_conn_spare(w);
    if (w->live > w->conf->max_connections)
        (void)idvi_shed(w, NULL, c);
    idvi_worker_gate(w);
    return bev;
}

struct idvi_conn *idvi_conn_of(struct evhttp_connection *c)
{
    struct bufferevent *bev = c ? evhttp_connection_get_bufferevent(c) : NULL;
    return idvi_conn_of_tls(bev ? bufferevent_openssl_get_ssl(bev) : NULL);
}

void idvi_conn_serving(struct idvi_conn *c)
{
    c->phase = IDVI_SERVING;
    event_del(c->timer);
    if (c->worker->live >= c->worker->conf->max_connections)
        idvi_worker_gate(c->worker); /* it does not give way now */
}

void idvi_conn_replying(struct idvi_conn *c)
{
    if (c->ssl)
        arm(c, c->worker->conf->request_s);
}

void idvi_conn_replied(struct idvi_conn *c, bool last)
{
    if (!c->ssl)
        return;
    if (last) {
        keep_socket(c);
        SSL_shutdown(c->ssl); /* evhttp closes without saying so */
        ERR_clear_error();
        return;
    }
    bool more = evbuffer_get_length(bufferevent_get_input(c->bev)) > 0;
    c->phase = more ? IDVI_READING : IDVI_IDLE;
    arm(c, more ? c->worker->conf->request_s : c->worker->conf->idle_s);
    if (c->worker->draining) /* since the reply was made */
        idvi_conn_dismiss(c);
    if (c->worker->live >= c->worker->conf->max_connections)
        idvi_worker_gate(c->worker); /* it can give way now */
}

idv_rc idvi_conn_peer(struct idvi_conn *c)
{
    IDV_AUTO_PTR(idv_certs) chain = NULL;
    if (c->known)
        return IDV_OK;
    IDV_AUTO_PTR(X509) leaf = SSL_get1_peer_certificate(c->ssl);
    if (leaf) {
        chain = sk_X509_new_null();
        if (!chain)
            return idv_fail(IDV_E_NOMEM, "out of memory");
        IDV_TRY(idvi_chain_add(chain, leaf));
        IDV_TRY(idvi_chain_add_all(chain, SSL_get_peer_cert_chain(c->ssl)));
        idv_certs_share(chain); /* what is sent as well shows them again */
    }
    idvi_tls_binding(c->ssl, &c->peer);
    c->peer.chain = idv_steal(&chain);
    c->known = true;
    return IDV_OK;
}
