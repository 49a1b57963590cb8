/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of an anchor: its file, and every way in which it proves nothing. */
#include "config.h"

#include "tests/unit/codec.h"

#include <openssl/sha.h>

#include "tests/lib/paper.h"

static struct paper_pki pki; /* P-256, the certificate says it by EKU */
static uint8_t nonce[32];

static int setup(void **state)
{
    (void)state;
    memset(nonce, 0x5e, sizeof(nonce));
    paper_pki_make(&pki, "P-256", PAPER_EKU);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    paper_pki_free(&pki);
    return 0;
}

static inline void idv_auto_evidence(struct idv_evidence *e)
{
    idv_evidence_free(e);
}

static struct idv_evidence_policy policy_of(const struct paper_pki *p)
{
    return (struct idv_evidence_policy){
        .nonce = idv_bytes(nonce, sizeof(nonce)),
        .anchors = p->anchors,
        .check_time = true,
        .now = PAPER_NOW,
    };
}

/* What becomes of it, with a note that is the report's text. */
static enum idv_evidence_verdict
verdict_under(const struct paper *p, const struct idv_evidence_policy *policy,
              struct idv_evidence_report *r)
{
    IDV_AUTO(evidence) e = {0};
    paper_evidence(p, &e);
    memset(r, 0, sizeof(*r));
    idv_note_clear();
    idv_rc rc = idv_evidence_verify(&e, policy, r);
    assert_int_equal(rc,
                     r->verdict == IDV_EVIDENCE_SOUND ? IDV_OK : IDV_E_REJECT);
    assert_int_equal(*idv_note() == 0, rc == IDV_OK);
    return r->verdict;
}

static enum idv_evidence_verdict verdict(const struct paper *p,
                                         struct idv_evidence_report *r)
{
    struct idv_evidence_policy policy = policy_of(p->pki);
    return verdict_under(p, &policy, r);
}

/* --- the file ------------------------------------------------------------- */

static void a_file_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (uint32_t pcrs = 0; pcrs <= 0x801000; pcrs += 0x801000) {
        struct paper p;
        IDV_AUTO(evidence) e = {0};
        IDV_AUTO(evidence) back = {0};
        IDV_AUTO(evidence) again = {0};
        IDV_AUTO(buf) der = {0};
        IDV_AUTO(buf) pem = {0};
        IDV_AUTO(buf) second = {0};
        paper_begin(&p, &pki, pcrs);
        paper_evidence(&p, &e);
        OK(idv_evidence_to_der(&e, &der));
        OK(idv_evidence_from_bytes(idv_view(&der), &back));
        assert_string_equal(back.profile, "owner");
        assert_int_equal(back.gated, pcrs != 0);
        assert_int_equal(back.gate_pcrs, pcrs);
        assert_true(idv_bytes_eq(idv_view(&back.counter.attest),
                                 idv_view(&e.counter.attest)));
        OK(idv_evidence_to_pem(&back, &pem));
        assert_non_null(strstr((char *)pem.p, "-----BEGIN IDEVID EVIDENCE"));
        OK(idv_evidence_from_bytes(idv_view(&pem), &again));
        OK(idv_evidence_to_der(&again, &second));
        assert_true(idv_bytes_eq(idv_view(&der), idv_view(&second)));
    }
}

static void der_of(struct idv_buf *der)
{
    struct paper p;
    IDV_AUTO(evidence) e = {0};
    paper_begin(&p, &pki, 1 << 23);
    paper_evidence(&p, &e);
    OK(idv_evidence_to_der(&e, der));
}

static void a_file_is_whole_or_refused(void **state)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) longer = {0};
    struct idv_evidence out = {0};
    (void)state;
    der_of(&der);
    for (size_t n = 0; n < der.n; n++)
        FAILS(IDV_E_FORMAT, "evidence",
              idv_evidence_from_bytes(idv_bytes(der.p, n), &out));
    OK(idv_buf_put(&longer, idv_view(&der)));
    OK(idv_buf_puts(&longer, "x"));
    FAILS(IDV_E_FORMAT, "bytes after",
          idv_evidence_from_bytes(idv_view(&longer), &out));
    assert_null(out.chain);
    FAILS(IDV_E_FORMAT, "no end",
          idv_evidence_from_bytes(
              idv_str("-----BEGIN IDEVID EVIDENCE-----\nMAA=\n"), &out));
}

