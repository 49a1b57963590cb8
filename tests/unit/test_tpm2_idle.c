/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that are given up, and what a process leaves when it ends;
 * directly, and behind tpm2-abrmd. */
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_resident.h"
#include "tests/lib/abrmd.h"
#include "tpm_blob.h"

#define PATIENCE_MS 30000
#define MORE 30 /* than the manager's 27 slots of a connection */

static const struct hwk_tpm_parent srk = {.handle = TPM_SRK_AT};
static struct tpm_blob blob;
static struct abrmd managed;

/* tpm is one of that configuration from here on */
static void with(struct hwk_config *cfg)
{
    struct hwk_tpm *t = hwk_tpm_new(cfg);
    assert_non_null(t);
    hwk_tpm_free(tpm);
    tpm = t;
}

static int setup(void **arg)
{
    if (tpm_setup(arg) != 0)
        return -1;
    if (!tpm)
        return 0;
    tpm_srk();
    tpm_blob_make(&srk, &blob);
    return 0;
}

static bool is_open(void)
{
    pthread_mutex_lock(&tpm->lock);
    bool open = tpm->tcti && hwk_tpm_tcti_is_open(tpm->tcti);
    pthread_mutex_unlock(&tpm->lock);
    return open;
}

static bool closes(void)
{
    for (int ms = 0; is_open() && ms < PATIENCE_MS; ms += 10)
        poll(NULL, 0, 10);
    return !is_open();
}

/* what is loaded stays in the TPM although nobody is connected */
static void at_once(void **arg)
{
    struct hwk_config cfg = tpm_cfg;
    (void)arg;
    need_tpm();
    cfg.tpm_idle = HWK_TPM_IDLE_AT_ONCE;
    with(&cfg);
    struct hwk_tpm_key *key = tpm_blob_open(tpm, &blob);
    assert_false(is_open());
    assert_true(tpm_signs(tpm, key));
    unsigned long long before = tpm_commands();
    assert_true(tpm_signs(tpm, key));
    assert_int_equal(tpm_commands() - before, 1);
    assert_false(is_open());
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
    with(&tpm_cfg);
}

