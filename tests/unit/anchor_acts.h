/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the anchor in a TPM share: one TPM, one state directory,
 * programs that act on them, and what must hold after any of these. */
#ifndef TESTS_UNIT_ANCHOR_ACTS_H
#define TESTS_UNIT_ANCHOR_ACTS_H

#include "tests/unit/codec.h"

#include "tests/lib/anchor_run.h"

static struct pki pki;
static struct swtpm tpm;
static bool have_tpm;
static char dir[64], state[80];

static inline int setup(void **arg)
{
    (void)arg;
    test_dir(dir);
    snprintf(state, sizeof(state), "%s/state", dir);
    have_tpm = swtpm_here() && swtpm_start(&tpm) == 0;
    pki_make(&pki);
    return 0;
}

static inline int teardown(void **arg)
{
    (void)arg;
    if (have_tpm)
        swtpm_stop(&tpm);
    pki_free(&pki);
    test_dir_drop(dir);
    return 0;
}

#define need_tpm()                                                             \
    do {                                                                       \
        if (!have_tpm)                                                         \
            skip();                                                            \
    } while (0)

/* --- what programs do ----------------------------------------------------- */

static inline struct run whole(void)
{
    return (struct run){.pki = &pki, .tpm = &tpm, .dir = state};
}

static inline struct run_result act(enum run_act what)
{
    const struct run r = whole();
    struct run_result out;
    assert_true(run_act(&r, what, &out));
    return out;
}

static inline struct run_result succeeds(enum run_act what)
{
    struct run_result out = act(what);
    if (out.rc != IDV_OK)
        print_error("act %d: %s: %s\n", what, idv_rc_name(out.rc), out.note);
    assert_int_equal(out.rc, IDV_OK);
    return out;
}

static inline struct run_result ends(enum run_act what, enum run_step kind,
                                     enum run_end end, int n)
{
    struct run r = whole();
    struct run_result out;
    r.kind = kind;
    r.end = end;
    r.at = n;
    assert_true(run_act(&r, what, &out));
    return out;
}

/* Who looks only changes nothing, and sees one of the two. */
static inline struct run_result observed(void)
{
    const struct run r = whole();
    uint8_t before[32], after[32];
    assert_true(run_snapshot(&r, before));
    struct run_result seen = succeeds(RUN_OBSERVE);
    assert_true(run_snapshot(&r, after));
    assert_memory_equal(before, after, sizeof(before));
    return seen;
}

static inline bool there(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", state, name);
    return idv_fs_exists(path);
}

/* What one who may act finds, and makes of it. */
static inline bool imprinted(void)
{
    struct run_result found = succeeds(RUN_OPEN);
    const bool is = found.state != IDV_TRUST_NONE;
    assert_false(found.unsure);
    assert_int_equal(found.pinned, is);
    assert_int_equal(there("anchor.der"), is);
    assert_int_equal(there("voucher"), is);
    assert_int_equal(there("anchor.json"), is);
    assert_int_equal(there("enrollment.json"),
                     found.state == IDV_TRUST_ENROLLED);
    assert_false(there("pending"));
    assert_false(there("reset"));
    return is;
}

#endif
