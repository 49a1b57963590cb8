/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a TPM: one ESYS context, one user of it at a time. */
#ifndef HWK_TPM2_CONN_H
#define HWK_TPM2_CONN_H

#include <pthread.h>
#include <sys/types.h>

#include <tss2/tss2_esys.h>

#include "provider/backend.h"
#include "provider/device/tpm2_idle.h"
#include "provider/device/tpm2_registry.h"
#include "provider/device/tpm2_session.h"
#include "provider/device/tpm2_soft.h"
#include "provider/device/tpm2_tcti.h"

/* The ranges of handles (the library's own macros shift into the sign bit). */
#define HWK_TPM_NV 0x01000000u
#define HWK_TPM_SESSIONS 0x02000000u
#define HWK_TPM_TRANSIENT 0x80000000u
#define HWK_TPM_PERSISTENT 0x81000000u
#define HWK_TPM_PLATFORM_PERSISTENT 0x81800000u

/* Whose slots in the TPM it is that we use. */
enum hwk_tpm_sharing {
    HWK_TPM_MANAGED,   /* a resource manager's: ours alone */
    HWK_TPM_BARE,      /* those of all who talk to it */
    HWK_TPM_EXCLUSIVE, /* the same, and only one may have it open */
};

struct hwk_tpm_object;
struct hwk_tpm_bad;
struct hwk_tpm_devid_known;
struct hwk_tpm_policies;
struct hwk_tpm_borns;

/* The state of the row in backend.h. */
struct hwk_tpm {
    pthread_mutex_t lock;         /* over all below, held from begin to end */
    _Atomic(const void *) holder; /* something of the thread that entered */
    unsigned entered, depth;      /* how often it did; begins within */
    const struct hwk_config *cfg;
    char *name; /* of the TCTI */
    enum hwk_tpm_sharing sharing;
    struct hwk_tpm_tcti *tcti; /* NULL until first used */
    ESYS_CONTEXT *esys;        /* NULL until first used, and when broken */
    unsigned generation;       /* of esys: an ESYS_TR lives in one only */
    bool broken;               /* the line is out of step: build esys anew */
    unsigned turns;            /* how often begin was called */
    bool told; /* why this turn fails is on the error queue already */
    int turn;  /* the lock file while it is our turn, or -1 */
    struct hwk_tpm_registry registry; /* what it says, during a turn */
    bool unwritten, marked;           /* that changed; this turn marked it */
    uint32_t owner;    /* what we are called in it; 0: never loaded anything */
    int owner_fd;      /* what holds the owner's lock, of that file */
    uint64_t owner_id; /* which list that was */
    dev_t owner_dev;
    ino_t owner_ino;
    size_t slots;   /* how many transient objects fit; 0: the TPM says */
    ESYS_TR secret; /* ESYS holds an auth value for it */
    struct hwk_tpm_soft soft;
    struct hwk_tpm_sessions sessions;
    struct hwk_tpm_object *objects;    /* keys in use */
    struct hwk_tpm_bad *bad;           /* what keys refused, see tpm2_bad.h */
    struct hwk_tpm_devid_known *devid; /* of tpm2_finddev.c; may be NULL */
    struct hwk_tpm_policies *policies; /* see tpm2_satisfy.h; NULL: none yet */
    struct hwk_tpm_borns *born; /* of this turn, see tpm2_born.h; or NULL */
    size_t nv_chunk, nv_max;    /* bytes; 0: not asked yet */
    size_t nv_took; /* that many went in one NV command, whatever nv_chunk */
    struct hwk_tpm_idle idle;
    struct hwk_tpm_left *left; /* of before forks, never touched again */
};

/* Reads cfg (lent), allocates; the TPM is not touched. NULL with a reason. */
struct hwk_tpm *hwk_tpm_new(const struct hwk_config *cfg);
void hwk_tpm_free(struct hwk_tpm *tpm);