/* the same length in a longer form: BER, and not what would be written */
static void ber_is_refused(void **state)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) ber = {0};
    struct idv_evidence out = {0};
    uint8_t head[5] = {0x30, 0x83, 0};
    (void)state;
    der_of(&der);
    assert_int_equal(der.p[1], 0x82);
    head[3] = der.p[2];
    head[4] = der.p[3];
    OK(idv_buf_put(&ber, idv_bytes(head, sizeof(head))));
    OK(idv_buf_put(&ber, idv_bytes(der.p + 4, der.n - 4)));
    FAILS(IDV_E_FORMAT, "not DER",
          idv_evidence_from_bytes(idv_view(&ber), &out));
}

static void set_size(struct idv_buf *b, size_t n)
{
    uint8_t *p;
    if (n > b->n)
        OK(idv_buf_room(b, n - b->n, &p));
    b->n = n;
}

static void parts_are_bounded(void **state)
{
    static const struct {
        size_t at, least, most;
        const char *name;
    } rows[] = {
#define PART(member, least, most, name)                                        \
    {offsetof(struct idv_evidence, member), least, most, name}
        PART(nonce, 8, 32, "nonce"),
        PART(anchor.index, 14, 78, "anchor's index"),
        PART(anchor.attest, 64, 512, "anchor's attestation"),
        PART(anchor.signature, 8, 512, "anchor's signature"),
        PART(counter.index, 14, 78, "counter's index"),
        PART(counter.attest, 64, 512, "counter's attestation"),
        PART(counter.signature, 8, 512, "counter's signature"),
        PART(signer, 24, 640, "signer's public area"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const size_t sizes[] = {rows[i].least, rows[i].most, rows[i].least - 1,
                                rows[i].most + 1};
        for (size_t k = 0; k < 4; k++) {
            struct paper p;
            IDV_AUTO(evidence) e = {0};
            IDV_AUTO(buf) der = {0};
            paper_begin(&p, &pki, 0);
            paper_evidence(&p, &e);
            set_size((struct idv_buf *)((char *)&e + rows[i].at), sizes[k]);
            if (k < 2)
                OK(idv_evidence_to_der(&e, &der));
            else
                FAILS(IDV_E_ARG, rows[i].name, idv_evidence_to_der(&e, &der));
        }
    }
}

static void what_is_no_evidence_is_not_written(void **state)
{
    struct paper p;
    IDV_AUTO(evidence) e = {0};
    IDV_AUTO(buf) der = {0};
    (void)state;
    paper_begin(&p, &pki, 0);
    paper_evidence(&p, &e);
    snprintf(e.profile, sizeof(e.profile), "Owner");
    FAILS(IDV_E_ARG, "profile", idv_evidence_to_der(&e, &der));
    e.profile[0] = 0;
    FAILS(IDV_E_ARG, "profile", idv_evidence_to_der(&e, &der));
    memset(e.profile, 'o', sizeof(e.profile));
    FAILS(IDV_E_ARG, "profile", idv_evidence_to_der(&e, &der));
    snprintf(e.profile, sizeof(e.profile), "owner");
    e.gated = true;
    FAILS(IDV_E_ARG, "gate", idv_evidence_to_der(&e, &der));
    e.gate_pcrs = 1 << 24;
    FAILS(IDV_E_ARG, "gate", idv_evidence_to_der(&e, &der));
    e.gated = false;
    for (int i = 0; i < IDV_MAX_CHAIN; i++)
        assert_true(X509_up_ref(pki.ca) && sk_X509_push(e.chain, pki.ca));
    FAILS(IDV_E_ARG, "certificates", idv_evidence_to_der(&e, &der));
    while (sk_X509_num(e.chain) > 0)
        X509_free(sk_X509_pop(e.chain));
    FAILS(IDV_E_ARG, "certificates", idv_evidence_to_der(&e, &der));
    assert_int_equal(der.n, 0);
}

/* --- what is proved ------------------------------------------------------- */

static void all_is_proved(void **state)
{
    (void)state;
    for (uint32_t pcrs = 0; pcrs <= 0x8010; pcrs += 0x8010) {
        struct paper p;
        struct idv_evidence_report r;
        paper_begin(&p, &pki, pcrs);
        assert_int_equal(verdict(&p, &r), IDV_EVIDENCE_SOUND);
        for (int i = 0; i < IDV_EVIDENCE_FACTS; i++)
            assert_int_equal(r.facts[i].standing, i == IDV_EVIDENCE_PIN
                                                      ? IDV_EVIDENCE_NOT_ASKED
                                                      : IDV_EVIDENCE_PROVED);
        assert_true(r.record.generation == 4 && r.counter == 5);
        assert_true(r.clock == 123476 && r.resets == 7 && r.restarts == 2);
        assert_true(r.safe && r.plain && r.says_eku && !r.says_policy);
        assert_string_equal(r.hierarchy, "endorsement");
        assert_int_equal(r.anchor_name[1], 0x0b);
    }
}

static void keys_of_every_kind_sign(void **state)
{
    static const struct {
        const char *algorithm;
        uint16_t scheme, hash, name_alg;
        int says;
    } rows[] = {
        {"P-256", 0x18, 0x0b, 0x0b, PAPER_POLICY},
        {"P-384", 0x18, 0x0c, 0x0c, PAPER_EKU | PAPER_POLICY},
        {"P-521", 0x18, 0x0d, 0x0d, PAPER_EKU},
        {"RSA 2048", 0x14, 0x0b, 0x0b, PAPER_EKU},
        {"RSA 2048", 0x16, 0x0b, 0x0b, PAPER_EKU},
        {"RSA 3072", 0x16, 0x0c, 0x0b, PAPER_EKU},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct paper_pki other;
        struct paper p;
        struct idv_evidence_report r;
        paper_pki_make(&other, rows[i].algorithm, rows[i].says);
        paper_begin(&p, &other, 0);
        p.key_scheme = rows[i].scheme;
        p.key_hash = rows[i].hash;
        p.key_name_alg = rows[i].name_alg;
        assert_int_equal(verdict(&p, &r), IDV_EVIDENCE_SOUND);
        assert_int_equal(r.says_eku, (rows[i].says & PAPER_EKU) != 0);
        assert_int_equal(r.says_policy, (rows[i].says & PAPER_POLICY) != 0);
        paper_pki_free(&other);
    }
}

static void hierarchies_are_told_apart(void **state)
{
    static const struct {
        uint32_t handle;
        const char *name;
        bool plain;
    } rows[] = {
        {0x40000001, "owner", false},      {0x40000007, "null", false},
        {0x4000000b, "endorsement", true}, {0x4000000c, "platform", true},
        {0x81000001, "", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct paper p;
        struct idv_evidence_report r;
        paper_begin(&p, &pki, 0);
        p.anchor.hierarchy = p.counter.hierarchy = rows[i].handle;
        assert_int_equal(verdict(&p, &r), IDV_EVIDENCE_SOUND);
        assert_string_equal(r.hierarchy, rows[i].name);
        assert_int_equal(r.plain, rows[i].plain);
    }
}

/* --- every value, altered: each refused with its own reason --------------- */

#define ROW(name, code, part, change)                                          \
    static void alter_##name(struct paper *p)                                  \
    {                                                                          \
        change;                                                                \
    }
#include "tests/unit/evidence_rows.h"
#undef ROW

static const struct {
    const char *name;
    enum idv_evidence_verdict verdict;
    const char *part;
    void (*alter)(struct paper *p);
} altered[] = {
#define ROW(name, code, part, change)                                          \
    {#name, IDV_EVIDENCE_##code, part, alter_##name},
#include "tests/unit/evidence_rows.h"
#undef ROW
};

static void every_value_is_looked_at(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(altered) / sizeof(*altered); i++) {
        struct paper p;
        struct idv_evidence_report r;
        paper_begin(&p, &pki, 1 << 15);
        altered[i].alter(&p);
        enum idv_evidence_verdict v = verdict(&p, &r);
        if (v != altered[i].verdict || !strstr(idv_note(), altered[i].part))
            print_error("%s: %s: %s\n", altered[i].name,
                        idv_evidence_verdict_to_text(v), idv_note());
        assert_int_equal(v, altered[i].verdict);
        assert_non_null(strstr(idv_note(), altered[i].part));
    }
}

/* exactly one statement is refused, and none after it is said to hold */
static void nothing_is_proved_after_a_refusal(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(altered) / sizeof(*altered); i++) {
        struct paper p;
        struct idv_evidence_report r;
        int refused = -1;
        paper_begin(&p, &pki, 1 << 15);
        altered[i].alter(&p);
        verdict(&p, &r);
        for (int k = 0; k < IDV_EVIDENCE_FACTS; k++) {
            if (r.facts[k].standing == IDV_EVIDENCE_REFUSED) {
                assert_int_equal(refused, -1);
                assert_non_null(strstr(idv_note(), r.facts[k].text));
                refused = k;
            } else if (refused >= 0) {
                assert_int_equal(r.facts[k].standing, IDV_EVIDENCE_NOT_ASKED);
                assert_string_equal(r.facts[k].text, "not looked at");
            }
        }
        assert_true(refused >= 0);
    }
}

/* --- what the verifier brings --------------------------------------------- */

static void without_a_root_nothing_more_than_a_claim(void **state)
{
    struct paper p;
    struct idv_evidence_report r;
    struct idv_evidence_policy policy = policy_of(&pki);
    (void)state;
    policy.anchors = NULL;
    paper_begin(&p, &pki, 0);
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_INCOMPLETE);
    assert_non_null(strstr(idv_note(), "not checked"));
    assert_int_equal(r.facts[IDV_EVIDENCE_CHAIN].standing,
                     IDV_EVIDENCE_NOT_ASKED);
    assert_int_equal(r.facts[IDV_EVIDENCE_SIGNED].standing,
                     IDV_EVIDENCE_PROVED);
    for (int i = IDV_EVIDENCE_FRESH; i < IDV_EVIDENCE_PIN; i++)
        assert_int_equal(r.facts[i].standing, IDV_EVIDENCE_CLAIMED);
    assert_int_equal(r.facts[IDV_EVIDENCE_KIND].standing, IDV_EVIDENCE_CLAIMED);
}

