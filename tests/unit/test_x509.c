/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates made and read back, chains, 802.1AR fields. */
#include "codec.h"

#include <openssl/core_names.h>
#include <openssl/pkcs7.h>
#include <openssl/rsa.h>

#include <idevid/x509.h>

#include "x509/x509.h"

#define DAY 86400
#define NOW 1795341600

static EVP_PKEY *root_key, *ca_key, *leaf_key;
static X509 *root, *ca;

static int64_t fixed_now(void *ctx)
{
    (void)ctx;
    return NOW;
}

static idv_rc counting(void *ctx, uint8_t *p, size_t n)
{
    static uint8_t next = 0x80;
    (void)ctx;
    memset(p, next++, n);
    return IDV_OK;
}

static const struct idv_env env = {.now = fixed_now, .random = counting};

static X509 *issue(const struct idv_cert_spec *spec, EVP_PKEY *key,
                   const X509 *by, EVP_PKEY *by_key)
{
    X509 *cert = NULL;
    OK(idv_cert_issue(spec, key, by, by_key, &env, &cert));
    return cert;
}

static int make_cas(void **state)
{
    (void)state;
    root_key = EVP_EC_gen("P-384");
    ca_key = EVP_EC_gen("P-256");
    leaf_key = EVP_EC_gen("P-256");
    const struct idv_cert_spec r = {.kind = IDV_CERT_ROOT,
                                    .common_name = "Root",
                                    .organization = "Maker",
                                    .not_after = NOW + 1000 * DAY};
    const struct idv_cert_spec c = {
        .kind = IDV_CERT_CA, .common_name = "CA", .not_after = NOW + 100 * DAY};
    root = issue(&r, root_key, NULL, root_key);
    ca = issue(&c, ca_key, root, root_key);
    return 0;
}

static int free_cas(void **state)
{
    (void)state;
    X509_free(root);
    X509_free(ca);
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(leaf_key);
    return 0;
}

static idv_certs *stack(X509 *a, X509 *b)
{
    idv_certs *s = sk_X509_new_null();
    for (X509 *c = a; c; c = c == b ? NULL : b) {
        X509_up_ref(c);
        sk_X509_push(s, c);
    }
    return s;
}

static const struct idv_cert_spec idevid_spec = {
    .kind = IDV_CERT_IDEVID,
    .common_name = "Thing",
    .serial_number = "SN-1",
    .hw_type = IDV_OID_TPM20,
    .hw_serial = {(const uint8_t *)"\x01\x02\xff", 3},
    .masa_url = "masa.example:9443",
};

static int count_ext(const X509 *cert)
{
    return X509_get_ext_count(cert);
}

static bool has_bytes(const X509 *cert, const void *bytes, size_t n)
{
    IDV_AUTO(buf) der = {0};
    OK(idv_cert_to_der(cert, &der));
    for (size_t i = 0; i + n <= der.n; i++) {
        if (memcmp(der.p + i, bytes, n) == 0)
            return true;
    }
    return false;
}

static void idevid(void **state)
{
    struct idv_devid id;
    int64_t from, to;
    IDV_AUTO_PTR(X509) cert = issue(&idevid_spec, leaf_key, ca, ca_key);
    (void)state;
    OK(idv_devid_from_cert(cert, &id));
    assert_string_equal(id.serial_number, "SN-1");
    assert_string_equal(id.hw_type, IDV_OID_TPM20);
    assert_int_equal(id.hw_serial_n, 3);
    assert_memory_equal(id.hw_serial, "\x01\x02\xff", 3);
    assert_true(id.has_masa_url);
    assert_string_equal(id.masa_url.host, "masa.example");
    assert_int_equal(id.masa_url.port, 9443);
    OK(idv_cert_times(cert, &from, &to));
    assert_int_equal(from, NOW);
    assert_int_equal(to, 253402300799);
    assert_true(has_bytes(cert,
                          "\x18\x0f"
                          "99991231235959Z",
                          17));
    /* AKI, SAN, MASA URL and nothing else, none critical */
    assert_int_equal(count_ext(cert), 3);
    for (int i = 0; i < 3; i++)
        assert_false(X509_EXTENSION_get_critical(X509_get_ext(cert, i)));
    assert_true(has_bytes(cert,
                          "\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x20"
                          "\x04\x13\x16\x11masa.example:9443",
                          31));
    assert_true(has_bytes(cert,
                          "\xa0\x1a\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x04"
                          "\xa0\x0e\x30\x0c\x06\x05\x67\x81\x05\x01\x02"
                          "\x04\x03\x01\x02\xff",
                          28));
    assert_true(has_bytes(cert, "\x06\x03\x55\x04\x05\x13\x04SN-1", 11));
}

