/* SPDX-License-Identifier: Apache-2.0 */
/* Full TLS 1.3 handshakes in memory; the contestants differ in the server's
 * key. */
#include "tests/bench/bench.h"

struct ends {
    SSL_CTX *server, *client;
};

static SSL_CTX *context(OSSL_LIB_CTX *libctx, const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(libctx, NULL, method);

    if (ctx != NULL && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) &&
        SSL_CTX_set_num_tickets(ctx, 0)) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        return ctx;
    }
    SSL_CTX_free(ctx);
    return NULL;
}

int tls_open(struct contestant *c)
{
    static struct ends all[GROUP_MAX];
    struct ends *e = &all[c->device];
    OSSL_LIB_CTX *libctx = hwkey_context(c->with);
    EVP_PKEY *key;
    X509 *cert;

    if (libctx == NULL)
        return 0;
    key = c->device == SOFTWARE ? software_key(libctx, c->alg)
                                : key_of(libctx, c);
    cert = key != NULL ? self_signed(libctx, key) : NULL;
    if (cert == NULL)
        return 0;
    e->server = context(libctx, TLS_server_method());
    e->client = context(libctx, TLS_client_method());
    c->state = e;
    return (e->server != NULL && e->client != NULL &&
            SSL_CTX_use_certificate(e->server, cert) == 1 &&
            SSL_CTX_use_PrivateKey(e->server, key) == 1) ||
           bench_fail("no TLS context");
}

static int connect_ends(SSL *server, SSL *client)
{
    BIO *a, *b;

    if (server == NULL || client == NULL || !BIO_new_bio_pair(&a, 0, &b, 0))
        return 0;
    SSL_set_bio(server, a, a);
    SSL_set_bio(client, b, b);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    return 1;
}

/* 1 done, 0 to be called again, -1 failed */
static int advance(SSL *ssl)
{
    int rc = SSL_do_handshake(ssl);

    if (rc == 1)
        return 1;
    return SSL_get_error(ssl, rc) == SSL_ERROR_WANT_READ ? 0 : -1;
}

int tls_handshake(struct contestant *c)
{
    struct ends *e = c->state;
    SSL *server = SSL_new(e->server), *client = SSL_new(e->client);
    int s = 0, k = 0, turns = 0;

    if (connect_ends(server, client))
        while ((s != 1 || k != 1) && s >= 0 && k >= 0 && turns++ < 20) {
            k = advance(client);
            s = advance(server);
        }
    SSL_free(server);
    SSL_free(client);
    return (s == 1 && k == 1) || bench_fail("no handshake");
}
