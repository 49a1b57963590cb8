/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures that no device makes: verification, and all of software keys, are
 * the default provider's work in the private context, parameters included. */
#include "provider/op_signature.h"
#include "provider/soft.h"

void hwk_sig_soft_end(struct hwk_sig *sig)
{
    if (sig->soft_md != NULL)
        EVP_MD_CTX_free(sig->soft_md); /* and soft, which is of it */
    else
        EVP_PKEY_CTX_free(sig->soft);
    sig->soft_md = NULL;
    sig->soft = NULL;
}

int hwk_sig_soft_dup(struct hwk_sig *to, const struct hwk_sig *from)
{
    to->soft_md = NULL;
    to->soft = NULL;
    if (from->soft_md != NULL) {
        to->soft_md = EVP_MD_CTX_new();
        if (to->soft_md == NULL ||
            !EVP_MD_CTX_copy_ex(to->soft_md, from->soft_md))
            return 0;
        to->soft = EVP_MD_CTX_get_pkey_ctx(to->soft_md);
    } else if (from->soft != NULL) {
        to->soft = EVP_PKEY_CTX_dup(from->soft);
        return to->soft != NULL;
    }
    return 1;
}

/* --- one operation on what was hashed elsewhere --- */

int hwk_sig_soft_init(struct hwk_sig *sig, hwk_soft_init_fn *init,
                      const OSSL_PARAM params[])
{
    hwk_sig_soft_end(sig);
    sig->soft = hwk_soft_ctx(sig->key);
    return sig->soft != NULL && init(sig->soft, params) > 0;
}

int hwk_sig_soft_sign(struct hwk_sig *sig, uint8_t *out, size_t *out_n,
                      size_t room, const uint8_t *tbs, size_t n)
{
    *out_n = room;
    return EVP_PKEY_sign(sig->soft, out, out_n, tbs, n) > 0;
}

int hwk_sig_soft_recover(struct hwk_sig *sig, uint8_t *out, size_t *out_n,
                         size_t room, const uint8_t *in, size_t n)
{
    *out_n = room;
    return EVP_PKEY_verify_recover(sig->soft, out, out_n, in, n) > 0;
}

/* --- with hashing --- */

int hwk_sig_soft_digest_init(struct hwk_sig *sig, hwk_soft_digest_init_fn *init,
                             const char *md, const OSSL_PARAM params[])
{
    EVP_PKEY *soft = hwk_key_soft(sig->key);

    hwk_sig_soft_end(sig);
    if (soft == NULL || (sig->soft_md = EVP_MD_CTX_new()) == NULL)
        return 0;
    /* whoever calls us has copied the context if it goes on with it */
    EVP_MD_CTX_set_flags(sig->soft_md, EVP_MD_CTX_FLAG_FINALISE);
    return init(sig->soft_md, &sig->soft, md, hwk_core_soft(sig->core), NULL,
                soft, params) > 0;
}

int hwk_sig_soft_digest_sign(struct hwk_sig *sig, uint8_t *out, size_t *out_n,
                             size_t room, const uint8_t *data, size_t n)
{
    *out_n = room;
    return EVP_DigestSign(sig->soft_md, out, out_n, data, n) > 0;
}

int hwk_sig_soft_final(struct hwk_sig *sig, uint8_t *out, size_t *out_n,
                       size_t room)
{
    *out_n = room;
    return EVP_DigestSignFinal(sig->soft_md, out, out_n) > 0;
}
