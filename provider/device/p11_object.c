/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a token: searching, reading, naming, and finding them again. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/x509.h>

#include "provider/device/p11.h"

/* --- reading --- */

static bool have(const CK_ATTRIBUTE *a, size_t max)
{
    return a->ulValueLen != CK_UNAVAILABLE_INFORMATION && a->ulValueLen > 0 &&
           a->ulValueLen <= max;
}

/* CKA_EC_POINT is the point in an OCTET STRING, or (some tokens) bare */
static int take_point(struct p11_object *o, const uint8_t *p, size_t n)
{
    size_t full = 1 + 2 * (size_t)o->curve->field;

    if (n != full && n > 2 && p[0] == 0x04 && p[1] == n - 2) {
        p += 2;
        n -= 2;
    } else if (n != full && n > 3 && p[0] == 0x04 && p[1] == 0x81 &&
               p[2] == n - 3) {
        p += 3;
        n -= 3;
    }
    return hwk_pub_ec_point(&o->pub, o->curve, p, n);
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
    A_ALWAYS_AUTH,
    A_SIGN,
    A_NEVER_EXTRACTABLE,
    A_MODIFIABLE,
    A_COUNT
};

struct values {
    uint8_t params[64], point[HWK_POINT_MAX + 3], modulus[HWK_RSA_MAX],
        exponent[8];
    CK_BBOOL always_auth, sign, never_extractable, modifiable;
};

