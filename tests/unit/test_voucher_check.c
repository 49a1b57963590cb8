/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's judgement: a case for each verdict, and none by luck. */
#include "tests/unit/codec.h"

#include <idevid/voucher.h>

#include "tests/lib/pki.h"

static struct pki pki;

/* What is asked, what is answered, what it is judged by: good as made. */
struct scene {
    struct idv_voucher request, voucher;
    struct idv_voucher_claim claim;
    struct idv_voucher_policy policy;
    struct pki_id *signer;
    struct idv_buf sealed; /* made from voucher unless already filled */
};

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

static void scene_init(struct scene *s)
{
    IDV_AUTO(buf) sealed = {0};
    memset(s, 0, sizeof(*s));
    pki_request(&pki, &s->request, &sealed);
    pki_voucher(&pki, &s->request, pki.domain_ca.cert, &s->voucher);
    s->claim.idevid = pki.idevid.cert;
    s->claim.nonce = s->request.nonce;
    s->claim.tls_chain = pki.tls_chain;
    s->policy.maker_anchors = pki.anchors;
    s->policy.clock_trusted = true;
    s->policy.now = PKI_NOW;
    s->signer = &pki.masa;
}

static void scene_free(struct scene *s)
{
    idv_voucher_free(&s->request);
    idv_voucher_free(&s->voucher);
    idv_buf_free(&s->sealed);
}

#define SCENE(s)                                                               \
    __attribute__((cleanup(scene_free))) struct scene s;                       \
    scene_init(&s)

static enum idv_verdict judge_bytes(const struct scene *s, struct idv_bytes b,
                                    struct idv_pinned *out)
{
    enum idv_verdict why = IDV_VERDICT_COUNT;
    idv_note_clear();
    idv_rc rc = idv_voucher_check(IDV_MEDIA_VOUCHER_CMS, b, &s->claim,
                                  &s->policy, out, &why);
    assert_int_equal(rc, why == IDV_VERDICT_OK ? IDV_OK : IDV_E_REJECT);
    assert_int_equal(idv_note()[0] == 0, why == IDV_VERDICT_OK);
    if (why != IDV_VERDICT_OK)
        assert_true(!out->cert && !out->spki.p && !out->voucher.nonce[0]);
    return why;
}

static enum idv_verdict judge_into(struct scene *s, struct idv_pinned *out)
{
    if (s->sealed.n == 0)
        pki_seal(&s->voucher, s->signer, NULL, false, &s->sealed);
    return judge_bytes(s, idv_view(&s->sealed), out);
}

static enum idv_verdict judge(struct scene *s)
{
    struct idv_pinned out;
    enum idv_verdict why = judge_into(s, &out);
    idv_pinned_free(&out);
    return why;
}

#define VERDICT(v, s)                                                          \
    do {                                                                       \
        enum idv_verdict got_ = judge(s);                                      \
        if (got_ != (v))                                                       \
            print_error("%s: %s\n", idv_verdict_to_text(got_), idv_note());    \
        assert_int_equal(got_, (v));                                           \
    } while (0)

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

/* R-P-23..27 */
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

static void format(void **state)
{
    SCENE(s);
    (void)state;
    OK(idv_buf_puts(&s.sealed, "{\"ietf-voucher:voucher\":{}}"));
    VERDICT(IDV_VERDICT_FORMAT, &s);
}

static void signature(void **state)
{
    SCENE(s);
    (void)state;
    VERDICT(IDV_VERDICT_OK, &s);
    s.sealed.p[s.sealed.n - 1] ^= 1;
    VERDICT(IDV_VERDICT_SIGNATURE, &s);
}

/* R-P-35, R-S-3, PT-9; no anchor refuses */
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

/* the domain's own CA is no maker, even though the voucher pins it */
static void signer_is_the_domain(void **state)
{
    SCENE(s);
    (void)state;
    s.signer = &pki.registrar;
    VERDICT(IDV_VERDICT_SIGNER, &s);
}

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
    OK(idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS,
                         idv_str("{\"ietf-voucher:voucher\":{}}"), &signer_is,
                         &s.sealed));
    VERDICT(IDV_VERDICT_CONTENT, &s);
    idv_buf_clear(&s.sealed);
    pki_seal(&s.request, &pki.masa, NULL, false, &s.sealed);
    VERDICT(IDV_VERDICT_CONTENT, &s);
}

/* --- 4 to 6: who and when asked ------------------------------------------- */

/* R-P-36, R-S-8; bearer vouchers cannot be: a wildcard is just another name */
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

