/* SPDX-License-Identifier: Apache-2.0 */
/* The public half of a key as plain values, and the table of curves. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>

#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/params.h>

#include "provider/err.h"
#include "provider/pub.h"

#define UNCOMPRESSED 4 /* first byte of such a point */

static const uint8_t oid_p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t oid_p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
static const uint8_t oid_p521[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23};

static const struct hwk_curve curves[] = {
    {"prime256v1", "P-256", 256, 32, 128, 72, oid_p256, sizeof(oid_p256)},
    {"secp384r1", "P-384", 384, 48, 192, 104, oid_p384, sizeof(oid_p384)},
    {"secp521r1", "P-521", 521, 66, 256, 139, oid_p521, sizeof(oid_p521)},
};
#define CURVES (sizeof(curves) / sizeof(curves[0]))

const struct hwk_curve *hwk_curve_by_name(const char *name)
{
    size_t i;

    for (i = 0; i < CURVES; i++)
        if (strcasecmp(name, curves[i].name) == 0 ||
            strcasecmp(name, curves[i].nist) == 0)
            return &curves[i];
    return strcasecmp(name, "secp256r1") == 0 ? &curves[0] : NULL;
}

const struct hwk_curve *hwk_curve_by_bits(unsigned bits)
{
    size_t i;

    for (i = 0; i < CURVES; i++)
        if (curves[i].bits == bits)
            return &curves[i];
    return NULL;
}

const struct hwk_curve *hwk_curve_by_der(const uint8_t *der, size_t n)
{
    char name[32];
    size_t i;

    for (i = 0; i < CURVES; i++)
        if (n == curves[i].oid_len && memcmp(der, curves[i].oid, n) == 0)
            return &curves[i];
    if (n < 2 || der[0] != 0x13 || der[1] != n - 2 || n - 2 >= sizeof(name))
        return NULL;
    memcpy(name, der + 2, n - 2);
    name[n - 2] = 0;
    return hwk_curve_by_name(name);
}

static void skip_zeros(const uint8_t **p, size_t *n)
{
    while (*n > 0 && **p == 0) {
        (*p)++;
        (*n)--;
    }
}

int hwk_pub_ec_xy(struct hwk_pub *out, const struct hwk_curve *curve,
                  const uint8_t *x, size_t x_len, const uint8_t *y,
                  size_t y_len)
{
    size_t f = curve != NULL ? curve->field : 0;

    skip_zeros(&x, &x_len);
    skip_zeros(&y, &y_len);
    if (curve == NULL || x_len > f || y_len > f)
        return hwk_raise(HWK_R_KEY, "EC public key: coordinates do not fit");
    memset(out, 0, sizeof(*out));
    out->type = HWK_KEY_EC;
    out->curve = curve;
    out->point[0] = UNCOMPRESSED;
    memcpy(out->point + 1 + f - x_len, x, x_len);
    memcpy(out->point + 1 + 2 * f - y_len, y, y_len);
    out->point_len = 1 + 2 * f;
    return 1;
}

/* a compressed or hybrid point, through libcrypto's arithmetic */
static size_t expand(const struct hwk_curve *curve, const uint8_t *point,
                     size_t n, uint8_t out[static HWK_POINT_MAX])
{
    EC_GROUP *g = EC_GROUP_new_by_curve_name(OBJ_txt2nid(curve->name));
    EC_POINT *p = g != NULL ? EC_POINT_new(g) : NULL;
    size_t len = 0;

    if (p != NULL && EC_POINT_oct2point(g, p, point, n, NULL))
        len = EC_POINT_point2oct(g, p, POINT_CONVERSION_UNCOMPRESSED, out,
                                 HWK_POINT_MAX, NULL);
    EC_POINT_free(p);
    EC_GROUP_free(g);
    return len;
}

int hwk_pub_ec_point(struct hwk_pub *out, const struct hwk_curve *curve,
                     const uint8_t *point, size_t n)
{
    size_t f = curve != NULL ? curve->field : 0;
    uint8_t full[HWK_POINT_MAX];

    if (curve != NULL && n > 0 && point[0] != UNCOMPRESSED) {
        n = expand(curve, point, n, full);
        point = full;
    }
    if (curve == NULL || n != 1 + 2 * f || point[0] != UNCOMPRESSED)
        return hwk_raise(HWK_R_KEY, "EC public key: not a point of the curve");
    return hwk_pub_ec_xy(out, curve, point + 1, f, point + 1 + f, f);
}

int hwk_pub_rsa(struct hwk_pub *out, const uint8_t *n, size_t n_len,
                const uint8_t *e, size_t e_len)
{
    static const uint8_t f4[] = {1, 0, 1};

    if (e_len == 0) {
        e = f4;
        e_len = sizeof(f4);
    }
    skip_zeros(&n, &n_len);
    skip_zeros(&e, &e_len);
    if (n_len < 64 || n_len > sizeof(out->n) || (n[n_len - 1] & 1) == 0)
        return hwk_raise(HWK_R_KEY, "RSA public key: modulus of %zu bytes",
                         n_len);
    if (e_len == 0 || e_len > sizeof(out->e) || (e[e_len - 1] & 1) == 0)
        return hwk_raise(HWK_R_KEY, "RSA public key: exponent of %zu bytes",
                         e_len);
    memset(out, 0, sizeof(*out));
    out->type = HWK_KEY_RSA;
    memcpy(out->n, n, n_len);
    out->n_len = n_len;
    memcpy(out->e, e, e_len);
    out->e_len = e_len;
    return 1;
}

