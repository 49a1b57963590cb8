/* SPDX-License-Identifier: Apache-2.0 */
/* One holder at a time of a TPM that has no resource manager. */
#ifndef HWK_TPM2_LOCK_H
#define HWK_TPM2_LOCK_H

#include <stdbool.h>

/*
 * A TPM without a resource manager has a handful of slots for all processes.
 * They take turns through a file, locked during one operation only: path if
 * given, else a name made of the TCTI string in the first directory that
 * works of /run/idevid, XDG_RUNTIME_DIR, /tmp (there with the user's number).
 * The file is opened for each turn, so that a removed one does no harm and a
 * child of fork inherits no turn for longer than it takes it to notice.
 *
 * A turn that will leave something in the TPM for a moment marks the file
 * first and unmarks it when all is flushed: a mark that the next holder finds
 * is that of a process that died, and what lies in the TPM is its litter.
 */

/* Waits for its turn. Gives the descriptor, *litter says whether the mark was
 * found; -1 with HWK_R_FILE on the error queue. */
int hwk_tpm_lock(const char *path, const char *tcti, bool *litter);
void hwk_tpm_unlock(int fd);

/* 1, or 0 with HWK_R_FILE. */
int hwk_tpm_lock_mark(int fd, bool on);

#endif
