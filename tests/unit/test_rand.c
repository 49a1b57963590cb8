/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes come from the token when that is asked for, and never else. */
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "provider/device.h"
#include "tests/unit/token_use.h"

static EVP_RAND_CTX *token_rand(const char *uri)
{
    EVP_RAND *rand = EVP_RAND_fetch(w.libctx, "HWKEY-RAND", NULL);
    EVP_RAND_CTX *ctx = EVP_RAND_CTX_new(rand, NULL);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(
                               HWK_PARAM_KEY_URI, (char *)(uintptr_t)uri, 0),
                           OSSL_PARAM_construct_end()};

    assert_non_null(ctx);
    assert_int_equal(EVP_RAND_instantiate(ctx, 256, 0, NULL, 0,
                                          uri != NULL ? params : params + 1),
                     1);
    EVP_RAND_free(rand);
    return ctx;
}

static void bytes(void **state)
{
    static const char *const uris[] = {NULL, "pkcs11:", "pkcs11:slot-id=1"};
    static uint8_t a[70000], b[70000];
    EVP_RAND_CTX *ctx;
    size_t i;

    NEED();
    for (i = 0; i < (softhsm ? 2 : 3); i++) {
        ctx = token_rand(uris[i]);
        assert_int_equal(EVP_RAND_generate(ctx, a, sizeof(a), 0, 0, NULL, 0),
                         1);
        assert_int_equal(EVP_RAND_generate(ctx, b, sizeof(b), 0, 0, NULL, 0),
                         1);
        assert_memory_not_equal(a, b, 32);
        assert_memory_not_equal(a + sizeof(a) - 32, b + sizeof(b) - 32, 32);
        no_errors();
        EVP_RAND_CTX_free(ctx);
    }
    if (m.soft != NULL)
        assert_true(m.soft->calls("C_GenerateRandom") > 0);
}

static void no_such_token(void **state)
{
    EVP_RAND_CTX *ctx;
    uint8_t out[16];

    NEED();
    ctx = token_rand("pkcs11:token=absent");
    assert_int_not_equal(EVP_RAND_generate(ctx, out, 16, 0, 0, NULL, 0), 1);
    assert_int_equal(hwk_reason(), HWK_R_NO_DEVICE);
    EVP_RAND_CTX_free(ctx);
}

static void losses(void **state)
{
    EVP_RAND_CTX *ctx;
    uint8_t out[16];

    NEED();
    ctx = token_rand(NULL);
    assert_true(m.soft->tell("on C_GenerateRandom sessions"));
    assert_int_equal(EVP_RAND_generate(ctx, out, 16, 0, 0, NULL, 0), 1);
    no_errors();
    assert_true(m.soft->tell("on C_GenerateRandom times=0 rv=0x121"));
    assert_int_not_equal(EVP_RAND_generate(ctx, out, 16, 0, 0, NULL, 0), 1);
    assert_int_equal(hwk_reason(), HWK_R_PKCS11);
    EVP_RAND_CTX_free(ctx);
}

/* in both orders: the process's own random bytes and keys are its own */
static void never_unasked(void **state)
{
    static const char *const orders[] = {"dh", "hd"};
    uint8_t out[32];
    size_t i;

    NEED();
    for (i = 0; i < 2; i++) {
        struct world other;
        EVP_PKEY *key;

        assert_true(world_open(&other, orders[i]));
        assert_int_equal(RAND_bytes_ex(other.libctx, out, sizeof(out), 0), 1);
        assert_int_equal(RAND_priv_bytes_ex(other.libctx, out, sizeof(out), 0),
                         1);
        key = EVP_PKEY_Q_keygen(other.libctx, NULL, "X25519");
        assert_non_null(key);
        EVP_PKEY_free(key);
        world_close(&other);
    }
    assert_int_equal(m.soft->calls(NULL), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bytes, each),
        cmocka_unit_test_setup(no_such_token, each),
        cmocka_unit_test_setup(losses, each),
        cmocka_unit_test_setup(never_unasked, each),
    };

    (void)argc;
    return RUN(argv, tests, 2);
}
