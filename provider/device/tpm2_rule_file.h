/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and signatures of those who sign for a policy, from files. */
#ifndef HWK_TPM2_RULE_FILE_H
#define HWK_TPM2_RULE_FILE_H

#include <stdbool.h>

#include <tss2/tss2_tpm2_types.h>

#include "provider/pub.h"

/*
 * A public key: PEM (PUBLIC KEY, CERTIFICATE), or a TPM2B_PUBLIC as tpm2-tools
 * write it. A PEM key becomes the public area that tpm2_loadexternal makes of
 * it (hash SHA-256, userWithAuth, sign, decrypt, no scheme), so that policies
 * made with those tools have the same digest. 1, or 0 with HWK_R_FILE,
 * HWK_R_FORMAT, HWK_R_KEY.
 */
int hwk_tpm_file_public(const char *path, TPM2B_PUBLIC *out);

/* A signature with that key: a TPMT_SIGNATURE, or what `openssl dgst -sha256
 * -sign` makes (RSA PKCS#1, ECDSA in DER). Only its form is checked. */
int hwk_tpm_file_signature(const char *path, const TPM2B_PUBLIC *pub,
                           TPMT_SIGNATURE *out);

/* The same of values that are there already; the latter of what openssl makes,
 * false when it is no such signature of that key, which raises nothing. Pure.
 */
int hwk_tpm_signer_public(const struct hwk_pub *pub, TPM2B_PUBLIC *out);
bool hwk_tpm_usual_signature(const uint8_t *p, size_t n, const TPMT_PUBLIC *key,
                             TPMT_SIGNATURE *out);

#endif