static void without_a_nonce_it_may_be_old(void **state)
{
    struct paper p;
    struct idv_evidence_report r;
    struct idv_evidence_policy policy = policy_of(&pki);
    uint8_t other[32] = {1};
    (void)state;
    paper_begin(&p, &pki, 0);
    policy.nonce.n = 0;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_INCOMPLETE);
    assert_non_null(strstr(idv_note(), "may be old"));
    assert_int_equal(r.facts[IDV_EVIDENCE_FUSED].standing, IDV_EVIDENCE_PROVED);
    policy.nonce = idv_bytes(other, sizeof(other));
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_OTHER_NONCE);
    policy.nonce = idv_bytes(nonce, sizeof(nonce) - 1);
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_OTHER_NONCE);
}

static void the_chain_leads_to_the_verifiers_root(void **state)
{
    struct paper p;
    struct paper_pki other;
    struct idv_evidence_report r;
    struct idv_evidence_policy policy = policy_of(&pki);
    (void)state;
    paper_pki_make(&other, "P-256", PAPER_EKU);
    paper_begin(&p, &pki, 0);
    policy.anchors = other.anchors;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_NO_CHAIN);
    policy.anchors = pki.anchors;
    policy.now = PAPER_NOW + 400 * 86400;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_NO_CHAIN);
    assert_non_null(strstr(idv_note(), "expired"));
    policy.check_time = false;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_SOUND);
    assert_non_null(strstr(r.facts[IDV_EVIDENCE_CHAIN].text, "not looked at"));
    paper_pki_free(&other);
}

