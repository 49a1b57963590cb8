/* SPDX-License-Identifier: Apache-2.0 */
/* Public areas from which keys are made. */
#ifndef HWK_TPM2_TEMPLATE_H
#define HWK_TPM2_TEMPLATE_H

#include <stdbool.h>

#include <tss2/tss2_tpm2_types.h>

/* A kind of key: RSA with bits, or EC with a TPM curve (bits 0). */
struct hwk_tpm_kind {
    TPMI_ALG_PUBLIC type; /* TPM2_ALG_RSA or TPM2_ALG_ECC */
    TPMI_ECC_CURVE curve;
    uint16_t bits;
};

/* An asymmetric key with no attributes, no symmetric part and no fixed scheme,
 * its name by SHA-256: what the others begin with. */
void hwk_tpm_template_plain(const struct hwk_tpm_kind *kind, TPM2B_PUBLIC *out);

/* The storage root key of the TCG provisioning guidance, ECC P-256. */
void hwk_tpm_template_srk(TPM2B_PUBLIC *out);

/* The primary that key files mean by a hierarchy as their parent: the storage
 * root key, P-256 or RSA 2048, but with unique empty
 * (draft-bottomley-tpm2-keys), which makes it another key. */
void hwk_tpm_template_default(bool rsa, TPM2B_PUBLIC *out);

#endif
