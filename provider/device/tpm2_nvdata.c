/* SPDX-License-Identifier: Apache-2.0 */
/* What an NV index holds, and whether it is whole: all pure. */
#include <string.h>

#include "provider/device/tpm2_nvdata.h"
#include "provider/device/tpm2_nvitem.h"
#include "provider/device/tpm2_policy.h"

/* what the TPM adds to the attributes by itself */
#define STATE (TPMA_NV_WRITTEN | TPMA_NV_WRITELOCKED | TPMA_NV_READLOCKED)
#define OPTIONS (TPMA_NV_WRITEDEFINE | TPMA_NV_WRITEALL)

int hwk_tpm_nv_template(TPM2_HANDLE index, const uint8_t *data, size_t n,
                        bool lock, size_t chunk, TPM2B_NV_PUBLIC *out)
{
    memset(out, 0, sizeof(*out));
    TPMS_NV_PUBLIC *p = &out->nvPublic;
    p->nvIndex = index;
    p->nameAlg = TPM2_ALG_SHA256;
    p->attributes = HWK_TPM_NV_ATTRIBUTES;
    if (lock)
        p->attributes |= TPMA_NV_WRITEDEFINE;
    if (n <= chunk)
        p->attributes |= TPMA_NV_WRITEALL;
    p->dataSize = (UINT16)n;
    return n > 0 && n <= UINT16_MAX &&
           hwk_tpm_hash(TPM2_ALG_SHA256, data, n, &p->authPolicy);
}

bool hwk_tpm_nv_ours(const TPMS_NV_PUBLIC *pub)
{
    return (pub->attributes & ~(TPMA_NV)(STATE | OPTIONS)) ==
               HWK_TPM_NV_ATTRIBUTES &&
           pub->nameAlg == TPM2_ALG_SHA256 && pub->authPolicy.size == 32;
}

bool hwk_tpm_nv_whole(const TPMS_NV_PUBLIC *pub, const uint8_t *data, size_t n)
{
    TPM2B_DIGEST d;
    if (!(pub->attributes & TPMA_NV_WRITTEN))
        return false;
    if (!hwk_tpm_nv_ours(pub))
        return true;
    return n == pub->dataSize && hwk_tpm_hash(TPM2_ALG_SHA256, data, n, &d) &&
           memcmp(d.buffer, pub->authPolicy.buffer, d.size) == 0;
}

TPM2_NT hwk_tpm_nv_type(TPMA_NV attributes)
{
    return (TPM2_NT)((attributes & TPMA_NV_TPM2_NT_MASK) >>
                     TPMA_NV_TPM2_NT_SHIFT);
}

struct first {
    uint8_t *data; /* of the index; the certificate goes there */
    size_t room, n;
};

static int take_first(void *arg, enum hwk_object_type type, const uint8_t *der,
                      size_t n)
{
    struct first *f = arg;
    if (type == HWK_OBJ_CERT && n <= f->room) {
        memmove(f->data, der, n);
        f->n = n;
    }
    return 0;
}

enum hwk_object_type hwk_tpm_nv_content(uint8_t *data, size_t *n)
{
    struct first f = {data, *n, 0};
    hwk_tpm_nv_items(data, *n, take_first, &f);
    if (f.n == 0)
        return HWK_OBJ_DATA;
    *n = f.n;
    return HWK_OBJ_CERT;
}
