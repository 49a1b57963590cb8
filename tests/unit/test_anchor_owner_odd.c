/* SPDX-License-Identifier: Apache-2.0 */
/* Profile "owner" in a software TPM: everything that does not fit together. */
#include "tests/unit/owner_box.h"

/* --- what does not fit together ------------------------------------------- */

/* the way out of each: a reset, or by hand, and then as new */
static void way_out(struct box *b)
{
    struct idv_trust_conf conf = {.dir = b->state, .env = &pki.env.env};
    OK(idv_anchor_open(dev, &b->conf, &conf.anchor));
    OK(idv_trust_wipe(&conf));
    idv_anchor_close(&conf.anchor);
    OK(reopen(b));
    assert_int_equal(idv_trust_state(b->trust), IDV_TRUST_NONE);
    OK(imprint(b));
}

static void no_anchor(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    undefine(ANCHOR);
    FAILS(IDV_E_REJECT, "tampered: the anchor is gone", reopen(&b));
    undefine(COUNTER); /* as TPM2_Clear leaves it */
    FAILS(IDV_E_REJECT, "tampered: the anchor is gone", reopen(&b));
    way_out(&b);
}

static void no_counter(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    undefine(COUNTER);
    FAILS(IDV_E_REJECT, "the generation counter, is missing", reopen(&b));
    way_out(&b);
}

static void a_fake_counter(void **state)
{
    (void)state;
    BOX(b);
    struct hwk_nv nv;
    uint8_t raw[8] = {0};
    OK(reopen(&b));
    OK(imprint(&b));
    const uint64_t g = idv_trust_generation(b.trust) + 1;
    for (int i = 0; i < 8; i++)
        raw[i] = (uint8_t)(g >> (56 - 8 * i));
    undefine(COUNTER);
    define(COUNTER, IDVI_OWNER_COUNTER & ~IDVI_NV_COUNTER, 8, NULL, &nv);
    OK(idvi_nv_write(dev, &nv, &owner, idv_bytes(raw, 8), NULL));
    FAILS(IDV_E_REJECT, "is no counter", reopen(&b));
    FAILS(IDV_E_REJECT, "is not ours", ({
              struct idv_trust_conf conf = {.dir = b.state};
              OK(idv_anchor_open(dev, NULL, &conf.anchor));
              idv_rc rc = idv_trust_wipe(&conf);
              idv_anchor_close(&conf.anchor);
              rc;
          }));
    undefine(COUNTER);
    define(COUNTER, IDVI_OWNER_COUNTER | IDVI_NV_AUTHWRITE, 8, NULL, &nv);
    FAILS(IDV_E_REJECT, "another counter than ours", reopen(&b));
    undefine(COUNTER);
    way_out(&b);
}

static void somebody_elses_index(void **state)
{
    (void)state;
    BOX(b);
    struct hwk_nv nv;
    OK(reopen(&b));
    define(ANCHOR, IDVI_NV_OWNERWRITE | IDVI_NV_OWNERREAD | IDVI_NV_AUTHREAD,
           40, NULL, &nv);
    FAILS(IDV_E_REJECT, "in use by somebody else", imprint(&b));
    FAILS(IDV_E_REJECT, "in use by somebody else", reopen(&b));
    struct idv_trust_conf conf = {.dir = b.state};
    OK(idv_anchor_open(dev, NULL, &conf.anchor));
    FAILS(IDV_E_REJECT, "left alone", idv_trust_wipe(&conf));
    idv_anchor_close(&conf.anchor);
    assert_true(anchor_there());
    undefine(ANCHOR);
    way_out(&b);
}

/* the same record at the same place, but the owner may write it */
static void other_attributes(void **state)
{
    (void)state;
    BOX(b);
    struct hwk_nv nv;
    OK(reopen(&b));
    OK(imprint(&b));
    struct idvi_owner o = {
        .dev = dev, .anchor_at = ANCHOR, .count_at = COUNTER};
    uint8_t legs[2][32];
    const struct idv_anchor_memo *memo = idv_trust_memo(b.trust);
    const struct hwk_nv want = idvi_owner_anchor(&o, memo, legs);
    undefine(ANCHOR);
    define(ANCHOR, IDVI_OWNER_ANCHOR | IDVI_NV_OWNERWRITE, 112, want.policy,
           &nv);
    OK(idvi_nv_write(dev, &nv, &owner, idv_bytes(memo->record, 112), NULL));
    FAILS(IDV_E_REJECT, "has other attributes", reopen(&b));
    undefine(ANCHOR);
    way_out(&b);
}

/* Bytes are written and locked under a policy that root can fulfil now, and
 * that is for another record: memo's, but of the generation at. */
static void forge(const struct idv_anchor_memo *memo, uint64_t at,
                  const uint8_t content[static IDV_RECORD_SIZE])
{
    struct idvi_owner o = {
        .dev = dev, .anchor_at = ANCHOR, .count_at = COUNTER};
    struct idv_anchor_memo m = *memo;
    uint8_t legs[2][32], now[8];
    for (int i = 0; i < 8; i++)
        now[i] = (uint8_t)(at >> (56 - 8 * i));
    memcpy(m.record + 8, now, 8);
    struct hwk_nv nv = idvi_owner_anchor(&o, &m, legs);
    const struct hwk_policy_step steps[] = {
        {.code = IDVI_CC_POLICY_NV, .handle = COUNTER, .operand = {now, 8}},
        {.code = IDVI_CC_POLICY_OR,
         .branches = {{legs[0], 32}, {legs[1], 32}},
         .branches_n = 2}};
    const struct hwk_nv_by by = {.steps = steps, .n = 2};
    OK(idvi_nv_define(dev, &nv, IDVI_RH_OWNER, NULL));
    OK(idvi_nv_write(dev, &nv, &by, idv_bytes(content, 112), NULL));
    nv.attributes |= IDVI_NV_WRITTEN;
    OK(idvi_nv_lock(dev, &nv, &by, NULL));
}

