/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures: hashing in software, the private-key operation on the device; and
 * what no device does, passed on. */
#include <string.h>

#include "provider/op_signature.h"
#include "provider/sigform.h"

/* --- contexts --- */

static struct hwk_sig *sig_new(struct hwk_core *core, enum hwk_key_type type)
{
    struct hwk_sig *sig = OPENSSL_zalloc(sizeof(*sig));

    if (sig == NULL) {
        hwk_raise(HWK_R_MEMORY, "signature");
        return NULL;
    }
    sig->core = core;
    sig->type = type;
    sig->pad = type == HWK_KEY_EC ? HWK_PAD_NONE : HWK_PAD_PKCS1;
    sig->salt = HWK_SALT_AUTO;
    return sig;
}

static void *ec_new(void *core, const char *propq)
{
    (void)propq;
    return sig_new(core, HWK_KEY_EC);
}

static void *rsa_new(void *core, const char *propq)
{
    (void)propq;
    return sig_new(core, HWK_KEY_RSA);
}

static void drop_message(struct hwk_sig *sig)
{
    if (sig->message != NULL)
        OPENSSL_clear_free(sig->message, sig->message_room);
    sig->message = NULL;
    sig->message_n = sig->message_room = 0;
}

static void sig_free(void *ctx)
{
    struct hwk_sig *sig = ctx;

    if (sig == NULL)
        return;
    drop_message(sig);
    hwk_sig_soft_end(sig);
    EVP_MD_CTX_free(sig->hash);
    hwk_key_free(sig->key);
    OPENSSL_free(sig);
}

static void *sig_dup(void *ctx)
{
    const struct hwk_sig *from = ctx;
    struct hwk_sig *sig = OPENSSL_memdup(from, sizeof(*from));

    if (sig == NULL)
        return NULL;
    sig->hash = NULL;
    sig->message = NULL;
    if (sig->key != NULL)
        hwk_key_up(sig->key);
    if (from->message != NULL)
        sig->message = OPENSSL_memdup(from->message, from->message_room);
    if (from->hash != NULL)
        sig->hash = EVP_MD_CTX_new();
    if (!hwk_sig_soft_dup(sig, from) ||
        (from->message != NULL && sig->message == NULL) ||
        (from->hash != NULL &&
         (sig->hash == NULL || !EVP_MD_CTX_copy_ex(sig->hash, from->hash)))) {
        sig_free(sig);
        return NULL;
    }
    return sig;
}

/* --- beginning --- */

/* what an RSA key begins with */
static void as_key_has_it(struct hwk_sig *sig, const struct hwk_pss *pss)
{
    sig->pad = pss->only ? HWK_PAD_PSS : HWK_PAD_PKCS1;
    sig->mgf1 = pss->mgf1;
    sig->salt = pss->md != HWK_MD_NONE ? pss->min_salt : HWK_SALT_AUTO;
    if (pss->md != HWK_MD_NONE)
        sig->md = pss->md;
}

static int set_key(struct hwk_sig *sig, struct hwk_key *key, bool signing)
{
    if (key != NULL && key != sig->key) {
        if (key->pub.type != sig->type)
            return hwk_raise(HWK_R_KEY, "a key of another type");
        hwk_key_up(key);
        hwk_key_free(sig->key);
        sig->key = key;
    }
    if (sig->key == NULL)
        return hwk_raise(HWK_R_KEY, "no key");
    if (signing && !sig->key->has_private)
        return hwk_raise(HWK_R_KEY, "there is no private key to sign with");
    hwk_sig_soft_end(sig);
    sig->md_fixed = sig->begun = false;
    if (sig->type == HWK_KEY_RSA)
        as_key_has_it(sig, &sig->key->pub.pss);
    return 1;
}

static bool on_device(const struct hwk_sig *sig)
{
    return sig->key->ref != NULL;
}

static int sign_init(void *ctx, void *key, const OSSL_PARAM params[])
{
    struct hwk_sig *sig = ctx;

    if (!set_key(sig, key, true))
        return 0;
    return on_device(sig)
               ? hwk_sig_set_params(sig, params)
               : hwk_sig_soft_init(sig, EVP_PKEY_sign_init_ex, params);
}

static int verify_init(void *ctx, void *key, const OSSL_PARAM params[])
{
    return set_key(ctx, key, false) &&
           hwk_sig_soft_init(ctx, EVP_PKEY_verify_init_ex, params);
}

static int recover_init(void *ctx, void *key, const OSSL_PARAM params[])
{
    return set_key(ctx, key, false) &&
           hwk_sig_soft_init(ctx, EVP_PKEY_verify_recover_init_ex, params);
}

