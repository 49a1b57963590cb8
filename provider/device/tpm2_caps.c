/* SPDX-License-Identifier: Apache-2.0 */
/* What a TPM says of itself: properties, and which handles are taken. */
#include <openssl/crypto.h>

#include "provider/device/tpm2_caps.h"

#define HANDLES_AT_ONCE 64
#define NV_AT_LEAST 512

static TPMS_CAPABILITY_DATA *capability(struct hwk_tpm *tpm, TPM2_CAP cap,
                                        UINT32 first, UINT32 count, bool *more)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO yes = TPM2_NO;
    TSS2_RC rc =
        Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                           cap, first, count, &yes, &data);
    if (!hwk_tpm_check(tpm, rc, "GetCapability", 0))
        return NULL;
    *more = yes == TPM2_YES;
    return data;
}

/* reads up to max handles; the number, or -1 with a reason */
static int handles_at(struct hwk_tpm *tpm, TPM2_HANDLE first, UINT32 max,
                      TPM2_HANDLE *out, bool *more)
{
    TPMS_CAPABILITY_DATA *data =
        capability(tpm, TPM2_CAP_HANDLES, first, max, more);
    if (!data)
        return -1;
    UINT32 n = data->data.handles.count;
    if (n > max)
        n = max;
    for (UINT32 i = 0; i < n; i++)
        out[i] = data->data.handles.handle[i];
    Esys_Free(data);
    return (int)n;
}

int hwk_tpm_handles(struct hwk_tpm *tpm, TPM2_HANDLE first,
                    int (*each)(void *arg, TPM2_HANDLE handle), void *arg)
{
    TPM2_HANDLE h[HANDLES_AT_ONCE];
    for (bool more = true; more;) {
        int n = handles_at(tpm, first, HANDLES_AT_ONCE, h, &more);
        if (n < 0)
            return 0;
        for (int i = 0; i < n; i++)
            if (!each(arg, h[i]))
                return 1;
        if (n == 0 || h[n - 1] < first)
            break;
        first = h[n - 1] + 1;
    }
    return 1;
}

int hwk_tpm_occupied(struct hwk_tpm *tpm, TPM2_HANDLE handle)
{
    TPM2_HANDLE found = 0;
    bool more;
    int n = handles_at(tpm, handle, 1, &found, &more);
    return n < 0 ? -1 : n == 1 && found == handle;
}

int hwk_tpm_properties(struct hwk_tpm *tpm, TPM2_PT first,
                       struct hwk_tpm_properties *out)
{
    bool more;
    TPMS_CAPABILITY_DATA *data = capability(tpm, TPM2_CAP_TPM_PROPERTIES, first,
                                            TPM2_MAX_TPM_PROPERTIES, &more);
    if (!data)
        return 0;
    out->list = data->data.tpmProperties;
    Esys_Free(data);
    return 1;
}

UINT32 hwk_tpm_property(const struct hwk_tpm_properties *p, TPM2_PT which)
{
    UINT32 n = p->list.count;
    for (UINT32 i = 0; i < n && i < TPM2_MAX_TPM_PROPERTIES; i++)
        if (p->list.tpmProperty[i].property == which)
            return p->list.tpmProperty[i].value;
    return 0;
}

int hwk_tpm_nv_limits(struct hwk_tpm *tpm)
{
    struct hwk_tpm_properties p;
    if (tpm->nv_chunk)
        return 1;
    if (!hwk_tpm_properties(tpm, TPM2_PT_FIXED, &p))
        return 0;
    size_t chunk = hwk_tpm_property(&p, TPM2_PT_NV_BUFFER_MAX);
    if (chunk == 0 || chunk > TPM2_MAX_NV_BUFFER_SIZE)
        chunk = NV_AT_LEAST;
    tpm->nv_max = hwk_tpm_property(&p, TPM2_PT_NV_INDEX_MAX);
    tpm->nv_chunk = chunk;
    return 1;
}

int hwk_tpm_nv_most(struct hwk_tpm *tpm, size_t n, size_t *most)
{
    bool fits = n <= NV_AT_LEAST || n <= tpm->nv_took;
    if (!fits && !hwk_tpm_nv_limits(tpm))
        return 0;
    *most = tpm->nv_chunk ? tpm->nv_chunk : n;
    return 1;
}

void hwk_tpm_nv_took(struct hwk_tpm *tpm, size_t n)
{
    if (n > tpm->nv_took)
        tpm->nv_took = n;
}