static void take_pub(struct p11_object *o, const CK_ATTRIBUTE *a,
                     const struct values *v)
{
    if (o->key_type == CKK_EC && have(&a[A_EC_PARAMS], sizeof(v->params)))
        o->curve = hwk_curve_by_der(v->params, a[A_EC_PARAMS].ulValueLen);
    if (o->curve != NULL && have(&a[A_EC_POINT], sizeof(v->point)))
        o->has_pub = take_point(o, v->point, a[A_EC_POINT].ulValueLen);
    if (o->key_type == CKK_RSA && have(&a[A_MODULUS], sizeof(v->modulus)) &&
        have(&a[A_EXPONENT], sizeof(v->exponent)))
        o->has_pub = hwk_pub_rsa(&o->pub, v->modulus, a[A_MODULUS].ulValueLen,
                                 v->exponent, a[A_EXPONENT].ulValueLen);
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
    o->never_extractable = truth(&a[A_NEVER_EXTRACTABLE], v->never_extractable);
    o->modifiable = !have(&a[A_MODIFIABLE], 1) || v->modifiable != CK_FALSE;
    if (o->class == CKO_PRIVATE_KEY || o->class == CKO_PUBLIC_KEY)
        take_pub(o, a, v);
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
        {CKA_ALWAYS_AUTHENTICATE, &v.always_auth, 1},
        {CKA_SIGN, &v.sign, 1},
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

/* --- searching --- */

static size_t template_of(const CK_OBJECT_CLASS *class,
                          const struct hwk_uri *uri, CK_ATTRIBUTE a[static 3])
{
    union {
        const CK_OBJECT_CLASS *c;
        void *p;
    } c = {class};
    size_t n = 0;

    if (class != NULL)
        a[n++] = (CK_ATTRIBUTE){CKA_CLASS, c.p, sizeof(*class)};
    if (uri != NULL && uri->id.n > 0)
        a[n++] = (CK_ATTRIBUTE){CKA_ID, uri->id.p, uri->id.n};
    if (uri != NULL && uri->object.n > 0)
        a[n++] = (CK_ATTRIBUTE){CKA_LABEL, uri->object.p, uri->object.n};
    return n;
}

/* an empty attribute of the URI: one that tokens keep empty, or not at all */
static bool empty_as_asked(const struct hwk_uri *uri,
                           const struct p11_object *o)
{
    return uri == NULL ||
           ((uri->id.p == NULL || uri->id.n > 0 || o->id_len == 0) &&
            (uri->object.p == NULL || uri->object.n > 0 || o->label_len == 0));
}

static CK_RV more_room(CK_OBJECT_HANDLE **h, size_t n)
{
    CK_OBJECT_HANDLE *more;

    if (n > P11_OBJECTS)
        return CKR_BUFFER_TOO_SMALL;
    more = OPENSSL_realloc(*h, (n + P11_BATCH) * sizeof(**h));
    if (more == NULL)
        return CKR_HOST_MEMORY;
    *h = more;
    return CKR_OK;
}

/* *out is for the caller to OPENSSL_free, also on failure */
static CK_RV handles(struct p11_token *t, CK_SESSION_HANDLE s, CK_ATTRIBUTE *a,
                     size_t n_attr, CK_OBJECT_HANDLE **out, size_t *n)
{
    CK_ULONG batch = P11_BATCH;
    CK_RV rv = P11(t->module, C_FindObjectsInit, s, a, n_attr);

    *n = 0;
    if (rv != CKR_OK)
        return rv;
    while (rv == CKR_OK && batch > 0) { /* 0 is the end, fewer is not */
        rv = more_room(out, *n);
        if (rv == CKR_OK)
            rv = P11(t->module, C_FindObjects, s, *out + *n, P11_BATCH, &batch);
        if (rv == CKR_OK && batch > P11_BATCH)
            rv = CKR_GENERAL_ERROR;
        if (rv == CKR_OK)
            *n += batch;
    }
    P11(t->module, C_FindObjectsFinal, s);
    return rv;
}

static CK_RV read_all(struct p11_token *t, CK_SESSION_HANDLE s,
                      const struct hwk_uri *uri, const CK_OBJECT_HANDLE *h,
                      size_t got, struct p11_object *out, size_t *n)
{
    CK_RV rv = CKR_OK;
    size_t i;

    for (i = 0; i < got && rv == CKR_OK; i++) {
        rv = p11_read_object(t, s, h[i], &out[*n]);
        if (rv == CKR_OK && empty_as_asked(uri, &out[*n]))
            ++*n;
        else if (rv == CKR_OBJECT_HANDLE_INVALID)
            rv = CKR_OK; /* gone meanwhile */
    }
    return rv;
}

CK_RV p11_search(struct p11_token *t, CK_SESSION_HANDLE s,
                 const CK_OBJECT_CLASS *class, const struct hwk_uri *uri,
                 struct p11_object **out, size_t *n)
{
    CK_OBJECT_HANDLE *h = NULL;
    CK_ATTRIBUTE a[3];
    size_t got = 0;
    CK_RV rv = handles(t, s, a, template_of(class, uri, a), &h, &got);

    *out = NULL;
    *n = 0;
    if (rv == CKR_OK && got > 0) {
        *out = OPENSSL_zalloc(got * sizeof(**out));
        rv = *out != NULL ? read_all(t, s, uri, h, got, *out, n)
                          : CKR_HOST_MEMORY;
    }
    OPENSSL_free(h);
    if (rv != CKR_OK) {
        OPENSSL_free(*out);
        *out = NULL;
        *n = 0;
    }
    return rv;
}

/* EC point of a certificate, when the token has no public key object */
static int point_of_cert(struct p11_object *o, const uint8_t *der, size_t n)
{
    const unsigned char *p = der, *point;
    X509 *x = d2i_X509(NULL, &p, (long)n);
    int len, ok = 0;

    if (x != NULL && X509_PUBKEY_get0_param(NULL, &point, &len, NULL,
                                            X509_get_X509_PUBKEY(x)))
        ok = hwk_pub_ec_point(&o->pub, o->curve, point, (size_t)len);
    X509_free(x);
    return ok;
}

static CK_RV complete_from(struct p11_token *t, CK_SESSION_HANDLE s,
                           struct p11_object *o, CK_OBJECT_CLASS class)
{
    struct hwk_uri by_id = {.id = {o->id, o->id_len}};
    struct p11_object *found;
    uint8_t *der = NULL;
    size_t i, n, der_n;
    CK_RV rv = p11_search(t, s, &class, &by_id, &found, &n);

    for (i = 0; i < n && rv == CKR_OK && !o->has_pub; i++) {
        if (class == CKO_PUBLIC_KEY && found[i].has_pub &&
            found[i].key_type == o->key_type) {
            o->pub = found[i].pub;
            o->has_pub = true;
        } else if (class == CKO_CERTIFICATE && o->curve != NULL) {
            rv = p11_value(t, s, found[i].h, &der, &der_n);
            o->has_pub = rv == CKR_OK && point_of_cert(o, der, der_n);
            OPENSSL_free(der);
            der = NULL;
        }
    }
    OPENSSL_free(found);
    return rv;
}

CK_RV p11_complete(struct p11_token *t, CK_SESSION_HANDLE s,
                   struct p11_object *o)
{
    CK_RV rv = CKR_OK;

    if (!o->has_pub && o->id_len > 0)
        rv = complete_from(t, s, o, CKO_PUBLIC_KEY);
    if (rv == CKR_OK && !o->has_pub && o->id_len > 0)
        rv = complete_from(t, s, o, CKO_CERTIFICATE);
    return rv;
}

int p11_search_once(struct p11_token *t, const CK_OBJECT_CLASS *class,
                    const struct hwk_uri *uri, struct p11_object **out,
                    size_t *n)
{
    struct p11_session s;
    CK_RV rv = CKR_OK;
    int tries;

    for (tries = 0; tries < 2; tries++) {
        if (!p11_session_get(t, false, &s))
            return 0;
        rv = p11_search(t, s.h, class, uri, out, n);
        if (p11_lost(rv))
            p11_token_lost(t, s.epoch, rv);
        p11_session_put(t, &s, false, rv != CKR_OK);
        if (rv == CKR_OK)
            return 1;
        if (!p11_lost(rv))
            break;
    }
    return p11_raise("C_FindObjects", rv);
}

CK_RV p11_refind(struct p11_ref *ref, const struct p11_session *s,
                 CK_OBJECT_HANDLE *out)
{
    struct hwk_uri who = {
        .id = {ref->id_len > 0 ? ref->id : NULL, ref->id_len}};
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    struct p11_object *found;
    size_t i, n;
    CK_RV rv;

    if (ref->id_len == 0)
        who.object = (struct hwk_str){(uint8_t *)ref->label, ref->label_len};
    rv = p11_search(ref->token, s->h, &class, &who, &found, &n);
    for (i = 0; i < n && rv == CKR_OK; i++) {
        rv = p11_complete(ref->token, s->h, &found[i]);
        if (rv == CKR_OK && found[i].has_pub &&
            hwk_pub_eq(&found[i].pub, &ref->pub)) {
            *out = found[i].h;
            OPENSSL_free(found);
            return CKR_OK;
        }
    }
    OPENSSL_free(found);
    if (rv == CKR_OK)
        rv = p11_still_in(ref->token, s);
    return rv != CKR_OK ? rv : CKR_KEY_CHANGED;
}

/* --- names --- */

void p11_token_uri(const struct p11_token *t,
                   char out[static HWK_OBJECT_URI_MAX])
{
    size_t max = HWK_OBJECT_URI_MAX;

    strcpy(out, "pkcs11:");
    (void)!hwk_uri_put(out, max, "token", t->label, strlen(t->label), false);
    if (t->serial[0] != 0)
        (void)!hwk_uri_put(out, max, "serial", t->serial, strlen(t->serial),
                           false);
}

void p11_object_uri(const struct p11_token *t, const struct p11_object *o,
                    char out[static HWK_OBJECT_URI_MAX])
{
    static const char *const types[] = {"data", "cert", "public", "private"};
    size_t max = HWK_OBJECT_URI_MAX;

    p11_token_uri(t, out);
    if (o->id_len > 0 || o->class != CKO_DATA)
        (void)!hwk_uri_put(out, max - 16, "id", o->id, o->id_len, true);
    if (o->label_len > 0 || o->id_len == 0)
        (void)!hwk_uri_put(out, max - 16, "object", o->label, o->label_len,
                           false);
    if (o->class <= CKO_PRIVATE_KEY)
        (void)!hwk_uri_put(out, max, "type", types[o->class],
                           strlen(types[o->class]), false);
}
