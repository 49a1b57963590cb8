/* SPDX-License-Identifier: Apache-2.0 */
/* What policies are about, read from the TPM: PCRs, NV indices, Names. */
#ifndef HWK_TPM2_FACTS_H
#define HWK_TPM2_FACTS_H

#include "provider/device/tpm2_conn.h"
#include "provider/device/tpm2_rule_text.h"

/* All between begin and end. They ask past ESYS: nothing is printed, and no
 * ESYS handle is touched. */

/* The PCRs that s selects into value; one command for each 8 of them. Those
 * that the TPM does not have stay empty. A TSS2_RC. */
TSS2_RC hwk_tpm_pcr_read(struct hwk_tpm *tpm, const TPMS_PCR_SELECTION *s,
                         TPM2B_DIGEST value[static HWK_TPM_PCRS]);

/* alg's digest of all PCRs in l as they are, as PolicyPCR has it. */
TSS2_RC hwk_tpm_pcr_digest(struct hwk_tpm *tpm, const TPML_PCR_SELECTION *l,
                           TPMI_ALG_HASH alg, TPM2B_DIGEST *out);

/* size bytes at offset of an index, with its own empty authorization value or
 * the owner's (by_owner). */
TSS2_RC hwk_tpm_nv_peek(struct hwk_tpm *tpm, TPM2_HANDLE index, bool by_owner,
                        UINT16 offset, UINT16 size, TPM2B_MAX_NV_BUFFER *out);

/*
 * Fills what a parsed policy leaves open, for a key that is being made: PCRs
 * without a value get the one they have, objects their Names. 1, or 0 with a
 * reason: an index that is not there, or not written yet (its Name would
 * change).
 */
int hwk_tpm_policy_fill(struct hwk_tpm *tpm, struct hwk_tpm_policy *policy);
/* The same for Names alone. */
int hwk_tpm_policy_names(struct hwk_tpm *tpm, struct hwk_tpm_policy *policy);

#endif
