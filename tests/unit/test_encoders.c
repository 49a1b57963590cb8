/* SPDX-License-Identifier: Apache-2.0 */
/* Keys written out: public halves as the default provider writes them, private
 * ones never; what the text says. */
#include <stdlib.h>
#include <string.h>

#include <openssl/encoder.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "tests/lib/backend_soft.h"
#include "tests/lib/keycheck.h"

static struct world w;

static int open_world(void **state)
{
    (void)state;
    soft_reset();
    return world_open(&w, "dh") ? 0 : -1;
}

/* without the default provider's help, as far as we know */
static int open_alone(void **state)
{
    setenv("HWKEY_LOAD_DEFAULT", "no", 1);
    return open_world(state);
}

static int close_world(void **state)
{
    (void)state;
    unsetenv("HWKEY_LOAD_DEFAULT");
    world_close(&w);
    ERR_clear_error();
    return soft.refs == 0 ? 0 : -1;
}

static const char *const names[] = {
    "ec",      "ec521", "eck1",   "rsa",  "rsa-pss", "rsa-pss-sha256",
    "ed25519", "ed448", "x25519", "x448", "ecbp"};
#define NAMES (sizeof(names) / sizeof(names[0]))

static EVP_PKEY *key_at(size_t i)
{
    char uri[64];
    EVP_PKEY *key;

    snprintf(uri, sizeof(uri), "hwksoft:%s", names[i]);
    key = open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL);
    assert_non_null(key);
    return key;
}

static size_t encode(EVP_PKEY *key, int selection, const char *type,
                     const char *structure, const char *propq, uint8_t **out)
{
    OSSL_ENCODER_CTX *ctx =
        OSSL_ENCODER_CTX_new_for_pkey(key, selection, type, structure, propq);
    size_t n = 0;

    *out = NULL;
    if (!OSSL_ENCODER_to_data(ctx, out, &n))
        n = 0;
    OSSL_ENCODER_CTX_free(ctx);
    return n;
}

static const char *ours; /* what is asked to write our keys */

static void same(EVP_PKEY *key, EVP_PKEY *twin, const char *type,
                 const char *structure)
{
    uint8_t *a, *b;
    size_t n = encode(key, EVP_PKEY_PUBLIC_KEY, type, structure, ours, &a);
    size_t m = encode(twin, EVP_PKEY_PUBLIC_KEY, type, structure,
                      "provider=default", &b);

    if (n != m || (n > 0 && memcmp(a, b, n) != 0))
        fail_msg("%s as %s %s: %zu bytes, default %zu",
                 EVP_PKEY_get0_type_name(key), type, structure, n, m);
    OPENSSL_free(a);
    OPENSSL_free(b);
    ERR_clear_error();
}

static void public_forms(void **state)
{
    size_t i;

    ours = *state;
    for (i = 0; i < NAMES; i++) {
        EVP_PKEY *key = key_at(i), *twin = default_twin(&w, key);
        bool rsa = EVP_PKEY_is_a(key, "RSA");

        same(key, twin, "DER", "SubjectPublicKeyInfo");
        same(key, twin, "PEM", "SubjectPublicKeyInfo");
        same(key, twin, "TEXT", NULL);
        if (rsa) {
            same(key, twin, "DER", "type-specific");
            same(key, twin, "PEM", "type-specific");
        }
        if (rsa || EVP_PKEY_is_a(key, "RSA-PSS")) {
            same(key, twin, "DER", "pkcs1");
            same(key, twin, "PEM", "pkcs1");
        }
        if (EVP_PKEY_is_a(key, "EC"))
            same(key, twin, "blob", NULL);
        EVP_PKEY_free(twin);
        EVP_PKEY_free(key);
    }
}

static void old_functions(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < NAMES; i++) {
        EVP_PKEY *key = key_at(i), *twin = default_twin(&w, key);
        unsigned char *a = NULL, *b = NULL;
        int n = i2d_PublicKey(key, &a), m = i2d_PublicKey(twin, &b);

        assert_int_equal(n, m);
        if (n > 0)
            assert_memory_equal(a, b, (size_t)n);
        OPENSSL_free(a);
        OPENSSL_free(b);
        EVP_PKEY_free(twin);
        EVP_PKEY_free(key);
        ERR_clear_error();
    }
}

