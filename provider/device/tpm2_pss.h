/* SPDX-License-Identifier: Apache-2.0 */
/* RSA paddings where the TPM's own do not serve (RFC 8017), all pure. */
#ifndef HWK_TPM2_PSS_H
#define HWK_TPM2_PSS_H

#include <stddef.h>
#include <stdint.h>

#include <tss2/tss2_tpm2_types.h>

#include "provider/mech.h"
#include "provider/pub.h"

/* EMSA-PSS of digest for a modulus of that many bits, into out[(bits+7)/8].
 * alg is the hash and that of MGF1. 0 when it does not fit or is unknown. */
int hwk_tpm_pss_encode(TPMI_ALG_HASH alg, const uint8_t *digest,
                       const uint8_t *salt, size_t salt_len, unsigned bits,
                       uint8_t *out);

/* The length of the salt in sig[n], a PSS signature over digest by pub; -1 when
 * it is no such signature. */
int hwk_tpm_pss_salt(TPMI_ALG_HASH alg, const uint8_t *digest,
                     const struct hwk_pub *pub, const uint8_t *sig, size_t n);

/* Block type 1 of PKCS#1 v1.5 around in[n], out[size]. 0: does not fit. */
int hwk_tpm_pkcs1_block(const uint8_t *in, size_t n, uint8_t *out, size_t size);

#endif
