/* SPDX-License-Identifier: Apache-2.0 */
/* Key agreement with a key of a device; a KDF after it is done in software. */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "provider/op.h"
#include "provider/soft.h"

#define SECRET_MAX HWK_FIELD_MAX

struct exchange {
    struct hwk_core *core;
    enum hwk_key_type type;
    struct hwk_key *key, *peer;
    int cofactor; /* -1: as the key has it */
    bool kdf;     /* X9.63 */
    enum hwk_md kdf_md;
    size_t kdf_n;
    uint8_t *ukm;
    size_t ukm_n;
    EVP_PKEY_CTX *soft; /* what the default provider does instead */
};

/* --- contexts --- */

static void *exchange_new(struct hwk_core *core, enum hwk_key_type type)
{
    struct exchange *x = OPENSSL_zalloc(sizeof(*x));

    if (x == NULL) {
        hwk_raise(HWK_R_MEMORY, "key agreement");
        return NULL;
    }
    x->core = core;
    x->type = type;
    x->cofactor = -1;
    return x;
}

static void *ec_new(void *core)
{
    return exchange_new(core, HWK_KEY_EC);
}

static void *x_new(void *core)
{
    return exchange_new(core, HWK_KEY_X);
}

static void exchange_free(void *ctx)
{
    struct exchange *x = ctx;

    if (x == NULL)
        return;
    EVP_PKEY_CTX_free(x->soft);
    hwk_key_free(x->key);
    hwk_key_free(x->peer);
    OPENSSL_clear_free(x->ukm, x->ukm_n);
    OPENSSL_free(x);
}

static void *exchange_dup(void *ctx)
{
    const struct exchange *from = ctx;
    struct exchange *x = OPENSSL_memdup(from, sizeof(*from));

    if (x == NULL)
        return NULL;
    x->ukm = NULL;
    x->soft = NULL;
    if (x->key != NULL)
        hwk_key_up(x->key);
    if (x->peer != NULL)
        hwk_key_up(x->peer);
    if (from->ukm != NULL)
        x->ukm = OPENSSL_memdup(from->ukm, from->ukm_n);
    if (from->soft != NULL)
        x->soft = EVP_PKEY_CTX_dup(from->soft);
    if ((from->ukm == NULL || x->ukm != NULL) &&
        (from->soft == NULL || x->soft != NULL))
        return x;
    exchange_free(x);
    return NULL;
}

static int set_params(void *ctx, const OSSL_PARAM params[]);

static int exchange_init(void *ctx, void *keydata, const OSSL_PARAM params[])
{
    struct exchange *x = ctx;
    struct hwk_key *key = keydata;

    if (key->pub.type != x->type)
        return hwk_raise(HWK_R_KEY, "a key of another type");
    if (!key->has_private)
        return hwk_raise(HWK_R_KEY, "there is no private key to derive with");
    hwk_key_up(key);
    hwk_key_free(x->key);
    hwk_key_free(x->peer);
    EVP_PKEY_CTX_free(x->soft);
    x->key = key;
    x->peer = NULL;
    x->soft = NULL;
    if (key->ref != NULL)
        return set_params(x, params);
    x->soft = hwk_soft_ctx(key);
    return x->soft != NULL && EVP_PKEY_derive_init_ex(x->soft, params) > 0;
}

/* --- the peer --- */

/* before the device sees it: a point of another curve is an attack */
static int check_point(struct hwk_key *peer)
{
    return hwk_soft_validate(peer, OSSL_KEYMGMT_SELECT_PUBLIC_KEY,
                             OSSL_KEYMGMT_VALIDATE_FULL_CHECK) ||
           hwk_raise(HWK_R_KEY, "the peer's key is no point of the curve");
}

static int set_peer(void *ctx, void *keydata)
{
    struct exchange *x = ctx;
    struct hwk_key *peer = keydata;
    EVP_PKEY *soft;

    if (x->key == NULL || peer == NULL)
        return hwk_raise(HWK_R_KEY, "no key");
    if (x->soft != NULL) {
        soft = hwk_key_soft(peer); /* libcrypto has checked it if it is to be */
        return soft != NULL &&
               EVP_PKEY_derive_set_peer_ex(x->soft, soft, 0) > 0;
    }
    if (peer->pub.type != x->type || peer->pub.curve != x->key->pub.curve)
        return hwk_raise(HWK_R_KEY,
                         "the peer's key is of another curve than %s",
                         x->key->pub.curve->nist);
    if (!peer->has_public)
        return hwk_raise(HWK_R_KEY, "the peer has no public key");
    if (x->type == HWK_KEY_EC && !check_point(peer))
        return 0;
    hwk_key_up(peer);
    hwk_key_free(x->peer);
    x->peer = peer;
    return 1;
}

