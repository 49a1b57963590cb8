/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys of software: put into a token when that was asked for and is
 * allowed, and not otherwise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "tests/unit/raw_use.h"

#define ALL ((CK_OBJECT_CLASS)-1)

static char file[] = "import.XXXXXX";

static int begin_allowed(void **state)
{
    setenv("HWKEY_ALLOW_IMPORT", "yes", 1);
    close(mkstemp(file));
    return begin(state);
}

static int end_and_forget(void **state)
{
    return end(state) + unlink(file);
}

static unsigned objects(void)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    unsigned n = raw_count(s, ALL, NULL, NULL);

    raw_close(s);
    return n;
}

static EVP_PKEY *soft_key(const char *type)
{
    EVP_PKEY *key;

    if (strcmp(type, "EC") == 0)
        key = EVP_PKEY_Q_keygen(w.libctx, "provider=default", type, "P-384");
    else
        key =
            EVP_PKEY_Q_keygen(w.libctx, "provider=default", type, (size_t)2048);
    assert_non_null(key);
    return key;
}

static EVP_PKEY *from_file(const char *type, const char *uri)
{
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(w.libctx, type, "provider=hwkey");
    EVP_PKEY *key = NULL;

    if (ctx == NULL || EVP_PKEY_keygen_init(ctx) <= 0 ||
        EVP_PKEY_CTX_ctrl_str(ctx, "uri", uri) <= 0 ||
        EVP_PKEY_CTX_ctrl_str(ctx, "import", file) <= 0 ||
        EVP_PKEY_generate(ctx, &key) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void save(EVP_PKEY *key, const char *passphrase, bool der)
{
    const EVP_CIPHER *cipher = passphrase != NULL ? EVP_aes_128_cbc() : NULL;
    BIO *out = BIO_new_file(file, "wb");

    assert_true(der ? i2d_PrivateKey_bio(out, key) > 0
                    : PEM_write_bio_PKCS8PrivateKey(
                          out, key, cipher, passphrase,
                          passphrase != NULL ? (int)strlen(passphrase) : 0,
                          NULL, NULL));
    BIO_free(out);
}

static void values(void **state)
{
    static const char *const types[] = {"EC",    "RSA",    "ED25519",
                                        "ED448", "X25519", "X448"};
    CK_OBJECT_HANDLE h = 0;
    CK_SESSION_HANDLE s;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        const char *md = i < 2 ? "SHA256" : NULL;
        bool signs = types[i][0] != 'X';
        EVP_PKEY *soft = soft_key(types[i]);
        EVP_PKEY *key = fromdata(soft, TOKEN ";object=k" PIN,
                                 signs ? "sign" : "derive"),
                 *again;

        assert_non_null(key);
        assert_int_equal(EVP_PKEY_eq(soft, key), 1);
        assert_int_equal(signs, sign_verify(&w, key, md, NO_PSS));
        again = open_key(&w, TOKEN ";object=k" PIN, OSSL_STORE_INFO_PKEY, NULL);
        assert_int_equal(EVP_PKEY_eq(soft, again), 1);
        assert_int_equal(signs, sign_verify(&w, again, md, NO_PSS));
        s = raw_enter(1, RAW_PIN);
        assert_int_equal(raw_count(s, CKO_PRIVATE_KEY, "k", &h), 1);
        assert_true(raw_flag(s, h, CKA_SENSITIVE));
        assert_false(raw_flag(s, h, CKA_EXTRACTABLE));
        assert_false(raw_flag(s, h, CKA_NEVER_EXTRACTABLE));
        assert_true(raw_flag(s, h, signs ? CKA_SIGN : CKA_DERIVE));
        raw_wipe(s);
        raw_close(s);
        EVP_PKEY_free(again);
        EVP_PKEY_free(key);
        EVP_PKEY_free(soft);
    }
}

static void a_file(void **state)
{
    EVP_PKEY *soft = soft_key("EC"), *key;

    (void)state;
    save(soft, NULL, false);
    key = from_file("EC", TOKEN ";object=pem" PIN);
    assert_non_null(key);
    assert_int_equal(EVP_PKEY_eq(soft, key), 1);
    EVP_PKEY_free(key);
    assert_null(from_file("EC", TOKEN ";object=pem" PIN));
    assert_int_equal(hwk_reason(), HWK_R_EXISTS);
    assert_null(from_file("RSA", TOKEN ";object=rsa" PIN));
    assert_int_equal(hwk_reason(), HWK_R_KEY);
    save(soft, NULL, true);
    key = from_file("EC", TOKEN ";object=der" PIN);
    assert_non_null(key);
    EVP_PKEY_free(key);
    save(soft, "secret", false);
    assert_null(from_file("EC", TOKEN ";object=locked" PIN));
    assert_int_equal(hwk_reason(), HWK_R_FORMAT);
    assert_int_equal(objects(), 4);
    EVP_PKEY_free(soft);
}

static void not_asked_for(void **state)
{
    EVP_PKEY *soft = soft_key("EC"), *key;

    (void)state;
    assert_null(fromdata(soft, NULL, "sign"));
    assert_int_equal(hwk_reason(), HWK_R_PARAM); /* a device is meant */
    key = fromdata(soft, NULL, NULL);            /* none is */
    assert_non_null(key);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    assert_int_equal(objects(), 0);
    EVP_PKEY_free(key);
    EVP_PKEY_free(soft);
}

static void not_allowed(void **state)
{
    EVP_PKEY *soft;

    (void)state;
    world_close(&w);
    unsetenv("HWKEY_ALLOW_IMPORT");
    assert_true(world_open(&w, "dh"));
    soft = soft_key("EC");
    assert_null(fromdata(soft, TOKEN ";object=k" PIN, "sign"));
    assert_int_equal(hwk_reason(), HWK_R_PRIVATE);
    save(soft, NULL, false);
    assert_null(from_file("EC", TOKEN ";object=k" PIN));
    assert_int_equal(hwk_reason(), HWK_R_PRIVATE);
    EVP_PKEY_free(soft);
    world_close(&w);
    setenv("HWKEY_ALLOW_IMPORT", "yes", 1);
    assert_true(world_open(&w, "dh"));
    assert_int_equal(objects(), 0);
}

/* halves of two keys */
static void not_a_pair(void **state)
{
    EVP_PKEY *a = soft_key("EC"), *b = soft_key("EC");
    OSSL_PARAM *pa = NULL, *pb = NULL, *all, more[3];
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(w.libctx, "EC", "provider=hwkey");
    char uri[] = TOKEN ";object=k" PIN;
    EVP_PKEY *key = NULL;

    (void)state;
    EVP_PKEY_todata(a, EVP_PKEY_KEYPAIR, &pa);
    EVP_PKEY_todata(b, EVP_PKEY_KEYPAIR, &pb);
    more[0] = OSSL_PARAM_construct_utf8_string("uri", uri, 0);
    more[1] = *OSSL_PARAM_locate(pb, OSSL_PKEY_PARAM_PUB_KEY);
    more[2] = OSSL_PARAM_construct_end();
    all = OSSL_PARAM_merge(pa, more);
    EVP_PKEY_fromdata_init(ctx);
    assert_true(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, all) <= 0);
    assert_int_equal(hwk_reason(), HWK_R_KEY);
    assert_int_equal(objects(), 0);
    OPENSSL_free(all);
    OSSL_PARAM_free(pa);
    OSSL_PARAM_free(pb);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
}

