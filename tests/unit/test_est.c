/* SPDX-License-Identifier: Apache-2.0 */
/* The client's half of EST: bodies, csrattrs, cacerts, certificates. */
#define _GNU_SOURCE /* memmem */
#include "tests/unit/codec.h"

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <idevid/est.h>

#include "tests/lib/pki.h"

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

/* --- bodies --------------------------------------------------------------- */

static const uint8_t der[100] = {0x30, 98, 1, 2, 3};

/* R-P-61 */
static void bodies_are_sent_in_64_columns(void **state)
{
    IDV_AUTO(buf) body = {0};
    (void)state;
    OK(idv_est_body_from_der(idv_bytes(der, sizeof(der)), &body));
    for (const char *line = (char *)body.p; *line;) {
        const char *end = strchr(line, '\n');
        assert_non_null(end);
        assert_true(end - line <= 64);
        assert_true(end - line == 64 || end[1] == 0);
        line = end + 1;
    }
    assert_null(memchr(body.p, '\r', body.n));
}

/* R-P-61 */
static void bodies_are_read_in_every_form(void **state)
{
    static const char *const forms[] = {
        "MAMCAQU=",
        "MAMCAQU=\n",
        "MAMCAQU=\r\n",
        "MAMC\nAQU=\n",
        "MA\r\nMC AQ\tU=",
        "  MAMCAQU",
        "-----BEGIN X-----\nMAMCAQU=\n-----END X-----\n",
        "-----BEGIN LONG NAME-----\r\nMAMC\r\nAQU=\r\n-----END LONG NAME-----",
    };
    static const uint8_t want[] = {0x30, 3, 2, 1, 5};
    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        IDV_AUTO(buf) out = {0};
        OK(idv_est_body_to_der(idv_str(forms[i]), &out));
        assert_int_equal(out.n, sizeof(want));
        assert_memory_equal(out.p, want, out.n);
    }
}

static void bodies_that_are_none(void **state)
{
    static const char *const forms[] = {
        "",
        "\n",
        "MAMC!QU=",
        "-----BEGIN X-----\nMAMCAQU=\n",
        "-----BEGIN X",
        "-----BEGIN X-----\nMAMCAQU=\n-----END X-----\nMAMCAQU=",
        "-----BEGIN X-----\nMAMCAQU=\n-----END X",
        "MAMCAQU=MAMCAQU=",
        "<html></html>",
    };
    static uint8_t big[IDV_MAX_BODY + 4];
    IDV_AUTO(buf) out = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
        FAILS(IDV_E_FORMAT, "", idv_est_body_to_der(idv_str(forms[i]), &out));
    memset(big, 'A', sizeof(big));
    FAILS(IDV_E_LIMIT, "bytes",
          idv_est_body_to_der(idv_bytes(big, sizeof(big)), &out));
    assert_int_equal(out.n, 0);
}

/* --- csrattrs ------------------------------------------------------------- */

static void take_hex(const char *hex, struct idv_csrattrs *a)
{
    IDV_AUTO(buf) raw = {0};
    OK(idv_hex_to_bytes(idv_str(hex), &raw));
    OK(idv_csrattrs_from_der(idv_view(&raw), a));
}

/* R-P-58 */
static void csrattrs_of_the_rfc(void **state)
{
    IDV_AUTO(buf) raw = {0};
    struct idv_csrattrs a;
    (void)state;
    test_vector("est/rfc8951_csrattrs.der", &raw);
    OK(idv_csrattrs_from_der(idv_view(&raw), &a));
    assert_true(a.challenge && a.has_key_type);
    assert_int_equal(a.key_type, IDV_KEY_P384);
    assert_int_equal(a.digest_nid, NID_sha384);
    assert_null(a.extensions); /* a bare object identifier is none */
    idv_csrattrs_free(&a);
    for (size_t n = 0; n < raw.n; n++)
        FAILS(IDV_E_FORMAT, "", idv_csrattrs_from_der(idv_bytes(raw.p, n), &a));
}

