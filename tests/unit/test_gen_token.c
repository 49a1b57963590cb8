/* SPDX-License-Identifier: Apache-2.0 */
/* Keys made in a token: what they are, and that none is half there. */
#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "tests/unit/raw_use.h"

#define ALL ((CK_OBJECT_CLASS)-1)

/* pairs of name and value, as "openssl genpkey -pkeyopt" has them */
static EVP_PKEY *genpkey(const char *type, const char *const opts[])
{
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(w.libctx, type, "provider=hwkey");
    EVP_PKEY *key = NULL;
    int ok = ctx != NULL && EVP_PKEY_keygen_init(ctx) > 0;

    for (; ok && opts[0] != NULL; opts += 2)
        ok = EVP_PKEY_CTX_ctrl_str(ctx, opts[0], opts[1]) > 0;
    if (!ok || EVP_PKEY_generate(ctx, &key) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}
#define GEN(type, ...) genpkey(type, (const char *const[]){__VA_ARGS__, NULL})

/* --- what they are --- */

static void check_flags(const char *label, const CK_ATTRIBUTE_TYPE on[],
                        const CK_ATTRIBUTE_TYPE off[])
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    CK_OBJECT_HANDLE h = 0;
    size_t i;

    assert_int_equal(raw_count(s, CKO_PRIVATE_KEY, label, &h), 1);
    for (i = 0; on[i] != 0; i++)
        if (!raw_flag(s, h, on[i]))
            fail_msg("%s: 0x%lx is off", label, on[i]);
    for (i = 0; off[i] != 0; i++)
        if (raw_flag(s, h, off[i]))
            fail_msg("%s: 0x%lx is on", label, off[i]);
    raw_close(s);
}
#define FLAGS(...) ((const CK_ATTRIBUTE_TYPE[]){__VA_ARGS__, 0})

static void usages(void **state)
{
    static const struct {
        const char *type, *usage;
        CK_ATTRIBUTE_TYPE on[4], off[4];
    } t[] = {
        {"EC", "sign", {CKA_SIGN}, {CKA_DERIVE}},
        {"EC", "derive", {CKA_DERIVE}, {CKA_SIGN}},
        {"EC", "decrypt", {CKA_DERIVE}, {CKA_SIGN}},
        {"EC", "sign+derive", {CKA_SIGN, CKA_DERIVE}, {0}},
        {"EC", "idevid", {CKA_SIGN}, {CKA_DERIVE}},
        {"RSA", "sign", {CKA_SIGN}, {CKA_DECRYPT, CKA_UNWRAP}},
        {"RSA", "decrypt", {CKA_DECRYPT}, {CKA_SIGN}},
        {"RSA", "sign,decrypt", {CKA_SIGN, CKA_DECRYPT}, {CKA_UNWRAP}},
    };
    char uri[80], label[8];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        EVP_PKEY *key;

        snprintf(label, sizeof(label), "u%zu", i);
        snprintf(uri, sizeof(uri), TOKEN ";object=%s" PIN, label);
        key = GEN(t[i].type, "uri", uri, "usage", t[i].usage);
        assert_non_null(key);
        assert_int_equal(sign_verify(&w, key, "SHA256", NO_PSS),
                         t[i].on[0] == CKA_SIGN);
        EVP_PKEY_free(key);
        check_flags(label, t[i].on, t[i].off);
    }
}

