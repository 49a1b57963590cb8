/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that are loaded: what they cost, how long they stay in the TPM. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "provider/device/tpm2_devid.h"
#include "provider/device/tpm2_lock.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_resident.h"
#include "tpm_blob.h"

static const struct hwk_tpm_parent owner = {.handle = TPM2_RH_OWNER};
static const struct hwk_tpm_parent owner_rsa = {.handle = TPM2_RH_OWNER,
                                                .rsa = true};
static const struct hwk_tpm_parent srk = {.handle = TPM_SRK_AT};
static struct tpm_blob under_owner, under_rsa, under_srk;

static int setup(void **arg)
{
    if (tpm_setup(arg) != 0)
        return -1;
    if (!tpm)
        return 0;
    tpm_srk();
    tpm_blob_make(&owner, &under_owner);
    tpm_blob_make(&owner_rsa, &under_rsa);
    tpm_blob_make(&srk, &under_srk);
    return 0;
}

/* opened and closed; the commands that took, and one signature between */
static void costs(const struct tpm_blob *b, unsigned long long commands)
{
    unsigned long long before = tpm_commands();
    struct hwk_tpm_key *key = tpm_blob_open(tpm, b);
    assert_non_null(key);
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_commands() - before, commands);
    assert_int_equal(tpm_left_behind(), 0);
    key = tpm_blob_open(tpm, b);
    assert_true(tpm_signs(tpm, key)); /* the TPM may test itself here */
    before = tpm_commands();
    assert_true(tpm_signs(tpm, key));
    assert_true(tpm_signs(tpm, key));
    assert_int_equal(tpm_commands() - before, 2);
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
}

static void blobs(void **arg)
{
    (void)arg;
    need_tpm();
    costs(&under_srk, 3);
    costs(&under_owner, 4);
    costs(&under_rsa, 4);
}

/* two opens of one blob share it; the first one's end does not hurt */
static void shared(void **arg)
{
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *a = tpm_blob_open(tpm, &under_srk);
    unsigned long long before = tpm_commands();
    struct hwk_tpm_key *b = tpm_blob_open(tpm, &under_srk);
    assert_int_equal(tpm_commands(), before);
    assert_ptr_equal(a->object, b->object);
    hwk_tpm_key_free(tpm, a);
    assert_true(tpm_signs(tpm, b));
    hwk_tpm_key_free(tpm, b);
    assert_int_equal(tpm_left_behind(), 0);
    assert_null(tpm->objects);
}

/* the same public key with another private part is not the same blob */
static void spoilt(void **arg)
{
    struct tpm_blob bad = under_srk;
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *a = tpm_blob_open(tpm, &under_srk);
    bad.priv.buffer[bad.priv.size - 1] ^= 1;
    assert_null(tpm_blob_open(tpm, &bad));
    assert_int_equal(tpm_reason(), HWK_R_TPM);
    bad = under_srk;
    bad.priv.size = 0;
    assert_null(tpm_blob_open(tpm, &bad));
    assert_int_equal(tpm_reason(), HWK_R_FORMAT);
    bad = under_srk;
    bad.parent.handle = 0x81000002;
    assert_null(tpm_blob_open(tpm, &bad));
    assert_int_equal(tpm_reason(), HWK_R_NOT_FOUND);
    bad.parent.handle = TPM2_RH_LOCKOUT;
    assert_null(tpm_blob_open(tpm, &bad));
    assert_int_equal(tpm_reason(), HWK_R_KEY);
    assert_true(tpm_signs(tpm, a));
    hwk_tpm_key_free(tpm, a);
    assert_int_equal(tpm_left_behind(), 0);
}

static struct hwk_tpm_key *primary(void)
{
    const struct hwk_tpm_kind p256 = {TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0};
    TPM2B_PUBLIC t;
    struct hwk_tpm_key *key = NULL;
    assert_true(hwk_tpm_devid_own(HWK_TPM_IDEVID, &p256, &t));
    assert_non_null(hwk_tpm_begin(tpm));
    struct hwk_tpm_object *o =
        hwk_tpm_object_primary(tpm, TPM2_RH_ENDORSEMENT, NULL, &t);
    if (o)
        key = hwk_tpm_key_new(tpm, o, NULL);
    hwk_tpm_end(tpm);
    return key;
}