static void a_certificate_must_say_it(void **state)
{
    struct paper p;
    struct paper_pki silent, other;
    struct idv_evidence_report r;
    (void)state;
    paper_pki_make(&silent, "P-256", 0);
    paper_begin(&p, &silent, 0);
    assert_int_equal(verdict(&p, &r), IDV_EVIDENCE_UNCERTIFIED);
    paper_pki_make(&other, "P-256", PAPER_EKU);
    /* the key of one, the certificate of the other */
    EVP_PKEY *key = other.key;
    other.key = silent.key;
    silent.key = key;
    paper_begin(&p, &other, 0);
    assert_int_equal(verdict(&p, &r), IDV_EVIDENCE_OTHER_KEY);
    paper_pki_free(&silent);
    paper_pki_free(&other);
}

/* Who has a CA's key cannot prove with it: its certificate is not a signer's.
 */
static void a_ca_is_no_signer(void **state)
{
    struct paper p;
    struct paper_pki ca = pki;
    struct idv_evidence_report r;
    (void)state;
    ca.key = pki.ca_key;
    ca.chain = pki.anchors;
    paper_begin(&p, &ca, 0);
    assert_int_equal(verdict(&p, &r), IDV_EVIDENCE_UNCERTIFIED);
}

static void places_can_be_others(void **state)
{
    struct paper p;
    struct idv_evidence_report r;
    struct idv_evidence_policy policy = policy_of(&pki);
    (void)state;
    paper_begin(&p, &pki, 0);
    p.anchor_index.index = 0x01800b01;
    p.counter_index.index = 0x01800b00;
    paper_seal(&p);
    policy.anchor_index = 0x01800b01;
    policy.counter_index = 0x01800b00;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_SOUND);
    policy.counter_index = 0;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_OTHER_PLACE);
}

