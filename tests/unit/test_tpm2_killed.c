/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that share a TPM of three slots, and are killed: nobody is locked
 * out, nobody fails, nothing stays. */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_resident.h"
#include "tpm_blob.h"

#define KEYS 4
#define KILLS 60
#define PATIENCE_MS 60000

static const struct hwk_tpm_parent owner = {.handle = TPM2_RH_OWNER};
static const struct hwk_tpm_parent srk = {.handle = TPM_SRK_AT};
static struct tpm_blob blobs[KEYS];
static char blobs_at[128], said_at[128];
static char self[4096]; /* this program */

/* --- the processes: this program again, with other arguments --- */

struct fate { /* killed by itself at the n-th command */
    int n, seen;
    bool sent;
};

static TSS2_RC die(void *arg, bool sent, TPM2_CC command)
{
    struct fate *f = arg;
    (void)command;
    if (sent == f->sent && ++f->seen == f->n)
        raise(SIGKILL);
    return TSS2_RC_SUCCESS;
}

static int complain(void)
{
    ERR_print_errors_fp(stderr);
    return 1;
}

/* opens all and signs with each; with fate, whatever that is, it ends */
static int once(struct hwk_tpm *t, struct fate *fate)
{
    struct hwk_tpm_key *key[KEYS];
    hwk_tpm_set_fault(die, fate);
    for (size_t i = 0; i < KEYS; i++)
        if (!(key[i] = tpm_blob_open(t, &blobs[i])) || !tpm_signs(t, key[i]))
            return complain();
    for (size_t i = 0; i < KEYS; i++)
        hwk_tpm_key_free(t, key[i]);
    hwk_tpm_free(t);
    return 0;
}

/* for ever: a byte for each signature */
static int for_ever(struct hwk_tpm *t, unsigned seed)
{
    struct hwk_tpm_key *key[KEYS] = {NULL};
    for (;;) {
        size_t i = (size_t)rand_r(&seed) % KEYS;
        if (!key[i] && !(key[i] = tpm_blob_open(t, &blobs[i])))
            return complain();
        if (!tpm_signs(t, key[i]))
            return complain();
        if (rand_r(&seed) % 3 == 0) {
            hwk_tpm_key_free(t, key[i]);
            key[i] = NULL;
        }
        if (write(STDOUT_FILENO, ".", 1) != 1)
            return 1;
    }
}

/* TCTI LOCK BLOBS SEED, or TCTI LOCK BLOBS N SENT */
static int process(int argc, char **argv)
{
    static struct hwk_config cfg;
    cfg.tcti = argv[1];
    cfg.tpm_lock = argv[2];
    int fd = open(argv[3], O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, blobs, sizeof(blobs)) != sizeof(blobs))
        return 2;
    close(fd);
    struct hwk_tpm *t = hwk_tpm_new(&cfg);
    if (!t)
        return complain();
    if (argc == 5)
        return for_ever(t, (unsigned)atoi(argv[4]));
    struct fate fate = {.n = atoi(argv[4]), .sent = atoi(argv[5])};
    return once(t, &fate);
}

/* starts one; *out is where its bytes come from, may be NULL */
static pid_t start(const char *a, const char *b, int *out)
{
    char *argv[] = {(char *)(uintptr_t) "process",
                    tpm_process.tcti,
                    tpm_process.lock,
                    blobs_at,
                    (char *)(uintptr_t)a,
                    (char *)(uintptr_t)b,
                    NULL};
    int p[2] = {-1, -1};
    if (out)
        assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int said = open(said_at, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(said, STDERR_FILENO);
        if (out)
            dup2(p[1], STDOUT_FILENO);
        execv(self, argv);
        _exit(127);
    }
    assert_true(pid > 0);
    if (out) {
        close(p[1]);
        *out = p[0];
    }
    return pid;
}

/* --- the tests --- */