static void csrattrs_round_trip(void **state)
{
    static const int digests[] = {0, NID_sha256, NID_sha384};
    (void)state;
    for (int i = 0; i < 5 * 3 * 4; i++) {
        struct idv_csrattrs a = {
            .has_key_type = i % 2,
            .key_type = i % 2 ? (enum idv_key_type)(i % 5) : 0,
            .challenge = i % 4 > 1,
            .digest_nid = digests[i % 3],
        };
        IDV_AUTO(buf) one = {0};
        IDV_AUTO(buf) two = {0};
        struct idv_csrattrs b;
        if (i % 3 == 1) {
            a.extensions = sk_X509_EXTENSION_new_null();
            sk_X509_EXTENSION_push(
                a.extensions,
                X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                                    "DNS:device.example.com"));
        }
        OK(idv_csrattrs_to_der(&a, &one));
        OK(idv_csrattrs_from_der(idv_view(&one), &b));
        assert_int_equal(a.has_key_type, b.has_key_type);
        assert_int_equal(a.key_type, b.key_type);
        assert_int_equal(a.challenge, b.challenge);
        assert_int_equal(a.digest_nid, b.digest_nid);
        OK(idv_csrattrs_to_der(&b, &two));
        assert_true(idv_bytes_eq(idv_view(&one), idv_view(&two)));
        idv_csrattrs_free(&a);
        idv_csrattrs_free(&b);
    }
}

/* R-P-59 */
static void csrattrs_unknown_is_ignored(void **state)
{
    static const char *const rows[] = {
        "3000",                          /* nothing */
        "30050603883703",                /* an OID nobody knows */
        "300c300a060388370331030201ff",  /* an attribute of it */
        "3018301606072a8648ce3d0201310b" /* a curve we have not */
        "06092b2403030208010107",        /* (brainpoolP256r1) */
        "30020500",                      /* neither OID nor attribute */
        "3011300f06092a864886f70d01090e31020500", /* extensions that are none */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct idv_csrattrs a;
        take_hex(rows[i], &a);
        assert_false(a.has_key_type || a.challenge || a.extensions ||
                     a.digest_nid);
    }
}

/* R-P-58 */
static void csrattrs_key_types(void **state)
{
    struct idv_csrattrs a;
    (void)state;
    take_hex("3013301106092a864886f70d010101310402020c00", &a);
    assert_true(a.has_key_type);
    assert_int_equal(a.key_type, IDV_KEY_RSA3072);
    take_hex("300f300d06092a864886f70d0101013100", &a); /* any RSA */
    assert_int_equal(a.key_type, IDV_KEY_RSA2048);
    take_hex("300d300b06072a8648ce3d02013100", &a); /* any curve */
    assert_int_equal(a.key_type, IDV_KEY_P256);
    take_hex("300706052b81040023", &a); /* the curve by itself */
    assert_int_equal(a.key_type, IDV_KEY_P521);
}

static void csrattrs_that_are_none(void **state)
{
    static const char *const rows[] = {
        "",
        "30",
        "3001",
        "3000ff",
        "3100",
        "300306",
        "30023000",
        "30820002",
        "3084000000020500",
        "30053003060188",
        "30810200",
        "3080000000",
        "3f3f00",
        "30030603ff",
    };
    struct idv_csrattrs a;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        IDV_AUTO(buf) raw = {0};
        OK(idv_hex_to_bytes(idv_str(rows[i]), &raw));
        if (idv_csrattrs_from_der(idv_view(&raw), &a) == IDV_OK)
            fail_msg("taken: %s", rows[i]);
        idv_note_clear();
    }
}

/* R-P-58: RFC 9908: the template counts and what stands beside it (P-384) does
 * not, but for the channel binding; an unknown version of it is no template. */
static void csrattrs_template(void **state)
{
    struct idv_csrattrs a;
    (void)state;
    take_hex("3072301206072a8648ce3d0201310706052b8104002206092a864886f70d0109"
             "073051060b2a864886f70d010910023d31423040020100a012301006072a8648"
             "ce3d020106052b81040023a1273025060b2a864886f70d010910023e31163014"
             "30050603551d11300b0603551d0f040403020780",
             &a);
    assert_true(a.has_key_type && a.challenge);
    assert_int_equal(a.key_type, IDV_KEY_P521);
    /* SAN has no value and is ours to choose; keyUsage has one */
    assert_int_equal(sk_X509_EXTENSION_num(a.extensions), 1);
    idv_csrattrs_free(&a);
    take_hex("302c301206072a8648ce3d0201310706052b810400223016060b2a864886f70d"
             "010910023d31073005020100a100",
             &a);
    assert_false(a.has_key_type);
    take_hex("302c301206072a8648ce3d0201310706052b810400223016060b2a864886f70d"
             "010910023d31073005020101a100",
             &a);
    assert_true(a.has_key_type);
    assert_int_equal(a.key_type, IDV_KEY_P384);
}

