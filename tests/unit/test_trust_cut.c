/* SPDX-License-Identifier: Apache-2.0 */
/* The seal when the power goes, and when the device or the disk fails: each
 * step of imprint, enrollment and reset. */
#include "tests/unit/trust_box.h"

/* --- cut short ------------------------------------------------------------ */

static bool placed(const struct box *b)
{
    return idv_fs_exists(path(b, "anchor.der")) &&
           idv_fs_exists(path(b, "voucher")) &&
           idv_fs_exists(path(b, "anchor.json")) &&
           !idv_fs_exists(path(b, "pending"));
}

static bool empty(const struct box *b)
{
    return !idv_fs_exists(path(b, "anchor.der")) &&
           !idv_fs_exists(path(b, "voucher")) &&
           !idv_fs_exists(path(b, "anchor.json")) &&
           !idv_fs_exists(path(b, "enrollment.json")) &&
           !idv_fs_exists(path(b, "reset")) &&
           !idv_fs_exists(path(b, "pending"));
}

/* to or from below pending, as an imprint that was cut leaves it */
static void shift(const struct box *b, const char *name, bool back)
{
    char in[160], out[160];
    snprintf(in, sizeof(in), "%s", path(b, "pending"));
    OK(idv_fs_mkdir(in, 0700));
    snprintf(in, sizeof(in), "%s/pending/%s", b->state, name);
    snprintf(out, sizeof(out), "%s", path(b, name));
    OK(back ? idv_fs_rename(in, out) : idv_fs_rename(out, in));
}

static void all_pending(const struct box *b)
{
    shift(b, "anchor.der", false);
    shift(b, "voucher", false);
    shift(b, "anchor.json", false);
}

/* reopened by one who only looks: NONE, nothing changes */
static void observed(struct box *b, enum idv_trust_state state, const char *cut)
{
    b->observe = true;
    OK(reopen(b));
    assert_int_equal(state_of(b), state);
    if (cut)
        assert_string_equal(idv_trust_cut(b->trust), cut);
    else
        assert_null(idv_trust_cut(b->trust));
    FAILS(IDV_E_STATE, "looked at", imprint(b));
    FAILS(IDV_E_STATE, "looked at", enroll(b));
    FAILS(IDV_E_STATE, "looked at", idv_trust_reset(b->trust));
    b->observe = false;
}

/* the power went before the device had anything */
static void remains_of_a_cut_imprint_go_away(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    all_pending(&b);
    b.anchor.found = IDV_ANCHOR_NOTHING;
    observed(&b, IDV_TRUST_NONE, NULL);
    assert_true(idv_fs_exists(path(&b, "pending/voucher")));
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    assert_true(empty(&b));
}

/* the record is sealed; its files went into place up to the n-th */
static void sealed_before_the_files_are_in_place(void **state)
{
    static const char *const names[] = {"anchor.der", "voucher", "anchor.json"};
    (void)state;
    for (int done = 0; done < 3; done++) {
        BOX(b);
        b.anchor.counter = 7;
        OK(reopen(&b));
        OK(imprint(&b));
        all_pending(&b);
        for (int i = 0; i < done; i++)
            shift(&b, names[i], true);
        b.anchor.resets = 5;
        observed(&b, IDV_TRUST_IMPRINTED, NULL);
        assert_int_equal(b.anchor.finished, 0);
        OK(reopen(&b));
        assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
        assert_true(placed(&b));
        assert_int_equal(b.anchor.finished, 1);
        assert_int_equal(idv_trust_memo(b.trust)->reset_count, 5);
        OK(reopen(&b));
        assert_int_equal(b.anchor.finished, 1);
        assert_int_equal(idv_trust_memo(b.trust)->reset_count, 5);
    }
}

