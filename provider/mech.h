/* SPDX-License-Identifier: Apache-2.0 */
/* What to do with a key: key type x padding x digest, for every device. */
#ifndef HWK_MECH_H
#define HWK_MECH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "provider/pub.h"

enum hwk_md {
    HWK_MD_NONE = 0,
    HWK_MD_SHA1,
    HWK_MD_SHA224,
    HWK_MD_SHA256,
    HWK_MD_SHA384,
    HWK_MD_SHA512,
    HWK_MD_SHA3_256,
    HWK_MD_SHA3_384,
    HWK_MD_SHA3_512,
    HWK_MD_MD5_SHA1, /* TLS 1.1 with RSA: 36 bytes, no DigestInfo */
    HWK_MD_COUNT
};

#define HWK_MD_DEFAULT "SHA256" /* as the default provider has it */

enum hwk_pad {
    HWK_PAD_NONE = 0, /* ECDSA; RSA: the number itself */
    HWK_PAD_PKCS1,
    HWK_PAD_PSS,
    HWK_PAD_OAEP, /* decryption */
};

struct hwk_mech {
    enum hwk_key_type type;
    enum hwk_pad pad;
    enum hwk_md md;   /* of the message; NONE: in is not a digest, or (ECDSA)
                         a digest that nobody named */
    enum hwk_md mgf1; /* PSS, OAEP */
    size_t salt;      /* PSS: bytes, already resolved, never "auto" */
    bool message;     /* in is the message, not its digest: only for keys
                         with HWK_FOUND_MESSAGE */
    const uint8_t *label; /* OAEP */
    size_t label_len;
};

/* Digests by OpenSSL name or any of its aliases (NONE when unknown), their
 * names ("SHA2-256"), sizes and DER DigestInfo prefixes (n 0 when there is
 * none). */
enum hwk_md hwk_md_by_name(const char *name);
const char *hwk_md_name(enum hwk_md md);
size_t hwk_md_size(enum hwk_md md);
const uint8_t *hwk_md_prefix(enum hwk_md md, size_t *n);

/* Whether mech with n bytes of input can be done with pub at all: types agree,
 * the digest has its size, the padding leaves room. 1, or 0 with the reason. */
int hwk_mech_check(const struct hwk_mech *mech, const struct hwk_pub *pub,
                   size_t n);

/* The longest PSS salt for that key and digest; 0 when none fits. */
size_t hwk_mech_pss_max(const struct hwk_pub *pub, enum hwk_md md);

/* PKCS#1 v1.5: DigestInfo || digest, or in as it is for NONE and MD5-SHA1.
 * *n is the room on entry, the length on success. */
int hwk_mech_pkcs1(const struct hwk_mech *mech, const uint8_t *in, size_t in_n,
                   uint8_t *out, size_t *n);

/* DER of the AlgorithmIdentifier of a signature. *n as above. */
int hwk_mech_algid(const struct hwk_mech *mech, uint8_t *out, size_t *n);

#endif
