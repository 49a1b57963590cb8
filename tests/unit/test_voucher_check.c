/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's judgement: a case for each verdict, and none by luck. */
#include "tests/unit/scene.h"

static void set(char *to, const char *text)
{
    memcpy(to, text, strlen(text) + 1);
}

/* --- the good one --------------------------------------------------------- */

static void good(void **state)
{
    SCENE(s);
    struct idv_pinned out;
    (void)state;
    assert_int_equal(judge_into(&s, &out), IDV_VERDICT_OK);
    assert_int_equal(out.kind, IDV_PIN_CERT);
    assert_true(idv_cert_eq(out.cert, pki.domain_ca.cert));
    assert_int_equal(out.spki.n, 0);
    assert_string_equal(out.voucher.nonce, s.request.nonce);
    assert_string_equal(out.voucher.serial_number, PKI_SERIAL);
    uint8_t hash[32];
    size_t n = 0;
    assert_int_equal(
        EVP_Q_digest(NULL, "SHA256", NULL, s.sealed.p, s.sealed.n, hash, &n),
        1);
    assert_memory_equal(hash, out.voucher_sha256, 32);
    OK(idv_pin_verify(pki.tls_chain, out.cert, NULL, true, PKI_NOW));
    OK(idv_pin_verify(pki.tls_chain, NULL, out.spki_sha256, true, PKI_NOW));
    idv_pinned_free(&out);
}

/* R-P-12, R-P-24, R-P-25, R-P-26, R-P-27 */
static void request(void **state)
{
    struct idv_voucher v, w;
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) raw = {0};
    (void)state;
    OK(idv_request_build(pki.idevid.cert, pki.registrar.cert, &pki.env.env,
                         &v));
    OK(idv_cert_to_der(pki.registrar.cert, &der));
    assert_int_equal(v.kind, IDV_VOUCHER_REQUEST);
    assert_int_equal(v.assertion, IDV_ASSERT_PROXIMITY);
    assert_string_equal(v.serial_number, PKI_SERIAL);
    assert_true(v.created_on == PKI_NOW);
    assert_true(
        idv_bytes_eq(idv_view(&der), idv_view(&v.proximity_registrar_cert)));
    OK(idv_base64_to_bytes(idv_str(v.nonce), IDV_BASE64_STRICT, &raw));
    assert_int_equal(raw.n, 16);
    pki.env.trusted = false;
    OK(idv_request_build(pki.idevid.cert, pki.registrar.cert, &pki.env.env,
                         &w));
    pki.env.trusted = true;
    assert_true(w.created_on == IDV_TIME_ABSENT);
    assert_string_not_equal(v.nonce, w.nonce);
    idv_voucher_free(&v);
    idv_voucher_free(&w);
    FAILS(IDV_E_REJECT, "",
          idv_request_build(pki.registrar.cert, pki.registrar.cert,
                            &pki.env.env, &v));
    assert_int_equal(v.proximity_registrar_cert.n, 0);
}

/* --- 1 to 3: container, signature, signer, content ------------------------ */

/* R-P-18 */
static void format(void **state)
{
    SCENE(s);
    (void)state;
    OK(idv_buf_puts(&s.sealed, "{\"ietf-voucher:voucher\":{}}"));
    VERDICT(IDV_VERDICT_FORMAT, &s);
}

/* the last byte of a signature in CMS, and what stands for some in JWS */
static uint8_t *in_signature(const struct scene *s)
{
    static const char before[] = "\"signature\":\"";
    if (strcmp(sealed_as, IDV_MEDIA_VOUCHER_CMS) == 0)
        return s->sealed.p + s->sealed.n - 1;
    const char *at = strstr((const char *)s->sealed.p, before);
    assert_non_null(at);
    return s->sealed.p + (at - (const char *)s->sealed.p) + sizeof(before) + 20;
}

/* R-P-35 */
static void signature(void **state)
{
    SCENE(s);
    (void)state;
    VERDICT(IDV_VERDICT_OK, &s);
    uint8_t *c = in_signature(&s);
    if (strcmp(sealed_as, IDV_MEDIA_VOUCHER_CMS) == 0)
        *c ^= 1;
    else
        *c = *c == 'A' ? 'B' : 'A';
    VERDICT(IDV_VERDICT_SIGNATURE, &s);
}