static void wrong_usages(void **state)
{
    (void)state;
    assert_null(GEN("X25519", "uri", TOKEN PIN, "usage", "idevid"));
    assert_int_equal(hwk_reason(), HWK_R_PARAM);
    assert_null(GEN("RSA", "uri", TOKEN PIN, "usage", "derive"));
    assert_int_equal(hwk_reason(), HWK_R_PARAM);
    assert_null(GEN("RSA", "uri", TOKEN PIN, "usage", "sign+"));
    assert_int_equal(hwk_reason(), HWK_R_PARAM);
    assert_null(GEN("RSA", "uri", TOKEN PIN, "usage", "all"));
    assert_int_equal(hwk_reason(), HWK_R_PARAM);
    assert_null(GEN("EC", "uri", TOKEN PIN, "extractable", "perhaps"));
    assert_int_equal(hwk_reason(), HWK_R_PARAM);
    assert_null(GEN("RSA", "uri", TOKEN PIN, "group", "P-256"));
    hwk_reason(); /* libcrypto's: no such option */
    assert_null(GEN("RSA", "uri", TOKEN PIN, "rsa_keygen_pubexp", "4"));
    assert_int_equal(hwk_reason(), HWK_R_PARAM);
    assert_null(GEN("RSA", "uri", TOKEN PIN, "rsa_keygen_bits", "512"));
    hwk_reason();
    assert_null(GEN("EC", "uri", TOKEN ";type=cert" PIN));
    assert_int_equal(hwk_reason(), HWK_R_BAD_URI);
    assert_null(GEN("EC", "uri", "pkcs11:object=k" PIN));
    assert_int_equal(hwk_reason(), HWK_R_BAD_URI); /* two tokens */
    assert_null(GEN("RSA", "uri", TOKEN PIN, "rsa_keygen_primes", "3"));
    assert_int_equal(hwk_reason(), HWK_R_PARAM);
    assert_null(GEN("RSA", "rsa_keygen_primes", "3", "uri", TOKEN PIN));
    assert_int_equal(hwk_reason(), HWK_R_PARAM); /* known only later */
    assert_null(GEN("EC", "group", "SM2", "uri", TOKEN PIN));
    assert_int_equal(hwk_reason(), HWK_R_PARAM);
    assert_null(GEN("EC", "usage", "sign"));
    assert_int_equal(hwk_reason(), HWK_R_PARAM); /* no uri */
}

static void protection(void **state)
{
    EVP_PKEY *key;

    (void)state;
    key = GEN("EC", "uri", TOKEN ";object=plain" PIN);
    EVP_PKEY_free(key);
    check_flags("plain", FLAGS(CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, CKA_SIGN),
                FLAGS(CKA_EXTRACTABLE, CKA_ALWAYS_AUTHENTICATE, CKA_DERIVE));
    key = GEN("EC", "uri", TOKEN ";object=open" PIN, "extractable", "yes",
              "sensitive", "no", "usage", "sign+derive");
    EVP_PKEY_free(key);
    check_flags("open", FLAGS(CKA_EXTRACTABLE, CKA_SIGN, CKA_DERIVE),
                FLAGS(CKA_SENSITIVE));
    key =
        GEN("EC", "uri", TOKEN ";object=each" PIN, "always-authenticate", "1");
    check_flags("each", FLAGS(CKA_ALWAYS_AUTHENTICATE), FLAGS(0));
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
}

static void rsa_numbers(void **state)
{
    EVP_PKEY *key = GEN("RSA", "uri", TOKEN ";object=r;id=r1" PIN,
                        "rsa_keygen_bits", "3072", "rsa_keygen_pubexp", "3");
    BIGNUM *e = NULL;

    (void)state;
    assert_non_null(key);
    assert_int_equal(EVP_PKEY_get_bits(key), 3072);
    assert_true(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e));
    assert_true(BN_is_word(e, 3));
    assert_true(sign_verify(&w, key, "SHA384", 32));
    BN_free(e);
    EVP_PKEY_free(key);
}

static void every_curve(void **state)
{
    const struct hwk_curve *c;
    char uri[80];
    size_t i, made = 0;

    (void)state;
    for (i = 0; (c = hwk_curve_at(i)) != NULL; i++) {
        EVP_PKEY *key;

        if (c->type != HWK_KEY_EC)
            continue;
        snprintf(uri, sizeof(uri), TOKEN ";object=c%zu" PIN, i);
        key = GEN("EC", "uri", uri, "group", c->name);
        if (key == NULL)
            fail_msg("%s", c->name);
        assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
        EVP_PKEY_free(key);
        made++;
    }
    assert_true(made >= 3);
}

