/* SPDX-License-Identifier: Apache-2.0 */
/* Imprint and reset in a TPM, ended at each command to it, at each answer of
 * it and at each change on disk, with the power and without: what is found
 * afterwards is what was before or what was meant, never a third thing. At each
 * of them in a long run, else at one in so many, of every kind. */
#include "tests/unit/anchor_acts.h"

#include "tests/lib/long.h"

#define ONE_IN 20 /* of all that there are, one after the other */

static const char *const kinds[] = {"command", "answer", "file"};

/* --- what is cut ---------------------------------------------------------- */

static void blank(void)
{
    if (imprinted())
        succeeds(RUN_RESET);
    assert_false(imprinted());
}

/* as a TPM comes, or as its owner's TPM2_Clear leaves it */
static void without_counter(void)
{
    blank();
    succeeds(RUN_FORGET);
}

static void enrolled(void)
{
    if (!imprinted())
        succeeds(RUN_IMPRINT);
    succeeds(RUN_ENROLL);
}

struct deed {
    const char *name;
    enum run_act act;
    void (*before)(void); /* makes what it starts from */
    enum run_step kinds;  /* it is cut at those below this */
};

static const struct deed imprint = {"imprint", RUN_IMPRINT, blank, RUN_STEPS};
/* what it does on disk is what any other does there */
static const struct deed first = {"first imprint", RUN_IMPRINT, without_counter,
                                  RUN_FILES};
static const struct deed reset = {"reset", RUN_RESET, enrolled, RUN_STEPS};

/* is it so when the deed is done? */
static bool as_meant(const struct deed *d, bool is_imprinted)
{
    return is_imprinted == (d->act == RUN_IMPRINT);
}

/* What is there is one of the two, and the deed can be done, or is. */
static bool done_at_last(const struct deed *d)
{
    const bool done = as_meant(d, imprinted());
    if (!done)
        succeeds(d->act);
    assert_true(as_meant(d, imprinted()));
    return done;
}

/* --- how often, and what was found ---------------------------------------- */

struct tally {
    int cuts[RUN_STEPS], old, new;
};

static void say(const struct deed *d, const char *how, const struct tally *t)
{
    print_message("# %s%s: cut at %d commands, %d answers, %d changes on disk; "
                  "%d times it was as before, %d times done\n",
                  d->name, how, t->cuts[RUN_SENDS], t->cuts[RUN_ANSWERS],
                  t->cuts[RUN_FILES], t->old, t->new);
}

static void count(struct tally *t, enum run_step kind, bool done)
{
    t->cuts[kind]++;
    t->new += done;
    t->old += !done;
}

static struct run_result uncut(const struct deed *d)
{
    d->before();
    struct run_result r = succeeds(d->act);
    for (enum run_step kind = 0; kind < d->kinds; kind++)
        assert_true(r.steps[kind] > 1);
    return r;
}

/* --- cuts ----------------------------------------------------------------- */

static unsigned turn;

/* One that ended at its n-th step; false when it had fewer. */
static bool cut(const struct deed *d, enum run_step kind, int n, bool power,
                struct tally *t)
{
    d->before();
    struct run_result r = ends(d->act, kind, RUN_DIES, n);
    if (!r.died) {
        assert_int_equal(r.rc, IDV_OK);
        return false;
    }
    if (power)
        assert_int_equal(swtpm_cycle(&tpm), 0);
    struct run_result seen = observed();
    const bool done = done_at_last(d);
    if (as_meant(d, seen.state != IDV_TRUST_NONE) && !done)
        fail_msg("%s %d: it was done, and is no more", kinds[kind], n);
    count(t, kind, done);
    return true;
}

static void cut_anywhere(const struct deed *d)
{
    struct tally t = {0};
    need_tpm();
    const struct run_result whole_one = uncut(d);
    for (int power = 0; power < 2; power++)
        for (enum run_step kind = 0; kind < d->kinds; kind++)
            for (int n = 1; n <= whole_one.steps[kind] + 1; n++)
                if (long_turn(&turn, ONE_IN) ||
                    (!power && (n == 1 || n == whole_one.steps[kind])))
                    assert_int_equal(cut(d, kind, n, power, &t),
                                     n <= whole_one.steps[kind]);
    say(d, "", &t);
    for (enum run_step kind = 0; kind < d->kinds; kind++)
        assert_true(t.cuts[kind] > 0);
    assert_true(t.old > 0 && t.new > 0);
    blank();
}

/* --- failures that the program lives to tell ------------------------------ */

/* What it says is what is there, unless it says that it cannot know. */
static bool failing(const struct deed *d, enum run_step kind, int n,
                    struct tally *t)
{
    d->before();
    struct run_result r = ends(d->act, kind, RUN_FAILS, n);
    const bool said = as_meant(d, r.state != IDV_TRUST_NONE);
    observed();
    const bool done = done_at_last(d);
    if (!r.unsure && said != done)
        fail_msg("%s %d: said %s, is %s", kinds[kind], n,
                 said ? "done" : "as before", done ? "done" : "as before");
    if (r.rc == IDV_OK)
        assert_true(done);
    if (r.struck)
        count(t, kind, done);
    return r.struck;
}

static void failing_anywhere(const struct deed *d)
{
    struct tally t = {0};
    need_tpm();
    const struct run_result unfailing = uncut(d);
    for (enum run_step kind = 0; kind < d->kinds; kind++)
        for (int n = 1; n <= unfailing.steps[kind] + 1; n++)
            if (long_turn(&turn, ONE_IN) || n == unfailing.steps[kind])
                assert_int_equal(failing(d, kind, n, &t),
                                 n <= unfailing.steps[kind]);
    say(d, ", failing", &t);
    for (enum run_step kind = 0; kind < d->kinds; kind++)
        assert_true(t.cuts[kind] > 0);
    blank();
}

/* --- each of them --------------------------------------------------------- */

static void imprint_cut_anywhere(void **arg)
{
    (void)arg;
    cut_anywhere(&imprint);
}

static void first_imprint_cut_anywhere(void **arg)
{
    (void)arg;
    cut_anywhere(&first);
}

static void reset_cut_anywhere(void **arg)
{
    (void)arg;
    cut_anywhere(&reset);
}

static void imprint_failing_anywhere(void **arg)
{
    (void)arg;
    failing_anywhere(&imprint);
}

static void first_imprint_failing_anywhere(void **arg)
{
    (void)arg;
    failing_anywhere(&first);
}

static void reset_failing_anywhere(void **arg)
{
    (void)arg;
    failing_anywhere(&reset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_imprint_cut_anywhere),
        cmocka_unit_test(first_imprint_failing_anywhere),
        cmocka_unit_test(imprint_cut_anywhere),
        cmocka_unit_test(reset_cut_anywhere),
        cmocka_unit_test(imprint_failing_anywhere),
        cmocka_unit_test(reset_failing_anywhere),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
