/* SPDX-License-Identifier: Apache-2.0 */
/* Keys without a device, which land here by load order or property query: each
 * is one of the default provider in the private context. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "provider/soft.h"

/* libcrypto's functions read where their prototypes would write */
static OSSL_PARAM *lent(const OSSL_PARAM params[])
{
    union {
        const OSSL_PARAM *c;
        OSSL_PARAM *p;
    } u = {params};

    return u.p;
}

static bool holds(const OSSL_PARAM params[], const char *a, const char *b)
{
    return OSSL_PARAM_locate_const(params, a) != NULL ||
           OSSL_PARAM_locate_const(params, b) != NULL;
}

bool hwk_soft_private(const OSSL_PARAM params[])
{
    return holds(params, OSSL_PKEY_PARAM_PRIV_KEY, OSSL_PKEY_PARAM_RSA_D);
}

static int note_public(const OSSL_PARAM params[], void *arg)
{
    struct hwk_key *key = arg;
    struct hwk_pub pub;

    key->has_public =
        holds(params, OSSL_PKEY_PARAM_PUB_KEY, OSSL_PKEY_PARAM_RSA_N);
    if (hwk_pub_from_params(&pub, &key->pub, params))
        key->pub = pub;
    return 1;
}

/* what soft is, so that the key can say it; not being of our kinds is fine */
static void read_back(struct hwk_key *key, const struct hwk_pub *kind)
{
    key->has_public = false;
    key->pub = *kind;
    ERR_set_mark();
    EVP_PKEY_export(atomic_load(&key->soft), EVP_PKEY_PUBLIC_KEY, note_public,
                    key);
    ERR_pop_to_mark();
}

/* kind as of a key that is still empty */
static void become(struct hwk_key *key, const struct hwk_pub *kind,
                   EVP_PKEY *soft, bool with_private)
{
    EVP_PKEY_free(atomic_exchange(&key->soft, (void *)soft));
    key->software = true;
    key->has_private = with_private;
    read_back(key, kind);
}

static struct hwk_pub kind_of(const struct hwk_pub *pub)
{
    struct hwk_pub kind = {.type = pub->type, .pss.only = pub->pss.only};

    if (pub->type != HWK_KEY_EC)
        kind.curve = pub->curve;
    return kind;
}

struct hwk_key *hwk_soft_wrap(struct hwk_core *core, const struct hwk_pub *kind,
                              EVP_PKEY *soft, bool with_private)
{
    struct hwk_key *key = hwk_key_of(core, kind);
    struct hwk_pub bare = kind_of(kind);

    if (key == NULL)
        EVP_PKEY_free(soft);
    else
        become(key, &bare, soft, with_private);
    return key;
}

