/* SPDX-License-Identifier: Apache-2.0 */
/* Whole conversations as bytes: our own captures, and the published ones. */
#include "tests/unit/codec.h"

#include <idevid/voucher.h>

#include "tests/lib/pki.h"

static const char *media = IDV_MEDIA_VOUCHER_CMS;

static void captured(const char *name, struct idv_buf *out)
{
    char path[512];
    const char *top = getenv("top_srcdir");
    snprintf(path, sizeof(path), "%s/tests/vectors/captures/%s",
             top ? top : "..", name);
    OK(idv_fs_read(path, 0, out));
}

static X509 *captured_cert(const char *name)
{
    X509 *cert = NULL;
    IDV_AUTO(buf) der = {0};
    captured(name, &der);
    OK(idv_cert_from_der(idv_view(&der), &cert));
    return cert;
}

static X509 *published_cert(const char *name)
{
    STACK_OF(X509) *certs = NULL;
    IDV_AUTO(buf) text = {0};
    test_vector(name, &text);
    OK(idv_certs_from_pem(idv_view(&text), &certs));
    X509 *cert = sk_X509_shift(certs);
    idv_certs_free(certs);
    return cert;
}

/* one bootstrap: who took part, and what was said */
struct talk {
    X509 *maker, *domain_ca, *registrar, *idevid;
    struct idv_buf pvr_bytes, rvr_bytes, voucher_bytes;
    struct idv_opened pvr_open, rvr_open;
    struct idv_voucher pvr, rvr;
    bool times;
};

static void talk_free(struct talk *t)
{
    X509_free(t->maker);
    X509_free(t->domain_ca);
    X509_free(t->registrar);
    X509_free(t->idevid);
    idv_buf_free(&t->pvr_bytes);
    idv_buf_free(&t->rvr_bytes);
    idv_buf_free(&t->voucher_bytes);
    idv_opened_free(&t->pvr_open);
    idv_opened_free(&t->rvr_open);
    idv_voucher_free(&t->pvr);
    idv_voucher_free(&t->rvr);
}

static void open_request(const struct idv_buf *bytes, struct idv_opened *o,
                         struct idv_voucher *v)
{
    OK(idv_envelope_open(media, idv_view(bytes), o));
    OK(idv_voucher_from(media, idv_view(&o->payload), IDV_VOUCHER_REQUEST, v));
}

static void chains_to(const struct talk *t, const struct idv_opened *o,
                      X509 *anchor, idv_rc rc)
{
    STACK_OF(X509) *anchors = pki_stack(anchor, NULL);
    struct idv_chain_policy policy = {
        .anchors = anchors, .check_time = t->times, .now = PKI_NOW};
    idv_note_clear();
    assert_int_equal(idv_envelope_verify(o, &policy), rc);
    idv_note_clear();
    idv_certs_free(anchors);
}

static enum idv_verdict judge(const struct talk *t, X509 *anchor, X509 *leaf,
                              const char *nonce, X509 *idevid)
{
    STACK_OF(X509) *anchors = pki_stack(anchor, NULL);
    STACK_OF(X509) *chain = pki_stack(leaf, NULL);
    struct idv_voucher_claim claim = {
        .idevid = idevid, .nonce = nonce, .tls_chain = chain};
    struct idv_voucher_policy policy = {
        .maker_anchors = anchors, .clock_trusted = t->times, .now = PKI_NOW};
    struct idv_pinned pinned;
    enum idv_verdict why;
    idv_rc rc = idv_voucher_check(media, idv_view(&t->voucher_bytes), &claim,
                                  &policy, &pinned, &why);
    assert_int_equal(rc == IDV_OK, why == IDV_VERDICT_OK);
    idv_note_clear();
    idv_pinned_free(&pinned);
    idv_certs_free(anchors);
    idv_certs_free(chain);
    return why;
}

/* byte by byte; what is published as JSON was laid out for people */
static bool same(const struct idv_buf *a, const struct idv_buf *b)
{
    IDV_AUTO_PTR(idv_json) x = NULL;
    IDV_AUTO_PTR(idv_json) y = NULL;
    IDV_AUTO(buf) p = {0};
    IDV_AUTO(buf) q = {0};
    if (strcmp(media, IDV_MEDIA_VOUCHER_JWS) != 0)
        return idv_bytes_eq(idv_view(a), idv_view(b));
    OK(idv_json_parse(idv_view(a), 0, &x));
    OK(idv_json_parse(idv_view(b), 0, &y));
    OK(idv_json_dump(x, false, &p));
    OK(idv_json_dump(y, false, &q));
    return idv_bytes_eq(idv_view(&p), idv_view(&q));
}

