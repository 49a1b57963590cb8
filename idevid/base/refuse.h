/* SPDX-License-Identifier: Apache-2.0 */
/* How services say no: one code for the log, one short text for the peer. */
#ifndef IDEVID_BASE_REFUSE_H
#define IDEVID_BASE_REFUSE_H

#include <idevid/env.h>
#include <idevid/machine.h>

/* Zeroed: nothing refused. why and text are static strings. */
struct idvi_refusal {
    int status;                /* 0: nothing was refused */
    int retry_after;           /* seconds, 0 none */
    const char *why;           /* a code of its own for each reason */
    const char *text;          /* what the peer is told */
    char detail[IDV_NOTE_MAX]; /* for the log only */
};

/* Fills r, moves the note into detail, returns IDV_E_REJECT: a step ends with
 * `return idvi_refuse(...)`. */
idv_rc idvi_refuse(struct idvi_refusal *r, int status, const char *why,
                   const char *text) IDV_CHECKED;

/* Judges what came from outside: IDV_OK passes; out of memory, and failures
 * of store, device or clock pass as they are; all else is refused. */
idv_rc idvi_judge(struct idvi_refusal *r, idv_rc rc, int status,
                  const char *why, const char *text) IDV_CHECKED;

/* Logs once and fills the reply. who names the device ("" unknown). */
idv_rc idvi_refusal_reply(const struct idvi_refusal *r,
                          const struct idv_env *env, const char *role,
                          const char *who, struct idv_call *call) IDV_CHECKED;

/* The chores every path begins with: 405, 413 for the wrong verb or too long
 * a body. */
idv_rc idvi_refuse_verb(struct idvi_refusal *r, const struct idv_call *call,
                        enum idv_verb verb) IDV_CHECKED;

#endif
