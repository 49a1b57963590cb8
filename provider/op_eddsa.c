/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures "ED25519" and "ED448": whole messages, hashed by the device; and
 * what no device does, passed on. */
#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "provider/op_signature.h"

/* names of OpenSSL 3.2's parameters, which 3.0's headers do not have */
#define PARAM_INSTANCE "instance"
#define PARAM_CONTEXT "context-string"

static const struct instance {
    const char *name, *curve;
    bool prehash, with_context;
} instances[] = {
    {"Ed25519", "ED25519", false, false},
    {"Ed25519ctx", "ED25519", false, true},
    {"Ed25519ph", "ED25519", true, true},
    {"Ed448", "ED448", false, true},
    {"Ed448ph", "ED448", true, true},
};
#define INSTANCES (sizeof(instances) / sizeof(instances[0]))

struct eddsa {
    struct hwk_core *core;
    const struct hwk_curve *curve;
    const struct instance *instance;
    struct hwk_key *key;
    uint8_t context[HWK_CONTEXT_MAX];
    size_t context_n;
};

/* --- contexts --- */

static struct eddsa *eddsa_new(struct hwk_core *core,
                               const struct instance *instance)
{
    struct eddsa *ed = OPENSSL_zalloc(sizeof(*ed));

    if (ed == NULL) {
        hwk_raise(HWK_R_MEMORY, "signature");
        return NULL;
    }
    ed->core = core;
    ed->instance = instance;
    ed->curve = hwk_curve_by_name(instance->curve);
    return ed;
}

static void *ed25519_new(void *core, const char *propq)
{
    (void)propq;
    return eddsa_new(core, &instances[0]);
}

static void *ed448_new(void *core, const char *propq)
{
    (void)propq;
    return eddsa_new(core, &instances[3]);
}

static void eddsa_free(void *ctx)
{
    struct eddsa *ed = ctx;

    if (ed == NULL)
        return;
    hwk_key_free(ed->key);
    OPENSSL_free(ed);
}

static void *eddsa_dup(void *ctx)
{
    struct eddsa *ed = OPENSSL_memdup(ctx, sizeof(*ed));

    if (ed != NULL && ed->key != NULL)
        hwk_key_up(ed->key);
    return ed;
}

/* --- parameters --- */

static int set_instance(struct eddsa *ed, const OSSL_PARAM *p)
{
    size_t i;

    for (i = 0; p->data_type == OSSL_PARAM_UTF8_STRING && i < INSTANCES; i++) {
        if (strcasecmp(p->data, instances[i].name) == 0 &&
            strcmp(instances[i].curve, ed->curve->name) == 0) {
            ed->instance = &instances[i];
            return 1;
        }
    }
    return hwk_raise(HWK_R_PARAM, "%s: not an instance of %s", p->key,
                     ed->curve->nist);
}

static int set_context(struct eddsa *ed, const OSSL_PARAM *p)
{
    void *to = ed->context;

    if (p->data_type != OSSL_PARAM_OCTET_STRING ||
        p->data_size > sizeof(ed->context))
        return hwk_raise(HWK_R_PARAM, "%s: not octets, or more than %d", p->key,
                         HWK_CONTEXT_MAX);
    ed->context_n = 0;
    return p->data_size == 0 ||
           OSSL_PARAM_get_octet_string(p, &to, sizeof(ed->context),
                                       &ed->context_n);
}

static int set_params(void *ctx, const OSSL_PARAM params[])
{
    const OSSL_PARAM *p;

    if (params == NULL)
        return 1;
    p = OSSL_PARAM_locate_const(params, PARAM_INSTANCE);
    if (p != NULL && !set_instance(ctx, p))
        return 0;
    p = OSSL_PARAM_locate_const(params, PARAM_CONTEXT);
    return p == NULL || set_context(ctx, p);
}

static const OSSL_PARAM *settable(void *ctx, void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_utf8_string(PARAM_INSTANCE, NULL, 0),
        OSSL_PARAM_octet_string(PARAM_CONTEXT, NULL, 0), OSSL_PARAM_END};

    (void)ctx;
    (void)core;
    return list;
}

