/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of every type in a token: what they are, where their public half comes
 * from, what they sign. With the tests' own module, or with SoftHSM2 when the
 * program's name says so. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "tests/unit/token_use.h"

/* LeakSanitizer asks: SoftHSM2 2.6.1 leaks a string at every signature with an
 * Edwards key */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return softhsm;
}

static EVP_PKEY *open_it(const char *uri)
{
    EVP_PKEY *key = open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL);

    if (key == NULL)
        ERR_print_errors_fp(stderr);
    assert_non_null(key);
    assert_int_equal(ERR_peek_error(), 0);
    return key;
}

static void make(const struct hwk_curve *curve, struct made *out)
{
    assert_int_equal(maker_pair(&m, curve, "k", "key", NULL, 0, out), CKR_OK);
}

/* --- every type --- */

/* what SoftHSM2 2.6.1 does not do at all */
static bool not_there(const struct hwk_curve *c)
{
    return softhsm && c->type == HWK_KEY_X;
}

static void every_curve(void **state)
{
    const struct hwk_curve *c;
    struct made k;
    size_t i;

    NEED();
    for (i = 0; (c = hwk_curve_at(i)) != NULL; i++) {
        EVP_PKEY *key;

        if (not_there(c))
            continue;
        make(c, &k);
        key = open_it(URI);
        assert_true(EVP_PKEY_is_a(key, c->type == HWK_KEY_EC ? "EC" : c->name));
        check_like_default(&w, key);
        if (c->type == HWK_KEY_EC)
            assert_true(sign_verify(&w, key, "SHA512", NO_PSS));
        if (c->type == HWK_KEY_EC)
            assert_true(sign_verify(&w, key, "SHA1", NO_PSS));
        if (c->type == HWK_KEY_ED)
            assert_true(sign_verify(&w, key, NULL, NO_PSS));
        assert_int_equal(ERR_peek_error(), 0);
        EVP_PKEY_free(key);
        maker_wipe(&m);
    }
}

static void rsa(void **state)
{
    static const char *const mds[] = {"SHA1",       "SHA224",   "SHA256",
                                      "SHA384",     "SHA512",   "SHA3-224",
                                      "SHA3-256",   "SHA3-384", "SHA512-224",
                                      "SHA512-256", "MD5-SHA1"};
    struct made k;
    EVP_PKEY *key;
    size_t i;

    NEED();
    make(NULL, &k);
    key = open_it(URI);
    assert_true(EVP_PKEY_is_a(key, "RSA"));
    check_like_default(&w, key);
    for (i = 0; i < sizeof(mds) / sizeof(mds[0]); i++)
        assert_true(sign_verify(&w, key, mds[i], NO_PSS));
    /* what a token's PSS has not is padded here: all but the last */
    for (i = 0; i + 1 < sizeof(mds) / sizeof(mds[0]); i++) {
        assert_true(sign_verify(&w, key, mds[i], RSA_PSS_SALTLEN_DIGEST));
        assert_true(sign_verify(&w, key, mds[i], RSA_PSS_SALTLEN_MAX));
        assert_true(sign_verify(&w, key, mds[i], 0));
        assert_true(sign_verify(&w, key, mds[i], 13));
    }
    assert_int_equal(ERR_peek_error(), 0);
    EVP_PKEY_free(key);
}

/* --- where the public half is --- */

static void cert_for(const char *id, const char *label)
{
    EVP_PKEY *key = open_it("pkcs11:object=key;type=private?pin-value=1234");
    X509 *x = self_cert(&w, key);

    assert_non_null(x);
    maker_cert(&m, id, label, x);
    X509_free(x);
    EVP_PKEY_free(key);
}

static const char *const types[] = {"P-256", "Ed25519", NULL};
#define TYPES (sizeof(types) / sizeof(types[0]))

static const struct hwk_curve *type_at(size_t i)
{
    return types[i] != NULL ? hwk_curve_by_name(types[i]) : NULL;
}

static void only_a_certificate(void **state)
{
    struct made k;
    size_t i;

    NEED();
    for (i = 0; i < TYPES; i++) {
        EVP_PKEY *key;

        make(type_at(i), &k);
        cert_for("k", "cert");
        assert_int_equal(m.f->C_DestroyObject(m.s, k.pub), CKR_OK);
        if (type_at(i) == NULL) /* ... and the modulus alone */
            maker_set(&m, k.priv, CKA_PUBLIC_EXPONENT, "", 0);
        key = open_it(URI);
        assert_true(sign_verify(
            &w, key,
            type_at(i) != NULL && type_at(i)->type == HWK_KEY_ED ? NULL
                                                                 : "SHA256",
            NO_PSS));
        EVP_PKEY_free(key);
        maker_wipe(&m);
    }
}

