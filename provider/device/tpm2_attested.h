/* SPDX-License-Identifier: Apache-2.0 */
/* What a TPM attests to, as device.h gives it: all pure. */
#ifndef HWK_TPM2_ATTESTED_H
#define HWK_TPM2_ATTESTED_H

#include "provider/device/tpm2_conn.h"

/* Unmarshals it: what a TPM made, of this type, over this nonce, with nothing
 * behind. 1, or 0 with HWK_R_BUS; what names the command. */
int hwk_tpm_attest_read(const struct hwk_tpm *tpm, const char *what,
                        const TPM2B_ATTEST *got, TPM2_ST type,
                        struct hwk_view nonce, TPMS_ATTEST *out);

/* The signature of key as device.h has it: of ECDSA in DER, of RSA as long as
 * the modulus. *n gets its size. False when it is none of that key. */
bool hwk_tpm_attest_signature(const TPMT_PUBLIC *key, const TPMT_SIGNATURE *sig,
                              uint8_t out[static HWK_ATTEST_SIGNATURE_MAX],
                              size_t *n);

/* All of it. 1, or 0 with a reason. */
int hwk_tpm_attest_take(const struct hwk_tpm *tpm, const char *what,
                        const TPMT_PUBLIC *key, const TPM2B_ATTEST *attest,
                        const TPMT_SIGNATURE *sig, struct hwk_attested *out);

#endif
