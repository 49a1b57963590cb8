/* SPDX-License-Identifier: Apache-2.0 */
/* Decryption and key agreement with TPM keys: what a TPM takes off itself, what
 * is taken off here, and the premaster secrets of TLS. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "tests/unit/tpm_types.h"

#define NO TPM2_ALG_NULL
#define SIZE 256
#define TLS12 0x0303

static const struct made_key keys[] = {
    {0x81020100, TPM2_ALG_RSA, 2048, DECRYPT, NO, NO},
    {0x81020101, TPM2_ALG_RSA, 2048, SIGN | DECRYPT, NO, NO},
    {0x81020102, TPM2_ALG_RSA, 2048, DECRYPT, TPM2_ALG_OAEP, TPM2_ALG_SHA256},
    {0x81020103, TPM2_ALG_RSA, 2048, DECRYPT, TPM2_ALG_RSAES, NO},
    {0x81020104, TPM2_ALG_RSA, 2048, SIGN, NO, NO},
    {0x81020105, TPM2_ALG_ECC, TPM2_ECC_NIST_P256, DECRYPT, NO, NO},
    {0x81020106, TPM2_ALG_ECC, TPM2_ECC_NIST_P384, DECRYPT, NO, NO},
    {0x81020107, TPM2_ALG_ECC, TPM2_ECC_NIST_P521, SIGN | DECRYPT, NO, NO},
};

#define RSA_DECRYPT KEY_URI(00)
#define RSA_BOTH KEY_URI(01)
#define RSA_OAEP KEY_URI(02)
#define RSA_ES KEY_URI(03)
#define RSA_SIGN KEY_URI(04)

static EVP_PKEY *key, *pub; /* of the test, and its public half in software */

static void use(const char *uri)
{
    EVP_PKEY_free(key);
    EVP_PKEY_free(pub);
    key = open_at(uri);
    pub = default_twin(&w, key);
    commands();
}

static int after(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    EVP_PKEY_free(pub);
    key = pub = NULL;
    ERR_clear_error();
    return 0;
}

/* --- RSA --- */

struct way {
    int pad;
    const char *md, *mgf1, *label;
    size_t label_n;
};

static int setup(EVP_PKEY_CTX *ctx, const struct way *way)
{
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, way->pad) <= 0)
        return 0;
    if (way->md != NULL &&
        EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, way->md, NULL) <= 0)
        return 0;
    if (way->mgf1 != NULL &&
        EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, way->mgf1, NULL) <= 0)
        return 0;
    return way->label == NULL ||
           EVP_PKEY_CTX_set0_rsa_oaep_label(
               ctx, OPENSSL_memdup(way->label, way->label_n),
               (int)way->label_n) > 0;
}

static void encrypt(const struct way *way, const void *in, size_t n,
                    uint8_t out[static SIZE])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, pub, NULL);
    size_t len = SIZE;

    assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
    assert_true(setup(ctx, way));
    assert_int_equal(EVP_PKEY_encrypt(ctx, out, &len, in, n), 1);
    assert_int_equal(len, SIZE);
    EVP_PKEY_CTX_free(ctx);
}

static int decrypt(const struct way *way, const uint8_t in[SIZE], uint8_t *out,
                   size_t *out_n)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    int ok = EVP_PKEY_decrypt_init(ctx) > 0 && setup(ctx, way) &&
             EVP_PKEY_decrypt(ctx, out, out_n, in, SIZE) > 0;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* there and back; how many commands it took */
static unsigned round_trip(const struct way *way)
{
    static const char text[] = "sixteen or so bytes";
    uint8_t box[SIZE], out[SIZE];
    size_t n = sizeof(out);

    encrypt(way, text, sizeof(text), box);
    commands();
    if (!decrypt(way, box, out, &n)) {
        ERR_print_errors_fp(stderr);
        fail_msg("padding %d, %s, %s", way->pad, way->md, way->label);
    }
    assert_int_equal(n, sizeof(text));
    assert_memory_equal(out, text, n);
    assert_int_equal(ERR_peek_error(), 0);
    return commands();
}

