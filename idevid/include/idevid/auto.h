/* SPDX-License-Identifier: Apache-2.0 */
/* Cleanup by attribute: a variable that frees what it owns on every way out. */
#ifndef IDEVID_AUTO_H
#define IDEVID_AUTO_H

#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <idevid/buf.h>
#include <idevid/json.h>

/*
 *  IDV_AUTO(buf) b = {0};             a struct idv_buf, idv_buf_free at the end
 *  IDV_AUTO_PTR(X509) cert = NULL;    an X509 *, X509_free at the end
 *  return idv_steal(&cert);           hands over: cert is NULL afterwards
 */
#define IDV_AUTO(type)                                                         \
    __attribute__((cleanup(idv_auto_##type))) struct idv_##type
#define IDV_AUTO_PTR(type) __attribute__((cleanup(idv_auto_##type##_p))) type *

#define IDV_AUTO_PTR_DEFINE(type, free_fn)                                     \
    static inline __attribute__((unused)) void idv_auto_##type##_p(type **p)   \
    {                                                                          \
        free_fn(*p);                                                           \
    }

#define idv_steal(pp)                                                          \
    ({                                                                         \
        __typeof__(pp) pp_ = (pp);                                             \
        __typeof__(*pp_) v_ = *pp_;                                            \
        *pp_ = NULL;                                                           \
        v_;                                                                    \
    })

static inline void idv_auto_buf(struct idv_buf *b)
{
    idv_buf_free(b);
}

typedef char idv_char; /* IDV_AUTO_PTR(idv_char) s: a malloc'ed string */
typedef STACK_OF(X509) idv_certs;
typedef struct idv_json idv_json;

static inline void idv_certs_free(idv_certs *certs)
{
    sk_X509_pop_free(certs, X509_free);
}

IDV_AUTO_PTR_DEFINE(idv_char, free)
IDV_AUTO_PTR_DEFINE(idv_certs, idv_certs_free)
IDV_AUTO_PTR_DEFINE(idv_json, idv_json_free)
IDV_AUTO_PTR_DEFINE(BIO, BIO_free_all)
IDV_AUTO_PTR_DEFINE(X509, X509_free)
IDV_AUTO_PTR_DEFINE(X509_REQ, X509_REQ_free)
IDV_AUTO_PTR_DEFINE(X509_NAME, X509_NAME_free)
IDV_AUTO_PTR_DEFINE(X509_STORE, X509_STORE_free)
IDV_AUTO_PTR_DEFINE(X509_STORE_CTX, X509_STORE_CTX_free)
IDV_AUTO_PTR_DEFINE(X509_EXTENSION, X509_EXTENSION_free)
IDV_AUTO_PTR_DEFINE(EVP_PKEY, EVP_PKEY_free)
IDV_AUTO_PTR_DEFINE(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
IDV_AUTO_PTR_DEFINE(EVP_MD_CTX, EVP_MD_CTX_free)
IDV_AUTO_PTR_DEFINE(CMS_ContentInfo, CMS_ContentInfo_free)
IDV_AUTO_PTR_DEFINE(ASN1_OBJECT, ASN1_OBJECT_free)
IDV_AUTO_PTR_DEFINE(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)

#endif
