/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's judgement: pins, the TLS chain, revocation. */
#include "tests/unit/scene.h"
#include "tests/unit/staple.h"

#include <openssl/x509v3.h>

/* --- 9: pins, PT-12, PT-31 ------------------------------------------------ */

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

/* R-P-44, R-P-80 */
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

/* R-P-80 */
static void nonced_uses_cert(void **state)
{
    SCENE(s);
    (void)state;
    spki(pki.rogue.cert, &s.voucher.pinned_domain_pubk,
         &s.voucher.pinned_domain_pubk_sha256);
    VERDICT(IDV_VERDICT_OK, &s);
}

/* R-P-80: nonceless: hash, then key, then certificate */
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

/* --- 10: the TLS chain, PT-4..6 ------------------------------------------- */

static void pin_with(struct scene *s, const X509 *pin)
{
    idv_buf_clear(&s->sealed);
    idv_buf_clear(&s->voucher.pinned_domain_cert);
    OK(idv_cert_to_der(pin, &s->voucher.pinned_domain_cert));
}

/* R-P-47, R-S-1 */
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

/* R-P-47: the pinned certificate shown beside a rogue leaf proves nothing */
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

/* R-P-47: names alone do not chain: another CA of the same name */
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

/* R-P-47 */
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

/* R-P-47: (b) an intermediate CA pins, its root neither pinned nor sent */
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

/* R-P-47: (c) a self-signed end entity; (a) the same key in another certificate
 */
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

/* R-P-47: a pinned end entity is no CA, whatever its key has signed */
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

/* --- 11: revocation, PT-33 ------------------------------------------------ */

/* R-P-46 */
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

static void staple_with(struct scene *s, const struct staple *made,
                        struct idv_buf *der)
{
    staple_make(made, der);
    s->claim.staple = idv_view(der);
}

/* what each state of the leaf makes of what is stapled */
static void stapled(const struct staple *made, enum idv_verdict absent,
                    enum idv_verdict demanded)
{
    for (int flag = -1; flag <= 1; flag++) {
        SCENE(s);
        IDV_AUTO(buf) der = {0};
        s.voucher.revocation_checks = flag;
        staple_with(&s, made, &der);
        VERDICT(flag == 1 ? demanded : flag == 0 ? IDV_VERDICT_OK : absent, &s);
    }
}

/* R-P-46 */
static void revocation_stapled(void **state)
{
    struct staple m = staple_good(&pki);
    (void)state;
    stapled(&m, IDV_VERDICT_OK, IDV_VERDICT_OK);
    m.status = V_OCSP_CERTSTATUS_UNKNOWN;
    stapled(&m, IDV_VERDICT_OK, IDV_VERDICT_REVOKED);
    m.status = V_OCSP_CERTSTATUS_REVOKED;
    stapled(&m, IDV_VERDICT_REVOKED, IDV_VERDICT_REVOKED);
    m.by = &pki.rogue_ca;
    stapled(&m, IDV_VERDICT_OK, IDV_VERDICT_REVOKED);
    m = staple_good(&pki);
    m.until = PKI_NOW - 1;
    stapled(&m, IDV_VERDICT_OK, IDV_VERDICT_REVOKED);
    SCENE(s);
    IDV_AUTO(buf) der = {0};
    s.voucher.revocation_checks = 1;
    staple_with(&s, &m, &der);
    s.policy.clock_trusted = false;
    VERDICT(IDV_VERDICT_OK, &s);
}

/* R-P-46: the caller's word that all is good does not outweigh a revocation */
static void revocation_both(void **state)
{
    struct staple m = staple_good(&pki);
    SCENE(s);
    IDV_AUTO(buf) der = {0};
    (void)state;
    m.status = V_OCSP_CERTSTATUS_REVOKED;
    s.voucher.revocation_checks = 1;
    s.claim.revocation_good = true;
    staple_with(&s, &m, &der);
    VERDICT(IDV_VERDICT_REVOKED, &s);
}

/* R-P-46: only who leads to the pin speaks, and only once it did */
static void revocation_after_chain(void **state)
{
    struct staple m = staple_good(&pki);
    SCENE(s);
    IDV_AUTO(buf) der = {0};
    (void)state;
    m.cert = pki.rogue.cert;
    m.issuer = pki.rogue_ca.cert;
    m.by = &pki.rogue_ca;
    m.status = V_OCSP_CERTSTATUS_REVOKED;
    staple_with(&s, &m, &der);
    s.claim.tls_chain = pki.rogue_chain;
    VERDICT(IDV_VERDICT_CHAIN, &s);
}

