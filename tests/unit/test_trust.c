/* SPDX-License-Identifier: Apache-2.0 */
/* The seal: its record, imprint, enrollment, reset; and whoever tampers with
 * it. */
#include "tests/unit/trust_box.h"

#include <sys/stat.h>

#include "trust/trust_priv.h"

/* --- record --------------------------------------------------------------- */

static const char vector[] =
    "49445441000100000000000000000003000000006b02bd20"
    "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
    "000001f4"
    "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"
    "0000000000000000000000000000000000000000";

static void record_is_as_published(void **state)
{
    struct idv_record r = {
        .version = 1,
        .generation = 3,
        .time = 1795341600,
        .pin_length = 500,
    };
    uint8_t raw[IDV_RECORD_SIZE];
    IDV_AUTO(buf) hex = {0};
    struct idv_record back;
    uint8_t again[IDV_RECORD_SIZE];
    (void)state;
    memset(r.pin_sha256, 0xa1, 32);
    memset(r.voucher_sha256, 0xb2, 32);
    idv_record_to_bytes(&r, raw);
    OK(idv_hex_from_bytes(idv_bytes(raw, sizeof(raw)), &hex));
    assert_string_equal((char *)hex.p, vector);
    OK(idv_record_from_bytes(idv_bytes(raw, sizeof(raw)), &back));
    assert_true(back.generation == 3 && back.pin_length == 500);
    idv_record_to_bytes(&back, again);
    assert_memory_equal(again, raw, sizeof(raw));
}

static void record_refuses_what_is_not(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *why;
    } rows[] = {
        {0, 'X', "IDTA"}, {5, 2, "version"},   {7, 4, "flags"},
        {6, 1, "flags"},  {92, 1, "reserved"}, {111, 1, "reserved"},
    };
    IDV_AUTO(buf) raw = {0};
    struct idv_record r;
    (void)state;
    OK(idv_hex_to_bytes(idv_str(vector), &raw));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const uint8_t good = raw.p[rows[i].at];
        raw.p[rows[i].at] = rows[i].value;
        FAILS(IDV_E_FORMAT, rows[i].why,
              idv_record_from_bytes(idv_view(&raw), &r));
        raw.p[rows[i].at] = good;
    }
    for (size_t n = 0; n < raw.n; n++)
        FAILS(IDV_E_FORMAT, "bytes",
              idv_record_from_bytes(idv_bytes(raw.p, n), &r));
    OK(idv_buf_puts(&raw, "x"));
    FAILS(IDV_E_FORMAT, "bytes", idv_record_from_bytes(idv_view(&raw), &r));
}

/* what is written down beside the record */
static void the_memo(void **state)
{
    struct idv_anchor_memo memo = {.profile = "owner",
                                   .cap = "pcr:14",
                                   .reset_count = 4000000000u,
                                   .pcrs = 1u << 7 | 1u << 23},
                           back;
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) raw = {0};
    (void)state;
    OK(idv_hex_to_bytes(idv_str(vector), &raw));
    memcpy(memo.record, raw.p, raw.n);
    memset(memo.pcr_digest, 0x5a, 32);
    memo.generation = 3;
    OK(idvi_memo_to_json(&memo, &json));
    OK(idvi_memo_from_json(idv_view(&json), &back));
    assert_memory_equal(&back, &memo, sizeof(memo));
    for (size_t n = 0; n + 1 < json.n; n++) {
        assert_int_not_equal(idvi_memo_from_json(idv_bytes(json.p, n), &back),
                             IDV_OK);
        idv_note_clear();
    }
    FAILS(IDV_E_FORMAT, "anchor.json",
          idvi_memo_from_json(idv_str("{\"version\":2}"), &back));
}

/* --- its life ------------------------------------------------------------- */

