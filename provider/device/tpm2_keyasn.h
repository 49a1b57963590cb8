/* SPDX-License-Identifier: Apache-2.0 */
/* The syntax of files labelled TSS2 PRIVATE KEY, for libcrypto's templates. */
#ifndef HWK_TPM2_KEYASN_H
#define HWK_TPM2_KEYASN_H

#include <openssl/asn1.h>
#include <openssl/safestack.h>

/* TPMPolicy */
typedef struct {
    ASN1_INTEGER *code;
    ASN1_OCTET_STRING *params;
} HWK_KEYSTEP;
DEFINE_STACK_OF(HWK_KEYSTEP)
DECLARE_ASN1_FUNCTIONS(HWK_KEYSTEP)

/* TPMAuthPolicy */
typedef struct {
    ASN1_UTF8STRING *name;
    STACK_OF(HWK_KEYSTEP) * steps;
} HWK_KEYRULE;
DEFINE_STACK_OF(HWK_KEYRULE)
DECLARE_ASN1_FUNCTIONS(HWK_KEYRULE)

/* TPMKey; a BOOLEAN that is not there is -1 */
typedef struct {
    ASN1_OBJECT *type;
    ASN1_BOOLEAN empty_auth;
    STACK_OF(HWK_KEYSTEP) * policy;
    ASN1_OCTET_STRING *secret;
    STACK_OF(HWK_KEYRULE) * alternatives;
    ASN1_UTF8STRING *description;
    ASN1_BOOLEAN rsa_parent;
    ASN1_INTEGER *parent;
    ASN1_OCTET_STRING *pub;
    ASN1_OCTET_STRING *priv;
} HWK_KEYASN;
DECLARE_ASN1_FUNCTIONS(HWK_KEYASN)

#endif