/* what is made of a registrar that is pinned itself, when checks are demanded,
 * and why; the chain and what is stapled are the scene's */
static void pinned_leaf(struct scene *s, enum idv_verdict v, const char *why)
{
    if (!s->voucher.pinned_domain_pubk_sha256.n)
        pin_with(s, pki.registrar.cert);
    s->voucher.revocation_checks = 1;
    VERDICT(v, s);
    if (v != IDV_VERDICT_OK)
        assert_non_null(strstr(idv_note(), why));
}

/* R-P-46: pinned itself, it names its issuer, who speaks for it */
static void revocation_pinned_leaf(void **state)
{
    static const int says[] = {V_OCSP_CERTSTATUS_GOOD,
                               V_OCSP_CERTSTATUS_UNKNOWN,
                               V_OCSP_CERTSTATUS_REVOKED};
    static const char *const why[] = {NULL, "is unknown", "is revoked"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct staple m = staple_good(&pki);
        SCENE(s);
        SCENE(t);
        IDV_AUTO(buf) der = {0};
        m.status = says[i];
        staple_with(&s, &m, &der);
        pinned_leaf(&s, i ? IDV_VERDICT_REVOKED : IDV_VERDICT_OK, why[i]);
        pin_with(&t, pki.registrar.cert);
        t.claim.staple = s.claim.staple;
        VERDICT(i == 2 ? IDV_VERDICT_REVOKED : IDV_VERDICT_OK, &t);
    }
    SCENE(u);
    pinned_leaf(&u, IDV_VERDICT_REVOKED, "no OCSP response stapled");
}

/* R-P-46: nobody but that issuer does: its name is not enough, and neither is
 * a key that the registrar's certificate does not name */
static void revocation_pinned_leaf_strangers(void **state)
{
    const struct idv_cert_spec twin = {
        .kind = IDV_CERT_ROOT,
        .subject = X509_get_subject_name(pki.domain_ca.cert)};
    struct pki_id stranger = pki_issue(&pki, "P-256", &twin, NULL);
    STACK_OF(X509) *alone = pki_stack(pki.registrar.cert, NULL),
                   *with = pki_stack(pki.registrar.cert, stranger.cert);
    const STACK_OF(X509) * chains[] = {alone, with, pki.tls_chain};
    static const char *const why[] = {"is not shown with it",
                                      "is not shown with it", "OCSP: "};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct staple m = staple_good(&pki);
        SCENE(s);
        IDV_AUTO(buf) der = {0};
        m.by = &stranger;
        m.issuer = stranger.cert;
        staple_with(&s, &m, &der);
        s.claim.tls_chain = chains[i];
        pinned_leaf(&s, IDV_VERDICT_REVOKED, why[i]);
    }
    idv_certs_free(alone);
    idv_certs_free(with);
    pki_id_free(&stranger);
}

/* a certificate without what names its issuer's key, signed by it */
static struct pki_id nameless(void)
{
    const struct idv_cert_spec ee = {.kind = IDV_CERT_REGISTRAR,
                                     .common_name = "nameless"};
    struct pki_id id = pki_issue(&pki, "P-256", &ee, &pki.domain_ca);
    const int at =
        X509_get_ext_by_NID(id.cert, NID_authority_key_identifier, -1);
    X509_EXTENSION_free(X509_delete_ext(id.cert, at));
    assert_true(X509_sign(id.cert, pki.domain_ca.key, EVP_sha256()) > 0);
    return id;
}

/* R-P-46: where nothing ties an issuer to what is pinned */
static void revocation_pinned_without_issuer(void **state)
{
    struct pki_id id = nameless();
    STACK_OF(X509) *chain = pki_stack(id.cert, pki.domain_ca.cert);
    struct staple m = staple_good(&pki);
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) other = {0};
    SCENE(s);
    SCENE(t);
    (void)state;
    staple_with(&t, &m, &der);
    make_nonceless(&t); /* the key is pinned, whoever gave it a certificate */
    idv_buf_clear(&t.voucher.pinned_domain_cert);
    spki(pki.registrar.cert, NULL, &t.voucher.pinned_domain_pubk_sha256);
    pinned_leaf(&t, IDV_VERDICT_REVOKED, "a key is pinned");
    m.cert = id.cert;
    staple_with(&s, &m, &other);
    s.claim.tls_chain = chain;
    pin_with(&s, id.cert);
    s.voucher.revocation_checks = 1;
    VERDICT(IDV_VERDICT_REVOKED, &s);
    assert_non_null(strstr(idv_note(), "is not shown with it"));
    idv_certs_free(chain);
    pki_id_free(&id);
}

