/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM's public areas and curves as the provider's, all pure. */
#ifndef HWK_TPM2_PUBLIC_H
#define HWK_TPM2_PUBLIC_H

#include <tss2/tss2_tpm2_types.h>

#include "provider/backend.h"

/* A key's public half: RSA of 1024 to 4096 bits (one tied to RSAPSS is a key
 * for PSS only), P-256, P-384, P-521. 1, or 0 with HWK_R_KEY for another kind
 * or impossible values. */
int hwk_tpm_public(const TPM2B_PUBLIC *in, struct hwk_pub *out);

/* The table of curves, both ways; TPM2_ECC_NONE and NULL if not in it. */
TPMI_ECC_CURVE hwk_tpm_curve(const struct hwk_curve *curve);
const struct hwk_curve *hwk_tpm_curve_facts(TPMI_ECC_CURVE curve);

/* What a key may be used for, as bits of struct hwk_found.flags, and the one
 * digest it signs, if it is tied to one. */
unsigned hwk_tpm_flags(const TPM2B_PUBLIC *pub);
enum hwk_md hwk_tpm_mandatory_md(const TPM2B_PUBLIC *pub);

/* The hash of a fixed signing scheme; TPM2_ALG_NULL if it has none. */
TPMI_ALG_HASH hwk_tpm_scheme_hash(const TPM2B_PUBLIC *pub);
/* The scheme itself; TPM2_ALG_NULL if free. */
TPM2_ALG_ID hwk_tpm_scheme(const TPM2B_PUBLIC *pub);

/* True for a storage key: a parent of others. */
bool hwk_tpm_is_parent(const TPM2B_PUBLIC *pub);

/*
 * The digest in[n] as a key of that curve takes it when the scheme's hash is
 * alg: ECDSA signs the number of its first (order's) bits, so that a longer
 * digest is cut and a shorter one padded on the left without changing the
 * signature. alg TPM2_ALG_NULL: the smallest that holds it is chosen and
 * given in *alg. 0 when the number does not fit.
 */
int hwk_tpm_ecdsa_digest(TPMI_ECC_CURVE curve, const uint8_t *in, size_t n,
                         TPMI_ALG_HASH *alg, TPM2B_DIGEST *out);

/* A number of the TPM right-aligned in out[n]; 0 when it is longer. */
int hwk_tpm_align(const uint8_t *p, size_t size, uint8_t *out, size_t n);

#endif
