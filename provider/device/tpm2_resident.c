/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys are loaded in the TPM, and which of them have to go. */
#include <sys/stat.h>
#include <unistd.h>

#include "provider/device/tpm2_caps.h"
#include "provider/device/tpm2_resident.h"

/* the slots are those of all who talk to the TPM */
static bool is_shared(const struct hwk_tpm *tpm)
{
    return tpm->sharing != HWK_TPM_MANAGED;
}

bool hwk_tpm_is_loaded(const struct hwk_tpm *tpm,
                       const struct hwk_tpm_object *o)
{
    return o->loaded != 0 && o->generation == tpm->generation && tpm->esys;
}

static void strike(struct hwk_tpm *tpm, size_t i)
{
    if (i < tpm->registry.n) {
        hwk_tpm_registry_strike(&tpm->registry, i);
        tpm->unwritten = true;
    }
}

static void mark(struct hwk_tpm *tpm)
{
    if (is_shared(tpm))
        tpm->registry.mark = tpm->unwritten = true;
}

/* ESYS's side of it stays until the key is used again: a command of ESYS may
 * be under way */
static void put_out(struct hwk_tpm *tpm, struct hwk_tpm_object *o)
{
    if (hwk_tpm_is_loaded(tpm, o) && o->cookie != 0)
        strike(tpm, hwk_tpm_registry_cookie(&tpm->registry, o->cookie));
    o->loaded = 0;
    o->cookie = 0;
}

void hwk_tpm_forget_loaded(struct hwk_tpm *tpm)
{
    for (struct hwk_tpm_object *o = tpm->objects; o; o = o->next)
        if (hwk_tpm_is_loaded(tpm, o)) {
            put_out(tpm, o);
            mark(tpm);
        }
}

/* --- our being an owner --- */

/* an application may have closed our descriptor and opened its own there */
static bool is_ours(const struct hwk_tpm *tpm, int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == tpm->owner_dev &&
           st.st_ino == tpm->owner_ino;
}

void hwk_tpm_disown(struct hwk_tpm *tpm)
{
    if (is_ours(tpm, tpm->owner_fd))
        close(tpm->owner_fd);
    tpm->owner_fd = -1;
    tpm->owner = 0;
}

static int own(struct hwk_tpm *tpm)
{
    struct stat st;
    if (tpm->owner != 0)
        return 1;
    if (fstat(tpm->turn, &st) != 0)
        return hwk_raise(HWK_R_FILE, "lock file of the TPM");
    tpm->owner = hwk_tpm_owner_new(tpm->turn, &tpm->registry);
    if (tpm->owner == 0)
        return 0;
    tpm->owner_fd = tpm->turn;
    tpm->owner_id = tpm->registry.id;
    tpm->owner_dev = st.st_dev;
    tpm->owner_ino = st.st_ino;
    return 1;
}

/* What was written down is of no use when it is another list now, or the lock
 * that says we live is gone. Nobody knows then what is loaded. */
static void check_own(struct hwk_tpm *tpm)
{
    if (tpm->owner == 0 ||
        (tpm->registry.id == tpm->owner_id && is_ours(tpm, tpm->turn) &&
         is_ours(tpm, tpm->owner_fd)))
        return;
    hwk_tpm_forget_loaded(tpm);
    hwk_tpm_disown(tpm);
}

/* --- loaded and unloaded --- */

/* ESYS's side only */
static void close_tr(struct hwk_tpm *tpm, struct hwk_tpm_object *o)
{
    if (o->tr != ESYS_TR_NONE && o->generation == tpm->generation && tpm->esys)
        Esys_TR_Close(tpm->esys, &o->tr);
    o->tr = ESYS_TR_NONE;
}

static int write_down(struct hwk_tpm *tpm, struct hwk_tpm_object *o)
{
    if (!is_shared(tpm))
        return 1;
    /* whoever had that handle lost it with the TPM's power */
    strike(tpm, hwk_tpm_registry_handle(&tpm->registry, o->loaded));
    uint64_t cookie = hwk_tpm_cookie();
    if (cookie == 0 || !own(tpm))
        return 0;
    const struct hwk_tpm_record r = {o->loaded, tpm->owner, cookie};
    if (!hwk_tpm_registry_add(&tpm->registry, &r))
        return hwk_raise(HWK_R_TPM, "TPM %s: too many keys are loaded",
                         tpm->name);
    o->cookie = cookie;
    tpm->unwritten = true;
    return 1;
}

int hwk_tpm_loaded(struct hwk_tpm *tpm, struct hwk_tpm_object *o, ESYS_TR tr)
{
    TPM2_HANDLE handle = 0;
    TSS2_RC rc = Esys_TR_GetTpmHandle(tpm->esys, tr, &handle);
    close_tr(tpm, o);
    o->tr = tr;
    o->generation = tpm->generation;
    o->loaded = handle;
    o->used = tpm->turns;
    if (hwk_tpm_check(tpm, rc, "handle", 0) && write_down(tpm, o))
        return 1;
    o->loaded = 0;
    hwk_tpm_flush(tpm, &o->tr);
    return 0;
}

void hwk_tpm_unloaded(struct hwk_tpm *tpm, struct hwk_tpm_object *o)
{
    if (hwk_tpm_is_loaded(tpm, o)) {
        hwk_tpm_flush(tpm, &o->tr);
        if (tpm->broken) /* it may still be there */
            mark(tpm);
    }
    put_out(tpm, o);
    close_tr(tpm, o);
}

/* --- room --- */

