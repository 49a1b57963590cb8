/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate's parts found without parsing it are those that libcrypto
 * finds; and certificates written here part by part are as it would write
 * them. */
#include "codec.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <idevid/codec.h>
#include <idevid/x509.h>

#define DAY 86400
#define NOW 1795341600

static EVP_PKEY *key[5];
static const int n_keys = sizeof(key) / sizeof(key[0]);

static int64_t fixed_now(void *ctx)
{
    (void)ctx;
    return NOW;
}

static idv_rc counting(void *ctx, uint8_t *p, size_t n)
{
    static uint8_t next;
    (void)ctx;
    memset(p, ++next, n);
    return IDV_OK;
}

static const struct idv_env env = {.now = fixed_now, .random = counting};

static int make(void **state)
{
    (void)state;
    key[0] = EVP_EC_gen("P-256");
    key[1] = EVP_EC_gen("P-384");
    key[2] = EVP_EC_gen("P-521");
    key[3] = EVP_RSA_gen(2048);
    key[4] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return 0;
}

static int drop(void **state)
{
    (void)state;
    for (int i = 0; i < n_keys; i++)
        EVP_PKEY_free(key[i]);
    return 0;
}

static void issue(const struct idv_cert_spec *spec, EVP_PKEY *of,
                  const X509 *by, EVP_PKEY *by_key, struct idv_buf *out)
{
    OK(idv_cert_issue_der(spec, of, by, by_key, &env, out));
}

static X509 *parse(struct idv_bytes der)
{
    X509 *cert = NULL;
    OK(idv_cert_from_der(der, &cert)); /* is what libcrypto writes, too */
    return cert;
}

static void same_parts(struct idv_bytes der)
{
    struct idv_cert_outline o;
    IDV_AUTO_PTR(X509) cert = parse(der);
    const unsigned char *subject;
    unsigned char *spki = NULL;
    size_t n;
    int64_t from, to;
    OK(idv_cert_outline(der, &o));
    OK(idv_cert_times(cert, &from, &to));
    assert_int_equal(o.not_after, to);
    assert_int_equal(
        X509_NAME_get0_der(X509_get_subject_name(cert), &subject, &n), 1);
    assert_true(idv_bytes_eq(o.subject, idv_bytes(subject, n)));
    const int k = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
    assert_true(idv_bytes_eq(o.spki, idv_bytes(spki, (size_t)k)));
    assert_int_equal(o.ca, idv_cert_is_ca(cert));
    OPENSSL_free(spki);
}

/* --- every kind of key signs, and is certified ---------------------------- */

static void of_each_key(void **state)
{
    const struct idv_cert_spec root = {.kind = IDV_CERT_ROOT,
                                       .common_name = "Root"};
    const struct idv_cert_spec leaf = {.kind = IDV_CERT_LDEVID,
                                       .organization = "Example",
                                       .serial_number = "7",
                                       .not_after = NOW + DAY};
    (void)state;
    for (int i = 0; i < n_keys; i++) {
        IDV_AUTO(buf) ca = {0};
        IDV_AUTO(buf) der = {0};
        EVP_PKEY *other = key[(i + 1) % n_keys];
        issue(&root, key[i], NULL, key[i], &ca);
        IDV_AUTO_PTR(X509) by = parse(idv_view(&ca));
        issue(&leaf, other, by, key[i], &der);
        IDV_AUTO_PTR(X509) cert = parse(idv_view(&der));
        assert_int_equal(X509_verify(by, key[i]), 1);
        assert_int_equal(X509_verify(cert, key[i]), 1);
        assert_int_not_equal(X509_verify(cert, other), 1);
        ERR_clear_error();
        assert_int_equal(X509_get_version(cert), X509_VERSION_3);
        assert_int_equal(X509_NAME_cmp(X509_get_issuer_name(cert),
                                       X509_get_subject_name(by)),
                         0);
        same_parts(idv_view(&ca));
        same_parts(idv_view(&der));
    }
}