static void a_pin_is_held_against_it(void **state)
{
    struct paper p;
    struct idv_evidence_report r;
    struct idv_evidence_policy policy = policy_of(&pki);
    IDV_AUTO(buf) der = {0};
    uint8_t hash[32];
    uint8_t *spki = NULL;
    (void)state;
    OK(idv_cert_to_der(pki.ca, &der));
    SHA256(der.p, der.n, hash);
    paper_begin(&p, &pki, 0);
    policy.pin = idv_view(&der);
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_OTHER_PIN);
    memcpy(p.record.pin_sha256, hash, 32);
    paper_seal(&p);
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_OTHER_PIN);
    p.record.pin_length = (uint32_t)der.n;
    paper_seal(&p);
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_SOUND);
    assert_int_equal(r.facts[IDV_EVIDENCE_PIN].standing, IDV_EVIDENCE_PROVED);
    policy.pin.n = 0;
    policy.pin_sha256 = hash;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_SOUND);
    hash[31] ^= 1;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_OTHER_PIN);

    /* a pinned key, and a certificate of it */
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(pki.ca), &spki);
    assert_true(n > 0);
    SHA256(spki, (size_t)n, p.record.pin_sha256);
    p.record.pin_length = (uint32_t)n;
    p.record.flags = IDV_RECORD_KEY;
    paper_seal(&p);
    policy.pin_sha256 = NULL;
    policy.pin = idv_bytes(spki, (size_t)n);
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_SOUND);
    policy.pin = idv_view(&der);
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_SOUND);
    p.record.flags = 0;
    paper_seal(&p);
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_OTHER_PIN);
    OPENSSL_free(spki);
}

/* --- the profile platform ------------------------------------------------- */

#define SERIAL "JADA123456789"

static void what_the_maker_approved(void **state)
{
    struct paper p;
    struct idv_evidence_report r;
    struct idv_evidence_policy policy = policy_of(&pki);
    (void)state;
    paper_begin_platform(&p, &pki, pki.ca_key, SERIAL);
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_INCOMPLETE);
    assert_non_null(strstr(idv_note(), "approval key"));
    assert_int_equal(r.facts[IDV_EVIDENCE_FUSED].standing, IDV_EVIDENCE_PROVED);
    policy.approval_key = pki.ca_key;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_INCOMPLETE);
    policy.serial_number = SERIAL;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_SOUND);
    assert_string_equal(r.profile, "platform");
    policy.serial_number = "JADA123456780";
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_OTHER_POLICY);
    policy.serial_number = SERIAL;
    policy.approval_key = pki.key;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_OTHER_POLICY);
    assert_non_null(strstr(idv_note(), "the anchor is not"));
    policy.approval_key = pki.ca_key;
    p.counter_index.policy[0] ^= 1;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_OTHER_POLICY);
    assert_non_null(strstr(idv_note(), "the counter is not"));
}

