/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate requests: made, read back, and refused. */
#include "config.h" /* memmem */

#include "codec.h"

#include <openssl/core_names.h>

#include <idevid/x509.h>

static void make_read(void **state)
{
    static const char *const types[] = {"P-256", "P-384", "P-521", "RSA",
                                        "ED25519"};
    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        IDV_AUTO_PTR(EVP_PKEY)
        key = i < 3   ? EVP_EC_gen(types[i])
              : i < 4 ? EVP_RSA_gen(2048)
                      : EVP_PKEY_Q_keygen(NULL, NULL, types[i]);
        IDV_AUTO_PTR(X509_REQ) req = NULL;
        IDV_AUTO_PTR(EVP_PKEY) its = NULL;
        IDV_AUTO(buf) der = {0};
        IDV_AUTO(buf) text = {0};
        bool found;
        OK(idv_csr_make(key, NULL, NULL, "c2Vj+/8=", &der));
        OK(idv_csr_from_der(idv_view(&der), &req, &its));
        OK(idv_csr_challenge(req, &found, &text));
        assert_true(found);
        assert_string_equal((char *)text.p, "c2Vj+/8=");
        assert_int_equal(EVP_PKEY_eq(its, key), 1);
    }
}

/* What is written as nobody writes it is read as well: a point compressed. What
 * is none is refused: on no curve, at infinity, cut. */
static void points(void **state)
{
    IDV_AUTO_PTR(EVP_PKEY) key = EVP_EC_gen("P-256");
    IDV_AUTO_PTR(X509_REQ) req = NULL;
    IDV_AUTO_PTR(EVP_PKEY) its = NULL;
    IDV_AUTO(buf) der = {0};
    (void)state;
    OK(idv_csr_make(key, NULL, NULL, NULL, &der));
    uint8_t *point = memmem(der.p, der.n, "\x03\x42\x00\x04", 4);
    assert_non_null(point);
    point[40] ^= 1;
    FAILS(IDV_E_REJECT, "cannot be read",
          idv_csr_from_der(idv_view(&der), &req, &its));
    point[40] ^= 1;
    point[3] = 0;
    FAILS(IDV_E_REJECT, "cannot be read",
          idv_csr_from_der(idv_view(&der), &req, &its));
    idv_buf_clear(&der);
    assert_int_equal(
        EVP_PKEY_set_utf8_string_param(
            key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"),
        1);
    OK(idv_csr_make(key, NULL, NULL, NULL, &der));
    assert_non_null(memmem(der.p, der.n, "\x03\x22\x00", 3));
    OK(idv_csr_from_der(idv_view(&der), &req, &its));
    assert_int_equal(EVP_PKEY_eq(its, key), 1);
}

/* A key of another kind in a request that speaks of EC keys elsewhere. */
static void speaks_of_ec(void **state)
{
    static uint8_t oid[] = {6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1};
    IDV_AUTO_PTR(EVP_PKEY) key = EVP_RSA_gen(2048);
    IDV_AUTO_PTR(X509_REQ) req = NULL;
    IDV_AUTO_PTR(EVP_PKEY) its = NULL;
    IDV_AUTO(buf) der = {0};
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    (void)state;
    assert_int_equal(ASN1_OCTET_STRING_set(value, oid, sizeof(oid)), 1);
    sk_X509_EXTENSION_push(list, X509_EXTENSION_create_by_NID(
                                     NULL, NID_netscape_comment, 0, value));
    ASN1_OCTET_STRING_free(value);
    OK(idv_csr_make(key, NULL, list, NULL, &der));
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    OK(idv_csr_from_der(idv_view(&der), &req, &its));
    assert_int_equal(EVP_PKEY_eq(its, key), 1);
}

static void subject_and_extensions(void **state)
{
    IDV_AUTO_PTR(EVP_PKEY) key = EVP_EC_gen("P-256");
    IDV_AUTO_PTR(X509_NAME) name = X509_NAME_new();
    IDV_AUTO_PTR(X509_REQ) req = NULL;
    IDV_AUTO_PTR(EVP_PKEY) its = NULL;
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) text = {0};
    bool found = true;
    (void)state;
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               (const unsigned char *)"x", -1, -1, 0);
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(list, X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage,
                                                     "digitalSignature"));
    OK(idv_csr_make(key, name, list, NULL, &der));
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    OK(idv_csr_from_der(idv_view(&der), &req, &its));
    OK(idv_csr_challenge(req, &found, &text));
    assert_false(found);
    assert_int_equal(text.n, 0);
    assert_int_equal(X509_NAME_cmp(X509_REQ_get_subject_name(req), name), 0);
    list = X509_REQ_get_extensions(req);
    assert_int_equal(sk_X509_EXTENSION_num(list), 1);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