static void primaries(void **arg)
{
    (void)arg;
    need_tpm();
    unsigned long long before = tpm_commands();
    struct hwk_tpm_key *a = primary();
    assert_non_null(a);
    assert_int_equal(tpm_commands() - before, 1);
    struct hwk_tpm_key *b = primary();
    assert_int_equal(tpm_commands() - before, 1);
    assert_true(tpm_signs(tpm, a));
    hwk_tpm_key_free(tpm, a);
    assert_true(tpm_signs(tpm, b));
    hwk_tpm_key_free(tpm, b);
    assert_int_equal(tpm_left_behind(), 0);
}

/* --- more keys than slots --- */

#define KEYS 6
static struct tpm_blob many[KEYS];
static struct hwk_tpm_key *opened[KEYS];

/* under the persistent parent; mixed: every other one under a primary, which
 * takes a slot more while it is loaded */
static void open_many(bool mixed)
{
    for (size_t i = 0; i < KEYS; i++) {
        tpm_blob_make(mixed && i % 2 ? &owner : &srk, &many[i]);
        opened[i] = tpm_blob_open(tpm, &many[i]);
        assert_non_null(opened[i]);
    }
}

static void close_many(void)
{
    for (size_t i = 0; i < KEYS; i++)
        hwk_tpm_key_free(tpm, opened[i]);
    assert_int_equal(tpm_left_behind(), 0);
    assert_null(tpm->objects);
}

static size_t loaded(const struct hwk_tpm *t)
{
    size_t n = 0;
    for (const struct hwk_tpm_object *o = t->objects; o; o = o->next)
        n += hwk_tpm_is_loaded(t, o);
    return n;
}

/* This TPM has three slots, and the persistent parent of a key takes one while
 * the key is loaded. ESYS is never told that there was no room: it would print
 * that. */
static void slots(void **arg)
{
    (void)arg;
    need_tpm();
    open_many(false);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < KEYS; i++)
            assert_true(tpm_signs(tpm, opened[i]));
    assert_int_equal(loaded(tpm), 2);
    unsigned long long before = tpm_commands();
    assert_true(tpm_signs(tpm, opened[4]));
    assert_true(tpm_signs(tpm, opened[5])); /* the last to be used are there */
    assert_int_equal(tpm_commands() - before, 2);
    assert_true(tpm_signs(tpm, opened[0])); /* out went 4 */
    before = tpm_commands();
    assert_true(tpm_signs(tpm, opened[5]));
    assert_int_equal(tpm_commands() - before, 1);
    assert_true(tpm_signs(tpm, opened[4])); /* Load, FlushContext, Load, Sign */
    assert_int_equal(tpm_commands() - before, 5);
    close_many();
}

/* where it is known how many fit, one more is not tried */
static void slots_known(void **arg)
{
    (void)arg;
    need_tpm();
    open_many(false);
    assert_true(tpm_signs(tpm, opened[4]));
    tpm->slots = 2;
    unsigned long long before = tpm_commands();
    hwk_tpm_key_free(tpm, tpm_blob_open(tpm, &under_srk));
    tpm->slots = 0;
    /* ReadPublic, FlushContext, Load, FlushContext */
    assert_int_equal(tpm_commands() - before, 4);
    assert_true(tpm_signs(tpm, opened[4]));
    assert_int_equal(tpm_commands() - before, 5);
    close_many();
}

static void *one_of_many(void *arg)
{
    size_t me = (size_t)arg, bad = 0;
    for (int i = 0; i < 12; i++) {
        struct hwk_tpm_key *key = tpm_blob_open(tpm, &many[me % KEYS]);
        if (!key || !tpm_signs(tpm, key) ||
            !tpm_signs(tpm, opened[(me + (size_t)i) % KEYS]))
            bad++;
        hwk_tpm_key_free(tpm, key);
    }
    return (void *)bad;
}

static void *one_for_all(void *arg)
{
    size_t bad = 0;
    for (int i = 0; i < 25; i++)
        bad += !tpm_signs(tpm, arg);
    return (void *)bad;
}

static void in_threads(void *(*run)(void *), void *arg)
{
    pthread_t t[8];
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(
            pthread_create(&t[i], NULL, run, arg ? arg : (void *)i), 0);
    for (size_t i = 0; i < 8; i++) {
        void *bad;
        pthread_join(t[i], &bad);
        assert_null(bad);
    }
}

static void threads(void **arg)
{
    (void)arg;
    need_tpm();
    open_many(true);
    in_threads(one_of_many, NULL);
    in_threads(one_for_all, opened[0]);
    close_many();
}