static TSS2_RC flush(struct hwk_tpm *tpm, TPM2_HANDLE handle)
{
    TSS2_RC rc = hwk_tpm_tcti_flush(tpm->tcti, handle);
    if (hwk_tpm_rc_is(rc, TPM2_RC_HANDLE) ||
        hwk_tpm_rc_is(rc, TPM2_RC_REFERENCE_H0))
        rc = TSS2_RC_SUCCESS; /* gone already */
    return rc;
}

/* of ours, and not in use now: the one that nobody used for longest */
static struct hwk_tpm_object *least_used(struct hwk_tpm *tpm)
{
    struct hwk_tpm_object *least = NULL;
    for (struct hwk_tpm_object *o = tpm->objects; o; o = o->next)
        if (hwk_tpm_is_loaded(tpm, o) && o->used != tpm->turns &&
            (!least || o->used < least->used))
            least = o;
    return least;
}

static TSS2_RC evict(struct hwk_tpm *tpm, struct hwk_tpm_object *o)
{
    TPM2_HANDLE handle = o->loaded;
    put_out(tpm, o);
    return flush(tpm, handle);
}

/* Its owner reads that its record is gone when its turn comes. Struck first:
 * should we die in between, the mark says that the key is nobody's. */
static bool evict_another(struct hwk_tpm *tpm)
{
    size_t i = 0;
    while (i < tpm->registry.n && tpm->registry.at[i].owner == tpm->owner)
        i++;
    if (i == tpm->registry.n)
        return false;
    TPM2_HANDLE handle = tpm->registry.at[i].handle;
    strike(tpm, i);
    tpm->marked = tpm->registry.mark = true;
    return hwk_tpm_registry_write(tpm->turn, &tpm->registry) &&
           flush(tpm, handle) == TSS2_RC_SUCCESS;
}

bool hwk_tpm_make_room(void *arg)
{
    struct hwk_tpm *tpm = arg;
    struct hwk_tpm_object *o = least_used(tpm);
    if (o)
        return evict(tpm, o) == TSS2_RC_SUCCESS;
    return is_shared(tpm) && tpm->turn >= 0 && evict_another(tpm);
}

static size_t count_loaded(const struct hwk_tpm *tpm)
{
    size_t n = 0;
    for (const struct hwk_tpm_object *o = tpm->objects; o; o = o->next)
        n += hwk_tpm_is_loaded(tpm, o);
    return n;
}

void hwk_tpm_spare(struct hwk_tpm *tpm, size_t n)
{
    struct hwk_tpm_object *o;
    while (tpm->slots != 0 && count_loaded(tpm) + n > tpm->slots &&
           (o = least_used(tpm)) && evict(tpm, o) == TSS2_RC_SUCCESS)
        ;
}

/* --- the turn --- */

/* what another process put out to make room */
static void forget_struck(struct hwk_tpm *tpm)
{
    for (struct hwk_tpm_object *o = tpm->objects; o; o = o->next) {
        size_t i = hwk_tpm_registry_cookie(&tpm->registry, o->cookie);
        if (hwk_tpm_is_loaded(tpm, o) &&
            (i == tpm->registry.n || tpm->registry.at[i].handle != o->loaded))
            put_out(tpm, o);
    }
}

static int bury_dead(struct hwk_tpm *tpm)
{
    for (size_t i = tpm->registry.n; i-- > 0;) {
        const struct hwk_tpm_record r = tpm->registry.at[i];
        if (r.owner == tpm->owner || hwk_tpm_owner_lives(tpm->turn, r.owner))
            continue;
        if (!hwk_tpm_check(tpm, flush(tpm, r.handle),
                           "flushing what was left behind", r.handle))
            return 0;
        strike(tpm, i);
    }
    return 1;
}

struct litter {
    struct hwk_tpm *tpm;
    TSS2_RC rc;
};

static int sweep_one(void *arg, TPM2_HANDLE handle)
{
    struct litter *l = arg;
    const struct hwk_tpm_registry *reg = &l->tpm->registry;
    if (hwk_tpm_registry_handle(reg, handle) == reg->n)
        l->rc = flush(l->tpm, handle);
    return l->rc == TSS2_RC_SUCCESS;
}

/* what a process that died was about to write down, and all sessions: none
 * lives longer than a turn */
static int sweep(struct hwk_tpm *tpm)
{
    struct litter l = {tpm, TSS2_RC_SUCCESS};
    const TPM2_HANDLE ranges[] = {HWK_TPM_TRANSIENT, HWK_TPM_SESSIONS};
    for (size_t i = 0; i < 2; i++)
        if (!hwk_tpm_handles(tpm, ranges[i], sweep_one, &l) ||
            !hwk_tpm_check(tpm, l.rc, "flushing what was left behind", 0))
            return 0;
    tpm->registry.mark = false;
    tpm->unwritten = true;
    return 1;
}

int hwk_tpm_settle(struct hwk_tpm *tpm)
{
    if (!is_shared(tpm))
        return 1;
    check_own(tpm);
    forget_struck(tpm);
    return bury_dead(tpm) && (!tpm->registry.mark || sweep(tpm));
}

void hwk_tpm_record(struct hwk_tpm *tpm)
{
    if (tpm->marked && !tpm->broken) {
        tpm->registry.mark = false;
        tpm->unwritten = true;
    }
    tpm->marked = false;
    if (tpm->turn >= 0 && tpm->unwritten)
        hwk_tpm_registry_write(tpm->turn, &tpm->registry);
    tpm->unwritten = false;
}
