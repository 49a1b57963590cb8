/* SPDX-License-Identifier: Apache-2.0 */
/* TSS2_RC as reasons and words. */
#include <stdio.h>

#include <tss2/tss2_rc.h>

#include "provider/device/tpm2_conn.h"

/* The TPM's own code, without numbers of parameters, or what a resource manager
 * says in its place; SUCCESS if it is of neither. */
static TPM2_RC plain(TSS2_RC rc)
{
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;
    rc &= ~TSS2_RC_LAYER_MASK;
    if (layer == TSS2_RESMGR_RC_LAYER)
        return rc >= TPM2_RC_VER1 ? rc : TPM2_RC_SUCCESS;
    if (layer != TSS2_TPM_RC_LAYER && layer != TSS2_RESMGR_TPM_RC_LAYER)
        return TPM2_RC_SUCCESS;
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

/* the answer has not the HMAC that it ought to have, or makes no sense */
static bool is_altered(TSS2_RC rc)
{
    switch (rc & TSS2_RC_LAYER_MASK) {
    case TSS2_TCTI_RC_LAYER:
        return rc == TSS2_TCTI_RC_MALFORMED_RESPONSE;
    case TSS2_ESAPI_RC_LAYER:
    case TSS2_SYS_RC_LAYER:
    case TSS2_MU_RC_LAYER:
        break;
    default:
        return false;
    }
    switch (rc & ~TSS2_RC_LAYER_MASK) {
    case TSS2_BASE_RC_GENERAL_FAILURE: /* of how many sessions it tells */
    case TSS2_BASE_RC_INSUFFICIENT_BUFFER:
    case TSS2_BASE_RC_BAD_VALUE:
    case TSS2_BASE_RC_BAD_SIZE:
    case TSS2_BASE_RC_MALFORMED_RESPONSE:
    case TSS2_BASE_RC_INSUFFICIENT_RESPONSE:
    case TSS2_BASE_RC_RSP_AUTH_FAILED:
        return true;
    default:
        return false;
    }
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
    case TPM2_RC_NV_SPACE:
        return HWK_R_NV_FULL;
    case TPM2_RC_SCHEME:
    case TPM2_RC_HASH: /* one that this TPM does not have */
        return HWK_R_UNSUPPORTED;
    default:
        return HWK_R_TPM;
    }
}

/* a transient object or a session */
static bool is_gone(TPM2_RC code)
{
    return code >= TPM2_RC_REFERENCE_H0 && code <= TPM2_RC_REFERENCE_S6;
}

bool hwk_tpm_rc_lost(TSS2_RC rc)
{
    TPM2_RC code = plain(rc);
    return (rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER || is_gone(code) ||
           code == TPM2_RC_HANDLE;
}

static const struct {
    TPM2_RC code;
    const char *text;
} hints[] = {
    {TPM2_RC_LOCKOUT,
     "the TPM is in dictionary-attack lockout until its recovery time has "
     "passed or its lockout administrator resets it"},
    {TPM2_RC_INITIALIZE, "the TPM was not started up; the platform's firmware "
                         "or the kernel has to do that"},
    {TPM2_RC_FAILURE, "the TPM is in failure mode until it is reset"},
    {TPM2_RC_REBOOT, "the TPM needs a reset of the machine"},
    {TPM2_RC_UPGRADE, "the TPM's firmware is being replaced"},
    {TPM2_RC_DISABLED, "the TPM does not have that command now"},
    {TPM2_RC_COMMAND_CODE, "this TPM does not have that command"},
    {TPM2_RC_HIERARCHY, "that hierarchy is disabled in this TPM"},
    {TPM2_RC_INTEGRITY, "the key was made for another parent or another TPM, "
                        "or altered, or the TPM was cleared since"},
    {TPM2_RC_BINDING, "the halves of the key do not belong together"},
    {TPM2_RC_AUTH_UNAVAILABLE, "that use takes a policy"},
    {TPM2_RC_OBJECT_MEMORY, "others hold all slots for keys; a resource "
                            "manager gives everybody slots of their own"},
    {TPM2_RC_OBJECT_HANDLES, "there are no handles for keys left"},
    {TPM2_RC_SESSION_MEMORY, "others hold all slots for sessions; a resource "
                             "manager gives everybody slots of their own"},
    {TPM2_RC_SESSION_HANDLES, "there are no handles for sessions left"},
    {TPM2_RC_MEMORY, "the TPM is out of memory"},
    {TPM2_RC_CONTEXT_GAP, "a session was saved too long ago: others have to "
                          "end or use theirs"},
    {TPM2_RC_CANCELED, "somebody cancelled the command"},
    {TPM2_RC_LOCALITY, "that is not allowed from where this program runs"},
    {TPM2_RC_NV_RATE, "the TPM wears out its memory no faster: try later"},
    {TPM2_RC_NV_UNAVAILABLE, "the TPM cannot write to its memory now"},
    {TPM2_RC_NV_SPACE, "the TPM has no room left"},
    {TPM2_RC_RETRY, "the TPM did not get round to it in ten seconds"},
    {TPM2_RC_YIELDED, "the TPM did not get round to it in ten seconds"},
    {TPM2_RC_TESTING, "the TPM did not finish its self-test in ten seconds"},
};

static const char *hint(const struct hwk_tpm *tpm, TSS2_RC rc)
{
    TPM2_RC code = plain(rc);
    if (is_altered(rc))
        return "the answer was altered on its way, or is not a TPM's";
    if (tpm->sessions.shielded && hwk_tpm_reason(rc) == HWK_R_PIN_INCORRECT)
        return "the authorization value is wrong, or the command was altered "
               "on its way";
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        if (hints[i].code == code)
            return hints[i].text;
    return NULL;
}

int hwk_tpm_check(struct hwk_tpm *tpm, TSS2_RC rc, const char *what,
                  TPM2_HANDLE handle)
{
    char of[16] = "";
    const char *why = hint(tpm, rc);
    if (rc == TSS2_RC_SUCCESS)
        return 1;
    if (!hwk_tpm_answered(rc) || is_gone(plain(rc)))
        tpm->broken = true;
    if (handle)
        snprintf(of, sizeof(of), " of 0x%08x", handle);
    return hwk_raise(hwk_tpm_reason(rc), "TPM %s: %s%s: %s (0x%x)%s%s",
                     tpm->name, what, of, Tss2_RC_Decode(rc), rc,
                     why ? "; " : "", why ? why : "");
}
