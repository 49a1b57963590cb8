/* SPDX-License-Identifier: Apache-2.0 */
/* Key types, and the table of curves: what is known of each without asking. */
#ifndef HWK_CURVE_H
#define HWK_CURVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ED: Ed25519, Ed448. X: X25519, X448. An RSA key that may only be used with
 * PSS is RSA, and pub.pss says so. */
enum hwk_key_type { HWK_KEY_EC = 1, HWK_KEY_RSA, HWK_KEY_ED, HWK_KEY_X };

struct hwk_curve {
    enum hwk_key_type type; /* EC, ED or X */
    const char *name;   /* OpenSSL's name of the group ("prime256v1"), or of the
                           key type where a type has one curve ("ED25519") */
    const char *nist;   /* as people say it: "P-256", "Ed25519" */
    unsigned bits;      /* as EVP_PKEY_get_bits has it; EC: of the order */
    unsigned field;     /* bytes of a coordinate, or of an ED or X public key */
    unsigned order;     /* EC: bytes of r and of s, not always those of field */
    unsigned security;  /* bits */
    unsigned der_sig;   /* the longest signature: EC as ECDSA-Sig-Value, ED as
                           it is; X: of a public key, as OpenSSL has it */
    const uint8_t *oid; /* DER, tag and length included */
    size_t oid_len;
};

#define HWK_FIELD_MAX 72 /* bytes: sect571 */
#define HWK_POINT_MAX (1 + 2 * HWK_FIELD_MAX)

/* A curve by name (either, any case), by DER OID (also as PrintableString, and
 * under older OIDs); NULL when it is none of ours. */
const struct hwk_curve *hwk_curve_by_name(const char *name);
const struct hwk_curve *hwk_curve_by_der(const uint8_t *der, size_t n);

/* A curve of NIST over a prime field, by its bits: 192 ... 521. */
const struct hwk_curve *hwk_curve_by_bits(unsigned bits);

/* The row of number i, from 0; NULL after the last. */
const struct hwk_curve *hwk_curve_at(size_t i);

#endif
