/* SPDX-License-Identifier: Apache-2.0 */
/* The provider on a device made of memory: store, keys, signatures, faults. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "provider/op.h"
#include "tests/unit/provider_use.h"

/* --- nothing before its time --- */

static void nothing_opened(void **state)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", "P-256");

    (void)state;
    assert_non_null(key);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)),
                        "default");
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    assert_int_equal(soft.calls, 0);
    assert_int_equal(soft.opened, 0);
    EVP_PKEY_free(key);
}

static void other_schemes(void **state)
{
    (void)state;
    ERR_clear_error();
    assert_null(OSSL_STORE_open_ex("nonsense:x", w.libctx, NULL, NULL, NULL,
                                   NULL, NULL, NULL));
    assert_int_equal(hwk_reason(), 0);
    assert_int_equal(soft.opened, 0);
}

/* --- keys and signatures --- */

static void like_the_default(EVP_PKEY *key, EVP_PKEY *soft_key)
{
    static const char *const bns[] = {"n", "e", "qx", "qy", "p", "order"};
    char a[80], b[80];
    size_t i, n;

    assert_int_equal(EVP_PKEY_get_default_digest_name(key, a, sizeof(a)),
                     EVP_PKEY_get_default_digest_name(soft_key, b, sizeof(b)));
    assert_string_equal(a, b);
    for (i = 0; i < sizeof(bns) / sizeof(bns[0]); i++) {
        BIGNUM *x = NULL, *y = NULL;

        assert_int_equal(EVP_PKEY_get_bn_param(key, bns[i], &x),
                         EVP_PKEY_get_bn_param(soft_key, bns[i], &y));
        assert_int_equal(BN_cmp(x, y), 0);
        BN_free(x);
        BN_free(y);
    }
    ERR_clear_error();
    assert_int_equal(EVP_PKEY_get_group_name(key, a, sizeof(a), &n),
                     EVP_PKEY_get_group_name(soft_key, b, sizeof(b), &n));
}

static void key_facts(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < KEYS; i++) {
        EVP_PKEY *key = private_key(keys[i].uri), *pub;
        unsigned char *der = NULL;
        const unsigned char *p;
        char group[32] = "";
        int n;

        assert_non_null(key);
        assert_true(EVP_PKEY_is_a(key, keys[i].type));
        assert_int_equal(EVP_PKEY_get_bits(key), keys[i].bits);
        assert_int_equal(EVP_PKEY_get_size(key), keys[i].size);
        assert_int_equal(EVP_PKEY_get_security_bits(key), keys[i].security);
        if (keys[i].group != NULL) {
            assert_int_equal(
                EVP_PKEY_get_group_name(key, group, sizeof(group), NULL), 1);
            assert_string_equal(group, keys[i].group);
        }
        n = i2d_PUBKEY(key, &der);
        assert_true(n > 0);
        p = der;
        pub = d2i_PUBKEY_ex(NULL, &p, n, w.libctx, "provider=default");
        assert_non_null(pub);
        assert_int_equal(EVP_PKEY_eq(key, pub), 1);
        assert_int_equal(EVP_PKEY_eq(pub, key), 1);
        like_the_default(key, pub);
        EVP_PKEY_free(pub);
        OPENSSL_free(der);
        EVP_PKEY_free(key);
    }
}

static void signatures(void **state)
{
    static const char *const mds[] = {NULL,     "SHA1",   "SHA224",  "SHA256",
                                      "SHA384", "SHA512", "SHA3-256"};
    size_t i, m;

    (void)state;
    for (i = 0; i < KEYS; i++) {
        EVP_PKEY *key = private_key(keys[i].uri);

        for (m = 0; m < sizeof(mds) / sizeof(mds[0]); m++) {
            assert_true(sign_verify(&w, key, mds[m], NO_PSS));
            if (keys[i].group == NULL && m > 0) {
                assert_true(
                    sign_verify(&w, key, mds[m], RSA_PSS_SALTLEN_DIGEST));
                assert_true(sign_verify(&w, key, mds[m], RSA_PSS_SALTLEN_MAX));
                assert_true(sign_verify(&w, key, mds[m], 11));
            }
        }
        EVP_PKEY_free(key);
    }
}

