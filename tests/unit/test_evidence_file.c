/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of an anchor as it is written and read: its file, bit by bit, and
 * the report of what it proves. */
#include "config.h"

#include "tests/unit/evidence.h"

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
        cmocka_unit_test(no_bit_may_differ),
        cmocka_unit_test(a_report_says_all),
        cmocka_unit_test(a_report_shows_no_more_than_was_reached),
        cmocka_unit_test(every_code_has_its_name),
    };
    return cmocka_run_group_tests(tests, evidence_setup, evidence_teardown);
}