/* AlgorithmIdentifier: the OID and nothing else, RFC 8410 section 3 */
static int get_params(void *ctx, OSSL_PARAM params[])
{
    const struct hwk_curve *curve = ((struct eddsa *)ctx)->curve;
    OSSL_PARAM *p =
        OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
    uint8_t der[16];

    if (p == NULL)
        return 1;
    der[0] = 0x30;
    der[1] = (uint8_t)curve->oid_len;
    memcpy(der + 2, curve->oid, curve->oid_len);
    return OSSL_PARAM_set_octet_string(p, der, 2 + curve->oid_len);
}

static const OSSL_PARAM *gettable(void *ctx, void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
        OSSL_PARAM_END};

    (void)ctx;
    (void)core;
    return list;
}

/* --- beginning --- */

static int begin(struct eddsa *ed, const char *md, struct hwk_key *key,
                 const OSSL_PARAM params[])
{
    if (md != NULL && *md != 0)
        return hwk_raise(HWK_R_DIGEST, "%s: %s hashes by itself", md,
                         ed->curve->nist);
    if (key != NULL && key->pub.curve != ed->curve)
        return hwk_raise(HWK_R_KEY, "a key of another type");
    if (key != NULL) {
        hwk_key_up(key);
        hwk_key_free(ed->key);
        ed->key = key;
    }
    if (ed->key == NULL)
        return hwk_raise(HWK_R_KEY, "no key");
    return set_params(ed, params);
}

static int sign_init(void *ctx, const char *md, void *keydata,
                     const OSSL_PARAM params[])
{
    struct hwk_key *key = keydata;

    if (key != NULL && !key->has_private)
        return hwk_raise(HWK_R_KEY, "there is no private key to sign with");
    return begin(ctx, md, key, params);
}

static int verify_init(void *ctx, const char *md, void *key,
                       const OSSL_PARAM params[])
{
    return begin(ctx, md, key, params);
}

static int mech_of(const struct eddsa *ed, struct hwk_mech *out)
{
    bool needs = ed->instance->with_context && !ed->instance->prehash &&
                 ed->curve->field == 32;

    if (ed->context_n > 0 && !ed->instance->with_context)
        return hwk_raise(HWK_R_PARAM, "a context needs instance %sctx or %sph",
                         ed->curve->nist, ed->curve->nist);
    if (needs && ed->context_n == 0)
        return hwk_raise(HWK_R_PARAM, "Ed25519ctx needs a context");
    *out = (struct hwk_mech){.type = HWK_KEY_ED,
                             .message = true,
                             .prehash = ed->instance->prehash,
                             .with_context = ed->instance->with_context,
                             .context = ed->context,
                             .context_len = ed->context_n};
    return 1;
}

/* --- in software --- */

/* only a libcrypto that knows them (3.2) does other instances than the plain */
static int pass_on(struct eddsa *ed, EVP_PKEY_CTX *ctx)
{
    union {
        const char *c;
        char *p;
    } name = {ed->instance->name};
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(PARAM_INSTANCE, name.p, 0),
        OSSL_PARAM_construct_octet_string(PARAM_CONTEXT, ed->context,
                                          ed->context_n),
        OSSL_PARAM_construct_end()};
    const OSSL_PARAM *known = EVP_PKEY_CTX_settable_params(ctx);

    if (!ed->instance->prehash && ed->context_n == 0)
        return 1;
    if (known == NULL || OSSL_PARAM_locate_const(known, PARAM_CONTEXT) == NULL)
        return hwk_raise(HWK_R_UNSUPPORTED,
                         "this OpenSSL has no %s with a context or prehashing",
                         ed->curve->nist);
    return EVP_PKEY_CTX_set_params(ctx, params) > 0;
}

static EVP_MD_CTX *soft_begin(struct eddsa *ed, hwk_soft_digest_init_fn *init)
{
    EVP_PKEY *soft = hwk_key_soft(ed->key);
    EVP_MD_CTX *md = soft != NULL ? EVP_MD_CTX_new() : NULL;
    EVP_PKEY_CTX *pctx = NULL;
    struct hwk_mech mech;

    if (md != NULL && mech_of(ed, &mech) &&
        init(md, &pctx, NULL, hwk_core_soft(ed->core), NULL, soft, NULL) > 0 &&
        pass_on(ed, pctx))
        return md;
    EVP_MD_CTX_free(md);
    return NULL;
}