/* one opens and closes a key all the time with which another signs */
static void *opener(void *arg)
{
    size_t bad = 0;
    for (int i = 0; i < 40; i++) {
        struct hwk_tpm_key *key = tpm_blob_open(tpm, arg);
        bad += !key;
        hwk_tpm_key_free(tpm, key);
    }
    return (void *)bad;
}

static void freed_by_another(void **arg)
{
    pthread_t t;
    void *bad;
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = tpm_blob_open(tpm, &under_owner);
    assert_int_equal(pthread_create(&t, NULL, opener, &under_owner), 0);
    for (int i = 0; i < 40; i++)
        assert_true(tpm_signs(tpm, key));
    pthread_join(t, &bad);
    assert_null(bad);
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
}

/* --- others at the same TPM --- */

/* each has more keys than there is room for, and takes the other's */
static void another_user(void **arg)
{
    struct hwk_tpm_key *theirs[KEYS];
    (void)arg;
    need_tpm();
    struct hwk_tpm *other = hwk_tpm_new(&tpm_cfg);
    open_many(true);
    for (size_t i = 0; i < KEYS; i++) {
        theirs[i] = tpm_blob_open(other, &many[i]);
        assert_non_null(theirs[i]);
    }
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < KEYS; i++) {
            assert_true(tpm_signs(tpm, opened[i]));
            assert_true(tpm_signs(other, theirs[KEYS - 1 - i]));
        }
    assert_non_null(hwk_tpm_begin(other)); /* sees what was taken from it */
    size_t n = loaded(other);
    hwk_tpm_end(other);
    assert_non_null(hwk_tpm_begin(tpm));
    size_t all = loaded(tpm) + n, written = tpm->registry.n;
    hwk_tpm_end(tpm);
    assert_in_range(all, 2, 3);
    assert_int_equal(written, all);
    for (size_t i = 0; i < KEYS; i++)
        hwk_tpm_key_free(other, theirs[i]);
    hwk_tpm_free(other);
    close_many();
}

/* what is in use stays: who takes all the room at once is told so */
static void no_room(void **arg)
{
    TPM2B_PUBLIC t;
    ESYS_TR tr[4];
    size_t n = 0;
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = tpm_blob_open(tpm, &under_srk);
    hwk_tpm_template_default(false, &t);
    assert_non_null(hwk_tpm_begin(tpm));
    while (n < 4 && hwk_tpm_create_primary(tpm, TPM2_RH_OWNER, NULL, NULL, &t,
                                           &tr[n], NULL))
        n++;
    assert_int_equal(n, 3);
    assert_int_equal(tpm_reason(), HWK_R_TPM);
    while (n > 0)
        hwk_tpm_flush(tpm, &tr[--n]);
    hwk_tpm_end(tpm);
    assert_true(tpm_signs(tpm, key));
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
}

