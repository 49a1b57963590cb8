/* SPDX-License-Identifier: Apache-2.0 */
/* Signature forms, mechanisms and public halves. */
#include <string.h>

#include <openssl/x509.h>

#include "provider/mech.h"
#include "provider/sigform.h"
#include "tests/lib/hwk_test.h"

static void round_trips(void **state)
{
    static const size_t fields[] = {32, 48, 66};
    uint8_t raw[132], back[132], der[160];
    size_t f, i, n;

    (void)state;
    for (f = 0; f < 3; f++) {
        for (i = 0; i < 256; i++) {
            memset(raw, 0, sizeof(raw));
            raw[fields[f] - 1 - i % fields[f]] = (uint8_t)(i + 1) | 1;
            memset(raw + fields[f], (int)i | 1, fields[f]);
            n = sizeof(der);
            assert_int_equal(hwk_sig_to_der(raw, fields[f], der, &n), 1);
            assert_int_equal(hwk_sig_from_der(der, n, fields[f], back), 1);
            assert_memory_equal(raw, back, 2 * fields[f]);
        }
    }
}

static void longest_fits(void **state)
{
    uint8_t raw[132], der[160];
    unsigned bits[] = {256, 384, 521};
    size_t i, n;

    (void)state;
    for (i = 0; i < 3; i++) {
        const struct hwk_curve *c = hwk_curve_by_bits(bits[i]);

        memset(raw, 0xff, sizeof(raw));
        if (bits[i] == 521)
            raw[0] = raw[66] = 1;
        n = c->der_sig;
        assert_int_equal(hwk_sig_to_der(raw, c->field, der, &n), 1);
        assert_int_equal(n, c->der_sig);
        n = c->der_sig - 1;
        assert_int_equal(hwk_sig_to_der(raw, c->field, der, &n), 0);
    }
    ERR_clear_error();
}

static void bad_ders(void **state)
{
    uint8_t raw[64], der[80], copy[80], back[132];
    size_t n = sizeof(der), i;

    (void)state;
    memset(raw, 0x91, sizeof(raw));
    assert_int_equal(hwk_sig_to_der(raw, 32, der, &n), 1);
    for (i = 0; i < n; i++)
        assert_int_equal(hwk_sig_from_der(der, i, 32, back), 0);
    assert_int_equal(hwk_sig_from_der(der, n, 31, back), 0);
    for (i = 0; i < 4; i++) { /* headers */
        memcpy(copy, der, n);
        copy[i] ^= 0x04;
        assert_int_equal(hwk_sig_from_der(copy, n, 32, back), 0);
    }
    memset(raw, 0, 32);
    n = sizeof(der);
    assert_int_equal(hwk_sig_to_der(raw, 32, der, &n), 0);
    assert_int_equal(hwk_sig_to_der(raw, 73, der, &n), 0);
    ERR_clear_error();
}

static void has_name(const char *name, void *md)
{
    assert_int_equal(hwk_md_by_name(name), *(int *)md);
}

/* all names that the default provider has for them */
static void digest_names(void **state)
{
    int md;

    (void)state;
    for (md = HWK_MD_NONE + 1; md < HWK_MD_COUNT; md++) {
        EVP_MD *fetched =
            EVP_MD_fetch(NULL, hwk_md_name((enum hwk_md)md), NULL);

        assert_non_null(fetched);
        assert_true(EVP_MD_names_do_all(fetched, has_name, &md));
        EVP_MD_free(fetched);
    }
    assert_int_equal(hwk_md_by_name("1.2.840"), HWK_MD_NONE);
}

static void digests(void **state)
{
    (void)state;
    assert_int_equal(hwk_md_by_name("SHA256"), HWK_MD_SHA256);
    assert_int_equal(hwk_md_by_name("sha2-256"), HWK_MD_SHA256);
    assert_int_equal(hwk_md_by_name("SHA-512"), HWK_MD_SHA512);
    assert_int_equal(hwk_md_by_name("SHA1"), HWK_MD_SHA1);
    assert_int_equal(hwk_md_by_name("MD5-SHA1"), HWK_MD_MD5_SHA1);
    assert_int_equal(hwk_md_by_name("SHA3-384"), HWK_MD_SHA3_384);
    assert_int_equal(hwk_md_by_name("UNDEF"), HWK_MD_NONE);
    assert_int_equal(hwk_md_by_name(""), HWK_MD_NONE);
}

