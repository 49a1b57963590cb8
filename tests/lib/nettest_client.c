/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of both hostile ends, and the one that connects. */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>

#include <idevid/auto.h>

#include "tests/lib/nettest_int.h"

/* --- TLS of both hostile ends ------------------------------------------- */

static int any(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

SSL_CTX *nt_context(const SSL_METHOD *method, const struct pki_id *id,
                    const STACK_OF(X509) * chain)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    nt_must(ctx != NULL, "SSL_CTX");
    SSL_CTX_set_cert_verify_callback(ctx, any, NULL);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY);
    if (!id)
        return ctx;
    nt_must(SSL_CTX_use_certificate(ctx, id->cert) == 1 &&
                SSL_CTX_use_PrivateKey(ctx, id->key) == 1,
            "identity");
    for (int i = 1; i < sk_X509_num(chain); i++)
        nt_must(SSL_CTX_add1_chain_cert(ctx, sk_X509_value(chain, i)) == 1,
                "chain");
    return ctx;
}

void nt_limit(int fd)
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

size_t nt_read_message(SSL *ssl, int fd, struct idv_buf *in, bool head)
{
    char part[4096];
    for (size_t n;;) {
        if ((n = message_end(in, head)))
            return n;
        int got = some(ssl, fd, part, sizeof(part));
        if (got <= 0)
            return 0;
        nt_must(idv_buf_put(in, idv_bytes(part, (size_t)got)) == IDV_OK,
                "room");
    }
}

void nt_used(struct idv_buf *in, size_t n)
{
    memmove(in->p, in->p + n, in->n - n);
    in->n -= n;
}

/* --- the raw client ----------------------------------------------------- */

bool nt_tcp(struct nt_client *c, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;
    memset(c, 0, sizeof(*c));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    nt_must(c->fd >= 0, "socket");
    nt_limit(c->fd);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return connect(c->fd, (struct sockaddr *)&a, sizeof(a)) == 0;
}

bool nt_unix(struct nt_client *c, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memset(c, 0, sizeof(*c));
    nt_must(strlen(path) < sizeof(a.sun_path), "path");
    strcpy(a.sun_path, path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    nt_must(c->fd >= 0, "socket");
    nt_limit(c->fd);
    return connect(c->fd, (struct sockaddr *)&a, sizeof(a)) == 0;
}

bool nt_handshake(struct nt_client *c, const struct pki_id *id)
{
    c->ctx = nt_context(TLS_client_method(), id, NULL);
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
    size_t n = nt_read_message(c->ssl, c->fd, &c->in, head);
    if (n < 12)
        return 0;
    int status = atoi((char *)c->in.p + 9);
    if (reply) {
        idv_buf_clear(reply);
        nt_must(idv_buf_put(reply, idv_bytes(c->in.p, n)) == IDV_OK, "room");
    }
    nt_used(&c->in, n);
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
