/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers and voucher-requests as JSON: inverses, refusals, samples. */
#include "tests/unit/codec.h"

#include <idevid/voucher.h>

static idv_rc from(const char *json, enum idv_voucher_kind kind,
                   struct idv_voucher *out)
{
    return idv_voucher_from_json(idv_str(json), kind, out);
}

static void fill_text(struct idv_buf *b, const char *text)
{
    OK(idv_buf_puts(b, text));
}

static void full(struct idv_voucher *v, enum idv_voucher_kind kind)
{
    idv_voucher_init(v, kind);
    v->assertion = IDV_ASSERT_AGENT_PROXIMITY;
    strcpy(v->serial_number, "00-D0 \"é\"/x");
    v->created_on = 0;
    v->expires_on = 1795305600;
    fill_text(&v->idevid_issuer, "issuer");
    fill_text(&v->manufacturer_proprietary, "{\"profile\":\"platform\"}");
    if (kind == IDV_VOUCHER_REQUEST) {
        fill_text(&v->proximity_registrar_cert, "\xff\x01 cert");
        fill_text(&v->proximity_registrar_pubk, "key");
        fill_text(&v->proximity_registrar_pubk_sha256, "hash");
        fill_text(&v->prior_signed, "prior");
        return;
    }
    v->last_renewal_date = -1;
    v->revocation_checks = 0;
    fill_text(&v->pinned_domain_cert, "cert");
    fill_text(&v->pinned_domain_pubk, "key");
    fill_text(&v->pinned_domain_pubk_sha256, "hash");
    strcpy(v->est_domain, "https://est.example.com");
    strcpy(v->additional_configuration_url, "https://conf.example.com/x");
}

static void same(const struct idv_voucher *a, const struct idv_voucher *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->assertion, b->assertion);
    assert_string_equal(a->serial_number, b->serial_number);
    assert_string_equal(a->nonce, b->nonce);
    assert_true(a->created_on == b->created_on);
    assert_true(a->expires_on == b->expires_on);
    assert_true(a->last_renewal_date == b->last_renewal_date);
    assert_int_equal(a->revocation_checks, b->revocation_checks);
    assert_string_equal(a->est_domain, b->est_domain);
    assert_string_equal(a->additional_configuration_url,
                        b->additional_configuration_url);
#define SAME(m) assert_true(idv_bytes_eq(idv_view(&a->m), idv_view(&b->m)))
    SAME(idevid_issuer);
    SAME(pinned_domain_cert);
    SAME(pinned_domain_pubk);
    SAME(pinned_domain_pubk_sha256);
    SAME(proximity_registrar_cert);
    SAME(proximity_registrar_pubk);
    SAME(proximity_registrar_pubk_sha256);
    SAME(prior_signed);
    SAME(manufacturer_proprietary);
}

static void inverse_of(const struct idv_voucher *v)
{
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) again = {0};
    IDV_AUTO(voucher) back;
    OK(idv_voucher_to(IDV_MEDIA_VOUCHER_CMS, v, &json));
    OK(idv_voucher_from(IDV_MEDIA_VOUCHER_CMS, idv_view(&json), v->kind,
                        &back));
    same(v, &back);
    OK(idv_voucher_to_json(&back, &again));
    assert_true(idv_bytes_eq(idv_view(&json), idv_view(&again)));
}

static void inverses(void **state)
{
    (void)state;
    for (int kind = IDV_VOUCHER; kind <= IDV_VOUCHER_REQUEST; kind++) {
        IDV_AUTO(voucher) v;
        full(&v, (enum idv_voucher_kind)kind);
        inverse_of(&v);
        v.expires_on = v.last_renewal_date = IDV_TIME_ABSENT;
        strcpy(v.nonce, "x y/z+=");
        v.revocation_checks = kind == IDV_VOUCHER ? 1 : -1;
        inverse_of(&v);
        IDV_AUTO(voucher) least;
        idv_voucher_init(&least, (enum idv_voucher_kind)kind);
        memset(least.serial_number, 's', IDV_MAX_SERIAL);
        memset(least.nonce, 'n', IDV_MAX_NONCE_TEXT);
        inverse_of(&least);
    }
}

