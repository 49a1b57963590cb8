/* SPDX-License-Identifier: Apache-2.0 */
/* Public areas of NV indices: the TPM's, device.h's, and their Names. */
#ifndef HWK_TPM2_NVPUBLIC_H
#define HWK_TPM2_NVPUBLIC_H

#include "provider/device/tpm2_nvindex.h"

/* The Name (TPM 2.0 Part 1, 16); 0 raises HWK_R_UNSUPPORTED: its hash. Pure. */
int hwk_tpm_nv_name(const TPMS_NV_PUBLIC *pub, TPM2B_NAME *out);

/* Both ways, the Name computed; 0 as above, or with HWK_R_ARGUMENT. Pure. */
int hwk_tpm_nv_from(const TPMS_NV_PUBLIC *pub, struct hwk_nv *out);
int hwk_tpm_nv_to(const struct hwk_nv *nv, TPM2B_NV_PUBLIC *out);

/* NV_ReadPublic, by hand: nothing is printed, no ESYS handle is touched. 1, or
 * 0 with HWK_R_NOT_FOUND, HWK_R_BUS when answer and Name do not fit. */
int hwk_tpm_nv_ask(struct hwk_tpm *tpm, TPM2_HANDLE index, TPMS_NV_PUBLIC *out);

/* Opens the index that the caller says pub is of, without a command: what is
 * authorised in a session then succeeds only if it is. Close it in either
 * case. 1, or 0 with a reason. */
int hwk_tpm_index_take(struct hwk_tpm *tpm, const TPMS_NV_PUBLIC *pub,
                       struct hwk_tpm_index *ix);

/* Has the TPM say in a salted session that ix is as we have it: one command,
 * and what the session takes. 1, or 0 with a reason, HWK_R_BUS when it is not.
 * Nothing when the configuration has no sessions. */
int hwk_tpm_index_prove(struct hwk_tpm_index *ix);

#endif
