/* SPDX-License-Identifier: Apache-2.0 */
/* Paths that verify and paths that must not, made here and published ones. */
#include "codec.h"

#include <idevid/codec.h>
#include <idevid/x509.h>

#define DAY 86400
#define NOW 1795341600

static EVP_PKEY *key[4];
static X509 *root, *ca, *leaf, *stranger;

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

static X509 *issue(enum idv_cert_kind kind, const char *name, EVP_PKEY *k,
                   const X509 *by, EVP_PKEY *by_key, int64_t end)
{
    const struct idv_cert_spec spec = {
        .kind = kind, .common_name = name, .not_after = end};
    X509 *cert = NULL;
    OK(idv_cert_issue(&spec, k, by, by_key, &env, &cert));
    return cert;
}

static int make(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        key[i] = EVP_EC_gen("P-256");
    root = issue(IDV_CERT_ROOT, "Root", key[0], NULL, key[0], NOW + 9 * DAY);
    ca = issue(IDV_CERT_CA, "CA", key[1], root, key[0], NOW + 8 * DAY);
    leaf = issue(IDV_CERT_REGISTRAR, "R", key[2], ca, key[1], NOW + 3 * DAY);
    stranger = issue(IDV_CERT_ROOT, "Root", key[3], NULL, key[3], 0);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        EVP_PKEY_free(key[i]);
    X509_free(root);
    X509_free(ca);
    X509_free(leaf);
    X509_free(stranger);
    return 0;
}

/* anchor and extra are one certificate or NULL */
static idv_rc verify(X509 *cert, X509 *anchor, X509 *extra,
                     struct idv_chain_policy policy)
{
    STACK_OF(X509) *anchors = sk_X509_new_null(), *more = sk_X509_new_null();
    if (anchor)
        sk_X509_push(anchors, anchor);
    if (extra)
        sk_X509_push(more, extra);
    policy.anchors = anchors;
    policy.extra = more;
    idv_rc rc = idv_chain_verify(cert, &policy);
    sk_X509_free(anchors);
    sk_X509_free(more);
    return rc;
}

#define POLICY(...) ((struct idv_chain_policy){__VA_ARGS__})
#define TIMED .check_time = true, .now = NOW + DAY

static void paths(void **state)
{
    (void)state;
    OK(verify(leaf, root, ca, POLICY(TIMED)));
    OK(verify(leaf, root, ca, POLICY(TIMED, .eku = IDV_OID_CMC_RA)));
    OK(verify(root, root, NULL, POLICY(TIMED)));
    FAILS(IDV_E_REJECT, "lacks the key usage",
          verify(leaf, root, ca, POLICY(TIMED, .eku = "1.3.6.1.5.5.7.3.3")));
    FAILS(IDV_E_REJECT, "'CN=R': unable to get local issuer",
          verify(leaf, root, NULL, POLICY(TIMED)));
    FAILS(IDV_E_REJECT, "no trust anchor",
          verify(leaf, NULL, ca, POLICY(TIMED)));
    FAILS(IDV_E_REJECT, "no certificate",
          verify(NULL, root, ca, POLICY(TIMED)));
    /* of the same name, with another key */
    FAILS(IDV_E_REJECT, "chain: ", verify(leaf, stranger, ca, POLICY(TIMED)));
    FAILS(IDV_E_REJECT, "chain: ",
          verify(leaf, stranger, ca, POLICY(TIMED, .partial = true)));
}

static void pins(void **state)
{
    (void)state;
    FAILS(IDV_E_REJECT, "chain: ", verify(leaf, ca, NULL, POLICY(TIMED)));
    OK(verify(leaf, ca, NULL, POLICY(TIMED, .partial = true)));
    FAILS(IDV_E_REJECT, "chain: ", verify(leaf, leaf, ca, POLICY(TIMED)));
    OK(verify(leaf, leaf, ca, POLICY(TIMED, .partial = true)));
    OK(verify(leaf, leaf, NULL, POLICY(TIMED, .partial = true)));
}

static void times(void **state)
{
    const int64_t late = NOW + 4 * DAY, later = NOW + 10 * DAY;
    (void)state;
    OK(verify(leaf, root, ca, POLICY(.now = later)));
    FAILS(IDV_E_REJECT, "'CN=R': certificate has expired",
          verify(leaf, root, ca, POLICY(.check_time = true, .now = late)));
    OK(verify(
        leaf, root, ca,
        POLICY(.check_time = true, .now = late, .ignore_leaf_expiry = true)));
    FAILS(IDV_E_REJECT, "expired",
          verify(leaf, root, ca,
                 POLICY(.check_time = true, .now = later,
                        .ignore_leaf_expiry = true)));
    FAILS(IDV_E_REJECT, "not yet valid",
          verify(leaf, root, ca,
                 POLICY(.check_time = true, .now = NOW - DAY,
                        .ignore_leaf_expiry = true)));
    FAILS(IDV_E_REJECT, "expired",
          verify(leaf, leaf, NULL,
                 POLICY(.check_time = true, .now = late, .partial = true)));
}

/* a leaf that issues, a signature that is damaged, expiry forgiven only */
static void forgeries(void **state)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(X509) bad = NULL;
    (void)state;
    OK(idv_cert_to_der(leaf, &der));
    der.p[der.n - 1] ^= 1;
    OK(idv_cert_from_der(idv_view(&der), &bad));
    FAILS(IDV_E_REJECT, "signature failure",
          verify(bad, root, ca, POLICY(TIMED, .ignore_leaf_expiry = true)));
    FAILS(IDV_E_REJECT, "signature failure",
          verify(bad, ca, NULL, POLICY(TIMED, .partial = true)));
    /* signed with the registrar's key, naming it as issuer */
    IDV_AUTO_PTR(X509) fake = issue(IDV_CERT_CA, "R", key[2], NULL, key[2], 0);
    IDV_AUTO_PTR(X509)
    forged = issue(IDV_CERT_SIGNER, "Forged", key[3], fake, key[2], 0);
    FAILS(IDV_E_REJECT, "chain: ",
          verify(forged, leaf, NULL, POLICY(TIMED, .partial = true)));
    FAILS(IDV_E_REJECT, "chain: ", verify(forged, root, fake, POLICY(TIMED)));
}

