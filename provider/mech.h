/* SPDX-License-Identifier: Apache-2.0 */
/* What to do with a key: key type x padding x digest, for every device. */
#ifndef HWK_MECH_H
#define HWK_MECH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "provider/md.h"
#include "provider/pub.h"

enum hwk_pad {
    HWK_PAD_NONE = 0, /* ECDSA, EdDSA; RSA: the number itself */
    HWK_PAD_PKCS1,
    HWK_PAD_PSS,
    HWK_PAD_OAEP, /* decryption */
};

#define HWK_CONTEXT_MAX 255

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
    /* EdDSA, where in is always the message: Ed25519ph and Ed448ph (hashing is
     * the device's, RFC 8032), and a context, at most 255 bytes, that makes
     * Ed25519 Ed25519ctx */
    bool prehash, with_context;
    const uint8_t *context;
    size_t context_len;
};

/* What a device lets a key do, when it says so (limited), by padding: plain,
 * with what it gets; hashing (bits 1 << md), messages that it hashes itself. */
struct hwk_limits {
    bool limited;
    bool plain[HWK_PAD_OAEP + 1];
    bool derive;
    uint16_t hashing[HWK_PAD_OAEP + 1];
};

/* Must the device see the message, to hash it itself? */
bool hwk_limits_message(const struct hwk_limits *l, enum hwk_pad pad,
                        enum hwk_md md);
/* Whether mech is within them. 1, or 0 with HWK_R_PADDING. */
int hwk_limits_check(const struct hwk_limits *l, const struct hwk_mech *mech);
/* Whether key agreement is. 1, or 0 with HWK_R_KEY. */
int hwk_limits_derive(const struct hwk_limits *l);

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

/* DER of the AlgorithmIdentifier of an EC or RSA signature. *n as above. */
int hwk_mech_algid(const struct hwk_mech *mech, uint8_t *out, size_t *n);

#endif
