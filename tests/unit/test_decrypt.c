/* SPDX-License-Identifier: Apache-2.0 */
/* RSA decryption with a token's key: paddings, TLS, CMS, losses. With the
 * tests' own module, or with SoftHSM2 when the program's name says so. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include "tests/unit/token_use.h"

#define SIZE 256
#define TLS12 0x0303

static EVP_PKEY *key, *pub; /* the token's, its public half in default */
static struct made made;

static EVP_PKEY *in_default(EVP_PKEY *of)
{
    unsigned char *der = NULL;
    const unsigned char *p;
    EVP_PKEY *out;
    int n = i2d_PUBKEY(of, &der);

    p = der;
    out = d2i_PUBKEY_ex(NULL, &p, n, w.libctx, "provider=default");
    OPENSSL_free(der);
    return out;
}

static int fresh(void **state)
{
    (void)state;
    if (m.f == NULL)
        return 0;
    maker_wipe(&m);
    if (maker_pair(&m, NULL, "k", "key", NULL, 0, &made) != CKR_OK)
        return -1;
    key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
    pub = key != NULL ? in_default(key) : NULL;
    ERR_clear_error();
    return pub != NULL ? 0 : -1;
}

static int after(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    EVP_PKEY_free(pub);
    key = pub = NULL;
    return 0;
}

struct way {
    int pad;
    const char *md, *mgf1, *label;
};

static int setup(EVP_PKEY_CTX *ctx, const struct way *way)
{
    char *label;

    if (EVP_PKEY_CTX_set_rsa_padding(ctx, way->pad) <= 0)
        return 0;
    if (way->md != NULL &&
        EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, way->md, NULL) <= 0)
        return 0;
    if (way->mgf1 != NULL &&
        EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, way->mgf1, NULL) <= 0)
        return 0;
    if (way->label == NULL)
        return 1;
    label = OPENSSL_strdup(way->label);
    return EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, (int)strlen(label)) > 0;
}

static void encrypt(EVP_PKEY *with, const struct way *way, const void *in,
                    size_t n, uint8_t out[static SIZE])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, with, NULL);
    size_t len = SIZE;

    assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
    assert_true(setup(ctx, way));
    assert_int_equal(EVP_PKEY_encrypt(ctx, out, &len, in, n), 1);
    assert_int_equal(len, SIZE);
    EVP_PKEY_CTX_free(ctx);
}

static int decrypt(const struct way *way, const uint8_t *in, size_t n,
                   uint8_t *out, size_t *out_n)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    int ok = EVP_PKEY_decrypt_init(ctx) > 0 && setup(ctx, way) &&
             EVP_PKEY_decrypt(ctx, out, out_n, in, n) > 0;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static const struct way pkcs1 = {RSA_PKCS1_PADDING, NULL, NULL, NULL};

/* --- paddings --- */

static void every_padding(void **state)
{
    static const struct way ways[] = {
        {RSA_PKCS1_PADDING, NULL, NULL, NULL},
        {RSA_PKCS1_OAEP_PADDING, NULL, NULL, NULL},
        {RSA_PKCS1_OAEP_PADDING, "SHA1", NULL, "a label"},
        {RSA_PKCS1_OAEP_PADDING, "SHA256", NULL, NULL},
        {RSA_PKCS1_OAEP_PADDING, "SHA256", "SHA1", "label"},
        {RSA_PKCS1_OAEP_PADDING, "SHA384", NULL, NULL},
        {RSA_PKCS1_OAEP_PADDING, "SHA512", "SHA512", "x"},
        {RSA_PKCS1_OAEP_PADDING, "SHA3-256", NULL, NULL},
    };
    static const char text[] = "sixteen or so bytes";
    uint8_t box[SIZE], out[SIZE];
    size_t i, n, pass;

    NEED();
    for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        for (pass = 0; pass < 2; pass++) {
            encrypt(pass == 0 ? pub : key, &ways[i], text, sizeof(text), box);
            n = sizeof(out);
            if (!decrypt(&ways[i], box, SIZE, out, &n)) {
                ERR_print_errors_fp(stderr);
                fail_msg("way %zu, %zu", i, pass);
            }
            assert_int_equal(n, sizeof(text));
            assert_memory_equal(out, text, n);
            assert_int_equal(ERR_peek_error(), 0);
        }
        box[SIZE - 1] ^= 1;
        n = sizeof(out);
        /* of some hundred thousand, PKCS #1 takes one for padded */
        assert_false(decrypt(&ways[i], box, SIZE, out, &n) &&
                     (ways[i].pad != RSA_PKCS1_PADDING ||
                      (n == sizeof(text) && memcmp(out, text, n) == 0)));
        ERR_clear_error();
    }
    encrypt(pub, &ways[2], text, sizeof(text), box);
    n = sizeof(out);
    assert_false(decrypt(&ways[1], box, SIZE, out, &n)); /* another label */
}