/* What "device:/dev/tpmrm0" and others mean; pure. */
enum hwk_tpm_sharing hwk_tpm_sharing(const char *tcti);

/* After fork, in the child: see backend.h. */
void hwk_tpm_forked(struct hwk_tpm *tpm);
int hwk_tpm_renew(struct hwk_tpm *tpm);

/*
 * Between begin and end the TPM is ours: other threads wait, and without a
 * resource manager other processes too. begin opens what is not open and
 * clears the litter of a process that died. Gives the ESYS context, or NULL
 * with a reason (HWK_R_NO_DEVICE when there is no TPM); then there is nothing
 * to end. No callback of an application runs in between.
 */
ESYS_CONTEXT *hwk_tpm_begin(struct hwk_tpm *tpm);
void hwk_tpm_end(struct hwk_tpm *tpm);

/* tpm->lock, which a thread that entered has already. */
void hwk_tpm_hold(struct hwk_tpm *tpm);
void hwk_tpm_let_go(struct hwk_tpm *tpm);
/* The same for who holds tpm->lock already, which end lets go also when there
 * was no turn. */
ESYS_CONTEXT *hwk_tpm_begin_locked(struct hwk_tpm *tpm);

/*
 * One turn for all that the calling thread does until leave: begin and end in
 * between nest, and one HMAC session, once started, authorises all commands
 * that take one, also where there is no resource manager. 1, or 0 with a
 * reason, and nothing to leave. They nest, too. A line that is lost in between
 * is opened anew by the next begin.
 */
int hwk_tpm_enter(struct hwk_tpm *tpm);
void hwk_tpm_leave(struct hwk_tpm *tpm);
/* Whether the calling thread is between enter and leave. */
bool hwk_tpm_entered(struct hwk_tpm *tpm);

/* Closes the line in good order, under tpm->lock: begin opens it again. */
void hwk_tpm_hang_up(struct hwk_tpm *tpm);

/* To be called before the first command that leaves something transient in
 * the TPM. end takes it back when the line is sound: flush before. */
int hwk_tpm_mark(struct hwk_tpm *tpm);

/* To be called before n transient objects are there at once: where it is known
 * how many fit, keys that are loaded and not in use go beforehand. (Elsewhere
 * they go when the TPM says that it is full, and nobody notices.) */
void hwk_tpm_spare(struct hwk_tpm *tpm, size_t n);

/* 1 when rc is success; otherwise 0 with a reason and rc in words: what is
 * the operation, of handle unless that is 0. A line out of step and things
 * lost are noted: end begins anew. */
int hwk_tpm_check(struct hwk_tpm *tpm, TSS2_RC rc, const char *what,
                  TPM2_HANDLE handle);

/* What rc is among the reasons of err.h; pure. */
int hwk_tpm_reason(TSS2_RC rc);

/* True when the TPM itself answered, and this (format-1 codes without their
 * parameter, handle or session number), or its resource manager for it;
 * pure. */
bool hwk_tpm_rc_is(TSS2_RC rc, TPM2_RC code);

/* True when it is what the TPM (or its resource manager) answered, be it
 * success, and not of the way to it; pure. */
bool hwk_tpm_answered(TSS2_RC rc);

/* Whether rc says that what was loaded is not there any more, or that the line
 * is gone: the TPM lost its power, or its server was restarted. Pure. */
bool hwk_tpm_rc_lost(TSS2_RC rc);

/* After such a loss, between begin and end: connects anew. What was loaded and
 * all sessions are forgotten, tpm->esys is another, and who does no harm by
 * sending a command twice does all again. 1, or 0 with a reason. */
int hwk_tpm_reopen(struct hwk_tpm *tpm);

/* Flushes what a transient object left, if any (ESYS_TR_NONE is fine). */
void hwk_tpm_flush(struct hwk_tpm *tpm, ESYS_TR *object);

#endif