/* --- deriving --- */

static int check_cofactor(const struct exchange *x)
{
    EVP_PKEY *soft = hwk_key_soft(x->key);
    BIGNUM *cofactor = NULL;
    int ok =
        x->cofactor != 1 ||
        (soft != NULL &&
         EVP_PKEY_get_bn_param(soft, OSSL_PKEY_PARAM_EC_COFACTOR, &cofactor) &&
         BN_is_one(cofactor));

    BN_free(cofactor);
    return ok || hwk_raise(HWK_R_UNSUPPORTED,
                           "%s: the cofactor mode with a curve whose cofactor "
                           "is not 1",
                           hwk_key_name(x->key));
}

static int agree(struct exchange *x, uint8_t *out, size_t *n)
{
    const struct hwk_pub *peer = &x->peer->pub;
    size_t field = x->key->pub.curve->field, i;
    uint8_t all = 0;

    if (x->type == HWK_KEY_EC && !check_cofactor(x))
        return 0;
    if (!hwk_key_derive(x->key, peer->point, peer->point_len, out, n))
        return 0;
    if (*n != field)
        return hwk_raise(HWK_R_FORMAT, "a secret of %zu bytes", *n);
    for (i = 0; i < field; i++)
        all |= out[i];
    return x->type == HWK_KEY_EC || all != 0 || /* RFC 7748 6 */
           hwk_raise(HWK_R_KEY, "the peer's key has a small order");
}

static int run_kdf(struct exchange *x, const uint8_t *secret, size_t n,
                   uint8_t *out)
{
    OSSL_LIB_CTX *soft = hwk_core_soft(x->core);
    EVP_KDF *kdf = soft != NULL ? EVP_KDF_fetch(soft, "X963KDF", NULL) : NULL;
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    union {
        const void *c;
        void *p;
        char *text;
    } md = {hwk_md_name(x->kdf_md)}, key = {secret};
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, md.text, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.p, n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, x->ukm,
                                          x->ukm_n),
        OSSL_PARAM_construct_end()};
    int ok = ctx != NULL && EVP_KDF_derive(ctx, out, x->kdf_n, params) > 0;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok || hwk_raise(HWK_R_DELEGATE, "X963KDF");
}

static int derive(void *ctx, unsigned char *out, size_t *out_n, size_t room)
{
    struct exchange *x = ctx;
    uint8_t secret[SECRET_MAX];
    size_t need, n = sizeof(secret);
    int ok;

    if (x->soft != NULL) {
        *out_n = room;
        return EVP_PKEY_derive(x->soft, out, out_n) > 0;
    }
    if (x->peer == NULL)
        return hwk_raise(HWK_R_KEY, "no peer's key");
    need = x->kdf ? x->kdf_n : x->key->pub.curve->field;
    if (out == NULL) {
        *out_n = need;
        return 1;
    }
    if (room < need)
        return hwk_raise(HWK_R_ARGUMENT, "no room for %zu bytes", need);
    ok = agree(x, secret, &n);
    if (ok && x->kdf)
        ok = run_kdf(x, secret, n, out);
    else if (ok)
        memcpy(out, secret, n);
    if (ok)
        *out_n = need;
    OPENSSL_cleanse(secret, sizeof(secret));
    return ok;
}

/* --- parameters --- */

static int set_cofactor(struct exchange *x, const OSSL_PARAM *p)
{
    int mode;

    if (!OSSL_PARAM_get_int(p, &mode) || mode < -1 || mode > 1)
        return hwk_raise(HWK_R_PARAM, "%s: none of -1, 0, 1", p->key);
    x->cofactor = mode;
    return 1;
}

static int set_kdf(struct exchange *x, const OSSL_PARAM *p)
{
    if (p->data_type != OSSL_PARAM_UTF8_STRING ||
        (*(char *)p->data != 0 && strcmp(p->data, OSSL_KDF_NAME_X963KDF) != 0))
        return hwk_raise(HWK_R_PARAM, "%s: not X963KDF", p->key);
    x->kdf = *(char *)p->data != 0;
    return 1;
}

static int set_kdf_md(struct exchange *x, const OSSL_PARAM *p)
{
    if (p->data_type != OSSL_PARAM_UTF8_STRING)
        return hwk_raise(HWK_R_PARAM, "%s: not a name", p->key);
    x->kdf_md = hwk_md_by_name(p->data);
    return x->kdf_md != HWK_MD_NONE ||
           hwk_raise(HWK_R_DIGEST, "%s: not one of ours", (char *)p->data);
}

