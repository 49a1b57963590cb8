/* SPDX-License-Identifier: Apache-2.0 */
/* Making keys on a token: whole, or not at all. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/p11.h"

#define MONTGOMERY_KEY_PAIR_GEN 0x1056UL /* PKCS#11 3.0 */

/* --- is there such a key already? --- */

static bool is_half(const struct p11_object *o)
{
    return o->class == CKO_PRIVATE_KEY || o->class == CKO_PUBLIC_KEY;
}

static int none_named(struct p11_token *t, const struct hwk_uri *name,
                      const char *what)
{
    struct p11_object *o = NULL;
    bool private = false, public = false;
    size_t i, n;

    if (!p11_search_once(t, NULL, name, &o, &n))
        return 0;
    for (i = 0; i < n; i++) {
        private = private || o[i].class == CKO_PRIVATE_KEY;
        public = public || o[i].class == CKO_PUBLIC_KEY;
    }
    OPENSSL_free(o);
    if (private)
        return hwk_raise(HWK_R_EXISTS, "token '%s' has a key of that %s",
                         t->label, what);
    return !public || hwk_raise(HWK_R_EXISTS,
                                "token '%s' has a public key of that %s, "
                                "without the private half: erase it first",
                                t->label, what);
}

static int not_there_yet(struct p11_token *t, const struct hwk_uri *uri)
{
    struct hwk_uri by_id = {.id = uri->id}, by_label = {.object = uri->object};

    return (uri->id.p == NULL || none_named(t, &by_id, "id")) &&
           (uri->object.n == 0 || none_named(t, &by_label, "label"));
}

/* --- nothing is left of what did not become whole --- */

static bool is_brought(const struct p11_plan *p, const struct p11_object *o)
{
    return p->spec->from != NULL && o->class == CKO_PUBLIC_KEY && o->has_pub &&
           hwk_pub_eq(&p->spec->from->pub, &o->pub);
}

/* A pair that others may know is left alone when it is whole: perhaps it is not
 * ours after all. */
static CK_RV sweep(struct p11_token *t, CK_SESSION_HANDLE s,
                   const struct p11_plan *p)
{
    uint8_t id[P11_ID_MAX];
    struct hwk_uri name = {.id = {id, p->id_n}};
    struct p11_object *o;
    size_t i, n, halves = 0;
    bool ours = p->random_id;
    CK_RV rv;

    memcpy(id, p->id, p->id_n);
    rv = p11_search(t, s, NULL, &name, &o, &n);
    for (i = 0; i < n; i++) {
        halves += is_half(&o[i]);
        ours = ours || is_brought(p, &o[i]);
    }
    for (i = 0; i < n && rv == CKR_OK; i++)
        if (is_half(&o[i]) && (ours || halves == 1))
            rv = P11(t->module, C_DestroyObject, s, o[i].h);
    if (rv == CKR_OK && halves > 1 && !ours)
        rv = CKR_FUNCTION_FAILED;
    OPENSSL_free(o);
    return rv;
}

/* 1: the token is as it was before */
static int swept(struct p11_token *t, const struct p11_plan *p)
{
    struct p11_session s;
    CK_RV rv = CKR_OK;
    int tries, got;

    for (tries = 0; tries < 2; tries++) {
        ERR_set_mark();
        got = p11_session_get(t, true, &s);
        ERR_pop_to_mark();
        if (!got)
            return 0;
        rv = sweep(t, s.h, p);
        if (p11_lost(rv))
            p11_token_lost(t, s.epoch, rv);
        p11_session_put(t, &s, true, true);
        if (rv == CKR_OK || !p11_lost(rv))
            break;
    }
    return rv == CKR_OK;
}

/* --- making --- */

static CK_MECHANISM_TYPE mechanism(const struct hwk_spec *spec)
{
    switch (spec->type) {
    case HWK_KEY_RSA:
        return CKM_RSA_PKCS_KEY_PAIR_GEN;
    case HWK_KEY_ED:
        return CKM_EC_EDWARDS_KEY_PAIR_GEN;
    case HWK_KEY_X:
        return MONTGOMERY_KEY_PAIR_GEN;
    default:
        return CKM_EC_KEY_PAIR_GEN;
    }
}

static void plan_generation(struct p11_plan *p)
{
    const struct hwk_spec *spec = p->spec;
    uint64_t e = spec->exponent != 0 ? spec->exponent : 65537;
    size_t i = sizeof(p->e);

    if (spec->type != HWK_KEY_RSA) {
        p11_plan_pub(p, CKA_EC_PARAMS, spec->curve->oid, spec->curve->oid_len);
        return;
    }
    for (; e != 0; e >>= 8)
        p->e[--i] = (uint8_t)e;
    p->bits = spec->bits;
    p11_plan_pub(p, CKA_MODULUS_BITS, &p->bits, sizeof(p->bits));
    p11_plan_pub(p, CKA_PUBLIC_EXPONENT, p->e + i, sizeof(p->e) - i);
}

static CK_RV generate(struct p11_token *t, CK_SESSION_HANDLE s,
                      struct p11_plan *p, CK_OBJECT_HANDLE *pub,
                      CK_OBJECT_HANDLE *priv)
{
    CK_MECHANISM mech = {mechanism(p->spec), NULL, 0};

    return P11(t->module, C_GenerateKeyPair, s, &mech, p->pub, p->n_pub,
               p->priv, p->n_priv, pub, priv);
}

