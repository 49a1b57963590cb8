/* SPDX-License-Identifier: Apache-2.0 */
/* TSS2_RC as reasons and words. */
#include <tss2/tss2_rc.h>

#include "provider/device/tpm2_conn.h"

/* the TPM's own code, without numbers of parameters; SUCCESS if not its */
static TPM2_RC plain(TSS2_RC rc)
{
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;
    if (layer != TSS2_TPM_RC_LAYER && layer != TSS2_RESMGR_TPM_RC_LAYER)
        return TPM2_RC_SUCCESS;
    rc &= ~TSS2_RC_LAYER_MASK;
    return rc & TPM2_RC_FMT1 ? rc & (TPM2_RC_FMT1 | 0x3f) : rc;
}

bool hwk_tpm_rc_is(TSS2_RC rc, TPM2_RC code)
{
    return plain(rc) == code;
}

bool hwk_tpm_answered(TSS2_RC rc)
{
    return rc == TSS2_RC_SUCCESS || plain(rc) != TPM2_RC_SUCCESS;
}

/* ESYS computed another HMAC than came with the answer */
static bool is_altered(TSS2_RC rc)
{
    return rc == TSS2_ESYS_RC_RSP_AUTH_FAILED;
}

int hwk_tpm_reason(TSS2_RC rc)
{
    if (is_altered(rc))
        return HWK_R_BUS;
    switch (plain(rc)) {
    case TPM2_RC_SUCCESS:
        return (rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER ? HWK_R_NO_DEVICE
                                                               : HWK_R_TPM;
    case TPM2_RC_LOCKOUT:
        return HWK_R_LOCKOUT;
    case TPM2_RC_AUTH_FAIL:
    case TPM2_RC_BAD_AUTH:
        return HWK_R_PIN_INCORRECT;
    case TPM2_RC_HANDLE:
        return HWK_R_NOT_FOUND;
    case TPM2_RC_NV_DEFINED:
        return HWK_R_EXISTS;
    default:
        return HWK_R_TPM;
    }
}

int hwk_tpm_check(struct hwk_tpm *tpm, TSS2_RC rc, const char *what,
                  TPM2_HANDLE handle)
{
    if (rc == TSS2_RC_SUCCESS)
        return 1;
    int reason = hwk_tpm_reason(rc);
    if (!hwk_tpm_answered(rc))
        tpm->broken = true;
    const char *hint =
        reason == HWK_R_LOCKOUT
            ? "; the TPM is in dictionary-attack lockout until its recovery "
              "time has passed or its lockout administrator resets it"
        : reason == HWK_R_BUS ? "; the answer was altered on its way"
                              : "";
    if (handle)
        return hwk_raise(reason, "TPM %s: %s of 0x%08x: %s (0x%x)%s", tpm->name,
                         what, handle, Tss2_RC_Decode(rc), rc, hint);
    return hwk_raise(reason, "TPM %s: %s: %s (0x%x)%s", tpm->name, what,
                     Tss2_RC_Decode(rc), rc, hint);
}
