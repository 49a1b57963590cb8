/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a TPM: one ESYS context, one user of it at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "provider/device/tpm2_bad.h"
#include "provider/device/tpm2_born.h"
#include "provider/device/tpm2_lock.h"
#include "provider/device/tpm2_resident.h"
#include "provider/device/tpm2_satisfy.h"

/* How many objects the kernel's resource manager keeps for each who has it
 * open; for one more it drops them all. */
#define KERNEL_SLOTS 3

/* what a child of fork inherited: its parent's, kept reachable, never used */
struct hwk_tpm_left {
    struct hwk_tpm_left *next;
    struct hwk_tpm_tcti *tcti;
    ESYS_CONTEXT *esys;
};

/* "libtss2-tcti-device.so.0:/dev/tpm0", "device:/dev/tpm0", "/dev/tpm0" */
enum hwk_tpm_sharing hwk_tpm_sharing(const char *tcti)
{
    size_t n = strcspn(tcti, ":");
    const char *conf = tcti[n] == ':' ? tcti + n + 1 : "";
    char kind[64];
    if (tcti[0] == '/' && tcti[n] == 0) { /* a device, or a library */
        conf = tcti;
        kind[0] = 0;
    } else {
        snprintf(kind, sizeof(kind), "%.*s", (int)n, tcti);
    }
    if (strstr(kind, "pcap"))
        return hwk_tpm_sharing(conf);
    if (strstr(kind, "tabrmd"))
        return HWK_TPM_MANAGED;
    if (strstr(kind, "device") || strncmp(conf, "/dev/", 5) == 0)
        return strncmp(conf, "/dev/tpmrm", 10) == 0 ? HWK_TPM_MANAGED
                                                    : HWK_TPM_EXCLUSIVE;
    return HWK_TPM_BARE;
}

static const char *default_tcti(void)
{
    return access("/dev/tpmrm0", F_OK) == 0 ? "device:/dev/tpmrm0"
                                            : "device:/dev/tpm0";
}

struct hwk_tpm *hwk_tpm_new(const struct hwk_config *cfg)
{
    struct hwk_tpm *tpm = OPENSSL_zalloc(sizeof(*tpm));
    (void)hwk_err_lib(); /* before ESYS takes the numbers */
    if (tpm)
        tpm->name =
            OPENSSL_strdup(cfg && cfg->tcti ? cfg->tcti : default_tcti());
    if (!tpm || !tpm->name) {
        OPENSSL_free(tpm);
        hwk_raise(HWK_R_MEMORY, "TPM");
        return NULL;
    }
    pthread_mutex_init(&tpm->lock, NULL);
    tpm->cfg = cfg;
    tpm->sharing = hwk_tpm_sharing(tpm->name);
    if (tpm->sharing == HWK_TPM_MANAGED && strstr(tpm->name, "/dev/tpmrm"))
        tpm->slots = KERNEL_SLOTS;
    tpm->turn = tpm->owner_fd = -1;
    hwk_tpm_sessions_forget(tpm);
    hwk_tpm_idle_new(tpm);
    hwk_tpm_at_exit(tpm);
    return tpm;
}

/* every ESYS_TR dies with the context: its generation is over */
static void disconnect(struct hwk_tpm *tpm)
{
    hwk_tpm_sessions_forget(tpm);
    Esys_Finalize(&tpm->esys);
    hwk_tpm_tcti_free(tpm->tcti);
    tpm->tcti = NULL;
    tpm->broken = false;
}

static _Thread_local const char me; /* its address is the thread's */

static bool is_mine(struct hwk_tpm *tpm)
{
    return atomic_load(&tpm->holder) == &me;
}

void hwk_tpm_forked(struct hwk_tpm *tpm)
{
    if (is_mine(tpm)) /* the one thread that is here, too */
        pthread_mutex_unlock(&tpm->lock);
    pthread_mutex_init(&tpm->lock, NULL);
    if (tpm->turn >= 0 && tpm->turn != tpm->owner_fd)
        close(tpm->turn);
    tpm->turn = -1;
    tpm->entered = tpm->depth = 0;
    atomic_store(&tpm->holder, NULL);
    hwk_tpm_disown(tpm);
    hwk_tpm_idle_forked(tpm);
    tpm->marked = false;
    hwk_tpm_sessions_forget(tpm);
    tpm->generation++; /* of what was inherited nothing is touched */
}

