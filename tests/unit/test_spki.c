/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys out of certificates and SubjectPublicKeyInfo, whole, cut and with
 * bits turned. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "provider/spki.h"
#include "tests/lib/hwk_test.h"

static EVP_PKEY *generate(const char *type, const char *group)
{
    if (group != NULL)
        return EVP_PKEY_Q_keygen(NULL, NULL, type, group);
    if (strcmp(type, "RSA") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)1024);
    return EVP_PKEY_Q_keygen(NULL, NULL, type);
}

static EVP_PKEY *pss_key(bool restricted)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *key = NULL;

    EVP_PKEY_keygen_init(ctx);
    EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 1024);
    if (restricted) {
        EVP_PKEY_CTX_set_rsa_pss_keygen_md(ctx, EVP_sha384());
        EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md(ctx, EVP_sha256());
        EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen(ctx, 40);
    }
    EVP_PKEY_generate(ctx, &key);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* nothing that is cut or turned may be read beyond its end or hang; what is
 * still a key is as good as any */
static void damaged(const uint8_t *der, size_t n)
{
    struct hwk_pub pub;
    size_t i;

    for (i = 0; i < n; i++) {
        uint8_t *copy = OPENSSL_memdup(der, i + 1); /* for the sanitizers */

        if (hwk_spki_to_pub(copy, i, &pub))
            fail_msg("%zu of %zu bytes are a key", i, n);
        OPENSSL_free(copy);
    }
    for (i = 0; i < 8 * n; i++) {
        uint8_t *copy = OPENSSL_memdup(der, n);

        copy[i / 8] ^= (uint8_t)(1u << i % 8);
        (void)!hwk_spki_to_pub(copy, n, &pub);
        OPENSSL_free(copy);
    }
    ERR_clear_error();
}

/* as the default provider reads the same bytes */
static void like_the_values(EVP_PKEY *key, const struct hwk_pub *pub)
{
    struct hwk_pub kind = {.type = pub->type,
                           .curve = pub->curve,
                           .pss.only = pub->pss.only},
                   values;
    OSSL_PARAM *params = NULL;

    assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &params), 1);
    assert_int_equal(hwk_pub_from_params(&values, &kind, params), 1);
    assert_true(hwk_pub_eq(&values, pub));
    assert_string_equal(hwk_pub_type_name(pub), EVP_PKEY_get0_type_name(key));
    assert_int_equal(values.pss.md, pub->pss.md);
    assert_int_equal(values.pss.mgf1, pub->pss.mgf1);
    assert_int_equal(values.pss.min_salt, pub->pss.min_salt);
    OSSL_PARAM_free(params);
}

static void check(EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    struct hwk_pub pub;

    assert_true(n > 0);
    assert_int_equal(hwk_spki_to_pub(der, (size_t)n, &pub), 1);
    like_the_values(key, &pub);
    damaged(der, (size_t)n);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

static void every_type(void **state)
{
    const struct hwk_curve *c;
    size_t i;

    (void)state;
    for (i = 0; (c = hwk_curve_at(i)) != NULL; i++)
        check(c->type == HWK_KEY_EC ? generate("EC", c->name)
                                    : generate(c->name, NULL));
    check(generate("RSA", NULL));
    check(pss_key(false));
    check(pss_key(true));
}

static void not_ours(void **state)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "SM2");
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    struct hwk_pub pub;

    (void)state;
    assert_int_equal(hwk_spki_to_pub(der, (size_t)n, &pub), 0);
    assert_int_equal(hwk_reason(), HWK_R_KEY);
    assert_int_equal(hwk_spki_to_pub(der, 0, &pub), 0);
    assert_int_equal(hwk_reason(), HWK_R_FORMAT);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

static void certificates(void **state)
{
    struct world w = {0};
    EVP_PKEY *key;
    X509 *x;
    unsigned char *der = NULL;
    const uint8_t *spki;
    struct hwk_pub pub;
    size_t spki_n, i;
    int n;

    (void)state;
    key = generate("ED448", NULL);
    x = self_cert(&w, key);
    n = i2d_X509(x, &der);
    assert_int_equal(hwk_spki_of_cert(der, (size_t)n, &spki, &spki_n), 1);
    assert_int_equal(hwk_spki_to_pub(spki, spki_n, &pub), 1);
    like_the_values(key, &pub);
    for (i = 0; i < (size_t)n; i++) {
        uint8_t *copy = OPENSSL_memdup(der, i + 1);

        assert_int_equal(hwk_spki_of_cert(copy, i, &spki, &spki_n), 0);
        OPENSSL_free(copy);
    }
    for (i = 0; i < 8 * (size_t)n; i++) {
        der[i / 8] ^= (uint8_t)(1u << i % 8);
        if (hwk_spki_of_cert(der, (size_t)n, &spki, &spki_n))
            assert_true(spki > der && spki_n <= (size_t)(der + n - spki));
        der[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    ERR_clear_error();
    OPENSSL_free(der);
    X509_free(x);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),
        cmocka_unit_test(not_ours),
        cmocka_unit_test(certificates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
