/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that a TPM keeps, and those that it does not keep any more. */
#ifndef HWK_TPM2_EVICT_H
#define HWK_TPM2_EVICT_H

#include "provider/device/tpm2_conn.h"
#include "provider/env.h"

/*
 * EvictControl by the owner or the platform, auth being the hierarchy's value
 * (NULL: empty): the key that is loaded as what, of that Name, is kept at
 * handle; or, what being handle, is not any more. Past ESYS, which would print
 * that a handle is taken or free, or the value wrong. 1 with *rc, which is for
 * hwk_tpm_check, or 0 with a reason.
 */
int hwk_tpm_evict(struct hwk_tpm *tpm, TPM2_HANDLE hierarchy,
                  const struct hwk_secret *auth, TPM2_HANDLE what,
                  const TPM2B_NAME *name, TPM2_HANDLE handle, TSS2_RC *rc);

#endif
