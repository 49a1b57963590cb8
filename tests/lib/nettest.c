/* SPDX-License-Identifier: Apache-2.0 */
/* Servers and clients for tests, ours and hostile ones. */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>

#include <idevid/auto.h>

#include "tests/lib/nettest.h"

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "nettest: %s failed\n", what);
    abort();
}

/* --- a server of ours --------------------------------------------------- */

static idv_rc make(void *arg, struct idv_server_worker *w)
{
    struct nt_server *s = arg;
    w->key = s->id->key;
    w->chain = s->chain;
    w->service = s->service;
    w->admin = s->admin;
    w->turned_away = s->turned_away;
    w->device_failed = s->device_failed;
    w->public = s->public;
    w->tick = s->tick;
    w->tick_ms = s->tick_ms;
    w->commit = s->commit;
    w->gather = s->gather;
    w->hosts = s->hosts;
    w->hosts_n = s->hosts_n;
    w->names = s->names;
    w->names_only = s->names_only;
    w->self = s->service.self;
    return IDV_OK;
}

static void ready(void *arg, const struct idv_server_bound *bound, size_t n)
{
    struct nt_server *s = arg;
    must(n >= 1, "listening");
    s->port = bound[0].port;
    if (bound[n - 1].front)
        s->front_port = bound[n - 1].port;
    for (size_t i = 0; i < n; i++) {
        if (bound[i].public)
            s->public_port = bound[i].port;
    }
    must(write(s->news[1], "", 1) == 1, "write");
}

static void *run(void *arg)
{
    struct nt_server *s = arg;
    s->rc = idv_server_run(&s->conf);
    snprintf(s->note, sizeof(s->note), "%s", idv_note());
    close(s->news[1]);
    return NULL;
}

void nt_server_start(struct nt_server *s, struct pki *p,
                     const struct idv_service *service)
{
    static const char *const anywhere[] = {"127.0.0.1:0", NULL};
    char c;
    s->pki = p;
    s->service = *service;
    if (!s->id) {
        s->id = &p->registrar;
        s->chain = p->tls_chain;
    }
    must(pipe(s->stop) == 0 && pipe(s->news) == 0, "pipe");
    s->conf.name = "server";
    s->conf.env = &p->env.env;
    if (!s->conf.listen)
        s->conf.listen = anywhere;
    s->conf.ask_client_cert = true;
    s->conf.in_process = true;
    s->conf.stop_fd = s->stop[0];
    s->conf.make = make;
    s->conf.ready = ready;
    s->conf.arg = s;
    must(pthread_create(&s->thread, NULL, run, s) == 0, "thread");
    if (read(s->news[0], &c, 1) != 1)
        s->port = 0; /* did not start: rc, note after the join */
}

void nt_server_stop(struct nt_server *s)
{
    close(s->stop[1]);
    pthread_join(s->thread, NULL);
    close(s->stop[0]);
    close(s->news[0]);
}

/* --- TLS of both hostile ends ------------------------------------------- */

static int any(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static SSL_CTX *context(const SSL_METHOD *method, const struct pki_id *id,
                        const STACK_OF(X509) * chain)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    must(ctx != NULL, "SSL_CTX");
    SSL_CTX_set_cert_verify_callback(ctx, any, NULL);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY);
    if (!id)
        return ctx;
    must(SSL_CTX_use_certificate(ctx, id->cert) == 1 &&
             SSL_CTX_use_PrivateKey(ctx, id->key) == 1,
         "identity");
    for (int i = 1; i < sk_X509_num(chain); i++)
        must(SSL_CTX_add1_chain_cert(ctx, sk_X509_value(chain, i)) == 1,
             "chain");
    return ctx;
}