/* both halves are there, under their name, with the same public key */
static CK_RV read_back(struct p11_token *t, CK_SESSION_HANDLE s,
                       const struct p11_plan *p, CK_OBJECT_HANDLE pub,
                       CK_OBJECT_HANDLE priv, struct p11_object *out)
{
    const struct hwk_private *from = p->spec->from;
    struct p11_object o;
    CK_RV rv = p11_read_object(t, s, priv, &o);

    if (rv == CKR_OK && (o.class != CKO_PRIVATE_KEY || o.id_len != p->id_n ||
                         memcmp(o.id, p->id, p->id_n) != 0))
        rv = CKR_FUNCTION_FAILED;
    if (rv == CKR_OK)
        rv = p11_read_object(t, s, pub, out);
    if (rv != CKR_OK)
        return rv;
    if (!out->has_pub || (o.has_pub && !hwk_pub_eq(&o.pub, &out->pub)) ||
        (from != NULL && !hwk_pub_eq(&from->pub, &out->pub)))
        return CKR_FUNCTION_FAILED;
    o.pub = out->pub;
    o.has_pub = true;
    *out = o;
    return CKR_OK;
}

static CK_RV make_in(struct p11_token *t, CK_SESSION_HANDLE s,
                     struct p11_plan *p, struct p11_object *out)
{
    CK_OBJECT_HANDLE half[2] = {CK_INVALID_HANDLE, CK_INVALID_HANDLE};
    CK_RV rv = p->spec->from != NULL ? p11_import(t, s, p, &half[0], &half[1])
                                     : generate(t, s, p, &half[0], &half[1]);
    int i;

    if (rv == CKR_OK)
        rv = read_back(t, s, p, half[0], half[1], out);
    for (i = 0; i < 2 && rv != CKR_OK && !p11_lost(rv); i++)
        if (half[i] != CK_INVALID_HANDLE)
            P11(t->module, C_DestroyObject, s, half[i]);
    return rv;
}

static int failed(const struct p11_token *t, const struct p11_plan *p,
                  bool clean, CK_RV rv)
{
    const char *what =
        p->spec->from != NULL ? "C_CreateObject" : "C_GenerateKeyPair";

    if (!clean)
        hwk_raise(HWK_R_PKCS11,
                  "token '%s': what may be left of the key there could not "
                  "be taken away",
                  t->label);
    return p11_raise(what, rv);
}

/* 1 with the session, which is read/write, for the caller to give back */
static int make_once(struct p11_token *t, struct p11_plan *p,
                     struct p11_object *o, struct p11_session *s)
{
    bool clean = true;
    CK_RV rv = CKR_OK;
    int tries;

    for (tries = 0; tries < 2 && clean; tries++) {
        if (!p11_session_get(t, true, s))
            return 0;
        rv = make_in(t, s->h, p, o);
        if (rv == CKR_OK)
            return 1;
        if (p11_lost(rv))
            p11_token_lost(t, s->epoch, rv);
        p11_session_put(t, s, true, true);
        clean = swept(t, p);
        if (!p11_lost(rv) || rv == CKR_DEVICE_ERROR)
            break;
    }
    return failed(t, p, clean, rv);
}

static int hand_out(struct p11_token *t, const struct p11_object *o,
                    const struct p11_plan *p, struct p11_session *s,
                    struct hwk_found *out)
{
    const struct hwk_spec *spec = p->spec;
    struct p11_ref *ref = p11_ref_new(t, o, s->epoch);

    if (ref != NULL && spec->session) {
        ref->home = *s;
        ref->has_home = true;
        p11_session_keep(t);
    } else {
        p11_session_put(t, s, true, false);
    }
    if (ref == NULL)
        return 0;
    ref->pub.pss = spec->pss;
    memset(out, 0, sizeof(*out));
    out->type = HWK_OBJ_PRIVATE;
    p11_object_uri(t, o, out->uri);
    memcpy(out->label, o->label,
           o->label_len < sizeof(out->label) ? o->label_len
                                             : sizeof(out->label) - 1);
    out->pub = ref->pub;
    out->limits = o->limits;
    out->flags =
        ((p11_usage(spec) & HWK_USAGE_SIGN) == 0 ? HWK_FOUND_NO_SIGN : 0) |
        ((p11_usage(spec) & ~(unsigned)HWK_USAGE_SIGN) != 0 ? HWK_FOUND_DECRYPT
                                                            : 0);
    out->ref = ref;
    return 1;
}

int p11_make(void *state, const struct hwk_uri *uri,
             const struct hwk_spec *spec, const struct hwk_pin_ask *pin,
             struct hwk_found *out)
{
    struct p11_token *t[2];
    struct p11_plan p;
    struct p11_object o;
    struct p11_session s;
    int n = p11_tokens(state, uri, t, 2);

    if (n < 0)
        return 0;
    if (n > 1)
        return hwk_raise(HWK_R_BAD_URI,
                         "several tokens fit: name one by token= or serial=");
    if (!p11_plan(&p, uri, spec) || !p11_login(t[0], pin, P11_ANY_SCAN) ||
        !not_there_yet(t[0], uri))
        return 0;
    if (spec->from == NULL)
        plan_generation(&p);
    return make_once(t[0], &p, &o, &s) && hand_out(t[0], &o, &p, &s, out);
}