/* one profile's indices are not the other's */
static void profiles_do_not_mix(void **state)
{
    struct paper p;
    struct idv_evidence_report r;
    struct idv_evidence_policy policy = policy_of(&pki);
    (void)state;
    policy.approval_key = pki.ca_key;
    policy.serial_number = SERIAL;
    paper_begin_platform(&p, &pki, pki.ca_key, SERIAL);
    snprintf(p.profile, sizeof(p.profile), "owner");
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_OTHER_PLACE);
    policy.anchor_index = 0x01400a01;
    policy.counter_index = 0x01400a00;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_UNLOCKED);
    paper_begin(&p, &pki, 0);
    snprintf(p.profile, sizeof(p.profile), "platform");
    policy.anchor_index = 0x01800a01;
    policy.counter_index = 0x01800a00;
    assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_UNLOCKED);
}

/* the owner may write to neither */
static void a_platforms_attributes_are_exact(void **state)
{
    struct idv_evidence_policy policy = policy_of(&pki);
    (void)state;
    policy.approval_key = pki.ca_key;
    policy.serial_number = SERIAL;
    for (unsigned i = 0; i < 32; i++) {
        struct paper p;
        struct idv_evidence_report r;
        paper_begin_platform(&p, &pki, pki.ca_key, SERIAL);
        p.anchor_index.attributes ^= 1u << i;
        assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_UNLOCKED);
        paper_begin_platform(&p, &pki, pki.ca_key, SERIAL);
        p.counter_index.attributes ^= 1u << i;
        assert_int_equal(verdict_under(&p, &policy, &r), IDV_EVIDENCE_UNLOCKED);
    }
}

/* --- bits ----------------------------------------------------------------- */

/* The one part that nothing signs is the signer's public area: bits of it that
 * no statement is about may be anything. */
static size_t signers_attributes(const struct idv_evidence *e,
                                 const struct idv_buf *der)
{
    const uint8_t *p = memmem(der->p, der->n, e->signer.p, e->signer.n);
    assert_non_null(p);
    return (size_t)(p - der->p) + 4;
}

