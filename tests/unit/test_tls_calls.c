/* SPDX-License-Identifier: Apache-2.0 */
/* What TLS costs a token: for a handshake one signature at each end that has a
 * key there, and nothing for ephemeral keys and random bytes, wherever the
 * provider stands and however it is preferred. */
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "tests/unit/token_use.h"

static const char *const groups[] = {"P-256", "P-384", "X25519", "X448",
                                     "ffdhe2048"};
static const char *const queries[] = {NULL, "?provider=hwkey",
                                      "?provider!=hwkey", "?provider=default"};
static const char *const orders[] = {"dh", "hd"};

/* --- a handshake in memory --- */

static int anybody(int ok, X509_STORE_CTX *ctx)
{
    (void)ok;
    (void)ctx;
    return 1;
}

static SSL_CTX *context(struct world *at, const char *query, bool server,
                        int version, const char *group, EVP_PKEY *key)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(
        at->libctx, query, server ? TLS_server_method() : TLS_client_method());
    X509 *x = self_cert(at, key);
    char list[32];

    assert_non_null(ctx);
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    /* TLS 1.2 wants the curve of the certificate among them */
    snprintf(list, sizeof(list), "%s%s", group,
             strcmp(group, "P-256") != 0 ? ":P-256" : "");
    if (SSL_CTX_set1_groups_list(ctx, list) != 1)
        fail_msg("%s, %s", query, list);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       anybody);
    assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    X509_free(x);
    return ctx;
}

static int turn(SSL *ssl)
{
    int r = SSL_do_handshake(ssl), e = SSL_get_error(ssl, r);

    return r == 1 || e == SSL_ERROR_WANT_READ;
}

static int meet(SSL_CTX *server, SSL_CTX *client)
{
    SSL *s = SSL_new(server), *c = SSL_new(client);
    BIO *a, *b;
    int i, ok = 1;

    BIO_new_bio_pair(&a, 65536, &b, 65536);
    SSL_set_bio(s, a, a);
    SSL_set_bio(c, b, b);
    SSL_set_accept_state(s);
    SSL_set_connect_state(c);
    for (i = 0; i < 10 && ok; i++)
        ok = turn(c) && turn(s);
    ok = ok && SSL_is_init_finished(s) && SSL_is_init_finished(c);
    SSL_free(s);
    SSL_free(c);
    return ok;
}

static void no_more_than(unsigned signatures)
{
    assert_int_equal(m.soft->calls("C_GenerateKeyPair"), 0);
    assert_int_equal(m.soft->calls("C_DeriveKey"), 0);
    assert_int_equal(m.soft->calls("C_GenerateRandom"), 0);
    assert_int_equal(m.soft->calls("C_Sign"), signatures);
    assert_int_equal(m.soft->calls(NULL), 2 * signatures);
}

static EVP_PKEY *made(struct world *at, const struct hwk_curve *curve)
{
    struct made k;
    EVP_PKEY *key;

    maker_wipe(&m);
    assert_int_equal(maker_pair(&m, curve, "k", "key", NULL, 0, &k), CKR_OK);
    key = open_key(at, URI, OSSL_STORE_INFO_PKEY, NULL);
    assert_non_null(key);
    return key;
}

/* both ends have a certificate, with the token's key or with one in software */
static void handshakes(struct world *at, const char *query, bool token,
                       const struct hwk_curve *curve)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    EVP_PKEY *key = token ? made(at, curve)
                          : EVP_PKEY_Q_keygen(at->libctx, "provider=default",
                                              "EC", "P-256");
    size_t v, g;

    for (v = 0; v < 2; v++)
        for (g = 0; g < sizeof(groups) / sizeof(groups[0]) - (v == 0); g++) {
            SSL_CTX *s = context(at, query, true, versions[v], groups[g], key);
            SSL_CTX *c = context(at, query, false, versions[v], groups[g], key);

            assert_true(m.soft->tell("forget"));
            if (!meet(s, c)) {
                ERR_print_errors_fp(stderr);
                fail_msg("%s, %s", query, groups[g]);
            }
            no_more_than(token ? 2 : 0);
            SSL_CTX_free(s);
            SSL_CTX_free(c);
        }
    EVP_PKEY_free(key);
}

/* --- the tests --- */

static void everywhere(bool token, const struct hwk_curve *curve)
{
    size_t i, q;

    for (i = 0; i < 2; i++)
        for (q = 0; q < sizeof(queries) / sizeof(queries[0]); q++) {
            struct world other;

            assert_true(world_open(&other, orders[i]));
            handshakes(&other, queries[q], token, curve);
            world_close(&other);
        }
}

static void token_keys(void **state)
{
    NEED();
    everywhere(true, hwk_curve_by_bits(256));
}

static void token_keys_rsa(void **state)
{
    NEED();
    everywhere(true, NULL);
}

static void software_keys(void **state)
{
    NEED();
    everywhere(false, NULL);
}

/* the same asked of libcrypto itself: keys without a URI, random bytes */
static void ephemeral_keys(void **state)
{
    /* preferred for the whole process, too: what RAND_bytes() goes by */
    static const char *const loads[] = {"dh", "hd", "dh?", "hd?"};
    static const char *const types[] = {"X25519", "X448", "ED25519"};
    uint8_t out[64];
    size_t i, q, k;

    NEED();
    for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
        for (q = 0; q < sizeof(queries) / sizeof(queries[0]); q++) {
            struct world other;
            EVP_PKEY *key;

            assert_true(world_open(&other, loads[i]));
            assert_true(m.soft->tell("forget"));
            for (k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
                key = EVP_PKEY_Q_keygen(other.libctx, queries[q], types[k]);
                assert_non_null(key);
                EVP_PKEY_free(key);
            }
            key = EVP_PKEY_Q_keygen(other.libctx, queries[q], "EC", "P-256");
            assert_non_null(key);
            EVP_PKEY_free(key);
            assert_int_equal(RAND_bytes_ex(other.libctx, out, 64, 0), 1);
            assert_int_equal(RAND_priv_bytes_ex(other.libctx, out, 64, 0), 1);
            no_more_than(0);
            world_close(&other);
            assert_int_equal(ERR_peek_error(), 0);
        }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(token_keys, each),
        cmocka_unit_test_setup(token_keys_rsa, each),
        cmocka_unit_test_setup(software_keys, each),
        cmocka_unit_test_setup(ephemeral_keys, each),
    };

    (void)argc;
    return RUN(argv, tests, 0);
}