/* in a process of its own: opens a key, and ends without a word */
static void leave(const struct tpm_blob *b)
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) {
        hwk_tpm_forked(tpm);
        struct hwk_tpm *t = hwk_tpm_new(&tpm_cfg);
        struct hwk_tpm_key *key = t ? tpm_blob_open(t, b) : NULL;
        _exit(!key || !tpm_signs(t, key));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static size_t records(void)
{
    struct hwk_tpm_registry reg;
    int fd = -1;
    assert_true(hwk_tpm_lock(tpm_cfg.tpm_lock, tpm->name, &fd));
    assert_true(hwk_tpm_registry_read(fd, &reg));
    hwk_tpm_unlock(fd, false);
    return reg.mark ? 1000 : reg.n;
}

/* the next user flushes what a dead one left, and nothing else */
static void dead_owner(void **arg)
{
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = tpm_blob_open(tpm, &under_owner);
    leave(&under_srk);
    leave(&under_srk); /* flushes the first one's */
    assert_int_equal(records(), 2);
    unsigned long long before = tpm_commands();
    assert_true(tpm_signs(tpm, key));
    assert_int_equal(tpm_commands() - before, 2);
    assert_int_equal(records(), 1);
    assert_int_equal(tpm_left_behind(), 1);
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
    assert_int_equal(records(), 0);
}

/* the lock file spoilt or gone: nobody fails and nothing stays */
static void no_registry(void **arg)
{
    (void)arg;
    need_tpm();
    for (int how = 0; how < 3; how++) {
        struct hwk_tpm *other = hwk_tpm_new(&tpm_cfg);
        struct hwk_tpm_key *a = tpm_blob_open(tpm, &under_srk);
        struct hwk_tpm_key *b = tpm_blob_open(other, &under_srk);
        if (how == 0)
            assert_int_equal(unlink(tpm_cfg.tpm_lock), 0);
        else
            assert_int_equal(truncate(tpm_cfg.tpm_lock, how == 1 ? 0 : 100), 0);
        assert_true(tpm_signs(tpm, a));
        assert_true(tpm_signs(other, b));
        assert_true(tpm_signs(tpm, a));
        hwk_tpm_key_free(tpm, a);
        assert_true(tpm_signs(other, b));
        hwk_tpm_key_free(other, b);
        hwk_tpm_free(other);
        /* with the records went who had what; a mark says to look */
        leave(&under_srk);
        assert_int_equal(truncate(tpm_cfg.tpm_lock, 1), 0);
        assert_int_equal(tpm_left_behind(), 0);
        assert_null(tpm->objects);
    }
}

/* the application closes descriptors that it does not know, and opens its own
 * there: that one is left alone */
static void descriptor_taken(void **arg)
{
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = tpm_blob_open(tpm, &under_srk);
    int fd = tpm->owner_fd, p[2];
    assert_true(fd >= 0);
    assert_int_equal(pipe(p), 0);
    assert_int_equal(dup2(p[1], fd), fd);
    assert_true(tpm_signs(tpm, key));
    assert_int_not_equal(tpm->owner_fd, fd);
    assert_int_equal(write(fd, "x", 1), 1);
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
    close(fd);
    close(p[0]);
    close(p[1]);
}

/* --- losses --- */

/* off and on between any two uses */
static void power(void **arg)
{
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *a = tpm_blob_open(tpm, &under_srk);
    struct hwk_tpm_key *b = tpm_blob_open(tpm, &under_owner);
    struct hwk_tpm_key *c = primary();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(swtpm_cycle(&tpm_process), 0);
        assert_true(tpm_signs(tpm, i ? a : c));
        assert_true(tpm_signs(tpm, b));
        assert_true(tpm_signs(tpm, i ? c : a));
    }
    assert_int_equal(swtpm_cycle(&tpm_process), 0);
    hwk_tpm_key_free(tpm, a);
    hwk_tpm_key_free(tpm, b);
    hwk_tpm_key_free(tpm, c);
    assert_int_equal(tpm_left_behind(), 0);
    assert_int_equal(ERR_peek_error(), 0);
}

/* another one's key is where ours was before the power failed */
static void power_and_others(void **arg)
{
    (void)arg;
    need_tpm();
    struct hwk_tpm *other = hwk_tpm_new(&tpm_cfg);
    struct hwk_tpm_key *a = tpm_blob_open(tpm, &under_srk);
    struct hwk_tpm_key *b = tpm_blob_open(other, &under_owner);
    assert_int_equal(swtpm_cycle(&tpm_process), 0);
    assert_true(tpm_signs(other, b));
    assert_true(tpm_signs(tpm, a));
    assert_true(tpm_signs(other, b));
    hwk_tpm_key_free(tpm, a);
    hwk_tpm_key_free(other, b);
    hwk_tpm_free(other);
    assert_int_equal(tpm_left_behind(), 0);
}

struct at { /* the n-th command fails so */
    int n;
    bool sent;
    TSS2_RC rc;
    int seen;
};

static TSS2_RC fail_at(void *arg, bool sent, TPM2_CC command)
{
    struct at *at = arg;
    (void)command;
    if (sent != at->sent)
        return TSS2_RC_SUCCESS;
    return ++at->seen == at->n ? at->rc : (TSS2_RC)TSS2_RC_SUCCESS;
}

static TSS2_RC off_and_on(void *arg, bool sent, TPM2_CC command)
{
    struct at *at = arg;
    (void)command;
    if (!sent && ++at->seen == at->n)
        assert_int_equal(swtpm_cycle(&tpm_process), 0);
    return TSS2_RC_SUCCESS;
}

/* power fails before each command of an open, a signature and a close: none of
 * them fails for it */
