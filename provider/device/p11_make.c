/* SPDX-License-Identifier: Apache-2.0 */
/* Making keys on a token. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "provider/device/p11.h"

struct plan {
    const struct hwk_spec *spec;
    uint8_t id[P11_ID_MAX];
    size_t id_n;
    const struct hwk_str *label;
    CK_ATTRIBUTE pub[16], priv[16];
    CK_ULONG n_pub, n_priv, bits;
};

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static uint8_t f4[] = {1, 0, 1};

static void *lent(const void *p)
{
    union {
        const void *c;
        void *p;
    } u = {p};

    return u.p;
}

static void both(struct plan *p, CK_ATTRIBUTE a)
{
    p->pub[p->n_pub++] = a;
    p->priv[p->n_priv++] = a;
}

static void write_plan(struct plan *p)
{
    bool decrypt = p->spec->usage == HWK_USAGE_DECRYPT;
    bool rsa = p->spec->type == HWK_KEY_RSA;

    both(p, (CK_ATTRIBUTE){CKA_TOKEN, &yes, sizeof(yes)});
    both(p, (CK_ATTRIBUTE){CKA_ID, p->id, p->id_n});
    if (p->label->p != NULL)
        both(p, (CK_ATTRIBUTE){CKA_LABEL, p->label->p, p->label->n});
    p->pub[p->n_pub++] = (CK_ATTRIBUTE){CKA_PRIVATE, &no, sizeof(no)};
    p->priv[p->n_priv++] = (CK_ATTRIBUTE){CKA_PRIVATE, &yes, sizeof(yes)};
    p->priv[p->n_priv++] = (CK_ATTRIBUTE){CKA_SENSITIVE, &yes, sizeof(yes)};
    p->priv[p->n_priv++] = (CK_ATTRIBUTE){CKA_EXTRACTABLE, &no, sizeof(no)};
    if (!decrypt) {
        p->pub[p->n_pub++] = (CK_ATTRIBUTE){CKA_VERIFY, &yes, sizeof(yes)};
        p->priv[p->n_priv++] = (CK_ATTRIBUTE){CKA_SIGN, &yes, sizeof(yes)};
    } else if (rsa) {
        p->pub[p->n_pub++] = (CK_ATTRIBUTE){CKA_ENCRYPT, &yes, sizeof(yes)};
        p->priv[p->n_priv++] = (CK_ATTRIBUTE){CKA_DECRYPT, &yes, sizeof(yes)};
        p->priv[p->n_priv++] = (CK_ATTRIBUTE){CKA_SIGN, &no, sizeof(no)};
    } else {
        p->priv[p->n_priv++] = (CK_ATTRIBUTE){CKA_DERIVE, &yes, sizeof(yes)};
        p->priv[p->n_priv++] = (CK_ATTRIBUTE){CKA_SIGN, &no, sizeof(no)};
    }
    if (rsa) {
        p->bits = p->spec->bits;
        p->pub[p->n_pub++] =
            (CK_ATTRIBUTE){CKA_MODULUS_BITS, &p->bits, sizeof(p->bits)};
        p->pub[p->n_pub++] = (CK_ATTRIBUTE){CKA_PUBLIC_EXPONENT, f4, 3};
    } else {
        p->pub[p->n_pub++] = (CK_ATTRIBUTE){
            CKA_EC_PARAMS, lent(p->spec->curve->oid), p->spec->curve->oid_len};
    }
}

static int choose_id(struct plan *p, const struct hwk_uri *uri)
{
    if (uri->id.n > sizeof(p->id))
        return hwk_raise(HWK_R_BAD_URI, "id: longer than %d bytes", P11_ID_MAX);
    p->id_n = uri->id.p != NULL ? uri->id.n : 16;
    if (uri->id.p != NULL)
        memcpy(p->id, uri->id.p, uri->id.n);
    else if (RAND_bytes(p->id, (int)p->id_n) != 1)
        return hwk_raise(HWK_R_DELEGATE, "no random bytes");
    return p->id_n > 0 || hwk_raise(HWK_R_BAD_URI, "id: is empty");
}

static int not_there_yet(struct p11_token *t, const struct hwk_uri *uri)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    struct p11_object *o = NULL;
    size_t n;

    if (uri->id.p == NULL && uri->object.p == NULL)
        return 1;
    if (!p11_search_once(t, &class, uri, &o, &n))
        return 0;
    OPENSSL_free(o);
    return n == 0 ||
           hwk_raise(HWK_R_EXISTS, "token '%s' has such a key", t->label);
}

static CK_RV generate(struct p11_token *t, CK_SESSION_HANDLE s, struct plan *p,
                      struct p11_object *out)
{
    CK_MECHANISM mech = {p->spec->type == HWK_KEY_EC
                             ? CKM_EC_KEY_PAIR_GEN
                             : CKM_RSA_PKCS_KEY_PAIR_GEN,
                         NULL, 0};
    CK_OBJECT_HANDLE pub, priv;
    CK_RV rv = P11(t->module, C_GenerateKeyPair, s, &mech, p->pub, p->n_pub,
                   p->priv, p->n_priv, &pub, &priv);

    if (rv != CKR_OK)
        return rv;
    rv = p11_read_object(t, s, pub, out);
    if (rv != CKR_OK || !out->has_pub) {
        P11(t->module, C_DestroyObject, s, pub);
        P11(t->module, C_DestroyObject, s, priv);
        return rv != CKR_OK ? rv : CKR_FUNCTION_FAILED;
    }
    out->h = priv;
    out->class = CKO_PRIVATE_KEY;
    return CKR_OK;
}

static int generate_once(struct p11_token *t, struct plan *p,
                         struct p11_object *o, unsigned *epoch)
{
    struct p11_session s;
    CK_RV rv = CKR_OK;
    int tries;

    for (tries = 0; tries < 2; tries++) {
        if (!p11_session_get(t, true, &s))
            return 0;
        *epoch = s.epoch;
        rv = generate(t, s.h, p, o);
        if (p11_lost(rv))
            p11_token_lost(t, s.epoch, rv);
        p11_session_put(t, &s, true, rv != CKR_OK);
        if (rv == CKR_OK)
            return 1;
        /* what a device error left behind is not known: do not repeat it */
        if (!p11_lost(rv) || rv == CKR_DEVICE_ERROR)
            break;
    }
    return p11_raise("C_GenerateKeyPair", rv);
}