static void prefixes(void **state)
{
    int md;

    (void)state;
    for (md = HWK_MD_SHA1; md < HWK_MD_MD5_SHA1; md++) {
        X509_SIG *sig = X509_SIG_new();
        X509_ALGOR *alg;
        ASN1_OCTET_STRING *str;
        unsigned char *der = NULL;
        const uint8_t *prefix;
        uint8_t digest[64] = {0};
        size_t n;
        int len;

        X509_SIG_getm(sig, &alg, &str);
        X509_ALGOR_set0(alg, OBJ_nid2obj(hwk_md_nid(md)), V_ASN1_NULL, NULL);
        ASN1_OCTET_STRING_set(str, digest, (int)hwk_md_size(md));
        len = i2d_X509_SIG(sig, &der);
        prefix = hwk_md_prefix(md, &n);
        assert_int_equal((size_t)len, n + hwk_md_size(md));
        assert_memory_equal(der, prefix, n);
        OPENSSL_free(der);
        X509_SIG_free(sig);
    }
}

static void checks(void **state)
{
    uint8_t modulus[256], exponent[] = {1, 0, 1};
    struct hwk_pub rsa, ec;
    struct hwk_mech m = {
        .type = HWK_KEY_RSA, .pad = HWK_PAD_PKCS1, .md = HWK_MD_SHA256};
    uint8_t point[65] = {4, 1};

    (void)state;
    memset(modulus, 0xff, sizeof(modulus));
    assert_int_equal(hwk_pub_rsa(&rsa, modulus, sizeof(modulus), exponent, 3),
                     1);
    assert_int_equal(hwk_pub_bits(&rsa), 2048);
    assert_int_equal(hwk_pub_security_bits(&rsa), 112);
    assert_int_equal(hwk_mech_check(&m, &rsa, 32), 1);
    assert_int_equal(hwk_mech_check(&m, &rsa, 31), 0);
    m.md = HWK_MD_NONE;
    assert_int_equal(hwk_mech_check(&m, &rsa, 245), 1);
    assert_int_equal(hwk_mech_check(&m, &rsa, 246), 0);
    m.pad = HWK_PAD_PSS;
    assert_int_equal(hwk_mech_check(&m, &rsa, 32), 0);
    m.md = m.mgf1 = HWK_MD_SHA256;
    m.salt = hwk_mech_pss_max(&rsa, HWK_MD_SHA256);
    assert_int_equal(m.salt, 222);
    assert_int_equal(hwk_mech_check(&m, &rsa, 32), 1);
    m.salt++;
    assert_int_equal(hwk_mech_check(&m, &rsa, 32), 0);
    assert_int_equal(
        hwk_pub_ec_point(&ec, hwk_curve_by_name("P-256"), point, sizeof(point)),
        1);
    assert_int_equal(hwk_mech_check(&m, &ec, 32), 0);
    m.type = HWK_KEY_EC;
    assert_int_equal(hwk_mech_check(&m, &ec, 32), 0);
    m.pad = HWK_PAD_NONE;
    assert_int_equal(hwk_mech_check(&m, &ec, 32), 1);
    assert_int_equal(hwk_pub_rsa(&rsa, modulus, 63, exponent, 3), 0);
    assert_int_equal(hwk_pub_rsa(&rsa, modulus, 256, exponent, 2), 0);
    ERR_clear_error();
}

static void points(void **state)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    uint8_t full[97], small[49];
    size_t n;
    struct hwk_pub a, b;
    const struct hwk_curve *c = hwk_curve_by_name("secp384r1");

    (void)state;
    assert_int_equal(EVP_PKEY_get_octet_string_param(key, "encoded-pub-key",
                                                     full, sizeof(full), &n),
                     1);
    small[0] = full[96] & 1 ? 3 : 2;
    memcpy(small + 1, full + 1, 48);
    assert_int_equal(hwk_pub_ec_point(&a, c, full, n), 1);
    assert_int_equal(hwk_pub_ec_point(&b, c, small, sizeof(small)), 1);
    assert_true(hwk_pub_eq(&a, &b));
    small[0] = 9;
    assert_int_equal(hwk_pub_ec_point(&b, c, small, sizeof(small)), 0);
    assert_int_equal(hwk_pub_ec_point(&b, c, full, 96), 0);
    assert_int_equal(hwk_pub_ec_point(&b, NULL, full, n), 0);
    assert_int_equal(hwk_pub_ec_point(&b, c, full, 0), 0);
    EVP_PKEY_free(key);
    ERR_clear_error();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips), cmocka_unit_test(longest_fits),
        cmocka_unit_test(bad_ders),    cmocka_unit_test(digest_names),
        cmocka_unit_test(digests),     cmocka_unit_test(prefixes),
        cmocka_unit_test(checks),      cmocka_unit_test(points),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
