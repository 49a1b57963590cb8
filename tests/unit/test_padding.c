/* SPDX-License-Identifier: Apache-2.0 */
/* RSA signatures whose padding a token does not make: made here, and signed as
 * bare numbers, where and only where that is allowed. */
#include "config.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "tests/unit/token_use.h"

#define PSS 0xd
#define PKCS1 0x1
#define BARE 0x3

static struct made made;
static EVP_PKEY *key;

static void with_key(const CK_MECHANISM_TYPE *allowed, size_t n)
{
    EVP_PKEY_free(key);
    maker_wipe(&m);
    assert_int_equal(maker_pair(&m, NULL, "k", "key", allowed, n, &made),
                     CKR_OK);
    key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
    assert_non_null(key);
}
#define WITH_KEY(...)                                                          \
    with_key((CK_MECHANISM_TYPE[]){__VA_ARGS__},                               \
             sizeof((CK_MECHANISM_TYPE[]){__VA_ARGS__}) /                      \
                 sizeof(CK_MECHANISM_TYPE))

static void without(unsigned mechanism)
{
    char line[40];

    snprintf(line, sizeof(line), "slot 1 without=0x%x", mechanism);
    assert_true(m.soft->tell(line));
}

static int fresh(void **state)
{
    if (each(state) != 0 || !m.soft->tell("slot 1 not-without"))
        return -1;
    with_key(NULL, 0);
    return 0;
}

static int after(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    key = NULL;
    return 0;
}

/* one signature, the default provider's verdict, and the calls it took */
static unsigned calls(const char *md, int pss)
{
    m.soft->tell("forget");
    if (!sign_verify(&w, key, md, pss)) {
        ERR_print_errors_fp(stderr);
        fail_msg("%s, %d", md, pss);
    }
    no_errors();
    return m.soft->calls(NULL);
}

/* refused, without a mechanism being tried when tries is 0 */
static void refused(const char *md, int pss, int reason, unsigned tries)
{
    m.soft->tell("forget");
    assert_false(sign_verify(&w, key, md, pss));
    assert_int_equal(hwk_reason(), reason);
    assert_int_equal(m.soft->calls("C_SignInit"), tries);
    ERR_clear_error();
}

static const char *const mds[] = {
    "SHA1",     "SHA224",   "SHA256",     "SHA384",     "SHA512",  "SHA3-224",
    "SHA3-256", "SHA3-384", "SHA512-224", "SHA512-256", "MD5-SHA1"};
#define MDS (sizeof(mds) / sizeof(mds[0]))

/* --- what is missing is made here --- */

static void no_pss(void **state)
{
    static const int salts[] = {RSA_PSS_SALTLEN_DIGEST, RSA_PSS_SALTLEN_MAX,
                                RSA_PSS_SALTLEN_AUTO, 0, 20};
    size_t i, j;

    (void)state;
    without(PSS);
    for (i = 0; i + 1 < MDS; i++) {
        for (j = 0; j < sizeof(salts) / sizeof(salts[0]); j++) {
            calls(mds[i], salts[j]);
            /* the token is not asked for it again */
            assert_int_equal(calls(mds[i], salts[j]), 2);
        }
    }
    assert_int_equal(calls("SHA256", NO_PSS), 2);
}

static void no_pkcs1(void **state)
{
    uint8_t sig[256], out[256];
    size_t i, n = sizeof(sig), out_n = sizeof(out);
    EVP_PKEY_CTX *ctx;

    (void)state;
    without(PKCS1);
    for (i = 0; i < MDS; i++) {
        calls(mds[i], NO_PSS);
        if (i > 0)
            assert_int_equal(calls(mds[i], NO_PSS), 2);
    }
    ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_int_equal(EVP_PKEY_sign(ctx, sig, &n, (const uint8_t *)"any", 3), 1);
    assert_int_equal(EVP_PKEY_verify_recover_init(ctx), 1);
    assert_int_equal(EVP_PKEY_verify_recover(ctx, out, &out_n, sig, n), 1);
    assert_int_equal(out_n, 3);
    assert_memory_equal(out, "any", 3);
    EVP_PKEY_CTX_free(ctx);
    no_errors();
}

/* a digest for MGF1 that is not that of the message */
static void another_mgf1(void **state)
{
    EVP_PKEY *twin = default_twin(&w, key);
    uint8_t sig[256];
    size_t n = sizeof(sig);
    EVP_PKEY_CTX *pctx;
    EVP_MD_CTX *ctx;
    int i;

    (void)state;
    without(PSS);
    for (i = 0; i < 2; i++) {
        ctx = EVP_MD_CTX_new();
        assert_int_equal(
            (i == 0 ? EVP_DigestSignInit_ex
                    : EVP_DigestVerifyInit_ex)(ctx, &pctx, "SHA384", w.libctx,
                                               NULL, i == 0 ? key : twin, NULL),
            1);
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_mgf1_md_name(pctx, "SHA512-256", NULL);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 33);
        if (i == 0)
            assert_int_equal(
                EVP_DigestSign(ctx, sig, &n, (const uint8_t *)"x", 1), 1);
        else
            assert_int_equal(
                EVP_DigestVerify(ctx, sig, n, (const uint8_t *)"x", 1), 1);
        EVP_MD_CTX_free(ctx);
    }
    EVP_PKEY_free(twin);
}