int p11_make(void *state, const struct hwk_uri *uri,
             const struct hwk_spec *spec, const struct hwk_pin_ask *pin,
             struct hwk_found *out)
{
    struct plan p = {.spec = spec, .label = &uri->object};
    struct p11_token *t[2];
    struct p11_object o;
    unsigned epoch;
    int n = p11_tokens(state, uri, t, 2);

    if (n < 0)
        return 0;
    if (n > 1)
        return hwk_raise(HWK_R_BAD_URI,
                         "several tokens fit: name one by token= or serial=");
    if (!choose_id(&p, uri) || !p11_login(t[0], pin) ||
        !not_there_yet(t[0], uri))
        return 0;
    write_plan(&p);
    if (!generate_once(t[0], &p, &o, &epoch))
        return 0;
    memset(out, 0, sizeof(*out));
    out->type = HWK_OBJ_PRIVATE;
    p11_object_uri(t[0], &o, out->uri);
    memcpy(out->label, o.label,
           o.label_len < sizeof(out->label) ? o.label_len
                                            : sizeof(out->label) - 1);
    out->pub = o.pub;
    out->flags = spec->usage == HWK_USAGE_DECRYPT
                     ? HWK_FOUND_NO_SIGN | HWK_FOUND_DECRYPT
                     : 0;
    out->ref = p11_ref_new(t[0], &o, epoch);
    return out->ref != NULL;
}