/* as openssl req -x509 does */
static void name_itself(struct pki_id *id)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, id->cert, id->cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(
        NULL, &ctx, NID_authority_key_identifier, "keyid:always");
    assert_int_equal(X509_add_ext(id->cert, e, -1), 1);
    assert_true(X509_sign(id->cert, id->key, EVP_sha256()) > 0);
    X509_EXTENSION_free(e);
}

/* R-P-46: a certificate that is its own issuer speaks for itself only */
static void revocation_pinned_self_signed(void **state)
{
    const struct idv_cert_spec root = {.kind = IDV_CERT_ROOT,
                                       .common_name = "own"};
    struct pki_id own = pki_issue(&pki, "P-256", &root, NULL);
    STACK_OF(X509) *chain = pki_stack(own.cert, own.cert);
    struct staple m = staple_good(&pki);
    IDV_AUTO(buf) der = {0};
    SCENE(s);
    (void)state;
    name_itself(&own);
    m.cert = m.issuer = own.cert;
    m.by = &own;
    staple_with(&s, &m, &der);
    s.claim.tls_chain = chain;
    pin_with(&s, own.cert);
    s.voucher.revocation_checks = 1;
    VERDICT(IDV_VERDICT_REVOKED, &s);
    assert_non_null(strstr(idv_note(), "is not shown with it"));
    idv_certs_free(chain);
    pki_id_free(&own);
}

/* R-P-46: an intermediate below the pin, of which nothing is stapled */
static void revocation_intermediate(void **state)
{
    struct idv_cert_spec root = {.kind = IDV_CERT_ROOT, .common_name = "root"},
                         ca = {.kind = IDV_CERT_CA, .common_name = "between"},
                         ee = {.kind = IDV_CERT_REGISTRAR, .common_name = "r"};
    struct pki_id top = pki_issue(&pki, "P-256", &root, NULL);
    struct pki_id between = pki_issue(&pki, "P-256", &ca, &top);
    struct pki_id leaf = pki_issue(&pki, "P-256", &ee, &between);
    STACK_OF(X509) *chain = pki_stack(leaf.cert, between.cert);
    struct staple m = staple_good(&pki);
    IDV_AUTO(buf) good = {0};
    IDV_AUTO(buf) bad = {0};
    (void)state;
    m.cert = leaf.cert;
    m.issuer = between.cert;
    m.by = &between;
    staple_make(&m, &good);
    m.status = V_OCSP_CERTSTATUS_REVOKED;
    staple_make(&m, &bad);
    /* pinned: the root or the intermediate; absent or demanded; what it says */
    for (int i = 0; i < 8; i++) {
        SCENE(s);
        const bool at_root = i & 1, demanded = i & 2, revoked = i & 4;
        struct idv_pinned out;
        s.claim.tls_chain = chain;
        s.claim.staple = idv_view(revoked ? &bad : &good);
        s.voucher.revocation_checks = demanded ? 1 : -1;
        pin_with(&s, at_root ? top.cert : between.cert);
        const enum idv_verdict v = judge_into(&s, &out);
        idv_pinned_free(&out);
        assert_int_equal(v, revoked || (at_root && demanded)
                                ? IDV_VERDICT_REVOKED
                                : IDV_VERDICT_OK);
        if (v != IDV_VERDICT_OK)
            assert_non_null(
                strstr(idv_note(), revoked ? "is revoked" : "intermediate"));
    }
    idv_certs_free(chain);
    pki_id_free(&top);
    pki_id_free(&between);
    pki_id_free(&leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        CASE(revocation_stapled),
        CASE(revocation_both),
        CASE(revocation_after_chain),
        CASE(revocation_pinned_leaf),
        CASE(revocation_pinned_leaf_strangers),
        CASE(revocation_pinned_without_issuer),
        CASE(revocation_pinned_self_signed),
        CASE(revocation_intermediate),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
