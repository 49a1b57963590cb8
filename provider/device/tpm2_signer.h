/* SPDX-License-Identifier: Apache-2.0 */
/* Software keys that sign for policies: policy-keys of the configuration. */
#ifndef HWK_TPM2_SIGNER_H
#define HWK_TPM2_SIGNER_H

#include <stdbool.h>

#include <tss2/tss2_tpm2_types.h>

struct hwk_tpm_signer;

/* Reads the PEM private keys (RSA, EC, PKCS#8; without a passphrase) in paths,
 * ':' between; NULL gives none. 1, or 0 with a reason that names the file. */
int hwk_tpm_signer_read(const char *paths, struct hwk_tpm_signer **out);
void hwk_tpm_signer_free(struct hwk_tpm_signer *signer); /* NULL is fine */

/* Whether the private half of pub is among them. */
bool hwk_tpm_signer_has(const struct hwk_tpm_signer *signer,
                        const TPM2B_PUBLIC *pub);

/* Its signature of data[n]: RSA PKCS#1 or ECDSA, with SHA-256 unless the
 * scheme of pub names another digest. 1, or 0 with a reason. */
int hwk_tpm_signer_sign(const struct hwk_tpm_signer *signer,
                        const TPM2B_PUBLIC *pub, const uint8_t *data, size_t n,
                        TPMT_SIGNATURE *out);

#endif
