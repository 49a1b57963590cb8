/* SPDX-License-Identifier: Apache-2.0 */
/* RSA mechanisms of the test's PKCS#11 module, as OpenSSL has them. */
#include <openssl/crypto.h>
#include <openssl/rsa.h>

#include "tests/lib/p11_soft_int.h"

static const char *md_of(CK_MECHANISM_TYPE hash)
{
    switch (hash) {
    case CKM_SHA_1:
        return "SHA1";
    case CKM_SHA224:
        return "SHA224";
    case CKM_SHA256:
        return "SHA256";
    case CKM_SHA384:
        return "SHA384";
    case CKM_SHA512:
        return "SHA512";
    default:
        return NULL;
    }
}

static const char *mgf_of(CK_ULONG mgf)
{
    static const CK_MECHANISM_TYPE hash[] = {
        0, CKM_SHA_1, CKM_SHA256, CKM_SHA384, CKM_SHA512, CKM_SHA224};

    return mgf < sizeof(hash) / sizeof(hash[0]) ? md_of(hash[mgf]) : NULL;
}

static bool set_pss(EVP_PKEY_CTX *ctx, const CK_RSA_PKCS_PSS_PARAMS *p)
{
    const char *md = md_of(p->hashAlg), *mgf = mgf_of(p->mgf);

    return md != NULL && mgf != NULL &&
           EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(ctx, EVP_get_digestbyname(md)) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, mgf, NULL) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)p->sLen) == 1;
}

static bool set_oaep(EVP_PKEY_CTX *ctx, const struct soft_session *at)
{
    const CK_RSA_PKCS_OAEP_PARAMS *p = &at->param.oaep;
    const char *md = md_of(p->hashAlg), *mgf = mgf_of(p->mgf);
    void *label = NULL;

    if (md == NULL || mgf == NULL ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, md, NULL) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, mgf, NULL) != 1)
        return false;
    if (p->ulSourceDataLen == 0)
        return true;
    label = OPENSSL_memdup(at->extra, p->ulSourceDataLen);
    if (label != NULL && EVP_PKEY_CTX_set0_rsa_oaep_label(
                             ctx, label, (int)p->ulSourceDataLen) == 1)
        return true;
    OPENSSL_free(label);
    return false;
}

bool soft_set_padding(EVP_PKEY_CTX *ctx, const struct soft_session *at)
{
    switch (at->mech) {
    case CKM_RSA_PKCS:
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    case CKM_RSA_X_509:
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1;
    case CKM_RSA_PKCS_PSS:
        return set_pss(ctx, &at->param.pss);
    case CKM_RSA_PKCS_OAEP:
        return set_oaep(ctx, at);
    default:
        return true;
    }
}