static void streaming_and_dup(void **state)
{
    EVP_PKEY *key = private_key("hwksoft:ec");
    EVP_MD_CTX *a = EVP_MD_CTX_new(), *b = EVP_MD_CTX_new();
    uint8_t sig[80], sig2[80];
    size_t n = 0, n2 = sizeof(sig2);

    (void)state;
    assert_int_equal(
        EVP_DigestSignInit_ex(a, NULL, "SHA256", w.libctx, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSignUpdate(a, "one", 3), 1);
    assert_int_equal(EVP_MD_CTX_copy_ex(b, a), 1);
    assert_int_equal(EVP_DigestSignUpdate(a, "two", 3), 1);
    assert_int_equal(EVP_DigestSignUpdate(b, "three", 5), 1);
    assert_int_equal(EVP_DigestSignFinal(a, NULL, &n), 1);
    assert_int_equal(n, 72);
    n = sizeof(sig);
    assert_int_equal(EVP_DigestSignFinal(a, sig, &n), 1);
    assert_int_equal(EVP_DigestSignFinal(b, sig2, &n2), 1);
    assert_true(verify_msg(key, "SHA256", NO_PSS, "onetwo", 6, sig, n));
    assert_true(verify_msg(key, "SHA256", NO_PSS, "onethree", 8, sig2, n2));
    assert_false(verify_msg(key, "SHA256", NO_PSS, "onetwo", 6, sig2, n2));
    EVP_MD_CTX_free(a);
    EVP_MD_CTX_free(b);
    EVP_PKEY_free(key);
}

static void raw_and_verify(void **state)
{
    EVP_PKEY *key = private_key("hwksoft:ec");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    uint8_t digest[32] = {1, 2, 3}, sig[80];
    size_t n = sizeof(sig);

    (void)state;
    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_int_equal(EVP_PKEY_sign(ctx, NULL, &n, digest, 32), 1);
    n = 10;
    assert_true(EVP_PKEY_sign(ctx, sig, &n, digest, 32) <= 0);
    n = sizeof(sig);
    assert_int_equal(EVP_PKEY_sign(ctx, sig, &n, digest, 32), 1);
    assert_int_equal(EVP_PKEY_verify_init(ctx), 1);
    assert_int_equal(EVP_PKEY_verify(ctx, sig, n, digest, 32), 1);
    digest[0] ^= 1;
    assert_int_not_equal(EVP_PKEY_verify(ctx, sig, n, digest, 32), 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
}

static void x509_and_requests(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < KEYS; i++) {
        EVP_PKEY *key = private_key(keys[i].uri);
        X509 *x = self_cert(&w, key);
        X509_REQ *req = X509_REQ_new_ex(w.libctx, NULL);
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();

        assert_non_null(x);
        assert_int_equal(X509_verify(x, key), 1);
        assert_int_equal(X509_check_private_key(x, key), 1);
        assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
        assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, "SHA384", w.libctx,
                                               NULL, key, NULL),
                         1);
        assert_true(X509_REQ_sign_ctx(req, ctx) > 0);
        assert_int_equal(X509_REQ_verify_ex(req, key, w.libctx, NULL), 1);
        EVP_MD_CTX_free(ctx);
        X509_REQ_free(req);
        X509_free(x);
        EVP_PKEY_free(key);
    }
}

