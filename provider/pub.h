/* SPDX-License-Identifier: Apache-2.0 */
/* The public half of a key: plain values, no device and no EVP_PKEY in it. */
#ifndef HWK_PUB_H
#define HWK_PUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/core.h>

enum hwk_key_type { HWK_KEY_EC = 1, HWK_KEY_RSA };

struct hwk_curve {
    const char *name;   /* OpenSSL's group name: "prime256v1" */
    const char *nist;   /* "P-256" */
    unsigned bits;      /* of the field and of the order: 256 384 521 */
    unsigned field;     /* bytes: 32 48 66 */
    unsigned security;  /* bits: 128 192 256 */
    unsigned der_sig;   /* longest ECDSA-Sig-Value: 72 104 139 */
    const uint8_t *oid; /* DER, tag and length included */
    size_t oid_len;
};

#define HWK_POINT_MAX (1 + 2 * 66)
#define HWK_RSA_MAX 1024 /* bytes: 8192 bits */
#define HWK_SIG_MAX HWK_RSA_MAX

struct hwk_pub {
    enum hwk_key_type type;
    /* EC */
    const struct hwk_curve *curve;
    uint8_t point[HWK_POINT_MAX]; /* 04 || x || y */
    size_t point_len;
    /* RSA: big-endian, no leading zero */
    uint8_t n[HWK_RSA_MAX];
    size_t n_len;
    uint8_t e[8];
    size_t e_len;
};

/* A curve by name (either name, any case), by field bits, or by DER OID (also
 * as PrintableString); NULL when it is none of ours. */
const struct hwk_curve *hwk_curve_by_name(const char *name);
const struct hwk_curve *hwk_curve_by_bits(unsigned bits);
const struct hwk_curve *hwk_curve_by_der(const uint8_t *der, size_t n);

/* Fill out from coordinates (each at most field bytes, padded on the left),
 * from an encoded point (also compressed), from modulus and exponent (leading
 * zeros are dropped; e_len 0 means 65537). 1, or 0 with HWK_R_KEY. */
int hwk_pub_ec_xy(struct hwk_pub *out, const struct hwk_curve *curve,
                  const uint8_t *x, size_t x_len, const uint8_t *y,
                  size_t y_len);
int hwk_pub_ec_point(struct hwk_pub *out, const struct hwk_curve *curve,
                     const uint8_t *point, size_t n);
int hwk_pub_rsa(struct hwk_pub *out, const uint8_t *n, size_t n_len,
                const uint8_t *e, size_t e_len);

bool hwk_pub_eq(const struct hwk_pub *a, const struct hwk_pub *b);
const char *hwk_pub_type_name(const struct hwk_pub *pub); /* "EC", "RSA" */
int hwk_pub_bits(const struct hwk_pub *pub);
int hwk_pub_security_bits(const struct hwk_pub *pub);
size_t hwk_pub_max_size(const struct hwk_pub *pub); /* DER signature */

/* "EC P-256", "RSA 2048" */
void hwk_pub_describe(const struct hwk_pub *pub, char *out, size_t max);

/* The values as OSSL_PKEY_PARAM_* (group and point, or n and e), ended; what
 * they point to is in pub and here, so keep both where they are. */
struct hwk_pub_params {
    OSSL_PARAM p[3];
    uint8_t n[HWK_RSA_MAX], e[8]; /* native byte order */
};
void hwk_pub_to_params(struct hwk_pub *pub, struct hwk_pub_params *out);

/* Reads the same values. 0 with HWK_R_KEY when they are not those of a key of
 * this type that we know. */
int hwk_pub_from_params(struct hwk_pub *out, enum hwk_key_type type,
                        const OSSL_PARAM params[]);

#endif