static void by_label(void **state)
{
    const struct hwk_curve *p256 = hwk_curve_by_bits(256);
    struct made k;
    EVP_PKEY *key;

    NEED();
    assert_int_equal(maker_pair(&m, p256, NULL, "key", NULL, 0, &k), CKR_OK);
    cert_for(NULL, "key");
    key = open_it("pkcs11:object=key;type=private?pin-value=1234");
    EVP_PKEY_free(key);
    assert_int_equal(m.f->C_DestroyObject(m.s, k.pub), CKR_OK);
    key = open_it("pkcs11:object=key;type=private?pin-value=1234");
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
}

static void own_attributes(void **state)
{
    struct made k;
    unsigned char *der = NULL;
    EVP_PKEY *key;
    int n;

    NEED();
    if (softhsm) /* keeps no such attribute of a key it made */
        skip();
    make(hwk_curve_by_bits(384), &k);
    key = open_it(URI);
    n = i2d_PUBKEY(key, &der);
    EVP_PKEY_free(key);
    assert_int_equal(m.f->C_DestroyObject(m.s, k.pub), CKR_OK);
    assert_null(open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL));
    ERR_clear_error();
    assert_int_equal(maker_set(&m, k.priv, CKA_PUBLIC_KEY_INFO, der, (size_t)n),
                     CKR_OK);
    key = open_it(URI);
    assert_true(sign_verify(&w, key, "SHA384", NO_PSS));
    EVP_PKEY_free(key);
    /* and the point alone, which SubjectPublicKeyInfo ends with */
    maker_set(&m, k.priv, CKA_PUBLIC_KEY_INFO, "", 0);
    assert_int_equal(maker_set(&m, k.priv, CKA_EC_POINT, der + n - 97, 97),
                     CKR_OK);
    key = open_it(URI);
    assert_true(sign_verify(&w, key, "SHA384", NO_PSS));
    EVP_PKEY_free(key);
    OPENSSL_free(der);
}

/* a public half that is not this key's: only a signature tells */
static void a_wrong_half(void **state)
{
    const struct hwk_curve *p256 = hwk_curve_by_bits(256);
    struct made k, other;
    unsigned char *der = NULL;
    EVP_PKEY_CTX *ctx;
    EVP_PKEY *key;
    int n;

    NEED();
    if (softhsm) /* keeps no such attribute of a key it made */
        skip();
    make(p256, &k);
    assert_int_equal(maker_pair(&m, p256, "o", "other", NULL, 0, &other),
                     CKR_OK);
    key = open_it("pkcs11:id=o;type=private?pin-value=1234");
    n = i2d_PUBKEY(key, &der);
    EVP_PKEY_free(key);
    assert_int_equal(maker_set(&m, k.priv, CKA_EC_POINT, der + n - 65, 65),
                     CKR_OK);
    OPENSSL_free(der);
    key = open_it(URI);
    ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    assert_int_equal(EVP_PKEY_public_check(ctx), 1);
    assert_int_not_equal(EVP_PKEY_pairwise_check(ctx), 1);
    assert_int_equal(hwk_reason(), HWK_R_KEY);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
}

/* --- CKA_ALLOWED_MECHANISMS --- */

static EVP_PKEY *allowed(const CK_MECHANISM_TYPE *list, size_t n)
{
    struct made k;

    maker_wipe(&m);
    assert_int_equal(maker_pair(&m, NULL, "k", "key", list, n, &k), CKR_OK);
    return open_it(URI);
}
#define ALLOWED(...)                                                           \
    allowed((CK_MECHANISM_TYPE[]){__VA_ARGS__},                                \
            sizeof((CK_MECHANISM_TYPE[]){__VA_ARGS__}) /                       \
                sizeof(CK_MECHANISM_TYPE))

static void refuses(EVP_PKEY *key, const char *md, int pss, int reason)
{
    uint8_t sig[HWK_SIG_MAX];

    assert_int_equal(sign_msg(&w, key, md, pss, "x", 1, sig, sizeof(sig)), 0);
    assert_int_equal(hwk_reason(), reason);
}

static void only_pss(void **state)
{
    EVP_PKEY *key;

    NEED();
    key = ALLOWED(CKM_RSA_PKCS_PSS);
    assert_true(EVP_PKEY_is_a(key, "RSA-PSS"));
    check_like_default(&w, key);
    assert_true(sign_verify(&w, key, "SHA256", RSA_PSS_SALTLEN_DIGEST));
    assert_true(sign_verify(&w, key, "SHA384", RSA_PSS_SALTLEN_DIGEST));
    EVP_PKEY_free(key);
    key = ALLOWED(CKM_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS_PSS);
    assert_true(EVP_PKEY_is_a(key, "RSA-PSS"));
    check_like_default(&w, key);
    assert_true(sign_verify(&w, key, "SHA256", RSA_PSS_SALTLEN_DIGEST));
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS)); /* its own padding */
    refuses(key, "SHA384", RSA_PSS_SALTLEN_DIGEST, HWK_R_DIGEST);
    refuses(key, "SHA256", 8, HWK_R_PADDING);
    EVP_PKEY_free(key);
}

