/* SPDX-License-Identifier: Apache-2.0 */
/* Profile "owner" in a software TPM: its life, what it costs, its gate. */
#include "tests/unit/owner_box.h"

/* --- life ----------------------------------------------------------------- */

static void whole_life(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_NONE);
    assert_string_equal(idv_trust_profile(b.trust), "owner");
    assert_string_equal(idv_trust_assurance(b.trust), "detect");
    OK(imprint(&b));
    const uint64_t g = idv_trust_generation(b.trust);
    assert_true(g > 0);
    assert_int_equal(value(), g + 1);
    OK(reopen(&b));
    assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_IMPRINTED);
    assert_true(idv_cert_eq(idv_trust_pin(b.trust), pki.domain_ca.cert));
    const struct idv_anchor_seen *seen = idv_trust_seen(b.trust);
    assert_int_equal(seen->found, IDV_ANCHOR_SEALED);
    assert_int_equal(seen->counter, g + 1);
    assert_int_equal(seen->anchor.index, ANCHOR);
    assert_int_equal(seen->count.index, COUNTER);
    struct hwk_nv nv;
    bool found;
    OK(idvi_nv_look(dev, ANCHOR, &found, &nv, NULL));
    assert_int_equal(nv.attributes, 0x22063808);
    assert_memory_equal(seen->anchor.name, nv.name, IDVI_NV_NAME);
    FAILS(IDV_E_STATE, "already", imprint(&b));
    /* another owner */
    OK(idv_trust_reset(b.trust));
    assert_false(anchor_there());
    assert_int_equal(value(), g + 2);
    OK(reopen(&b));
    assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_NONE);
    OK(imprint_for(&b, pki.rogue_ca.cert));
    assert_int_equal(idv_trust_generation(b.trust), g + 2);
    OK(reopen(&b));
    assert_true(idv_cert_eq(idv_trust_pin(b.trust), pki.rogue_ca.cert));
}

/*
 * What it costs. Imprint: define, twice (session, PolicyNV, PolicyOR) for write
 * and lock, these two, increment; beside them look at the place, read the
 * counter before, the reset count, read both back, and one salted session,
 * which the last of them ends. The first time ever the counter is made, too.
 * Check: look and read twice, and the session. Reset: the first command is the
 * one that counts.
 */
enum {
    IMPRINT_LOGICAL = 10,
    FIRST_LOGICAL = IMPRINT_LOGICAL + 2,
    IMPRINT_LISTED = 2 + 1 + 2 + 1,
    CHECK = 4,
    SESSION = 1,
    AUTO = 1, /* is it profile platform? */
    RESET = 3,
    GATE_LOGICAL = 2, /* PolicyPCR */
    GATE_LISTED = 1,  /* the PCRs before */
    CAP = 1,
};

static unsigned cost_of_imprint(struct box *b)
{
    OK(reopen(b));
    const uint64_t before = commands();
    OK(imprint(b));
    return (unsigned)(commands() - before);
}

static void costs(void **state)
{
    (void)state;
    BOX(b);
    b.conf.profile = IDV_ANCHOR_OWNER;
    assert_int_equal(cost_of_imprint(&b), FIRST_LOGICAL + IMPRINT_LISTED);
    OK(idv_trust_reset(b.trust));
    assert_int_equal(cost_of_imprint(&b), IMPRINT_LOGICAL + IMPRINT_LISTED);
    uint64_t before = commands();
    OK(reopen(&b));
    assert_int_equal(commands() - before, CHECK + SESSION);
    b.conf.profile = IDV_ANCHOR_AUTO;
    before = commands();
    OK(reopen(&b));
    assert_int_equal(commands() - before, AUTO + CHECK + SESSION);
    assert_true(AUTO + CHECK + SESSION <= 4 + 3);
    before = commands();
    OK(idv_trust_reset(b.trust));
    assert_int_equal(commands() - before, RESET);
    b.conf.gate = 1u << 7;
    b.conf.cap = 1u << 14;
    assert_int_equal(cost_of_imprint(&b), IMPRINT_LOGICAL + IMPRINT_LISTED +
                                              GATE_LOGICAL + GATE_LISTED + CAP);
    assert_true(FIRST_LOGICAL + GATE_LOGICAL + CAP <= 15);
    assert_true(IMPRINT_LISTED + GATE_LISTED <= 7);
}

