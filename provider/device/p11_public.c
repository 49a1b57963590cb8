/* SPDX-License-Identifier: Apache-2.0 */
/* Public halves that a private key object does not have itself: from the public
 * key or certificate of the same name. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/p11.h"
#include "provider/spki.h"

/* CKA_ID ties objects together; where there is none, the label does */
static bool same_name(const struct p11_object *a, const struct p11_object *b)
{
    if (a->id_len > 0 || b->id_len > 0)
        return a->id_len == b->id_len && memcmp(a->id, b->id, a->id_len) == 0;
    return a->label_len > 0 && a->label_len == b->label_len &&
           memcmp(a->label, b->label, a->label_len) == 0;
}

static bool type_fits(const struct p11_object *o, const struct hwk_pub *pub)
{
    if (pub->type == HWK_KEY_RSA)
        return o->key_type == CKK_RSA;
    return o->key_type != CKK_RSA &&
           (o->curve == NULL || o->curve == pub->curve);
}

static void take_key(struct p11_object *o, const struct hwk_pub *pub)
{
    struct hwk_pss pss;

    if (o->has_pub || !type_fits(o, pub))
        return;
    o->pub = *pub;
    o->has_pub = true;
    if (pub->type == HWK_KEY_RSA && p11_limited_to_pss(&o->limits, &pss))
        o->pub.pss = pss;
}

/* A certificate gives the key, and says whether an RSA key is one for PSS only:
 * whoever meets both expects them to be of one type. */
static void take_cert(struct p11_object *o, const uint8_t *der, size_t n)
{
    const uint8_t *spki;
    size_t spki_n;
    struct hwk_pub pub;

    ERR_set_mark();
    if (hwk_spki_of_cert(der, n, &spki, &spki_n) &&
        hwk_spki_to_pub(spki, spki_n, &pub)) {
        take_key(o, &pub);
        if (o->has_pub && hwk_pub_eq(&o->pub, &pub))
            o->pub.pss = pub.pss;
    }
    ERR_pop_to_mark();
}

/* --- among what was found --- */

static CK_RV from_certs(struct p11_haul *h, CK_SESSION_HANDLE s,
                        struct p11_object *o)
{
    CK_RV rv = CKR_OK;
    size_t i;

    for (i = 0; i < h->n && rv == CKR_OK; i++) {
        if (h->o[i].class != CKO_CERTIFICATE || !same_name(&h->o[i], o))
            continue;
        if (h->der[i] == NULL)
            rv = p11_value(h->t, s, h->o[i].h, &h->der[i], &h->der_n[i]);
        if (rv == CKR_OK)
            take_cert(o, h->der[i], h->der_n[i]);
    }
    return rv;
}

CK_RV p11_haul_public(struct p11_haul *h, CK_SESSION_HANDLE s,
                      struct p11_object *o)
{
    CK_RV rv = CKR_OK;
    size_t i;

    for (i = 0; i < h->n && !o->has_pub; i++)
        if (h->o[i].class == CKO_PUBLIC_KEY && h->o[i].has_pub &&
            same_name(&h->o[i], o))
            take_key(o, &h->o[i].pub);
    if (!o->has_pub || o->pub.type == HWK_KEY_RSA)
        rv = from_certs(h, s, o);
    return rv == CKR_OK ? p11_complete(h->t, s, o) : rv;
}

/* --- elsewhere on the token --- */

static CK_RV complete_from(struct p11_token *t, CK_SESSION_HANDLE s,
                           struct p11_object *o, CK_OBJECT_CLASS class)
{
    struct hwk_uri name = {.id = {o->id, o->id_len}};
    struct p11_object *found;
    size_t i, n, der_n;
    uint8_t *der = NULL;
    CK_RV rv;

    if (o->id_len == 0)
        name.object = (struct hwk_str){(uint8_t *)o->label, o->label_len};
    rv = p11_search(t, s, &class, &name, &found, &n);
    for (i = 0; i < n && rv == CKR_OK && !o->has_pub; i++) {
        if (!same_name(&found[i], o))
            continue;
        if (class == CKO_PUBLIC_KEY && found[i].has_pub)
            take_key(o, &found[i].pub);
        if (class != CKO_CERTIFICATE)
            continue;
        rv = p11_value(t, s, found[i].h, &der, &der_n);
        if (rv == CKR_OK)
            take_cert(o, der, der_n);
        OPENSSL_free(der);
        der = NULL;
    }
    OPENSSL_free(found);
    return rv;
}

CK_RV p11_complete(struct p11_token *t, CK_SESSION_HANDLE s,
                   struct p11_object *o)
{
    bool named = o->id_len > 0 || o->label_len > 0;
    CK_RV rv = CKR_OK;

    if (!o->has_pub && named)
        rv = complete_from(t, s, o, CKO_PUBLIC_KEY);
    if (rv == CKR_OK && !o->has_pub && named)
        rv = complete_from(t, s, o, CKO_CERTIFICATE);
    return rv;
}
