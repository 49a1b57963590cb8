/* SPDX-License-Identifier: Apache-2.0 */
/* What an imprint or a reset that was cut leaves is brought to an end by who
 * opens it next, who is cut, too, at each answer of the TPM and at each change
 * on disk. */
#include "tests/unit/anchor_acts.h"

struct snapshot {
    uint8_t digest[32];
};

static bool seen_before(struct snapshot *all, size_t *n, size_t room)
{
    const struct run r = whole();
    assert_true(*n < room);
    assert_true(run_snapshot(&r, all[*n].digest));
    for (size_t i = 0; i < *n; i++)
        if (memcmp(&all[i], &all[*n], sizeof(*all)) == 0)
            return true;
    ++*n;
    return false;
}

/* Leaves what an act left that ended there; false: it has no such step. */
static bool leave(enum run_act what, enum run_step kind, int n)
{
    if (imprinted() && what == RUN_IMPRINT)
        succeeds(RUN_RESET);
    if (what == RUN_RESET && !imprinted())
        succeeds(RUN_IMPRINT);
    return ends(what, kind, RUN_DIES, n).died;
}

/* The state is opened by one who may act, who ends too; then by another. */
static bool repair_cut(enum run_step kind, int n)
{
    struct run_result cut = ends(RUN_OPEN, kind, RUN_DIES, n);
    imprinted();
    return cut.died;
}

static int repairs_cut(enum run_act what, enum run_step kind, int n)
{
    int cuts = 0;
    for (enum run_step step = RUN_ANSWERS; step < RUN_STEPS; step++)
        for (int m = 1;; m++) {
            assert_true(leave(what, kind, n));
            if (!repair_cut(step, m))
                break;
            cuts++;
        }
    return cuts;
}

/* What is left by the cuts of one kind, each state once. */
static void repairs_cut_anywhere(enum run_act what, enum run_step kind)
{
    struct snapshot left[40];
    size_t states = 0;
    int cuts = 0;
    for (int n = 1; leave(what, kind, n); n++)
        if (!seen_before(left, &states, 40))
            cuts += repairs_cut(what, kind, n);
    print_message("# %zu states that a cut can leave, the repair of each cut: "
                  "%d cuts\n",
                  states, cuts);
    assert_true(states > 1 && cuts > 20);
    if (imprinted())
        succeeds(RUN_RESET);
}

static void repair_of_an_imprint_cut(void **arg)
{
    (void)arg;
    need_tpm();
    repairs_cut_anywhere(RUN_IMPRINT, RUN_ANSWERS);
}

static void repair_of_a_reset_cut(void **arg)
{
    (void)arg;
    need_tpm();
    repairs_cut_anywhere(RUN_RESET, RUN_ANSWERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repair_of_an_imprint_cut),
        cmocka_unit_test(repair_of_a_reset_cut),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