/* --- published ---------------------------------------------------------- */

static X509 *published(const char *name)
{
    IDV_AUTO(buf) text = {0};
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    test_vector(name, &text);
    OK(idv_certs_from_pem(idv_view(&text), &certs));
    return sk_X509_shift(certs);
}

static void domain_ids(void **state)
{
    static const struct {
        const char *name, *id;
    } known[] = {
        {"rfc8995/jrc_prime256v1.crt",
         "Oy6w2vS8ar8m/FtEHuzs7sl7LSD3pW9yTCgCecoIL3M="},
        {"rfc8995/ownerca_secp384r1.crt", "uaX2yxHhB6RJLKcIxnwQvIezdCY="},
        {"constrained/cose-examples/domain_ca.pem",
         "kup2QEBKj6tPJwvzvDedhs1ygPg="},
        {"constrained/cose-examples/registrar.pem",
         "yQgLOH2N2Fs6WefsEAuGY5Opykw="},
        {"jws/domain-ca.crt", "asnNUUuHesxIA5pQ2TWKOIRLC1c="},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        IDV_AUTO_PTR(X509) cert = published(known[i].name);
        IDV_AUTO(buf) id = {0};
        IDV_AUTO(buf) text = {0};
        OK(idv_domain_id(cert, &id));
        OK(idv_base64_from_bytes(idv_view(&id), 0, &text));
        assert_string_equal((char *)text.p, known[i].id);
    }
}

static void issuers(void **state)
{
    static const struct {
        const char *name, *value, *serial, *masa;
        uint16_t port;
    } known[] = {
        {"jws/pledge-idevid.crt", "BBgwFoAUlU7Vft0KvopLzyjGaNB2fcQyB/U=",
         "kit-987654321", "masa-test.xyzmanufacturer.com", 9443},
        {"constrained/cose-examples/pledge.pem",
         "BBgwFoAUy42YynTFG1jd56zvhpqUQ6jWZqY=", "JADA123456789",
         "masa.stok.nl", 443},
        {"rfc8995/idevid_00-D0-E5-F2-00-02.crt",
         "BBgwFoAURYjMlpYAZDewuiNlZGRUCAZsVq0=", "00-D0-E5-F2-00-02",
         "highway-test.example.com", 9443},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        IDV_AUTO_PTR(X509) cert = published(known[i].name);
        IDV_AUTO(buf) value = {0};
        IDV_AUTO(buf) text = {0};
        struct idv_devid id;
        OK(idv_idevid_issuer(cert, false, &value));
        OK(idv_base64_from_bytes(idv_view(&value), 0, &text));
        assert_string_equal((char *)text.p, known[i].value);
        assert_true(idv_idevid_issuer_matches(cert, idv_view(&value)));
        OK(idv_devid_from_cert(cert, &id));
        assert_string_equal(id.serial_number, known[i].serial);
        assert_string_equal(id.masa_url.host, known[i].masa);
        assert_int_equal(id.masa_url.port, known[i].port);
    }
}

static void published_chains(void **state)
{
    static const struct {
        const char *leaf, *anchor;
        idv_rc rc;
    } known[] = {
        {"jws/pledge-idevid.crt", "jws/manufacturer-ca.crt", IDV_OK},
        {"jws/masa-voucher-signing.crt", "jws/manufacturer-ca.crt", IDV_OK},
        {"jws/registrar-rvr-signing.crt", "jws/domain-ca.crt", IDV_OK},
        {"jws/pledge-idevid.crt", "jws/domain-ca.crt", IDV_E_REJECT},
        {"rfc8995/idevid_00-D0-E5-F2-00-02.crt", "rfc8995/vendor.crt", IDV_OK},
        {"rfc8995/masa.crt", "rfc8995/vendor.crt", IDV_OK},
        {"rfc8995/jrc_prime256v1.crt", "rfc8995/ownerca_secp384r1.crt", IDV_OK},
        {"rfc8995/masa_secp384r1.crt", "rfc8995/vendor.crt", IDV_E_REJECT},
        {"constrained/cose-examples/pledge.pem",
         "constrained/cose-examples/masa_ca.pem", IDV_OK},
        {"constrained/cose-examples/registrar.pem",
         "constrained/cose-examples/domain_ca.pem", IDV_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        IDV_AUTO_PTR(X509) cert = published(known[i].leaf);
        IDV_AUTO_PTR(X509) anchor = published(known[i].anchor);
        idv_note_clear();
        idv_rc rc = verify(cert, anchor, NULL, POLICY(.partial = true));
        if (rc != known[i].rc)
            print_error("%s: %s\n", known[i].leaf, idv_note());
        assert_int_equal(rc, known[i].rc);
    }
    idv_note_clear();
    IDV_AUTO_PTR(X509) jrc = published("rfc8995/jrc_prime256v1.crt");
    assert_true(idv_cert_has_eku(jrc, IDV_OID_CMC_RA));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(pins),
        cmocka_unit_test(times),
        cmocka_unit_test(forgeries),
        cmocka_unit_test(domain_ids),
        cmocka_unit_test(issuers),
        cmocka_unit_test(published_chains),
    };
    return cmocka_run_group_tests_name("chain", tests, make, drop);
}