static int set_kdf_n(struct exchange *x, const OSSL_PARAM *p)
{
    return OSSL_PARAM_get_size_t(p, &x->kdf_n) ||
           hwk_raise(HWK_R_PARAM, "%s: not a length", p->key);
}

static int set_ukm(struct exchange *x, const OSSL_PARAM *p)
{
    void *ukm = NULL;
    size_t n = 0;

    if (p->data != NULL && p->data_size > 0 &&
        !OSSL_PARAM_get_octet_string(p, &ukm, 0, &n))
        return hwk_raise(HWK_R_PARAM, "%s: not octets", p->key);
    OPENSSL_clear_free(x->ukm, x->ukm_n);
    x->ukm = ukm;
    x->ukm_n = n;
    return 1;
}

static int set_params(void *ctx, const OSSL_PARAM params[])
{
    static const struct {
        const char *name;
        int (*set)(struct exchange *x, const OSSL_PARAM *p);
    } known[] = {
        {OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, set_cofactor},
        {OSSL_EXCHANGE_PARAM_KDF_TYPE, set_kdf},
        {OSSL_EXCHANGE_PARAM_KDF_DIGEST, set_kdf_md},
        {OSSL_EXCHANGE_PARAM_KDF_OUTLEN, set_kdf_n},
        {OSSL_EXCHANGE_PARAM_KDF_UKM, set_ukm},
    };
    struct exchange *x = ctx;
    size_t i;

    if (x->soft != NULL)
        return hwk_soft_ctx_set(x->soft, params);
    for (i = 0; params != NULL && i < sizeof(known) / sizeof(known[0]); i++) {
        const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, known[i].name);

        if (p != NULL && !known[i].set(x, p))
            return 0;
    }
    return 1;
}

static int get_params(void *ctx, OSSL_PARAM params[])
{
    struct exchange *x = ctx;
    OSSL_PARAM *p;

    if (x->soft != NULL)
        return EVP_PKEY_CTX_get_params(x->soft, params) > 0;
    p = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE);
    if (p != NULL && !OSSL_PARAM_set_int(p, x->cofactor < 0 ? 0 : x->cofactor))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_KDF_TYPE);
    if (p != NULL &&
        !OSSL_PARAM_set_utf8_string(p, x->kdf ? OSSL_KDF_NAME_X963KDF : ""))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_KDF_DIGEST);
    if (p != NULL && !OSSL_PARAM_set_utf8_string(p, x->kdf_md != HWK_MD_NONE
                                                        ? hwk_md_name(x->kdf_md)
                                                        : ""))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_KDF_OUTLEN);
    if (p != NULL && !OSSL_PARAM_set_size_t(p, x->kdf_n))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_KDF_UKM);
    return p == NULL || OSSL_PARAM_set_octet_ptr(p, x->ukm, x->ukm_n);
}

#define BOTH                                                                   \
    OSSL_PARAM_int(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, NULL),           \
        OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_TYPE, NULL, 0),         \
        OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_DIGEST, NULL, 0),       \
        OSSL_PARAM_size_t(OSSL_EXCHANGE_PARAM_KDF_OUTLEN, NULL)

static const OSSL_PARAM *settable(void *ctx, void *core)
{
    static const OSSL_PARAM list[] = {
        BOTH,
        OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_DIGEST_PROPS, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_EXCHANGE_PARAM_KDF_UKM, NULL, 0),
        OSSL_PARAM_END};

    (void)ctx;
    (void)core;
    return list;
}

static const OSSL_PARAM *gettable(void *ctx, void *core)
{
    static const OSSL_PARAM list[] = {
        BOTH, OSSL_PARAM_octet_ptr(OSSL_EXCHANGE_PARAM_KDF_UKM, NULL, 0),
        OSSL_PARAM_END};

    (void)ctx;
    (void)core;
    return list;
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_KEYEXCH_##name, (void (*)(void))(fn)                         \
    }
#define COMMON                                                                 \
    F(INIT, exchange_init), F(SET_PEER, set_peer), F(DERIVE, derive),          \
        F(FREECTX, exchange_free), F(DUPCTX, exchange_dup)

const OSSL_DISPATCH hwk_keyexch_ec[] = {
    F(NEWCTX, ec_new),
    COMMON,
    F(SET_CTX_PARAMS, set_params),
    F(SETTABLE_CTX_PARAMS, settable),
    F(GET_CTX_PARAMS, get_params),
    F(GETTABLE_CTX_PARAMS, gettable),
    {0, NULL},
};

const OSSL_DISPATCH hwk_keyexch_x[] = {
    F(NEWCTX, x_new),
    COMMON,
    {0, NULL},
};