/* R-P-38, R-S-2 */
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

static void make_nonceless(struct scene *s)
{
    s->voucher.nonce[0] = 0;
    s->voucher.expires_on = PKI_NOW + PKI_DAY;
}

/* R-P-39, R-S-4, PT-11 */
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

/* --- 7: times, R-P-40..42, PT-10 ------------------------------------------ */

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

/* both times of the registrar's certificate, with a pin by key and by path */
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

/* --- 8: assertion, R-P-43 ------------------------------------------------- */

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

/* --- 9: pins, R-P-44, R-P-80, PT-12, PT-31 -------------------------------- */

static void spki(const X509 *cert, struct idv_buf *key, struct idv_buf *hash)
{
    uint8_t *der = NULL, digest[32];
    size_t len = 0;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    assert_true(n > 0);
    assert_int_equal(
        EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t)n, digest, &len), 1);
    if (key)
        OK(idv_buf_put(key, idv_bytes(der, (size_t)n)));
    if (hash)
        OK(idv_buf_put(hash, idv_bytes(digest, len)));
    OPENSSL_free(der);
}

static void nothing_pinned(void **state)
{
    SCENE(s);
    SCENE(t);
    (void)state;
    idv_buf_clear(&s.voucher.pinned_domain_cert);
    VERDICT(IDV_VERDICT_NO_PIN, &s);
    /* the request named a certificate: a key does not answer it */
    idv_buf_clear(&t.voucher.pinned_domain_cert);
    spki(pki.registrar.cert, &t.voucher.pinned_domain_pubk,
         &t.voucher.pinned_domain_pubk_sha256);
    VERDICT(IDV_VERDICT_NO_PIN, &t);
    idv_buf_clear(&t.sealed);
    make_nonceless(&t);
    VERDICT(IDV_VERDICT_OK, &t);
}

static void unreadable_pin(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        SCENE(s);
        if (i == 0)
            s.voucher.pinned_domain_cert.n--;
        if (i == 1)
            OK(idv_buf_puts(&s.voucher.pinned_domain_cert, "x"));
        if (i >= 2)
            make_nonceless(&s);
        if (i == 2)
            OK(idv_buf_puts(&s.voucher.pinned_domain_pubk, "no key"));
        if (i == 3)
            OK(idv_buf_puts(&s.voucher.pinned_domain_pubk_sha256, "short"));
        VERDICT(IDV_VERDICT_PIN, &s);
    }
}

static void nonced_uses_cert(void **state)
{
    SCENE(s);
    (void)state;
    spki(pki.rogue.cert, &s.voucher.pinned_domain_pubk,
         &s.voucher.pinned_domain_pubk_sha256);
    VERDICT(IDV_VERDICT_OK, &s);
}

/* nonceless: hash, then key, then certificate */
static void nonceless_priority(void **state)
{
    SCENE(s);
    struct idv_pinned out;
    (void)state;
    make_nonceless(&s);
    spki(pki.registrar.cert, NULL, &s.voucher.pinned_domain_pubk_sha256);
    spki(pki.rogue.cert, &s.voucher.pinned_domain_pubk, NULL);
    assert_int_equal(judge_into(&s, &out), IDV_VERDICT_OK);
    assert_true(out.kind == IDV_PIN_PUBK_SHA256 && !out.cert && !out.spki.n);
    assert_memory_equal(out.spki_sha256, s.voucher.pinned_domain_pubk_sha256.p,
                        32);
    idv_pinned_free(&out);

    idv_buf_clear(&s.sealed);
    idv_buf_clear(&s.voucher.pinned_domain_pubk_sha256);
    VERDICT(IDV_VERDICT_CHAIN, &s);

    idv_buf_clear(&s.sealed);
    idv_buf_clear(&s.voucher.pinned_domain_pubk);
    spki(pki.registrar.cert, &s.voucher.pinned_domain_pubk, NULL);
    assert_int_equal(judge_into(&s, &out), IDV_VERDICT_OK);
    assert_true(out.kind == IDV_PIN_PUBK && !out.cert);
    assert_true(idv_bytes_eq(idv_view(&out.spki),
                             idv_view(&s.voucher.pinned_domain_pubk)));
    idv_pinned_free(&out);
}

/* --- 10: the TLS chain, R-P-47, R-P-48, R-S-1, PT-4..6 -------------------- */