/* R-P-35: PT-9; no anchor refuses */
static void signer(void **state)
{
    SCENE(s);
    SCENE(t);
    STACK_OF(X509) *rogue = pki_stack(pki.rogue_ca.cert, NULL);
    (void)state;
    s.signer = &pki.rogue_masa;
    VERDICT(IDV_VERDICT_SIGNER, &s);
    s.policy.maker_anchors = rogue;
    VERDICT(IDV_VERDICT_OK, &s);
    s.policy.maker_anchors = NULL;
    VERDICT(IDV_VERDICT_SIGNER, &s);
    t.policy.maker_anchors = NULL;
    VERDICT(IDV_VERDICT_SIGNER, &t);
    idv_certs_free(rogue);
}

/* an anchor need not be a root, but it must be the right one */
static void signer_is_the_anchor(void **state)
{
    SCENE(s);
    STACK_OF(X509) *itself = pki_stack(pki.masa.cert, NULL);
    STACK_OF(X509) *sibling = pki_stack(pki.maker_ca.cert, pki.idevid.cert);
    (void)state;
    s.policy.maker_anchors = itself;
    VERDICT(IDV_VERDICT_OK, &s);
    s.policy.maker_anchors = sibling;
    VERDICT(IDV_VERDICT_SIGNER, &s);
    idv_certs_free(itself);
    idv_certs_free(sibling);
}

/* R-P-35: the domain's own CA is no maker, even though the voucher pins it */
static void signer_is_the_domain(void **state)
{
    SCENE(s);
    (void)state;
    s.signer = &pki.registrar;
    VERDICT(IDV_VERDICT_SIGNER, &s);
}

/* R-P-35: The same root stands above the maker's devices: what one of them
 * signs is no voucher for another. */
static void signer_is_a_device(void **state)
{
    SCENE(s);
    SCENE(t);
    STACK_OF(X509) *both = pki_stack(pki.maker_root.cert, pki.maker_ca.cert);
    STACK_OF(X509) *itself = pki_stack(pki.idevid.cert, NULL);
    (void)state;
    s.policy.maker_anchors = both;
    s.signer = &pki.idevid;
    VERDICT(IDV_VERDICT_SIGNER, &s);
    pki_seal_as(sealed_as, &t.voucher, &pki.idevid, pki.idevid_chain,
                &t.sealed);
    VERDICT(IDV_VERDICT_SIGNER, &t);
    t.policy.maker_anchors = itself;
    VERDICT(IDV_VERDICT_OK, &t);
    idv_certs_free(both);
    idv_certs_free(itself);
}

/* R-P-42 */
static void signer_expired(void **state)
{
    SCENE(s);
    (void)state;
    s.policy.now = PKI_NOW + 400 * PKI_DAY;
    VERDICT(IDV_VERDICT_SIGNER, &s);
    s.policy.clock_trusted = false;
    VERDICT(IDV_VERDICT_OK, &s);
}

/* R-S-16: signed nonsense */
static void content(void **state)
{
    SCENE(s);
    struct idv_signer signer_is = {pki.masa.key, pki.masa.cert, NULL, 0, false};
    (void)state;
    OK(idv_envelope_seal(sealed_as, idv_str("{\"ietf-voucher:voucher\":{}}"),
                         &signer_is, &s.sealed));
    VERDICT(IDV_VERDICT_CONTENT, &s);
    idv_buf_clear(&s.sealed);
    pki_seal_as(sealed_as, &s.request, &pki.masa, NULL, &s.sealed);
    VERDICT(IDV_VERDICT_CONTENT, &s);
}

/* --- 4 to 6: who and when asked ------------------------------------------- */

/* R-P-36, R-S-8: bearer vouchers cannot be: a wildcard is just another name */
static void serial(void **state)
{
    static const char *const others[] = {"JADA123456780",  "JADA12345678",
                                         "JADA1234567890", "*",
                                         "jada123456789",  "JADA123456789 "};
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        SCENE(s);
        set(s.voucher.serial_number, others[i]);
        VERDICT(IDV_VERDICT_SERIAL, &s);
    }
}