static int setup(void **arg)
{
    if (tpm_setup(arg) != 0)
        return -1;
    if (!tpm)
        return 0;
    tpm_srk();
    for (size_t i = 0; i < KEYS; i++)
        tpm_blob_make(i % 2 ? &owner : &srk, &blobs[i]);
    snprintf(blobs_at, sizeof(blobs_at), "%s/blobs", tpm_process.dir);
    snprintf(said_at, sizeof(said_at), "%s/said", tpm_process.dir);
    int fd = open(blobs_at, O_WRONLY | O_CREAT, 0600);
    bool ok = write(fd, blobs, sizeof(blobs)) == sizeof(blobs);
    close(fd);
    return ok ? 0 : -1;
}

/* what the processes had to say, which is nothing */
static void nothing_said(void)
{
    char text[4096];
    int fd = open(said_at, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));
    close(fd);
    for (ssize_t i = 0; i < n; i += 512)
        print_message("%.*s", (int)(n - i < 512 ? n - i : 512), text + i);
    assert_int_equal(n, 0);
}

static int end_of(pid_t pid)
{
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static bool was_killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* before and after each command that one sends: our own key stays where it
 * is, or comes back, and what the dead one left goes */
static void at_each_command(void **arg)
{
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = tpm_blob_open(tpm, &blobs[0]);
    for (int sent = 0; sent < 2; sent++) {
        bool again = true;
        int n = 0;
        while (again) {
            char text[16];
            snprintf(text, sizeof(text), "%d", ++n);
            int status = end_of(start(text, sent ? "1" : "0", NULL));
            again = was_killed(status);
            assert_true(again || status == 0);
            assert_true(tpm_signs(tpm, key));
            assert_int_equal(tpm_left_behind(), 1);
        }
        assert_true(n > 4 * KEYS);
    }
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
    nothing_said();
}

struct worker {
    pid_t pid;
    int from;
};

static void hire(struct worker *w)
{
    static unsigned seeds;
    char text[16];
    snprintf(text, sizeof(text), "%u", ++seeds);
    w->pid = start(text, NULL, &w->from);
}

/* n signatures more of this one */
static void wait_for(const struct worker *w, int n)
{
    while (n > 0) {
        struct pollfd p = {.fd = w->from, .events = POLLIN};
        char c[64];
        assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
        ssize_t got = read(w->from, c, (size_t)(n < 64 ? n : 64));
        if (got <= 0)
            nothing_said();
        assert_true(got > 0);
        n -= (int)got;
    }
}

/* what it has done so far does not count */
static void forget_progress(const struct worker *w)
{
    struct pollfd p = {.fd = w->from, .events = POLLIN};
    char c[4096];
    while (poll(&p, 1, 0) == 1 && read(w->from, c, sizeof(c)) > 0)
        ;
}

static void fire(struct worker *w)
{
    assert_int_equal(kill(w->pid, SIGKILL), 0);
    int status = end_of(w->pid);
    if (!was_killed(status))
        nothing_said();
    assert_true(was_killed(status));
    close(w->from);
}

/* two that sign all the time, killed anywhere: the other goes on */
static void at_random(void **arg)
{
    struct worker w[2];
    unsigned seed = 1;
    (void)arg;
    need_tpm();
    hire(&w[0]);
    hire(&w[1]);
    for (int i = 0; i < KILLS; i++) {
        struct worker *victim = &w[rand_r(&seed) % 2];
        struct worker *other = victim == &w[0] ? &w[1] : &w[0];
        wait_for(victim, rand_r(&seed) % 8);
        fire(victim);
        forget_progress(other);
        wait_for(other, 2);
        hire(victim);
    }
    forget_progress(&w[0]);
    forget_progress(&w[1]);
    wait_for(&w[0], 5);
    wait_for(&w[1], 5);
    fire(&w[0]);
    fire(&w[1]);
    assert_int_equal(tpm_left_behind(), 0);
    nothing_said();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_each_command),
        cmocka_unit_test(at_random),
    };
    if (argc > 4)
        return process(argc, argv);
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        return 1;
    return cmocka_run_group_tests(tests, setup, tpm_teardown);
}