static void power_anywhere(void **arg)
{
    const struct tpm_blob *blobs[] = {&under_srk, &under_owner};
    (void)arg;
    need_tpm();
    for (size_t i = 0; i < 2; i++) {
        bool again = true;
        for (int n = 1; again; n++) {
            struct at at = {.n = n};
            hwk_tpm_set_fault(off_and_on, &at);
            struct hwk_tpm_key *key = tpm_blob_open(tpm, blobs[i]);
            assert_non_null(key);
            assert_true(tpm_signs(tpm, key));
            hwk_tpm_key_free(tpm, key);
            again = at.seen >= n;
            hwk_tpm_set_fault(NULL, NULL);
            assert_int_equal(tpm_left_behind(), 0);
            assert_int_equal(ERR_peek_error(), 0);
        }
    }
}

/* each command of an open, a signature and a close fails once: what comes next
 * works, and nothing stays in the TPM */
static void each_fails(const struct tpm_blob *b, bool sent, TSS2_RC rc,
                       bool unnoticed)
{
    bool again = true;
    for (int n = 1; again; n++) {
        struct at at = {.n = n, .sent = sent, .rc = rc};
        hwk_tpm_set_fault(fail_at, &at);
        struct hwk_tpm_key *key = tpm_blob_open(tpm, b);
        if (key && !tpm_signs(tpm, key))
            assert_true(tpm_signs(tpm, key));
        hwk_tpm_key_free(tpm, key);
        again = at.seen >= n;
        hwk_tpm_set_fault(NULL, NULL);
        if (unnoticed) {
            assert_non_null(key);
            assert_int_equal(ERR_peek_error(), 0);
        }
        ERR_clear_error();
        assert_int_equal(tpm_left_behind(), 0);
        assert_null(tpm->objects);
        key = tpm_blob_open(tpm, b);
        assert_non_null(key);
        assert_true(tpm_signs(tpm, key));
        hwk_tpm_key_free(tpm, key);
        assert_int_equal(tpm_left_behind(), 0);
    }
}

static void faults(void **arg)
{
    (void)arg;
    need_tpm();
    each_fails(&under_owner, false, TPM2_RC_FAILURE, false);
    each_fails(&under_srk, false, TPM2_RC_FAILURE, false);
    each_fails(&under_owner, false, TPM2_RC_CANCELED, false);
    for (int sent = 0; sent < 2; sent++) { /* before, or the answer is lost */
        each_fails(&under_owner, sent, TSS2_TCTI_RC_IO_ERROR, false);
        each_fails(&under_srk, sent, TSS2_TCTI_RC_IO_ERROR, false);
    }
    each_fails(&under_srk, false, TPM2_RC_RETRY, true);
    each_fails(&under_owner, false, TPM2_RC_TESTING, true);
}

/* full, with another key of ours there that can go: nobody notices */
static void full(void **arg)
{
    static const TSS2_RC codes[] = {
        TPM2_RC_OBJECT_MEMORY, TPM2_RC_MEMORY,
        TSS2_RESMGR_RC_LAYER + TPM2_RC_OBJECT_MEMORY,
        TSS2_RESMGR_TPM_RC_LAYER + TPM2_RC_OBJECT_MEMORY};
    (void)arg;
    need_tpm();
    for (size_t i = 0; i < 4; i++) {
        struct at at = {.n = 2, .rc = codes[i]};
        struct hwk_tpm_key *a = tpm_blob_open(tpm, &under_owner);
        unsigned long long before = tpm_commands();
        hwk_tpm_set_fault(fail_at, &at);
        struct hwk_tpm_key *b = tpm_blob_open(tpm, &under_srk);
        hwk_tpm_set_fault(NULL, NULL);
        assert_non_null(b);
        assert_int_equal(tpm_commands() - before, 3);
        assert_int_equal(loaded(tpm), 1);
        assert_true(tpm_signs(tpm, a));
        assert_true(tpm_signs(tpm, b));
        assert_int_equal(loaded(tpm), 2);
        hwk_tpm_key_free(tpm, a);
        hwk_tpm_key_free(tpm, b);
        assert_int_equal(tpm_left_behind(), 0);
    }
}

/* full with nothing of ours to go: the reason says what to do */
static void full_of_others(void **arg)
{
    struct at at = {.n = 2, .rc = TPM2_RC_OBJECT_MEMORY};
    const char *data = NULL;
    (void)arg;
    need_tpm();
    hwk_tpm_set_fault(fail_at, &at);
    assert_null(tpm_blob_open(tpm, &under_srk));
    hwk_tpm_set_fault(NULL, NULL);
    ERR_peek_last_error_all(NULL, NULL, NULL, &data, NULL);
    assert_non_null(strstr(data, "resource manager"));
    assert_int_equal(tpm_reason(), HWK_R_TPM);
    assert_int_equal(tpm_left_behind(), 0);
}

