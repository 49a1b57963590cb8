/* SPDX-License-Identifier: Apache-2.0 */
/* Key management, the part that all types share. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "provider/op.h"
#include "provider/soft.h"

void hwk_keymgmt_free(void *key)
{
    hwk_key_free(key);
}

static const char ours; /* its address is the mark */

struct hwk_handover hwk_handover(struct hwk_key *key)
{
    return (struct hwk_handover){key, &ours};
}

static struct hwk_handover *handover_of(const void *reference, size_t size)
{
    union {
        const void *c;
        struct hwk_handover *p;
    } ref = {reference};

    return size == sizeof(*ref.p) && ref.p->ours == &ours ? ref.p : NULL;
}

struct hwk_key *hwk_handover_key(const void *reference, size_t size)
{
    const struct hwk_handover *ref = handover_of(reference, size);

    return ref != NULL ? ref->key : NULL;
}

void *hwk_keymgmt_load(const void *reference, size_t size)
{
    struct hwk_handover *ref = handover_of(reference, size);
    struct hwk_key *key = ref != NULL ? ref->key : NULL;

    if (key != NULL)
        ref->key = NULL;
    return key;
}

int hwk_keymgmt_has(const void *keydata, int selection)
{
    const struct hwk_key *key = keydata;

    if (key == NULL) /* an EVP_PKEY of our type that nothing was put into */
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && !key->has_private)
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 && !key->has_public)
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS) != 0 &&
        key->pub.type == HWK_KEY_EC && key->pub.curve == NULL)
        return key->software; /* a group that we have no name for */
    return 1;
}

/* libcrypto says const of what counts its own users */
static struct hwk_key *lent(const void *keydata)
{
    union {
        const void *c;
        struct hwk_key *p;
    } key = {keydata};

    return key.p;
}

int hwk_keymgmt_match(const void *a_, const void *b_, int selection)
{
    const struct hwk_key *a = a_, *b = b_;

    if (a == NULL || b == NULL)
        return 0;
    if (a->software || b->software)
        return hwk_soft_match(lent(a), lent(b), selection);
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0)
        return a->has_public && b->has_public && hwk_pub_eq(&a->pub, &b->pub);
    if ((selection & OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS) != 0)
        return hwk_pub_same_type(&a->pub, &b->pub) &&
               a->pub.curve == b->pub.curve;
    return 1;
}

static bool says(const OSSL_PARAM params[], const char *name, const char *value)
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, name);

    return p == NULL || (p->data_type == OSSL_PARAM_UTF8_STRING &&
                         strcmp(p->data, value) == 0);
}

static bool cofactor(const OSSL_PARAM params[])
{
    const OSSL_PARAM *p =
        OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_USE_COFACTOR_ECDH);
    int mode;

    return p != NULL && (!OSSL_PARAM_get_int(p, &mode) || mode != 0);
}

/* A public key of a kind we know as plain values, which are cheap; they do not
 * remember how a point or a group was to be written. */
static bool import_plain(struct hwk_key *key, const OSSL_PARAM params[])
{
    bool ok;

    if (!says(params, OSSL_PKEY_PARAM_EC_ENCODING,
              OSSL_PKEY_EC_ENCODING_GROUP) ||
        !says(params, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
              OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) ||
        cofactor(params))
        return false;
    ERR_set_mark();
    ok = hwk_pub_from_params(&key->pub, &key->pub, params);
    ERR_pop_to_mark();
    return ok;
}

static int import_private(struct hwk_key *key, int selection,
                          const OSSL_PARAM params[])
{
    const char *said;

    if (OSSL_PARAM_locate_const(params, HWK_PARAM_KEY_URI) != NULL)
        return hwk_gen_import(key, params);
    said = hwk_gen_device_said(params);
    if (said != NULL)
        return hwk_raise(HWK_R_PARAM,
                         "uri: say where the key with '%s' is to be put", said);
    return hwk_soft_import(key, selection, params);
}

int hwk_keymgmt_import(void *keydata, int selection, const OSSL_PARAM params[])
{
    struct hwk_key *key = keydata;

    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 &&
        hwk_soft_private(params))
        return import_private(key, selection, params);
    if (!import_plain(key, params))
        return hwk_soft_import(key, selection, params);
    key->has_public = key->pub.point_len > 0 || key->pub.n_len > 0;
    return key->has_public || (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0;
}