static void other_types(void **state)
{
    static const char *const types[] = {"ED25519", "ED448", "X25519", "X448"};
    char uri[80];
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        EVP_PKEY *key, *again;

        snprintf(uri, sizeof(uri), TOKEN ";object=%s" PIN, types[i]);
        key = GEN(types[i], "uri", uri);
        if (key == NULL)
            fail_msg("%s", types[i]);
        assert_true(EVP_PKEY_is_a(key, types[i]));
        again = open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL);
        assert_int_equal(EVP_PKEY_eq(key, again), 1);
        if (types[i][0] == 'E')
            assert_true(sign_verify(&w, again, NULL, NO_PSS));
        EVP_PKEY_free(again);
        EVP_PKEY_free(key);
        check_flags(
            types[i], FLAGS(types[i][0] == 'E' ? CKA_SIGN : CKA_DERIVE),
            FLAGS(types[i][0] == 'E' ? CKA_DERIVE : CKA_SIGN, CKA_EXTRACTABLE));
    }
    assert_null(GEN("ED25519", "uri", TOKEN PIN, "usage", "derive"));
    assert_int_equal(hwk_reason(), HWK_R_PARAM);
    assert_null(GEN("X448", "uri", TOKEN PIN, "usage", "sign"));
    assert_int_equal(hwk_reason(), HWK_R_PARAM);
}

static void only_pss(void **state)
{
    EVP_PKEY *key = GEN("RSA-PSS", "uri", TOKEN ";object=any" PIN,
                        "rsa_keygen_bits", "2048");

    (void)state;
    assert_non_null(key);
    assert_true(EVP_PKEY_is_a(key, "RSA-PSS"));
    assert_true(sign_verify(&w, key, "SHA256", 32));
    assert_true(sign_verify(&w, key, "SHA512", 20));
    EVP_PKEY_free(key);
    key = GEN("RSA-PSS", "uri", TOKEN ";object=one" PIN, "rsa_pss_keygen_md",
              "SHA256");
    assert_non_null(key);
    assert_true(sign_verify(&w, key, "SHA256", 32));
    assert_false(sign_verify(&w, key, "SHA512", 32));
    EVP_PKEY_free(key);
    ERR_clear_error();
    key = open_key(&w, TOKEN ";object=one" PIN, OSSL_STORE_INFO_PKEY, NULL);
    assert_non_null(key);
    assert_true(EVP_PKEY_is_a(key, "RSA-PSS"));
    assert_true(sign_verify(&w, key, "SHA256", 32));
    EVP_PKEY_free(key);
    assert_null(GEN("RSA-PSS", "uri", TOKEN PIN, "usage", "decrypt"));
    assert_int_equal(hwk_reason(), HWK_R_PARAM);
    assert_null(GEN("RSA", "uri", TOKEN PIN, "rsa_pss_keygen_md", "SHA256"));
}

/* --- names --- */

static void names(void **state)
{
    EVP_PKEY *a = GEN("EC", "uri", TOKEN ";object=k;id=%01" PIN), *b;
    CK_SESSION_HANDLE s;

    (void)state;
    assert_non_null(a);
    assert_null(GEN("EC", "uri", TOKEN ";object=k" PIN));
    assert_int_equal(hwk_reason(), HWK_R_EXISTS);
    assert_null(GEN("EC", "uri", TOKEN ";id=%01;object=other" PIN));
    assert_int_equal(hwk_reason(), HWK_R_EXISTS);
    b = open_key(&w, TOKEN ";id=%01" PIN, OSSL_STORE_INFO_PKEY, NULL);
    assert_int_equal(EVP_PKEY_eq(a, b), 1);
    EVP_PKEY_free(b);
    b = GEN("EC", "uri", TOKEN PIN); /* no name: an id of its own */
    assert_non_null(b);
    EVP_PKEY_free(b);
    EVP_PKEY_free(a);
    s = raw_enter(1, RAW_PIN);
    assert_int_equal(raw_count(s, ALL, NULL, NULL), 4);
    raw_close(s);
}

