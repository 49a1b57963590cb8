/* SPDX-License-Identifier: Apache-2.0 */
/* Public areas of NV indices: the TPM's, device.h's, and their Names. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_call.h"
#include "provider/device/tpm2_nvpublic.h"
#include "provider/device/tpm2_policy.h"

/* how ESYS writes down an index */
#define RESOURCE_INDEX 2

/* --- Names --- */

int hwk_tpm_nv_name(const TPMS_NV_PUBLIC *pub, TPM2B_NAME *out)
{
    uint8_t area[sizeof(*pub)];
    TPM2B_DIGEST digest;
    size_t n = 0, at = 0;
    if (Tss2_MU_TPMS_NV_PUBLIC_Marshal(pub, area, sizeof(area), &n) ||
        !hwk_tpm_hash(pub->nameAlg, area, n, &digest) ||
        Tss2_MU_UINT16_Marshal(pub->nameAlg, out->name, sizeof(out->name), &at))
        return hwk_raise(HWK_R_UNSUPPORTED,
                         "NV index 0x%08x: no Name with the hash 0x%04x",
                         pub->nvIndex, pub->nameAlg);
    memcpy(out->name + at, digest.buffer, digest.size);
    out->size = (UINT16)(at + digest.size);
    return 1;
}

int hwk_tpm_nv_from(const TPMS_NV_PUBLIC *pub, struct hwk_nv *out)
{
    TPM2B_NAME name;
    if (!hwk_tpm_nv_name(pub, &name))
        return 0;
    memset(out, 0, sizeof(*out));
    out->index = pub->nvIndex;
    out->attributes = pub->attributes;
    out->name_alg = pub->nameAlg;
    out->size = pub->dataSize;
    out->policy_n = pub->authPolicy.size;
    memcpy(out->policy, pub->authPolicy.buffer, pub->authPolicy.size);
    out->name_n = name.size;
    memcpy(out->name, name.name, name.size);
    return 1;
}

int hwk_tpm_nv_to(const struct hwk_nv *nv, TPM2B_NV_PUBLIC *out)
{
    TPMS_NV_PUBLIC *p = &out->nvPublic;
    memset(out, 0, sizeof(*out));
    if (nv->policy_n > sizeof(p->authPolicy.buffer))
        return hwk_raise(HWK_R_ARGUMENT, "NV index 0x%08x: its policy",
                         nv->index);
    p->nvIndex = nv->index;
    p->nameAlg = nv->name_alg;
    p->attributes = nv->attributes;
    p->dataSize = nv->size;
    p->authPolicy.size = nv->policy_n;
    memcpy(p->authPolicy.buffer, nv->policy, nv->policy_n);
    return 1;
}

/* --- asking the TPM --- */

static bool same_name(const TPM2B_NAME *a, const TPM2B_NAME *b)
{
    return a->size == b->size && memcmp(a->name, b->name, a->size) == 0;
}

static int altered(const struct hwk_tpm *tpm, TPM2_HANDLE index)
{
    return hwk_raise(HWK_R_BUS,
                     "TPM %s: NV index 0x%08x is not what it was said to be: "
                     "it was made anew, or an answer was altered on its way",
                     tpm->name, index);
}

int hwk_tpm_nv_ask(struct hwk_tpm *tpm, TPM2_HANDLE index, TPMS_NV_PUBLIC *out)
{
    struct hwk_tpm_call call;
    TPM2B_NV_PUBLIC pub;
    TPM2B_NAME name, theirs;
    memset(&pub, 0, sizeof(pub));
    memset(&theirs, 0, sizeof(theirs));
    hwk_tpm_call_start(&call, TPM2_CC_NV_ReadPublic, &index, 1, false);
    hwk_tpm_call_run(tpm, &call);
    hwk_tpm_call_get(&call, TPM2B_NV_PUBLIC, &pub);
    hwk_tpm_call_get(&call, TPM2B_NAME, &theirs);
    if (hwk_tpm_rc_is(call.rc, TPM2_RC_HANDLE))
        return hwk_raise(HWK_R_NOT_FOUND,
                         "TPM %s: NV index 0x%08x does not exist", tpm->name,
                         index);
    if (!hwk_tpm_check(tpm, call.rc, "NV_ReadPublic", index) ||
        !hwk_tpm_nv_name(&pub.nvPublic, &name))
        return 0;
    if (pub.nvPublic.nvIndex != index || !same_name(&name, &theirs))
        return altered(tpm, index);
    *out = pub.nvPublic;
    return 1;
}

int hwk_tpm_index_take(struct hwk_tpm *tpm, const TPMS_NV_PUBLIC *pub,
                       struct hwk_tpm_index *ix)
{
    uint8_t p[sizeof(TPM2B_NV_PUBLIC) + sizeof(TPM2B_NAME) + 16];
    const TPM2B_NV_PUBLIC sized = {.nvPublic = *pub};
    TPM2B_NAME name;
    size_t n = 0;
    *ix = (struct hwk_tpm_index){.tpm = tpm,
                                 .tr = ESYS_TR_NONE,
                                 .generation = tpm->generation,
                                 .pub = *pub};
    if (!hwk_tpm_nv_name(pub, &name))
        return 0;
    TSS2_RC rc = Tss2_MU_UINT32_Marshal(pub->nvIndex, p, sizeof(p), &n);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_NAME_Marshal(&name, p, sizeof(p), &n);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_UINT32_Marshal(RESOURCE_INDEX, p, sizeof(p), &n);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_NV_PUBLIC_Marshal(&sized, p, sizeof(p), &n);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TR_Deserialize(tpm->esys, p, n, &ix->tr);
    return hwk_tpm_check(tpm, rc, "NV index", pub->nvIndex);
}

int hwk_tpm_index_prove(struct hwk_tpm_index *ix)
{
    struct hwk_tpm *tpm = ix->tpm;
    TPM2B_NV_PUBLIC *real = NULL;
    TPM2B_NAME a, b;
    ESYS_TR session;
    TSS2_RC rc;
    do {
        if (!hwk_tpm_shield(tpm, HWK_TPM_SECRET_BACK, &session))
            return 0;
        if (session == ESYS_TR_NONE)
            return 1;
        rc = Esys_NV_ReadPublic(tpm->esys, ix->tr, session, ESYS_TR_NONE,
                                ESYS_TR_NONE, &real, NULL);
    } while (hwk_tpm_again(tpm, rc));
    if (hwk_tpm_reason(rc) == HWK_R_PIN_INCORRECT)
        return altered(tpm, ix->pub.nvIndex);
    int ok = hwk_tpm_check(tpm, rc, "NV_ReadPublic", ix->pub.nvIndex) &&
             hwk_tpm_nv_name(&ix->pub, &a) &&
             hwk_tpm_nv_name(&real->nvPublic, &b);
    Esys_Free(real);
    return ok && (same_name(&a, &b) || altered(tpm, ix->pub.nvIndex));
}