static void only_pkcs1(void **state)
{
    EVP_PKEY *key;

    NEED();
    key = ALLOWED(CKM_RSA_PKCS);
    assert_true(EVP_PKEY_is_a(key, "RSA"));
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    refuses(key, "SHA256", RSA_PSS_SALTLEN_DIGEST, HWK_R_PADDING);
    EVP_PKEY_free(key);
}

/* the token hashes: it must see the message */
static void only_with_hashing(void **state)
{
    EVP_PKEY *key;
    EVP_PKEY_CTX *ctx;
    uint8_t sig[256], digest[32] = {0};
    size_t n = sizeof(sig);

    NEED();
    if (!softhsm) /* it has only the bare mechanisms */
        skip();
    key = ALLOWED(CKM_SHA256_RSA_PKCS);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    refuses(key, "SHA384", NO_PSS, HWK_R_PADDING);
    ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()), 1);
    assert_true(EVP_PKEY_sign(ctx, sig, &n, digest, sizeof(digest)) <= 0);
    assert_int_equal(hwk_reason(), HWK_R_KEY);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    key = ALLOWED(CKM_SHA256_RSA_PKCS_PSS);
    assert_true(EVP_PKEY_is_a(key, "RSA-PSS"));
    assert_true(sign_verify(&w, key, "SHA256", RSA_PSS_SALTLEN_DIGEST));
    EVP_PKEY_free(key);
}

/* a certificate decides what an RSA key is: both meet in TLS */
static void as_the_certificate_says(void **state)
{
    EVP_PKEY *key;

    NEED();
    key = ALLOWED(CKM_RSA_PKCS_PSS);
    assert_true(EVP_PKEY_is_a(key, "RSA-PSS"));
    EVP_PKEY_free(key);
    cert_for("k", "cert"); /* of an RSA-PSS key */
    key = open_it(URI);
    assert_true(EVP_PKEY_is_a(key, "RSA-PSS"));
    EVP_PKEY_free(key);
    key = ALLOWED(CKM_RSA_PKCS_PSS, CKM_RSA_PKCS);
    assert_true(EVP_PKEY_is_a(key, "RSA"));
    EVP_PKEY_free(key);
}

/* 0 or the reason of a signature with such parameters */
static int edwards(EVP_PKEY *key, const char *instance, const char *context)
{
    OSSL_PARAM params[3], *p = params;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t sig[128], none[128] = {0};
    EVP_PKEY_CTX *pctx;
    size_t n = sizeof(sig);
    int ok;

    memset(sig, 0, sizeof(sig));
    *p++ = OSSL_PARAM_construct_utf8_string("instance",
                                            (char *)(uintptr_t)instance, 0);
    *p++ = OSSL_PARAM_construct_octet_string(
        "context-string", (char *)(uintptr_t)context, strlen(context));
    *p = OSSL_PARAM_construct_end();
    ok = EVP_DigestSignInit_ex(ctx, &pctx, NULL, w.libctx, NULL, key, NULL) ==
             1 &&
         EVP_PKEY_CTX_set_params(pctx, params) == 1 &&
         EVP_DigestSign(ctx, sig, &n, (const uint8_t *)"message", 7) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        assert_memory_equal(sig, none, sizeof(sig)); /* nothing is given out */
    else
        assert_int_equal(ERR_peek_error(), 0);
    return ok ? 0 : hwk_reason();
}

/* a module that leaves them out has signed something else */
static void parameters_of_eddsa(void **state)
{
    static const struct {
        const char *curve, *instance, *context;
    } t[] = {{"Ed25519", "Ed25519ctx", "ctx"}, {"Ed25519", "Ed25519ph", ""},
             {"Ed25519", "Ed25519ph", "ctx"},  {"Ed448", "Ed448", "ctx"},
             {"Ed448", "Ed448ph", ""},         {"Ed448", "Ed448ph", "ctx"}};
    size_t i;

    NEED();
    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct made k;
        EVP_PKEY *key;

        maker_wipe(&m);
        make(hwk_curve_by_name(t[i].curve), &k);
        key = open_it(URI);
        if (!softhsm) {
            assert_int_equal(edwards(key, t[i].instance, t[i].context), 0);
            assert_true(m.soft->tell("module plain-eddsa"));
        }
        assert_int_equal(edwards(key, t[i].instance, t[i].context),
                         HWK_R_UNSUPPORTED);
        if (!softhsm)
            assert_true(m.soft->tell("module not-plain-eddsa"));
        EVP_PKEY_free(key);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_curve, each),
        cmocka_unit_test_setup(rsa, each),
        cmocka_unit_test_setup(only_a_certificate, each),
        cmocka_unit_test_setup(by_label, each),
        cmocka_unit_test_setup(own_attributes, each),
        cmocka_unit_test_setup(a_wrong_half, each),
        cmocka_unit_test_setup(only_pss, each),
        cmocka_unit_test_setup(only_pkcs1, each),
        cmocka_unit_test_setup(only_with_hashing, each),
        cmocka_unit_test_setup(as_the_certificate_says, each),
        cmocka_unit_test_setup(parameters_of_eddsa, each),
    };

    (void)argc;
    return RUN(argv, tests, 0);
}
