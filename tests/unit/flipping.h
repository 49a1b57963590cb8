/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS client one bit of whose octets is turned on their way. */
#ifndef TESTS_FLIPPING_H
#define TESTS_FLIPPING_H

#include "tests/unit/codec.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "tests/lib/nettest.h"

/* a server, who asks it (NULL nobody in particular), and the certificate above;
 * TLS of this version at most, 0 any */
struct flip_end {
    uint16_t port;
    const struct pki_id *id;
    X509 *above;
    int version;
};

/* TLS on a socket or what filters it */
static inline void flip_attach(struct nt_client *c, BIO *b,
                               const struct pki_id *id, X509 *above,
                               int version)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    if (id) {
        assert_int_equal(SSL_CTX_use_certificate(c->ctx, id->cert), 1);
        assert_int_equal(SSL_CTX_add1_chain_cert(c->ctx, above), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(c->ctx, id->key), 1);
    }
    SSL_CTX_set_max_proto_version(c->ctx, version);
    c->ssl = SSL_new(c->ctx);
    SSL_set_bio(c->ssl, b, b);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    ERR_clear_error();
}

/* Flips a bit of what the client writes, or ends with it; keeps all of it. */
struct flipper {
    size_t bit; /* SIZE_MAX none */
    size_t end; /* so many octets are written; 0 all */
    size_t written;
    int fd;
    bool struck, head;    /* in the head of a record */
    struct idv_buf *kept; /* NULL it is not */
};

/* a length may say that more comes: then nothing does */
static inline bool flip_in_head(const uint8_t *p, size_t n, size_t at)
{
    for (size_t i = 0; i + 5 <= n && i <= at;) {
        if (at < i + 5 || (p[i] == 22 && at < i + 9))
            return true;
        i += 5 + (size_t)(p[i + 3] << 8 | p[i + 4]);
    }
    return false;
}

static inline void flip_strike(struct flipper *f, uint8_t *p, size_t n)
{
    const size_t at = f->bit / 8 - f->written;
    if (f->bit / 8 < f->written || at >= n)
        return;
    f->struck = true;
    f->head = flip_in_head(p, n, at);
    p[at] ^= (uint8_t)(1u << f->bit % 8);
}

/* of n octets more: how many are let through */
static inline int flip_room(const struct flipper *f, int n)
{
    if (!f->end || f->written + (size_t)n <= f->end)
        return n;
    return f->written < f->end ? (int)(f->end - f->written) : 0;
}

static inline int flip_write(BIO *b, const char *data, int n)
{
    struct flipper *f = BIO_get_data(b);
    uint8_t *copy = OPENSSL_memdup(data, (size_t)n);
    assert_non_null(copy);
    if (f->kept)
        OK(idv_buf_put(f->kept, idv_bytes(copy, (size_t)n)));
    flip_strike(f, copy, (size_t)n);
    const int room = flip_room(f, n);
    const int sent = room ? BIO_write(BIO_next(b), copy, room) : 0;
    f->written += (size_t)n;
    if ((f->struck && f->head) || room < n)
        shutdown(f->fd, SHUT_WR);
    OPENSSL_free(copy);
    return sent == room ? n : -1;
}

static inline int flip_read(BIO *b, char *data, int n)
{
    return BIO_read(BIO_next(b), data, n);
}

static inline long flip_ctrl(BIO *b, int what, long n, void *p)
{
    return BIO_ctrl(BIO_next(b), what, n, p);
}

static inline BIO *flip_filter(struct flipper *f)
{
    static BIO_METHOD *m;
    if (!m) {
        m = BIO_meth_new(BIO_TYPE_FILTER, "flip");
        BIO_meth_set_write(m, flip_write);
        BIO_meth_set_read(m, flip_read);
        BIO_meth_set_ctrl(m, flip_ctrl);
    }
    BIO *b = BIO_new(m);
    assert_non_null(b);
    BIO_set_data(b, f);
    BIO_set_init(b, 1);
    return BIO_push(b, BIO_new_socket(f->fd, BIO_NOCLOSE));
}

/* All of a conversation, its bit flipped; the status, 0 none. f knows how much
 * the client wrote. */
static inline int flip_converse(const struct flip_end *to,
                                const struct idv_buf *r, struct flipper *f)
{
    struct nt_client c;
    int status = 0;
    assert_true(nt_tcp(&c, to->port));
    f->fd = c.fd;
    flip_attach(&c, flip_filter(f), to->id, to->above, to->version);
    if (SSL_connect(c.ssl) == 1 &&
        SSL_write(c.ssl, r->p, (int)r->n) == (int)r->n)
        status = nt_hear(&c, NULL, false);
    nt_close(&c);
    return status;
}

/* the version in the head of a record that is not protected, which nobody
 * heeds (RFC 8446 section 5.1) */
static inline bool flip_unheeded(size_t at)
{
    return at == 1 || at == 2;
}

#endif
