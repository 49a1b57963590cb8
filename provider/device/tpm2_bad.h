/* SPDX-License-Identifier: Apache-2.0 */
/* Authorization values that a TPM refused: none is tried twice. */
#ifndef HWK_TPM2_BAD_H
#define HWK_TPM2_BAD_H

#include "provider/device/tpm2_conn.h"

/* They are known by the Name of what refused them, beyond a key's own life:
 * whoever opens it again with the same value costs the TPM no other try. auth
 * NULL is the empty value. The TPM's lock is held. */
bool hwk_tpm_bad_is(const struct hwk_tpm *tpm, const TPM2B_NAME *name,
                    const struct hwk_secret *auth);
void hwk_tpm_bad_add(struct hwk_tpm *tpm, const TPM2B_NAME *name,
                     const struct hwk_secret *auth);
/* We have just given what has that Name another value. */
void hwk_tpm_bad_forget(struct hwk_tpm *tpm, const TPM2B_NAME *name);
void hwk_tpm_bad_free(struct hwk_tpm *tpm);

#endif