static int sign_soft(struct eddsa *ed, uint8_t *out, size_t *out_n, size_t room,
                     const uint8_t *data, size_t n)
{
    EVP_MD_CTX *md = soft_begin(ed, EVP_DigestSignInit_ex);
    int ok;

    *out_n = room;
    ok = md != NULL && EVP_DigestSign(md, out, out_n, data, n) > 0;
    EVP_MD_CTX_free(md);
    return ok;
}

static int verify(void *ctx, const unsigned char *sig, size_t sig_n,
                  const unsigned char *data, size_t n)
{
    EVP_MD_CTX *md = soft_begin(ctx, EVP_DigestVerifyInit_ex);
    int ok = md != NULL && EVP_DigestVerify(md, sig, sig_n, data, n) == 1;

    EVP_MD_CTX_free(md);
    return ok;
}

/* --- on the device --- */

/* Modules that take no notice of the parameters (SoftHSM2 2.6) sign the plain
 * message, which says something else. */
static int heeded(struct eddsa *ed, const struct hwk_mech *mech,
                  const uint8_t *sig, size_t sig_n, const uint8_t *data,
                  size_t n)
{
    EVP_PKEY *soft;
    EVP_MD_CTX *md;
    int ready, plain = 0;

    if (!mech->prehash && mech->context_len == 0)
        return 1;
    if ((soft = hwk_key_soft(ed->key)) == NULL)
        return 0;
    md = EVP_MD_CTX_new();
    hwk_mark();
    ready = md != NULL &&
            EVP_DigestVerifyInit_ex(md, NULL, NULL, hwk_core_soft(ed->core),
                                    NULL, soft, NULL) > 0;
    if (ready)
        plain = EVP_DigestVerify(md, sig, sig_n, data, n) == 1;
    EVP_MD_CTX_free(md);
    hwk_settle(1);
    if (!ready)
        return hwk_raise(HWK_R_DELEGATE, "the signature cannot be looked at");
    return !plain ||
           hwk_raise(HWK_R_UNSUPPORTED, "the device takes no notice of EdDSA's "
                                        "contexts and prehashing");
}

static int sign(void *ctx, unsigned char *out, size_t *out_n, size_t room,
                const unsigned char *data, size_t n)
{
    struct eddsa *ed = ctx;
    size_t size = ed->curve->der_sig, got = size;
    uint8_t sig[HWK_POINT_MAX];
    struct hwk_mech mech;

    if (out == NULL) {
        *out_n = size;
        return 1;
    }
    if (room < size)
        return hwk_raise(HWK_R_ARGUMENT, "no room for the signature");
    if (ed->key->ref == NULL)
        return sign_soft(ed, out, out_n, room, data, n);
    if (!mech_of(ed, &mech) ||
        !hwk_key_sign(ed->key, &mech, data, n, sig, &got))
        return 0;
    if (got != size)
        return hwk_raise(HWK_R_FORMAT, "signature of %zu bytes", got);
    if (!heeded(ed, &mech, sig, size, data, n))
        return 0;
    memcpy(out, sig, size);
    *out_n = size;
    return 1;
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_SIGNATURE_##name, (void (*)(void))(fn)                       \
    }
#define TABLE(name, new)                                                       \
    const OSSL_DISPATCH name[] = {F(NEWCTX, new),                              \
                                  F(FREECTX, eddsa_free),                      \
                                  F(DUPCTX, eddsa_dup),                        \
                                  F(DIGEST_SIGN_INIT, sign_init),              \
                                  F(DIGEST_SIGN, sign),                        \
                                  F(DIGEST_VERIFY_INIT, verify_init),          \
                                  F(DIGEST_VERIFY, verify),                    \
                                  F(SET_CTX_PARAMS, set_params),               \
                                  F(SETTABLE_CTX_PARAMS, settable),            \
                                  F(GET_CTX_PARAMS, get_params),               \
                                  F(GETTABLE_CTX_PARAMS, gettable),            \
                                  {0, NULL}}

TABLE(hwk_signature_ed25519, ed25519_new);
TABLE(hwk_signature_ed448, ed448_new);
