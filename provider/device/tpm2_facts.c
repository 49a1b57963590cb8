/* SPDX-License-Identifier: Apache-2.0 */
/* What policies are about, read from the TPM: PCRs, NV indices, Names. */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_call.h"
#include "provider/device/tpm2_facts.h"
#include "provider/device/tpm2_policy.h"

static bool selected(const TPMS_PCR_SELECTION *s, unsigned pcr)
{
    return pcr < 8u * s->sizeofSelect && pcr < HWK_TPM_PCRS &&
           s->pcrSelect[pcr / 8] & 1u << pcr % 8;
}

/* takes the values of what the answer selects off those that are asked for */
static TSS2_RC take_values(TPMS_PCR_SELECTION *left,
                           const TPML_PCR_SELECTION *got,
                           const TPML_DIGEST *values, TPM2B_DIGEST *out)
{
    const TPMS_PCR_SELECTION *g = &got->pcrSelections[0];
    UINT32 n = 0;
    if (got->count != 1 || g->hash != left->hash || values->count == 0)
        return TSS2_ESYS_RC_MALFORMED_RESPONSE;
    for (unsigned pcr = 0; pcr < HWK_TPM_PCRS && n < values->count; pcr++) {
        if (!selected(g, pcr))
            continue;
        if (!selected(left, pcr))
            return TSS2_ESYS_RC_MALFORMED_RESPONSE;
        left->pcrSelect[pcr / 8] &= (BYTE) ~(1u << pcr % 8);
        out[pcr] = values->digests[n++];
    }
    return n == values->count ? TSS2_RC_SUCCESS
                              : (TSS2_RC)TSS2_ESYS_RC_MALFORMED_RESPONSE;
}

static bool any(const TPMS_PCR_SELECTION *s)
{
    for (unsigned pcr = 0; pcr < HWK_TPM_PCRS; pcr++)
        if (selected(s, pcr))
            return true;
    return false;
}

TSS2_RC hwk_tpm_pcr_read(struct hwk_tpm *tpm, const TPMS_PCR_SELECTION *s,
                         TPM2B_DIGEST value[static HWK_TPM_PCRS])
{
    TPML_PCR_SELECTION ask = {.count = 1, .pcrSelections = {*s}}, got;
    TPML_DIGEST values;
    struct hwk_tpm_call call;
    UINT32 counter;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    memset(value, 0, HWK_TPM_PCRS * sizeof(*value));
    while (rc == TSS2_RC_SUCCESS && any(&ask.pcrSelections[0])) {
        hwk_tpm_call_start(&call, TPM2_CC_PCR_Read, NULL, 0, false);
        hwk_tpm_call_put(&call, TPML_PCR_SELECTION, &ask);
        hwk_tpm_call_run(tpm, &call);
        hwk_tpm_call_get(&call, UINT32, &counter);
        hwk_tpm_call_get(&call, TPML_PCR_SELECTION, &got);
        hwk_tpm_call_get(&call, TPML_DIGEST, &values);
        rc = call.rc;
        if (rc == TSS2_RC_SUCCESS && values.count == 0)
            break; /* the TPM has no such PCRs */
        if (rc == TSS2_RC_SUCCESS)
            rc = take_values(&ask.pcrSelections[0], &got, &values, value);
    }
    return rc;
}

TSS2_RC hwk_tpm_pcr_digest(struct hwk_tpm *tpm, const TPML_PCR_SELECTION *l,
                           TPMI_ALG_HASH alg, TPM2B_DIGEST *out)
{
    uint8_t all[TPM2_NUM_PCR_BANKS * HWK_TPM_PCRS * sizeof(TPMU_HA)];
    TPM2B_DIGEST value[HWK_TPM_PCRS];
    TSS2_RC rc = TSS2_RC_SUCCESS;
    size_t n = 0;
    for (UINT32 i = 0; rc == TSS2_RC_SUCCESS && i < l->count; i++) {
        rc = hwk_tpm_pcr_read(tpm, &l->pcrSelections[i], value);
        for (unsigned pcr = 0; pcr < HWK_TPM_PCRS; pcr++) {
            memcpy(all + n, value[pcr].buffer, value[pcr].size);
            n += value[pcr].size;
        }
    }
    if (rc == TSS2_RC_SUCCESS && !hwk_tpm_hash(alg, all, n, out))
        rc = TSS2_ESYS_RC_BAD_VALUE;
    return rc;
}

