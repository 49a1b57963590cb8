/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions started past ESYS, which makes a library context for each nonce,
 * digest and HMAC of one: we know their keys, and ESYS is told. */
#ifndef HWK_TPM2_NEWSESSION_H
#define HWK_TPM2_NEWSESSION_H

#include "provider/device/tpm2_conn.h"

/*
 * StartAuthSession of held->alg and type, salted with a key that is in the TPM
 * (NULL: not, and it encrypts nothing then). held->tr is ESYS' handle
 * afterwards, which any Esys_ function takes, and key what the session's HMACs
 * are made with; after hwk_tpm_mark. 1 with *rc, which is for hwk_tpm_check
 * (held->tr is ESYS_TR_NONE unless it is success), or 0 with a reason before
 * anything was sent.
 */
int hwk_tpm_session_new(struct hwk_tpm *tpm,
                        const struct hwk_tpm_salt_key *salt, TPM2_SE type,
                        struct hwk_tpm_held *held, TSS2_RC *rc);

/* The nonces of a session: the last ones that were used. */
struct hwk_tpm_nonces {
    TPM2B_NONCE ours, theirs;
};

/* ESYS hears of the session of that handle, or of what it has become, with its
 * attributes: held->tr is another then. No command. Gives the rc:
 * TSS2_ESYS_RC_NOT_IMPLEMENTED when this ESYS writes sessions down otherwise
 * than we know; held->tr is ESYS_TR_NONE then. */
TSS2_RC hwk_tpm_session_tell(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                             const struct hwk_tpm_nonces *nonces,
                             TPMA_SESSION attributes,
                             struct hwk_tpm_held *held);

#endif
