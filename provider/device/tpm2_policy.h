/* SPDX-License-Identifier: Apache-2.0 */
/* The TCG policies of device identity keys, computed from their inputs. */
#ifndef HWK_TPM2_POLICY_H
#define HWK_TPM2_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include <tss2/tss2_tpm2_types.h>

#include "provider/mech.h"
#include "provider/uri.h"

#define HWK_TPM_DEVID_BRANCHES 4

/*
 * authPolicy of an IDevID or IAK: PolicyOR over, in this order, the
 * endorsement administrator (PolicySecret), the same for TPM2_Certify only,
 * the same for TPM2_ActivateCredential only, and PolicyAuthorizeNV of an NV
 * index fixed by kind and hash (TCG "TPM 2.0 Keys for Device Identity and
 * Attestation" 7.3.4). alg is SHA-256, SHA-384 or SHA-512, kind IDEVID
 * or IAK; branch may be NULL.
 * 1, or 0 for another hash or when libcrypto fails; raises nothing.
 */
int hwk_tpm_policy_devid(TPMI_ALG_HASH alg, enum hwk_tpm_name kind,
                         TPM2B_DIGEST branch[HWK_TPM_DEVID_BRANCHES],
                         TPM2B_DIGEST *policy);

#define HWK_TPM_EK_BRANCHES 2

/*
 * authPolicy of an endorsement key. In the low range of indices PolicySecret of
 * the endorsement administrator alone (PolicyA); in the high range PolicyOR
 * over that and PolicyAuthorizeNV of the NV index fixed by the hash (PolicyB;
 * TCG "EK Credential Profile" B.6). As above.
 */
int hwk_tpm_policy_ek(TPMI_ALG_HASH alg, bool high,
                      TPM2B_DIGEST branch[HWK_TPM_EK_BRANCHES],
                      TPM2B_DIGEST *policy);

/* alg's digest of n bytes, independent of any library context (an application
 * may have loaded no provider with digests). 1 or 0, raises nothing. */
int hwk_tpm_hash(TPMI_ALG_HASH alg, const uint8_t *p, size_t n,
                 TPM2B_DIGEST *out);

/* The TPM's number for a digest and back; TPM2_ALG_NULL and HWK_MD_NONE for
 * what the other side does not have. */
TPMI_ALG_HASH hwk_tpm_alg(enum hwk_md md);
enum hwk_md hwk_tpm_md(TPMI_ALG_HASH alg);

#endif