static void limit(int fd)
{
    struct timeval tv = {.tv_sec = NT_LIMIT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* the first bytes of in up to the end of a header; 0 when not there yet */
static size_t header_end(const struct idv_buf *in)
{
    for (size_t i = 4; i <= in->n; i++) {
        if (memcmp(in->p + i - 4, "\r\n\r\n", 4) == 0)
            return i;
    }
    return 0;
}

/* what message at the start of in has in all; 0 when that is not known yet */
static size_t message_end(const struct idv_buf *in, bool head)
{
    size_t n = header_end(in);
    if (!n || head)
        return n;
    IDV_AUTO_PTR(idv_char) text = strndup((char *)in->p, n);
    char *length = strcasestr(text, "\r\nContent-Length:");
    if (strcasestr(text, "\r\nTransfer-Encoding: chunked")) {
        char *end = memmem(in->p + n - 2, in->n - n + 2, "\r\n0\r\n\r\n", 7);
        return end ? (size_t)(end - (char *)in->p) + 7 : 0;
    }
    n += length ? (size_t)atol(length + 17) : 0;
    return n <= in->n ? n : 0;
}

static int some(SSL *ssl, int fd, char *part, size_t room)
{
    if (!ssl)
        return (int)read(fd, part, room);
    ERR_clear_error();
    return SSL_read(ssl, part, (int)room);
}

/* reads until a whole message is there; its length, 0 at the end; ssl NULL:
 * plain */
static size_t read_message(SSL *ssl, int fd, struct idv_buf *in, bool head)
{
    char part[4096];
    for (size_t n;;) {
        if ((n = message_end(in, head)))
            return n;
        int got = some(ssl, fd, part, sizeof(part));
        if (got <= 0)
            return 0;
        must(idv_buf_put(in, idv_bytes(part, (size_t)got)) == IDV_OK, "room");
    }
}

static void used(struct idv_buf *in, size_t n)
{
    memmove(in->p, in->p + n, in->n - n);
    in->n -= n;
}

/* --- the scripted server ------------------------------------------------ */

struct conversation {
    struct nt_raw *raw;
    int fd;
    SSL *ssl;
    struct idv_buf in;
};

static void leave(struct conversation *k, bool politely)
{
    if (k->ssl && politely)
        SSL_shutdown(k->ssl);
    SSL_free(k->ssl);
    k->ssl = NULL;
    if (k->fd >= 0)
        close(k->fd);
    k->fd = -1;
    idv_buf_free(&k->in);
}

static void learn(struct conversation *k)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    struct nt_raw *r = k->raw;
    X509 *leaf = SSL_get1_peer_certificate(k->ssl);
    if (SSL_version(k->ssl) == TLS1_2_VERSION)
        SSL_get_peer_finished(k->ssl, r->binding, sizeof(r->binding));
    else
        SSL_export_keying_material(k->ssl, r->binding, 32, label,
                                   sizeof(label) - 1, (const uint8_t *)"", 0,
                                   1);
    const char *sni = SSL_get_servername(k->ssl, TLSEXT_NAMETYPE_host_name);
    snprintf(r->sni, sizeof(r->sni), "%s", sni ? sni : "");
    idv_certs_free(r->shown);
    r->shown = NULL;
    if (!leaf)
        return;
    r->shown = X509_chain_up_ref(SSL_get_peer_cert_chain(k->ssl));
    if (!r->shown)
        r->shown = sk_X509_new_null();
    sk_X509_unshift(r->shown, leaf);
}

static bool accept_one(struct conversation *k, bool handshake)
{
    struct pollfd p = {k->raw->listener, POLLIN, 0};
    leave(k, true);
    if (poll(&p, 1, NT_LIMIT_S * 1000) <= 0)
        return false;
    k->fd = accept(k->raw->listener, NULL, NULL);
    if (k->fd < 0)
        return false;
    limit(k->fd);
    k->raw->accepted++;
    if (!handshake)
        return true;
    k->ssl = SSL_new(k->raw->ctx);
    SSL_set_fd(k->ssl, k->fd);
    if (SSL_accept(k->ssl) != 1)
        return false;
    learn(k);
    return true;
}

static bool hear_request(struct conversation *k)
{
    size_t n = read_message(k->ssl, k->fd, &k->in, false);
    if (!n)
        return false;
    must(idv_buf_put(&k->raw->heard, idv_bytes(k->in.p, n)) == IDV_OK, "room");
    used(&k->in, n);
    return true;
}

static bool send_times(struct conversation *k, const char *text, int times)
{
    for (int i = 0; i < times; i++) {
        if (SSL_write(k->ssl, text, (int)strlen(text)) <= 0)
            return false;
    }
    return true;
}

static bool send_split(struct conversation *k, const char *text)
{
    for (; *text; text++) {
        if (SSL_write(k->ssl, text, 1) <= 0)
            return false;
    }
    return true;
}

static void drain_fd(struct conversation *k)
{
    char part[4096];
    if (k->ssl) {
        int n;
        while ((n = SSL_read(k->ssl, part, sizeof(part))) > 0)
            must(idv_buf_put(&k->raw->heard, idv_bytes(part, (size_t)n)) ==
                     IDV_OK,
                 "room");
    } else {
        while (k->fd >= 0 && read(k->fd, part, sizeof(part)) > 0)
            ;
    }
}

static void handshake_again(struct conversation *k)
{
    char c;
    SSL_renegotiate(k->ssl);
    SSL_do_handshake(k->ssl); /* asks for it */
    SSL_read(k->ssl, &c, 1);
    k->raw->again = !SSL_renegotiate_pending(k->ssl);
    ERR_clear_error();
}

static bool obey(struct conversation *k, const struct nt_step *s)
{
    char c;
    switch (s->what) {
    case NT_ACCEPT:
        return accept_one(k, true);
    case NT_SILENT:
        if (!accept_one(k, false))
            return false;
        drain_fd(k);
        return true;
    case NT_READ:
        return hear_request(k);
    case NT_SEND:
        return send_times(k, s->text, 1);
    case NT_SPLIT:
        return send_split(k, s->text);
    case NT_FILL: /* as much as the client takes */
        send_times(k, s->text, s->count);
        ERR_clear_error();
        return true;
    case NT_FLAG:
        if (k->raw->flag)
            __atomic_store_n(k->raw->flag, 1, __ATOMIC_RELAXED);
        if (k->raw->sent)
            *k->raw->sent = true;
        return k->raw->tell_fd <= 0 || write(k->raw->tell_fd, "", 1) == 1;
    case NT_GATE:
        return read(k->raw->gate_fd, &c, 1) == 1;
    case NT_PASS:
        return true;
    case NT_LEAVE:
        close(k->raw->listener);
        k->raw->listener = -1;
        return true;
    case NT_AGAIN:
        handshake_again(k);
        return true;
    case NT_HANG:
        drain_fd(k);
        return true;
    default:
        leave(k, s->what == NT_BYE);
        return true;
    }
}

static void *play(void *arg)
{
    struct nt_raw *r = arg;
    struct conversation k = {.raw = r, .fd = -1};
    const struct nt_step *s = r->step;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    while (s->what != NT_END && obey(&k, s))
        s++;
    leave(&k, true);
    return NULL;
}

static int listener(uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
             listen(fd, 8) == 0 &&
             getsockname(fd, (struct sockaddr *)&a, &n) == 0,
         "listen");
    *port = ntohs(a.sin_port);
    return fd;
}

