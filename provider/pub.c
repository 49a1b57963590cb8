/* SPDX-License-Identifier: Apache-2.0 */
/* The public half of a key as plain values, for every type of key. */
#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>

#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/params.h>

#include "provider/err.h"
#include "provider/pub.h"

#define UNCOMPRESSED 4 /* first byte of such a point */

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

int hwk_pub_raw(struct hwk_pub *out, const struct hwk_curve *curve,
                const uint8_t *p, size_t n)
{
    if (curve == NULL || curve->type == HWK_KEY_EC || n != curve->field)
        return hwk_raise(HWK_R_KEY, "%s public key: %zu bytes",
                         curve != NULL ? curve->nist : "Ed or X", n);
    memset(out, 0, sizeof(*out));
    out->type = curve->type;
    out->curve = curve;
    memcpy(out->point, p, n);
    out->point_len = n;
    return 1;
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
    return a->type == b->type && a->curve == b->curve &&
           a->point_len == b->point_len && a->n_len == b->n_len &&
           a->e_len == b->e_len &&
           memcmp(a->point, b->point, a->point_len) == 0 &&
           memcmp(a->n, b->n, a->n_len) == 0 &&
           memcmp(a->e, b->e, a->e_len) == 0;
}

const char *hwk_pub_type_name(const struct hwk_pub *pub)
{
    switch (pub->type) {
    case HWK_KEY_EC:
        return "EC";
    case HWK_KEY_RSA:
        return pub->pss.only ? "RSA-PSS" : "RSA";
    default:
        return pub->curve->name;
    }
}

bool hwk_pub_same_type(const struct hwk_pub *a, const struct hwk_pub *b)
{
    return a->type == b->type && a->pss.only == b->pss.only &&
           (a->type == HWK_KEY_EC || a->curve == b->curve);
}

int hwk_pub_bits(const struct hwk_pub *pub)
{
    unsigned top;
    int bits;

    if (pub->curve != NULL)
        return (int)pub->curve->bits;
    if (pub->n_len == 0)
        return 0;
    bits = (int)pub->n_len * 8 - 8;
    for (top = pub->n[0]; top != 0; top >>= 1)
        bits++;
    return bits;
}

int hwk_pub_security_bits(const struct hwk_pub *pub)
{
    if (pub->type != HWK_KEY_RSA)
        return pub->curve != NULL ? (int)pub->curve->security : 0;
    return BN_security_bits(hwk_pub_bits(pub), -1);
}

size_t hwk_pub_max_size(const struct hwk_pub *pub)
{
    if (pub->curve != NULL)
        return pub->curve->der_sig;
    return pub->n_len;
}

void hwk_pub_describe(const struct hwk_pub *pub, char *out, size_t max)
{
    const char *curve = pub->curve != NULL ? pub->curve->nist : "?";

    if (pub->type == HWK_KEY_RSA)
        snprintf(out, max, "%s %d", hwk_pub_type_name(pub), hwk_pub_bits(pub));
    else
        snprintf(out, max, "%s%s", pub->type == HWK_KEY_EC ? "EC " : "", curve);
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

static OSSL_PARAM text(const char *key, const char *value)
{
    union {
        const char *c;
        char *p;
    } v = {value};

    return OSSL_PARAM_construct_utf8_string(key, v.p, strlen(value));
}

static size_t pss_to_params(struct hwk_pss *pss, OSSL_PARAM *p)
{
    if (!pss->only || pss->md == HWK_MD_NONE)
        return 0;
    p[0] = text(OSSL_PKEY_PARAM_RSA_DIGEST, hwk_md_name(pss->md));
    p[1] = text(OSSL_PKEY_PARAM_RSA_MGF1_DIGEST, hwk_md_name(pss->mgf1));
    p[2] = OSSL_PARAM_construct_int(OSSL_PKEY_PARAM_RSA_PSS_SALTLEN,
                                    &pss->min_salt);
    return 3;
}

void hwk_pub_to_params(struct hwk_pub *pub, struct hwk_pub_params *out)
{
    OSSL_PARAM *p = out->p;

    if (pub->type == HWK_KEY_EC && pub->curve != NULL)
        *p++ = text(OSSL_PKEY_PARAM_GROUP_NAME, pub->curve->name);
    else if (pub->type == HWK_KEY_RSA)
        p += pss_to_params(&pub->pss, p);
    out->n_domain = (size_t)(p - out->p);
    if (pub->type == HWK_KEY_RSA) {
        *p++ = integer(OSSL_PKEY_PARAM_RSA_N, pub->n, pub->n_len, out->n);
        *p++ = integer(OSSL_PKEY_PARAM_RSA_E, pub->e, pub->e_len, out->e);
    } else {
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                                 pub->point, pub->point_len);
    }
    *p = OSSL_PARAM_construct_end();
}

