/* SPDX-License-Identifier: Apache-2.0 */
/* The n-th command fails, for every n: what is left, and does a retry do. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "provider/device/tpm2_nvdata.h"
#include "tpm.h"

#define KEY_AT 0x81020060
#define INDEX 0x01800A20

/* where the line breaks: before the n-th command is sent, or after it was
 * executed and before its answer arrives */
struct cut {
    int countdown;
    bool after;
    bool kill; /* the process dies there */
    bool happened;
};

static TSS2_RC cut(void *arg, bool sent, TPM2_CC command)
{
    struct cut *c = arg;
    (void)command;
    if (sent != c->after || c->happened || --c->countdown > 0)
        return TSS2_RC_SUCCESS;
    c->happened = true;
    if (c->kill)
        raise(SIGKILL);
    return TSS2_TCTI_RC_IO_ERROR;
}

static uint8_t data[1500];

static bool make_sign(void)
{
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    struct hwk_tpm_key *key = tpm_make(KEY_AT, &spec, NULL);
    bool ok = key;
    hwk_tpm_key_free(tpm, key);
    return ok;
}

static bool make_idevid(void)
{
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_IDEVID);
    struct hwk_tpm_key *key = tpm_make(KEY_AT, &spec, NULL);
    bool ok = key;
    hwk_tpm_key_free(tpm, key);
    return ok;
}

/* a key that is there after a cut is whole: it signs */
static void key_is_whole(void)
{
    struct hwk_found f;
    struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    uint8_t digest[32] = {1}, sig[64];
    size_t n = sizeof(sig);
    assert_true(tpm_find_in(tpm, "handle:0x81020060", HWK_WANT_PRIVATE, &f));
    assert_non_null(f.ref);
    assert_true(hwk_tpm_sign(tpm, f.ref, &mech, digest, 32, sig, &n));
    assert_true(tpm_verify(&f.pub, &mech, digest, 32, sig, n));
    hwk_tpm_key_free(tpm, f.ref);
}

static bool write_plain(void)
{
    return hwk_tpm_nv_write(tpm, INDEX, data, sizeof(data), 0);
}

static bool write_locked(void)
{
    return hwk_tpm_nv_write(tpm, INDEX, data, sizeof(data),
                            HWK_WRITE_NEW | HWK_WRITE_LOCK);
}

static bool write_small(void)
{
    return hwk_tpm_nv_write(tpm, INDEX, data, 112, HWK_WRITE_NEW);
}

/* what can be read after a cut is whole, or there is nothing */
static bool readable(size_t n)
{
    struct hwk_tpm_nv nv;
    if (!hwk_tpm_nv_read(tpm, INDEX, NULL, &nv)) {
        assert_int_equal(tpm_reason(), HWK_R_NOT_FOUND);
        return false;
    }
    assert_int_equal(nv.n, n);
    assert_memory_equal(nv.data, data, n);
    hwk_tpm_nv_clear(&nv);
    return true;
}

struct story {
    bool (*act)(void);
    TPM2_HANDLE at;
    size_t n; /* bytes of an index; 0: a key */
    int commands;
};

static const struct story stories[] = {
    {make_sign, KEY_AT, 0, 5},     {make_idevid, KEY_AT, 0, 3},
    {write_plain, INDEX, 1500, 5}, {write_locked, INDEX, 1500, 6},
    {write_small, INDEX, 112, 4},
};

/* cut once, look, retry; *cuts counts. False when the act was over before. */
static bool cut_at(const struct story *s, int nth, bool after, bool dies)
{
    struct cut c = {.countdown = nth, .after = after, .kill = dies};
    bool ok;
    hwk_tpm_set_fault(cut, &c);
    ok = s->act();
    hwk_tpm_set_fault(NULL, NULL);
    if (!c.happened) {
        assert_true(ok);
        return false;
    }
    ERR_clear_error();
    bool there = s->n && readable(s->n);
    if (!ok && !s->act()) {
        /* done already, only the last answer was lost */
        assert_int_equal(tpm_reason(), HWK_R_EXISTS);
        assert_true(after || there || !s->n);
    }
    if (s->n)
        assert_true(readable(s->n));
    else
        key_is_whole();
    assert_int_equal(tpm_left_behind(), 0);
    assert_true(hwk_tpm_erase(tpm, s->at));
    return true;
}