/* --- and nothing else is --- */

static void as_the_token_has_it(void **state)
{
    (void)state;
    without(BARE);
    assert_int_equal(calls("SHA256", RSA_PSS_SALTLEN_DIGEST), 2);
    assert_int_equal(calls("SHA512", 20), 2);
    assert_int_equal(calls("SHA256", NO_PSS), 2);
}

/* one kind is refused: others are the token's as before */
static void one_parameter(void **state)
{
    static const CK_RV codes[] = {CKR_MECHANISM_PARAM_INVALID,
                                  CKR_MECHANISM_INVALID, CKR_ARGUMENTS_BAD};
    char line[80];
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        with_key(NULL, 0);
        snprintf(line, sizeof(line), "on C_SignInit rv=0x%lx", codes[i]);
        m.soft->tell("forget");
        assert_true(m.soft->tell(line));
        assert_true(sign_verify(&w, key, "SHA256", 20));
        assert_int_equal(m.soft->calls("C_SignInit"), 2);
        no_errors();
        without(BARE);
        calls("SHA256", 21);
        calls("SHA384", 20);
        refused("SHA256", 20, HWK_R_UNSUPPORTED, 1); /* that one is ours now */
        assert_true(m.soft->tell("slot 1 not-without"));
        calls("SHA256", 20);
    }
}

/* errors that say nothing about a mechanism */
static void other_errors(void **state)
{
    (void)state;
    m.soft->tell("forget");
    assert_true(m.soft->tell("on C_SignInit rv=6"));
    assert_false(sign_verify(&w, key, "SHA256", RSA_PSS_SALTLEN_DIGEST));
    assert_int_equal(hwk_reason(), HWK_R_PKCS11);
    assert_int_equal(m.soft->calls("C_SignInit"), 1);
    ERR_clear_error();
    refused("SHA512", 191, HWK_R_PADDING, 0); /* longer than fits */
    refused("MD5-SHA1", RSA_PSS_SALTLEN_DIGEST, HWK_R_DIGEST, 0);
}

static void neither(void **state)
{
    const char *text = NULL;

    (void)state;
    without(PSS);
    without(BARE);
    assert_false(sign_verify(&w, key, "SHA256", 20));
    ERR_peek_last_error_data(&text, NULL); /* of the two refusals, the first */
    assert_non_null(strstr(text, "makes no PSS signature with SHA2-256"));
    refused("SHA256", 20, HWK_R_UNSUPPORTED, 2);
    calls("SHA256", NO_PSS);
}

/* --- what keys are allowed --- */

static void bare_only(void **state)
{
    (void)state;
    WITH_KEY(CKM_RSA_X_509);
    assert_int_equal(calls("SHA256", NO_PSS), 2); /* nothing else is tried */
    assert_int_equal(calls("SHA384", RSA_PSS_SALTLEN_MAX), 2);
}

static void not_bare(void **state)
{
    (void)state;
    WITH_KEY(CKM_RSA_PKCS, CKM_RSA_PKCS_PSS);
    without(PSS);
    refused("SHA256", RSA_PSS_SALTLEN_DIGEST, HWK_R_UNSUPPORTED, 1);
    calls("SHA256", NO_PSS);
    WITH_KEY(CKM_RSA_PKCS);
    refused("SHA256", RSA_PSS_SALTLEN_DIGEST, HWK_R_PADDING, 0);
}

/* restricted to PSS by the mechanisms, and by the certificate alone */
static void for_pss_alone(void **state)
{
    X509 *x;

    (void)state;
    WITH_KEY(CKM_RSA_PKCS_PSS);
    x = self_cert(&w, key);
    assert_non_null(x);
    without(PSS);
    refused("SHA256", RSA_PSS_SALTLEN_DIGEST, HWK_R_UNSUPPORTED, 1);
    assert_int_equal(maker_set(&m, made.priv, CKA_ALLOWED_MECHANISMS, "", 0),
                     CKR_OK);
    maker_cert(&m, "k", "cert", x);
    X509_free(x);
    EVP_PKEY_free(key);
    key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
    assert_true(EVP_PKEY_is_a(key, "RSA-PSS"));
    refused("SHA256", RSA_PSS_SALTLEN_DIGEST, HWK_R_UNSUPPORTED, 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fresh, after)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(no_pss),        T(no_pkcs1),
        T(another_mgf1),  T(as_the_token_has_it),
        T(one_parameter), T(other_errors),
        T(neither),       T(bare_only),
        T(not_bare),      T(for_pss_alone),
    };

    (void)argc;
    return RUN(argv, tests, 0);
}