/* written and not sealed: brought to its end with its files, undone without */
static void a_record_that_is_not_sealed(void **state)
{
    static const char *const spoilt[] = {NULL, "anchor.der", "voucher",
                                         "anchor.json", "stuck"};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        BOX(b);
        b.anchor.counter = 7;
        OK(reopen(&b));
        OK(imprint(&b));
        all_pending(&b);
        b.anchor.found = IDV_ANCHOR_UNFINISHED;
        b.anchor.counter = 7;
        b.anchor.stuck = i == 4;
        if (i >= 1 && i <= 3) {
            char name[64];
            snprintf(name, sizeof(name), "pending/%s", spoilt[i]);
            spoil(&b, name);
        }
        observed(&b, IDV_TRUST_NONE, "an imprint");
        assert_int_equal(b.anchor.found, IDV_ANCHOR_UNFINISHED);
        OK(reopen(&b));
        assert_int_equal(b.anchor.found,
                         i ? IDV_ANCHOR_NOTHING : IDV_ANCHOR_SEALED);
        assert_int_equal(state_of(&b),
                         i ? IDV_TRUST_NONE : IDV_TRUST_IMPRINTED);
        assert_true(i ? empty(&b) : placed(&b));
        assert_int_equal(b.anchor.counter, i ? 7 : 8);
        b.anchor.stuck = false;
        if (i)
            OK(imprint(&b));
        assert_int_equal(idv_trust_generation(b.trust), 7);
    }
}

/* what began in this process goes on in it */
static void a_write_that_stops_half_way(void **state)
{
    (void)state;
    for (int stuck = 0; stuck < 2; stuck++) {
        BOX(b);
        b.anchor.counter = 3;
        b.anchor.half = true;
        b.anchor.stuck = stuck;
        OK(reopen(&b));
        if (stuck)
            FAILS(IDV_E_DEVICE, "failed", imprint(&b));
        else
            OK(imprint(&b));
        assert_false(idv_trust_unsure(b.trust));
        assert_int_equal(state_of(&b),
                         stuck ? IDV_TRUST_NONE : IDV_TRUST_IMPRINTED);
        assert_true(stuck ? empty(&b) : placed(&b));
    }
}

/* files of another record are no help */
static void pending_files_of_another_record(void **state)
{
    (void)state;
    for (int sealed = 0; sealed < 2; sealed++) {
        BOX(b);
        IDV_AUTO(buf) old = {0};
        b.anchor.counter = 7;
        OK(reopen(&b));
        OK(imprint(&b));
        OK(idv_fs_read(path(&b, "anchor.json"), 0, &old));
        OK(idv_trust_reset(b.trust));
        OK(imprint(&b));
        assert_int_equal(idv_trust_generation(b.trust), 9);
        if (!sealed)
            all_pending(&b);
        OK(idv_fs_mkdir(path(&b, "pending"), 0700));
        OK(idv_fs_write(path(&b, "pending/anchor.json"), idv_view(&old), 0600));
        if (!sealed) {
            b.anchor.found = IDV_ANCHOR_UNFINISHED;
            b.anchor.counter = 9;
        }
        OK(reopen(&b));
        assert_int_equal(state_of(&b),
                         sealed ? IDV_TRUST_IMPRINTED : IDV_TRUST_NONE);
        assert_true(sealed ? placed(&b) : empty(&b));
        assert_int_equal(b.anchor.counter, sealed ? 10 : 9);
    }
}

static void an_anchor_that_is_gone(void **state)
{
    static const uint64_t counters[] = {0, 7, 8, 9, 100};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        BOX(b);
        b.anchor.counter = 7;
        OK(reopen(&b));
        OK(imprint(&b));
        OK(enroll(&b));
        b.anchor.found = IDV_ANCHOR_NOTHING;
        b.anchor.counter = counters[i];
        OK(idv_fs_write(path(&b, "reset"), idv_str(""), 0600)); /* of no use */
        const bool reset = counters[i] > 8;
        b.observe = true;
        if (reset)
            observed(&b, IDV_TRUST_NONE, "a reset");
        else
            FAILS(IDV_E_REJECT, "tampered: the anchor is gone", reopen(&b));
        b.observe = false;
        assert_true(idv_fs_exists(path(&b, "anchor.der")));
        if (!reset) {
            FAILS(IDV_E_REJECT, "tampered: the anchor is gone", reopen(&b));
            continue;
        }
        OK(reopen(&b));
        assert_int_equal(state_of(&b), IDV_TRUST_NONE);
        assert_true(empty(&b));
    }
}