static void any_call_fails(void **state)
{
    static const char *const rvs[] = {"rv=0x31", "late=0x30", "late=0xb3"};
    EVP_PKEY *soft = soft_key("EC");
    char line[80];
    size_t i;
    int nth;

    (void)state;
    for (i = 0; i < 2 * sizeof(rvs) / sizeof(rvs[0]); i++) {
        for (nth = 1; nth < 30; nth++) {
            EVP_PKEY *key;
            unsigned n;

            snprintf(line, sizeof(line), "on any nth=%d slot=1 %s", nth,
                     rvs[i / 2]);
            TELL(line);
            key = fromdata(soft, i % 2 == 0 ? TOKEN PIN : TOKEN ";id=%07" PIN,
                           "sign");
            TELL("forget");
            n = objects();
            if (n != (key != NULL ? 2 : 0))
                fail_msg("%s: %s, %u objects", line,
                         key != NULL ? "put" : "failed", n);
            EVP_PKEY_free(key);
            each(state);
        }
    }
    EVP_PKEY_free(soft);
}

#define T(test) cmocka_unit_test_setup(test, each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(values),      T(a_file),     T(not_asked_for),
        T(not_allowed), T(not_a_pair), T(any_call_fails),
    };

    return cmocka_run_group_tests(tests, begin_allowed, end_and_forget);
}