static const struct way pkcs1 = {RSA_PKCS1_PADDING, NULL, NULL, NULL, 0};
static const struct way none = {RSA_NO_PADDING, NULL, NULL, NULL, 0};
static const struct way oaep[] = {
    {RSA_PKCS1_OAEP_PADDING, NULL, NULL, NULL, 0},
    {RSA_PKCS1_OAEP_PADDING, "SHA256", NULL, NULL, 0},
    {RSA_PKCS1_OAEP_PADDING, "SHA384", NULL, NULL, 0},
    {RSA_PKCS1_OAEP_PADDING, "SHA512", "SHA512", NULL, 0},
    {RSA_PKCS1_OAEP_PADDING, "SHA256", NULL, "label", 6}, /* with its NUL */
    /* and what no TPM does */
    {RSA_PKCS1_OAEP_PADDING, "SHA1", NULL, "label", 5},
    {RSA_PKCS1_OAEP_PADDING, "SHA256", "SHA1", NULL, 0},
    {RSA_PKCS1_OAEP_PADDING, "SHA1", "SHA256", "x", 1},
    {RSA_PKCS1_OAEP_PADDING, "SHA512-256", NULL, NULL, 0},
    {RSA_PKCS1_OAEP_PADDING, "SHA224", NULL, "label", 6},
    {RSA_PKCS1_OAEP_PADDING, "SHA3-256", "SHA3-512", NULL, 0},
};
#define OAEPS (sizeof(oaep) / sizeof(oaep[0]))

/* One command each is what is counted here: the session that encrypts the
 * answer is kept behind a resource manager, and there after the first time; by
 * itself a TPM is used without. */
static int begin(void **state)
{
    (void)state;
    if (!tpm_device_managed())
        setenv("HWKEY_TPM_SESSIONS", "never", 1);
    if (begin_with(keys, sizeof(keys) / sizeof(keys[0])) != 0)
        return -1;
    use(RSA_DECRYPT);
    round_trip(&pkcs1);
    return after(state);
}

static void every_padding(void **state)
{
    static const char *const uris[] = {RSA_DECRYPT, RSA_BOTH};
    size_t i, k;

    (void)state;
    for (k = 0; k < 2; k++) {
        use(uris[k]);
        assert_int_equal(round_trip(&pkcs1), 1);
        for (i = 0; i < OAEPS; i++)
            assert_int_equal(round_trip(&oaep[i]), 1);
    }
}

static void bare(void **state)
{
    uint8_t em[SIZE] = {0, 0, 0, 7}, box[SIZE], out[SIZE];
    size_t n = sizeof(out);

    (void)state;
    use(RSA_DECRYPT);
    encrypt(&none, em, SIZE, box);
    assert_true(decrypt(&none, box, out, &n));
    assert_int_equal(commands(), 1);
    assert_int_equal(n, SIZE);
    assert_memory_equal(out, em, SIZE); /* zeros in front are there */
}

static void not_done(const struct way *way, int reason, const char *words)
{
    uint8_t box[SIZE], out[SIZE];
    size_t n = sizeof(out);

    encrypt(way, "x", 1, box);
    commands();
    assert_false(decrypt(way, box, out, &n));
    assert_int_equal(commands(), 0);
    said(reason, words);
    ERR_clear_error();
}

/* a key tied to a padding takes that one off, and the bare number, with which
 * another could be, is not to be had from it */
static void tied(void **state)
{
    uint8_t em[SIZE] = {0, 1}, box[SIZE], out[SIZE];
    size_t n = sizeof(out);

    (void)state;
    use(RSA_OAEP);
    assert_int_equal(round_trip(&oaep[1]), 1);
    assert_int_equal(round_trip(&oaep[4]), 1);
    not_done(&oaep[0], HWK_R_UNSUPPORTED, "SHA1");
    not_done(&oaep[6], HWK_R_UNSUPPORTED, "SHA2-256");
    not_done(&pkcs1, HWK_R_UNSUPPORTED, "PKCS#1");
    encrypt(&none, em, SIZE, box);
    assert_false(decrypt(&none, box, out, &n));
    said(HWK_R_UNSUPPORTED, "bare RSA");
    use(RSA_ES);
    assert_int_equal(round_trip(&pkcs1), 1);
    not_done(&oaep[1], HWK_R_UNSUPPORTED, "SHA2-256");
    use(RSA_SIGN);
    not_done(&pkcs1, HWK_R_KEY, "not a key to decrypt with");
}

/* a spoilt ciphertext, one of another key, one that is too large or short */
static void wrong(void **state)
{
    uint8_t box[SIZE], out[SIZE];
    size_t n, i;
    const struct way *ways[] = {&pkcs1, &oaep[1], &oaep[5]};

    (void)state;
    use(RSA_DECRYPT);
    for (i = 0; i < 3; i++) {
        encrypt(ways[i], "text", 4, box);
        box[SIZE - 1] ^= 1;
        n = sizeof(out);
        commands();
        assert_false(decrypt(ways[i], box, out, &n));
        assert_int_equal(commands(), 1);
        ERR_clear_error();
        memset(box, 0xff, sizeof(box));
        assert_false(decrypt(ways[i], box, out, &n));
        assert_int_equal(commands(), 0);
        said(HWK_R_ARGUMENT, "no ciphertext of this key");
        ERR_clear_error();
    }
    assert_int_equal(round_trip(&pkcs1), 1); /* and goes on */
}

