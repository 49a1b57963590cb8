/* SPDX-License-Identifier: Apache-2.0 */
/* A private key of software put into a token, when that was asked for. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/p11.h"

#define MONTGOMERY 0x41UL /* CKK_EC_MONTGOMERY of PKCS#11 3.0 */

static CK_KEY_TYPE key_type(enum hwk_key_type type)
{
    switch (type) {
    case HWK_KEY_RSA:
        return CKK_RSA;
    case HWK_KEY_ED:
        return CKK_EC_EDWARDS;
    case HWK_KEY_X:
        return MONTGOMERY;
    default:
        return CKK_EC;
    }
}

static void add_rsa(struct p11_plan *p, const struct hwk_private *k)
{
    static const CK_ATTRIBUTE_TYPE crt[HWK_CRT] = {
        CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2,
        CKA_COEFFICIENT};
    int i;

    p11_plan_both(p, CKA_MODULUS, k->pub.n, k->pub.n_len);
    p11_plan_both(p, CKA_PUBLIC_EXPONENT, k->pub.e, k->pub.e_len);
    p11_plan_priv(p, CKA_PRIVATE_EXPONENT, k->d, k->d_len);
    for (i = 0; i < HWK_CRT; i++)
        p11_plan_priv(p, crt[i], k->crt[i].v, k->crt[i].n);
}

/* the point in its OCTET STRING */
static size_t point(const struct hwk_pub *pub,
                    uint8_t out[static HWK_POINT_MAX + 3])
{
    size_t at = 0;

    out[at++] = 0x04;
    if (pub->point_len > 127)
        out[at++] = 0x81;
    out[at++] = (uint8_t)pub->point_len;
    memcpy(out + at, pub->point, pub->point_len);
    return at + pub->point_len;
}

static void add_ec(struct p11_plan *p, const struct hwk_private *k,
                   const uint8_t *q, size_t q_len)
{
    p11_plan_both(p, CKA_EC_PARAMS, k->pub.curve->oid, k->pub.curve->oid_len);
    p11_plan_pub(p, CKA_EC_POINT, q, q_len);
    p11_plan_priv(p, CKA_VALUE, k->d, k->d_len);
}

CK_RV p11_import(struct p11_token *t, CK_SESSION_HANDLE s, struct p11_plan *p,
                 CK_OBJECT_HANDLE *pub, CK_OBJECT_HANDLE *priv)
{
    static const CK_OBJECT_CLASS public = CKO_PUBLIC_KEY,
                                 private = CKO_PRIVATE_KEY;
    const struct hwk_private *k = p->spec->from;
    struct p11_plan whole = *p; /* tried twice perhaps */
    uint8_t q[HWK_POINT_MAX + 3];
    CK_RV rv;

    whole.key_type = key_type(k->pub.type);
    p11_plan_pub(&whole, CKA_CLASS, &public, sizeof(public));
    p11_plan_priv(&whole, CKA_CLASS, &private, sizeof(private));
    p11_plan_both(&whole, CKA_KEY_TYPE, &whole.key_type,
                  sizeof(whole.key_type));
    if (k->pub.type == HWK_KEY_RSA)
        add_rsa(&whole, k);
    else
        add_ec(&whole, k, q, point(&k->pub, q));
    rv = P11(t->module, C_CreateObject, s, whole.priv, whole.n_priv, priv);
    if (rv == CKR_OK)
        rv = P11(t->module, C_CreateObject, s, whole.pub, whole.n_pub, pub);
    return rv;
}
