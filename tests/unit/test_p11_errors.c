/* SPDX-License-Identifier: Apache-2.0 */
/* A module that leaves errors of its own on OpenSSL's queue at every call: none
 * of them is there afterwards, what we say of a failure is, and what was there
 * before has stayed. */
#include <string.h>

#include <openssl/rsa.h>

#include "tests/lib/soft_token.h"

#define TOKEN "pkcs11:token=soft"
#define PIN "?pin-value=1234"

static EVP_PKEY *ec, *rsa;

static int begin(void **state)
{
    if (soft_begin(state) != 0)
        return -1;
    tell("module noisy");
    tell("slot 1 label=soft tries=99");
    tell("slot 2 label=soft serial=2");
    return 0;
}

static int end(void **state)
{
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    return soft_end(state);
}

/* an error of the application is on the queue */
static void before(void)
{
    ERR_clear_error();
    ERR_raise(ERR_LIB_USER, ERR_R_PASSED_INVALID_ARGUMENT);
}

static void well(void)
{
    assert_int_equal(ERR_GET_REASON(ERR_get_error()),
                     ERR_R_PASSED_INVALID_ARGUMENT);
    assert_int_equal(ERR_get_error(), 0);
}

/* ours comes next, and nothing else */
static void ill(int reason)
{
    assert_int_equal(ERR_GET_REASON(ERR_get_error()),
                     ERR_R_PASSED_INVALID_ARGUMENT);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), reason);
    assert_int_equal(hwk_foreign_errors(), 0);
}

static EVP_PKEY *opened(const char *uri)
{
    before();
    return open_key(&soft_w, uri, OSSL_STORE_INFO_PKEY, NULL);
}

static int sign(EVP_PKEY *key)
{
    uint8_t sig[512];

    before();
    return sign_msg(&soft_w, key, "SHA256", NO_PSS, "x", 1, sig, sizeof(sig)) >
           0;
}

static int decrypt(int padding)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(soft_w.libctx, rsa, NULL);
    uint8_t in[256] = {0}, out[256]; /* nothing, whatever the key */
    size_t n = sizeof(out);
    int ok;

    before();
    ok = EVP_PKEY_decrypt_init(ctx) > 0 &&
         EVP_PKEY_CTX_set_rsa_padding(ctx, padding) > 0 &&
         EVP_PKEY_decrypt(ctx, out, &n, in, sizeof(in)) > 0;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static EVP_PKEY *decrypting(const char *uri)
{
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(soft_w.libctx, "RSA", "provider=hwkey");
    EVP_PKEY *key = NULL;

    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, HWK_PARAM_KEY_URI, uri) > 0);
    assert_true(
        EVP_PKEY_CTX_ctrl_str(ctx, HWK_PARAM_KEY_USAGE, "sign,decrypt") > 0);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* --- the first use, which loads the module, first --- */

static void module_that_fails(void **state)
{
    (void)state;
    tell("on C_Initialize times=0 rv=0x5");
    assert_null(opened(TOKEN ";object=ec" PIN));
    ill(HWK_R_PKCS11);
    tell("forget");
    tell("on C_GetSlotList times=0 rv=0x5");
    assert_null(opened(TOKEN ";object=ec" PIN));
    ill(HWK_R_PKCS11);
}

static void all_is_well(void **state)
{
    (void)state;
    before();
    ec =
        make_key(&soft_w, "EC", "P-256", 0, TOKEN ";serial=0001;object=ec" PIN);
    assert_non_null(ec);
    well();
    before();
    rsa = decrypting(TOKEN ";serial=0001;object=rsa" PIN);
    well();
    EVP_PKEY_free(opened(TOKEN ";object=rsa" PIN));
    well();
    assert_true(sign(ec));
    well();
    assert_true(sign(rsa));
    well();
    tell("do restart"); /* what is healed leaves nothing either */
    assert_true(sign(ec));
    well();
}

static void ciphertexts(void **state)
{
    (void)state;
    assert_false(decrypt(RSA_PKCS1_PADDING));
    ill(HWK_R_PKCS11);
    assert_false(decrypt(RSA_PKCS1_OAEP_PADDING)); /* unpadded here */
    ill(HWK_R_PADDING);
}

static void refusals(void **state)
{
    (void)state;
    assert_null(opened(TOKEN ";object=ec" PIN "9"));
    ill(HWK_R_PIN_INCORRECT);
    tell("do restart");
    assert_null(opened(TOKEN ";serial=0001;object=ec" PIN "8"));
    ill(HWK_R_PIN_INCORRECT);
    assert_null(opened("pkcs11:token=none;object=ec" PIN));
    ill(HWK_R_NO_DEVICE);
    tell("on C_Sign times=0 rv=0x5");
    assert_false(sign(ec));
    ill(HWK_R_PKCS11);
    tell("forget");
    tell("do remove=1");
    assert_false(sign(ec));
    ill(HWK_R_NO_DEVICE);
    tell("do insert=1");
    assert_true(sign(ec));
    well();
}

#define T(fn) cmocka_unit_test_setup(fn, soft_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(module_that_fails),
        T(all_is_well),
        T(ciphertexts),
        T(refusals),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