static int set_md(struct hwk_sig *sig, const char *name)
{
    enum hwk_md only = hwk_sig_only_md(sig), md;

    if (name == NULL || *name == 0)
        name = only != HWK_MD_NONE ? hwk_md_name(only) : HWK_MD_DEFAULT;
    md = hwk_md_by_name(name);
    if (md == HWK_MD_NONE)
        return hwk_raise(HWK_R_DIGEST, "%s: not one of ours", name);
    return hwk_sig_set_md(sig, md);
}

static bool wants_message(const struct hwk_sig *sig)
{
    return (sig->key->flags & HWK_FOUND_MESSAGE) != 0 ||
           hwk_limits_message(&sig->key->limits, sig->pad, sig->md);
}

static int digest_begin(struct hwk_sig *sig, const char *name)
{
    EVP_MD *md;

    drop_message(sig);
    if (!set_md(sig, name) || (md = hwk_core_md(sig->core, sig->md)) == NULL)
        return 0;
    sig->md_fixed = true;
    if (sig->hash == NULL)
        sig->hash = EVP_MD_CTX_new();
    if (sig->hash == NULL || !EVP_DigestInit_ex2(sig->hash, md, NULL))
        return hwk_raise(HWK_R_DELEGATE, "hashing does not begin");
    return 1;
}

static int digest_sign_init(void *ctx, const char *md, void *key,
                            const OSSL_PARAM params[])
{
    struct hwk_sig *sig = ctx;

    if (!set_key(sig, key, true))
        return 0;
    if (!on_device(sig))
        return hwk_sig_soft_digest_init(sig, EVP_DigestSignInit_ex, md, params);
    return digest_begin(sig, md) && hwk_sig_set_params(sig, params);
}

static int digest_verify_init(void *ctx, const char *md, void *key,
                              const OSSL_PARAM params[])
{
    return set_key(ctx, key, false) &&
           hwk_sig_soft_digest_init(ctx, EVP_DigestVerifyInit_ex, md, params);
}

/* --- signing --- */

static int sign_tbs(struct hwk_sig *sig, const uint8_t *tbs, size_t n,
                    bool message, uint8_t *out, size_t *out_n, size_t room)
{
    const struct hwk_pub *pub = &sig->key->pub;
    uint8_t raw[HWK_SIG_MAX];
    size_t raw_n = sizeof(raw);
    struct hwk_mech mech;

    if (out == NULL) {
        *out_n = hwk_pub_max_size(pub);
        return 1;
    }
    if (!hwk_sig_mech(sig, &mech))
        return 0;
    mech.message = message;
    if (room < hwk_pub_max_size(pub))
        return hwk_raise(HWK_R_ARGUMENT, "no room for the signature");
    if (!hwk_key_sign(sig->key, &mech, tbs, n, raw, &raw_n))
        return 0;
    *out_n = room;
    if (pub->type == HWK_KEY_EC)
        return raw_n == 2 * pub->curve->order
                   ? hwk_sig_to_der(raw, pub->curve->order, out, out_n)
                   : hwk_raise(HWK_R_FORMAT, "signature of %zu bytes", raw_n);
    if (raw_n != pub->n_len)
        return hwk_raise(HWK_R_FORMAT, "signature of %zu bytes", raw_n);
    memcpy(out, raw, raw_n);
    *out_n = raw_n;
    return 1;
}

static int sign(void *ctx, unsigned char *out, size_t *out_n, size_t room,
                const unsigned char *tbs, size_t n)
{
    struct hwk_sig *sig = ctx;

    if (sig->soft != NULL)
        return hwk_sig_soft_sign(sig, out, out_n, room, tbs, n);
    if (out != NULL && wants_message(sig))
        return hwk_raise(HWK_R_KEY,
                         "%s: signs messages only, not digests made elsewhere",
                         hwk_key_name(sig->key));
    return sign_tbs(sig, tbs, n, false, out, out_n, room);
}

static int keep_message(struct hwk_sig *sig, const uint8_t *data, size_t n)
{
    size_t want, room = sig->message_room;

    if (n > HWK_MESSAGE_MAX - sig->message_n)
        return hwk_raise(HWK_R_UNSUPPORTED, "a message of more than %u bytes",
                         HWK_MESSAGE_MAX);
    want = sig->message_n + n;
    if (want > room) {
        uint8_t *p;

        room = want < 1024 ? 1024 : want * 2;
        p = OPENSSL_clear_realloc(sig->message, sig->message_room, room);
        if (p == NULL)
            return hwk_raise(HWK_R_MEMORY, "message");
        sig->message = p;
        sig->message_room = room;
    }
    if (n > 0)
        memcpy(sig->message + sig->message_n, data, n);
    sig->message_n = want;
    return 1;
}

