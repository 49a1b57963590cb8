/* SPDX-License-Identifier: Apache-2.0 */
/* The TCG's templates of endorsement keys, by the NV index of the certificate:
 * all pure. */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_ek.h"
#include "provider/device/tpm2_policy.h"

#define BORN_HERE                                                              \
    (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |                          \
     TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_RESTRICTED |                \
     TPMA_OBJECT_DECRYPT)

#define RSA(bits)                                                              \
    {                                                                          \
        TPM2_ALG_RSA, TPM2_ECC_NONE, (bits)                                    \
    }
#define EC(bits)                                                               \
    {                                                                          \
        TPM2_ALG_ECC, TPM2_ECC_NIST_P##bits, 0                                 \
    }

static const struct hwk_tpm_ek eks[] = {
    {0x01c00002, 0x01c00003, 0x01c00004, RSA(2048), TPM2_ALG_SHA256, 128},
    {0x01c0000a, 0x01c0000b, 0x01c0000c, EC(256), TPM2_ALG_SHA256, 128},
    {0x01c00012, 0, 0x01c00013, RSA(2048), TPM2_ALG_SHA256, 128},
    {0x01c00014, 0, 0x01c00015, EC(256), TPM2_ALG_SHA256, 128},
    {0x01c00016, 0, 0x01c00017, EC(384), TPM2_ALG_SHA384, 256},
    {0x01c00018, 0, 0x01c00019, EC(521), TPM2_ALG_SHA512, 256},
    {0x01c0001c, 0, 0x01c0001d, RSA(3072), TPM2_ALG_SHA384, 256},
    {0x01c0001e, 0, 0x01c0001f, RSA(4096), TPM2_ALG_SHA384, 256},
};

static const struct {
    const char *type;
    TPM2_HANDLE cert;
} usual[] = {{"RSA-2048", 0x01c00002},
             {"P-256", 0x01c0000a},
             {"P-384", 0x01c00016},
             {"P-521", 0x01c00018}};

const struct hwk_tpm_ek *hwk_tpm_ek_at(TPM2_HANDLE cert)
{
    for (size_t i = 0; i < sizeof(eks) / sizeof(*eks); i++)
        if (eks[i].cert == cert)
            return &eks[i];
    return NULL;
}

const struct hwk_tpm_ek *hwk_tpm_ek_of(const char *type)
{
    for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
        if (strcmp(usual[i].type, type) == 0)
            return hwk_tpm_ek_at(usual[i].cert);
    return NULL;
}

/* only the low range has room for a nonce */
static bool is_low(const struct hwk_tpm_ek *ek)
{
    return ek->nonce != 0;
}

/* zeros to the full size, the nonce in front; of a point in x */
static int put_unique(const uint8_t *nonce, size_t n, TPMT_PUBLIC *t)
{
    if (t->type == TPM2_ALG_RSA) {
        t->unique.rsa.size = t->parameters.rsaDetail.keyBits / 8;
        if (n > t->unique.rsa.size)
            return 0;
        if (n > 0)
            memcpy(t->unique.rsa.buffer, nonce, n);
        return 1;
    }
    t->unique.ecc.x.size = t->unique.ecc.y.size = 32;
    if (n > t->unique.ecc.x.size)
        return 0;
    if (n > 0)
        memcpy(t->unique.ecc.x.buffer, nonce, n);
    return 1;
}

int hwk_tpm_ek_template(const struct hwk_tpm_ek *ek, const uint8_t *nonce,
                        size_t nonce_n, TPM2B_PUBLIC *out)
{
    TPMT_PUBLIC *t = &out->publicArea;
    const TPMT_SYM_DEF_OBJECT aes = {.algorithm = TPM2_ALG_AES,
                                     .keyBits.aes = ek->aes,
                                     .mode.aes = TPM2_ALG_CFB};
    hwk_tpm_template_plain(&ek->kind, out);
    t->nameAlg = ek->hash;
    t->objectAttributes = BORN_HERE | TPMA_OBJECT_ADMINWITHPOLICY;
    if (!is_low(ek))
        t->objectAttributes |= TPMA_OBJECT_USERWITHAUTH;
    if (t->type == TPM2_ALG_RSA)
        t->parameters.rsaDetail.symmetric = aes;
    else
        t->parameters.eccDetail.symmetric = aes;
    if (is_low(ek) ? !put_unique(nonce, nonce_n, t) : nonce_n > 0)
        return 0;
    return hwk_tpm_policy_ek(ek->hash, !is_low(ek), NULL, &t->authPolicy);
}

static bool is_kind(const struct hwk_tpm_ek *ek, const TPMT_PUBLIC *t)
{
    if (t->type != ek->kind.type)
        return false;
    return t->type == TPM2_ALG_RSA
               ? t->parameters.rsaDetail.keyBits == ek->kind.bits
               : t->parameters.eccDetail.curveID == ek->kind.curve;
}

int hwk_tpm_ek_template_from(const struct hwk_tpm_ek *ek, const uint8_t *p,
                             size_t n, TPM2B_PUBLIC *out)
{
    TPM2B_PUBLIC read;
    const TPMT_PUBLIC *t = &read.publicArea;
    size_t at = 0;
    memset(&read, 0, sizeof(read));
    if (Tss2_MU_TPMT_PUBLIC_Unmarshal(p, n, &at, &read.publicArea) !=
            TSS2_RC_SUCCESS ||
        !is_kind(ek, t) || (t->objectAttributes & BORN_HERE) != BORN_HERE ||
        t->objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT)
        return 0;
    *out = read;
    return 1;
}