static void later(void **arg)
{
    struct hwk_config cfg = tpm_cfg;
    (void)arg;
    need_tpm();
    cfg.tpm_idle = 1;
    with(&cfg);
    struct hwk_tpm_key *key = tpm_blob_open(tpm, &blob);
    for (int i = 0; i < 2; i++) {
        assert_true(tpm_signs(tpm, key));
        assert_true(is_open());
        assert_true(closes());
    }
    int status = 1;
    assert_true(tpm_signs(tpm, key));
    pid_t pid = fork(); /* a thread of its own there */
    if (pid == 0) {
        hwk_tpm_forked(tpm);
        bool ok = hwk_tpm_renew(tpm) && tpm_signs(tpm, key) && closes();
        hwk_tpm_free(tpm);
        _exit(!ok);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(tpm_signs(tpm, key));
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
    with(&tpm_cfg); /* while the thread waits */
}

static void *waits(void *arg)
{
    poll(NULL, 0, -1);
    return arg;
}

/* exit() with everything open, and a thread or none: how is a bit of that */
static void leave(unsigned how)
{
    static struct hwk_tpm_key *kept[2];
    static struct hwk_config cfg;
    int status = 1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t t;
        hwk_tpm_forked(tpm);
        cfg = tpm_cfg;
        cfg.tpm_idle = how & 2 ? 30 : 0;
        struct hwk_tpm *mine = hwk_tpm_new(&cfg);
        if (how & 1)
            pthread_create(&t, NULL, waits, NULL);
        for (size_t i = 0; mine && i < 2; i++)
            kept[i] = tpm_blob_open(mine, &blob);
        exit(!kept[0] || !kept[1]);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* without anybody's taking up what is left: there is nothing */
static void exits(void **arg)
{
    (void)arg;
    need_tpm();
    for (unsigned how = 0; how < 4; how++) {
        leave(how);
        unsigned long long before = tpm_commands();
        assert_int_equal(tpm_left_behind(), 0);
        assert_int_equal(tpm_commands() - before, 2); /* that look */
    }
}

/* --- behind a resource manager --- */

static int manager_up(void **arg)
{
    (void)arg;
    if (!abrmd_here())
        return 0;
    if (abrmd_start(&managed) != 0)
        return -1;
    tpm_cfg =
        (struct hwk_config){.tcti = managed.tcti, .tpm_lock = managed.tpm.lock};
    with(&tpm_cfg);
    tpm_srk();
    tpm_blob_make(&srk, &blob);
    return 0;
}

static int manager_down(void **arg)
{
    (void)arg;
    hwk_tpm_free(tpm);
    tpm = NULL;
    abrmd_stop(&managed);
    return 0;
}

#define need_manager()                                                         \
    do {                                                                       \
        if (managed.manager <= 0)                                              \
            skip();                                                            \
    } while (0)

/* in the TPM itself, past the manager */
static size_t beneath(void)
{
    struct hwk_config cfg = {.tcti = managed.tpm.tcti,
                             .tpm_lock = managed.tpm.lock};
    struct hwk_tpm *before = tpm;
    tpm = hwk_tpm_new(&cfg);
    size_t n = tpm_left_behind();
    hwk_tpm_free(tpm);
    tpm = before;
    return n;
}

static void managed_costs(void **arg)
{
    (void)arg;
    need_manager();
    assert_int_equal(tpm->sharing, HWK_TPM_MANAGED);
    unsigned long long before = tpm_commands();
    hwk_tpm_key_free(tpm, tpm_blob_open(tpm, &blob));
    assert_int_equal(tpm_commands() - before, 3);
    struct hwk_tpm_key *key = tpm_blob_open(tpm, &blob);
    assert_true(tpm_signs(tpm, key));
    before = tpm_commands();
    assert_true(tpm_signs(tpm, key));
    assert_int_equal(tpm_commands() - before, 1);
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
}

/* the manager has room for so many of a connection, too */
static void managed_room(void **arg)
{
    static struct tpm_blob many[MORE];
    struct hwk_tpm_key *key[MORE];
    (void)arg;
    need_manager();
    for (size_t i = 0; i < MORE; i++) {
        tpm_blob_make(&srk, &many[i]);
        key[i] = tpm_blob_open(tpm, &many[i]);
        assert_non_null(key[i]);
    }
    for (size_t i = 0; i < MORE; i++)
        assert_true(tpm_signs(tpm, key[i]));
    for (size_t i = 0; i < MORE; i++)
        hwk_tpm_key_free(tpm, key[i]);
    assert_int_equal(tpm_left_behind(), 0);
}

/* the connection goes, and with it what is loaded, which comes again */
static void managed_idle(void **arg)
{
    struct hwk_config cfg = tpm_cfg;
    (void)arg;
    need_manager();
    cfg.tpm_idle = HWK_TPM_IDLE_AT_ONCE;
    with(&cfg);
    struct hwk_tpm_key *key = tpm_blob_open(tpm, &blob);
    assert_true(tpm_signs(tpm, key));
    assert_false(is_open());
    assert_true(tpm_signs(tpm, key));
    hwk_tpm_key_free(tpm, key);
    with(&tpm_cfg);
    assert_int_equal(tpm_left_behind(), 0);
    assert_int_equal(beneath(), 0);
}

/* The manager was started anew between any two operations: seen before the next
 * command is sent, so that nothing fails, and a key that was at its handle is
 * looked at again. */
static void managed_restarted(void **arg)
{
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    struct hwk_found f;
    (void)arg;
    need_manager();
    struct hwk_tpm_key *a = tpm_make(0x81020010, &spec, NULL);
    struct hwk_tpm_key *b = tpm_blob_open(tpm, &blob);
    assert_non_null(a);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(abrmd_cycle(&managed), 0);
        assert_true(tpm_signs(tpm, i ? a : b));
        assert_true(tpm_signs(tpm, i ? b : a));
    }
    assert_int_equal(abrmd_cycle(&managed), 0);
    assert_true(
        tpm_find_in(tpm, "tpm2:handle=0x81020010", HWK_WANT_PUBLIC, &f));
    assert_int_equal(abrmd_cycle(&managed), 0);
    hwk_tpm_key_free(tpm, b);
    assert_int_equal(abrmd_cycle(&managed), 0);
    assert_true(hwk_tpm_erase(tpm, 0x81020010));
    hwk_tpm_key_free(tpm, a);
    assert_int_equal(tpm_left_behind(), 0);
    assert_int_equal(ERR_peek_error(), 0);
}

static void managed_exits(void **arg)
{
    (void)arg;
    need_manager();
    leave(0);
    assert_int_equal(tpm_left_behind(), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest direct[] = {
        cmocka_unit_test(at_once),
        cmocka_unit_test(later),
        cmocka_unit_test(exits),
    };
    const struct CMUnitTest behind[] = {
        cmocka_unit_test(managed_costs), cmocka_unit_test(managed_room),
        cmocka_unit_test(managed_idle),  cmocka_unit_test(managed_restarted),
        cmocka_unit_test(managed_exits),
    };
    bool twin = argc > 0 && strstr(argv[0], "abrmd");
    return twin ? cmocka_run_group_tests(behind, manager_up, manager_down)
                : cmocka_run_group_tests(direct, setup, tpm_teardown);
}
