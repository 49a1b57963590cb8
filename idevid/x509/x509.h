/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef IDVI_X509_H
#define IDVI_X509_H

#include <openssl/x509v3.h>

#include <idevid/auto.h>
#include <idevid/x509.h>

#include "x509/sign_failed.h"

/* The public half alone, as a key of OpenSSL's own, never the device's. */
idv_rc idvi_public_half(const EVP_PKEY *key, EVP_PKEY **out) IDV_CHECKED;
/* Digests and nothing else: for what has a key that is read otherwise, or by
 * nobody. */
OSSL_LIB_CTX *idvi_keyless_context(void);
/* A new key of idv_lean_context(), read without a decoder: a point as it is on
 * P-256, P-384 or P-521. NULL for all others, and where it is none. */
EVP_PKEY *idvi_curve_key(const X509_PUBKEY *from);
/* The point of one that was read so, and its curve; empty for all others. */
struct idv_bytes idvi_curve_point(const EVP_PKEY *key, int *nid);
#define IDVI_POINT_MAX 133 /* P-521 */
/* What idv_cert_from_der and idv_cert_glance do; empty (NULL: a new one) is
 * taken. */
idv_rc idvi_cert_into(X509 *empty, struct idv_bytes der,
                      X509 **out) IDV_CHECKED;
/* What idv_cert_sha256 is to say of it, which nobody changes any more; before
 * others have it. */
void idvi_keep_sha256(X509 *cert, struct idv_bytes der);
/* SubjectPublicKeyInfo, DER. */
idv_rc idvi_spki(const EVP_PKEY *key, struct idv_buf *out) IDV_CHECKED;
/* The same into what is to be signed, and from certificate to certificate: it
 * is not parsed there, X509_get0_pubkey has none until somebody reads it. */
idv_rc idvi_pubkey_put(const EVP_PKEY *key, X509_PUBKEY *to) IDV_CHECKED;
idv_rc idvi_pubkey_copy(const X509_PUBKEY *from, X509_PUBKEY *to) IDV_CHECKED;
/* UTC; IDV_E_FORMAT: none (NULL), or not one. */
idv_rc idvi_seconds(const ASN1_TIME *t, int64_t *out) IDV_CHECKED;
/* SKI value, or SHA-1 of the subjectPublicKey bits (RFC 5280 4.2.1.2). */
idv_rc idvi_key_id(const X509 *cert, struct idv_buf *out) IDV_CHECKED;

/* SEQUENCE { hwType, hwSerialNum } of RFC 4108 */
typedef struct idvi_hw_module {
    ASN1_OBJECT *type;
    ASN1_OCTET_STRING *serial;
} IDVI_HW_MODULE;
DECLARE_ASN1_FUNCTIONS(IDVI_HW_MODULE)

/* SEQUENCE { identifierValue, assigner } of RFC 4043, both there */
typedef struct idvi_permanent_id {
    ASN1_UTF8STRING *value;
    ASN1_OBJECT *assigner;
} IDVI_PERMANENT_ID;
DECLARE_ASN1_FUNCTIONS(IDVI_PERMANENT_ID)

/* PrintableString when the characters allow it, else UTF8String */
int idvi_string_type(const char *text);
/* The name that spec has, or that its words make, checked; and that alone. */
idv_rc idvi_subject(const struct idv_cert_spec *spec,
                    X509_NAME **out) IDV_CHECKED;
idv_rc idvi_check_subject(const struct idv_cert_spec *spec,
                          const X509_NAME *name) IDV_CHECKED;
/* An approved extension of that name (in spec->extra) takes its place. */
idv_rc idvi_add_extension(X509 *cert, const struct idv_cert_spec *spec, int nid,
                          void *value, bool critical) IDV_CHECKED;
/* certificatePolicies, cRLDistributionPoints, authorityInfoAccess */
idv_rc idvi_add_terms(const struct idv_cert_spec *spec, X509 *cert) IDV_CHECKED;
/* All extensions of the kind, then spec->extra; cert has its key. */
idv_rc idvi_extensions(const struct idv_cert_spec *spec,
                       const X509_NAME *subject, const X509 *issuer,
                       X509 *cert) IDV_CHECKED;

IDV_AUTO_PTR_DEFINE(GENERAL_NAMES, GENERAL_NAMES_free)
IDV_AUTO_PTR_DEFINE(GENERAL_NAME, GENERAL_NAME_free)
IDV_AUTO_PTR_DEFINE(AUTHORITY_KEYID, AUTHORITY_KEYID_free)
IDV_AUTO_PTR_DEFINE(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free)
IDV_AUTO_PTR_DEFINE(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)
IDV_AUTO_PTR_DEFINE(ASN1_BIT_STRING, ASN1_BIT_STRING_free)
IDV_AUTO_PTR_DEFINE(ASN1_IA5STRING, ASN1_IA5STRING_free)
IDV_AUTO_PTR_DEFINE(ASN1_INTEGER, ASN1_INTEGER_free)
IDV_AUTO_PTR_DEFINE(ASN1_TIME, ASN1_TIME_free)
IDV_AUTO_PTR_DEFINE(PKCS7, PKCS7_free)
IDV_AUTO_PTR_DEFINE(IDVI_HW_MODULE, IDVI_HW_MODULE_free)
IDV_AUTO_PTR_DEFINE(IDVI_PERMANENT_ID, IDVI_PERMANENT_ID_free)

/* i2d of anything appended to a buffer; the function stands for its type. */
#define IDVI_PUT_DER(i2d, object, out)                                         \
    ({                                                                         \
        int der_n_ = i2d((object), NULL);                                      \
        uint8_t *der_p_ = NULL;                                                \
        idv_rc der_rc_ = der_n_ > 0                                            \
                             ? idv_buf_room((out), (size_t)der_n_, &der_p_)    \
                             : idv_fail(IDV_E_CRYPTO, #i2d);                   \
        if (der_rc_ == IDV_OK)                                                 \
            (out)->n += (size_t)i2d((object), &der_p_);                        \
        der_rc_;                                                               \
    })

#endif
