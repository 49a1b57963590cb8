/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS server that does as its script says. */
#include "config.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include <idevid/auto.h>

#include "tests/lib/nettest_int.h"

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
    nt_limit(k->fd);
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
    size_t n = nt_read_message(k->ssl, k->fd, &k->in, false);
    if (!n)
        return false;
    nt_must(idv_buf_put(&k->raw->heard, idv_bytes(k->in.p, n)) == IDV_OK,
            "room");
    nt_used(&k->in, n);
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
            nt_must(idv_buf_put(&k->raw->heard, idv_bytes(part, (size_t)n)) ==
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
    nt_must(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
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
    r->ctx = nt_context(TLS_server_method(), id, chain);
    if (r->max_version)
        SSL_CTX_set_max_proto_version(r->ctx, r->max_version);
    if (r->weak)
        nt_must(SSL_CTX_set_cipher_list(r->ctx, "DEFAULT:@SECLEVEL=0") == 1,
                "ciphers");
    if (r->no_ems)
        SSL_CTX_set_options(r->ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    if (r->quiet)
        SSL_CTX_set_num_tickets(r->ctx, 0);
    SSL_CTX_set_tlsext_status_cb(r->ctx, staple);
    SSL_CTX_set_tlsext_status_arg(r->ctx, r);
    r->step = steps;
    r->listener = listener(&r->port);
    nt_must(pthread_create(&r->thread, NULL, play, r) == 0, "thread");
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
