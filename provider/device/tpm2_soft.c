/* SPDX-License-Identifier: Apache-2.0 */
/* The library context that a TPM's sessions compute in. */
#include <openssl/crypto.h>

#include "provider/device/tpm2_conn.h"

OSSL_LIB_CTX *hwk_tpm_soft(struct hwk_tpm *tpm)
{
    struct hwk_tpm_soft *s = &tpm->soft;
    if (tpm->cfg && tpm->cfg->soft)
        return tpm->cfg->soft(tpm->cfg->soft_arg);
    if (s->own)
        return s->own;
    s->own = OSSL_LIB_CTX_new();
    s->provider = s->own ? OSSL_PROVIDER_load(s->own, "default") : NULL;
    if (s->provider)
        return s->own;
    hwk_tpm_soft_clear(s);
    hwk_raise(HWK_R_DELEGATE, "no private library context");
    return NULL;
}

void hwk_tpm_soft_clear(struct hwk_tpm_soft *soft)
{
    if (soft->provider)
        OSSL_PROVIDER_unload(soft->provider);
    OSSL_LIB_CTX_free(soft->own);
    soft->own = NULL;
    soft->provider = NULL;
}