/* a factory's: no subject but a serial number, no end, and everything else */
static void without_end(void **state)
{
    static const char *const names[] = {"d.example", NULL};
    static const uint8_t serial[] = {1, 2, 3};
    const struct idv_cert_spec root = {.kind = IDV_CERT_ROOT,
                                       .common_name = "Root"};
    const struct idv_cert_spec spec = {.kind = IDV_CERT_IDEVID,
                                       .serial_number = "00A1",
                                       .names = names,
                                       .hw_type = "1.3.6.1.4.1.32473.1",
                                       .hw_serial =
                                           idv_bytes(serial, sizeof(serial)),
                                       .masa_url = "masa.example",
                                       .usage = true};
    IDV_AUTO(buf) ca = {0};
    IDV_AUTO(buf) der = {0};
    struct idv_cert_outline o;
    (void)state;
    issue(&root, key[0], NULL, key[0], &ca);
    IDV_AUTO_PTR(X509) by = parse(idv_view(&ca));
    issue(&spec, key[1], by, key[0], &der);
    same_parts(idv_view(&der));
    OK(idv_cert_outline(idv_view(&der), &o));
    assert_int_equal(o.not_after, IDV_NO_EXPIRY);
    assert_true(idv_spki_is_of(o.spki, key[1]));
    assert_false(idv_spki_is_of(o.spki, key[0]));
}

/* --- what others wrote ---------------------------------------------------- */

/* the same key with a compressed point is the same key */
static void written_otherwise(void **state)
{
    unsigned char *der = NULL;
    EVP_PKEY *copy = EVP_PKEY_dup(key[0]);
    (void)state;
    assert_int_equal(
        EVP_PKEY_set_utf8_string_param(copy, "point-format", "compressed"), 1);
    const int n = i2d_PUBKEY(copy, &der);
    const struct idv_bytes spki = idv_bytes(der, (size_t)n);
    assert_true(spki.n < 65);
    assert_true(idv_spki_is_of(spki, key[0]));
    assert_false(idv_spki_is_of(spki, key[1]));
    assert_false(idv_spki_is_of(idv_bytes(der, spki.n - 1), key[0]));
    OPENSSL_free(der);
    EVP_PKEY_free(copy);
}

static void add_constraints(X509 *cert, const char *hex)
{
    IDV_AUTO(buf) value = {0};
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    OK(idv_hex_to_bytes(idv_str(hex), &value));
    ASN1_OCTET_STRING_set(octets, value.p, (int)value.n);
    X509_EXTENSION *ext =
        X509_EXTENSION_create_by_NID(NULL, NID_basic_constraints, 1, octets);
    assert_int_equal(X509_add_ext(cert, ext, -1), 1);
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(octets);
}

static bool says_ca(const char *constraints)
{
    IDV_AUTO(buf) der = {0};
    struct idv_cert_outline o;
    IDV_AUTO_PTR(X509) cert = X509_new();
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    ASN1_TIME_set(X509_getm_notBefore(cert), NOW);
    ASN1_TIME_set(X509_getm_notAfter(cert), NOW);
    X509_set_pubkey(cert, key[0]);
    add_constraints(cert, constraints);
    assert_true(X509_sign(cert, key[0], EVP_sha256()) > 0);
    OK(idv_cert_to_der(cert, &der));
    OK(idv_cert_outline(idv_view(&der), &o));
    return o.ca;
}

static void constraints(void **state)
{
    (void)state;
    assert_true(says_ca("30030101ff"));
    assert_true(says_ca("30060101ff020100"));
    assert_false(says_ca("3000"));
    assert_true(says_ca("3003010101")); /* TRUE, not DER */
    assert_true(says_ca("0500"));       /* no constraints at all */
    assert_true(says_ca(""));
}

/* --- cut and spoilt ------------------------------------------------------- */

static void damaged(void **state)
{
    const struct idv_cert_spec root = {.kind = IDV_CERT_ROOT,
                                       .common_name = "Root"};
    IDV_AUTO(buf) der = {0};
    struct idv_cert_outline o;
    (void)state;
    issue(&root, key[0], NULL, key[0], &der);
    for (size_t n = 0; n < der.n; n++) {
        IDV_AUTO(buf) part = {0}; /* of its own, so that reading on is seen */
        OK(idv_buf_put(&part, idv_bytes(der.p, n)));
        FAILS(IDV_E_FORMAT, "DER: ", idv_cert_outline(idv_view(&part), &o));
    }
    for (size_t i = 0; i < der.n * 8; i++) {
        der.p[i / 8] ^= (uint8_t)(1 << i % 8);
        idv_rc rc = idv_cert_outline(idv_view(&der), &o);
        assert_true(rc == IDV_OK || rc == IDV_E_FORMAT);
        der.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    OK(idv_buf_put(&der, idv_bytes("", 1)));
    FAILS(IDV_E_FORMAT, "DER: ", idv_cert_outline(idv_view(&der), &o));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_each_key), cmocka_unit_test(without_end),
        cmocka_unit_test(written_otherwise), cmocka_unit_test(constraints),
        cmocka_unit_test(damaged)};
    return cmocka_run_group_tests(tests, make, drop);
}