/* R-P-37, R-S-9 */
static void issuer(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        SCENE(s);
        struct idv_buf *to = &s.voucher.idevid_issuer;
        const X509 *of = form == 3 ? pki.rogue_idevid.cert : pki.idevid.cert;
        if (form == 2) {
            IDV_AUTO(buf) aki = {0};
            OK(idv_idevid_issuer(of, false, &aki));
            OK(idv_idevid_issuer_keyid(idv_view(&aki), to));
        } else {
            OK(idv_idevid_issuer(of, form == 1, to));
        }
        VERDICT(form == 3 ? IDV_VERDICT_ISSUER : IDV_VERDICT_OK, &s);
    }
}

/* R-P-38, R-S-2, R-S-3 */
static void nonce(void **state)
{
    SCENE(s);
    SCENE(t);
    (void)state;
    VERDICT(IDV_VERDICT_OK, &s);
    s.claim.nonce = t.request.nonce;
    VERDICT(IDV_VERDICT_NONCE, &s);
    s.claim.nonce = NULL;
    VERDICT(IDV_VERDICT_NONCE, &s);
    s.claim.nonce = "";
    VERDICT(IDV_VERDICT_NONCE, &s);
    t.voucher.nonce[0] ^= 1;
    VERDICT(IDV_VERDICT_NONCE, &t);
}

/* R-P-39, R-S-4: PT-11 */
static void nonceless(void **state)
{
    SCENE(s);
    SCENE(t);
    (void)state;
    make_nonceless(&s);
    VERDICT(IDV_VERDICT_OK, &s);
    s.policy.refuse_nonceless = true;
    VERDICT(IDV_VERDICT_NONCELESS, &s);
    t.voucher.nonce[0] = 0;
    VERDICT(IDV_VERDICT_NONCELESS, &t);
    t.policy.clock_trusted = false;
    VERDICT(IDV_VERDICT_OK, &t);
}

/* R-P-39: a voucher from a file, before there is a registrar */
static void offline(void **state)
{
    SCENE(s);
    SCENE(t);
    (void)state;
    s.claim.offline = t.claim.offline = true;
    s.claim.tls_chain = t.claim.tls_chain = NULL;
    VERDICT(IDV_VERDICT_NONCE, &t); /* even the right one was not asked for */
    make_nonceless(&s);
    VERDICT(IDV_VERDICT_OK, &s);
    s.policy.now = s.voucher.expires_on + 1;
    VERDICT(IDV_VERDICT_EXPIRED, &s);
    s.policy.now = PKI_NOW;
    s.claim.offline = false; /* a connection that showed nothing is another */
    VERDICT(IDV_VERDICT_CHAIN, &s);
    s.claim.offline = true;
    idv_buf_clear(&s.sealed);
    s.voucher.revocation_checks = 1; /* of whom? */
    VERDICT(IDV_VERDICT_REVOKED, &s);
}

/* --- 7: times, PT-10 ------------------------------------------------------ */

/* R-P-40, R-P-41, R-P-42 */
static void expired(void **state)
{
    SCENE(s);
    (void)state;
    make_nonceless(&s);
    s.policy.now = s.voucher.expires_on;
    VERDICT(IDV_VERDICT_OK, &s);
    s.policy.now++;
    VERDICT(IDV_VERDICT_EXPIRED, &s);
    s.policy.clock_trusted = false;
    VERDICT(IDV_VERDICT_OK, &s);
}

/* R-P-41, R-P-42 */
static void from_the_future(void **state)
{
    SCENE(s);
    (void)state;
    s.voucher.created_on = PKI_NOW + 600;
    VERDICT(IDV_VERDICT_OK, &s);
    idv_buf_clear(&s.sealed);
    s.voucher.created_on = PKI_NOW + 601;
    VERDICT(IDV_VERDICT_TIME, &s);
    s.policy.clock_trusted = false;
    VERDICT(IDV_VERDICT_OK, &s);
}

/* R-P-41, R-P-42 */
static void signed_in_the_future(void **state)
{
    SCENE(s);
    (void)state;
    s.voucher.created_on = IDV_TIME_ABSENT;
    s.policy.now = PKI_NOW - 600;
    VERDICT(IDV_VERDICT_OK, &s);
    s.policy.now = PKI_NOW - 601;
    VERDICT(IDV_VERDICT_TIME, &s);
    s.policy.clock_trusted = false;
    VERDICT(IDV_VERDICT_OK, &s);
}