static void every_command(void **arg)
{
    (void)arg;
    need_tpm();
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 3);
    for (size_t i = 0; i < sizeof(stories) / sizeof(*stories); i++)
        for (int after = 0; after < 2; after++) {
            int nth = 1;
            while (cut_at(&stories[i], nth, after, false))
                nth++;
            assert_true(hwk_tpm_erase(tpm, stories[i].at));
            assert_true(nth > stories[i].commands);
        }
    assert_int_equal(tpm_left_behind(), 0);
}

/* replacing what is there: old, new, or nothing, never a mixture */
static void replacing(void **arg)
{
    struct cut c;
    (void)arg;
    need_tpm();
    for (int after = 0; after < 2; after++)
        for (int nth = 1;; nth++) {
            struct hwk_tpm_nv nv;
            c = (struct cut){.countdown = nth, .after = after};
            assert_true(hwk_tpm_nv_write(tpm, INDEX, data + 100, 1300, 0));
            hwk_tpm_set_fault(cut, &c);
            bool ok = write_plain();
            hwk_tpm_set_fault(NULL, NULL);
            ERR_clear_error();
            if (hwk_tpm_nv_read(tpm, INDEX, NULL, &nv)) {
                bool old = nv.n == 1300;
                assert_memory_equal(nv.data, data + (old ? 100 : 0), nv.n);
                assert_true(old || nv.n == sizeof(data));
                hwk_tpm_nv_clear(&nv);
            } else {
                assert_false(ok);
                assert_int_equal(tpm_reason(), HWK_R_NOT_FOUND);
            }
            assert_true(write_plain());
            assert_true(readable(sizeof(data)));
            assert_true(hwk_tpm_erase(tpm, INDEX));
            if (!c.happened)
                break;
        }
}

/* killed in the middle: the next holder of the lock finds the litter */
static void killed(void **arg)
{
    (void)arg;
    need_tpm();
    for (int nth = 1; nth < 20; nth++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0) {
            struct cut c = {.countdown = nth, .after = true, .kill = true};
            hwk_tpm_forked(tpm);
            hwk_tpm_set_fault(cut, &c);
            _exit(hwk_tpm_renew(tpm) && make_sign() ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(tpm_left_behind(), 0);
        if (!make_sign())
            assert_int_equal(tpm_reason(), HWK_R_EXISTS);
        key_is_whole();
        assert_true(hwk_tpm_erase(tpm, KEY_AT));
        if (!WIFSIGNALED(status)) {
            assert_true(nth > 5);
            return;
        }
    }
    fail();
}

struct answers {
    TPM2_RC code;
    int times;
    bool sent; /* after the TPM's own answer */
};

static TSS2_RC answer(void *arg, bool sent, TPM2_CC command)
{
    struct answers *a = arg;
    (void)command;
    return sent == a->sent && a->times-- > 0 ? a->code : TSS2_RC_SUCCESS;
}

/* an answer of the TPM is no broken line: the next command goes on */
static void refused(void **arg)
{
    struct answers once = {TPM2_RC_LOCKOUT, 1, false};
    struct hwk_device_info info;
    (void)arg;
    need_tpm();
    assert_true(hwk_tpm_info(tpm, &info));
    ESYS_CONTEXT *before = tpm->esys;
    hwk_tpm_set_fault(answer, &once);
    assert_false(hwk_tpm_info(tpm, &info));
    assert_int_equal(tpm_reason(), HWK_R_LOCKOUT);
    assert_true(hwk_tpm_info(tpm, &info));
    assert_ptr_equal(tpm->esys, before);
    hwk_tpm_set_fault(NULL, NULL);
}

/* the TPM asks for patience: the command is sent again, and counted */
static void patience(void **arg)
{
    static const TPM2_RC codes[] = {TPM2_RC_RETRY, TPM2_RC_YIELDED,
                                    TPM2_RC_TESTING};
    struct hwk_device_info info;
    (void)arg;
    need_tpm();
    for (size_t i = 0; i < 3; i++) {
        struct answers busy = {codes[i], 7, true};
        unsigned long long before = tpm_commands();
        hwk_tpm_set_fault(answer, &busy);
        assert_true(hwk_tpm_info(tpm, &info));
        assert_int_equal(tpm_commands() - before, 7 + 2);
    }
    hwk_tpm_set_fault(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command), cmocka_unit_test(replacing),
        cmocka_unit_test(killed),        cmocka_unit_test(refused),
        cmocka_unit_test(patience),
    };
    return cmocka_run_group_tests(tests, tpm_setup, tpm_teardown);
}
