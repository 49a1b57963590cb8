/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a token: all that we want to know of one in one call. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/p11.h"
#include "provider/spki.h"

#define PUBLIC_INFO_MAX (HWK_RSA_MAX + 64)
#define ALLOWED_MAX 64 /* mechanisms */

static bool have(const CK_ATTRIBUTE *a, size_t max)
{
    return a->ulValueLen != CK_UNAVAILABLE_INFORMATION && a->ulValueLen > 0 &&
           a->ulValueLen <= max;
}

/* CKA_EC_POINT is the point, or the bytes of an Ed or X key, in an OCTET STRING
 * or (some tokens) a BIT STRING or bare */
static int take_point(struct p11_object *o, const uint8_t *p, size_t n)
{
    bool ec = o->curve->type == HWK_KEY_EC;
    size_t full = ec ? 1 + 2 * (size_t)o->curve->field : o->curve->field;

    if (n != full && n > 2 && (p[0] == 0x04 || p[0] == 0x03) && p[1] == n - 2) {
        p += 2;
        n -= 2;
    } else if (n != full && n > 3 && p[0] == 0x04 && p[1] == 0x81 &&
               p[2] == n - 3) {
        p += 3;
        n -= 3;
    }
    if (!ec && n == full + 1 && *p == 0) { /* no unused bits */
        p++;
        n--;
    }
    return ec ? hwk_pub_ec_point(&o->pub, o->curve, p, n)
              : hwk_pub_raw(&o->pub, o->curve, p, n);
}

enum {
    A_CLASS,
    A_KEY_TYPE,
    A_ID,
    A_LABEL,
    A_EC_PARAMS,
    A_EC_POINT,
    A_MODULUS,
    A_EXPONENT,
    A_PUBLIC_INFO,
    A_ALLOWED,
    A_ALWAYS_AUTH,
    A_SIGN,
    A_DECRYPT,
    A_DERIVE,
    A_NEVER_EXTRACTABLE,
    A_MODIFIABLE,
    A_COUNT
};

struct values {
    uint8_t params[64], point[HWK_POINT_MAX + 3], modulus[HWK_RSA_MAX],
        exponent[8], public_info[PUBLIC_INFO_MAX];
    CK_MECHANISM_TYPE allowed[ALLOWED_MAX];
    CK_BBOOL always_auth, sign, decrypt, derive, never_extractable, modifiable;
};

/* what a value does not parse to is as if it were not there */
static void take_pub(struct p11_object *o, const CK_ATTRIBUTE *a,
                     const struct values *v)
{
    if (have(&a[A_EC_PARAMS], sizeof(v->params)))
        o->curve = hwk_curve_by_der(v->params, a[A_EC_PARAMS].ulValueLen);
    ERR_set_mark();
    if (o->curve != NULL && have(&a[A_EC_POINT], sizeof(v->point)))
        o->has_pub = take_point(o, v->point, a[A_EC_POINT].ulValueLen);
    if (o->key_type == CKK_RSA && have(&a[A_MODULUS], sizeof(v->modulus)) &&
        have(&a[A_EXPONENT], sizeof(v->exponent)))
        o->has_pub = hwk_pub_rsa(&o->pub, v->modulus, a[A_MODULUS].ulValueLen,
                                 v->exponent, a[A_EXPONENT].ulValueLen);
    if (!o->has_pub && have(&a[A_PUBLIC_INFO], sizeof(v->public_info)))
        o->has_pub = hwk_spki_to_pub(v->public_info,
                                     a[A_PUBLIC_INFO].ulValueLen, &o->pub);
    ERR_pop_to_mark();
}

static void take_limits(struct p11_object *o, const CK_ATTRIBUTE *a,
                        const struct values *v)
{
    struct hwk_pss pss;

    if (!have(a, sizeof(v->allowed)))
        return;
    p11_limits(v->allowed, a->ulValueLen / sizeof(v->allowed[0]), &o->limits);
    if (o->has_pub && o->pub.type == HWK_KEY_RSA &&
        p11_limited_to_pss(&o->limits, &pss))
        o->pub.pss = pss;
}

static bool truth(const CK_ATTRIBUTE *a, CK_BBOOL value)
{
    return have(a, 1) && value != CK_FALSE;
}