/* the counter went on and the record is still there */
static void a_reset_that_was_cut(void **state)
{
    (void)state;
    BOX(b);
    b.anchor.counter = 7;
    OK(reopen(&b));
    OK(imprint(&b));
    OK(enroll(&b));
    b.anchor.found = IDV_ANCHOR_ENDED;
    b.anchor.counter = 9;
    observed(&b, IDV_TRUST_NONE, "a reset");
    assert_int_equal(b.anchor.found, IDV_ANCHOR_ENDED);
    OK(reopen(&b));
    assert_int_equal(b.anchor.found, IDV_ANCHOR_NOTHING);
    assert_int_equal(b.anchor.counter, 9);
    assert_true(empty(&b));
    OK(imprint(&b));
    assert_int_equal(idv_trust_generation(b.trust), 9);
}

/* without a counter a file says so, but only once the record is gone */
static void a_reset_without_a_counter(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    b.anchor.calls = 0;
    b.anchor.fail_at = 1;
    FAILS(IDV_E_DEVICE, "failed", idv_trust_reset(b.trust));
    b.anchor.fail_at = 0;
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    assert_false(idv_fs_exists(path(&b, "reset")));
    OK(idv_fs_write(path(&b, "reset"), idv_str(""), 0600));
    b.anchor.found = IDV_ANCHOR_NOTHING;
    observed(&b, IDV_TRUST_NONE, "a reset");
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    assert_true(empty(&b));
}

static void an_unsealed_record_beside_sealed_files(void **state)
{
    (void)state;
    BOX(b);
    b.anchor.counter = 7;
    OK(reopen(&b));
    OK(imprint(&b));
    b.anchor.found = IDV_ANCHOR_UNFINISHED;
    FAILS(IDV_E_REJECT, "never sealed", reopen(&b));
}

/* --- failures of a device ------------------------------------------------- */

/* Whatever call of the device fails, once or from then on, before or after it
 * took effect: NONE or IMPRINTED, the same after a restart, and the next try
 * succeeds. */
static void each_device_call_failing(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        for (int at = 1; at <= 6; at++) {
            BOX(b);
            OK(reopen(&b));
            b.anchor.after = variant & 1;
            b.anchor.dead = variant & 2;
            b.anchor.calls = 0;
            b.anchor.fail_at = at;
            idv_rc rc = imprint(&b);
            assert_int_equal(rc == IDV_OK, state_of(&b) == IDV_TRUST_IMPRINTED);
            assert_int_equal(rc == IDV_OK, idv_note()[0] == 0);
            idv_note_clear();
            b.anchor.fail_at = 0;
            OK(reopen(&b));
            assert_int_equal(state_of(&b) == IDV_TRUST_IMPRINTED,
                             b.anchor.found == IDV_ANCHOR_SEALED);
            if (rc == IDV_OK)
                assert_int_equal(b.anchor.found, IDV_ANCHOR_SEALED);
            if (b.anchor.found == IDV_ANCHOR_NOTHING)
                OK(imprint(&b));
            assert_true(
                idv_cert_eq(idv_trust_pin(b.trust), pki.domain_ca.cert));
        }
    }
}