/* --- forks --- */

/* the child loads the key for itself and flushes nothing of its parent's */
static void forks(void **arg)
{
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = tpm_blob_open(tpm, &under_srk);
    for (int renewed = 0; renewed < 2; renewed++) {
        int status = 1;
        pid_t pid = fork();
        if (pid == 0) {
            hwk_tpm_forked(tpm);
            if (!renewed) { /* frees memory only */
                hwk_tpm_key_free(tpm, key);
                _exit(0);
            }
            if (!hwk_tpm_renew(tpm) || !tpm_signs(tpm, key))
                _exit(1);
            hwk_tpm_key_free(tpm, key);
            hwk_tpm_free(tpm);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        unsigned long long before = tpm_commands();
        assert_true(tpm_signs(tpm, key));
        assert_int_equal(tpm_commands() - before, 1);
        assert_int_equal(records(), 1);
    }
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
}

/* the state goes while keys are open, as when a process ends */
static void ends(void **arg)
{
    int status = 1;
    (void)arg;
    need_tpm();
    pid_t pid = fork();
    if (pid == 0) {
        hwk_tpm_forked(tpm);
        struct hwk_tpm *t = hwk_tpm_new(&tpm_cfg);
        bool ok =
            tpm_blob_open(t, &under_srk) && tpm_blob_open(t, &under_owner);
        hwk_tpm_free(t);
        _exit(!ok);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(records(), 0);
    assert_int_equal(tpm_left_behind(), 0);
}

/* why a signature failed */
static int sign_reason(struct hwk_tpm_key *key)
{
    const struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    uint8_t digest[32] = {1}, sig[64];
    size_t n = sizeof(sig);
    assert_false(hwk_tpm_sign(tpm, key, &mech, digest, 32, sig, &n));
    return tpm_reason();
}

/* the owner's seed is another: what comes of the template now is not the key
 * that was opened, and the blob is of no use */
static void cleared(void **arg)
{
    const struct hwk_tpm_kind p256 = {TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0};
    TPM2B_PUBLIC t;
    (void)arg;
    need_tpm();
    tpm_template_sign(&p256, &t);
    struct hwk_tpm_key *blob = tpm_blob_open(tpm, &under_owner);
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    struct hwk_tpm_object *o =
        hwk_tpm_object_primary(tpm, TPM2_RH_OWNER, NULL, &t);
    assert_non_null(o);
    struct hwk_tpm_key *key = hwk_tpm_key_new(tpm, o, NULL);
    hwk_tpm_end(tpm);
    assert_true(tpm_signs(tpm, key));
    hwk_tpm_begin(tpm);
    assert_int_equal(Esys_Clear(esys, ESYS_TR_RH_LOCKOUT, ESYS_TR_PASSWORD,
                                ESYS_TR_NONE, ESYS_TR_NONE),
                     0);
    hwk_tpm_end(tpm);
    assert_int_equal(sign_reason(key), HWK_R_NOT_FOUND);
    assert_int_equal(sign_reason(blob), HWK_R_TPM);
    hwk_tpm_key_free(tpm, key);
    hwk_tpm_key_free(tpm, blob);
    assert_int_equal(tpm_left_behind(), 0);
    assert_null(tpm->objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blobs),
        cmocka_unit_test(shared),
        cmocka_unit_test(spoilt),
        cmocka_unit_test(primaries),
        cmocka_unit_test(slots),
        cmocka_unit_test(slots_known),
        cmocka_unit_test(threads),
        cmocka_unit_test(freed_by_another),
        cmocka_unit_test(another_user),
        cmocka_unit_test(no_room),
        cmocka_unit_test(dead_owner),
        cmocka_unit_test(no_registry),
        cmocka_unit_test(descriptor_taken),
        cmocka_unit_test(power),
        cmocka_unit_test(power_and_others),
        cmocka_unit_test(power_anywhere),
        cmocka_unit_test(faults),
        cmocka_unit_test(full),
        cmocka_unit_test(full_of_others),
        cmocka_unit_test(forks),
        cmocka_unit_test(ends),
        cmocka_unit_test(cleared), /* the last: no key of before is good */
    };
    return cmocka_run_group_tests(tests, setup, tpm_teardown);
}
