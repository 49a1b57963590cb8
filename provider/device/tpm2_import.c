/* SPDX-License-Identifier: Apache-2.0 */
/* What was wrapped for a parent elsewhere becomes what it loads. */
#include "provider/device/tpm2_import.h"
#include "provider/device/tpm2_load.h"

int hwk_tpm_import_under(struct hwk_tpm *tpm, const struct hwk_tpm_under *under,
                         const TPM2B_PUBLIC *pub,
                         const TPM2B_PRIVATE *duplicate,
                         const TPM2B_ENCRYPTED_SECRET *secret,
                         TPM2B_PRIVATE *out)
{
    static const TPM2B_DATA no_key;
    static const TPMT_SYM_DEF_OBJECT no_inner = {.algorithm = TPM2_ALG_NULL};
    TPM2B_PRIVATE *made = NULL;
    ESYS_TR session;
    TSS2_RC rc;
    if (!hwk_tpm_parent_may(tpm, under->object, under->auth))
        return 0;
    do {
        if (!hwk_tpm_authorize(tpm, under->tr, under->auth, HWK_TPM_NO_SECRET,
                               &session))
            return 0;
        rc = Esys_Import(tpm->esys, under->tr, session, ESYS_TR_NONE,
                         ESYS_TR_NONE, &no_key, pub, duplicate, secret,
                         &no_inner, &made);
    } while (hwk_tpm_again(tpm, rc));
    hwk_tpm_parent_said(tpm, under->object, under->auth, rc);
    if (!hwk_tpm_check_wrapped(tpm, rc, "Import", under->at.handle))
        return 0;
    *out = *made;
    Esys_Free(made);
    return 1;
}

int hwk_tpm_import(struct hwk_tpm *tpm, const struct hwk_tpm_parent *parent,
                   const TPM2B_PUBLIC *pub, const TPM2B_PRIVATE *duplicate,
                   const TPM2B_ENCRYPTED_SECRET *secret, TPM2B_PRIVATE *out)
{
    struct hwk_tpm_under under;
    if (!hwk_tpm_under_at(tpm, parent, &under))
        return 0;
    int ok = hwk_tpm_import_under(tpm, &under, pub, duplicate, secret, out);
    hwk_tpm_under_close(tpm, &under);
    return ok;
}