static void a_record_that_came_from_elsewhere(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    b.anchor.after = true;
    b.anchor.dead = true;
    b.anchor.calls = 0;
    b.anchor.fail_at = 2; /* sealed, but nobody can say so */
    FAILS(IDV_E_DEVICE, "failed", imprint(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    assert_true(idv_trust_unsure(b.trust));
    FAILS(IDV_E_DEVICE, "failed", idv_trust_settle(b.trust));
    assert_true(idv_trust_unsure(b.trust));
    b.anchor.fail_at = 0;
    OK(idv_trust_settle(b.trust));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    assert_false(idv_trust_unsure(b.trust));
    FAILS(IDV_E_STATE, "already", imprint(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
}

/* the record is in the device, but what belongs to it is out of reach */
static void a_disk_that_fails_after_the_record(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        BOX(b);
        char away[128];
        snprintf(away, sizeof(away), "%s/away", b.dir);
        OK(reopen(&b));
        b.anchor.from = b.state;
        b.anchor.to = away;
        assert_int_not_equal(imprint(&b), IDV_OK);
        idv_note_clear();
        assert_int_equal(b.anchor.found, IDV_ANCHOR_SEALED);
        assert_int_equal(state_of(&b), IDV_TRUST_NONE);
        assert_true(idv_trust_unsure(b.trust));
        assert_int_not_equal(idv_trust_settle(b.trust), IDV_OK);
        idv_note_clear();
        assert_true(idv_trust_unsure(b.trust));
        assert_int_equal(rename(away, b.state), 0);
        OK(reset ? idv_trust_reset(b.trust) : idv_trust_settle(b.trust));
        assert_false(idv_trust_unsure(b.trust));
        assert_int_equal(state_of(&b),
                         reset ? IDV_TRUST_NONE : IDV_TRUST_IMPRINTED);
    }
}

/* the directory cannot be written: the state stays what it was */
static void a_disk_that_fails(void **state)
{
    (void)state;
    BOX(b);
    char away[128];
    OK(reopen(&b));
    snprintf(away, sizeof(away), "%s/away", b.dir);
    assert_int_equal(rename(b.state, away), 0);
    assert_int_not_equal(imprint(&b), IDV_OK);
    idv_note_clear();
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    assert_int_equal(b.anchor.found, IDV_ANCHOR_NOTHING);
    assert_int_equal(rename(away, b.state), 0);
    OK(imprint(&b));
    assert_int_equal(rename(b.state, away), 0);
    assert_int_not_equal(enroll(&b), IDV_OK);
    idv_note_clear();
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    assert_int_equal(rename(away, b.state), 0);
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    OK(enroll(&b));
}

static void a_device_that_fails_at_reset(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    b.anchor.calls = 0;
    b.anchor.fail_at = 1;
    FAILS(IDV_E_DEVICE, "failed", idv_trust_reset(b.trust));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    b.anchor.fail_at = 0;
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    OK(idv_trust_reset(b.trust));
}

static void a_device_that_cannot_be_read(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    b.anchor.calls = 0;
    b.anchor.fail_at = 1;
    FAILS(IDV_E_DEVICE, "failed", reopen(&b));
    assert_true(idv_fs_exists(path(&b, "anchor.der")));
    b.anchor.fail_at = 0;
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remains_of_a_cut_imprint_go_away),
        cmocka_unit_test(sealed_before_the_files_are_in_place),
        cmocka_unit_test(a_record_that_is_not_sealed),
        cmocka_unit_test(a_write_that_stops_half_way),
        cmocka_unit_test(pending_files_of_another_record),
        cmocka_unit_test(an_anchor_that_is_gone),
        cmocka_unit_test(a_reset_that_was_cut),
        cmocka_unit_test(a_reset_without_a_counter),
        cmocka_unit_test(an_unsealed_record_beside_sealed_files),
        cmocka_unit_test(each_device_call_failing),
        cmocka_unit_test(a_record_that_came_from_elsewhere),
        cmocka_unit_test(a_disk_that_fails),
        cmocka_unit_test(a_disk_that_fails_after_the_record),
        cmocka_unit_test(a_device_that_fails_at_reset),
        cmocka_unit_test(a_device_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, trust_setup, trust_teardown);
}