static void half_of_one(void **state)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    CK_OBJECT_HANDLE h = 0;

    (void)state;
    raw_pair(s, "k", "1");
    raw_count(s, CKO_PRIVATE_KEY, "k", &h);
    assert_int_equal(raw_f->C_DestroyObject(s, h), CKR_OK);
    raw_close(s);
    assert_null(GEN("EC", "uri", TOKEN ";object=k" PIN));
    assert_int_equal(hwk_reason(), HWK_R_EXISTS);
}

static void of_the_session(void **state)
{
    unsigned before = raw_soft->sessions();
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    EVP_PKEY *key = GEN("EC", "uri", TOKEN ";object=t" PIN, "token", "no");

    (void)state;
    assert_non_null(key);
    check_flags("t", FLAGS(CKA_PRIVATE), FLAGS(CKA_TOKEN));
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
    assert_int_equal(raw_count(s, ALL, "t", NULL), 0);
    raw_close(s);
    assert_in_range(raw_soft->sessions(), 0, before + 1);
    key = GEN("EC", "uri", TOKEN ";object=t" PIN, "token", "no");
    TELL("do sessions");
    assert_false(sign_verify(&w, key, "SHA256", NO_PSS));
    assert_int_equal(hwk_reason(), HWK_R_NOT_FOUND);
    EVP_PKEY_free(key);
}

/* --- whole or not at all --- */

/* whatever call fails, and however late: no half, and what failed can be done
 * again */
static void any_call_fails(void **state)
{
    static const char *const rvs[] = {"rv=0x30",   "late=0x30", "rv=0x31",
                                      "late=0xb3", "late=0x32", "late=0x05"};
    static const char *const uris[] = {TOKEN PIN, TOKEN ";object=k;id=%07" PIN};
    char line[80];
    size_t i;
    int nth;

    (void)state;
    for (i = 0; i < 2 * sizeof(rvs) / sizeof(rvs[0]); i++) {
        for (nth = 1; nth < 40; nth++) {
            CK_SESSION_HANDLE s;
            unsigned priv, pub;
            EVP_PKEY *key;

            snprintf(line, sizeof(line), "on any nth=%d slot=1 %s", nth,
                     rvs[i / 2]);
            TELL(line);
            key = GEN("EC", "uri", uris[i % 2]);
            TELL("forget");
            s = raw_enter(1, RAW_PIN);
            priv = raw_count(s, CKO_PRIVATE_KEY, NULL, NULL);
            pub = raw_count(s, CKO_PUBLIC_KEY, NULL, NULL);
            if (priv != pub || priv > 1 || (key != NULL && priv != 1))
                fail_msg("%s, %s: %s, %u private, %u public", line, uris[i % 2],
                         key != NULL ? "made" : "failed", priv, pub);
            raw_wipe(s);
            raw_close(s);
            EVP_PKEY_free(key);
            ERR_clear_error();
        }
    }
}

static void lost_and_made_again(void **state)
{
    CK_SESSION_HANDLE s;
    EVP_PKEY *key;

    (void)state;
    TELL("on C_GenerateKeyPair late=0xb3");
    key = GEN("EC", "uri", TOKEN ";object=k" PIN);
    assert_non_null(key);
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(raw_soft->calls("C_GenerateKeyPair"), 2);
    EVP_PKEY_free(key);
    s = raw_enter(1, RAW_PIN);
    assert_int_equal(raw_count(s, ALL, NULL, NULL), 2);
    raw_close(s);
}

#define T(test) cmocka_unit_test_setup(test, each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(usages),         T(wrong_usages),   T(protection),
        T(rsa_numbers),    T(every_curve),    T(names),
        T(other_types),    T(only_pss),       T(half_of_one),
        T(of_the_session), T(any_call_fails), T(lost_and_made_again),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