static void serial_types(void **state)
{
    struct idv_cert_spec spec = idevid_spec;
    struct idv_devid id;
    (void)state;
    spec.serial_number = "S_\xc3\xa9";
    IDV_AUTO_PTR(X509) cert = issue(&spec, leaf_key, ca, ca_key);
    assert_true(has_bytes(cert, "\x06\x03\x55\x04\x05\x0c\x04S_\xc3\xa9", 11));
    OK(idv_devid_from_cert(cert, &id));
    assert_string_equal(id.serial_number, spec.serial_number);
}

/* an IDevID-like certificate with a subject and an extension of our choice */
static idv_rc devid_of(X509_NAME *subject, X509_EXTENSION *ext)
{
    struct idv_cert_spec spec = {.kind = IDV_CERT_SIGNER, .subject = subject};
    STACK_OF(X509_EXTENSION) *extra = sk_X509_EXTENSION_new_null();
    struct idv_devid id = {.serial_number = "kept"};
    if (ext)
        sk_X509_EXTENSION_push(extra, ext);
    spec.extra = extra;
    IDV_AUTO_PTR(X509) cert = issue(&spec, leaf_key, ca, ca_key);
    sk_X509_EXTENSION_pop_free(extra, X509_EXTENSION_free);
    idv_rc rc = idv_devid_from_cert(cert, &id);
    if (rc != IDV_OK)
        assert_string_equal(id.serial_number, "kept");
    return rc;
}

static void put_serial(X509_NAME *name, int type, const void *p, int n)
{
    assert_int_equal(
        X509_NAME_add_entry_by_NID(name, NID_serialNumber, type, p, n, -1, 0),
        1);
}

static void bad_serials(void **state)
{
    static const struct {
        const char *p;
        int n;
        int type;
    } bad[] = {
        {"a\nb", 3, V_ASN1_UTF8STRING},
        {"a\0b", 3, V_ASN1_PRINTABLESTRING},
        {"1234567890123456789012345678901234567890123456789012345678901234"
         "5",
         65, V_ASN1_PRINTABLESTRING},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        IDV_AUTO_PTR(X509_NAME) name = X509_NAME_new();
        put_serial(name, bad[i].type, bad[i].p, bad[i].n);
        FAILS(IDV_E_REJECT, "serialNumber", devid_of(name, NULL));
    }
    IDV_AUTO_PTR(X509_NAME) name = X509_NAME_new();
    FAILS(IDV_E_REJECT, "no serialNumber", devid_of(name, NULL));
    put_serial(name, V_ASN1_T61STRING, "a", 1);
    OK(devid_of(name, NULL));
    put_serial(name, V_ASN1_PRINTABLESTRING, "b", 1);
    FAILS(IDV_E_REJECT, "more than one", devid_of(name, NULL));
}

static X509_EXTENSION *raw_ext(const char *oid_text, const void *p, int n)
{
    IDV_AUTO_PTR(ASN1_OBJECT) oid = OBJ_txt2obj(oid_text, 1);
    IDV_AUTO_PTR(ASN1_OCTET_STRING) s = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(s, p, n);
    return X509_EXTENSION_create_by_OBJ(NULL, oid, 0, s);
}

