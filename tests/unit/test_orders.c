/* SPDX-License-Identifier: Apache-2.0 */
/* Software keys and device keys side by side, in every order of loading:
 * TLS, generation, import, legacy keys. */
#include <string.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include "tests/lib/backend_soft.h"
#include "tests/lib/hwk_test.h"

static struct world w;

/* the order is the group's state */
static const char *order;

static int open_world(void **state)
{
    order = *state;
    soft_reset();
    return world_open(&w, order) ? 0 : -1;
}

static int close_world(void **state)
{
    (void)state;
    world_close(&w);
    ERR_clear_error();
    return soft.refs == 0 ? 0 : -1;
}

/* software keys are ours only if we are asked for by property or come before a
 * default provider that we did not load; no device hears of them in any case */
static void check_owner(const EVP_PKEY *key)
{
    bool ours = strpbrk(order, "?o") != NULL;

    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)),
                        ours ? "hwkey" : "default");
    assert_int_equal(soft.calls, 0);
}

/* --- software keys --- */

static void software_generation(void **state)
{
    EVP_PKEY *ec = EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", "P-256");
    EVP_PKEY *rsa = EVP_PKEY_Q_keygen(w.libctx, NULL, "RSA", (size_t)2048);

    (void)state;
    assert_non_null(ec);
    assert_non_null(rsa);
    check_owner(ec);
    check_owner(rsa);
    assert_true(sign_verify(&w, ec, "SHA256", NO_PSS));
    assert_true(sign_verify(&w, rsa, "SHA256", RSA_PSS_SALTLEN_DIGEST));
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
}

static void software_import(void **state)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", "P-384"), *copy;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(w.libctx, "EC", NULL);
    OSSL_PARAM *params = NULL;
    BIO *bio = BIO_new(BIO_s_mem());

    (void)state;
    assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params), 1);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    copy = NULL;
    assert_int_equal(EVP_PKEY_fromdata(ctx, &copy, EVP_PKEY_KEYPAIR, params),
                     1);
    check_owner(copy);
    assert_int_equal(EVP_PKEY_eq(copy, key), 1);
    assert_true(sign_verify(&w, copy, "SHA384", NO_PSS));
    EVP_PKEY_free(copy);
    assert_int_equal(
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    copy = PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, w.libctx, NULL);
    assert_non_null(copy);
    assert_int_equal(EVP_PKEY_eq(copy, key), 1);
    assert_true(sign_verify(&w, copy, "SHA384", NO_PSS));
    EVP_PKEY_free(copy);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    BIO_free(bio);
}

static void software_derive(void **state)
{
    static const char *const types[] = {"P-256", "P-521"};
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        EVP_PKEY *a = EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", types[i]);
        EVP_PKEY *b = EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", types[i]);
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, a, NULL);
        uint8_t secret[66];
        size_t n = sizeof(secret);

        assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
        assert_int_equal(EVP_PKEY_derive_set_peer(ctx, b), 1);
        assert_int_equal(EVP_PKEY_derive(ctx, secret, &n), 1);
        EVP_PKEY_CTX_free(ctx);
        EVP_PKEY_free(a);
        EVP_PKEY_free(b);
    }
}

static void software_decrypt(void **state)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(w.libctx, NULL, "RSA", (size_t)2048);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    uint8_t box[256], out[256];
    size_t n = sizeof(box), m = sizeof(out);

    (void)state;
    assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
    assert_int_equal(EVP_PKEY_encrypt(ctx, box, &n, (const uint8_t *)"x", 1),
                     1);
    assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
    assert_int_equal(EVP_PKEY_decrypt(ctx, out, &m, box, n), 1);
    assert_int_equal(m, 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
}

/* --- TLS --- */

static int accept_all(int ok, X509_STORE_CTX *ctx)
{
    (void)ok;
    (void)ctx;
    return 1;
}

static SSL_CTX *endpoint(const SSL_METHOD *method, int version, EVP_PKEY *key)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(w.libctx, NULL, method);
    X509 *x = self_cert(&w, key);

    assert_non_null(ctx);
    assert_non_null(x);
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
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

static EVP_PKEY *key_of(const char *name)
{
    if (strcmp(name, "software ec") == 0)
        return EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", "P-256");
    if (strcmp(name, "software rsa") == 0)
        return EVP_PKEY_Q_keygen(w.libctx, NULL, "RSA", (size_t)2048);
    return open_key(&w, name, OSSL_STORE_INFO_PKEY, NULL);
}

static void tls(int version, const char *at_server, const char *at_client)
{
    EVP_PKEY *sk = key_of(at_server), *ck = key_of(at_client);
    SSL_CTX *server = endpoint(TLS_server_method(), version, sk);
    SSL_CTX *client = endpoint(TLS_client_method(), version, ck);
    int device = (strncmp(at_server, "hwk", 3) == 0) +
                 (strncmp(at_client, "hwk", 3) == 0);
    int before = soft.calls;

    if (!handshake(server, client)) {
        ERR_print_errors_fp(stderr);
        fail_msg("TLS 0x%x server %s client %s", version, at_server, at_client);
    }
    assert_int_equal(soft.calls - before, device); /* one signature each */
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    EVP_PKEY_free(sk);
    EVP_PKEY_free(ck);
}

static void tls_matrix(void **state)
{
    static const char *const names[] = {"software ec", "software rsa",
                                        "hwksoft:ec", "hwksoft:ec384",
                                        "hwksoft:rsa"};
    size_t i, j;

    (void)state;
    for (i = 0; i < 5; i++) {
        for (j = 0; j < 5; j++) {
            tls(TLS1_2_VERSION, names[i], names[j]);
            tls(TLS1_3_VERSION, names[i], names[j]);
        }
    }
}

#define T(o, fn)                                                               \
    {                                                                          \
        o " " #fn, fn, open_world, close_world, (void *)(uintptr_t)o           \
    }
#define ORDER(o)                                                               \
    T(o, software_generation), T(o, software_import), T(o, software_derive),   \
        T(o, software_decrypt), T(o, tls_matrix)

int main(void)
{
    const struct CMUnitTest tests[] = {ORDER("dh"), ORDER("hd"),  ORDER("h"),
                                       ORDER("c"),  ORDER("dh?"), ORDER("od"),
                                       ORDER("hd?")};

    hwk_backend_for_tests = &hwk_backend_soft;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