int hwk_tpm_renew(struct hwk_tpm *tpm)
{
    struct hwk_tpm_left *left = OPENSSL_malloc(sizeof(*left));
    if (!left)
        return hwk_raise(HWK_R_MEMORY, "TPM");
    *left = (struct hwk_tpm_left){tpm->left, tpm->tcti, tpm->esys};
    tpm->left = left;
    tpm->tcti = NULL;
    tpm->esys = NULL;
    tpm->broken = false;
    for (struct hwk_tpm_object *o = tpm->objects; o; o = o->next)
        hwk_tpm_object_forked(o);
    return 1;
}

static int connect_esys(struct hwk_tpm *tpm)
{
    if (!tpm->tcti && !(tpm->tcti = hwk_tpm_tcti_new(tpm->name)))
        return hwk_raise(HWK_R_MEMORY, "TPM");
    if (hwk_tpm_tcti_is_dead(tpm->tcti)) {
        hwk_tpm_forget_loaded(tpm);
        disconnect(tpm);
        return connect_esys(tpm);
    }
    hwk_tpm_tcti_when_full(tpm->tcti, hwk_tpm_make_room, tpm);
    TSS2_RC rc = hwk_tpm_tcti_open(tpm->tcti);
    if (rc != TSS2_RC_SUCCESS)
        return hwk_tpm_check(tpm, rc, "no TPM reached", 0);
    if (tpm->esys)
        return 1;
    rc = Esys_Initialize(&tpm->esys, hwk_tpm_tcti_context(tpm->tcti), NULL);
    tpm->generation++;
    return hwk_tpm_check(tpm, rc, "context", 0);
}

static int take_turn(struct hwk_tpm *tpm)
{
    const char *path = tpm->cfg ? tpm->cfg->tpm_lock : NULL;
    tpm->turns++;
    tpm->unwritten = tpm->told = false;
    tpm->sessions.retried = false;
    if (tpm->sharing != HWK_TPM_MANAGED &&
        (!hwk_tpm_lock(path, tpm->name, &tpm->turn) ||
         !hwk_tpm_registry_read(tpm->turn, &tpm->registry)))
        return 0;
    return connect_esys(tpm) && hwk_tpm_settle(tpm);
}

/* --- turns within a turn --- */

/* what was in the TPM when the line broke may still be there */
static void litter(struct hwk_tpm *tpm)
{
    if (tpm->turn >= 0)
        tpm->registry.mark = tpm->unwritten = true;
    tpm->marked = false;
}

static int go_on(struct hwk_tpm *tpm)
{
    unsigned before = tpm->esys ? tpm->generation : 0;
    tpm->turns++;
    tpm->told = tpm->sessions.retried = false;
    if (!connect_esys(tpm))
        return 0;
    if (tpm->generation == before)
        return 1;
    litter(tpm);
    return hwk_tpm_settle(tpm);
}

static void pause_turn(struct hwk_tpm *tpm)
{
    hwk_tpm_sessions_end(tpm);
    if (!tpm->broken)
        return;
    hwk_tpm_forget_loaded(tpm);
    disconnect(tpm);
    litter(tpm);
}

void hwk_tpm_hold(struct hwk_tpm *tpm)
{
    if (is_mine(tpm))
        tpm->depth++;
    else
        pthread_mutex_lock(&tpm->lock);
}

void hwk_tpm_let_go(struct hwk_tpm *tpm)
{
    if (tpm->depth > 0)
        tpm->depth--;
    else
        pthread_mutex_unlock(&tpm->lock);
}

int hwk_tpm_enter(struct hwk_tpm *tpm)
{
    if (!is_mine(tpm)) {
        if (!hwk_tpm_begin(tpm))
            return 0;
        atomic_store(&tpm->holder, &me);
        hwk_tpm_born_leave(tpm); /* of before a fork */
    }
    tpm->entered++;
    return 1;
}

