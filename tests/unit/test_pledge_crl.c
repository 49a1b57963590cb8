/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate revocation lists as a device judges them. */
#include "tests/unit/codec.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <idevid/text.h>

#include "tests/lib/pki.h"
#include "tools/crl.h"

static struct pki pki;

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

struct made {
    const struct pki_id *name, *by;
    int64_t from, until; /* until 0: no nextUpdate */
    const char *ext, *value;
    const EVP_MD *digest;
};

static struct made good(void)
{
    return (struct made){.name = &pki.domain_ca,
                         .by = &pki.domain_ca,
                         .from = PKI_NOW - 100,
                         .until = PKI_NOW + PKI_DAY};
}

static X509_CRL *make(const struct made *m)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_set(NULL, m->from);
    assert_int_equal(X509_CRL_set_version(crl, 1), 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(m->name->cert));
    assert_int_equal(X509_CRL_set1_lastUpdate(crl, t), 1);
    ASN1_TIME_set(t, m->until);
    if (m->until)
        assert_int_equal(X509_CRL_set1_nextUpdate(crl, t), 1);
    ASN1_TIME_free(t);
    if (m->ext) {
        X509V3_CTX ctx;
        X509V3_set_ctx(&ctx, m->name->cert, NULL, NULL, crl, 0);
        X509V3_set_ctx_nodb(&ctx);
        X509_EXTENSION *x = X509V3_EXT_conf(NULL, &ctx, m->ext, m->value);
        assert_non_null(x);
        X509_CRL_add_ext(crl, x, -1);
        X509_EXTENSION_free(x);
    }
    assert_true(X509_CRL_sign(crl, m->by->key,
                              m->digest ? m->digest : EVP_sha256()) > 0);
    return crl;
}

static void judged(const struct made *m, X509_CRL *kept, bool check_time,
                   const char *why)
{
    X509_CRL *crl = make(m);
    const struct crl_judge by = {.issuer = pki.domain_ca.cert,
                                 .kept = kept,
                                 .check_time = check_time,
                                 .now = PKI_NOW};
    if (why)
        FAILS(IDV_E_REJECT, why, crl_check(crl, &by));
    else
        OK(crl_check(crl, &by));
    X509_CRL_free(crl);
}

static void by_whom(void **state)
{
    struct made m = good();
    (void)state;
    judged(&m, NULL, true, NULL);
    m.by = &pki.rogue_ca;
    judged(&m, NULL, true, "not signed by its issuer");
    m.name = &pki.rogue_ca;
    judged(&m, NULL, true, "of another issuer");
    m = good();
    m.digest = EVP_sha1();
    judged(&m, NULL, true, "algorithm");
}