static void no_padding(void **state)
{
    static const struct way none = {RSA_NO_PADDING, NULL, NULL, NULL};
    uint8_t in[SIZE] = {0, 7}, box[SIZE], out[SIZE];
    size_t n = sizeof(out);

    NEED();
    in[SIZE - 1] = 9;
    encrypt(pub, &none, in, SIZE, box);
    assert_true(decrypt(&none, box, SIZE, out, &n));
    assert_int_equal(n, SIZE);
    assert_memory_equal(in, out, SIZE);
}

static void sizes(void **state)
{
    EVP_PKEY_CTX *ctx;
    uint8_t box[SIZE], out[SIZE];
    size_t n = 0;

    NEED();
    ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    encrypt(pub, &pkcs1, "x", 1, box);
    assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
    assert_int_equal(EVP_PKEY_decrypt(ctx, NULL, &n, box, SIZE), 1);
    assert_int_equal(n, SIZE);
    n = SIZE - 1;
    assert_true(EVP_PKEY_decrypt(ctx, out, &n, box, SIZE) <= 0);
    n = SIZE;
    assert_true(EVP_PKEY_decrypt(ctx, out, &n, box, SIZE - 1) <= 0);
    memset(box, 0xff, SIZE); /* larger than the modulus */
    assert_true(EVP_PKEY_decrypt(ctx, out, &n, box, SIZE) <= 0);
    assert_int_equal(hwk_reason(), HWK_R_ARGUMENT);
    EVP_PKEY_CTX_free(ctx);
}

/* --- the premaster secret --- */

static const uint8_t *block(const uint8_t *secret, size_t n)
{
    static uint8_t em[SIZE];

    memset(em, 0x5a, sizeof(em));
    em[0] = 0;
    em[1] = 2;
    em[SIZE - n - 1] = 0;
    memcpy(em + SIZE - n, secret, n);
    return em;
}

static int premaster(const uint8_t em[SIZE], unsigned alt, uint8_t out[48])
{
    static const struct way none = {RSA_NO_PADDING, NULL, NULL, NULL};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    unsigned version = TLS12;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_uint(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION,
                                  &version),
        OSSL_PARAM_construct_uint(OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION,
                                  &alt),
        OSSL_PARAM_construct_end()};
    uint8_t box[SIZE];
    size_t n = SIZE;
    int ok;

    encrypt(pub, &none, em, SIZE, box);
    ok = EVP_PKEY_decrypt_init(ctx) > 0 &&
         EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_WITH_TLS_PADDING) > 0 &&
         EVP_PKEY_CTX_set_params(ctx, params) > 0 &&
         EVP_PKEY_decrypt(ctx, out, &n, box, SIZE) > 0;
    EVP_PKEY_CTX_free(ctx);
    return ok && n == 48;
}

