/* SPDX-License-Identifier: Apache-2.0 */
/* Profile "owner" in a software TPM: every place where an imprint or a reset
 * may be cut, and others who were there meanwhile. */
#include "tests/unit/owner_box.h"

static void resumed(void **state)
{
    (void)state;
    for (int at = COUNTED; at < CUT_STEPS; at++) {
        BOX(b);
        struct idv_anchor_memo memo;
        cut_imprint(&b, (enum step)at, 0, &memo);
        b.observe = true;
        uint64_t was = value();
        OK(reopen(&b));
        assert_int_equal(value(), was);
        assert_int_equal(idv_trust_state(b.trust),
                         at >= FUSED ? IDV_TRUST_IMPRINTED : IDV_TRUST_NONE);
        if (at == WRITTEN || at == LOCKED)
            assert_string_equal(idv_trust_cut(b.trust), "an imprint");
        else
            assert_null(idv_trust_cut(b.trust));
        b.observe = false;
        OK(reopen(&b));
        assert_int_equal(idv_trust_state(b.trust),
                         at >= WRITTEN ? IDV_TRUST_IMPRINTED : IDV_TRUST_NONE);
        assert_false(idv_fs_exists(path(&b, "pending")));
        if (at < WRITTEN) {
            assert_int_equal(value(), memo.generation);
            OK(imprint(&b));
        }
        assert_int_equal(idv_trust_generation(b.trust), memo.generation);
        assert_int_equal(value(), memo.generation + 1);
        OK(reopen(&b));
        assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_IMPRINTED);
    }
}

/* what is half done and has no files that belong to it */
static void undone(void **state)
{
    (void)state;
    for (int at = DEFINED; at < FUSED; at++) {
        BOX(b);
        struct idv_anchor_memo memo;
        cut_imprint(&b, (enum step)at, 0, &memo);
        OK(idvi_pending_remove(b.state));
        OK(reopen(&b));
        assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_NONE);
        assert_int_equal(anchor_there(), at == DEFINED);
        assert_int_equal(value(), memo.generation);
        OK(imprint(&b));
        assert_int_equal(idv_trust_generation(b.trust), memo.generation);
    }
}

/* fused, and its files are lost */
static void sealed_without_files(void **state)
{
    (void)state;
    BOX(b);
    struct idv_anchor_memo memo;
    cut_imprint(&b, FUSED, 0, &memo);
    OK(idvi_pending_remove(b.state));
    FAILS(IDV_E_REJECT, "tampered: anchor.json is missing", reopen(&b));
}

/* from the counter's step on, the reset only goes on */
static void reset_resumed(void **state)
{
    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        BOX(b);
        OK(reopen(&b));
        OK(imprint(&b));
        const uint64_t g = idv_trust_generation(b.trust);
        increment();
        if (gone)
            undefine(ANCHOR);
        b.observe = true;
        OK(reopen(&b));
        assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_NONE);
        assert_string_equal(idv_trust_cut(b.trust), "a reset");
        b.observe = false;
        OK(reopen(&b));
        assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_NONE);
        assert_false(anchor_there());
        assert_false(idv_fs_exists(path(&b, "anchor.der")));
        assert_false(idv_fs_exists(path(&b, "anchor.json")));
        assert_int_equal(value(), g + 2);
        OK(imprint(&b));
        assert_int_equal(idv_trust_generation(b.trust), g + 2);
    }
}

/* --- somebody was there between start and imprint ------------------------- */

static void make_counter(uint32_t attributes)
{
    struct hwk_nv nv;
    define(COUNTER, attributes, 8, NULL, &nv);
    OK(idvi_nv_increment(dev, &nv, &owner, NULL));
}

static void counter_undefined_since(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    OK(idv_trust_reset(b.trust));
    OK(reopen(&b));
    const uint64_t was = value();
    undefine(COUNTER);
    OK(imprint(&b));
    assert_true(idv_trust_generation(b.trust) > was);
    OK(reopen(&b));
    assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_IMPRINTED);
}

static void counter_replaced_since(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    OK(idv_trust_reset(b.trust));
    OK(reopen(&b));
    undefine(COUNTER);
    make_counter(IDVI_OWNER_COUNTER | IDVI_NV_AUTHWRITE);
    FAILS(IDV_E_REJECT, "another counter", imprint(&b));
    assert_false(anchor_there());
    assert_false(idv_fs_exists(path(&b, "pending")));
}

static void counter_made_since(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    make_counter(IDVI_OWNER_COUNTER);
    const uint64_t is = value();
    OK(imprint(&b));
    assert_int_equal(idv_trust_generation(b.trust), is);
    OK(reopen(&b));
    assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_IMPRINTED);
}

static void anchor_written_since(void **state)
{
    (void)state;
    BOX(b);
    struct idv_anchor_memo memo;
    OK(reopen(&b));
    OK(imprint(&b));
    OK(idv_trust_reset(b.trust));
    OK(reopen(&b));
    cut_imprint(&b, LOCKED, 0, &memo);
    OK(idvi_pending_remove(b.state));
    FAILS(IDV_E_STATE, "holds a record already", imprint(&b));
    assert_int_equal(value(), memo.generation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counter_undefined_since),
        cmocka_unit_test(counter_replaced_since),
        cmocka_unit_test(counter_made_since),
        cmocka_unit_test(anchor_written_since),
        cmocka_unit_test(resumed),
        cmocka_unit_test(undone),
        cmocka_unit_test(sealed_without_files),
        cmocka_unit_test(reset_resumed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
