/* SPDX-License-Identifier: Apache-2.0 */
/* A key as libcrypto holds it; it never changes once it is handed out, unless
 * it is a software key and libcrypto does it. */
#include <string.h>

#include <openssl/core_names.h>

#include "provider/core.h"
#include "provider/key.h"

struct hwk_key *hwk_key_empty(struct hwk_core *core, enum hwk_key_type type)
{
    struct hwk_key *key = OPENSSL_zalloc(sizeof(*key));

    if (key == NULL) {
        hwk_raise(HWK_R_MEMORY, "key");
        return NULL;
    }
    atomic_init(&key->refs, 1);
    key->core = core;
    key->pub.type = type;
    return key;
}

struct hwk_key *hwk_key_of(struct hwk_core *core, const struct hwk_pub *kind)
{
    struct hwk_key *key = hwk_key_empty(core, kind->type);

    if (key != NULL && kind->type != HWK_KEY_EC)
        key->pub.curve = kind->curve;
    if (key != NULL)
        key->pub.pss.only = kind->pss.only;
    return key;
}

struct hwk_key *hwk_key_public(struct hwk_core *core, const struct hwk_pub *pub)
{
    struct hwk_key *key = hwk_key_empty(core, pub->type);

    if (key != NULL) {
        key->pub = *pub;
        key->has_public = true;
    }
    return key;
}

struct hwk_key *hwk_key_new(struct hwk_core *core, struct hwk_device_slot *slot,
                            struct hwk_found *found, bool with_private)
{
    struct hwk_key *key = hwk_key_public(core, &found->pub);

    if (key == NULL)
        return NULL;
    key->uri = OPENSSL_strdup(found->uri);
    key->flags = found->flags;
    key->md = found->md;
    key->limits = found->limits;
    if (key->uri == NULL) {
        hwk_raise(HWK_R_MEMORY, "key");
        hwk_key_free(key);
        return NULL;
    }
    if (with_private && found->ref != NULL) {
        key->slot = hwk_slot_hold(slot);
        key->ref = found->ref;
        key->has_private = true;
        found->ref = NULL;
    }
    return key;
}

void hwk_key_move(struct hwk_key *to, struct hwk_key *from)
{
    to->pub = from->pub;
    to->has_public = from->has_public;
    to->has_private = from->has_private;
    to->software = from->software;
    to->flags = from->flags;
    to->md = from->md;
    to->limits = from->limits;
    to->uri = from->uri;
    to->slot = from->slot;
    to->ref = from->ref;
    atomic_store(&to->soft, atomic_exchange(&from->soft, NULL));
    from->uri = NULL;
    from->ref = NULL;
    hwk_key_free(from);
}

struct hwk_key *hwk_key_up(struct hwk_key *key)
{
    atomic_fetch_add(&key->refs, 1);
    return key;
}

void hwk_key_free(struct hwk_key *key)
{
    if (key == NULL || atomic_fetch_sub(&key->refs, 1) != 1)
        return;
    if (key->ref != NULL) {
        hwk_slot_table(key->slot)->release(hwk_slot_state(key->slot), key->ref);
        hwk_slot_give(key->slot);
    }
    EVP_PKEY_free(atomic_load(&key->soft));
    OPENSSL_free(key->uri);
    OPENSSL_free(key);
}

static const struct hwk_backend *ready_to(struct hwk_key *key, const char *what)
{
    if (key->ref == NULL)
        hwk_raise(HWK_R_KEY, "there is no private key to %s with", what);
    else if ((key->flags & HWK_FOUND_DECRYPT) == 0)
        hwk_raise(HWK_R_KEY, "%s: not a key to %s with", hwk_key_name(key),
                  what);
    else if (hwk_slot_ready(key->slot))
        return hwk_slot_table(key->slot);
    return NULL;
}

int hwk_key_decrypt(struct hwk_key *key, const struct hwk_mech *mech,
                    const uint8_t *in, size_t n, uint8_t *out, size_t *out_n)
{
    const struct hwk_backend *t = ready_to(key, "decrypt");

    if (t == NULL || !hwk_limits_check(&key->limits, mech))
        return 0;
    if (t->decrypt == NULL)
        return hwk_raise(HWK_R_UNSUPPORTED, "%s does not decrypt", t->name);
    hwk_mark();
    return hwk_settle(t->decrypt(hwk_slot_state(key->slot), key->ref, mech, in,
                                 n, out, out_n));
}

int hwk_key_derive(struct hwk_key *key, const uint8_t *peer, size_t n,
                   uint8_t *out, size_t *out_n)
{
    const struct hwk_backend *t = ready_to(key, "derive");

    if (t == NULL || !hwk_limits_derive(&key->limits))
        return 0;
    if (t->derive == NULL)
        return hwk_raise(HWK_R_UNSUPPORTED, "%s does not derive", t->name);
    hwk_mark();
    return hwk_settle(
        t->derive(hwk_slot_state(key->slot), key->ref, peer, n, out, out_n));
}

const char *hwk_key_name(const struct hwk_key *key)
{
    return key->uri != NULL && *key->uri != 0 ? key->uri : "key of a file";
}

int hwk_key_blob(struct hwk_key *key, uint8_t **der, size_t *n)
{
    const struct hwk_backend *t =
        key->ref != NULL ? hwk_slot_table(key->slot) : NULL;

    *der = NULL;
    return t == NULL || t->blob == NULL ||
           t->blob(hwk_slot_state(key->slot), key->ref, der, n);
}

/* neither half, nor parameters that could be said: X25519 before its point */
static EVP_PKEY *make_bare(struct hwk_key *key, OSSL_LIB_CTX *libctx)
{
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(libctx, key->pub.curve->name, NULL);
    EVP_PKEY *soft = NULL;

    if (ctx != NULL && EVP_PKEY_paramgen_init(ctx) > 0 &&
        EVP_PKEY_paramgen(ctx, &soft) <= 0)
        soft = NULL;
    EVP_PKEY_CTX_free(ctx);
    return soft;
}

static EVP_PKEY *make_soft(struct hwk_key *key)
{
    OSSL_LIB_CTX *libctx = hwk_core_soft(key->core);
    int what = key->has_public ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEY_PARAMETERS;
    struct hwk_pub_params params;
    EVP_PKEY_CTX *ctx;
    EVP_PKEY *soft = NULL;

    if (libctx == NULL || (!key->has_public && key->pub.curve == NULL))
        return NULL;
    if (!key->has_public && key->pub.type != HWK_KEY_EC)
        return make_bare(key, libctx);
    hwk_pub_to_params(&key->pub, &params);
    if (!key->has_public)
        params.p[params.n_domain] = OSSL_PARAM_construct_end();
    ctx =
        EVP_PKEY_CTX_new_from_name(libctx, hwk_pub_type_name(&key->pub), NULL);
    if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) > 0 &&
        EVP_PKEY_fromdata(ctx, &soft, what, params.p) <= 0)
        soft = NULL;
    EVP_PKEY_CTX_free(ctx);
    return soft;
}

EVP_PKEY *hwk_key_soft(struct hwk_key *key)
{
    EVP_PKEY *soft = atomic_load(&key->soft);
    void *none = NULL;

    if (soft != NULL)
        return soft;
    soft = make_soft(key);
    if (soft == NULL) {
        hwk_raise(HWK_R_DELEGATE, "the public key is not accepted");
        return NULL;
    }
    if (!atomic_compare_exchange_strong(&key->soft, &none, (void *)soft)) {
        EVP_PKEY_free(soft);
        soft = none;
    }
    return soft;
}
