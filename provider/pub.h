/* SPDX-License-Identifier: Apache-2.0 */
/* The public half of a key: plain values, no device and no EVP_PKEY in it. */
#ifndef HWK_PUB_H
#define HWK_PUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/core.h>

#include "provider/curve.h"
#include "provider/md.h"

#define HWK_RSA_MAX 1024 /* bytes: 8192 bits */
#define HWK_SIG_MAX HWK_RSA_MAX

/* What an RSA key may be used for when it is one for PSS only (key type
 * "RSA-PSS"); with md NONE any digest, mgf1 and salt will do. */
struct hwk_pss {
    bool only;
    enum hwk_md md, mgf1;
    int min_salt;
};

struct hwk_pub {
    enum hwk_key_type type;
    /* EC, ED, X */
    const struct hwk_curve *curve;
    uint8_t point[HWK_POINT_MAX]; /* EC: 04 || x || y; else RFC 8410's bytes */
    size_t point_len;
    /* RSA: big-endian, no leading zero */
    uint8_t n[HWK_RSA_MAX];
    size_t n_len;
    uint8_t e[8];
    size_t e_len;
    struct hwk_pss pss;
};

/* Fill out from coordinates (each at most field bytes, padded on the left),
 * from an encoded point (also compressed), from the bytes of an ED or X key
 * (its curve says which), from modulus and exponent (leading zeros are dropped;
 * e_len 0 means 65537). 1, or 0 with HWK_R_KEY. */
int hwk_pub_ec_xy(struct hwk_pub *out, const struct hwk_curve *curve,
                  const uint8_t *x, size_t x_len, const uint8_t *y,
                  size_t y_len);
int hwk_pub_ec_point(struct hwk_pub *out, const struct hwk_curve *curve,
                     const uint8_t *point, size_t n);
int hwk_pub_raw(struct hwk_pub *out, const struct hwk_curve *curve,
                const uint8_t *p, size_t n);
int hwk_pub_rsa(struct hwk_pub *out, const uint8_t *n, size_t n_len,
                const uint8_t *e, size_t e_len);

/* The same key; what it may be used for does not matter. */
bool hwk_pub_eq(const struct hwk_pub *a, const struct hwk_pub *b);
/* Both halves of what OpenSSL calls a key type: "EC", "RSA", "RSA-PSS",
 * "ED25519" ... */
const char *hwk_pub_type_name(const struct hwk_pub *pub);
bool hwk_pub_same_type(const struct hwk_pub *a, const struct hwk_pub *b);
int hwk_pub_bits(const struct hwk_pub *pub);
int hwk_pub_security_bits(const struct hwk_pub *pub);
size_t hwk_pub_max_size(const struct hwk_pub *pub); /* signature, as written */

/* "EC P-256", "RSA 2048", "RSA-PSS 2048", "Ed25519" */
void hwk_pub_describe(const struct hwk_pub *pub, char *out, size_t max);

/* The values as OSSL_PKEY_PARAM_* (group and point, point alone, restrictions
 * of PSS and n and e), ended; what they point to is in pub and here, so keep
 * both where they are. */
struct hwk_pub_params {
    OSSL_PARAM p[7];
    size_t n_domain;              /* the first ones are of domain parameters */
    uint8_t n[HWK_RSA_MAX], e[8]; /* native byte order */
};
void hwk_pub_to_params(struct hwk_pub *pub, struct hwk_pub_params *out);

/* Reads the same values of a key of kind's type (and curve, where a type has
 * one curve; what kind says of PSS is kept). kind and out may be one. 0 with
 * HWK_R_KEY when they are not those of a key that we know. */
int hwk_pub_from_params(struct hwk_pub *out, const struct hwk_pub *kind,
                        const OSSL_PARAM params[]);

#endif
