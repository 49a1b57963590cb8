/* SPDX-License-Identifier: Apache-2.0 */
/* Commands written by hand, past ESYS. */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_call.h"

/* an area of one password session with an empty value */
static const uint8_t no_password[] = {0,    0, 0, 9, /* its size */
                                      0x40, 0, 0, 9, /* TPM_RS_PW */
                                      0,    0, 0, 0,
                                      0}; /* nonce, attributes, password */

void hwk_tpm_call_start(struct hwk_tpm_call *call, TPM2_CC code,
                        const TPM2_HANDLE *handles, size_t n, bool password)
{
    call->rc = TSS2_RC_SUCCESS;
    call->in_n = call->out_n = call->at = call->params_n = 0;
    call->code = code;
    call->authorised = password;
    call->makes = false;
    call->made = 0;
    hwk_tpm_call_put(call, UINT16,
                     password ? TPM2_ST_SESSIONS : TPM2_ST_NO_SESSIONS);
    hwk_tpm_call_put(call, UINT32, 0); /* the size, once it is known */
    hwk_tpm_call_put(call, UINT32, code);
    for (size_t i = 0; i < n; i++)
        hwk_tpm_call_put(call, UINT32, handles[i]);
    if (password && call->rc == TSS2_RC_SUCCESS) {
        memcpy(call->in + call->in_n, no_password, sizeof(no_password));
        call->in_n += sizeof(no_password);
    }
    call->head = call->in_n;
}

static TSS2_RC exchange(struct hwk_tpm *tpm, struct hwk_tpm_call *call)
{
    TSS2_TCTI_CONTEXT *tcti = hwk_tpm_tcti_context(tpm->tcti);
    size_t at = 2;
    TSS2_RC rc = Tss2_MU_UINT32_Marshal((UINT32)call->in_n, call->in,
                                        sizeof(call->in), &at);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_Tcti_Transmit(tcti, call->in_n, call->in);
    call->out_n = sizeof(call->out);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_Tcti_Receive(tcti, &call->out_n, call->out,
                               TSS2_TCTI_TIMEOUT_BLOCK);
    return rc;
}

TSS2_RC hwk_tpm_call_run(struct hwk_tpm *tpm, struct hwk_tpm_call *call)
{
    UINT32 rc = 0, size = 0;
    if (call->rc == TSS2_RC_SUCCESS)
        call->rc = exchange(tpm, call);
    if (call->rc != TSS2_RC_SUCCESS)
        return call->rc;
    call->at = 6;
    hwk_tpm_call_get(call, UINT32, &rc);
    if (call->rc == TSS2_RC_SUCCESS)
        call->rc = rc;
    if (call->makes)
        hwk_tpm_call_get(call, UINT32, &call->made);
    if (call->authorised)
        hwk_tpm_call_get(call, UINT32, &size);
    if (call->rc != TSS2_RC_SUCCESS)
        return call->rc;
    if (size > call->out_n - call->at)
        call->rc = TSS2_ESYS_RC_MALFORMED_RESPONSE;
    call->params_n = call->authorised ? size : call->out_n - call->at;
    return call->rc;
}