/* One bit, anywhere: refused, or nothing else is concluded than before. */
static void no_bit_may_differ(void **state)
{
    struct paper p;
    IDV_AUTO(evidence) e = {0};
    IDV_AUTO(buf) der = {0};
    struct idv_evidence_policy policy = policy_of(&pki);
    size_t passed = 0;
    (void)state;
    paper_begin(&p, &pki, 1 << 15);
    paper_evidence(&p, &e);
    OK(idv_evidence_to_der(&e, &der));
    size_t attributes = signers_attributes(&e, &der);
    for (size_t i = 0; i < der.n * 8; i++) {
        IDV_AUTO(evidence) other = {0};
        struct idv_evidence_report r;
        der.p[i / 8] ^= (uint8_t)(1 << i % 8);
        idv_note_clear();
        if (idv_evidence_from_bytes(idv_view(&der), &other) == IDV_OK &&
            idv_evidence_verify(&other, &policy, &r) == IDV_OK) {
            assert_in_range(i / 8, attributes, attributes + 3);
            assert_string_equal(r.hierarchy, "");
            passed++;
        }
        der.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    /* its 32 attributes but the 6 that are looked at */
    assert_int_equal(passed, 26);
    idv_note_clear();
}

/* --- reports -------------------------------------------------------------- */

static void a_report_says_all(void **state)
{
    struct paper p;
    struct idv_evidence_report r;
    IDV_AUTO(buf) text = {0};
    IDV_AUTO(buf) dump = {0};
    IDV_AUTO_PTR(idv_json) o = NULL;
    (void)state;
    paper_begin(&p, &pki, 0);
    assert_int_equal(verdict(&p, &r), IDV_EVIDENCE_SOUND);
    OK(idv_evidence_report_to_text(&r, &text));
    assert_non_null(strstr((char *)text.p, "verdict: sound\n"));
    assert_non_null(strstr((char *)text.p, "generation: 4\n"));
    assert_non_null(strstr((char *)text.p, "pin-sha256: a1a1"));
    OK(idv_evidence_report_to_json(&r, &o));
    assert_string_equal(idv_json_text(idv_json_get(o, "verdict")), "sound");
    assert_int_equal(idv_json_count(idv_json_get(o, "statements")),
                     IDV_EVIDENCE_FACTS);
    const struct idv_json *a = idv_json_get(o, "anchor");
    int64_t n;
    OK(idv_json_int(idv_json_get(a, "counter"), "counter", &n));
    assert_int_equal(n, 5);
    OK(idv_json_dump(o, false, &dump));
}

/* what was never reached is not shown as if it were known */
static void a_report_shows_no_more_than_was_reached(void **state)
{
    struct paper p;
    struct idv_evidence_report r;
    IDV_AUTO(buf) text = {0};
    IDV_AUTO_PTR(idv_json) o = NULL;
    (void)state;
    paper_begin(&p, &pki, 0);
    p.anchor.spoilt = true;
    assert_int_equal(verdict(&p, &r), IDV_EVIDENCE_BAD_SIGNATURE);
    OK(idv_evidence_report_to_text(&r, &text));
    assert_non_null(strstr((char *)text.p, "verdict: bad-signature\n"));
    assert_null(strstr((char *)text.p, "generation"));
    OK(idv_evidence_report_to_json(&r, &o));
    assert_null(idv_json_get(o, "anchor"));
    assert_null(idv_json_get(o, "tpm"));
    assert_non_null(idv_json_get(o, "signer"));
}

static void every_code_has_its_name(void **state)
{
    (void)state;
    for (int i = 0; i < IDV_EVIDENCE_VERDICTS; i++) {
        assert_non_null(
            idv_evidence_verdict_to_text((enum idv_evidence_verdict)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(
                idv_evidence_verdict_to_text((enum idv_evidence_verdict)i),
                idv_evidence_verdict_to_text((enum idv_evidence_verdict)k));
    }
    assert_string_equal(idv_evidence_verdict_to_text(IDV_EVIDENCE_VERDICTS),
                        "unknown");
    for (int i = 0; i < IDV_EVIDENCE_FACTS; i++)
        assert_non_null(idv_evidence_fact_to_text((enum idv_evidence_fact)i));
    assert_string_equal(idv_evidence_standing_to_text(IDV_EVIDENCE_CLAIMED),
                        "claimed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_as_it_was_written),
        cmocka_unit_test(a_file_is_whole_or_refused),
        cmocka_unit_test(ber_is_refused),
        cmocka_unit_test(parts_are_bounded),
        cmocka_unit_test(what_is_no_evidence_is_not_written),
        cmocka_unit_test(all_is_proved),
        cmocka_unit_test(keys_of_every_kind_sign),
        cmocka_unit_test(hierarchies_are_told_apart),
        cmocka_unit_test(every_value_is_looked_at),
        cmocka_unit_test(nothing_is_proved_after_a_refusal),
        cmocka_unit_test(without_a_root_nothing_more_than_a_claim),
        cmocka_unit_test(without_a_nonce_it_may_be_old),
        cmocka_unit_test(the_chain_leads_to_the_verifiers_root),
        cmocka_unit_test(a_certificate_must_say_it),
        cmocka_unit_test(a_ca_is_no_signer),
        cmocka_unit_test(places_can_be_others),
        cmocka_unit_test(a_pin_is_held_against_it),
        cmocka_unit_test(what_the_maker_approved),
        cmocka_unit_test(profiles_do_not_mix),
        cmocka_unit_test(a_platforms_attributes_are_exact),
        cmocka_unit_test(no_bit_may_differ),
        cmocka_unit_test(a_report_says_all),
        cmocka_unit_test(a_report_shows_no_more_than_was_reached),
        cmocka_unit_test(every_code_has_its_name),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