static void of_what(void **state)
{
    static const struct {
        const char *name, *value, *why;
    } rows[] = {
        {"crlNumber", "DER:020107", NULL},
        {"deltaCRL", "critical,DER:020103", "delta"},
        {"issuingDistributionPoint", "critical,indirectCRL:TRUE", "some"},
        {"issuingDistributionPoint", "critical,onlyAA:TRUE", "some"},
        {"issuingDistributionPoint", "critical,onlyCA:TRUE", "some"},
        {"issuingDistributionPoint", "critical,onlysomereasons:keyCompromise",
         "some"},
        {"issuingDistributionPoint", "critical,onlyuser:TRUE", NULL},
        {"1.2.3.4", "critical,DER:0500", "critical extension"},
        {"1.2.3.4", "DER:0500", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct made m = good();
        m.ext = rows[i].name;
        m.value = rows[i].value;
        judged(&m, NULL, true, rows[i].why);
    }
}

static void of_when(void **state)
{
    struct made m = good(), before = good();
    (void)state;
    X509_CRL *kept = make(&before);
    judged(&m, kept, true, NULL); /* the same once more */
    m.from--;
    judged(&m, kept, true, "older");
    judged(&m, kept, false, "older");
    m.until = PKI_NOW - 1;
    judged(&m, NULL, true, "out of date");
    judged(&m, NULL, false, NULL);
    m = good();
    m.from = PKI_NOW + 301;
    judged(&m, NULL, true, "future");
    judged(&m, NULL, false, NULL);
    m.from = PKI_NOW + 300;
    judged(&m, NULL, true, NULL);
    m.until = 0;
    judged(&m, NULL, false, "missing");
    m.until = m.from;
    judged(&m, NULL, false, "ends before");
    X509_CRL_free(kept);
}

/* DER and PEM, and nothing after it; every byte short, none */
static void reading(void **state)
{
    struct made m = good();
    X509_CRL *crl = make(&m), *got = NULL;
    uint8_t *der = NULL;
    (void)state;
    const int n = i2d_X509_CRL(crl, &der);
    assert_true(n > 0);
    OK(crl_read(idv_bytes(der, (size_t)n), &got));
    assert_int_equal(X509_CRL_cmp(got, crl), 0);
    X509_CRL_free(got);
    for (int i = 0; i < n; i++)
        FAILS(IDV_E_FORMAT, "none", crl_read(idv_bytes(der, (size_t)i), &got));
    uint8_t *more = test_calloc(1, (size_t)n + 1);
    memcpy(more, der, (size_t)n);
    FAILS(IDV_E_FORMAT, "follows",
          crl_read(idv_bytes(more, (size_t)n + 1), &got));
    test_free(more);
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem;
    PEM_write_bio_X509_CRL(bio, crl);
    const long pem_n = BIO_get_mem_data(bio, &pem);
    OK(crl_read(idv_bytes((uint8_t *)pem, (size_t)pem_n), &got));
    X509_CRL_free(got);
    FAILS(IDV_E_LIMIT, "bytes", crl_read(idv_bytes(der, CRL_MAX + 1), &got));
    BIO_free(bio);
    OPENSSL_free(der);
    X509_CRL_free(crl);
}

static void places(void **state)
{
    static const struct {
        const char *value, *first, *second;
    } rows[] = {
        {"URI:http://a.example/x.crl", "http://a.example/x.crl", NULL},
        {"URI:https://a.example/x,URI:http://b.example/y",
         "https://a.example/x", "http://b.example/y"},
        {"URI:ldap://a.example/x", NULL, NULL},
        {"URI:file:///etc/passwd,URI:HTTP://b.example/y", "HTTP://b.example/y",
         NULL},
        {"DNS:a.example", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        X509 *cert = X509_dup(pki.registrar.cert);
        char **urls;
        X509_EXTENSION *x =
            X509V3_EXT_conf(NULL, NULL, "crlDistributionPoints", rows[i].value);
        assert_non_null(x);
        X509_add_ext(cert, x, -1);
        OK(crl_urls(cert, &urls));
        if (!rows[i].first) {
            assert_null(urls);
        } else {
            assert_string_equal(urls[0], rows[i].first);
            assert_true(rows[i].second ? !strcmp(urls[1], rows[i].second)
                                       : !urls[1]);
        }
        idv_list_free(urls);
        X509_EXTENSION_free(x);
        X509_free(cert);
    }
    char **none;
    OK(crl_urls(pki.registrar.cert, &none));
    assert_null(none);
}

static void the_next_one(void **state)
{
    (void)state;
    assert_int_equal(crl_refresh_at(1000, 1000 + 4 * 2560, 0), 1000 + 7680);
    assert_true(crl_refresh_at(1000, 1000 + 4 * 2560, 255) < 1000 + 7680);
    assert_true(crl_refresh_at(1000, 1000 + 4 * 2560, 255) > 1000 + 6900);
    assert_int_equal(crl_refresh_at(1000, 10, 7), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_whom), cmocka_unit_test(of_what),
        cmocka_unit_test(of_when), cmocka_unit_test(reading),
        cmocka_unit_test(places),  cmocka_unit_test(the_next_one),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
