/* SPDX-License-Identifier: Apache-2.0 */
/* What a pair to be made is to be: its attributes. */
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "provider/device/p11.h"

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, const void *value,
                              size_t n)
{
    union {
        const void *c;
        void *p;
    } u = {value};

    return (CK_ATTRIBUTE){type, u.p, n};
}

void p11_plan_pub(struct p11_plan *p, CK_ATTRIBUTE_TYPE type, const void *value,
                  size_t n)
{
    p->pub[p->n_pub++] = attribute(type, value, n);
}

void p11_plan_priv(struct p11_plan *p, CK_ATTRIBUTE_TYPE type,
                   const void *value, size_t n)
{
    p->priv[p->n_priv++] = attribute(type, value, n);
}

void p11_plan_both(struct p11_plan *p, CK_ATTRIBUTE_TYPE type,
                   const void *value, size_t n)
{
    p11_plan_pub(p, type, value, n);
    p11_plan_priv(p, type, value, n);
}

static void flag(struct p11_plan *p, CK_ATTRIBUTE_TYPE type, bool value)
{
    p11_plan_priv(p, type, value ? &yes : &no, sizeof(yes));
}

/* --- what it is for --- */

static void pair_of_flags(struct p11_plan *p, CK_ATTRIBUTE_TYPE priv,
                          CK_ATTRIBUTE_TYPE pub, bool value)
{
    flag(p, priv, value);
    if (value)
        p11_plan_pub(p, pub, &yes, sizeof(yes));
}

static unsigned possible(const struct hwk_spec *spec)
{
    switch (spec->type) {
    case HWK_KEY_RSA:
        return spec->pss.only ? HWK_USAGE_SIGN
                              : HWK_USAGE_SIGN | HWK_USAGE_DECRYPT;
    case HWK_KEY_EC:
        return HWK_USAGE_SIGN | HWK_USAGE_DERIVE;
    case HWK_KEY_ED:
        return HWK_USAGE_SIGN;
    default:
        return HWK_USAGE_DERIVE;
    }
}

unsigned p11_usage(const struct hwk_spec *spec)
{
    unsigned usage = spec->usage;

    if (spec->type == HWK_KEY_EC && (usage & HWK_USAGE_DECRYPT) != 0)
        usage = (usage & ~(unsigned)HWK_USAGE_DECRYPT) | HWK_USAGE_DERIVE;
    if ((usage & HWK_USAGE_IDEVID) != 0)
        usage = (usage & ~(unsigned)HWK_USAGE_IDEVID) | HWK_USAGE_SIGN;
    return usage;
}

/* what is not asked for is said, too: modules have defaults of their own */
static int plan_usage(struct p11_plan *p)
{
    const struct hwk_spec *spec = p->spec;
    unsigned usage = p11_usage(spec), can = possible(spec);

    if ((usage & ~can) != 0)
        return hwk_raise(HWK_R_PARAM, "usage: such a key can%s%s%s only",
                         can & HWK_USAGE_SIGN ? " sign" : "",
                         can & HWK_USAGE_DECRYPT ? " decrypt" : "",
                         can & HWK_USAGE_DERIVE ? " derive" : "");
    if ((can & HWK_USAGE_SIGN) != 0)
        pair_of_flags(p, CKA_SIGN, CKA_VERIFY, (usage & HWK_USAGE_SIGN) != 0);
    if ((can & HWK_USAGE_DECRYPT) != 0)
        pair_of_flags(p, CKA_DECRYPT, CKA_ENCRYPT,
                      (usage & HWK_USAGE_DECRYPT) != 0);
    if (spec->type == HWK_KEY_RSA)
        flag(p, CKA_UNWRAP, false);
    if (spec->type == HWK_KEY_ED)
        flag(p, CKA_DERIVE, false);
    if ((can & HWK_USAGE_DERIVE) != 0)
        flag(p, CKA_DERIVE, (usage & HWK_USAGE_DERIVE) != 0);
    return 1;
}

static void plan_pss(struct p11_plan *p)
{
    static const struct {
        enum hwk_md md;
        CK_MECHANISM_TYPE mech;
    } all[] = {
        {HWK_MD_NONE, CKM_RSA_PKCS_PSS},
        {HWK_MD_SHA1, CKM_SHA1_RSA_PKCS_PSS},
        {HWK_MD_SHA224, CKM_SHA224_RSA_PKCS_PSS},
        {HWK_MD_SHA256, CKM_SHA256_RSA_PKCS_PSS},
        {HWK_MD_SHA384, CKM_SHA384_RSA_PKCS_PSS},
        {HWK_MD_SHA512, CKM_SHA512_RSA_PKCS_PSS},
    };
    enum hwk_md md = p->spec->pss.md;
    size_t i, n = 0;

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (i == 0 || md == HWK_MD_NONE || all[i].md == md)
            p->allowed[n++] = all[i].mech;
    p11_plan_priv(p, CKA_ALLOWED_MECHANISMS, p->allowed,
                  n * sizeof(p->allowed[0]));
}

/* --- its names --- */

static int plan_id(struct p11_plan *p, const struct hwk_uri *uri)
{
    if (uri->id.n > sizeof(p->id))
        return hwk_raise(HWK_R_BAD_URI, "id: longer than %d bytes", P11_ID_MAX);
    if (uri->object.n > P11_ID_MAX)
        return hwk_raise(HWK_R_BAD_URI, "object: longer than %d bytes",
                         P11_ID_MAX);
    p->random_id = uri->id.p == NULL;
    p->id_n = p->random_id ? 16 : uri->id.n;
    if (!p->random_id)
        memcpy(p->id, uri->id.p, uri->id.n);
    else if (getentropy(p->id, p->id_n) != 0)
        return hwk_raise(HWK_R_DELEGATE, "no random bytes");
    return p->id_n > 0 || hwk_raise(HWK_R_BAD_URI, "id: is empty");
}

static int is_a_key(const struct hwk_uri *uri)
{
    return uri->type == HWK_CLASS_ANY || uri->type == HWK_CLASS_PRIVATE ||
           hwk_raise(HWK_R_BAD_URI, "type: it is a private key that is made");
}

int p11_plan(struct p11_plan *p, const struct hwk_uri *uri,
             const struct hwk_spec *spec)
{
    memset(p, 0, sizeof(*p));
    p->spec = spec;
    p->label = &uri->object;
    if (!is_a_key(uri) || !plan_id(p, uri))
        return 0;
    p11_plan_both(p, CKA_TOKEN, spec->session ? &no : &yes, sizeof(yes));
    p11_plan_both(p, CKA_ID, p->id, p->id_n);
    if (p->label->n > 0)
        p11_plan_both(p, CKA_LABEL, p->label->p, p->label->n);
    p11_plan_pub(p, CKA_PRIVATE, &no, sizeof(no));
    flag(p, CKA_PRIVATE, true);
    flag(p, CKA_SENSITIVE, !spec->readable);
    flag(p, CKA_EXTRACTABLE, spec->extractable);
    if (spec->always_auth) /* absent where it would say nothing: it is newer */
        flag(p, CKA_ALWAYS_AUTHENTICATE, true);
    if (spec->pss.only)
        plan_pss(p);
    return plan_usage(p);
}