/* only called for who asked; libssl frees what it is given */
static int staple(SSL *ssl, void *raw)
{
    struct nt_raw *r = raw;
    __atomic_store_n(&r->asked, true, __ATOMIC_RELAXED);
    uint8_t *copy =
        r->staple.n ? OPENSSL_memdup(r->staple.p, r->staple.n) : NULL;
    if (!copy)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)r->staple.n);
    return SSL_TLSEXT_ERR_OK;
}

void nt_raw_start(struct nt_raw *r, const struct pki_id *id,
                  const STACK_OF(X509) * chain, const struct nt_step *steps)
{
    r->ctx = context(TLS_server_method(), id, chain);
    if (r->max_version)
        SSL_CTX_set_max_proto_version(r->ctx, r->max_version);
    if (r->weak)
        must(SSL_CTX_set_cipher_list(r->ctx, "DEFAULT:@SECLEVEL=0") == 1,
             "ciphers");
    if (r->no_ems)
        SSL_CTX_set_options(r->ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    if (r->quiet)
        SSL_CTX_set_num_tickets(r->ctx, 0);
    SSL_CTX_set_tlsext_status_cb(r->ctx, staple);
    SSL_CTX_set_tlsext_status_arg(r->ctx, r);
    r->step = steps;
    r->listener = listener(&r->port);
    must(pthread_create(&r->thread, NULL, play, r) == 0, "thread");
}

void nt_raw_stop(struct nt_raw *r)
{
    pthread_join(r->thread, NULL);
    if (r->listener >= 0)
        close(r->listener);
}

void nt_raw_free(struct nt_raw *r)
{
    SSL_CTX_free(r->ctx);
    idv_certs_free(r->shown);
    idv_buf_free(&r->heard);
    memset(r, 0, sizeof(*r));
}

/* --- the raw client ----------------------------------------------------- */

bool nt_tcp(struct nt_client *c, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;
    memset(c, 0, sizeof(*c));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(c->fd >= 0, "socket");
    limit(c->fd);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return connect(c->fd, (struct sockaddr *)&a, sizeof(a)) == 0;
}

bool nt_unix(struct nt_client *c, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memset(c, 0, sizeof(*c));
    must(strlen(path) < sizeof(a.sun_path), "path");
    strcpy(a.sun_path, path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(c->fd >= 0, "socket");
    limit(c->fd);
    return connect(c->fd, (struct sockaddr *)&a, sizeof(a)) == 0;
}

bool nt_handshake(struct nt_client *c, const struct pki_id *id)
{
    c->ctx = context(TLS_client_method(), id, NULL);
    c->ssl = SSL_new(c->ctx);
    SSL_set_fd(c->ssl, c->fd);
    if (c->sni)
        SSL_set_tlsext_host_name(c->ssl, c->sni);
    ERR_clear_error();
    return SSL_connect(c->ssl) == 1;
}

bool nt_connect(struct nt_client *c, uint16_t port, const struct pki_id *id)
{
    return nt_tcp(c, port) && nt_handshake(c, id);
}

bool nt_connect_to(struct nt_client *c, uint16_t port, const char *sni)
{
    bool there = nt_tcp(c, port);
    c->sni = sni;
    return there && nt_handshake(c, NULL);
}

bool nt_say(struct nt_client *c, const char *text)
{
    const size_t n = strlen(text);
    if (!c->ssl)
        return send(c->fd, text, n, MSG_NOSIGNAL) == (ssize_t)n;
    return SSL_write(c->ssl, text, (int)n) == (int)n;
}

int nt_hear(struct nt_client *c, struct idv_buf *reply, bool head)
{
    size_t n = read_message(c->ssl, c->fd, &c->in, head);
    if (n < 12)
        return 0;
    int status = atoi((char *)c->in.p + 9);
    if (reply) {
        idv_buf_clear(reply);
        must(idv_buf_put(reply, idv_bytes(c->in.p, n)) == IDV_OK, "room");
    }
    used(&c->in, n);
    return status;
}

bool nt_ended(struct nt_client *c)
{
    char part[4096];
    int n;
    ERR_clear_error();
    while ((n = SSL_read(c->ssl, part, sizeof(part))) > 0)
        ;
    return SSL_get_error(c->ssl, n) == SSL_ERROR_ZERO_RETURN;
}

void nt_close(struct nt_client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    idv_buf_free(&c->in);
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->ssl = NULL;
    c->ctx = NULL;
}

int nt_get(uint16_t port, const char *path)
{
    struct nt_client c;
    char text[512];
    snprintf(text, sizeof(text),
             "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    int status = nt_connect(&c, port, NULL) && nt_say(&c, text)
                     ? nt_hear(&c, NULL, false)
                     : 0;
    nt_close(&c);
    return status;
}

/* --- the machine -------------------------------------------------------- */

void nt_machine_init(struct nt_machine *m, uint16_t port)
{
    memset(m, 0, sizeof(*m));
    strcpy(m->connect.host, "127.0.0.1");
    m->connect.port = port;
    idv_msg_init(&m->connect.first);
    for (size_t i = 0; i < NT_MOVES; i++)
        idv_msg_init(&m->reply[i]);
}

void nt_machine_add(struct nt_machine *m, enum idv_verb verb, const char *path,
                    const char *body)
{
    must(m->n < NT_MOVES, "moves");
    m->move[m->n++] = (struct nt_move){verb, path, body};
}

static void message(const struct nt_move *v, struct idv_msg *m, bool body)
{
    idv_msg_init(m);
    m->verb = v->verb;
    strcpy(m->path, v->path);
    strcpy(m->accept, "text/plain");
    if (v->verb == IDV_POST)
        strcpy(m->media, "text/plain");
    if (body && v->body)
        must(idv_buf_puts(&m->body, v->body) == IDV_OK, "body");
}

static void exchange_or_done(struct nt_machine *m, struct idv_ask *ask)
{
    ask->kind = IDV_ASK_DONE;
    if (m->at == m->n)
        return;
    ask->kind = IDV_ASK_EXCHANGE;
    message(&m->move[m->at], &ask->msg, true);
}

static idv_rc step(void *self, struct idv_told *told, struct idv_ask *ask)
{
    struct nt_machine *m = self;
    switch (told->kind) {
    case IDV_TOLD_START:
        ask->kind = IDV_ASK_CONNECT;
        ask->connect = m->connect;
        message(&m->move[0], &ask->connect.first, false);
        break;
    case IDV_TOLD_CONNECTED:
        idv_peer_free(&m->peer);
        m->peer = told->peer;
        told->peer.chain = NULL;
        told->peer.staple = (struct idv_buf){0};
        ask->kind = IDV_ASK_DONE;
        if (!m->refuse)
            exchange_or_done(m, ask);
        break;
    case IDV_TOLD_REPLY:
        idv_msg_move(&m->reply[m->at++], &told->msg);
        exchange_or_done(m, ask);
        break;
    default:
        m->lost = ask->rc = told->rc;
        strcpy(m->note, told->note);
        strcpy(ask->note, told->note);
        ask->kind = IDV_ASK_DONE;
    }
    return IDV_OK;
}

struct idv_machine nt_machine(struct nt_machine *m)
{
    return (struct idv_machine){step, m};
}

void nt_machine_free(struct nt_machine *m)
{
    idv_peer_free(&m->peer);
    for (size_t i = 0; i < NT_MOVES; i++)
        idv_msg_free(&m->reply[i]);
}