/* What is written in the form of RFC 9908 as well is read by who knows both and
 * by who knows the older one only. */
static void csrattrs_template_written(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct idv_csrattrs a = {.has_key_type = true,
                                 .key_type = (enum idv_key_type)i,
                                 .challenge = i % 2,
                                 .as_template = true};
        struct idv_csrattrs b;
        IDV_AUTO(buf) raw = {0};
        a.extensions = sk_X509_EXTENSION_new_null();
        sk_X509_EXTENSION_push(
            a.extensions, X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                                              "DNS:device.example.com"));
        OK(idv_csrattrs_to_der(&a, &raw));
        OK(idv_csrattrs_from_der(idv_view(&raw), &b));
        assert_true(b.has_key_type);
        assert_int_equal(b.key_type, i);
        assert_int_equal(b.challenge, i % 2);
        assert_int_equal(sk_X509_EXTENSION_num(b.extensions), 1);
        idv_csrattrs_free(&b);
        /* its attribute's type spoilt, it is one that nobody knows */
        uint8_t *oid = (uint8_t *)memmem(
            raw.p, raw.n, "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x3d", 11);
        assert_non_null(oid);
        oid[10] = 0x7f;
        OK(idv_csrattrs_from_der(idv_view(&raw), &b));
        assert_int_equal(b.key_type, i);
        assert_int_equal(sk_X509_EXTENSION_num(b.extensions), 1);
        idv_csrattrs_free(&b);
        a.digest_nid = NID_sha256;
        FAILS(IDV_E_ARG, "template", idv_csrattrs_to_der(&a, &raw));
        idv_csrattrs_free(&a);
    }
}

static void reply_with(struct idv_msg *m, int status, const char *media,
                       const char *body)
{
    idv_msg_free(m);
    OK(idv_msg_reply(m, status, media, idv_str(body)));
}

/* R-P-59 */
static void csrattrs_replies(void **state)
{
    struct idv_msg m;
    struct idv_csrattrs a;
    (void)state;
    idv_msg_init(&m);
    const int none[] = {204, 404};
    for (int i = 0; i < 2; i++) {
        reply_with(&m, none[i], "text/plain", "nothing");
        OK(idv_est_csrattrs_read(&m, &a));
        assert_false(a.has_key_type || a.challenge);
    }
    reply_with(&m, 200, "", "");
    OK(idv_est_csrattrs_read(&m, &a));
    reply_with(&m, 200, "Application/csrattrs; x=y", "MAA=\n");
    OK(idv_est_csrattrs_read(&m, &a));
    reply_with(&m, 200, "text/html", "MAA=");
    FAILS(IDV_E_FORMAT, "media type", idv_est_csrattrs_read(&m, &a));
    reply_with(&m, 200, IDV_MEDIA_CSRATTRS, "not this");
    FAILS(IDV_E_FORMAT, "", idv_est_csrattrs_read(&m, &a));
    reply_with(&m, 403, "", "");
    FAILS(IDV_E_REJECT, "403", idv_est_csrattrs_read(&m, &a));
    reply_with(&m, 500, "", "");
    FAILS(IDV_E_NET, "500", idv_est_csrattrs_read(&m, &a));
    idv_msg_free(&m);
}

/* --- cacerts -------------------------------------------------------------- */

static void reply_certs(struct idv_msg *m, const STACK_OF(X509) * certs)
{
    IDV_AUTO(buf) bag = {0};
    IDV_AUTO(buf) body = {0};
    OK(idv_certbag_to_der(certs, &bag));
    OK(idv_est_body_from_der(idv_view(&bag), &body));
    idv_msg_free(m);
    OK(idv_msg_reply(m, 200, IDV_MEDIA_PKCS7, idv_view(&body)));
}

struct lists {
    STACK_OF(X509) * anchors, *others;
};

static void lists_free(struct lists *l)
{
    idv_certs_free(l->anchors);
    idv_certs_free(l->others);
    *l = (struct lists){0};
}