int hwk_soft_import(struct hwk_key *key, int selection,
                    const OSSL_PARAM params[])
{
    OSSL_LIB_CTX *libctx = hwk_core_soft(key->core);
    struct hwk_pub kind = kind_of(&key->pub);
    EVP_PKEY_CTX *ctx;
    EVP_PKEY *soft = NULL;
    int ok;

    if (libctx == NULL)
        return 0;
    ctx =
        EVP_PKEY_CTX_new_from_name(libctx, hwk_pub_type_name(&key->pub), NULL);
    ok = ctx != NULL && EVP_PKEY_fromdata_init(ctx) > 0 &&
         EVP_PKEY_fromdata(ctx, &soft, selection, lent(params)) > 0;
    EVP_PKEY_CTX_free(ctx);
    if (!ok)
        return hwk_raise(HWK_R_DELEGATE, "the key is not accepted");
    become(key, &kind, soft,
           (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 &&
               hwk_soft_private(params));
    return 1;
}

int hwk_soft_export(struct hwk_key *key, int selection, OSSL_CALLBACK *cb,
                    void *arg)
{
    return EVP_PKEY_export(atomic_load(&key->soft), selection, cb, arg) > 0;
}

/* --- copies --- */

struct copy {
    struct hwk_key *to;
    int selection;
};

static int copy_part(const OSSL_PARAM params[], void *arg)
{
    struct copy *c = arg;

    return hwk_soft_import(c->to, c->selection, params);
}

/* only EC has something to copy that is neither half */
static bool nothing(const struct hwk_key *key, int selection)
{
    return (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0 &&
           key->pub.type != HWK_KEY_EC;
}

struct hwk_key *hwk_soft_dup(struct hwk_key *key, int selection)
{
    EVP_PKEY *soft = hwk_key_soft(key);
    struct copy c = {NULL, selection};

    if (soft == NULL)
        return NULL;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0) {
        soft = EVP_PKEY_dup(soft);
        return soft != NULL
                   ? hwk_soft_wrap(key->core, &key->pub, soft, key->has_private)
                   : NULL;
    }
    c.to = hwk_key_of(key->core, &key->pub);
    if (c.to == NULL)
        return NULL;
    c.to->pub.pss = key->pub.pss;
    if (nothing(key, selection) ||
        EVP_PKEY_export(soft, selection, copy_part, &c) > 0)
        return c.to;
    hwk_key_free(c.to);
    return NULL;
}

/* --- questions --- */

int hwk_soft_match(struct hwk_key *a, struct hwk_key *b, int selection)
{
    EVP_PKEY *x = hwk_key_soft(a), *y = hwk_key_soft(b);

    if (x == NULL || y == NULL)
        return 0;
    return (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0
               ? EVP_PKEY_eq(x, y) == 1
               : EVP_PKEY_parameters_eq(x, y) == 1;
}

static int check(EVP_PKEY_CTX *ctx, int selection, bool quick)
{
    int pair = selection & OSSL_KEYMGMT_SELECT_KEYPAIR;

    if (pair == OSSL_KEYMGMT_SELECT_KEYPAIR)
        return EVP_PKEY_pairwise_check(ctx);
    if (pair == OSSL_KEYMGMT_SELECT_PRIVATE_KEY)
        return EVP_PKEY_private_check(ctx);
    if (pair == OSSL_KEYMGMT_SELECT_PUBLIC_KEY)
        return quick ? EVP_PKEY_public_check_quick(ctx)
                     : EVP_PKEY_public_check(ctx);
    return quick ? EVP_PKEY_param_check_quick(ctx) : EVP_PKEY_param_check(ctx);
}

int hwk_soft_validate(struct hwk_key *key, int selection, int checktype)
{
    EVP_PKEY_CTX *ctx = hwk_soft_ctx(key);
    int ok = ctx != NULL &&
             check(ctx, selection,
                   checktype == OSSL_KEYMGMT_VALIDATE_QUICK_CHECK) > 0;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

int hwk_soft_get_params(struct hwk_key *key, OSSL_PARAM params[])
{
    return EVP_PKEY_get_params(atomic_load(&key->soft), params) > 0;
}

int hwk_soft_set_params(struct hwk_key *key, const OSSL_PARAM params[])
{
    struct hwk_pub kind = kind_of(&key->pub);
    EVP_PKEY *soft = hwk_key_soft(key);

    if (soft == NULL || EVP_PKEY_set_params(soft, lent(params)) <= 0)
        return 0;
    key->software = true;
    read_back(key, &kind);
    return 1;
}

EVP_PKEY_CTX *hwk_soft_ctx(struct hwk_key *key)
{
    EVP_PKEY *soft = hwk_key_soft(key);
    EVP_PKEY_CTX *ctx = NULL;

    if (soft == NULL)
        return NULL;
    ctx = EVP_PKEY_CTX_new_from_pkey(hwk_core_soft(key->core), soft, NULL);
    if (ctx == NULL)
        hwk_raise(HWK_R_DELEGATE, "no context for the key");
    return ctx;
}

int hwk_soft_ctx_set(EVP_PKEY_CTX *ctx, const OSSL_PARAM params[])
{
    return params == NULL || EVP_PKEY_CTX_set_params(ctx, lent(params)) > 0;
}