TSS2_RC hwk_tpm_nv_peek(struct hwk_tpm *tpm, TPM2_HANDLE index, bool by_owner,
                        UINT16 offset, UINT16 size, TPM2B_MAX_NV_BUFFER *out)
{
    const TPM2_HANDLE handles[] = {by_owner ? TPM2_RH_OWNER : index, index};
    struct hwk_tpm_call call;
    hwk_tpm_call_start(&call, TPM2_CC_NV_Read, handles, 2, true);
    hwk_tpm_call_put(&call, UINT16, size);
    hwk_tpm_call_put(&call, UINT16, offset);
    hwk_tpm_call_run(tpm, &call);
    memset(out, 0, sizeof(*out));
    hwk_tpm_call_get(&call, TPM2B_MAX_NV_BUFFER, out);
    return call.rc;
}

static TSS2_RC nv_public(struct hwk_tpm *tpm, TPM2_HANDLE index,
                         TPM2B_NV_PUBLIC *pub, TPM2B_NAME *name)
{
    struct hwk_tpm_call call;
    hwk_tpm_call_start(&call, TPM2_CC_NV_ReadPublic, &index, 1, false);
    hwk_tpm_call_run(tpm, &call);
    memset(pub, 0, sizeof(*pub));
    memset(name, 0, sizeof(*name));
    hwk_tpm_call_get(&call, TPM2B_NV_PUBLIC, pub);
    hwk_tpm_call_get(&call, TPM2B_NAME, name);
    return call.rc;
}

static TSS2_RC key_name(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                        TPM2B_NAME *name)
{
    struct hwk_tpm_call call;
    TPM2B_PUBLIC pub = {.size = 0};
    hwk_tpm_call_start(&call, TPM2_CC_ReadPublic, &handle, 1, false);
    hwk_tpm_call_run(tpm, &call);
    memset(name, 0, sizeof(*name));
    hwk_tpm_call_get(&call, TPM2B_PUBLIC, &pub);
    hwk_tpm_call_get(&call, TPM2B_NAME, name);
    return call.rc;
}

/* --- what a policy leaves open --- */

static int fill_name(struct hwk_tpm *tpm, struct hwk_tpm_term *t)
{
    TPM2B_NV_PUBLIC pub;
    if (t->name.size > 0 || t->handle >> 24 == TPM2_HT_PERMANENT)
        return 1;
    if (t->handle >> 24 != TPM2_HT_NV_INDEX)
        return hwk_tpm_check(tpm, key_name(tpm, t->handle, &t->name),
                             "policy: ReadPublic", t->handle);
    if (!hwk_tpm_check(tpm, nv_public(tpm, t->handle, &pub, &t->name),
                       "policy: NV_ReadPublic", t->handle))
        return 0;
    return pub.nvPublic.attributes & TPMA_NV_WRITTEN
               ? 1
               : hwk_raise(HWK_R_NOT_FOUND,
                           "policy: NV index 0x%08x was never written: its "
                           "Name will be another one then",
                           t->handle);
}

static int fill_pcrs(struct hwk_tpm *tpm, struct hwk_tpm_policy *node)
{
    TPMS_PCR_SELECTION open = node->term->pcrs.pcrSelections[0];
    TPM2B_DIGEST now[HWK_TPM_PCRS];
    for (unsigned pcr = 0; pcr < HWK_TPM_PCRS; pcr++)
        if (node->value[pcr].size > 0)
            open.pcrSelect[pcr / 8] &= (BYTE) ~(1u << pcr % 8);
    if (!hwk_tpm_check(tpm, hwk_tpm_pcr_read(tpm, &open, now),
                       "policy: PCR_Read", 0))
        return 0;
    for (unsigned pcr = 0; pcr < HWK_TPM_PCRS; pcr++) {
        if (!selected(&open, pcr))
            continue;
        if (now[pcr].size == 0)
            return hwk_raise(HWK_R_NOT_FOUND,
                             "policy: TPM %s has no PCR %u in that bank",
                             tpm->name, pcr);
        node->value[pcr] = now[pcr];
    }
    return 1;
}

static int fill(struct hwk_tpm *tpm, struct hwk_tpm_policy *policy, bool pcrs)
{
    for (; policy; policy = policy->next) {
        struct hwk_tpm_term *t = policy->term;
        if (!fill(tpm, policy->first, pcrs))
            return 0;
        if (t && t->code == TPM2_CC_PolicyPCR && pcrs &&
            !fill_pcrs(tpm, policy))
            return 0;
        if (t &&
            (t->code == TPM2_CC_PolicyNV || t->code == TPM2_CC_PolicySecret) &&
            !fill_name(tpm, t))
            return 0;
    }
    return 1;
}

int hwk_tpm_policy_fill(struct hwk_tpm *tpm, struct hwk_tpm_policy *policy)
{
    return fill(tpm, policy, true);
}

int hwk_tpm_policy_names(struct hwk_tpm *tpm, struct hwk_tpm_policy *policy)
{
    return fill(tpm, policy, false);
}