/* R-P-69, R-P-96 */
static void whole_life_survives_restarts(void **state)
{
    (void)state;
    BOX(b);
    struct stat st;
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    assert_null(idv_trust_record(b.trust));
    assert_int_equal(stat(b.state, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    OK(imprint(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    assert_true(idv_cert_eq(idv_trust_pin(b.trust), pki.domain_ca.cert));
    assert_int_equal(idv_trust_record(b.trust)->time, PKI_NOW);
    OK(enroll(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_ENROLLED);
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_ENROLLED);
    assert_string_equal(idv_trust_enrollment(b.trust)->key_uri,
                        "tpm2:handle=0x81020001");
    OK(enroll(&b));
    OK(idv_trust_reset(b.trust));
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    assert_false(b.anchor.found != IDV_ANCHOR_NOTHING ||
                 idv_fs_exists(path(&b, "anchor.der")) ||
                 idv_fs_exists(path(&b, "enrollment.json")) ||
                 idv_fs_exists(path(&b, "voucher")));
    OK(reopen(&b));
    OK(imprint(&b));
}

static void states_are_gone_through_in_order(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    FAILS(IDV_E_STATE, "not imprinted", enroll(&b));
    OK(imprint(&b));
    FAILS(IDV_E_STATE, "imprinted already", imprint(&b));
}

static void another_voucher_than_the_one_checked(void **state)
{
    (void)state;
    BOX(b);
    const struct idv_pinned p = pinned_cert(pki.domain_ca.cert);
    OK(reopen(&b));
    FAILS(IDV_E_ARG, "voucher",
          idv_trust_imprint(b.trust, &p, idv_str("another")));
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
}

/* a pinned key, and only its hash */
static void keys_are_pinned_too(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        BOX(b);
        struct idv_pinned p = pinned_cert(pki.domain_ca.cert);
        uint8_t *der = NULL;
        int n = i2d_PUBKEY(X509_get0_pubkey(p.cert), &der);
        p.cert = NULL;
        p.kind = whole ? IDV_PIN_PUBK : IDV_PIN_PUBK_SHA256;
        if (whole)
            OK(idv_buf_put(&p.spki, idv_bytes(der, (size_t)n)));
        OK(reopen(&b));
        OK(idv_trust_imprint(b.trust, &p, idv_str(voucher)));
        OK(reopen(&b));
        assert_null(idv_trust_pin(b.trust));
        assert_int_equal(idv_trust_pin_spki(b.trust).n, whole ? n : 0);
        assert_int_equal(idv_trust_record(b.trust)->flags, IDV_RECORD_KEY);
        assert_memory_equal(idv_trust_record(b.trust)->pin_sha256,
                            p.spki_sha256, 32);
        OK(idv_trust_verify_server(b.trust, pki.tls_chain));
        FAILS(IDV_E_REJECT, "",
              idv_trust_verify_server(b.trust, pki.rogue_chain));
        idv_buf_free(&p.spki);
        OPENSSL_free(der);
    }
}

/* --- tampering ------------------------------------------------------------ */

static void tampering_is_seen(void **state)
{
    static const char *const names[] = {"anchor.der", "voucher",
                                        "enrollment.json", "anchor.json"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        BOX(b);
        OK(reopen(&b));
        OK(imprint(&b));
        OK(enroll(&b));
        spoil(&b, names[i]);
        FAILS(IDV_E_REJECT, "not imprinted, tampered: ", reopen(&b));
        /* the way out of it */
        struct idv_trust_conf conf = {
            .dir = b.state,
            .anchor = anchor_mem(&b.anchor),
            .env = &pki.env.env,
        };
        OK(idv_trust_wipe(&conf));
        OK(reopen(&b));
        assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    }
}

static void a_record_without_its_files(void **state)
{
    (void)state;
    static const char *const names[] = {"voucher", "anchor.der", "anchor.json"};
    for (int i = 0; i < 3; i++) {
        BOX(b);
        OK(reopen(&b));
        OK(imprint(&b));
        OK(idv_fs_remove(path(&b, names[i])));
        FAILS(IDV_E_REJECT, "is missing", reopen(&b));
    }
}

static void another_certificate_in_its_place(void **state)
{
    (void)state;
    BOX(b);
    IDV_AUTO(buf) der = {0};
    OK(reopen(&b));
    OK(imprint(&b));
    OK(idv_cert_to_der(pki.rogue_ca.cert, &der));
    OK(idv_fs_write(path(&b, "anchor.der"), idv_view(&der), 0600));
    FAILS(IDV_E_REJECT, "tampered", reopen(&b));
}

static void a_spoilt_record(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    for (size_t i = 0; i < IDV_RECORD_SIZE; i++) {
        b.anchor.record[i] ^= 0x80;
        FAILS(IDV_E_REJECT, "tampered", reopen(&b));
        b.anchor.record[i] ^= 0x80;
    }
    OK(reopen(&b));
}

/* an enrollment of an earlier imprint put back */
static void an_enrollment_of_another_imprint(void **state)
{
    (void)state;
    BOX(b);
    IDV_AUTO(buf) old = {0};
    OK(reopen(&b));
    OK(imprint(&b));
    OK(enroll(&b));
    OK(idv_fs_read(path(&b, "enrollment.json"), 0, &old));
    OK(idv_trust_reset(b.trust));
    pki.env.now++;
    OK(imprint(&b));
    pki.env.now--;
    OK(idv_fs_write(path(&b, "enrollment.json"), idv_view(&old), 0600));
    FAILS(IDV_E_REJECT, "another imprint", reopen(&b));
}

static void enrollments_of_strangers(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    FAILS(IDV_E_REJECT, "", enroll_with(&b, &pki.rogue_ca, &pki.domain_ca));
    FAILS(IDV_E_REJECT, "domain",
          enroll_with(&b, &pki.rogue_ca, &pki.rogue_ca));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
}

/* --- servers of the domain ------------------------------------------------ */

/* R-P-64 */
static void servers_of_the_domain(void **state)
{
    (void)state;
    BOX(b);
    struct pki_id member = ldevid(&pki.domain_ca);
    STACK_OF(X509) *chain = pki_stack(member.cert, pki.domain_ca.cert);
    OK(reopen(&b));
    FAILS(IDV_E_STATE, "pinned",
          idv_trust_verify_server(b.trust, pki.tls_chain));
    OK(imprint(&b));
    OK(idv_trust_verify_server(b.trust, pki.tls_chain));
    FAILS(IDV_E_REJECT, "cmcRA", idv_trust_verify_server(b.trust, chain));
    FAILS(IDV_E_REJECT, "", idv_trust_verify_server(b.trust, pki.rogue_chain));
    FAILS(IDV_E_REJECT, "", idv_trust_verify_server(b.trust, NULL));
    pki.env.now += 400 * PKI_DAY;
    FAILS(IDV_E_REJECT, "", idv_trust_verify_server(b.trust, pki.tls_chain));
    pki.env.trusted = false;
    OK(idv_trust_verify_server(b.trust, pki.tls_chain));
    pki.env.trusted = true;
    pki.env.now = PKI_NOW;
    idv_certs_free(chain);
    pki_id_free(&member);
}

static void trust_anchors_follow_the_pin(void **state)
{
    (void)state;
    const struct idv_cert_spec self = {
        .kind = IDV_CERT_REGISTRAR,
        .common_name = "self",
    };
    STACK_OF(X509) *domain = pki_stack(pki.domain_ca.cert, NULL);
    STACK_OF(X509) *rogue = pki_stack(pki.rogue_ca.cert, NULL);
    struct pki_id alone = pki_issue(&pki, "P-256", &self, NULL);
    OK(idv_trust_anchors_follow(domain, NULL, pki.domain_ca.cert));
    OK(idv_trust_anchors_follow(domain, NULL, pki.registrar.cert));
    OK(idv_trust_anchors_follow(domain, NULL, NULL));
    OK(idv_trust_anchors_follow(domain, NULL, alone.cert));
    FAILS(IDV_E_REJECT, "domain",
          idv_trust_anchors_follow(rogue, NULL, pki.domain_ca.cert));
    FAILS(IDV_E_REJECT, "domain",
          idv_trust_anchors_follow(rogue, NULL, pki.registrar.cert));
    OK(idv_trust_anchors_follow(pki.idevid_chain, NULL, pki.maker_root.cert));
    idv_certs_free(domain);
    idv_certs_free(rogue);
    pki_id_free(&alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_is_as_published),
        cmocka_unit_test(record_refuses_what_is_not),
        cmocka_unit_test(whole_life_survives_restarts),
        cmocka_unit_test(states_are_gone_through_in_order),
        cmocka_unit_test(another_voucher_than_the_one_checked),
        cmocka_unit_test(keys_are_pinned_too),
        cmocka_unit_test(tampering_is_seen),
        cmocka_unit_test(a_record_without_its_files),
        cmocka_unit_test(another_certificate_in_its_place),
        cmocka_unit_test(a_spoilt_record),
        cmocka_unit_test(an_enrollment_of_another_imprint),
        cmocka_unit_test(enrollments_of_strangers),
        cmocka_unit_test(the_memo),
        cmocka_unit_test(servers_of_the_domain),
        cmocka_unit_test(trust_anchors_follow_the_pin),
    };
    return cmocka_run_group_tests(tests, trust_setup, trust_teardown);
}
