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
 * Who waits stands in a queue: who just had a turn does not get the next one
 * before somebody who has been waiting.
 *
 * What is in the file says tpm2_registry.h.
 */

/* Waits for its turn. The descriptor is in *turn, which is -1 on entry, even
 * while it waits: a child of a fork that another thread does closes it. 1, or
 * 0 with HWK_R_FILE on the error queue and *turn -1. */
int hwk_tpm_lock(const char *path, const char *tcti, int *turn);

/* Ends the turn. The descriptor stays open if keep, as that of an owner. */
void hwk_tpm_unlock(int fd, bool keep);

#endif