/* every link of the conversation, and each with one part exchanged */
static void holds_together(struct talk *t)
{
    IDV_AUTO(buf) der = {0};
    open_request(&t->pvr_bytes, &t->pvr_open, &t->pvr);
    open_request(&t->rvr_bytes, &t->rvr_open, &t->rvr);
    OK(idv_envelope_verify_key(&t->pvr_open, X509_get0_pubkey(t->idevid)));
    FAILS(
        IDV_E_REJECT, "",
        idv_envelope_verify_key(&t->pvr_open, X509_get0_pubkey(t->registrar)));
    chains_to(t, &t->pvr_open, t->maker, IDV_OK);
    chains_to(t, &t->pvr_open, t->domain_ca, IDV_E_REJECT);
    OK(idv_envelope_verify_key(&t->rvr_open, X509_get0_pubkey(t->registrar)));
    chains_to(t, &t->rvr_open, t->domain_ca, IDV_OK);
    chains_to(t, &t->rvr_open, t->maker, IDV_E_REJECT);
    assert_true(same(&t->rvr.prior_signed, &t->pvr_bytes));
    assert_string_equal(t->rvr.nonce, t->pvr.nonce);
    assert_string_equal(t->rvr.serial_number, t->pvr.serial_number);
    if (strcmp(media, IDV_MEDIA_VOUCHER_JWS) == 0)
        return; /* no assertion there; the registrar has two certificates */
    assert_int_equal(t->pvr.assertion, IDV_ASSERT_PROXIMITY);
    OK(idv_cert_to_der(t->registrar, &der));
    assert_true(idv_bytes_eq(idv_view(&t->pvr.proximity_registrar_cert),
                             idv_view(&der)));
}

static void judged(const struct talk *t)
{
    const char *nonce = t->pvr.nonce;
    assert_int_equal(judge(t, t->maker, t->registrar, nonce, t->idevid),
                     IDV_VERDICT_OK);
    assert_int_equal(judge(t, t->domain_ca, t->registrar, nonce, t->idevid),
                     IDV_VERDICT_SIGNER);
    assert_int_equal(judge(t, t->maker, t->idevid, nonce, t->idevid),
                     IDV_VERDICT_CHAIN);
    assert_int_equal(judge(t, t->maker, t->registrar, "x", t->idevid),
                     IDV_VERDICT_NONCE);
}

#define TALK(t) __attribute__((cleanup(talk_free))) struct talk t = {0}

static void our_talk(struct talk *t, const char *form)
{
    char name[64];
    t->times = true;
    t->maker = captured_cert("maker-root.der");
    t->domain_ca = captured_cert("domain-ca.der");
    t->registrar = captured_cert("registrar.der");
    t->idevid = captured_cert("idevid.der");
    snprintf(name, sizeof(name), "pvr-%s", form);
    captured(name, &t->pvr_bytes);
    snprintf(name, sizeof(name), "rvr-%s", form);
    captured(name, &t->rvr_bytes);
    snprintf(name, sizeof(name), "voucher-%s", form);
    captured(name, &t->voucher_bytes);
}

static void captures(void **state)
{
    static const char *const forms[] = {"40.vcj", "data.vcj"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        TALK(t);
        our_talk(&t, forms[i]);
        holds_together(&t);
        judged(&t);
        assert_true(idv_idevid_issuer_matches(t.idevid,
                                              idv_view(&t.rvr.idevid_issuer)));
    }
}

static void captured_jws(void **state)
{
    TALK(t);
    (void)state;
    media = IDV_MEDIA_VOUCHER_JWS;
    our_talk(&t, "jws.vjj");
    holds_together(&t);
    judged(&t);
    media = IDV_MEDIA_VOUCHER_CMS;
}

static void capture_nonceless(void **state)
{
    TALK(t);
    (void)state;
    our_talk(&t, "40.vcj");
    idv_buf_clear(&t.voucher_bytes);
    captured("voucher-nonceless.vcj", &t.voucher_bytes);
    assert_int_equal(judge(&t, t.maker, t.registrar, "any", t.idevid),
                     IDV_VERDICT_OK);
}

/* a voucher of one bootstrap is not one of the other */
static void captures_crossed(void **state)
{
    TALK(a);
    TALK(b);
    (void)state;
    our_talk(&a, "40.vcj");
    our_talk(&b, "data.vcj");
    holds_together(&a);
    assert_int_equal(judge(&b, b.maker, b.registrar, a.pvr.nonce, b.idevid),
                     IDV_VERDICT_NONCE);
}

/* RFC 8995 appendix C; all its certificates have expired: times off */
static void published(void **state)
{
    TALK(t);
    (void)state;
    t.maker = published_cert("rfc8995/vendor.crt");
    t.domain_ca = published_cert("rfc8995/ownerca_secp384r1.crt");
    t.registrar = published_cert("rfc8995/jrc_prime256v1.crt");
    t.idevid = published_cert("rfc8995/idevid_00-D0-E5-F2-00-02.crt");
    test_vector("rfc8995/vr_00-D0-E5-F2-00-02.der", &t.pvr_bytes);
    test_vector("rfc8995/parboiled_vr_00-D0-E5-F2-00-02.der", &t.rvr_bytes);
    test_vector("rfc8995/voucher_00-D0-E5-F2-00-02.der", &t.voucher_bytes);
    holds_together(&t);
    judged(&t);
    assert_string_equal(t.pvr.serial_number, "00-D0-E5-F2-00-02");
    assert_string_equal(t.pvr.nonce, "-_XE9zK9q8Ll1qylMtLKeg");
    assert_true(t.pvr.created_on == 1618350203);
    assert_true(t.pvr_open.signing_time == 1618350203);
    t.times = true; /* and today they are refused */
    assert_int_equal(judge(&t, t.maker, t.registrar, t.pvr.nonce, t.idevid),
                     IDV_VERDICT_SIGNER);
}

