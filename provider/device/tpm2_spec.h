/* SPDX-License-Identifier: Apache-2.0 */
/* What was asked of a new key as a public area, pure. */
#ifndef HWK_TPM2_SPEC_H
#define HWK_TPM2_SPEC_H

#include <tss2/tss2_tpm2_types.h>

#include "provider/backend.h"

/*
 * The public area to make the key from, or, with spec->from, the whole one of
 * the key that is brought in: it came from elsewhere, so it is not called bound
 * to this TPM (fixedTPM, fixedParent, sensitiveDataOrigin clear). The digest of
 * a policy is for the caller to put in.
 * 1, or 0 with HWK_R_KEY, HWK_R_PARAM or HWK_R_DIGEST for what contradicts
 * itself, HWK_R_UNSUPPORTED for what only tokens have. Whether the TPM makes
 * such keys is for the TPM to say.
 */
int hwk_tpm_spec_public(const struct hwk_spec *spec, TPM2B_PUBLIC *out);

/* Whether made is what was asked for, all but the key itself. */
bool hwk_tpm_spec_made(const TPM2B_PUBLIC *template, const TPM2B_PUBLIC *made);

/* "RSA 3072, RSASSA with SHA2-256" for messages. */
#define HWK_TPM_SPEC_TEXT_MAX 80
void hwk_tpm_spec_text(const TPM2B_PUBLIC *pub,
                       char out[static HWK_TPM_SPEC_TEXT_MAX]);

#endif