static int digest_update(void *ctx, const unsigned char *data, size_t n)
{
    struct hwk_sig *sig = ctx;

    if (sig->soft_md != NULL)
        return EVP_DigestSignUpdate(sig->soft_md, data, n);
    if (!sig->md_fixed)
        return hwk_raise(HWK_R_ARGUMENT, "update before init");
    if (!sig->begun) {
        sig->begun = true;
        sig->keeps = wants_message(sig);
    }
    if (sig->keeps)
        return keep_message(sig, data, n);
    return EVP_DigestUpdate(sig->hash, data, n);
}

static int digest_sign_final(void *ctx, unsigned char *out, size_t *out_n,
                             size_t room)
{
    struct hwk_sig *sig = ctx;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (sig->soft_md != NULL)
        return hwk_sig_soft_final(sig, out, out_n, room);
    if (sig->begun && sig->keeps != wants_message(sig))
        return hwk_raise(HWK_R_PARAM, "another padding than at the beginning");
    if (out == NULL || wants_message(sig))
        return sign_tbs(sig, sig->message, sig->message_n, out != NULL, out,
                        out_n, room);
    if (!sig->md_fixed || !EVP_DigestFinal_ex(sig->hash, digest, &n))
        return hwk_raise(HWK_R_DELEGATE, "hashing does not end");
    return sign_tbs(sig, digest, n, false, out, out_n, room);
}

static int digest_sign(void *ctx, unsigned char *out, size_t *out_n,
                       size_t room, const unsigned char *data, size_t n)
{
    struct hwk_sig *sig = ctx;

    if (sig->soft_md != NULL)
        return hwk_sig_soft_digest_sign(sig, out, out_n, room, data, n);
    return (out == NULL || digest_update(ctx, data, n)) &&
           digest_sign_final(ctx, out, out_n, room);
}

/* --- verifying --- */

static int verify(void *ctx, const unsigned char *der, size_t der_n,
                  const unsigned char *tbs, size_t n)
{
    struct hwk_sig *sig = ctx;

    return EVP_PKEY_verify(sig->soft, der, der_n, tbs, n) == 1;
}

static int digest_verify_update(void *ctx, const unsigned char *data, size_t n)
{
    struct hwk_sig *sig = ctx;

    return EVP_DigestVerifyUpdate(sig->soft_md, data, n);
}

static int digest_verify_final(void *ctx, const unsigned char *der,
                               size_t der_n)
{
    struct hwk_sig *sig = ctx;

    return EVP_DigestVerifyFinal(sig->soft_md, der, der_n) == 1;
}

static int digest_verify(void *ctx, const unsigned char *der, size_t der_n,
                         const unsigned char *data, size_t n)
{
    struct hwk_sig *sig = ctx;

    return EVP_DigestVerify(sig->soft_md, der, der_n, data, n) == 1;
}

static int verify_recover(void *ctx, unsigned char *out, size_t *out_n,
                          size_t room, const unsigned char *in, size_t n)
{
    return hwk_sig_soft_recover(ctx, out, out_n, room, in, n);
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_SIGNATURE_##name, (void (*)(void))(fn)                       \
    }
#define COMMON                                                                 \
    F(FREECTX, sig_free), F(DUPCTX, sig_dup), F(SIGN_INIT, sign_init),         \
        F(SIGN, sign), F(VERIFY_INIT, verify_init), F(VERIFY, verify),         \
        F(DIGEST_SIGN_INIT, digest_sign_init),                                 \
        F(DIGEST_SIGN_UPDATE, digest_update),                                  \
        F(DIGEST_SIGN_FINAL, digest_sign_final), F(DIGEST_SIGN, digest_sign),  \
        F(DIGEST_VERIFY_INIT, digest_verify_init),                             \
        F(DIGEST_VERIFY_UPDATE, digest_verify_update),                         \
        F(DIGEST_VERIFY_FINAL, digest_verify_final),                           \
        F(DIGEST_VERIFY, digest_verify),                                       \
        F(SET_CTX_PARAMS, hwk_sig_set_params),                                 \
        F(SETTABLE_CTX_PARAMS, hwk_sig_settable),                              \
        F(GET_CTX_PARAMS, hwk_sig_get_params),                                 \
        F(GETTABLE_CTX_PARAMS, hwk_sig_gettable)

const OSSL_DISPATCH hwk_signature_ec[] = {
    F(NEWCTX, ec_new),
    COMMON,
    {0, NULL},
};

const OSSL_DISPATCH hwk_signature_rsa[] = {
    F(NEWCTX, rsa_new),
    COMMON,
    F(VERIFY_RECOVER_INIT, recover_init),
    F(VERIFY_RECOVER, verify_recover),
    {0, NULL},
};