static void pin_with(struct scene *s, const X509 *pin)
{
    idv_buf_clear(&s->sealed);
    idv_buf_clear(&s->voucher.pinned_domain_cert);
    OK(idv_cert_to_der(pin, &s->voucher.pinned_domain_cert));
}

static void chain_rogue(void **state)
{
    SCENE(s);
    (void)state;
    s.claim.tls_chain = pki.rogue_chain;
    VERDICT(IDV_VERDICT_CHAIN, &s);
    s.claim.tls_chain = NULL;
    VERDICT(IDV_VERDICT_CHAIN, &s);
    s.claim.tls_chain = pki.tls_chain;
    VERDICT(IDV_VERDICT_OK, &s);
    pin_with(&s, pki.rogue_ca.cert);
    VERDICT(IDV_VERDICT_CHAIN, &s);
    pin_with(&s, pki.rogue.cert);
    VERDICT(IDV_VERDICT_CHAIN, &s);
}

/* the pinned certificate shown beside a rogue leaf proves nothing */
static void chain_decorated(void **state)
{
    SCENE(s);
    STACK_OF(X509) *chain = pki_stack(pki.rogue.cert, pki.domain_ca.cert);
    (void)state;
    s.claim.tls_chain = chain;
    VERDICT(IDV_VERDICT_CHAIN, &s);
    pin_with(&s, pki.registrar.cert);
    VERDICT(IDV_VERDICT_CHAIN, &s);
    idv_certs_free(chain);
}

/* names alone do not chain: another CA of the same name */
static void chain_same_name(void **state)
{
    SCENE(s);
    struct idv_cert_spec ca = {.kind = IDV_CERT_ROOT,
                               .common_name = "Domain CA",
                               .organization = "Test"};
    struct idv_cert_spec ee = {.kind = IDV_CERT_REGISTRAR,
                               .common_name = "registrar.example.com"};
    struct pki_id twin = pki_issue(&pki, "P-256", &ca, NULL);
    struct pki_id fake = pki_issue(&pki, "P-256", &ee, &twin);
    STACK_OF(X509) *chain = pki_stack(fake.cert, twin.cert);
    (void)state;
    s.claim.tls_chain = chain;
    VERDICT(IDV_VERDICT_CHAIN, &s);
    idv_certs_free(chain);
    pki_id_free(&twin);
    pki_id_free(&fake);
}

static void chain_shapes(void **state)
{
    SCENE(s);
    STACK_OF(X509) *leaf_only = pki_stack(pki.registrar.cert, NULL);
    (void)state;
    s.claim.tls_chain = leaf_only;
    VERDICT(IDV_VERDICT_OK, &s); /* the CA, not sent */
    pin_with(&s, pki.registrar.cert);
    VERDICT(IDV_VERDICT_OK, &s); /* the leaf itself */
    idv_certs_free(leaf_only);
}

/* (b) an intermediate CA pins, its root neither pinned nor sent */
static void chain_intermediate(void **state)
{
    SCENE(s);
    struct idv_cert_spec ca = {.kind = IDV_CERT_CA, .common_name = "Sub CA"};
    struct idv_cert_spec ee = {.kind = IDV_CERT_REGISTRAR,
                               .common_name = "registrar"};
    struct pki_id sub = pki_issue(&pki, "P-256", &ca, &pki.domain_ca);
    struct pki_id reg = pki_issue(&pki, "P-256", &ee, &sub);
    STACK_OF(X509) *chain = pki_stack(reg.cert, sub.cert);
    STACK_OF(X509) *cut = pki_stack(reg.cert, NULL);
    (void)state;
    s.claim.tls_chain = chain;
    VERDICT(IDV_VERDICT_OK, &s); /* the root pins, the path is sent */
    pin_with(&s, sub.cert);
    VERDICT(IDV_VERDICT_OK, &s);
    s.claim.tls_chain = cut;
    VERDICT(IDV_VERDICT_OK, &s);
    pin_with(&s, pki.domain_ca.cert);
    VERDICT(IDV_VERDICT_CHAIN, &s);
    /* a CA pinned by its key */
    pin_with(&s, sub.cert);
    make_nonceless(&s);
    spki(sub.cert, NULL, &s.voucher.pinned_domain_pubk_sha256);
    VERDICT(IDV_VERDICT_CHAIN, &s);
    s.claim.tls_chain = chain;
    VERDICT(IDV_VERDICT_OK, &s);
    idv_certs_free(chain);
    idv_certs_free(cut);
    pki_id_free(&sub);
    pki_id_free(&reg);
}

