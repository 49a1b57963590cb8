/* SPDX-License-Identifier: Apache-2.0 */
/* The syntax of a file of evidence, for libcrypto's templates. */
#ifndef IDEVID_TRUST_EVIDENCE_ASN_H
#define IDEVID_TRUST_EVIDENCE_ASN_H

#include <openssl/asn1t.h>

#include <idevid/auto.h>

typedef struct idvi_evitem {
    ASN1_OCTET_STRING *index, *attest, *signature;
} IDVI_EVITEM;

typedef struct idvi_evgate {
    ASN1_INTEGER *pcrs;
    ASN1_OCTET_STRING *digest;
} IDVI_EVGATE;

typedef struct idvi_evidence {
    ASN1_INTEGER *version;
    ASN1_UTF8STRING *profile;
    ASN1_OCTET_STRING *nonce;
    IDVI_EVITEM *anchor, *counter;
    IDVI_EVGATE *gate; /* NULL: none */
    ASN1_OCTET_STRING *signer;
    STACK_OF(X509) * chain;
} IDVI_EVIDENCE;

DECLARE_ASN1_FUNCTIONS(IDVI_EVGATE)
DECLARE_ASN1_FUNCTIONS(IDVI_EVIDENCE)
IDV_AUTO_PTR_DEFINE(IDVI_EVIDENCE, IDVI_EVIDENCE_free)

#endif