static void take(struct p11_object *o, const CK_ATTRIBUTE *a,
                 const struct values *v)
{
    o->id_len = have(&a[A_ID], sizeof(o->id)) ? a[A_ID].ulValueLen : 0;
    o->label_len =
        have(&a[A_LABEL], sizeof(o->label)) ? a[A_LABEL].ulValueLen : 0;
    o->always_auth = truth(&a[A_ALWAYS_AUTH], v->always_auth);
    o->sign = !have(&a[A_SIGN], 1) || v->sign != CK_FALSE;
    o->decrypt = truth(&a[A_DECRYPT], v->decrypt);
    o->derive = truth(&a[A_DERIVE], v->derive);
    o->never_extractable = truth(&a[A_NEVER_EXTRACTABLE], v->never_extractable);
    o->modifiable = !have(&a[A_MODIFIABLE], 1) || v->modifiable != CK_FALSE;
    if (o->class == CKO_PRIVATE_KEY || o->class == CKO_PUBLIC_KEY)
        take_pub(o, a, v);
    take_limits(o, &a[A_ALLOWED], v);
}

static bool partial(CK_RV rv)
{
    return rv == CKR_OK || rv == CKR_ATTRIBUTE_TYPE_INVALID ||
           rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_BUFFER_TOO_SMALL;
}

/* modules that stop at the first attribute that an object lacks */
static CK_RV one_by_one(struct p11_token *t, CK_SESSION_HANDLE s,
                        CK_OBJECT_HANDLE h, CK_ATTRIBUTE *a,
                        const CK_ULONG *room)
{
    size_t i;
    CK_RV rv;

    for (i = 0; i < A_COUNT; i++) {
        a[i].ulValueLen = room[i];
        rv = P11(t->module, C_GetAttributeValue, s, h, &a[i], 1);
        if (!partial(rv))
            return rv;
        if (rv != CKR_OK)
            a[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
    }
    return CKR_OK;
}

CK_RV p11_read_object(struct p11_token *t, CK_SESSION_HANDLE s,
                      CK_OBJECT_HANDLE h, struct p11_object *o)
{
    struct values v;
    CK_ATTRIBUTE a[A_COUNT] = {
        {CKA_CLASS, &o->class, sizeof(o->class)},
        {CKA_KEY_TYPE, &o->key_type, sizeof(o->key_type)},
        {CKA_ID, o->id, sizeof(o->id)},
        {CKA_LABEL, o->label, sizeof(o->label)},
        {CKA_EC_PARAMS, v.params, sizeof(v.params)},
        {CKA_EC_POINT, v.point, sizeof(v.point)},
        {CKA_MODULUS, v.modulus, sizeof(v.modulus)},
        {CKA_PUBLIC_EXPONENT, v.exponent, sizeof(v.exponent)},
        {CKA_PUBLIC_KEY_INFO, v.public_info, sizeof(v.public_info)},
        {CKA_ALLOWED_MECHANISMS, v.allowed, sizeof(v.allowed)},
        {CKA_ALWAYS_AUTHENTICATE, &v.always_auth, 1},
        {CKA_SIGN, &v.sign, 1},
        {CKA_DECRYPT, &v.decrypt, 1},
        {CKA_DERIVE, &v.derive, 1},
        {CKA_NEVER_EXTRACTABLE, &v.never_extractable, 1},
        {CKA_MODIFIABLE, &v.modifiable, 1},
    };
    CK_ULONG room[A_COUNT];
    size_t i;
    CK_RV rv;

    memset(o, 0, sizeof(*o));
    o->h = h;
    for (i = 0; i < A_COUNT; i++)
        room[i] = a[i].ulValueLen;
    rv = P11(t->module, C_GetAttributeValue, s, h, a, A_COUNT);
    if (partial(rv) && (!have(&a[A_CLASS], sizeof(o->class)) ||
                        a[A_LABEL].ulValueLen == room[A_LABEL] ||
                        a[A_EC_PARAMS].ulValueLen == room[A_EC_PARAMS]))
        rv = one_by_one(t, s, h, a, room);
    if (!partial(rv))
        return rv;
    take(o, a, &v);
    return CKR_OK;
}

CK_RV p11_value(struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h,
                uint8_t **out, size_t *n)
{
    CK_ATTRIBUTE a = {CKA_VALUE, NULL, 0};
    CK_RV rv = P11(t->module, C_GetAttributeValue, s, h, &a, 1);
    CK_ULONG room = a.ulValueLen;

    if (rv != CKR_OK)
        return rv;
    if (room > P11_VALUE_MAX)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    a.pValue = *out = OPENSSL_zalloc(room + 1);
    if (*out == NULL)
        return CKR_HOST_MEMORY;
    rv = P11(t->module, C_GetAttributeValue, s, h, &a, 1);
    if (rv == CKR_OK && a.ulValueLen > room)
        rv = CKR_ATTRIBUTE_VALUE_INVALID;
    if (rv != CKR_OK) {
        OPENSSL_free(*out);
        *out = NULL;
        return rv;
    }
    *n = a.ulValueLen;
    return CKR_OK;
}