static idv_rc read_cacerts(const struct idv_msg *m, const X509 *pin,
                           struct lists *l)
{
    lists_free(l);
    return idv_est_cacerts_read(m, pin, &l->anchors, &l->others);
}

/* R-P-57 */
static void cacerts_are_sorted(void **state)
{
    struct idv_msg m;
    struct lists l = {0};
    (void)state;
    idv_msg_init(&m);
    STACK_OF(X509) *both = pki_stack(pki.maker_ca.cert, pki.maker_root.cert);
    reply_certs(&m, both);
    OK(read_cacerts(&m, pki.maker_root.cert, &l));
    assert_int_equal(sk_X509_num(l.anchors), 1);
    assert_int_equal(sk_X509_num(l.others), 1);
    assert_true(idv_cert_eq(sk_X509_value(l.others, 0), pki.maker_ca.cert));
    OK(read_cacerts(&m, NULL, &l));
    OK(read_cacerts(&m, pki.idevid.cert, &l));   /* an end entity of it */
    OK(read_cacerts(&m, pki.maker_ca.cert, &l)); /* the intermediate */
    assert_int_equal(sk_X509_num(l.anchors), 2);
    OK(read_cacerts(&m, pki.domain_ca.cert, &l)); /* whose is not asked yet */
    assert_int_equal(sk_X509_num(l.anchors), 1);
    lists_free(&l);
    idv_certs_free(both);
    idv_msg_free(&m);
}

/* R-P-57 */
static void cacerts_that_will_not_do(void **state)
{
    struct idv_msg m;
    struct lists l = {0};
    (void)state;
    idv_msg_init(&m);
    STACK_OF(X509) *stray = pki_stack(pki.domain_ca.cert, pki.maker_ca.cert);
    STACK_OF(X509) *leaf = pki_stack(pki.registrar.cert, NULL);
    reply_certs(&m, stray); /* one of them leads nowhere */
    FAILS(IDV_E_REJECT, "", read_cacerts(&m, pki.domain_ca.cert, &l));
    reply_certs(&m, leaf);
    FAILS(IDV_E_REJECT, "anchor", read_cacerts(&m, pki.domain_ca.cert, &l));
    m.status = 404;
    FAILS(IDV_E_REJECT, "404", read_cacerts(&m, NULL, &l));
    m.status = 202;
    FAILS(IDV_E_REJECT, "202", read_cacerts(&m, NULL, &l));
    m.status = 200;
    strcpy(m.media, "application/octet-stream");
    FAILS(IDV_E_FORMAT, "media", read_cacerts(&m, NULL, &l));
    strcpy(m.media, IDV_MEDIA_PKCS7);
    m.body.n /= 2;
    FAILS(IDV_E_FORMAT, "", read_cacerts(&m, NULL, &l));
    idv_certs_free(stray);
    idv_certs_free(leaf);
    idv_msg_free(&m);
}

/* --- certificates --------------------------------------------------------- */

static struct pki_id issue(enum idv_cert_kind kind, const struct pki_id *ca)
{
    const struct idv_cert_spec spec = {
        .kind = kind,
        .common_name = "device",
        .serial_number = PKI_SERIAL,
    };
    return pki_issue(&pki, "P-256", &spec, ca);
}

static void request_is_as_it_should(void **state)
{
    struct idv_msg m;
    struct idv_csrattrs a = {.challenge = true};
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) challenge = {0};
    IDV_AUTO_PTR(X509_REQ) req = NULL;
    IDV_AUTO_PTR(EVP_PKEY) its = NULL;
    bool found = false;
    (void)state;
    idv_msg_init(&m);
    const X509_NAME *subject = X509_get_subject_name(pki.idevid.cert);
    FAILS(IDV_E_STATE, "channel binding",
          idv_est_enroll_write(pki.idevid.key, subject, &a, idv_str(""), false,
                               &m));
    OK(idv_est_enroll_write(pki.idevid.key, subject, &a, idv_str("binding"),
                            false, &m));
    assert_string_equal(m.path, IDV_PATH_SIMPLEENROLL);
    assert_string_equal(m.media, IDV_MEDIA_PKCS10);
    assert_int_equal(m.verb, IDV_POST);
    OK(idv_est_body_to_der(idv_view(&m.body), &raw));
    OK(idv_csr_from_der(idv_view(&raw), &req, &its));
    assert_int_equal(X509_NAME_cmp(X509_REQ_get_subject_name(req), subject), 0);
    OK(idv_csr_challenge(req, &found, &challenge));
    assert_true(found);
    assert_string_equal((char *)challenge.p, "YmluZGluZw==");
    idv_msg_free(&m);
    OK(idv_est_enroll_write(pki.idevid.key, subject, NULL, idv_str(""), true,
                            &m));
    assert_string_equal(m.path, IDV_PATH_SIMPLEREENROLL);
    idv_msg_free(&m);
}

