/* SPDX-License-Identifier: Apache-2.0 */
/* Messages hashed by the TPM, for keys that sign nothing else. */
#include <string.h>

#include "provider/device/tpm2_key.h"

/* every TPM's command takes that much */
#define CHUNK 1024
#define NONE3 ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE

static void fill(TPM2B_MAX_BUFFER *out, const uint8_t *p, size_t n)
{
    out->size = (UINT16)n;
    if (n > 0)
        memcpy(out->buffer, p, n);
}

/* the message's end, and the TPM's word that it hashed it */
static TSS2_RC finish(struct hwk_tpm *tpm, ESYS_TR *sequence,
                      const TPM2B_MAX_BUFFER *last, TPM2B_DIGEST **digest,
                      TPMT_TK_HASHCHECK **ticket)
{
    TSS2_RC rc = Esys_SequenceComplete(tpm->esys, *sequence, ESYS_TR_PASSWORD,
                                       ESYS_TR_NONE, ESYS_TR_NONE, last,
                                       ESYS_TR_RH_OWNER, digest, ticket);
    if (rc == TSS2_RC_SUCCESS)
        *sequence = ESYS_TR_NONE;
    return rc;
}

static TSS2_RC in_pieces(struct hwk_tpm *tpm, TPMI_ALG_HASH alg,
                         const uint8_t *p, size_t n, ESYS_TR *sequence,
                         TPM2B_DIGEST **digest, TPMT_TK_HASHCHECK **ticket)
{
    const TPM2B_AUTH empty = {.size = 0};
    TPM2B_MAX_BUFFER piece;
    TSS2_RC rc =
        Esys_HashSequenceStart(tpm->esys, NONE3, &empty, alg, sequence);
    for (; rc == TSS2_RC_SUCCESS && n > CHUNK; p += CHUNK, n -= CHUNK) {
        fill(&piece, p, CHUNK);
        rc = Esys_SequenceUpdate(tpm->esys, *sequence, ESYS_TR_PASSWORD,
                                 ESYS_TR_NONE, ESYS_TR_NONE, &piece);
    }
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    fill(&piece, p, n);
    return finish(tpm, sequence, &piece, digest, ticket);
}

TSS2_RC hwk_tpm_ticket(struct hwk_tpm *tpm, TPMI_ALG_HASH alg, const uint8_t *p,
                       size_t n, TPM2B_DIGEST *digest,
                       TPMT_TK_HASHCHECK *ticket)
{
    TPM2B_MAX_BUFFER all;
    TPM2B_DIGEST *d = NULL;
    TPMT_TK_HASHCHECK *t = NULL;
    ESYS_TR sequence = ESYS_TR_NONE;
    TSS2_RC rc;
    if (n <= CHUNK) {
        fill(&all, p, n);
        rc = Esys_Hash(tpm->esys, NONE3, &all, alg, ESYS_TR_RH_OWNER, &d, &t);
    } else if (hwk_tpm_mark(tpm)) {
        hwk_tpm_spare(tpm, 1);
        rc = in_pieces(tpm, alg, p, n, &sequence, &d, &t);
    } else {
        rc = TSS2_ESYS_RC_IO_ERROR;
    }
    hwk_tpm_flush(tpm, &sequence);
    if (rc == TSS2_RC_SUCCESS) {
        *digest = *d;
        *ticket = *t;
    }
    Esys_Free(d);
    Esys_Free(t);
    return rc;
}
