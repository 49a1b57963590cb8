/* SPDX-License-Identifier: Apache-2.0 */
/* Our TCTI around the real one: counts, resubmits, opens and closes. */
#ifndef HWK_TPM2_TCTI_H
#define HWK_TPM2_TCTI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tss2/tss2_tcti.h>
#include <tss2/tss2_tpm2_types.h>

struct hwk_tpm_tcti;

/*
 * Wraps the TCTI that name opens through tctildr. No I/O: the real one is
 * opened by the first command, and again after hwk_tpm_tcti_park().
 * A command that the TPM answers with RETRY, YIELDED or TESTING (it was not
 * executed) is sent again, with growing pauses, for up to ten seconds. Every
 * command, hidden and repeated ones too, is counted in hwk_counters.
 * NULL when out of memory.
 */
struct hwk_tpm_tcti *hwk_tpm_tcti_new(const char *name);
void hwk_tpm_tcti_free(struct hwk_tpm_tcti *t);

/* What ESYS is given. Valid until free; never finalised by anyone else. */
TSS2_TCTI_CONTEXT *hwk_tpm_tcti_context(struct hwk_tpm_tcti *t);

/* Called when the TPM has no room for what a command makes, instead of telling
 * ESYS: true when it flushed something, and the command is sent again. It may
 * call hwk_tpm_tcti_flush, nothing else of the same TPM. NULL: nobody. */
typedef bool hwk_tpm_room_fn(void *arg);
void hwk_tpm_tcti_when_full(struct hwk_tpm_tcti *t, hwk_tpm_room_fn *fn,
                            void *arg);

/* Opens the real one now, so that a missing TPM shows before a command. */
TSS2_RC hwk_tpm_tcti_open(struct hwk_tpm_tcti *t);

bool hwk_tpm_tcti_is_open(const struct hwk_tpm_tcti *t);

/* Whether the other side of an open line has hung up. No command; false where
 * that cannot be seen. */
bool hwk_tpm_tcti_is_dead(const struct hwk_tpm_tcti *t);

/* Closes the real one: a device file that takes one client at a time is
 * free for the next process. */
void hwk_tpm_tcti_park(struct hwk_tpm_tcti *t);

/* The answer to what was asked, header included, until it is used. */
const uint8_t *hwk_tpm_tcti_last(const struct hwk_tpm_tcti *t, size_t *n);

/*
 * Sends a command that is no more than its code and a handle (ReadPublic,
 * NV_ReadPublic). ESYS prints what a TPM refuses on stderr, and a handle that
 * is not there is no error to us: ask first, and when ESYS then sends the very
 * same as its next command, it is given the answer that is there already.
 */
TSS2_RC hwk_tpm_tcti_ask(struct hwk_tpm_tcti *t, TPM2_CC command,
                         TPM2_HANDLE handle);

/* TPM2_FlushContext of a bare handle, which ESYS cannot name. */
TSS2_RC hwk_tpm_tcti_flush(struct hwk_tpm_tcti *t, TPM2_HANDLE handle);

/*
 * For tests: called for every command before it is sent and after its
 * response came; what it returns, if not 0, is given to ESYS instead (a code
 * of the TCTI layer is a broken line, one of the TPM layer a response).
 * NULL switches it off.
 */
typedef TSS2_RC hwk_tpm_fault_fn(void *arg, bool sent, TPM2_CC command);
void hwk_tpm_set_fault(hwk_tpm_fault_fn *fn, void *arg);

#endif
