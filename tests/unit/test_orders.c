/* SPDX-License-Identifier: Apache-2.0 */
/* TLS with software keys and device keys at either end, in every order of
 * loading. */
#include <openssl/ssl.h>

#include "tests/unit/orders.h"

/* --- TLS --- */

static int accept_all(int ok, X509_STORE_CTX *ctx)
{
    (void)ok;
    (void)ctx;
    return 1;
}

static SSL_CTX *endpoint(const SSL_METHOD *method, int version,
                         const char *groups, EVP_PKEY *key)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(w.libctx, NULL, method);
    X509 *x = self_cert(&w, key);

    assert_non_null(ctx);
    assert_non_null(x);
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    assert_int_equal(SSL_CTX_set1_groups_list(ctx, groups), 1);
    assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    assert_int_equal(SSL_CTX_check_private_key(ctx), 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       accept_all);
    X509_free(x);
    return ctx;
}

static int turn(SSL *ssl)
{
    int r = SSL_do_handshake(ssl), e = SSL_get_error(ssl, r);

    return r == 1 || e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static int handshake(SSL_CTX *server, SSL_CTX *client)
{
    SSL *s = SSL_new(server), *c = SSL_new(client);
    BIO *a, *b;
    char byte = 0;
    int i, ok = 1;

    BIO_new_bio_pair(&a, 65536, &b, 65536);
    SSL_set_bio(s, a, a);
    SSL_set_bio(c, b, b);
    SSL_set_accept_state(s);
    SSL_set_connect_state(c);
    for (i = 0;
         i < 20 && ok && !(SSL_is_init_finished(s) && SSL_is_init_finished(c));
         i++)
        ok = turn(c) && turn(s);
    ok = ok && SSL_write(c, "x", 1) == 1 && SSL_read(s, &byte, 1) == 1 &&
         byte == 'x';
    SSL_free(s);
    SSL_free(c);
    return ok;
}

static const char *const names[] = {"software ec", "software rsa", "device ec",
                                    "device rsa", "device ed25519"};
#define DEVICE "device "
#define NAMES (sizeof(names) / sizeof(names[0]))

/* made once: that takes a while */
static EVP_PKEY *software_rsa(void)
{
    static unsigned char der[2048];
    static int n;
    unsigned char *out = der;
    const unsigned char *in = der;
    EVP_PKEY *key;

    if (n > 0)
        return d2i_AutoPrivateKey_ex(NULL, &in, n, w.libctx, NULL);
    key = EVP_PKEY_Q_keygen(w.libctx, NULL, "RSA", (size_t)2048);
    n = i2d_PrivateKey(key, &out);
    return key;
}

/* NULL: the device has none of that type */
static EVP_PKEY *key_of(const char *name)
{
    const char *uri;

    if (strcmp(name, "software ec") == 0)
        return EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", "P-256");
    if (strcmp(name, "software rsa") == 0)
        return software_rsa();
    uri = device_uri(name + strlen(DEVICE));
    return uri != NULL ? open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL) : NULL;
}

static bool of_device(size_t i)
{
    return strncmp(names[i], DEVICE, strlen(DEVICE)) == 0;
}

static void tls(int version, const char *groups, EVP_PKEY *const keys[],
                size_t at_server, size_t at_client)
{
    SSL_CTX *server =
        endpoint(TLS_server_method(), version, groups, keys[at_server]);
    SSL_CTX *client =
        endpoint(TLS_client_method(), version, groups, keys[at_client]);
    int device = of_device(at_server) + of_device(at_client);
    int before = device_calls();

    if (!handshake(server, client)) {
        ERR_print_errors_fp(stderr);
        fail_msg("TLS 0x%x %s server %s client %s", version, groups,
                 names[at_server], names[at_client]);
    }
    assert_int_equal(device_calls() - before, device); /* one signature each */
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

static void matrix(int version, const char *groups, bool pairs)
{
    EVP_PKEY *keys[NAMES];
    size_t i, j;

    for (i = 0; i < NAMES; i++) {
        keys[i] = key_of(names[i]);
        assert_true(
            keys[i] != NULL ||
            (tpm_device_wanted() && strcmp(names[i], "device ed25519") == 0));
    }
    for (i = 0; i < NAMES; i++)
        for (j = 0; j < NAMES; j++)
            if ((pairs || i == j) && keys[i] != NULL && keys[j] != NULL)
                tls(version, groups, keys, i, j);
    for (i = 0; i < NAMES; i++)
        EVP_PKEY_free(keys[i]);
}

static void tls_1_2(void **state)
{
    (void)state;
    matrix(TLS1_2_VERSION, "P-256:P-384", true);
}

static void tls_1_3(void **state)
{
    (void)state;
    matrix(TLS1_3_VERSION, "P-256:P-384", true);
}

static void tls_x25519(void **state)
{
    (void)state;
    matrix(TLS1_3_VERSION, "X25519", false);
}

/* every group that there is in software is there for libssl, whoever manages
 * its keys */
static void tls_groups(void **state)
{
    static const char *const all[] = {
        "P-256", "P-384",     "P-521",           "X25519",
        "X448",  "secp256k1", "brainpoolP256r1", "ffdhe2048"};
    SSL_CTX *ctx = SSL_CTX_new_ex(w.libctx, NULL, TLS_server_method());
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (SSL_CTX_set1_groups_list(ctx, all[i]) != 1)
            fail_msg("%s is missing", all[i]);
    SSL_CTX_free(ctx);
}

/* with base alone there is nothing that TLS could be made of: libssl says so */
static void tls_without_software(void **state)
{
    (void)state;
    assert_null(SSL_CTX_new_ex(w.libctx, NULL, TLS_server_method()));
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()),
                     SSL_R_LIBRARY_HAS_NO_CIPHERS);
    assert_null(SSL_CTX_new_ex(w.libctx, NULL, TLS_client_method()));
}

#define ORDER(o)                                                               \
    T(o, tls_1_2), T(o, tls_1_3), T(o, tls_x25519), T(o, tls_groups)

int main(void)
{
    const struct CMUnitTest tests[] = {EVERY_ORDER(ORDER),
                                       T(BASE_ONLY, tls_without_software)};

    NEED_DEVICE();
    return cmocka_run_group_tests(tests, device_begin, device_end);
}
