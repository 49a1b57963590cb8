/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that a TPM keeps, and those that it does not keep any more. */
#include "provider/device/tpm2_evict.h"
#include "provider/device/tpm2_authcall.h"

int hwk_tpm_evict(struct hwk_tpm *tpm, TPM2_HANDLE hierarchy,
                  const struct hwk_secret *auth, TPM2_HANDLE what,
                  const TPM2B_NAME *name, TPM2_HANDLE handle, TSS2_RC *rc)
{
    const TPM2_HANDLE handles[] = {hierarchy, what};
    const TPM2B_NAME names[] = {hwk_tpm_handle_name(hierarchy), *name};
    const ESYS_TR by =
        hierarchy == TPM2_RH_PLATFORM ? ESYS_TR_RH_PLATFORM : ESYS_TR_RH_OWNER;
    struct hwk_tpm_authorization one = {.auth = auth};
    struct hwk_tpm_call call;
    do {
        if (!hwk_tpm_authorize(tpm, by, auth, HWK_TPM_NO_SECRET, &one.session))
            return 0;
        hwk_tpm_call_start(&call, TPM2_CC_EvictControl, handles, 2, false);
        hwk_tpm_call_put(&call, UINT32, handle);
        *rc = hwk_tpm_authcall_run(tpm, &call, names, 2, &one, 1);
    } while (hwk_tpm_again(tpm, *rc));
    return 1;
}