static void check_premasters(void)
{
    uint8_t secret[60] = {3, 3, 1, 2, 3, 4}, out[48], again[48], em[SIZE];
    size_t i;

    assert_true(premaster(block(secret, 48), 0, out));
    assert_memory_equal(out, secret, 48);
    secret[1] = 1; /* a client that says what was negotiated */
    assert_true(premaster(block(secret, 48), 0x0301, out));
    assert_memory_equal(out, secret, 48);
    assert_true(premaster(block(secret, 48), 0, out));
    assert_memory_not_equal(out, secret, 48);
    secret[1] = 3;
    for (i = 0; i < 9; i++) { /* every way to be wrong */
        memcpy(em, block(secret, i == 7 ? 47 : i == 8 ? 49 : 48), SIZE);
        if (i == 0)
            em[0] = 1;
        if (i == 1)
            em[1] = 1;
        if (i == 2)
            em[2] = 0;
        if (i == 3)
            em[100] = 0;
        if (i == 4)
            em[SIZE - 49] = 1;
        if (i == 5)
            em[SIZE - 48] = 2;
        if (i == 6)
            memset(em + 2, 0x5a, SIZE - 2);
        assert_true(premaster(em, 0, out));
        assert_true(premaster(em, 0, again));
        assert_memory_not_equal(out, em + SIZE - 48, 48);
        assert_memory_not_equal(out, again, 48);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void tls_padding(void **state)
{
    NEED();
    check_premasters();
}

static void tls_padding_taken_off_by_the_token(void **state)
{
    static const CK_MECHANISM_TYPE only[] = {CKM_RSA_PKCS};

    NEED();
    if (softhsm)
        skip(); /* it does not heed CKA_ALLOWED_MECHANISMS when decrypting */
    after(NULL);
    maker_wipe(&m);
    assert_int_equal(maker_pair(&m, NULL, "k", "key", only, 1, &made), CKR_OK);
    key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
    pub = in_default(key);
    check_premasters();
}

static int accept_all(int ok, X509_STORE_CTX *ctx)
{
    (void)ok;
    (void)ctx;
    return 1;
}

static int turn(SSL *ssl)
{
    int r = SSL_do_handshake(ssl), e = SSL_get_error(ssl, r);

    return r == 1 || e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static void tls_rsa(void **state)
{
    SSL_CTX *server, *client;
    SSL *s, *c;
    BIO *a, *b;
    X509 *x;
    int i, ok = 1;

    NEED();
    server = SSL_CTX_new_ex(w.libctx, NULL, TLS_server_method());
    client = SSL_CTX_new_ex(w.libctx, NULL, TLS_client_method());
    x = self_cert(&w, key);
    SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_set_cipher_list(client, "AES128-SHA"), 1);
    assert_int_equal(SSL_CTX_use_certificate(server, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server, key), 1);
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, accept_all);
    s = SSL_new(server);
    c = SSL_new(client);
    BIO_new_bio_pair(&a, 65536, &b, 65536);
    SSL_set_bio(s, a, a);
    SSL_set_bio(c, b, b);
    SSL_set_accept_state(s);
    SSL_set_connect_state(c);
    for (i = 0; i < 20 && ok && !SSL_is_init_finished(c); i++)
        ok = turn(c) && turn(s);
    assert_true(ok && SSL_is_init_finished(c) && SSL_is_init_finished(s));
    assert_string_equal(SSL_get_cipher_name(s), "AES128-SHA");
    X509_free(x);
    SSL_free(s);
    SSL_free(c);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

/* --- CMS --- */

static void cms(void **state)
{
    static const int pads[] = {0, RSA_PKCS1_OAEP_PADDING};
    size_t i;

    NEED();
    for (i = 0; i < 2; i++) {
        X509 *x = self_cert(&w, key);
        BIO *in = BIO_new_mem_buf("secret", 6), *out = BIO_new(BIO_s_mem());
        EVP_CIPHER *aes = EVP_CIPHER_fetch(w.libctx, "AES-128-CBC", NULL);
        CMS_ContentInfo *box;
        CMS_RecipientInfo *ri;
        char text[16];

        box = CMS_encrypt_ex(NULL, in, aes, CMS_PARTIAL, w.libctx, NULL);
        ri = CMS_add1_recipient_cert(box, x, CMS_KEY_PARAM);
        assert_non_null(ri);
        if (pads[i] != 0)
            assert_true(EVP_PKEY_CTX_set_rsa_padding(
                            CMS_RecipientInfo_get0_pkey_ctx(ri), pads[i]) > 0);
        assert_int_equal(CMS_final(box, in, NULL, 0), 1);
        assert_int_equal(CMS_decrypt(box, key, x, NULL, out, 0), 1);
        assert_int_equal(BIO_read(out, text, sizeof(text)), 6);
        assert_memory_equal(text, "secret", 6);
        CMS_ContentInfo_free(box);
        EVP_CIPHER_free(aes);
        X509_free(x);
        BIO_free(in);
        BIO_free(out);
    }
}

/* --- wrong usage, losses, threads --- */

/* SoftHSM2 takes the oldest error there is for its own, and logs it */
static bool eaten(size_t way)
{
    return softhsm && way < 2; /* else we take the padding off */
}

/* SoftHSM2 computes with the libcrypto of the process, whose errors it leaves:
 * on the queue is what the application had there, and what we say */
static void wrong_ciphertexts(void **state)
{
    static const struct way ways[] = {
        {RSA_PKCS1_PADDING, NULL, NULL, NULL},
        {RSA_PKCS1_OAEP_PADDING, "SHA1", NULL, NULL},
        {RSA_PKCS1_OAEP_PADDING, "SHA256", NULL, "x"},
        {RSA_NO_PADDING, NULL, NULL, NULL},
    };
    static const struct way raw = {RSA_NO_PADDING, NULL, NULL, NULL};
    uint8_t none[SIZE] = {0, 7}, box[SIZE], out[SIZE];
    size_t i, n;

    NEED();
    encrypt(pub, &raw, none, SIZE, box);
    for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        ERR_clear_error();
        ERR_raise(ERR_LIB_USER, ERR_R_PASSED_INVALID_ARGUMENT);
        n = SIZE;
        assert_int_equal(decrypt(&ways[i], box, SIZE, out, &n), i == 3);
        assert_int_equal(hwk_foreign_errors(), eaten(i) ? 0 : 1);
        assert_false(decrypt(&ways[i], box, SIZE - 1, out, &n));
        assert_int_equal(hwk_foreign_errors(), 0);
    }
}

static void not_for_that(void **state)
{
    CK_BBOOL no = CK_FALSE;
    uint8_t box[SIZE], out[SIZE];
    size_t n = SIZE;

    NEED();
    encrypt(pub, &pkcs1, "x", 1, box);
    assert_int_equal(maker_set(&m, made.priv, CKA_DECRYPT, &no, 1), CKR_OK);
    EVP_PKEY_free(key);
    key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
    assert_false(decrypt(&pkcs1, box, SIZE, out, &n));
    assert_int_equal(hwk_reason(), HWK_R_KEY);
}

static int round_trip(void)
{
    uint8_t box[SIZE], out[SIZE];
    size_t n = SIZE;

    encrypt(pub, &pkcs1, "x", 1, box);
    return decrypt(&pkcs1, box, SIZE, out, &n) && n == 1 && out[0] == 'x';
}

static void lost_sessions(void **state)
{
    CK_SLOT_ID slots[8];
    CK_ULONG i, n = 8;

    NEED();
    assert_true(round_trip());
    assert_int_equal(m.f->C_GetSlotList(CK_TRUE, slots, &n), CKR_OK);
    for (i = 0; i < n; i++)
        m.f->C_CloseAllSessions(slots[i]);
    assert_true(round_trip());
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(m.f->C_OpenSession(slots[0],
                                        CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                        NULL, NULL, &m.s),
                     CKR_OK);
}

static void *work(void *arg)
{
    int *good = arg, i;

    for (i = 0; i < 20; i++)
        *good += round_trip();
    return NULL;
}

static void threads(void **state)
{
    pthread_t id[4];
    int good[4] = {0}, i;

    NEED();
    for (i = 0; i < 4; i++)
        pthread_create(&id[i], NULL, work, &good[i]);
    for (i = 0; i < 4; i++) {
        pthread_join(id[i], NULL);
        assert_int_equal(good[i], 20);
    }
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fresh, after)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(every_padding),
        T(no_padding),
        T(sizes),
        T(tls_padding),
        T(tls_rsa),
        T(cms),
        T(wrong_ciphertexts),
        T(not_for_that),
        T(lost_sessions),
        /* SoftHSM2 2.6.1 has no way to take a mechanism away, and its C_Decrypt
         * crashes in threads, also without us */
        T(tls_padding_taken_off_by_the_token),
        T(threads),
    };

    (void)argc;
    return RUN(argv, tests, 2);
}