void hwk_tpm_leave(struct hwk_tpm *tpm)
{
    if (!is_mine(tpm) || --tpm->entered > 0)
        return;
    hwk_tpm_born_leave(tpm);
    hwk_tpm_sessions_leave(tpm);
    atomic_store(&tpm->holder, NULL);
    hwk_tpm_end(tpm);
}

bool hwk_tpm_entered(struct hwk_tpm *tpm)
{
    return is_mine(tpm);
}

/* --- turns --- */

ESYS_CONTEXT *hwk_tpm_begin(struct hwk_tpm *tpm)
{
    hwk_tpm_hold(tpm);
    return hwk_tpm_begin_locked(tpm);
}

ESYS_CONTEXT *hwk_tpm_begin_locked(struct hwk_tpm *tpm)
{
    if (tpm->depth > 0 ? go_on(tpm) : take_turn(tpm))
        return tpm->esys;
    hwk_tpm_end(tpm);
    return NULL;
}

void hwk_tpm_end(struct hwk_tpm *tpm)
{
    if (tpm->depth > 0) {
        pause_turn(tpm);
        hwk_tpm_let_go(tpm);
        return;
    }
    hwk_tpm_sessions_end(tpm);
    if (tpm->broken)
        hwk_tpm_forget_loaded(tpm);
    hwk_tpm_record(tpm);
    if (tpm->broken)
        disconnect(tpm);
    else if (tpm->sharing == HWK_TPM_EXCLUSIVE)
        hwk_tpm_hang_up(tpm);
    else
        hwk_tpm_idle_begins(tpm);
    if (tpm->turn >= 0)
        hwk_tpm_unlock(tpm->turn, tpm->turn == tpm->owner_fd);
    tpm->turn = -1;
    hwk_tpm_let_go(tpm);
}

/* What is loaded stays in a TPM, but a resource manager flushes it. */
void hwk_tpm_hang_up(struct hwk_tpm *tpm)
{
    if (tpm->sharing == HWK_TPM_MANAGED) {
        hwk_tpm_forget_loaded(tpm);
        disconnect(tpm);
    } else if (tpm->tcti) {
        hwk_tpm_tcti_park(tpm->tcti);
    }
}

int hwk_tpm_reopen(struct hwk_tpm *tpm)
{
    tpm->broken = true;
    hwk_tpm_sessions_end(tpm);
    hwk_tpm_forget_loaded(tpm);
    if (tpm->turn >= 0)
        tpm->registry.mark = tpm->unwritten = true;
    disconnect(tpm);
    return connect_esys(tpm) && hwk_tpm_settle(tpm);
}

int hwk_tpm_mark(struct hwk_tpm *tpm)
{
    if (tpm->turn < 0 || tpm->marked)
        return 1;
    tpm->registry.mark = true;
    tpm->marked = hwk_tpm_registry_write(tpm->turn, &tpm->registry);
    return tpm->marked;
}

void hwk_tpm_flush(struct hwk_tpm *tpm, ESYS_TR *object)
{
    if (*object != ESYS_TR_NONE && !tpm->broken) {
        TSS2_RC rc = Esys_FlushContext(tpm->esys, *object);
        if (rc != TSS2_RC_SUCCESS)
            tpm->broken = true;
    }
    *object = ESYS_TR_NONE;
}

/* --- its end --- */

void hwk_tpm_free(struct hwk_tpm *tpm)
{
    if (!tpm)
        return;
    while (is_mine(tpm))
        hwk_tpm_leave(tpm);
    hwk_tpm_not_at_exit(tpm);
    hwk_tpm_object_unload(tpm);
    hwk_tpm_policies_free(tpm);
    hwk_tpm_idle_free(tpm);
    hwk_tpm_disown(tpm);
    disconnect(tpm);
    while (tpm->left) {
        struct hwk_tpm_left *next = tpm->left->next;
        OPENSSL_free(tpm->left);
        tpm->left = next;
    }
    hwk_tpm_bad_free(tpm);
    hwk_tpm_soft_clear(&tpm->soft);
    OPENSSL_free(tpm->born);
    OPENSSL_free(tpm->devid);
    pthread_mutex_destroy(&tpm->lock);
    OPENSSL_free(tpm->name);
    OPENSSL_free(tpm);
}
