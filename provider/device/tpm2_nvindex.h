/* SPDX-License-Identifier: Apache-2.0 */
/* An NV index between begin and end: opened, read. */
#ifndef HWK_TPM2_NVINDEX_H
#define HWK_TPM2_NVINDEX_H

#include "provider/device/tpm2_conn.h"

struct hwk_tpm_index {
    struct hwk_tpm *tpm;
    ESYS_TR tr;          /* ESYS_TR_NONE: none */
    unsigned generation; /* of tpm->esys, which tr belongs to */
    TPMS_NV_PUBLIC pub;
    bool single; /* for commands of a hierarchy alone, and then closed: what
                    ESYS thinks of it does not matter any more */
};

/* Opens it: one NV_ReadPublic. 1, or 0 with a reason, HWK_R_NOT_FOUND when
 * there is none; close it in either case. */
int hwk_tpm_index_open(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                       struct hwk_tpm_index *ix);
void hwk_tpm_index_close(struct hwk_tpm_index *ix);

/*
 * All dataSize bytes of it into out, in pieces as long as the TPM takes them.
 * auth is the index's value where it can be read with that, else its
 * hierarchy's; NULL is the empty one. 0 with what is in the way: it was never
 * written (HWK_R_NOT_FOUND), is locked against reading or read by its policy
 * alone (HWK_R_UNSUPPORTED), or has an authorization value (HWK_R_PIN_MISSING,
 * HWK_R_PIN_INCORRECT; tried once).
 */
int hwk_tpm_index_read(struct hwk_tpm_index *ix, const struct hwk_secret *auth,
                       uint8_t *out);

/* True when reading it with an empty value cannot count as a wrong try in the
 * TPM's dictionary-attack protection. */
bool hwk_tpm_index_harmless(const struct hwk_tpm_index *ix);

#endif