static void private_ones_stay(void **state)
{
    static const struct {
        const char *type, *structure;
    } forms[] = {
        {"DER", "PrivateKeyInfo"},
        {"DER", "type-specific"},
        {"PEM", "type-specific"},
        {"DER", "pkcs1"},
    };
    size_t i, j;

    (void)state;
    for (i = 0; i < NAMES; i++) {
        EVP_PKEY *key = key_at(i);
        unsigned char *der = NULL;

        ERR_clear_error();
        assert_true(i2d_PrivateKey(key, &der) <= 0);
        assert_null(der);
        assert_int_equal(hwk_reason(), HWK_R_PRIVATE);
        for (j = 0; j < sizeof(forms) / sizeof(forms[0]); j++) {
            uint8_t *out;

            assert_int_equal(encode(key, EVP_PKEY_KEYPAIR, forms[j].type,
                                    forms[j].structure, NULL, &out),
                             0);
            assert_null(out);
        }
        EVP_PKEY_free(key);
    }
}

/* the PEM of a private key is the file that stands for it */
static void wrappers(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < NAMES; i++) {
        EVP_PKEY *key = key_at(i), *again;
        BIO *bio = BIO_new(BIO_s_mem());

        assert_int_equal(
            PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
        again =
            PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, w.libctx, NULL);
        assert_non_null(again);
        assert_string_equal(EVP_PKEY_get0_type_name(again),
                            EVP_PKEY_get0_type_name(key));
        assert_int_equal(EVP_PKEY_eq(again, key), 1);
        EVP_PKEY_free(again);
        BIO_free(bio);
        EVP_PKEY_free(key);
    }
}

static char *text_of(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *p, *text;
    long n;

    assert_int_equal(EVP_PKEY_print_private(bio, key, 0, NULL), 1);
    n = BIO_get_mem_data(bio, &p);
    text = calloc(1, (size_t)n + 1); /* no NUL ends what a BIO holds */
    memcpy(text, p, (size_t)n);
    BIO_free(bio);
    return text;
}

static void texts(void **state)
{
    static const struct {
        const char *uri, *what, *use;
    } keys[] = {
        {"hwksoft:ec", "Private-Key: EC P-256 in a device (soft)\n",
         "Use: sign\n"},
        {"hwksoft:rsa", "Private-Key: RSA 2048 in a device (soft)\n",
         "Use: sign\n"},
        {"hwksoft:ed25519", "Private-Key: Ed25519 in a device (soft)\n",
         "Use: sign\n"},
        {"hwksoft:x448", "Private-Key: X448 in a device (soft)\n",
         "Use: agree on keys\n"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        EVP_PKEY *key = open_key(&w, keys[i].uri, OSSL_STORE_INFO_PKEY, NULL);
        char *text = text_of(key), uri[80];

        snprintf(uri, sizeof(uri), "URI: %s\n", keys[i].uri);
        assert_ptr_equal(strstr(text, keys[i].what), text);
        assert_non_null(strstr(text, uri));
        assert_non_null(strstr(text, keys[i].use));
        assert_non_null(strstr(text, "ublic-Key:"));
        assert_null(strstr(text, "priv:"));
        assert_null(strstr(text, "privateExponent"));
        free(text);
        EVP_PKEY_free(key);
    }
}

/* keys in software are written as if we were not there */
static void others_undisturbed(void **state)
{
    static const char *const types[] = {"ED25519", "X448"};
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(w.libctx, NULL, types[i]);
        char *text = text_of(key);
        unsigned char *der = NULL;

        assert_non_null(strstr(text, "priv:"));
        assert_true(i2d_PrivateKey(key, &der) > 0);
        OPENSSL_free(der);
        free(text);
        EVP_PKEY_free(key);
    }
    assert_int_equal(soft.calls, 0);
    assert_int_equal(ERR_peek_error(), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(public_forms),
        {"by_ourselves", public_forms, open_alone, close_world,
         (void *)(uintptr_t) "provider=hwkey"},
        T(old_functions),
        T(private_ones_stay),
        T(wrappers),
        T(texts),
        T(others_undisturbed),
    };

    hwk_backend_for_tests = &hwk_backend_soft;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
