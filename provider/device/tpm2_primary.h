/* SPDX-License-Identifier: Apache-2.0 */
/* Primary keys made past ESYS, which hashes each one's Name in a library
 * context that it makes for that. */
#ifndef HWK_TPM2_PRIMARY_H
#define HWK_TPM2_PRIMARY_H

#include "provider/device/tpm2_conn.h"

struct hwk_tpm_primary {
    ESYS_TR tr; /* transient, to be flushed */
    TPM2_HANDLE handle;
    TPM2B_PUBLIC pub;
    TPM2B_NAME name; /* computed from it, and what the TPM says it is */
    TPM2B_CREATION_DATA data;
    TPM2B_DIGEST hash;
    TPMT_TK_CREATION ticket;
};

/* CreatePrimary of template under a hierarchy with an empty value, nothing else
 * given: where hwk_tpm_plain allows that; after hwk_tpm_mark. Gives the rc,
 * which is for hwk_tpm_check: out->tr is ESYS_TR_NONE unless it is success. */
TSS2_RC hwk_tpm_primary_make(struct hwk_tpm *tpm, TPM2_HANDLE hierarchy,
                             const TPM2B_PUBLIC *template,
                             struct hwk_tpm_primary *out);

/* An ESYS handle of its own for the key at handle, whose public area and Name
 * the caller has checked; no command. Gives the rc. */
TSS2_RC hwk_tpm_primary_tell(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                             const TPM2B_PUBLIC *pub, const TPM2B_NAME *name,
                             ESYS_TR *tr);

#endif