static void written_form(void **state)
{
    IDV_AUTO(voucher) v;
    IDV_AUTO(buf) json = {0};
    (void)state;
    idv_voucher_init(&v, IDV_VOUCHER_REQUEST);
    strcpy(v.serial_number, "JADA123456789");
    strcpy(v.nonce, "abcd/w==");
    v.assertion = IDV_ASSERT_PROXIMITY;
    v.created_on = 1483228802;
    fill_text(&v.proximity_registrar_cert, "\xff\xff\xff\xff");
    fill_text(&v.pinned_domain_cert, "not of a request");
    OK(idv_voucher_to_json(&v, &json));
    assert_string_equal(
        (char *)json.p,
        "{\"ietf-voucher-request:voucher\":{\"created-on\":"
        "\"2017-01-01T00:00:02Z\",\"assertion\":\"proximity\","
        "\"serial-number\":\"JADA123456789\",\"nonce\":\"abcd/w==\","
        "\"proximity-registrar-cert\":\"/////w==\"}}");
}

static void writer_refuses(void **state)
{
    IDV_AUTO(voucher) v;
    IDV_AUTO(buf) json = {0};
    (void)state;
    idv_voucher_init(&v, IDV_VOUCHER);
    FAILS(IDV_E_ARG, "serial-number", idv_voucher_to_json(&v, &json));
    strcpy(v.serial_number, "1");
    strcpy(v.nonce, "12345678");
    v.expires_on = 1;
    FAILS(IDV_E_ARG, "both", idv_voucher_to_json(&v, &json));
    v.expires_on = IDV_TIME_ABSENT;
    v.last_renewal_date = 0;
    FAILS(IDV_E_ARG, "last-renewal-date", idv_voucher_to_json(&v, &json));
    v.last_renewal_date = IDV_TIME_ABSENT;
    v.expires_on = IDV_TIME_ABSENT;
    strcpy(v.nonce, "1\n");
    FAILS(IDV_E_ARG, "control", idv_voucher_to_json(&v, &json));
    FAILS(IDV_E_ARG, "media", idv_voucher_to("text/plain", &v, &json));
}

#define BODY(leaves) "{\"ietf-voucher:voucher\":{" leaves "}}"
#define WITH(leaf) BODY("\"serial-number\":\"1\"," leaf)

/* R-S-16, and every leaf's own reasons */
static void reader_refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "null",
        "{\"ietf-voucher:voucher\":[]}",
        "{\"ietf-voucher\":{\"serial-number\":\"1\"}}",
        "{\"\":{\"serial-number\":\"1\"}}",
        "{\"ietf-voucher-request:voucher\":{\"serial-number\":\"1\"}}",
        "{\"ietf-voucher:voucher\":{\"serial-number\":\"1\"},\"x\":{}}",
        BODY("\"nonce\":\"12345678\""),
        BODY("\"serial-number\":\"\""),
        BODY("\"serial-number\":null"),
        BODY("\"serial-number\":1"),
        BODY("\"serial-number\":\"a\\nb\""),
        BODY("\"serial-number\":\"a\\u0000b\""),
        BODY("\"serial-number\":\"1\",\"serial-number\":\"1\""),
        WITH("\"nonce\":\"12345678\",\"nonce\":\"12345678\""),
        WITH("\"nonce\":\"\""),
        WITH("\"nonce\":12345678"),
        WITH("\"nonce\":null"),
        WITH("\"assertion\":\"Logged\""),
        WITH("\"assertion\":1"),
        WITH("\"assertion\":\"\""),
        WITH("\"created-on\":\"2017-01-01\""),
        WITH("\"created-on\":1483228802"),
        WITH("\"expires-on\":\"2017-13-01T00:00:00Z\""),
        WITH("\"expires-on\":false"),
        WITH("\"pinned-domain-cert\":\"a\""),
        WITH("\"pinned-domain-cert\":\"\""),
        WITH("\"pinned-domain-cert\":\"*AAA\""),
        WITH("\"pinned-domain-cert\":[\"AAAA\"]"),
        WITH("\"idevid-issuer\":{}"),
        WITH("\"domain-cert-revocation-checks\":\"true\""),
        WITH("\"domain-cert-revocation-checks\":1"),
        WITH("\"est-domain\":\"\""),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct idv_voucher v;
        idv_rc rc = from(bad[i], IDV_VOUCHER, &v);
        if (rc != IDV_E_FORMAT)
            print_error("%s: %s\n", bad[i], idv_rc_name(rc));
        assert_int_equal(rc, IDV_E_FORMAT);
        assert_true(idv_note()[0]);
        assert_int_equal(v.serial_number[0], 0);
        idv_note_clear();
    }
}

