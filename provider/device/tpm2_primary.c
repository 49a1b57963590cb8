/* SPDX-License-Identifier: Apache-2.0 */
/* Primary keys made past ESYS. */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_call.h"
#include "provider/device/tpm2_primary.h"

/* how ESYS writes down a key */
#define RESOURCE_KEY 1

TSS2_RC hwk_tpm_primary_tell(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                             const TPM2B_PUBLIC *pub, const TPM2B_NAME *name,
                             ESYS_TR *tr)
{
    uint8_t p[sizeof(*pub) + sizeof(*name) + 16];
    TPM2B_PUBLIC sized = *pub;
    size_t n = 0;
    sized.size = 0;
    TSS2_RC rc = Tss2_MU_UINT32_Marshal(handle, p, sizeof(p), &n);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_NAME_Marshal(name, p, sizeof(p), &n);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_UINT32_Marshal(RESOURCE_KEY, p, sizeof(p), &n);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_PUBLIC_Marshal(&sized, p, sizeof(p), &n);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TR_Deserialize(tpm->esys, p, n, tr);
    return rc;
}

static void put(struct hwk_tpm_call *call, TPM2_HANDLE hierarchy,
                const TPM2B_PUBLIC *template)
{
    static const TPM2B_SENSITIVE_CREATE empty;
    static const TPM2B_DATA outside;
    static const TPML_PCR_SELECTION none;
    TPM2B_PUBLIC sized = *template;
    sized.size = 0;
    hwk_tpm_call_start(call, TPM2_CC_CreatePrimary, &hierarchy, 1, true);
    call->makes = true;
    hwk_tpm_call_put(call, TPM2B_SENSITIVE_CREATE, &empty);
    hwk_tpm_call_put(call, TPM2B_PUBLIC, &sized);
    hwk_tpm_call_put(call, TPM2B_DATA, &outside);
    hwk_tpm_call_put(call, TPML_PCR_SELECTION, &none);
}

static void get(struct hwk_tpm_call *call, struct hwk_tpm_primary *out,
                TPM2B_NAME *theirs)
{
    memset(out, 0, sizeof(*out));
    memset(theirs, 0, sizeof(*theirs));
    out->tr = ESYS_TR_NONE;
    out->handle = call->made;
    hwk_tpm_call_get(call, TPM2B_PUBLIC, &out->pub);
    hwk_tpm_call_get(call, TPM2B_CREATION_DATA, &out->data);
    hwk_tpm_call_get(call, TPM2B_DIGEST, &out->hash);
    hwk_tpm_call_get(call, TPMT_TK_CREATION, &out->ticket);
    hwk_tpm_call_get(call, TPM2B_NAME, theirs);
}

/* what ESYS looks at, too; and it takes any handle */
static bool makes_sense(struct hwk_tpm_primary *out, const TPM2B_NAME *theirs)
{
    return out->handle >> 24 == TPM2_HT_TRANSIENT &&
           hwk_tpm_name(&out->pub, &out->name) &&
           out->name.size == theirs->size &&
           memcmp(out->name.name, theirs->name, theirs->size) == 0;
}

TSS2_RC hwk_tpm_primary_make(struct hwk_tpm *tpm, TPM2_HANDLE hierarchy,
                             const TPM2B_PUBLIC *template,
                             struct hwk_tpm_primary *out)
{
    struct hwk_tpm_call call;
    TPM2B_NAME theirs;
    put(&call, hierarchy, template);
    tpm->sessions.shielded = false;
    hwk_tpm_call_run(tpm, &call);
    get(&call, out, &theirs);
    if (call.rc != TSS2_RC_SUCCESS)
        return call.rc;
    if (!makes_sense(out, &theirs))
        return TSS2_ESYS_RC_MALFORMED_RESPONSE;
    return hwk_tpm_primary_tell(tpm, out->handle, &out->pub, &out->name,
                                &out->tr);
}
