/* SPDX-License-Identifier: Apache-2.0 */
/* The TCG's templates of endorsement keys, by the NV index of the certificate:
 * all pure. */
#ifndef HWK_TPM2_EK_H
#define HWK_TPM2_EK_H

#include <stddef.h>

#include "provider/device/tpm2_template.h"

/*
 * "EK Credential Profile for TPM 2.0" 2.2.1 and B: what a TPM's maker made the
 * key from that the certificate at an index is for.
 *
 *   0x01c00002  RSA 2048, SHA-256, AES-128    L-1   nonce ..03, template ..04
 *   0x01c0000a  P-256, SHA-256, AES-128       L-2   nonce ..0b, template ..0c
 *   0x01c00012  RSA 2048, SHA-256, AES-128    H-1   template at the next index
 *   0x01c00014  P-256, SHA-256, AES-128       H-2
 *   0x01c00016  P-384, SHA-384, AES-256       H-3
 *   0x01c00018  P-521, SHA-512, AES-256       H-4
 *   0x01c0001c  RSA 3072, SHA-384, AES-256    H-6
 *   0x01c0001e  RSA 4096, SHA-384, AES-256    H-7
 *
 * A key of the low range is used by PolicyA (the endorsement administrator)
 * alone and has zeros in unique, of the high range by its empty value, too, and
 * has nothing there. An index for a template that is there holds the template
 * instead, one for a nonce what the low range's unique begins with.
 */
struct hwk_tpm_ek {
    TPM2_HANDLE cert, nonce, template; /* nonce 0: none */
    struct hwk_tpm_kind kind;
    TPMI_ALG_HASH hash;
    uint16_t aes; /* bits */
};

/* By the index of the certificate, and by what certificate is usual for a type
 * ("P-256", "P-384", "P-521", "RSA-2048"), in the low range where that has it.
 * NULL: not one of these. */
const struct hwk_tpm_ek *hwk_tpm_ek_at(TPM2_HANDLE cert);
const struct hwk_tpm_ek *hwk_tpm_ek_of(const char *type);

/* The public area to create it from; nonce may be empty. 0 when it does not fit
 * in unique, or libcrypto fails; raises nothing. */
int hwk_tpm_ek_template(const struct hwk_tpm_ek *ek, const uint8_t *nonce,
                        size_t nonce_n, TPM2B_PUBLIC *out);

/* The same from what a template index holds, TPMT_PUBLIC and whatever behind: 0
 * when that is no restricted decryption key of this kind that was born in its
 * TPM and cannot leave it. */
int hwk_tpm_ek_template_from(const struct hwk_tpm_ek *ek, const uint8_t *p,
                             size_t n, TPM2B_PUBLIC *out);

#endif