static void message_keys(void **state)
{
    EVP_PKEY *key;
    uint8_t digest[32] = {0}, sig[80];
    size_t n = sizeof(sig);
    EVP_PKEY_CTX *ctx;
    char name[32];

    (void)state;
    soft.message = true;
    key = private_key("hwksoft:ec");
    assert_int_equal(EVP_PKEY_get_default_digest_name(key, name, sizeof(name)),
                     2);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    assert_true(sign_verify(&w, key, NULL, NO_PSS));
    assert_false(sign_verify(&w, key, "SHA384", NO_PSS));
    assert_int_equal(hwk_reason(), HWK_R_DIGEST);
    ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_true(EVP_PKEY_sign(ctx, sig, &n, digest, 32) <= 0);
    assert_int_equal(hwk_reason(), HWK_R_KEY);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
}

/* --- what stays inside --- */

static void private_material(void **state)
{
    EVP_PKEY *key = private_key("hwksoft:ec"), *copy;
    OSSL_PARAM *params = NULL;
    BIO *out = BIO_new(BIO_s_mem());
    EVP_PKEY *software = EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", "P-256");
    EVP_PKEY_CTX *ctx;

    (void)state;
    assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params), 0);
    assert_int_equal(hwk_reason(), HWK_R_PRIVATE);
    assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &params), 1);
    OSSL_PARAM_free(params);
    /* what is written is the file that stands for it */
    assert_int_equal(
        PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    copy = PEM_read_bio_PrivateKey_ex(out, NULL, NULL, NULL, w.libctx, NULL);
    assert_non_null(copy);
    assert_int_equal(EVP_PKEY_eq(copy, key), 1);
    assert_true(sign_verify(&w, copy, "SHA256", NO_PSS));
    EVP_PKEY_free(copy);
    assert_int_equal(i2d_PrivateKey(key, NULL) > 0, 0);
    ERR_clear_error();
    assert_int_equal(PEM_write_bio_PUBKEY(out, key), 1);
    assert_int_equal(EVP_PKEY_todata(software, EVP_PKEY_KEYPAIR, &params), 1);
    ctx = EVP_PKEY_CTX_new_from_name(w.libctx, "EC", "provider=hwkey");
    copy = NULL;
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &copy, EVP_PKEY_PUBLIC_KEY, params),
                     1);
    assert_int_equal(EVP_PKEY_eq(copy, software), 1);
    assert_false(sign_verify(&w, copy, "SHA256", NO_PSS));
    EVP_PKEY_free(copy);
    copy = EVP_PKEY_dup(key);
    assert_non_null(copy);
    assert_true(sign_verify(&w, copy, "SHA256", NO_PSS));
    EVP_PKEY_free(copy);
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(software);
    EVP_PKEY_free(key);
    BIO_free(out);
}

static void expectations(void **state)
{
    EVP_PKEY *key;
    X509 *x;

    (void)state;
    key = open_key(&w, "hwksoft:pin-ec", OSSL_STORE_INFO_PUBKEY, "1234");
    assert_non_null(key);
    assert_int_equal(soft.asked, 0); /* a public key needs no PIN */
    assert_false(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
    x = open_cert(&w, "hwksoft:pin-ec");
    assert_non_null(x);
    assert_int_equal(soft.asked, 0);
    X509_free(x);
    assert_null(private_key("hwksoft:nobody"));
}

static void pins(void **state)
{
    static const struct {
        const char *uri, *answer;
        int ok, prompts, reason;
    } cases[] = {
        {"hwksoft:pin-ec", "1234", 1, 1, 0},
        {"hwksoft:pin-ec", "1235", 0, 1, HWK_R_PIN_INCORRECT},
        {"hwksoft:pin-ec", NULL, 0, 1, HWK_R_PIN_MISSING},
        {"hwksoft:pin-ec?pin-value=1234", NULL, 1, 0, 0},
        {"hwksoft:pin-ec?pin-value=9", "1234", 0, 0, HWK_R_PIN_INCORRECT},
        {"hwksoft:pin-ec?pin-source=pin.txt", NULL, 1, 0, 0},
        {"hwksoft:pin-ec?pin-source=file:pin.txt", NULL, 1, 0, 0},
        {"hwksoft:pin-ec?pin-source=none.txt", "1234", 0, 0, HWK_R_FILE},
        {"hwksoft:pin-ec?pin-source=|id", "1234", 0, 0, HWK_R_BAD_URI},
    };
    FILE *f = fopen("pin.txt", "w");
    size_t i;

    (void)state;
    fputs("1234\nsecond line\n", f);
    fclose(f);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        EVP_PKEY *key;

        prompts = 0;
        key = open_key(&w, cases[i].uri, OSSL_STORE_INFO_PKEY, cases[i].answer);
        assert_int_equal(key != NULL, cases[i].ok);
        assert_int_equal(prompts, cases[i].prompts);
        assert_int_equal(hwk_reason(), cases[i].reason);
        EVP_PKEY_free(key);
    }
    unlink("pin.txt");
}