int hwk_keymgmt_export(void *keydata, int selection, OSSL_CALLBACK *cb,
                       void *arg)
{
    struct hwk_key *key = keydata;
    struct hwk_pub_params params;

    if (key != NULL && key->software)
        return hwk_soft_export(key, selection, cb, arg);
    /* libcrypto 3.0 tries this before every signature: no text, it costs */
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && key->ref != NULL)
        return hwk_raise_bare(HWK_R_PRIVATE);
    if (!hwk_keymgmt_has(key, selection & OSSL_KEYMGMT_SELECT_ALL_PARAMETERS) ||
        !hwk_keymgmt_has(key, selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY))
        return 0;
    hwk_pub_to_params(&key->pub, &params);
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0 || !key->has_public)
        params.p[params.n_domain] = OSSL_PARAM_construct_end();
    return cb(params.p, arg);
}

void *hwk_keymgmt_dup(const void *keydata, int selection)
{
    struct hwk_key *key = lent(keydata), *copy;

    if (key->software)
        return hwk_soft_dup(key, selection);
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && key->ref != NULL)
        return hwk_key_up(key);
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 && key->has_public)
        return hwk_key_public(key->core, &key->pub);
    copy = hwk_key_of(key->core, &key->pub);
    if (copy != NULL) {
        copy->pub.curve = key->pub.curve;
        copy->pub.pss = key->pub.pss;
    }
    return copy;
}

/* --- parameters --- */

struct digests {
    const char *any, *only; /* what is usual, and what alone will do */
};

static struct digests digests_of(const struct hwk_key *key)
{
    const struct hwk_pss *pss = &key->pub.pss;

    if (pss->only && pss->md != HWK_MD_NONE)
        return (struct digests){NULL, hwk_md_name(pss->md)};
    if (key->md != HWK_MD_NONE)
        return (struct digests){hwk_md_name(key->md), hwk_md_name(key->md)};
    switch (key->pub.type) {
    case HWK_KEY_EC:
    case HWK_KEY_RSA:
        return (struct digests){HWK_MD_DEFAULT, NULL};
    case HWK_KEY_ED:
        return (struct digests){NULL, ""};
    default:
        return (struct digests){NULL, NULL};
    }
}

static int set_digests(const struct hwk_key *key, OSSL_PARAM params[])
{
    struct digests d = digests_of(key);
    OSSL_PARAM *p;

    p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST);
    if (p != NULL && d.any != NULL && !OSSL_PARAM_set_utf8_string(p, d.any))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_MANDATORY_DIGEST);
    return p == NULL || d.only == NULL || OSSL_PARAM_set_utf8_string(p, d.only);
}

int hwk_keymgmt_common_params(const struct hwk_key *key, OSSL_PARAM params[])
{
    OSSL_PARAM *p;

    p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_BITS);
    if (p != NULL && !OSSL_PARAM_set_int(p, hwk_pub_bits(&key->pub)))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_SECURITY_BITS);
    if (p != NULL && !OSSL_PARAM_set_int(p, hwk_pub_security_bits(&key->pub)))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_MAX_SIZE);
    if (p != NULL && !OSSL_PARAM_set_int(p, (int)hwk_pub_max_size(&key->pub)))
        return 0;
    return set_digests(key, params);
}

/* what digests_of says of them is all there is to say */
static bool about_digests(const OSSL_PARAM *p)
{
    return strcmp(p->key, OSSL_PKEY_PARAM_DEFAULT_DIGEST) == 0 ||
           strcmp(p->key, OSSL_PKEY_PARAM_MANDATORY_DIGEST) == 0;
}

int hwk_keymgmt_soft_params(struct hwk_key *key, OSSL_PARAM params[])
{
    EVP_PKEY *soft = NULL;
    size_t i;
    int ok;

    for (i = 0; params[i].key != NULL; i++) {
        OSSL_PARAM one[] = {params[i], OSSL_PARAM_END};

        if (OSSL_PARAM_modified(&params[i]) || !key->has_public ||
            about_digests(&params[i]))
            continue;
        if (soft == NULL && (soft = hwk_key_soft(key)) == NULL)
            return 0;
        ok = EVP_PKEY_get_params(soft, one);
        params[i].return_size = one[0].return_size;
        if (!ok)
            return 0;
    }
    return 1;
}

int hwk_keymgmt_set_params(void *keydata, const OSSL_PARAM params[])
{
    struct hwk_key *key = keydata;

    if (params == NULL || params[0].key == NULL)
        return 1;
    if (key->ref == NULL)
        return hwk_soft_set_params(key, params);
    return OSSL_PARAM_locate_const(
               params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY) == NULL ||
           hwk_raise(HWK_R_PRIVATE,
                     "%s: the public half of a device's key is what it is",
                     hwk_key_name(key));
}