/* --- premaster secrets: whatever is wrong, 48 bytes and no error --- */

static int premaster(const uint8_t em[SIZE], uint8_t out[48])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    unsigned version = TLS12, alt = 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_uint(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION,
                                  &version),
        OSSL_PARAM_construct_uint(OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION,
                                  &alt),
        OSSL_PARAM_construct_end()};
    uint8_t box[SIZE];
    size_t n = SIZE;
    int ok;

    encrypt(&none, em, SIZE, box);
    commands();
    ok = EVP_PKEY_decrypt_init(ctx) > 0 &&
         EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_WITH_TLS_PADDING) > 0 &&
         EVP_PKEY_CTX_set_params(ctx, params) > 0 &&
         EVP_PKEY_decrypt(ctx, out, &n, box, SIZE) > 0;
    EVP_PKEY_CTX_free(ctx);
    return ok && n == 48;
}

static void block(uint8_t em[SIZE], size_t n)
{
    memset(em, 0x5a, SIZE);
    em[0] = 0;
    em[1] = 2;
    em[SIZE - n - 1] = 0;
    em[SIZE - n] = em[SIZE - n + 1] = 3;
}

static void spoil(uint8_t em[SIZE], unsigned how)
{
    static const struct {
        unsigned at;
        uint8_t value;
    } ways[] = {{1, 1},           {2, 0},         {100, 0},
                {SIZE - 49, 1},   {SIZE - 48, 2}, {SIZE - 47, 1},
                {SIZE - 49, 0x5a}};

    block(em, how == 7 ? 47 : how == 8 ? 49 : 48);
    if (how < 7)
        em[ways[how].at] = ways[how].value;
}

static void premasters(const char *uri)
{
    uint8_t em[SIZE], out[48], again[48];
    unsigned i;

    use(uri);
    block(em, 48);
    assert_true(premaster(em, out));
    assert_int_equal(commands(), 1);
    assert_memory_equal(out, em + SIZE - 48, 48);
    for (i = 0; i < 9; i++) {
        spoil(em, i);
        assert_true(premaster(em, out));
        assert_int_equal(commands(), 1);
        assert_true(premaster(em, again));
        assert_memory_not_equal(out, em + SIZE - 48, 48);
        assert_memory_not_equal(out, again, 48);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void from_the_bare_number(void **state)
{
    (void)state;
    premasters(RSA_DECRYPT);
    premasters(RSA_BOTH);
}

static void taken_off_by_the_tpm(void **state)
{
    (void)state;
    premasters(RSA_ES);
}

/* --- key agreement --- */

static size_t derive(EVP_PKEY *own, EVP_PKEY *peer, uint8_t out[80])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, own, NULL);
    size_t n = 80;
    int ok = EVP_PKEY_derive_init(ctx) > 0 &&
             EVP_PKEY_derive_set_peer(ctx, peer) > 0 &&
             EVP_PKEY_derive(ctx, out, &n) > 0;

    EVP_PKEY_CTX_free(ctx);
    return ok ? n : 0;
}

static void agreement(void **state)
{
    static const struct {
        const char *uri, *group;
        size_t n;
    } cases[] = {{KEY_URI(05), "P-256", 32},
                 {KEY_URI(06), "P-384", 48},
                 {KEY_URI(07), "P-521", 66}};
    uint8_t ours[80], theirs[80];
    size_t i, j;

    (void)state;
    for (i = 0; i < 3; i++) {
        use(cases[i].uri);
        for (j = 0; j < 8; j++) { /* secrets with zeros in front, too */
            EVP_PKEY *peer = EVP_PKEY_Q_keygen(w.libctx, "provider=default",
                                               "EC", cases[i].group);

            commands();
            assert_int_equal(derive(key, peer, ours), cases[i].n);
            assert_int_equal(commands(), 1);
            assert_int_equal(derive(peer, pub, theirs), cases[i].n);
            assert_memory_equal(ours, theirs, cases[i].n);
            EVP_PKEY_free(peer);
        }
        check_like_default(&w, key);
    }
}

#define TEST(f) cmocka_unit_test_teardown(f, after)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_padding),
        TEST(bare),
        TEST(tied),
        TEST(wrong),
        TEST(agreement),
        TEST(from_the_bare_number),
        TEST(taken_off_by_the_tpm),
    };

    if (!tpm_device_here()) {
        puts("1..0 # SKIP no TPM in software");
        return 0;
    }
    return cmocka_run_group_tests(tests, begin, end_all);
}