static void damaged(void **state)
{
    IDV_AUTO_PTR(EVP_PKEY) key = EVP_EC_gen("P-256");
    IDV_AUTO(buf) der = {0};
    X509_REQ *req = NULL;
    EVP_PKEY *its = NULL;
    static uint8_t big[IDV_MAX_CERT + 1];
    (void)state;
    OK(idv_csr_make(key, NULL, NULL, NULL, &der));
    for (size_t n = 0; n < der.n; n++)
        FAILS(IDV_E_FORMAT, "request",
              idv_csr_from_der(idv_bytes(der.p, n), &req, &its));
    der.p[der.n - 1] ^= 1;
    FAILS(IDV_E_REJECT, "signature",
          idv_csr_from_der(idv_view(&der), &req, &its));
    der.p[der.n - 1] ^= 1;
    OK(idv_buf_puts(&der, "\n"));
    FAILS(IDV_E_FORMAT, "after its end",
          idv_csr_from_der(idv_view(&der), &req, &its));
    FAILS(IDV_E_LIMIT, "16384",
          idv_csr_from_der(idv_bytes(big, sizeof(big)), &req, &its));
    assert_null(req);
    assert_null(its);
}

static void refuses_key(EVP_PKEY *key, const char *why)
{
    IDV_AUTO(buf) der = {0};
    X509_REQ *req = NULL;
    EVP_PKEY *its = NULL;
    assert_non_null(key);
    OK(idv_csr_make(key, NULL, NULL, NULL, &der));
    FAILS(IDV_E_REJECT, why, idv_csr_from_der(idv_view(&der), &req, &its));
    assert_null(req);
    assert_null(its);
    EVP_PKEY_free(key);
}

static EVP_PKEY *nameless_curve(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_int_equal(EVP_PKEY_set_utf8_string_param(
                         key, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"),
                     1);
    return key;
}

static void weak_keys(void **state)
{
    (void)state;
    refuses_key(EVP_RSA_gen(1024), "RSA of 1024 bits");
    refuses_key(EVP_EC_gen("P-224"), "below 256 bits");
    refuses_key(nameless_curve(), "without a name");
}

static void bad_challenges(void **state)
{
    IDV_AUTO_PTR(EVP_PKEY) key = EVP_EC_gen("P-256");
    IDV_AUTO(buf) der = {0};
    char text[257];
    (void)state;
    memset(text, 'x', 256);
    text[256] = 0;
    FAILS(IDV_E_ARG, "challenge", idv_csr_make(key, NULL, NULL, text, &der));
    FAILS(IDV_E_ARG, "challenge", idv_csr_make(key, NULL, NULL, "", &der));
    FAILS(IDV_E_ARG, "challenge", idv_csr_make(key, NULL, NULL, "\n", &der));
    assert_int_equal(der.n, 0);
}

/* attributes that no sender of ours makes */
static idv_rc challenge_of(int type, const void *p, int n, int times)
{
    IDV_AUTO_PTR(X509_REQ) req = X509_REQ_new();
    IDV_AUTO(buf) text = {0};
    bool found;
    for (int i = 0; i < times; i++)
        X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword, type, p, n);
    return idv_csr_challenge(req, &found, &text);
}

static void odd_challenges(void **state)
{
    (void)state;
    OK(challenge_of(V_ASN1_UTF8STRING, "x", 1, 1));
    FAILS(IDV_E_FORMAT, "not a text",
          challenge_of(V_ASN1_OCTET_STRING, "x", 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(make_read),
        cmocka_unit_test(points),
        cmocka_unit_test(speaks_of_ec),
        cmocka_unit_test(subject_and_extensions),
        cmocka_unit_test(damaged),
        cmocka_unit_test(weak_keys),
        cmocka_unit_test(bad_challenges),
        cmocka_unit_test(odd_challenges),
    };
    return cmocka_run_group_tests_name("csr", tests, NULL, NULL);
}
