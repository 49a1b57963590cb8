/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys are loaded in the TPM, and which of them have to go. */
#ifndef HWK_TPM2_RESIDENT_H
#define HWK_TPM2_RESIDENT_H

#include "provider/device/tpm2_object.h"

/*
 * A key that is not persistent stays in the TPM while somebody has it open, and
 * is loaded again when it was put out. Put out is, when the TPM has no room for
 * what is asked of it: the one of ours that was used longest ago, of those that
 * this turn has not used; without a resource manager, when there is none, the
 * one that another process loaded longest ago. That happens below ESYS, which
 * would print the refusal: the command is sent again and nobody notices.
 *
 * Behind a resource manager what we loaded is ours alone and goes with the
 * connection. Without one it has a record in the lock file, see
 * tpm2_registry.h.
 *
 * All functions are called between begin and end, or by these two.
 */

/* For begin, once the TPM is open: forgets what others put out, flushes what
 * dead owners left, and after a mark everything that nobody has a record of.
 * 1, or 0 with a reason. */
int hwk_tpm_settle(struct hwk_tpm *tpm);

/* For end: writes down what is loaded now. */
void hwk_tpm_record(struct hwk_tpm *tpm);

/* The line to the TPM or the TPM itself was lost: nothing of ours is known to
 * be loaded. */
void hwk_tpm_forget_loaded(struct hwk_tpm *tpm);

/* We own nothing any more, also in the child of a fork: its parent still
 * does. */
void hwk_tpm_disown(struct hwk_tpm *tpm);

/* Whether tr of a key from a source is good. */
bool hwk_tpm_is_loaded(const struct hwk_tpm *tpm,
                       const struct hwk_tpm_object *o);
/* tr has just been loaded. When that cannot be written down it is flushed: 0
 * with a reason. */
int hwk_tpm_loaded(struct hwk_tpm *tpm, struct hwk_tpm_object *o, ESYS_TR tr);
/* Flushes it, if it is loaded. */
void hwk_tpm_unloaded(struct hwk_tpm *tpm, struct hwk_tpm_object *o);

/* A hwk_tpm_room_fn; arg is the struct hwk_tpm. */
bool hwk_tpm_make_room(void *arg);

#endif