bool hwk_pub_eq(const struct hwk_pub *a, const struct hwk_pub *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == HWK_KEY_EC)
        return a->curve == b->curve && a->point_len == b->point_len &&
               memcmp(a->point, b->point, a->point_len) == 0;
    return a->n_len == b->n_len && a->e_len == b->e_len &&
           memcmp(a->n, b->n, a->n_len) == 0 &&
           memcmp(a->e, b->e, a->e_len) == 0;
}

const char *hwk_pub_type_name(const struct hwk_pub *pub)
{
    return pub->type == HWK_KEY_EC ? "EC" : "RSA";
}

int hwk_pub_bits(const struct hwk_pub *pub)
{
    unsigned top;
    int bits;

    if (pub->type == HWK_KEY_EC)
        return pub->curve != NULL ? (int)pub->curve->bits : 0;
    if (pub->n_len == 0)
        return 0;
    bits = (int)pub->n_len * 8 - 8;
    for (top = pub->n[0]; top != 0; top >>= 1)
        bits++;
    return bits;
}

int hwk_pub_security_bits(const struct hwk_pub *pub)
{
    if (pub->type == HWK_KEY_EC)
        return pub->curve != NULL ? (int)pub->curve->security : 0;
    return BN_security_bits(hwk_pub_bits(pub), -1);
}

size_t hwk_pub_max_size(const struct hwk_pub *pub)
{
    if (pub->type == HWK_KEY_EC)
        return pub->curve != NULL ? pub->curve->der_sig : 0;
    return pub->n_len;
}

void hwk_pub_describe(const struct hwk_pub *pub, char *out, size_t max)
{
    if (pub->type == HWK_KEY_EC)
        snprintf(out, max, "EC %s",
                 pub->curve != NULL ? pub->curve->nist : "?");
    else
        snprintf(out, max, "RSA %d", hwk_pub_bits(pub));
}

/* big-endian bytes as an OSSL_PARAM integer */
static OSSL_PARAM integer(const char *key, const uint8_t *p, size_t n,
                          uint8_t *room)
{
    size_t i;

    for (i = 0; i < n; i++)
        room[i] = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? p[i] : p[n - 1 - i];
    return (OSSL_PARAM){key, OSSL_PARAM_UNSIGNED_INTEGER, room, n,
                        OSSL_PARAM_UNMODIFIED};
}

void hwk_pub_to_params(struct hwk_pub *pub, struct hwk_pub_params *out)
{
    if (pub->type == HWK_KEY_EC) {
        union {
            const char *c;
            char *p;
        } name = {pub->curve->name};

        out->p[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                     name.p, strlen(name.c));
        out->p[1] = OSSL_PARAM_construct_octet_string(
            OSSL_PKEY_PARAM_PUB_KEY, pub->point, pub->point_len);
    } else {
        out->p[0] = integer(OSSL_PKEY_PARAM_RSA_N, pub->n, pub->n_len, out->n);
        out->p[1] = integer(OSSL_PKEY_PARAM_RSA_E, pub->e, pub->e_len, out->e);
    }
    out->p[2] = OSSL_PARAM_construct_end();
}

static int ec_from_params(struct hwk_pub *out, const OSSL_PARAM params[])
{
    const OSSL_PARAM *g =
        OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
    const OSSL_PARAM *p =
        OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);
    const struct hwk_curve *curve = NULL;

    if (g != NULL && g->data_type == OSSL_PARAM_UTF8_STRING)
        curve = hwk_curve_by_name(g->data);
    if (curve == NULL)
        return hwk_raise(HWK_R_KEY, "EC public key: no curve of ours");
    if (p == NULL) {
        memset(out, 0, sizeof(*out));
        out->type = HWK_KEY_EC;
        out->curve = curve;
        return 1;
    }
    if (p->data_type != OSSL_PARAM_OCTET_STRING)
        return hwk_raise(HWK_R_PARAM, "%s: not octets", p->key);
    return hwk_pub_ec_point(out, curve, p->data, p->data_size);
}

static int big(const OSSL_PARAM params[], const char *key, uint8_t *out,
               size_t max, size_t *n)
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, key);
    BIGNUM *bn = NULL;
    int len = -1;

    if (p != NULL && OSSL_PARAM_get_BN(p, &bn) &&
        (size_t)BN_num_bytes(bn) <= max)
        len = BN_bn2bin(bn, out);
    BN_free(bn);
    if (len < 0)
        return hwk_raise(HWK_R_KEY, "RSA public key: no usable '%s'", key);
    *n = (size_t)len;
    return 1;
}

static int rsa_from_params(struct hwk_pub *out, const OSSL_PARAM params[])
{
    uint8_t n[HWK_RSA_MAX], e[8];
    size_t n_len, e_len;

    return big(params, OSSL_PKEY_PARAM_RSA_N, n, sizeof(n), &n_len) &&
           big(params, OSSL_PKEY_PARAM_RSA_E, e, sizeof(e), &e_len) &&
           hwk_pub_rsa(out, n, n_len, e, e_len);
}

int hwk_pub_from_params(struct hwk_pub *out, enum hwk_key_type type,
                        const OSSL_PARAM params[])
{
    return type == HWK_KEY_EC ? ec_from_params(out, params)
                              : rsa_from_params(out, params);
}