static void bad_fields(void **state)
{
    static const struct {
        const char *oid, *p;
        int n;
        const char *why;
    } bad[] = {
        {IDV_OID_MASA_URL, "masa.example", 12, "MASA URL: not one IA5String"},
        {IDV_OID_MASA_URL, "\x16\x01m\x00", 4, "MASA URL: not one IA5String"},
        {IDV_OID_MASA_URL, "\x0c\x01m", 3, "MASA URL: not one IA5String"},
        {IDV_OID_MASA_URL, "\x16\x02m", 3, "MASA URL: not one IA5String"},
        {IDV_OID_MASA_URL, "\x16\x00", 2, "MASA URL: URL: empty"},
        {IDV_OID_MASA_URL, "\x16\x08http://m", 10, "http is not accepted"},
        {IDV_OID_MASA_URL, "\x16\x03u@m", 5, "user information"},
        {IDV_OID_MASA_URL, "\x16\x02m\xe9", 4, "character"},
        {"2.5.29.17", "\x30\x03\x82\x02x", 5, "subjectAltName"},
        {"2.5.29.17",
         "\x30\x0e\xa0\x0c\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x04\xa0\x00", 16,
         "subjectAltName"},
        {"2.5.29.17",
         "\x30\x10\xa0\x0e\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x04\xa0\x02"
         "\x05\x00",
         18, "hardwareModuleName"},
        {"2.5.29.17",
         "\x30\x12\xa0\x10\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x04\xa0\x04"
         "\x30\x02\x05\x00",
         20, "hardwareModuleName"},
    };
    IDV_AUTO_PTR(X509_NAME) name = X509_NAME_new();
    (void)state;
    put_serial(name, V_ASN1_PRINTABLESTRING, "b", 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        FAILS(IDV_E_FORMAT, bad[i].why,
              devid_of(name, raw_ext(bad[i].oid, bad[i].p, bad[i].n)));
    OK(devid_of(name, raw_ext(IDV_OID_MASA_URL, "\x16\x01m", 3)));
}

static void kinds(void **state)
{
    static const char *const names[] = {"r.example", "*.r.example", "192.0.2.1",
                                        "2001:db8::1", NULL};
    const struct idv_cert_spec r = {
        .kind = IDV_CERT_REGISTRAR, .common_name = "R", .names = names};
    IDV_AUTO_PTR(X509) registrar = issue(&r, leaf_key, ca, ca_key);
    int64_t from, to;
    (void)state;
    assert_true(idv_cert_has_eku(registrar, IDV_OID_CMC_RA));
    assert_true(idv_cert_has_eku(registrar, IDV_OID_SERVER_AUTH));
    assert_true(idv_cert_has_eku(registrar, IDV_OID_CLIENT_AUTH));
    assert_false(idv_cert_has_eku(registrar, "1.3.6.1.5.5.7.3.3"));
    assert_false(idv_cert_is_ca(registrar));
    assert_int_equal(X509_check_host(registrar, "r.example", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(registrar, "192.0.2.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(registrar, "2001:db8::1", 0), 1);
    assert_non_null(X509_get0_subject_key_id(registrar));
    assert_int_equal(X509_get_key_usage(registrar), KU_DIGITAL_SIGNATURE);
    OK(idv_cert_times(registrar, &from, &to));
    assert_int_equal(to, NOW + 100 * DAY); /* capped by the issuer */
    assert_true(idv_cert_is_ca(root));
    assert_true(idv_cert_is_ca(ca));
    assert_int_equal(X509_get_key_usage(ca), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_int_equal(X509_get_pathlen(ca), 0);
    assert_int_equal(X509_get_pathlen(root), -1);
    assert_false(idv_cert_has_eku(ca, IDV_OID_SERVER_AUTH));
    /* 20 octets, top bit clear */
    const ASN1_INTEGER *serial = X509_get0_serialNumber(root);
    assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER);
    assert_true(ASN1_STRING_length(serial) <= 20);
}

/* what a factory puts in: every field, as openssl x509 -text shows it */
static const char *const policies[] = {IDV_OID_TPM_RESIDENCY, IDV_OID_TPM_FIXED,
                                       NULL};
static const char *const purposes[] = {IDV_OID_CLIENT_AUTH, NULL};

static void shows(const X509 *cert, const char *what)
{
    IDV_AUTO_PTR(BIO) out = BIO_new(BIO_s_mem());
    char *text;
    X509_print_ex(out, (X509 *)(uintptr_t)cert, XN_FLAG_RFC2253, 0);
    BIO_write(out, "", 1);
    BIO_get_mem_data(out, &text);
    if (!strstr(text, what))
        print_error("no '%s' in %s\n", what, text);
    assert_non_null(strstr(text, what));
}

static struct idv_cert_spec factory_spec(enum idv_cert_kind kind)
{
    struct idv_cert_spec s = idevid_spec;
    s.kind = kind;
    s.country = "SE";
    s.organizational_unit = "Line 1";
    s.permanent_id = "00ff";
    s.usage = true;
    s.policies = policies;
    s.purposes = purposes;
    s.crl_url = "http://ca.example/list.crl";
    s.aia_url = "http://ca.example/ca.cer";
    return s;
}

static void factory_fields(void **state)
{
    struct idv_cert_spec s = factory_spec(IDV_CERT_IDEVID);
    IDV_AUTO_PTR(X509) cert = issue(&s, leaf_key, ca, ca_key);
    struct idv_devid id;
    (void)state;
    shows(cert, "OU=Line 1");
    shows(cert, "C=SE");
    shows(cert, "Digital Signature");
    shows(cert, "TLS Web Client Authentication");
    shows(cert, "Policy: " IDV_OID_TPM_RESIDENCY);
    shows(cert, "Policy: " IDV_OID_TPM_FIXED);
    shows(cert, "URI:http://ca.example/list.crl");
    shows(cert, "CA Issuers - URI:http://ca.example/ca.cer");
    /* two otherNames, each a GeneralName of its own */
    assert_true(has_bytes(cert,
                          "\xa0\x1b\x06\x08\x2b\x06\x01\x05\x05\x07\x08"
                          "\x03\xa0\x0f\x30\x0d\x0c\x04"
                          "00ff"
                          "\x06\x05\x67\x81\x05\x0c\x01",
                          0x1d));
    OK(idv_devid_from_cert(cert, &id));
    assert_int_equal(id.hw_serial_n, 3);
}

static void attestation_key(void **state)
{
    struct idv_cert_spec s = factory_spec(IDV_CERT_IAK);
    IDV_AUTO_PTR(X509) cert = issue(&s, leaf_key, ca, ca_key);
    int64_t from, to;
    (void)state;
    assert_true(idv_cert_has_eku(cert, IDV_OID_AIK));
    shows(cert, "Digital Signature");
    shows(cert, "serialNumber=SN-1");
    assert_int_equal(X509_get_ext_by_NID(cert, NID_subject_alt_name, -1) >= 0,
                     1);
    assert_false(has_bytes(cert, "masa.example", 12));
    OK(idv_cert_times(cert, &from, &to));
    assert_int_equal(to, 253402300799);
}

static void long_hw_serial(void **state)
{
    uint8_t serial[IDV_MAX_HW_SERIAL + 1];
    struct idv_cert_spec s = idevid_spec;
    struct idv_devid id;
    X509 *none = NULL;
    (void)state;
    memset(serial, 's', sizeof(serial));
    s.hw_serial = idv_bytes(serial, IDV_MAX_HW_SERIAL);
    IDV_AUTO_PTR(X509) cert = issue(&s, leaf_key, ca, ca_key);
    OK(idv_devid_from_cert(cert, &id));
    assert_int_equal(id.hw_serial_n, IDV_MAX_HW_SERIAL);
    s.hw_serial.n++;
    FAILS(IDV_E_ARG, "hardware serial",
          idv_cert_issue(&s, leaf_key, ca, ca_key, &env, &none));
}

static void issue_refuses(void **state)
{
    struct idv_cert_spec s = idevid_spec;
    X509 *out = NULL;
    static const char *const bad_names[] = {"a b", NULL};
    char sixty_five[66];
    (void)state;
#define NO(why)                                                                \
    FAILS(IDV_E_ARG, why, idv_cert_issue(&s, leaf_key, ca, ca_key, &env, &out))
    s.serial_number = NULL;
    NO("serial number");
    memset(sixty_five, 'x', 65);
    sixty_five[65] = 0;
    s.serial_number = sixty_five;
    NO("serial number");
    s.serial_number = "a\nb";
    NO("serial number");
    s = idevid_spec;
    s.country = "SWE";
    NO("country");
    s = factory_spec(IDV_CERT_IAK);
    s.serial_number = NULL;
    NO("serial number: an IAK");
    s = factory_spec(IDV_CERT_IDEVID);
    s.crl_url = "ldap://x";
    NO("CRL URL");
    s = factory_spec(IDV_CERT_IDEVID);
    s.aia_url = "http://a b";
    NO("AIA URL");
    s = factory_spec(IDV_CERT_IDEVID);
    s.policies = bad_names;
    NO("policy 'a b'");
    s = factory_spec(IDV_CERT_IDEVID);
    s.purposes = bad_names;
    NO("purpose 'a b'");
    s = factory_spec(IDV_CERT_IDEVID);
    s.permanent_id = "";
    NO("permanent identifier");
    s = idevid_spec;
    s.masa_url = "http://m";
    NO("MASA URL: URL: http");
    s = idevid_spec;
    s.hw_type = "tpm";
    NO("hardware type");
    s = idevid_spec;
    s.hw_serial.n = 0;
    NO("hardware serial");
    s = idevid_spec;
    s.common_name = "";
    NO("common name");
    s = idevid_spec;
    s.not_after = NOW - 1;
    NO("validity");
    s = idevid_spec;
    s.names = bad_names;
    NO("names: 'a b'");
    s = idevid_spec;
    s.kind = IDV_CERT_SERVER;
    NO("names");
    s = idevid_spec;
    s.kind = (enum idv_cert_kind)99;
    NO("kind");
    s = idevid_spec;
    FAILS(IDV_E_ARG, "issuer: the key",
          idv_cert_issue(&s, leaf_key, ca, leaf_key, &env, &out));
    FAILS(IDV_E_ARG, "issuer: the key",
          idv_cert_issue(&s, leaf_key, NULL, ca_key, &env, &out));
    IDV_AUTO_PTR(X509) leaf = issue(&s, leaf_key, ca, ca_key);
    FAILS(IDV_E_ARG, "is no CA",
          idv_cert_issue(&s, leaf_key, leaf, leaf_key, &env, &out));
    assert_null(out);
}

/* extra takes the place of the kind's own, twice is refused */
static void extra(void **state)
{
    struct idv_cert_spec s = {.kind = IDV_CERT_LDEVID, .common_name = "L"};
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    X509 *out = NULL;
    (void)state;
    sk_X509_EXTENSION_push(list, raw_ext("2.5.29.15", "\x03\x02\x03\x08", 4));
    s.extra = list;
    IDV_AUTO_PTR(X509) cert = issue(&s, leaf_key, ca, ca_key);
    assert_int_equal(X509_get_key_usage(cert), KU_KEY_AGREEMENT);
    sk_X509_EXTENSION_push(list, raw_ext("2.5.29.15", "\x03\x02\x03\x08", 4));
    FAILS(IDV_E_ARG, "twice",
          idv_cert_issue(&s, leaf_key, ca, ca_key, &env, &out));
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

static void public_half_only(void **state)
{
    IDV_AUTO_PTR(X509) cert = issue(&idevid_spec, leaf_key, ca, ca_key);
    uint8_t priv[256];
    size_t n = 0;
    (void)state;
    assert_int_equal(EVP_PKEY_get_octet_string_param(X509_get0_pubkey(cert),
                                                     "priv", priv, sizeof(priv),
                                                     &n),
                     0);
    assert_ptr_not_equal(X509_get0_pubkey(cert), leaf_key);
}

static void der_and_pem(void **state)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) pem = {0};
    IDV_AUTO_PTR(X509) back = NULL;
    IDV_AUTO_PTR(idv_certs) both = stack(ca, root);
    IDV_AUTO_PTR(idv_certs) read = NULL;
    X509 *no = NULL;
    idv_certs *none = NULL;
    (void)state;
    OK(idv_cert_to_der(ca, &der));
    OK(idv_cert_from_der(idv_view(&der), &back));
    assert_true(idv_cert_eq(ca, back));
    assert_false(idv_cert_eq(ca, root));
    assert_true(idv_cert_same_key(ca, back));
    assert_false(idv_cert_same_key(ca, root));
    for (size_t n = 0; n < der.n; n++)
        FAILS(IDV_E_FORMAT, "certificate",
              idv_cert_from_der(idv_bytes(der.p, n), &no));
    OK(idv_certs_from_pem(idv_view(&der), &read));
    idv_certs_free(idv_steal(&read));
    OK(idv_buf_puts(&der, "\n"));
    FAILS(IDV_E_FORMAT, "after its end",
          idv_cert_from_der(idv_view(&der), &no));
    OK(idv_certs_to_pem(both, &pem));
    OK(idv_certs_from_pem(idv_view(&pem), &read));
    assert_int_equal(sk_X509_num(read), 2);
    assert_true(idv_cert_eq(sk_X509_value(read, 1), root));
    FAILS(IDV_E_FORMAT, "damaged",
          idv_certs_from_pem(idv_bytes(pem.p, pem.n - 30), &none));
    FAILS(IDV_E_FORMAT, "no certificate",
          idv_certs_from_pem(idv_str("hello"), &none));
    FAILS(IDV_E_FORMAT, "no certificate",
          idv_certs_from_pem(idv_bytes(NULL, 0), &none));
    for (int i = 0; i < 5; i++)
        OK(idv_certs_to_pem(both, &pem));
    FAILS(IDV_E_LIMIT, "more than 10",
          idv_certs_from_pem(idv_view(&pem), &none));
    static uint8_t big[IDV_MAX_CERT + 1];
    FAILS(IDV_E_LIMIT, "16384",
          idv_cert_from_der(idv_bytes(big, sizeof(big)), &no));
    assert_null(no);
    assert_null(none);
    assert_non_null(strstr(idv_cert_subject(root), "O=Maker, CN=Root"));
}

static void as_libcrypto_writes_it(const STACK_OF(X509) * certs,
                                   struct idv_bytes der)
{
    uint8_t *theirs = NULL;
    PKCS7 *bag = PKCS7_new();
    assert_int_equal(PKCS7_set_type(bag, NID_pkcs7_signed), 1);
    bag->d.sign->contents->type = OBJ_nid2obj(NID_pkcs7_data);
    for (int i = 0; i < sk_X509_num(certs); i++)
        assert_int_equal(PKCS7_add_certificate(bag, sk_X509_value(certs, i)),
                         1);
    int n = i2d_PKCS7(bag, &theirs);
    assert_int_equal(n, der.n);
    assert_memory_equal(theirs, der.p, der.n);
    OPENSSL_free(theirs);
    PKCS7_free(bag);
}

static void certbag(void **state)
{
    IDV_AUTO_PTR(idv_certs) both = stack(ca, root);
    IDV_AUTO_PTR(idv_certs) read = NULL;
    IDV_AUTO_PTR(idv_certs) many = sk_X509_new_null();
    IDV_AUTO(buf) der = {0};
    idv_certs *none = NULL;
    (void)state;
    OK(idv_certbag_to_der(both, &der));
    as_libcrypto_writes_it(both, idv_view(&der));
    OK(idv_certbag_from_der(idv_view(&der), &read));
    assert_int_equal(sk_X509_num(read), 2);
    assert_true(idv_cert_eq(sk_X509_value(read, 0), ca));
    for (size_t n = 0; n < der.n; n += 3)
        FAILS(IDV_E_FORMAT, "certs-only",
              idv_certbag_from_der(idv_bytes(der.p, n), &none));
    OK(idv_buf_puts(&der, "\n"));
    FAILS(IDV_E_FORMAT, "after its end",
          idv_certbag_from_der(idv_view(&der), &none));
    FAILS(IDV_E_ARG, "none", idv_certbag_to_der(many, &der));
    for (int i = 0; i < 11; i++) {
        X509_up_ref(ca);
        sk_X509_push(many, ca);
    }
    idv_buf_clear(&der);
    OK(idv_certbag_to_der(many, &der));
    as_libcrypto_writes_it(many, idv_view(&der));
    FAILS(IDV_E_LIMIT, "10", idv_certbag_from_der(idv_view(&der), &none));
    /* SignedData with nothing in it; enveloped data */
    static const uint8_t empty[] = {
        0x30, 0x23, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
        0x01, 0x07, 0x02, 0xa0, 0x16, 0x30, 0x14, 0x02, 0x01, 0x01,
        0x31, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
        0xf7, 0x0d, 0x01, 0x07, 0x01, 0x31, 0x00};
    FAILS(IDV_E_FORMAT, "no certificate",
          idv_certbag_from_der(idv_bytes(empty, sizeof(empty)), &none));
    static const uint8_t data[] = {0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48,
                                   0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
    FAILS(IDV_E_FORMAT, "no SignedData",
          idv_certbag_from_der(idv_bytes(data, sizeof(data)), &none));
    assert_null(none);
}

static void issuer_forms(void **state)
{
    IDV_AUTO_PTR(X509) cert = issue(&idevid_spec, leaf_key, ca, ca_key);
    IDV_AUTO(buf) outer = {0};
    IDV_AUTO(buf) bare = {0};
    IDV_AUTO(buf) id = {0};
    (void)state;
    OK(idv_idevid_issuer(cert, false, &outer));
    OK(idv_idevid_issuer(cert, true, &bare));
    assert_int_equal(outer.n, 26);
    assert_memory_equal(outer.p, "\x04\x18\x30\x16\x80\x14", 6);
    assert_memory_equal(outer.p + 2, bare.p, bare.n);
    OK(idv_idevid_issuer_keyid(idv_view(&outer), &id));
    assert_int_equal(id.n, 20);
    const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(ca);
    assert_memory_equal(id.p, ASN1_STRING_get0_data(ski), 20);
    assert_true(idv_idevid_issuer_matches(cert, idv_view(&outer)));
    assert_true(idv_idevid_issuer_matches(cert, idv_view(&bare)));
    assert_true(idv_idevid_issuer_matches(cert, idv_view(&id)));
    id.p[7] ^= 1;
    assert_false(idv_idevid_issuer_matches(cert, idv_view(&id)));
    assert_false(idv_idevid_issuer_matches(cert, idv_str("CN=CA")));
    assert_false(idv_idevid_issuer_matches(cert, idv_bytes(NULL, 0)));
    IDV_AUTO(buf) no = {0};
    FAILS(IDV_E_FORMAT, "idevid-issuer",
          idv_idevid_issuer_keyid(idv_bytes(id.p, 19), &no));
    FAILS(IDV_E_FORMAT, "idevid-issuer",
          idv_idevid_issuer_keyid(idv_bytes(outer.p, 25), &no));
    FAILS(IDV_E_FORMAT, "idevid-issuer",
          idv_idevid_issuer_keyid(idv_bytes("\x30\x00", 2), &no));
    assert_int_equal(no.n, 0);
}

/* --- public keys ---------------------------------------------------------- */

static EVP_PKEY *rsa_pss(void)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY_keygen_init(ctx);
    EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048);
    EVP_PKEY_CTX_set_rsa_pss_keygen_md(ctx, EVP_sha384());
    EVP_PKEY_generate(ctx, &key);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *ec_as(const char *group, const char *param, const char *value)
{
    EVP_PKEY *key = EVP_EC_gen(group);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(key, param, value), 1);
    return key;
}

/* byte for byte what libcrypto makes of it, alone and copied on */
static void spki_is(EVP_PKEY *key)
{
    IDV_AUTO(buf) ours = {0};
    IDV_AUTO(buf) theirs = {0};
    IDV_AUTO(buf) copied = {0};
    X509_PUBKEY *from = X509_PUBKEY_new(), *to = X509_PUBKEY_new();
    OK(IDVI_PUT_DER(i2d_PUBKEY, key, &theirs));
    OK(idvi_spki(key, &ours));
    assert_true(idv_bytes_eq(idv_view(&ours), idv_view(&theirs)));
    OK(idvi_pubkey_put(key, from));
    OK(idvi_pubkey_copy(from, to));
    OK(IDVI_PUT_DER(i2d_X509_PUBKEY, to, &copied));
    assert_true(idv_bytes_eq(idv_view(&copied), idv_view(&theirs)));
    X509_PUBKEY_free(from);
    X509_PUBKEY_free(to);
    EVP_PKEY_free(key);
}

static void public_keys(void **state)
{
    (void)state;
    spki_is(EVP_EC_gen("P-256"));
    spki_is(EVP_EC_gen("P-384"));
    spki_is(EVP_EC_gen("P-521"));
    spki_is(ec_as("P-256", OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                  OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED));
    spki_is(ec_as("P-384", OSSL_PKEY_PARAM_EC_ENCODING,
                  OSSL_PKEY_EC_ENCODING_EXPLICIT));
    spki_is(EVP_RSA_gen(2048));
    spki_is(rsa_pss());
    spki_is(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_keys),      cmocka_unit_test(idevid),
        cmocka_unit_test(serial_types),     cmocka_unit_test(bad_serials),
        cmocka_unit_test(bad_fields),       cmocka_unit_test(kinds),
        cmocka_unit_test(issue_refuses),    cmocka_unit_test(extra),
        cmocka_unit_test(public_half_only), cmocka_unit_test(der_and_pem),
        cmocka_unit_test(certbag),          cmocka_unit_test(issuer_forms),
        cmocka_unit_test(factory_fields),   cmocka_unit_test(attestation_key),
        cmocka_unit_test(long_hw_serial),
    };
    return cmocka_run_group_tests_name("x509", tests, make_cas, free_cas);
}