static void capped_by_a_reboot(void **state)
{
    (void)state;
    BOX(b);
    bool capped = true;
    OK(reopen(&b));
    FAILS(IDV_E_STATE, "not imprinted", idv_trust_capped(b.trust, &capped));
    OK(imprint(&b));
    assert_string_equal(idv_trust_memo(b.trust)->cap, "reboot");
    OK(idv_trust_capped(b.trust, &capped));
    assert_false(capped);
    assert_int_equal(swtpm_cycle(&tpm_process), 0);
    OK(reopen(&b));
    OK(idv_trust_capped(b.trust, &capped));
    assert_true(capped);
}

static void capped_by_a_pcr(void **state)
{
    (void)state;
    BOX(b);
    bool capped = false;
    uint8_t was[32], is[32];
    if (!dev)
        skip();
    b.conf.cap = 1u << 14;
    OK(reopen(&b));
    OK(idvi_nv_pcr_read(dev, 1u << 14, was, NULL));
    OK(imprint(&b));
    OK(idvi_nv_pcr_read(dev, 1u << 14, is, NULL));
    assert_memory_not_equal(was, is, 32);
    OK(reopen(&b));
    assert_string_equal(idv_trust_memo(b.trust)->cap, "pcr:14");
    OK(idv_trust_capped(b.trust, &capped));
    assert_true(capped);
}

static void pcrs_that_are_of_no_use(void **state)
{
    static const uint32_t unfit[] = {1u << 16, 1u << 21, 1u << 22,
                                     1u << 23, 1u << 24, 1u << 31};
    struct idv_anchor a = {0};
    (void)state;
    if (!dev)
        skip();
    for (size_t i = 0; i < sizeof(unfit) / sizeof(*unfit); i++) {
        struct idv_anchor_conf conf = {.cap = unfit[i]};
        FAILS(IDV_E_ARG, "PCR", idv_anchor_open(dev, &conf, &a));
        conf = (struct idv_anchor_conf){.gate = unfit[i] | 1u << 7};
        FAILS(IDV_E_ARG, "PCR", idv_anchor_open(dev, &conf, &a));
    }
    struct idv_anchor_conf conf = {.cap = 3};
    FAILS(IDV_E_ARG, "more than one", idv_anchor_open(dev, &conf, &a));
    conf = (struct idv_anchor_conf){.uri = "tpm2:handle=0x81000001"};
    FAILS(IDV_E_ARG, "names no NV index", idv_anchor_open(dev, &conf, &a));
    conf = (struct idv_anchor_conf){.profile = IDV_ANCHOR_TOKEN};
    FAILS(IDV_E_ARG, "not for a TPM", idv_anchor_open(dev, &conf, &a));
}

/* --- a gate --------------------------------------------------------------- */

static void gated(void **state)
{
    (void)state;
    BOX(b);
    IDV_AUTO(buf) file = {0};
    b.conf.gate = 1u << 7 | 1u << 11;
    OK(reopen(&b));
    OK(imprint(&b));
    OK(reopen(&b));
    assert_int_equal(idv_trust_memo(b.trust)->pcrs, b.conf.gate);
    /* reading needs no gate */
    OK(idvi_nv_pcr_extend(dev, 11, idv_trust_memo(b.trust)->record + 24, NULL));
    OK(reopen(&b));
    /* and of anchor.json nothing is believed */
    struct idv_anchor_memo memo = *idv_trust_memo(b.trust);
    memo.pcr_digest[5] ^= 1;
    OK(idvi_memo_to_json(&memo, &file));
    OK(idv_fs_write(path(&b, "anchor.json"), idv_view(&file), 0600));
    FAILS(IDV_E_REJECT, "was not made for this record", reopen(&b));
}

static void a_gate_that_closes(void **state)
{
    static const uint8_t digest[32] = {1};
    (void)state;
    for (int at = DEFINED; at < FUSED; at++) {
        BOX(b);
        struct idv_anchor_memo memo;
        cut_imprint(&b, (enum step)at, 1u << 11, &memo);
        OK(idvi_nv_pcr_extend(dev, 11, digest, NULL));
        OK(reopen(&b));
        /* locked before: nothing can change any more, and it is only fused */
        assert_int_equal(idv_trust_state(b.trust),
                         at == LOCKED ? IDV_TRUST_IMPRINTED : IDV_TRUST_NONE);
        assert_false(idv_fs_exists(path(&b, "pending")));
        assert_int_equal(anchor_there(), at != WRITTEN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_life),
        cmocka_unit_test(costs),
        cmocka_unit_test(capped_by_a_reboot),
        cmocka_unit_test(capped_by_a_pcr),
        cmocka_unit_test(pcrs_that_are_of_no_use),
        cmocka_unit_test(gated),
        cmocka_unit_test(a_gate_that_closes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