/* an imprint that waits, of another record than that */
static void another_waits(struct box *b, struct idv_anchor_memo memo)
{
    char pending[128];
    IDV_AUTO(buf) json = {0};
    memo.record[24] ^= 1;
    OK(idvi_memo_to_json(&memo, &json));
    snprintf(pending, sizeof(pending), "%s", path(b, "pending"));
    OK(idv_fs_mkdir(pending, 0700));
    OK(idv_fs_write(path(b, "pending/anchor.json"), idv_view(&json), 0600));
}

/* the old record, whose generation is over, under a policy of today's */
static void a_policy_of_another_generation(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    const struct idv_anchor_memo memo = *idv_trust_memo(b.trust);
    undefine(ANCHOR);
    forge(&memo, value(), memo.record);
    FAILS(IDV_E_REJECT, "was not made for this record", reopen(&b));
    another_waits(&b, memo);
    FAILS(IDV_E_REJECT, "was not made for this record", reopen(&b));
    way_out(&b);
}

/* a session kept from before writes another record in the place of the one
 * that its policy commits to, and brings the files for it */
static void a_policy_of_another_record(void **state)
{
    (void)state;
    BOX(b);
    IDV_AUTO(buf) json = {0};
    struct idv_anchor_memo memo;
    cut_imprint(&b, COUNTED, 0, &memo);
    struct idv_anchor_memo other = memo;
    other.record[23] ^= 1; /* its time */
    OK(idvi_memo_to_json(&other, &json));
    OK(idv_fs_write(path(&b, "pending/anchor.json"), idv_view(&json), 0600));
    forge(&memo, value(), other.record);
    FAILS(IDV_E_REJECT, "was not made for this record", reopen(&b));
    increment();
    FAILS(IDV_E_REJECT, "was not made for this record", reopen(&b));
    way_out(&b);
}

/* root imprints anew, by the rules, but has only the old files */
static void a_record_of_another_generation(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    struct idv_anchor_memo memo = *idv_trust_memo(b.trust);
    const uint64_t now = value();
    undefine(ANCHOR);
    for (int i = 0; i < 8; i++)
        memo.record[8 + i] = (uint8_t)(now >> (56 - 8 * i));
    forge(&memo, now, memo.record);
    FAILS(IDV_E_REJECT, "never sealed", reopen(&b));
    increment();
    FAILS(IDV_E_REJECT, "anchor.json is of another record", reopen(&b));
    way_out(&b);
}

/* fused without a lock: it could be written again by a session from before */
static void not_locked(void **state)
{
    (void)state;
    BOX(b);
    struct idv_anchor_memo memo;
    cut_imprint(&b, WRITTEN, 0, &memo);
    increment();
    FAILS(IDV_E_REJECT, "is not locked", reopen(&b));
    way_out(&b);
}

static void a_counter_that_is_behind(void **state)
{
    (void)state;
    BOX(b);
    struct idv_anchor_memo memo;
    cut_imprint(&b, COUNTED, 0, &memo);
    struct idv_anchor_memo ahead = memo;
    ahead.record[14] ^= 0x40; /* generation + 16384 */
    forge(&ahead, memo.generation, ahead.record);
    FAILS(IDV_E_REJECT, "the generation counter is behind", reopen(&b));
    way_out(&b);
}

static void no_record(void **state)
{
    (void)state;
    BOX(b);
    struct idv_anchor_memo memo;
    cut_imprint(&b, COUNTED, 0, &memo);
    memo.record[0] = 'X';
    forge(&memo, memo.generation, memo.record);
    FAILS(IDV_E_REJECT, "IDTA", reopen(&b));
    way_out(&b);
}

static void files_that_are_not_those(void **state)
{
    static const char *const names[] = {"anchor.der", "voucher", "anchor.json"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        BOX(b);
        IDV_AUTO(buf) file = {0};
        OK(reopen(&b));
        OK(imprint(&b));
        OK(idv_fs_read(path(&b, names[i]), 0, &file));
        file.p[file.n / 2] ^= 1;
        OK(idv_fs_write(path(&b, names[i]), idv_view(&file), 0600));
        FAILS(IDV_E_REJECT, "not imprinted, tampered: ", reopen(&b));
        OK(idv_fs_remove(path(&b, names[i])));
        FAILS(IDV_E_REJECT, "is missing", reopen(&b));
        way_out(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_anchor),
        cmocka_unit_test(no_counter),
        cmocka_unit_test(a_fake_counter),
        cmocka_unit_test(somebody_elses_index),
        cmocka_unit_test(other_attributes),
        cmocka_unit_test(a_policy_of_another_generation),
        cmocka_unit_test(a_policy_of_another_record),
        cmocka_unit_test(a_record_of_another_generation),
        cmocka_unit_test(not_locked),
        cmocka_unit_test(a_counter_that_is_behind),
        cmocka_unit_test(no_record),
        cmocka_unit_test(files_that_are_not_those),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
