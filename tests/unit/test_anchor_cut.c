/* SPDX-License-Identifier: Apache-2.0 */
/* Imprint and reset in a TPM, ended at each command to it, at each answer of
 * it and at each change on disk, with the power and without: what is found
 * afterwards is what was before or what was meant, never a third thing. */
#include "tests/unit/anchor_acts.h"

static const char *const kinds[] = {"command", "answer", "file"};

/* --- cuts ----------------------------------------------------------------- */

/* how often, and what was found */
struct tally {
    int cuts[RUN_STEPS], old, new;
};

static void say(const char *what, const struct tally *t)
{
    print_message("# %s: cut at %d commands, %d answers, %d changes on disk; "
                  "%d times it was as before, %d times done\n",
                  what, t->cuts[RUN_SENDS], t->cuts[RUN_ANSWERS],
                  t->cuts[RUN_FILES], t->old, t->new);
}

static void count(struct tally *t, enum run_step kind, bool done)
{
    t->cuts[kind]++;
    t->new += done;
    t->old += !done;
}

/* Every step of the act, as an uncut one had them. */
static void all_of(const struct tally *t, const struct run_result *uncut,
                   int ways)
{
    for (int kind = 0; kind < RUN_STEPS; kind++) {
        assert_true(uncut->steps[kind] > 1);
        assert_int_equal(t->cuts[kind], ways * uncut->steps[kind]);
    }
    assert_true(t->old > 0 && t->new > 0);
}

/* An imprint that ended at its n-th step; false when it had fewer. */
static bool imprint_cut(enum run_step kind, int n, bool power, struct tally *t)
{
    struct run_result cut = ends(RUN_IMPRINT, kind, RUN_DIES, n);
    if (!cut.died) {
        assert_int_equal(cut.rc, IDV_OK);
        succeeds(RUN_RESET);
        return false;
    }
    if (power)
        assert_int_equal(swtpm_cycle(&tpm), 0);
    struct run_result seen = observed();
    const bool done = imprinted();
    if (seen.state != IDV_TRUST_NONE && !done)
        fail_msg("%s %d: it was there, and is no more", kinds[kind], n);
    if (!done)
        succeeds(RUN_IMPRINT);
    assert_true(imprinted());
    count(t, kind, done);
    succeeds(RUN_RESET);
    assert_false(imprinted());
    return true;
}

static void imprint_cut_anywhere(void **arg)
{
    struct tally t = {0};
    (void)arg;
    need_tpm();
    succeeds(RUN_IMPRINT); /* the counter is there from here on */
    succeeds(RUN_RESET);
    struct run_result uncut = succeeds(RUN_IMPRINT);
    succeeds(RUN_RESET);
    for (int power = 0; power < 2; power++)
        for (enum run_step kind = 0; kind < RUN_STEPS; kind++)
            for (int n = 1; imprint_cut(kind, n, power, &t);)
                n++;
    say("imprint", &t);
    all_of(&t, &uncut, 2);
}

static bool reset_cut(enum run_step kind, int n, bool power, struct tally *t)
{
    succeeds(RUN_IMPRINT);
    succeeds(RUN_ENROLL);
    struct run_result cut = ends(RUN_RESET, kind, RUN_DIES, n);
    if (!cut.died) {
        assert_int_equal(cut.rc, IDV_OK);
        return false;
    }
    if (power)
        assert_int_equal(swtpm_cycle(&tpm), 0);
    struct run_result seen = observed();
    const bool done = !imprinted();
    if (seen.state == IDV_TRUST_NONE && !done)
        fail_msg("%s %d: it was gone, and is there again", kinds[kind], n);
    if (!done)
        succeeds(RUN_RESET);
    assert_false(imprinted());
    count(t, kind, done);
    return true;
}

static void reset_cut_anywhere(void **arg)
{
    struct tally t = {0};
    (void)arg;
    need_tpm();
    succeeds(RUN_IMPRINT);
    succeeds(RUN_ENROLL);
    struct run_result uncut = succeeds(RUN_RESET);
    for (int power = 0; power < 2; power++)
        for (enum run_step kind = 0; kind < RUN_STEPS; kind++)
            for (int n = 1; reset_cut(kind, n, power, &t);)
                n++;
    say("reset", &t);
    all_of(&t, &uncut, 2);
}

/* --- failures that the program lives to tell ------------------------------ */

/* What it says is what is there, unless it says that it cannot know. */
static bool imprint_failing(enum run_step kind, int n, struct tally *t)
{
    struct run_result r = ends(RUN_IMPRINT, kind, RUN_FAILS, n);
    const bool said = r.state != IDV_TRUST_NONE;
    observed();
    const bool is = imprinted();
    if (!r.unsure && said != is)
        fail_msg("%s %d: said %s, is %s", kinds[kind], n,
                 said ? "imprinted" : "none", is ? "imprinted" : "none");
    if (r.rc == IDV_OK)
        assert_true(is);
    if (!is)
        succeeds(RUN_IMPRINT);
    assert_true(imprinted());
    succeeds(RUN_RESET);
    if (r.struck)
        count(t, kind, is);
    return r.struck;
}

static void imprint_failing_anywhere(void **arg)
{
    struct tally t = {0};
    (void)arg;
    need_tpm();
    struct run_result unfailing = succeeds(RUN_IMPRINT);
    succeeds(RUN_RESET);
    for (enum run_step kind = 0; kind < RUN_STEPS; kind++)
        for (int n = 1; imprint_failing(kind, n, &t);)
            n++;
    say("imprint, failing", &t);
    for (int kind = 0; kind < RUN_STEPS; kind++)
        assert_true(t.cuts[kind] >= unfailing.steps[kind]);
}

static bool reset_failing(enum run_step kind, int n, struct tally *t)
{
    succeeds(RUN_IMPRINT);
    succeeds(RUN_ENROLL);
    struct run_result r = ends(RUN_RESET, kind, RUN_FAILS, n);
    const bool said = r.state != IDV_TRUST_NONE;
    observed();
    const bool is = imprinted();
    if (!r.unsure && said != is)
        fail_msg("%s %d: said %s, is %s", kinds[kind], n,
                 said ? "imprinted" : "none", is ? "imprinted" : "none");
    if (r.rc == IDV_OK)
        assert_false(is);
    if (is)
        succeeds(RUN_RESET);
    assert_false(imprinted());
    if (r.struck)
        count(t, kind, !is);
    return r.struck;
}

static void reset_failing_anywhere(void **arg)
{
    struct tally t = {0};
    (void)arg;
    need_tpm();
    succeeds(RUN_IMPRINT);
    succeeds(RUN_ENROLL);
    struct run_result unfailing = succeeds(RUN_RESET);
    for (enum run_step kind = 0; kind < RUN_STEPS; kind++)
        for (int n = 1; reset_failing(kind, n, &t);)
            n++;
    say("reset, failing", &t);
    for (int kind = 0; kind < RUN_STEPS; kind++)
        assert_true(t.cuts[kind] >= unfailing.steps[kind]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imprint_cut_anywhere),
        cmocka_unit_test(reset_cut_anywhere),
        cmocka_unit_test(imprint_failing_anywhere),
        cmocka_unit_test(reset_failing_anywhere),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