/* R-P-94 */
static void reader_bounds(void **state)
{
    IDV_AUTO(voucher) v;
    IDV_AUTO(buf) json = {0};
    (void)state;
    OK(idv_buf_putf(&json, WITH("\"nonce\":\"%0129d\""), 0));
    FAILS(IDV_E_FORMAT, "nonce", from((char *)json.p, IDV_VOUCHER, &v));
    idv_buf_clear(&json);
    OK(idv_buf_putf(&json, BODY("\"serial-number\":\"%065d\""), 0));
    FAILS(IDV_E_FORMAT, "serial", from((char *)json.p, IDV_VOUCHER, &v));
    idv_buf_clear(&json);
    OK(idv_buf_putf(&json, WITH("\"est-domain\":\"%01024d\""), 0));
    FAILS(IDV_E_FORMAT, "est-domain", from((char *)json.p, IDV_VOUCHER, &v));
    idv_buf_clear(&json);
    OK(idv_buf_putf(&json, WITH("\"pinned-domain-cert\":\"%030000d\""), 0));
    FAILS(IDV_E_FORMAT, "pinned", from((char *)json.p, IDV_VOUCHER, &v));
}

/* R-P-45, both spellings of base64, times with offsets and fractions */
static void reader_accepts(void **state)
{
    IDV_AUTO(voucher) v;
    (void)state;
    OK(from(" { \"ietf-voucher:voucher\" : { \"future\":{\"a\":[1]},"
            "\"serial-number\":\"1\",\"nonce\":\"-_XE9zK9q8Ll1qylMtLKeg\","
            "\"expires-on\":\"2021-04-13T17:43:24.589-04:00\","
            "\"extensions\":[\"x\",1],\"extension:x\":{},"
            "\"idevid-issuer\":\"-_\\/-\",\"pinned-domain-cert\":\"AQ\","
            "\"manufacturer-proprietary\":\"x\","
            "\"prior-signed-voucher-request\":17}}",
            IDV_VOUCHER, &v));
    assert_string_equal(v.nonce, "-_XE9zK9q8Ll1qylMtLKeg");
    assert_true(v.expires_on == 1618350204);
    assert_int_equal(v.idevid_issuer.n, 3);
    assert_int_equal(v.pinned_domain_cert.n, 1);
    assert_int_equal(v.prior_signed.n, 0);
    assert_int_equal(v.manufacturer_proprietary.n, 0); /* not base64 */
    assert_int_equal(v.assertion, IDV_ASSERT_NONE);
}

static void reader_leaves_alone_what_others_agreed(void **state)
{
    static const char *const theirs[] = {"17", "{}", "\"\"", "\"*\""};
    IDV_AUTO(buf) json = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(theirs) / sizeof(*theirs); i++) {
        IDV_AUTO(voucher) v;
        idv_buf_clear(&json);
        OK(idv_buf_putf(&json, WITH("\"manufacturer-proprietary\":%s"),
                        theirs[i]));
        OK(from((char *)json.p, IDV_VOUCHER, &v));
        assert_int_equal(v.manufacturer_proprietary.n, 0);
        assert_int_equal(idv_note()[0], 0);
    }
    IDV_AUTO(voucher) v;
    idv_buf_clear(&json);
    OK(idv_buf_putf(&json, WITH("\"manufacturer-proprietary\":\"%012000d\""),
                    0));
    OK(from((char *)json.p, IDV_VOUCHER, &v));
    assert_int_equal(v.manufacturer_proprietary.n, 0);
}

/* RFC 8785: by name, without blanks, and without the leaf between maker and
 * device; whatever the text it was read from looks like */