static idv_rc read_cert(const struct idv_msg *m, const EVP_PKEY *key)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    STACK_OF(X509) *anchors = pki_stack(pki.domain_ca.cert, NULL);
    idv_rc rc =
        idv_est_enroll_read(m, key, anchors, NULL, true, PKI_NOW, &cert);
    assert_int_equal(rc == IDV_OK, cert != NULL);
    idv_certs_free(anchors);
    return rc;
}

static void certificate_must_be_ours(void **state)
{
    static const struct {
        enum idv_cert_kind kind;
        bool rogue, other_key, twice;
        const char *why; /* NULL: taken */
    } rows[] = {
        {IDV_CERT_LDEVID, false, false, false, NULL},
        {IDV_CERT_LDEVID, true, false, false, ""},
        {IDV_CERT_LDEVID, false, true, false, "another key"},
        {IDV_CERT_LDEVID, false, false, true, "2 certificates"},
        {IDV_CERT_CA, false, false, false, "CA certificate"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct idv_msg m;
        struct pki_id id =
            issue(rows[i].kind, rows[i].rogue ? &pki.rogue_ca : &pki.domain_ca);
        STACK_OF(X509) *bag =
            pki_stack(id.cert, rows[i].twice ? pki.domain_ca.cert : NULL);
        EVP_PKEY *key = rows[i].other_key ? pki.idevid.key : id.key;
        idv_msg_init(&m);
        reply_certs(&m, bag);
        if (rows[i].why)
            FAILS(IDV_E_REJECT, rows[i].why, read_cert(&m, key));
        else
            OK(read_cert(&m, key));
        idv_msg_free(&m);
        idv_certs_free(bag);
        pki_id_free(&id);
    }
}

static void certificate_in_its_time(void **state)
{
    const struct idv_cert_spec late = {
        .kind = IDV_CERT_LDEVID,
        .common_name = "late",
        .not_before = PKI_NOW + PKI_DAY,
        .not_after = PKI_NOW + 2 * PKI_DAY,
    };
    struct pki_id id = pki_issue(&pki, "P-256", &late, &pki.domain_ca);
    STACK_OF(X509) *bag = pki_stack(id.cert, NULL);
    STACK_OF(X509) *anchors = pki_stack(pki.domain_ca.cert, NULL);
    IDV_AUTO_PTR(X509) cert = NULL;
    struct idv_msg m;
    (void)state;
    idv_msg_init(&m);
    reply_certs(&m, bag);
    FAILS(IDV_E_REJECT, "", read_cert(&m, id.key));
    OK(idv_est_enroll_read(&m, id.key, anchors, NULL, false, PKI_NOW, &cert));
    idv_msg_free(&m);
    idv_certs_free(bag);
    idv_certs_free(anchors);
    pki_id_free(&id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_sent_in_64_columns),
        cmocka_unit_test(bodies_are_read_in_every_form),
        cmocka_unit_test(bodies_that_are_none),
        cmocka_unit_test(csrattrs_of_the_rfc),
        cmocka_unit_test(csrattrs_round_trip),
        cmocka_unit_test(csrattrs_unknown_is_ignored),
        cmocka_unit_test(csrattrs_key_types),
        cmocka_unit_test(csrattrs_that_are_none),
        cmocka_unit_test(csrattrs_template),
        cmocka_unit_test(csrattrs_template_written),
        cmocka_unit_test(csrattrs_replies),
        cmocka_unit_test(cacerts_are_sorted),
        cmocka_unit_test(cacerts_that_will_not_do),
        cmocka_unit_test(request_is_as_it_should),
        cmocka_unit_test(certificate_must_be_ours),
        cmocka_unit_test(certificate_in_its_time),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