/* (c) a self-signed end entity; (a) the same key in another certificate */
static void chain_self_signed(void **state)
{
    SCENE(s);
    struct idv_cert_spec ee = {.kind = IDV_CERT_REGISTRAR,
                               .common_name = "alone",
                               .not_before = PKI_NOW - 1,
                               .not_after = PKI_NOW + 1};
    struct pki_id alone = pki_issue(&pki, "P-256", &ee, NULL);
    STACK_OF(X509) *chain = pki_stack(alone.cert, NULL);
    X509 *other = NULL;
    (void)state;
    s.claim.tls_chain = chain;
    pin_with(&s, alone.cert);
    VERDICT(IDV_VERDICT_OK, &s);
    ee.common_name = "renamed";
    OK(idv_cert_issue(&ee, alone.key, NULL, alone.key, &pki.env.env, &other));
    pin_with(&s, other);
    VERDICT(IDV_VERDICT_OK, &s);
    X509_free(other);
    idv_certs_free(chain);
    pki_id_free(&alone);
}

/* a pinned end entity is no CA, whatever its key has signed */
static void chain_through_end_entity(void **state)
{
    SCENE(s);
    struct idv_cert_spec ee = {.kind = IDV_CERT_REGISTRAR,
                               .common_name = "beneath"};
    struct pki_id beneath = pki_issue(&pki, "P-256", &ee, &pki.domain_ca);
    int aki =
        X509_get_ext_by_NID(beneath.cert, NID_authority_key_identifier, -1);
    STACK_OF(X509) *chain = pki_stack(beneath.cert, pki.registrar.cert);
    (void)state;
    X509_EXTENSION_free(X509_delete_ext(beneath.cert, aki));
    X509_set_issuer_name(beneath.cert,
                         X509_get_subject_name(pki.registrar.cert));
    assert_true(X509_sign(beneath.cert, pki.registrar.key, EVP_sha256()) > 0);
    assert_int_equal(X509_verify(beneath.cert, pki.registrar.key), 1);
    s.claim.tls_chain = chain;
    pin_with(&s, pki.registrar.cert);
    VERDICT(IDV_VERDICT_CHAIN, &s);
    make_nonceless(&s);
    idv_buf_clear(&s.sealed);
    spki(pki.registrar.cert, NULL, &s.voucher.pinned_domain_pubk_sha256);
    VERDICT(IDV_VERDICT_CHAIN, &s);
    idv_certs_free(chain);
    pki_id_free(&beneath);
}

static void pin_needs_a_pin(void **state)
{
    (void)state;
    FAILS(IDV_E_REJECT, "pin",
          idv_pin_verify(pki.tls_chain, NULL, NULL, false, 0));
    FAILS(IDV_E_REJECT, "chain",
          idv_pin_verify(NULL, pki.domain_ca.cert, NULL, false, 0));
}

/* --- 11: revocation, R-P-46, PT-33 ---------------------------------------- */

static void revocation(void **state)
{
    (void)state;
    for (int flag = -1; flag <= 1; flag++) {
        SCENE(s);
        s.voucher.revocation_checks = flag;
        VERDICT(flag == 1 ? IDV_VERDICT_REVOKED : IDV_VERDICT_OK, &s);
        s.claim.revocation_good = true;
        VERDICT(IDV_VERDICT_OK, &s);
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

/* R-P-18, R-P-94 */
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
 * No flip changes what is accepted. What is not signed by design (versions,
 * constructed bits of BER, the spelling of the signer's name) may differ.
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
          idv_voucher_check(IDV_MEDIA_VOUCHER_CMS, idv_view(&s.sealed),
                            &s.claim, &s.policy, &out, &why));
}

#define CASE(f) cmocka_unit_test(f)

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
        CASE(signer_expired),
        CASE(content),
        CASE(serial),
        CASE(issuer),
        CASE(nonce),
        CASE(nonceless),
        CASE(expired),
        CASE(from_the_future),
        CASE(signed_in_the_future),
        CASE(registrar_times),
        CASE(assertion),
        CASE(nothing_pinned),
        CASE(unreadable_pin),
        CASE(nonced_uses_cert),
        CASE(nonceless_priority),
        CASE(chain_rogue),
        CASE(chain_decorated),
        CASE(chain_same_name),
        CASE(chain_shapes),
        CASE(chain_intermediate),
        CASE(chain_self_signed),
        CASE(chain_through_end_entity),
        CASE(pin_needs_a_pin),
        CASE(revocation),
        CASE(order),
        CASE(truncated),
        CASE(flipped),
        CASE(unknown_media),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
