/* SPDX-License-Identifier: Apache-2.0 */
/* TCG-CSR-IDEVID's layout, as its reader and its writer have it. */
#ifndef IDEVID_FACTORY_TCGCSR_LAYOUT_H
#define IDEVID_FACTORY_TCGCSR_LAYOUT_H

#include <openssl/asn1.h>

#include "factory/tcgcsr.h"

#define TCGCSR_VERSION 0x01000100u
#define TCGCSR_OLD_VERSION 0x00000100u
#define TCGCSR_CONTENTS_VERSION 0x00000100u
#define TCGCSR_OUTER 12 /* structVer, contents, sigSz */
#define TCGCSR_HEAD 12  /* structVer, hashAlgoId, hashSz */
#define TCGCSR_PARTS 12
#define TCGCSR_SIZES (4 * (TCGCSR_PARTS + 1)) /* and padSz */
#define TCGCSR_PAD 16
#define TCGCSR_SIGNATURE_MAX 1024

/* A part: what its size is called, and the bounds. */
struct idvi_tcgcsr_part {
    const char *name;
    size_t at; /* in struct idvi_tcgcsr_parts */
    uint32_t max;
    /* in struct idvi_tcgcsr_form: its own size is in front (0: never) */
    size_t sized;
};
extern const struct idvi_tcgcsr_part idvi_tcgcsr_layout[TCGCSR_PARTS];

static inline struct idv_bytes *idvi_tcgcsr_at(struct idvi_tcgcsr_parts *p,
                                               size_t i)
{
    return (struct idv_bytes *)((char *)p + idvi_tcgcsr_layout[i].at);
}

/* SEQUENCE { AlgorithmIdentifier, BIT STRING } */
typedef struct {
    X509_ALGOR *algorithm;
    ASN1_BIT_STRING *value;
} TCGCSR_SIG;
DECLARE_ASN1_FUNCTIONS(TCGCSR_SIG)

/* NID of ECDSA or RSA PKCS#1 v1.5 (type) with that hash */
int idvi_tcgcsr_sigid(uint16_t type, uint16_t hash);
/* H(v): hash must be one of SHA-256, -384, -512 */
idv_rc idvi_tcgcsr_hash(uint16_t hash, struct idv_bytes v,
                        uint8_t out[static 64]) IDV_CHECKED;

#endif
