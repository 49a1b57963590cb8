/* SPDX-License-Identifier: Apache-2.0 */
/* Public areas from which keys are made. */
#ifndef HWK_TPM2_TEMPLATE_H
#define HWK_TPM2_TEMPLATE_H

#include <tss2/tss2_tpm2_types.h>

/* A kind of key: RSA with bits, or EC with a TPM curve (bits 0). */
struct hwk_tpm_kind {
    TPMI_ALG_PUBLIC type; /* TPM2_ALG_RSA or TPM2_ALG_ECC */
    TPMI_ECC_CURVE curve;
    uint16_t bits;
};

/* fixedTPM fixedParent sensitiveDataOrigin userWithAuth adminWithPolicy sign */
#define HWK_TPM_IDEVID_ATTRIBUTES                                              \
    (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |                          \
     TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |              \
     TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_SIGN_ENCRYPT)

/*
 * The TCG IDevID templates: H-1 (RSA 2048, no fixed scheme), H-2 (P-256,
 * ECDSA with SHA-256), H-3 (P-384, SHA-384), H-4 (P-521, SHA-512). unique is
 * "IDEVID" in the modulus or in x, y empty, as swtpm writes it. 1, or 0 for a
 * kind TCG has no template for; raises nothing.
 */
int hwk_tpm_template_idevid(const struct hwk_tpm_kind *kind, TPM2B_PUBLIC *out);

/* The storage root key of the TCG provisioning guidance, ECC P-256. */
void hwk_tpm_template_srk(TPM2B_PUBLIC *out);

/* A signing key under a storage key: bound to this TPM, any scheme, usable
 * with its own auth value, exempt from the dictionary-attack lockout. */
void hwk_tpm_template_sign(const struct hwk_tpm_kind *kind, TPM2B_PUBLIC *out);

/* The same for decryption (RSA) or key agreement (EC). */
void hwk_tpm_template_decrypt(const struct hwk_tpm_kind *kind,
                              TPM2B_PUBLIC *out);

#endif