static const OSSL_PARAM *octets(const OSSL_PARAM params[], const char *key)
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, key);

    return p != NULL && p->data_type == OSSL_PARAM_OCTET_STRING ? p : NULL;
}

static int ec_from_params(struct hwk_pub *out, const OSSL_PARAM params[])
{
    const OSSL_PARAM *g =
        OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
    const OSSL_PARAM *p = octets(params, OSSL_PKEY_PARAM_PUB_KEY);
    const struct hwk_curve *curve = NULL;

    if (g != NULL && g->data_type == OSSL_PARAM_UTF8_STRING)
        curve = hwk_curve_by_name(g->data);
    if (curve == NULL || curve->type != HWK_KEY_EC)
        return hwk_raise(HWK_R_KEY, "EC public key: no curve of ours");
    if (p != NULL)
        return hwk_pub_ec_point(out, curve, p->data, p->data_size);
    memset(out, 0, sizeof(*out));
    out->type = HWK_KEY_EC;
    out->curve = curve;
    return 1;
}

static int raw_from_params(struct hwk_pub *out, const struct hwk_curve *curve,
                           const OSSL_PARAM params[])
{
    const OSSL_PARAM *p = octets(params, OSSL_PKEY_PARAM_PUB_KEY);

    if (p == NULL)
        return hwk_raise(HWK_R_KEY, "%s: no public key", curve->nist);
    return hwk_pub_raw(out, curve, p->data, p->data_size);
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

static int md_from_params(const OSSL_PARAM params[], const char *key,
                          enum hwk_md *md)
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, key);

    if (p == NULL)
        return 1;
    *md = p->data_type == OSSL_PARAM_UTF8_STRING ? hwk_md_by_name(p->data)
                                                 : HWK_MD_NONE;
    return *md != HWK_MD_NONE ||
           hwk_raise(HWK_R_KEY, "RSA public key: '%s' is not one of ours", key);
}

/* what is not said is as RFC 8017 A.2.3 has it once anything is */
static int pss_from_params(struct hwk_pss *pss, const OSSL_PARAM params[])
{
    const OSSL_PARAM *p =
        OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_PSS_SALTLEN);
    struct hwk_pss got = {.only = pss->only, .min_salt = 20};

    if (!md_from_params(params, OSSL_PKEY_PARAM_RSA_DIGEST, &got.md) ||
        !md_from_params(params, OSSL_PKEY_PARAM_RSA_MGF1_DIGEST, &got.mgf1) ||
        (p != NULL && !OSSL_PARAM_get_int(p, &got.min_salt)))
        return 0;
    if (p == NULL && got.md == HWK_MD_NONE && got.mgf1 == HWK_MD_NONE)
        return 1;
    if (got.md == HWK_MD_NONE)
        got.md = HWK_MD_SHA1;
    if (got.mgf1 == HWK_MD_NONE)
        got.mgf1 = HWK_MD_SHA1;
    *pss = got;
    return 1;
}

static int rsa_from_params(struct hwk_pub *out, struct hwk_pss pss,
                           const OSSL_PARAM params[])
{
    uint8_t n[HWK_RSA_MAX], e[8];
    size_t n_len, e_len;

    if (!big(params, OSSL_PKEY_PARAM_RSA_N, n, sizeof(n), &n_len) ||
        !big(params, OSSL_PKEY_PARAM_RSA_E, e, sizeof(e), &e_len) ||
        (pss.only && !pss_from_params(&pss, params)) ||
        !hwk_pub_rsa(out, n, n_len, e, e_len))
        return 0;
    out->pss = pss;
    return 1;
}

int hwk_pub_from_params(struct hwk_pub *out, const struct hwk_pub *kind,
                        const OSSL_PARAM params[])
{
    switch (kind->type) {
    case HWK_KEY_EC:
        return ec_from_params(out, params);
    case HWK_KEY_RSA:
        return rsa_from_params(out, kind->pss, params);
    default:
        return raw_from_params(out, kind->curve, params);
    }
}
