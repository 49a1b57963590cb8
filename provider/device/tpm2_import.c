/* SPDX-License-Identifier: Apache-2.0 */
/* What was wrapped for a parent elsewhere becomes what it loads. */
#include "provider/device/tpm2_import.h"
#include "provider/device/tpm2_load.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_template.h"

struct wrapped {
    const TPM2B_PUBLIC *pub;
    const TPM2B_PRIVATE *duplicate;
    const TPM2B_ENCRYPTED_SECRET *secret;
    TPM2B_PRIVATE *out;
};

static int import_under(struct hwk_tpm *tpm, TPM2_HANDLE handle, ESYS_TR parent,
                        const struct hwk_secret *auth, const struct wrapped *w)
{
    static const TPM2B_DATA no_key;
    static const TPMT_SYM_DEF_OBJECT no_inner = {.algorithm = TPM2_ALG_NULL};
    TPM2B_PRIVATE *made = NULL;
    ESYS_TR session;
    TSS2_RC rc;
    do {
        if (!hwk_tpm_authorize(tpm, parent, auth, HWK_TPM_NO_SECRET, &session))
            return 0;
        rc = Esys_Import(tpm->esys, parent, session, ESYS_TR_NONE, ESYS_TR_NONE,
                         &no_key, w->pub, w->duplicate, w->secret, &no_inner,
                         &made);
    } while (hwk_tpm_again(tpm, rc));
    if (!hwk_tpm_check_wrapped(tpm, rc, "Import", handle))
        return 0;
    *w->out = *made;
    Esys_Free(made);
    return 1;
}

static int under_primary(struct hwk_tpm *tpm,
                         const struct hwk_tpm_parent *parent,
                         const struct wrapped *w)
{
    TPM2B_PUBLIC template;
    ESYS_TR tr;
    hwk_tpm_template_default(parent->rsa, &template);
    if (!hwk_tpm_create_primary(tpm, parent->handle, parent->auth, NULL,
                                &template, &tr, NULL))
        return 0;
    int ok = import_under(tpm, parent->handle, tr, NULL, w);
    hwk_tpm_flush(tpm, &tr);
    return ok;
}

static int under_persistent(struct hwk_tpm *tpm,
                            const struct hwk_tpm_parent *parent,
                            const struct wrapped *w)
{
    struct hwk_tpm_object *o = hwk_tpm_object_open(tpm, parent->handle);
    ESYS_TR tr;
    if (!o)
        return 0;
    int ok = hwk_tpm_is_parent(&o->pub) ||
             hwk_raise(HWK_R_KEY, "TPM key 0x%08x is no storage key",
                       parent->handle);
    ok = ok && hwk_tpm_object_tr(tpm, o, &tr) &&
         import_under(tpm, parent->handle, tr, parent->auth, w);
    hwk_tpm_object_close(tpm, o);
    return ok;
}

int hwk_tpm_import(struct hwk_tpm *tpm, const struct hwk_tpm_parent *parent,
                   const TPM2B_PUBLIC *pub, const TPM2B_PRIVATE *duplicate,
                   const TPM2B_ENCRYPTED_SECRET *secret, TPM2B_PRIVATE *out)
{
    const struct wrapped w = {pub, duplicate, secret, out};
    return parent->handle >> 24 == TPM2_HT_PERSISTENT
               ? under_persistent(tpm, parent, &w)
               : under_primary(tpm, parent, &w);
}