static void published_masa_and_wrong_vendor(void **state)
{
    TALK(t);
    IDV_AUTO(buf) bytes = {0};
    IDV_AUTO(opened) o = {0};
    IDV_AUTO_PTR(X509) masa = published_cert("rfc8995/masa.crt");
    IDV_AUTO_PTR(X509) vendor = published_cert("rfc8995/vendor.crt");
    IDV_AUTO_PTR(X509) other = published_cert("rfc8995/ownerca_secp384r1.crt");
    (void)state;
    test_vector("rfc8995/voucher_00-D0-E5-F2-00-02.der", &bytes);
    OK(idv_envelope_open(media, idv_view(&bytes), &o));
    assert_true(idv_cert_eq(o.signer, masa));
    OK(idv_envelope_verify_key(&o, X509_get0_pubkey(masa)));
    chains_to(&t, &o, vendor, IDV_OK);
    chains_to(&t, &o, other, IDV_E_REJECT);
    FAILS(IDV_E_REJECT, "",
          idv_envelope_verify_key(&o, X509_get0_pubkey(vendor)));
}

/* the other published containers: they open, verify and parse */
static void published_others(void **state)
{
    static const struct {
        const char *file, *anchor;
        enum idv_voucher_kind kind;
    } rows[] = {
        {"rfcxml_cms_1.der", "vendor.crt", IDV_VOUCHER_REQUEST},
        {"rfcxml_cms_2.der", "ownerca_secp384r1.crt", IDV_VOUCHER_REQUEST},
        {"rfcxml_cms_3.der", "vendor.crt", IDV_VOUCHER},
        {"parboiled_00-D0-E5-F2-00-02.der", "ownerca_secp384r1.crt",
         IDV_VOUCHER_REQUEST},
    };
    TALK(t);
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char name[128];
        IDV_AUTO(buf) bytes = {0};
        IDV_AUTO(opened) o = {0};
        IDV_AUTO(voucher) v;
        snprintf(name, sizeof(name), "rfc8995/%s", rows[i].file);
        test_vector(name, &bytes);
        snprintf(name, sizeof(name), "rfc8995/%s", rows[i].anchor);
        IDV_AUTO_PTR(X509) anchor = published_cert(name);
        OK(idv_envelope_open(media, idv_view(&bytes), &o));
        chains_to(&t, &o, anchor, IDV_OK);
        OK(idv_voucher_from(media, idv_view(&o.payload), rows[i].kind, &v));
        assert_string_equal(v.serial_number, "00-D0-E5-F2-00-02");
        assert_string_equal(idv_envelope_guess(idv_view(&bytes)), media);
    }
}

/* draft-ietf-anima-jws-voucher: one conversation in JWS */
static void published_jws(void **state)
{
    TALK(t);
    (void)state;
    t.maker = published_cert("jws/manufacturer-ca.crt");
    t.domain_ca = published_cert("jws/domain-ca.crt");
    t.registrar = published_cert("jws/registrar-rvr-signing.crt");
    t.idevid = published_cert("jws/pledge-idevid.crt");
    test_vector("jws/pvr.jws.json", &t.pvr_bytes);
    test_vector("jws/rvr.jws.json", &t.rvr_bytes);
    test_vector("jws/voucher.jws.json", &t.voucher_bytes);
    media = IDV_MEDIA_VOUCHER_JWS;
    assert_string_equal(idv_envelope_guess(idv_view(&t.voucher_bytes)), media);
    t.times = true;
    holds_together(&t);
    judged(&t);
    X509_free(idv_steal(&t.registrar)); /* that of TLS is another one */
    OK(idv_cert_from_der(idv_view(&t.pvr.proximity_registrar_cert),
                         &t.registrar));
    judged(&t);
    assert_string_equal(t.pvr.serial_number, "kit-987654321");
    assert_true(
        idv_idevid_issuer_matches(t.idevid, idv_view(&t.rvr.idevid_issuer)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captures),
        cmocka_unit_test(captured_jws),
        cmocka_unit_test(capture_nonceless),
        cmocka_unit_test(captures_crossed),
        cmocka_unit_test(published),
        cmocka_unit_test(published_masa_and_wrong_vendor),
        cmocka_unit_test(published_others),
        cmocka_unit_test(published_jws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