/* R-P-41, R-P-42: both times of the registrar's certificate, with a pin by key
 * and by path */
static void registrar_times(void **state)
{
    static const struct {
        int64_t from, until;
        enum idv_verdict verdict;
    } rows[] = {
        {PKI_NOW - 9, PKI_NOW + 9, IDV_VERDICT_OK},
        {PKI_NOW + 1, PKI_NOW + 9, IDV_VERDICT_CHAIN},
        {PKI_NOW - 9, PKI_NOW - 1, IDV_VERDICT_CHAIN},
    };
    (void)state;
    for (int i = 0; i < 6; i++) {
        SCENE(s);
        struct idv_cert_spec spec = {.kind = IDV_CERT_REGISTRAR,
                                     .common_name = "short-lived",
                                     .not_before = rows[i / 2].from,
                                     .not_after = rows[i / 2].until};
        struct pki_id id = pki_issue(&pki, "P-256", &spec, &pki.domain_ca);
        STACK_OF(X509) *chain = pki_stack(id.cert, NULL);
        s.claim.tls_chain = chain;
        if (i % 2) {
            idv_buf_clear(&s.voucher.pinned_domain_cert);
            OK(idv_cert_to_der(id.cert, &s.voucher.pinned_domain_cert));
        }
        VERDICT(rows[i / 2].verdict, &s);
        s.policy.clock_trusted = false;
        VERDICT(IDV_VERDICT_OK, &s);
        idv_certs_free(chain);
        pki_id_free(&id);
    }
}

/* --- 8: assertion --------------------------------------------------------- */

/* R-P-43 */
static void assertion(void **state)
{
    (void)state;
    for (int a = IDV_ASSERT_NONE; a <= IDV_ASSERT_AGENT_PROXIMITY; a++) {
        SCENE(s);
        int counts_as = a == IDV_ASSERT_NONE ? IDV_ASSERT_LOGGED : a;
        s.voucher.assertion = (enum idv_assertion)a;
        s.policy.refused_assertions = ~(1u << counts_as);
        VERDICT(IDV_VERDICT_OK, &s);
        s.policy.refused_assertions = 1u << counts_as;
        VERDICT(IDV_VERDICT_ASSERTION, &s);
    }
}

/* --- the order: the first fault wins -------------------------------------- */

static void order(void **state)
{
    static const enum idv_verdict expected[] = {
        IDV_VERDICT_SIGNER, IDV_VERDICT_SERIAL, IDV_VERDICT_ISSUER,
        IDV_VERDICT_NONCE,  IDV_VERDICT_TIME,   IDV_VERDICT_ASSERTION,
        IDV_VERDICT_NO_PIN, IDV_VERDICT_CHAIN,  IDV_VERDICT_REVOKED,
        IDV_VERDICT_OK,
    };
    (void)state;
    for (int cured = 0; cured < 10; cured++) {
        SCENE(s);
        const X509 *of = cured < 3 ? pki.rogue_idevid.cert : pki.idevid.cert;
        s.signer = cured < 1 ? &pki.rogue_masa : &pki.masa;
        if (cured < 2)
            set(s.voucher.serial_number, "other");
        OK(idv_idevid_issuer(of, false, &s.voucher.idevid_issuer));
        if (cured < 4)
            s.claim.nonce = "another";
        if (cured < 5)
            s.voucher.created_on = PKI_NOW + PKI_DAY;
        s.policy.refused_assertions = cured < 6 ? ~0u : 0;
        if (cured < 7)
            idv_buf_clear(&s.voucher.pinned_domain_cert);
        s.claim.tls_chain = cured < 8 ? pki.rogue_chain : pki.tls_chain;
        s.voucher.revocation_checks = cured < 9;
        VERDICT(expected[cured], &s);
    }
}

/* --- bytes from outside --------------------------------------------------- */

/* R-P-18 */
static void truncated(void **state)
{
    SCENE(s);
    struct idv_pinned out;
    (void)state;
    VERDICT(IDV_VERDICT_OK, &s);
    for (size_t n = 0; n < s.sealed.n; n++)
        assert_int_equal(judge_bytes(&s, idv_bytes(s.sealed.p, n), &out),
                         IDV_VERDICT_FORMAT);
}

