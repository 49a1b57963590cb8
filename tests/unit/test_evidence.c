/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of an anchor: what it proves, and every way in which it proves
 * nothing. */
#include "config.h"

#include <openssl/sha.h>

#include "tests/unit/evidence.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, evidence_setup, evidence_teardown);
}
