/* SPDX-License-Identifier: Apache-2.0 */
/* A device on the line, ended at commands to it, at answers of it and at each
 * call to the book, with the power and without: the next run makes it one
 * device with one identity. At each of them in a long run, else at one in so
 * many, of every kind. */
#include "tests/unit/codec.h"

#include "tests/lib/long.h"
#include "tests/lib/station_run.h"

static const char *const kinds[] = {"command", "answer", "question to the book",
                                    "entry", "entry made"};

static struct station_line line;
static bool have_tpm;
static EVP_PKEY *approval;
static int struck[STATION_STEPS]; /* in all of the tests */

static int setup(void **arg)
{
    (void)arg;
    station_line_open(&line);
    approval = EVP_EC_gen("P-256");
    have_tpm = swtpm_here() && swtpm_vendor_here();
    return have_tpm && !station_line_tpm(&line) ? -1 : 0;
}

static int teardown(void **arg)
{
    (void)arg;
    EVP_PKEY_free(approval);
    station_line_close(&line);
    return 0;
}

#define need_tpm()                                                             \
    do {                                                                       \
        if (!have_tpm)                                                         \
            skip();                                                            \
    } while (0)

static struct station_result run(enum station_act act)
{
    struct station_result r;
    assert_true(station_run(&line, act, &r));
    return r;
}

static struct station_result succeeds(enum station_act act)
{
    struct station_result r = run(act);
    if (r.rc != IDV_OK)
        print_error("act %d: %s: %s\n", act, idv_rc_name(r.rc), r.note);
    assert_int_equal(r.rc, IDV_OK);
    return r;
}

static struct station_result ends(enum station_act act, enum station_step kind,
                                  enum station_end end, int n)
{
    line.kind = kind;
    line.end = end;
    line.at = n;
    struct station_result r = run(act);
    line.at = 0;
    return r;
}

/* The TPM as it was before, for a book that is new. Cuts of the power count as
 * wrong tries of its keys' values, so that it is another one then. */
static void anew(bool power)
{
    if (power)
        assert_true(station_line_tpm(&line));
    else
        succeeds(STATION_WIPE);
    book_drop(&line.book);
    book_open(&line.book);
}

/* how many times a line of the journal says so */
static unsigned told(const char *kind)
{
    book_again(&line.book);
    return book_entries(&line.book, kind);
}

/* One device, one certificate, and the book has that one. */
static void whole(const char *how, enum station_step kind, int n)
{
    struct station_result r = run(STATION_PROVISION);
    if (r.rc != IDV_OK)
        fail_msg("%s, %s %d: the next run: %s: %s", how, kinds[kind], n,
                 idv_rc_name(r.rc), r.note);
    r = succeeds(STATION_LOOK);
    assert_true(r.known && r.has_idevid && !r.has_other);
    assert_int_equal(r.state, IDV_DEVICE_DONE);
    assert_string_equal(r.has_serial, line.conf.serial_number);
    assert_int_equal(told("done"), 1);
}

static bool cut(const char *how, enum station_step kind, enum station_end end,
                int n, bool power)
{
    struct station_result r = ends(STATION_PROVISION, kind, end, n);
    if (!r.struck) {
        assert_int_equal(r.rc, IDV_OK);
        anew(power);
        return false;
    }
    if (end == STATION_DIES)
        assert_true(r.died);
    if (power)
        assert_int_equal(swtpm_cycle(&line.tpm), 0);
    whole(how, kind, n);
    anew(power);
    return true;
}

/* one in so many of all that there are, one after the other */
static bool turn(enum station_step kind)
{
    static unsigned tpm, book;
    return kind <= STATION_ANSWERS ? long_turn(&tpm, 53) : long_turn(&book, 5);
}

static struct station_result uncut(void)
{
    struct station_result r = succeeds(STATION_PROVISION);
    for (enum station_step kind = 0; kind < STATION_STEPS; kind++)
        assert_true(r.steps[kind] > 1);
    return r;
}

static void anywhere(const char *how, enum station_end end, bool power)
{
    int cuts[STATION_STEPS] = {0};
    anew(power);
    const struct station_result whole_one = uncut();
    anew(power);
    for (enum station_step kind = 0; kind < STATION_STEPS; kind++)
        for (int n = 1; n <= whole_one.steps[kind] || long_run(); n++) {
            if (!turn(kind))
                continue;
            if (!cut(how, kind, end, n, power))
                break;
            cuts[kind]++;
            struck[kind]++;
        }
    print_message("# %s: cut at %d commands, %d answers, %d questions, %d "
                  "entries before, %d after\n",
                  how, cuts[0], cuts[1], cuts[2], cuts[3], cuts[4]);
    assert_true(cuts[0] + cuts[1] > 0 && cuts[2] + cuts[3] + cuts[4] > 0);
}

/* all of lockdown that a wipe without the escrowed values takes back */
static void lock_down(void)
{
    line.lockdown = (struct idv_lockdown){.anchor_counter = true,
                                          .platform_anchor = true,
                                          .approval_key = approval,
                                          .maker_anchors = line.pki.anchors,
                                          .da = true,
                                          .max_tries = 31,
                                          .recovery_s = 600,
                                          .lockout_recovery_s = 86400};
    line.conf.lockdown = &line.lockdown;
}

static void tcg_dies(void **arg)
{
    (void)arg;
    need_tpm();
    line.conf.profile = IDV_PROFILE_TCG;
    lock_down();
    anywhere("tcg, killed", STATION_DIES, false);
}

static void tcg_power(void **arg)
{
    (void)arg;
    need_tpm();
    line.conf.profile = IDV_PROFILE_TCG;
    lock_down();
    anywhere("tcg, power cut", STATION_DIES, true);
}

static void tcg_fails(void **arg)
{
    (void)arg;
    need_tpm();
    line.conf.profile = IDV_PROFILE_TCG;
    lock_down();
    anywhere("tcg, failing", STATION_FAILS, false);
}

static void lean_dies(void **arg)
{
    (void)arg;
    need_tpm();
    line.conf.profile = IDV_PROFILE_LEAN;
    line.conf.lockdown = NULL;
    anywhere("lean, killed", STATION_DIES, false);
}

static void direct_dies(void **arg)
{
    (void)arg;
    need_tpm();
    line.conf.profile = IDV_PROFILE_DIRECT;
    line.conf.lockdown = NULL;
    anywhere("direct, killed", STATION_DIES, false);
}

static void plain_dies(void **arg)
{
    (void)arg;
    need_tpm();
    line.conf.profile = IDV_PROFILE_PLAIN;
    line.conf.lockdown = NULL;
    anywhere("plain, killed", STATION_DIES, false);
}

static void at_every_kind(void **arg)
{
    (void)arg;
    need_tpm();
    for (enum station_step kind = 0; kind < STATION_STEPS; kind++)
        if (struck[kind] == 0)
            fail_msg("at no %s", kinds[kind]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcg_dies),      cmocka_unit_test(tcg_power),
        cmocka_unit_test(tcg_fails),     cmocka_unit_test(lean_dies),
        cmocka_unit_test(direct_dies),   cmocka_unit_test(plain_dies),
        cmocka_unit_test(at_every_kind),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
