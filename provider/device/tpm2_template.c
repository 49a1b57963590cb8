/* SPDX-License-Identifier: Apache-2.0 */
/* Public areas from which keys are made. */
#include <string.h>

#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_template.h"

static const uint8_t idevid_unique[6] = {'I', 'D', 'E', 'V', 'I', 'D'};

/* an asymmetric key with no symmetric part and no fixed scheme */
static void plain(const struct hwk_tpm_kind *kind, TPM2B_PUBLIC *out)
{
    memset(out, 0, sizeof(*out));
    TPMT_PUBLIC *t = &out->publicArea;
    t->type = kind->type;
    t->nameAlg = TPM2_ALG_SHA256;
    if (kind->type == TPM2_ALG_RSA) {
        t->parameters.rsaDetail = (TPMS_RSA_PARMS){
            .symmetric.algorithm = TPM2_ALG_NULL,
            .scheme.scheme = TPM2_ALG_NULL,
            .keyBits = kind->bits,
        };
        return;
    }
    t->parameters.eccDetail = (TPMS_ECC_PARMS){
        .symmetric.algorithm = TPM2_ALG_NULL,
        .scheme.scheme = TPM2_ALG_NULL,
        .curveID = kind->curve,
        .kdf.scheme = TPM2_ALG_NULL,
    };
}

/* the hash TCG pairs with a kind; TPM2_ALG_ERROR where it has no template */
static TPMI_ALG_HASH idevid_hash(const struct hwk_tpm_kind *kind)
{
    if (kind->type == TPM2_ALG_RSA)
        return kind->bits == 2048 ? TPM2_ALG_SHA256 : TPM2_ALG_ERROR;
    switch (kind->curve) {
    case TPM2_ECC_NIST_P256:
        return TPM2_ALG_SHA256;
    case TPM2_ECC_NIST_P384:
        return TPM2_ALG_SHA384;
    case TPM2_ECC_NIST_P521:
        return TPM2_ALG_SHA512;
    default:
        return TPM2_ALG_ERROR;
    }
}

int hwk_tpm_template_idevid(const struct hwk_tpm_kind *kind, TPM2B_PUBLIC *out)
{
    TPMI_ALG_HASH hash = idevid_hash(kind);
    if (hash == TPM2_ALG_ERROR)
        return 0;
    plain(kind, out);
    TPMT_PUBLIC *t = &out->publicArea;
    t->nameAlg = hash;
    t->objectAttributes = HWK_TPM_IDEVID_ATTRIBUTES;
    if (kind->type == TPM2_ALG_RSA) {
        t->unique.rsa.size = sizeof(idevid_unique);
        memcpy(t->unique.rsa.buffer, idevid_unique, sizeof(idevid_unique));
    } else {
        t->parameters.eccDetail.scheme.scheme = TPM2_ALG_ECDSA;
        t->parameters.eccDetail.scheme.details.ecdsa.hashAlg = hash;
        t->unique.ecc.x.size = sizeof(idevid_unique);
        memcpy(t->unique.ecc.x.buffer, idevid_unique, sizeof(idevid_unique));
    }
    return hwk_tpm_policy_devid(hash, HWK_TPM_IDEVID, NULL, &t->authPolicy);
}

void hwk_tpm_template_srk(TPM2B_PUBLIC *out)
{
    plain(&(struct hwk_tpm_kind){TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0}, out);
    TPMT_PUBLIC *t = &out->publicArea;
    t->objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                          TPMA_OBJECT_SENSITIVEDATAORIGIN |
                          TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
                          TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
    t->parameters.eccDetail.symmetric = (TPMT_SYM_DEF_OBJECT){
        .algorithm = TPM2_ALG_AES,
        .keyBits.aes = 128,
        .mode.aes = TPM2_ALG_CFB,
    };
    t->unique.ecc.x.size = 32;
    t->unique.ecc.y.size = 32;
}

#define CHILD_ATTRIBUTES                                                       \
    (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |                          \
     TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |              \
     TPMA_OBJECT_NODA)

void hwk_tpm_template_sign(const struct hwk_tpm_kind *kind, TPM2B_PUBLIC *out)
{
    plain(kind, out);
    out->publicArea.objectAttributes =
        CHILD_ATTRIBUTES | TPMA_OBJECT_SIGN_ENCRYPT;
}

void hwk_tpm_template_decrypt(const struct hwk_tpm_kind *kind,
                              TPM2B_PUBLIC *out)
{
    plain(kind, out);
    out->publicArea.objectAttributes = CHILD_ATTRIBUTES | TPMA_OBJECT_DECRYPT;
}