static void generation(void **state)
{
    EVP_PKEY *key, *again;

    (void)state;
    key = make_key(&w, "EC", "P-384", 0, "hwksoft:new");
    assert_non_null(key);
    assert_true(sign_verify(&w, key, "SHA384", NO_PSS));
    again = private_key("hwksoft:new");
    assert_int_equal(EVP_PKEY_eq(key, again), 1);
    EVP_PKEY_free(again);
    EVP_PKEY_free(key);
    assert_null(make_key(&w, "EC", "P-384", 0, "hwksoft:new"));
    assert_int_equal(hwk_reason(), HWK_R_EXISTS);
    key = make_key(&w, "RSA", NULL, 2048, "hwksoft:newrsa");
    assert_true(sign_verify(&w, key, "SHA256", RSA_PSS_SALTLEN_DIGEST));
    EVP_PKEY_free(key);
    assert_null(make_key(&w, "EC", "ED25519", 0, "hwksoft:k1"));
    assert_int_equal(hwk_reason(), HWK_R_PARAM);
    assert_null(make_key(&w, "EC", "P-256", 0, "nonsense:"));
    assert_int_equal(hwk_reason(), HWK_R_BAD_URI);
}

/* --- faults --- */

static int story(void)
{
    EVP_PKEY *key = private_key("hwksoft:ec"), *made;
    int ok = key != NULL && sign_verify(&w, key, "SHA256", NO_PSS);

    made = ok ? make_key(&w, "EC", "P-256", 0, "hwksoft:fault") : NULL;
    EVP_PKEY_free(made);
    EVP_PKEY_free(key);
    return ok && made != NULL;
}

static void every_call_fails_once(void **state)
{
    int n, calls;

    (void)state;
    assert_true(story());
    calls = soft.calls;
    assert_true(calls >= 4);
    for (n = 1; n <= calls; n++) {
        world_close(&w);
        soft_reset();
        assert_true(world_open(&w, "dh"));
        soft.fail_at = n;
        assert_false(story());
        assert_int_equal(hwk_reason(), HWK_R_FAULT);
        assert_int_equal(soft.refs, 0);
        assert_true(story()); /* and the next one works */
        assert_int_equal(hwk_reason(), 0);
    }
}

static int child_story(EVP_PKEY *key)
{
    int ok = sign_verify(&w, key, "SHA256", NO_PSS) && soft.renewed == 1 &&
             sign_verify(&w, key, "SHA256", NO_PSS) && soft.renewed == 1;

    EVP_PKEY_free(key);
    world_close(&w);
    return ok && soft.refs == 0;
}

static void forks(void **state)
{
    EVP_PKEY *key = private_key("hwksoft:ec");
    int status;
    pid_t pid;

    (void)state;
    pid = fork();
    if (pid == 0)
        _exit(soft.forked == 1 && child_story(key) ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(soft.forked, 0);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, open_world, close_world)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_opened),
        T(other_schemes),
        T(key_facts),
        T(signatures),
        T(streaming_and_dup),
        T(raw_and_verify),
        T(x509_and_requests),
        T(message_keys),
        T(private_material),
        T(expectations),
        T(pins),
        T(generation),
        T(every_call_fails_once),
        T(forks),
    };

    hwk_backend_for_tests = &hwk_backend_soft;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
