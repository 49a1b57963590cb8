/* SPDX-License-Identifier: Apache-2.0 */
/* What an NV index holds, for who judges it by itself: without a session, and
 * past ESYS, which takes milliseconds of every command that has one. */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_call.h"
#include "provider/device/tpm2_caps.h"
#include "provider/device/tpm2_door.h"
#include "provider/device/tpm2_nvcommand.h"

/* Whether the index's own empty value reads it, and that may go in the clear.
 */
static bool bare(const struct hwk_tpm *tpm, const TPMS_NV_PUBLIC *pub)
{
    const TPMA_NV need = TPMA_NV_AUTHREAD | TPMA_NV_WRITTEN;
    return (pub->attributes & need) == need &&
           !(tpm->cfg && tpm->cfg->tpm_sessions == HWK_PROTECT_ALWAYS);
}

static int odd(const struct hwk_tpm_index *ix)
{
    return hwk_raise(HWK_R_BUS,
                     "TPM %s: NV index 0x%08x gave another number of bytes "
                     "than was asked for",
                     ix->tpm->name, ix->pub.nvIndex);
}

static int piece(struct hwk_tpm_index *ix, uint8_t *out, size_t n, size_t at)
{
    const TPM2_HANDLE handles[] = {ix->pub.nvIndex, ix->pub.nvIndex};
    struct hwk_tpm_call call;
    TPM2B_MAX_NV_BUFFER got;
    hwk_tpm_call_start(&call, TPM2_CC_NV_Read, handles, 2, true);
    hwk_tpm_call_put(&call, UINT16, (UINT16)n);
    hwk_tpm_call_put(&call, UINT16, (UINT16)at);
    TSS2_RC rc = hwk_tpm_call_run(ix->tpm, &call);
    ix->tpm->sessions.shielded = false;
    if (rc != TSS2_RC_SUCCESS && hwk_tpm_reason(rc) == HWK_R_PIN_INCORRECT)
        return hwk_tpm_index_denied(ix, 0, NULL);
    if (!hwk_tpm_check(ix->tpm, rc, "NV_Read", ix->pub.nvIndex))
        return 0;
    got.size = 0;
    hwk_tpm_call_get(&call, TPM2B_MAX_NV_BUFFER, &got);
    if (call.rc != TSS2_RC_SUCCESS || got.size != n)
        return odd(ix);
    memcpy(out, got.buffer, n);
    return 1;
}

static int pieces(struct hwk_tpm_index *ix, uint8_t *out)
{
    size_t size = ix->pub.dataSize, most;
    if (!hwk_tpm_index_may(ix, 0, NULL) ||
        !hwk_tpm_nv_most(ix->tpm, size, &most))
        return 0;
    for (size_t at = 0, n; at < size; at += n) {
        n = size - at < most ? size - at : most;
        if (!piece(ix, out + at, n, at))
            return 0;
    }
    return 1;
}

int hwk_tpm_door_peek(void *state, const struct hwk_nv *nv, uint8_t *out)
{
    struct hwk_tpm *tpm = state;
    TPM2B_NV_PUBLIC pub;
    if (!hwk_tpm_nv_to(nv, &pub))
        return 0;
    if (!bare(tpm, &pub.nvPublic))
        return hwk_tpm_door.read(tpm, nv, out);
    struct hwk_tpm_index ix = {
        .tpm = tpm, .tr = ESYS_TR_NONE, .pub = pub.nvPublic};
    if (!hwk_tpm_begin(tpm))
        return 0;
    int ok = pieces(&ix, out);
    hwk_tpm_end(tpm);
    return ok;
}
