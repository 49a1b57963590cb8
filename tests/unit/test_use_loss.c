/* SPDX-License-Identifier: Apache-2.0 */
/* Decryption and key agreement go on when sessions, login or module are lost
 * before a call, in it or between two. */
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "tests/lib/keycheck.h"
#include "tests/unit/token_use.h"

#define SIZE 256

static EVP_PKEY *made(const struct hwk_curve *curve)
{
    struct made k;
    EVP_PKEY *key;

    assert_int_equal(maker_pair(&m, curve, "k", "key", NULL, 0, &k), CKR_OK);
    key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
    assert_non_null(key);
    return key;
}

static void lose(const char *how)
{
    assert_true(m.soft->tell("forget"));
    assert_true(m.soft->tell(how));
}

/* --- decryption --- */

static int decrypts(EVP_PKEY *key, const uint8_t *c)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    uint8_t out[SIZE];
    size_t n = sizeof(out);
    int ok = EVP_PKEY_decrypt_init(ctx) > 0 &&
             EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
             EVP_PKEY_decrypt(ctx, out, &n, c, SIZE) > 0 && n == 4 &&
             memcmp(out, "text", 4) == 0;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static void encrypt(EVP_PKEY *key, uint8_t c[static SIZE])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    size_t n = SIZE;

    assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0);
    assert_int_equal(EVP_PKEY_encrypt(ctx, c, &n, (const uint8_t *)"text", 4),
                     1);
    EVP_PKEY_CTX_free(ctx);
}

static void decryption(void **state)
{
    static const char *const losses[] = {
        "on C_DecryptInit sessions",
        "on C_DecryptInit logout",
        "on C_DecryptInit restart",
        "on C_Decrypt sessions",
        "on C_Decrypt restart",
        "do sessions",
        "do finalize",
    };
    uint8_t c[SIZE];
    EVP_PKEY *key, *twin;
    size_t i;

    NEED();
    key = made(NULL);
    twin = default_twin(&w, key);
    encrypt(twin, c);
    for (i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        lose(losses[i]);
        assert_true(decrypts(key, c));
        no_errors();
    }
    lose("on C_Decrypt times=0 rv=0x30"); /* a device error that stays */
    assert_false(decrypts(key, c));
    assert_int_equal(hwk_reason(), HWK_R_PKCS11);
    lose("forget");
    assert_true(decrypts(key, c));
    EVP_PKEY_free(twin);
    EVP_PKEY_free(key);
}

/* --- agreement --- */

static int agrees(EVP_PKEY *key, EVP_PKEY *peer, uint8_t out[static 32])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    size_t n = 32;
    int ok = EVP_PKEY_derive_init(ctx) > 0 &&
             EVP_PKEY_derive_set_peer(ctx, peer) > 0 &&
             EVP_PKEY_derive(ctx, out, &n) > 0 && n == 32;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static void agreement(void **state)
{
    static const char *const losses[] = {
        "on C_DeriveKey sessions",
        "on C_DeriveKey logout",
        "on C_DeriveKey restart",
        "on C_GetAttributeValue sessions",
        "do sessions",
        "do finalize",
    };
    uint8_t here[32], there[32];
    EVP_PKEY *key, *twin, *peer, *pub;
    size_t i;

    NEED();
    key = made(hwk_curve_by_bits(256));
    twin = default_twin(&w, key);
    peer = EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", "P-256");
    pub = default_twin(&w, peer);
    assert_true(agrees(peer, twin, there));
    for (i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        lose(losses[i]);
        assert_true(agrees(key, pub, here));
        no_errors();
        assert_memory_equal(here, there, 32);
    }
    EVP_PKEY_free(pub);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(twin);
    EVP_PKEY_free(key);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(decryption, each),
        cmocka_unit_test_setup(agreement, each),
    };

    (void)argc;
    return RUN(argv, tests, 0);
}
