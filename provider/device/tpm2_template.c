/* SPDX-License-Identifier: Apache-2.0 */
/* Public areas from which keys are made. */
#include <string.h>

#include "provider/device/tpm2_template.h"

void hwk_tpm_template_plain(const struct hwk_tpm_kind *kind, TPM2B_PUBLIC *out)
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

void hwk_tpm_template_default(bool rsa, TPM2B_PUBLIC *out)
{
    static const struct hwk_tpm_kind kinds[] = {
        {TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0}, {TPM2_ALG_RSA, 0, 2048}};
    hwk_tpm_template_plain(&kinds[rsa], out);
    TPMT_PUBLIC *t = &out->publicArea;
    t->objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                          TPMA_OBJECT_SENSITIVEDATAORIGIN |
                          TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
                          TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
    t->parameters.asymDetail.symmetric = (TPMT_SYM_DEF_OBJECT){
        .algorithm = TPM2_ALG_AES,
        .keyBits.aes = 128,
        .mode.aes = TPM2_ALG_CFB,
    };
}

void hwk_tpm_template_srk(TPM2B_PUBLIC *out)
{
    hwk_tpm_template_default(false, out);
    out->publicArea.unique.ecc.x.size = 32;
    out->publicArea.unique.ecc.y.size = 32;
}
