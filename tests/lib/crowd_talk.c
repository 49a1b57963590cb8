/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of a device: TLS, a request, its reply. */
#include "config.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <idevid/auto.h>

#include "tests/lib/crowd.h"

#define LIMIT_S 60 /* something hangs */

SSL_CTX *crowd_ctx(const struct crowd *c, const struct crowd_device *d)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        crowd_die("TLS");
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (d && (SSL_CTX_use_certificate(ctx, d->cert) != 1 ||
              SSL_CTX_use_PrivateKey(ctx, d->key) != 1 ||
              SSL_CTX_add1_chain_cert(ctx, d->ca ? d->ca : c->maker_ca) != 1))
        crowd_die("TLS identity");
    return ctx;
}

static bool fail(struct crowd_conn *conn, const char *why)
{
    conn->why = why;
    return false;
}

bool crowd_tcp(const struct crowd *c, struct crowd_conn *conn)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *a = NULL;
    struct timeval limit = {.tv_sec = LIMIT_S};
    static atomic_uint turn;
    const struct crowd_at *at = &c->at[turn++ % c->at_n];
    int one = 1;
    *conn = (struct crowd_conn){.fd = -1};
    if (getaddrinfo(at->host, at->port, &hints, &a) != 0)
        return fail(conn, "name");
    conn->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(conn->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    int rc = connect(conn->fd, a->ai_addr, a->ai_addrlen);
    freeaddrinfo(a);
    if (rc == 0)
        return true;
    crowd_close(conn);
    return fail(conn, "connect");
}

bool crowd_connect(const struct crowd *c, SSL_CTX *ctx, struct crowd_conn *conn)
{
    if (!crowd_tcp(c, conn))
        return false;
    conn->ssl = SSL_new(ctx);
    if (conn->ssl && SSL_set_fd(conn->ssl, conn->fd) == 1 &&
        SSL_connect(conn->ssl) == 1)
        return true;
    crowd_close(conn);
    return fail(conn, "handshake");
}

void crowd_close(struct crowd_conn *conn)
{
    if (conn->ssl) {
        SSL_shutdown(conn->ssl);
        SSL_free(conn->ssl);
    }
    if (conn->fd >= 0)
        close(conn->fd);
    conn->ssl = NULL;
    conn->fd = -1;
}

/* header and body, by its length; 0: cut */
static int hear(struct crowd_conn *conn, struct idv_buf *reply)
{
    char text[8192];
    size_t n = 0, length = 0;
    char *end = NULL;
    while (!end) {
        int got = SSL_read(conn->ssl, text + n, (int)(sizeof(text) - 1 - n));
        if (got <= 0)
            return 0;
        n += (size_t)got;
        text[n] = 0;
        end = strstr(text, "\r\n\r\n");
    }
    const char *header = strcasestr(text, "\r\nContent-Length:");
    if (header && header < end)
        length = strtoul(header + 17, NULL, 10);
    size_t head = (size_t)(end + 4 - text);
    int status = atoi(text + 9); /* "HTTP/1.1 " */
    idv_buf_clear(reply);
    crowd_must(idv_buf_put(reply, idv_bytes(text + head, n - head)), "reply");
    while (reply->n < length) {
        int got = SSL_read(conn->ssl, text, (int)sizeof(text));
        if (got <= 0)
            return 0;
        crowd_must(idv_buf_put(reply, idv_bytes(text, (size_t)got)), "reply");
    }
    return status;
}

int crowd_post(struct crowd_conn *conn, const char *path, const char *media,
               struct idv_bytes body, bool close, struct idv_buf *reply)
{
    IDV_AUTO(buf) text = {0};
    crowd_must(idv_buf_putf(&text,
                            "%s %s HTTP/1.1\r\nHost: localhost\r\n"
                            "Content-Type: %s\r\nContent-Length: %zu\r\n"
                            "%s\r\n",
                            body.n ? "POST" : "GET", path, media, body.n,
                            close ? "Connection: close\r\n" : ""),
               "request");
    crowd_must(idv_buf_put(&text, body), "request");
    if (SSL_write(conn->ssl, text.p, (int)text.n) != (int)text.n)
        return 0;
    return hear(conn, reply);
}