static size_t payload_at(const struct scene *s, const struct idv_buf *payload)
{
    size_t at = 0;
    while (memcmp(s->sealed.p + at, payload->p, payload->n) != 0)
        at++;
    return at;
}

/*
 * R-P-18: No flip changes what is accepted. What is not signed by design
 * (versions, constructed bits of BER, the spelling of the signer's name) may
 * differ.
 */
static void flipped(void **state)
{
    SCENE(s);
    IDV_AUTO(buf) json = {0};
    (void)state;
    VERDICT(IDV_VERDICT_OK, &s);
    OK(idv_voucher_to_json(&s.voucher, &json));
    size_t from = payload_at(&s, &json), until = from + json.n;
    for (size_t i = 0; i < s.sealed.n * 8; i += 3) {
        struct idv_pinned out;
        size_t at = i / 8;
        s.sealed.p[at] ^= (uint8_t)(1u << (i % 8));
        if (judge_bytes(&s, idv_view(&s.sealed), &out) == IDV_VERDICT_OK) {
            IDV_AUTO(buf) again = {0};
            OK(idv_voucher_to_json(&out.voucher, &again));
            assert_true(idv_bytes_eq(idv_view(&json), idv_view(&again)));
            assert_true(idv_cert_eq(out.cert, pki.domain_ca.cert));
            assert_true(at < from || at >= until);
            assert_true(at < s.sealed.n - 64);
        }
        idv_pinned_free(&out);
        s.sealed.p[at] ^= (uint8_t)(1u << (i % 8));
    }
}

/* of JWS, nothing that is there may differ */
static void flipped_jws(void **state)
{
    SCENE(s);
    (void)state;
    VERDICT(IDV_VERDICT_OK, &s);
    for (size_t i = 0; i < s.sealed.n * 8; i += 21) {
        struct idv_pinned out;
        s.sealed.p[i / 8] ^= (uint8_t)(1u << (i % 8));
        assert_int_not_equal(judge_bytes(&s, idv_view(&s.sealed), &out),
                             IDV_VERDICT_OK);
        s.sealed.p[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
}

/* what comes is judged in the form it says it is in, and in no other */
static void other_form(void **state)
{
    SCENE(s);
    struct idv_pinned out;
    const char *mine = sealed_as;
    (void)state;
    VERDICT(IDV_VERDICT_OK, &s);
    sealed_as = strcmp(sealed_as, IDV_MEDIA_VOUCHER_CMS) == 0
                    ? IDV_MEDIA_VOUCHER_JWS
                    : IDV_MEDIA_VOUCHER_CMS;
    assert_int_equal(judge_bytes(&s, idv_view(&s.sealed), &out),
                     IDV_VERDICT_FORMAT);
    sealed_as = mine;
}

static void unknown_media(void **state)
{
    SCENE(s);
    struct idv_pinned out;
    enum idv_verdict why;
    (void)state;
    VERDICT(IDV_VERDICT_OK, &s);
    FAILS(IDV_E_REJECT, "media",
          idv_voucher_check("application/json", idv_view(&s.sealed), &s.claim,
                            &s.policy, &out, &why));
    assert_int_equal(why, IDV_VERDICT_FORMAT);
    s.claim.idevid = NULL;
    FAILS(IDV_E_ARG, "IDevID",
          idv_voucher_check(sealed_as, idv_view(&s.sealed), &s.claim, &s.policy,
                            &out, &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(good),
        CASE(request),
        CASE(format),
        CASE(signature),
        CASE(signer),
        CASE(signer_is_the_anchor),
        CASE(signer_is_the_domain),
        CASE(signer_is_a_device),
        CASE(signer_expired),
        CASE(content),
        CASE(serial),
        CASE(issuer),
        CASE(nonce),
        CASE(nonceless),
        CASE(offline),
        CASE(expired),
        CASE(from_the_future),
        IN_CMS(signed_in_the_future),
        CASE(registrar_times),
        CASE(assertion),
        CASE(order),
        CASE(truncated),
        IN_CMS(flipped),
        IN_JWS(flipped_jws),
        CASE(other_form),
        CASE(unknown_media),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