static void content_is_canonical(void **state)
{
    static const char want[] =
        "{\"ietf-voucher:voucher\":{\"assertion\":\"logged\","
        "\"created-on\":\"2021-04-13T21:43:24Z\","
        "\"domain-cert-revocation-checks\":false,"
        "\"nonce\":\"-_XE9zK9\",\"pinned-domain-cert\":\"+/8=\","
        "\"serial-number\":\"1\"}}";
    IDV_AUTO(voucher) v;
    IDV_AUTO(voucher) again;
    IDV_AUTO(buf) content = {0};
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) same_content = {0};
    (void)state;
    OK(from(" { \"ietf-voucher:voucher\" : { \"serial-number\":\"1\","
            "\"nonce\":\"-_XE9zK9\",\"assertion\":\"logged\","
            "\"manufacturer-proprietary\":\"AQID\","
            "\"created-on\":\"2021-04-13T17:43:24.589-04:00\","
            "\"domain-cert-revocation-checks\":false,"
            "\"pinned-domain-cert\":\"-_8\",\"future\":1}}",
            IDV_VOUCHER, &v));
    assert_int_equal(v.manufacturer_proprietary.n, 3);
    OK(idv_voucher_content(&v, &content));
    assert_string_equal((char *)content.p, want);
    OK(idv_voucher_to_json(&v, &json));
    OK(from((char *)json.p, IDV_VOUCHER, &again));
    OK(idv_voucher_content(&again, &same_content));
    assert_string_equal((char *)same_content.p, want);
}

/* R-M-13: leaves that a request must not carry are not even looked at */
static void request_ignores(void **state)
{
    IDV_AUTO(voucher) v;
    (void)state;
    OK(from("{\"ietf-voucher-request:voucher\":{\"serial-number\":\"1\","
            "\"pinned-domain-cert\":17,\"last-renewal-date\":{},"
            "\"domain-cert-revocation-checks\":\"x\"}}",
            IDV_VOUCHER_REQUEST, &v));
    assert_int_equal(v.pinned_domain_cert.n, 0);
    assert_int_equal(v.revocation_checks, -1);
    assert_true(v.last_renewal_date == IDV_TIME_ABSENT);
}

static void words(void **state)
{
    enum idv_assertion a;
    (void)state;
    for (int i = IDV_ASSERT_VERIFIED; i <= IDV_ASSERT_AGENT_PROXIMITY; i++) {
        OK(idv_assertion_from_text(idv_assertion_to_text((enum idv_assertion)i),
                                   &a));
        assert_int_equal(a, i);
    }
    assert_string_equal(idv_assertion_to_text(IDV_ASSERT_NONE), "");
    FAILS(IDV_E_FORMAT, "assertion", idv_assertion_from_text(NULL, &a));
    for (int i = 0; i < IDV_VERDICT_COUNT; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(idv_verdict_to_text((enum idv_verdict)i),
                                    idv_verdict_to_text((enum idv_verdict)j));
    assert_string_equal(idv_verdict_to_text(IDV_VERDICT_COUNT), "unknown");
}

static void published_json(void **state)
{
    static const struct {
        const char *name;
        enum idv_voucher_kind kind;
    } files[] = {
        {"example-voucher", IDV_VOUCHER},
        {"ex-file-voucher-request", IDV_VOUCHER_REQUEST},
        {"ex-file-voucher-request-constrained", IDV_VOUCHER_REQUEST},
        {"ex-file-voucher-request-offline", IDV_VOUCHER_REQUEST},
        {"ex-file-voucher-request-prior", IDV_VOUCHER_REQUEST},
        {"ex-file-voucher-request-proximity", IDV_VOUCHER_REQUEST},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        char name[128];
        IDV_AUTO(buf) json = {0};
        IDV_AUTO(voucher) v;
        snprintf(name, sizeof(name), "rfc8995/%s.json", files[i].name);
        test_vector(name, &json);
        OK(idv_voucher_from_json(idv_view(&json), files[i].kind, &v));
        assert_string_equal(v.serial_number, "JADA123456789");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inverses),
        cmocka_unit_test(written_form),
        cmocka_unit_test(writer_refuses),
        cmocka_unit_test(reader_refuses),
        cmocka_unit_test(reader_bounds),
        cmocka_unit_test(reader_accepts),
        cmocka_unit_test(request_ignores),
        cmocka_unit_test(words),
        cmocka_unit_test(reader_leaves_alone_what_others_agreed),
        cmocka_unit_test(content_is_canonical),
        cmocka_unit_test(published_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
