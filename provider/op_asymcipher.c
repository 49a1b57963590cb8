/* SPDX-License-Identifier: Apache-2.0 */
/* RSA decryption on the device; encryption, which needs none, passed on. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "provider/op.h"
#include "provider/rsapad.h"
#include "provider/soft.h"

struct cipher {
    struct hwk_core *core;
    struct hwk_key *key;
    int pad; /* RSA_*_PADDING */
    enum hwk_md md, mgf1;
    uint8_t *label;
    size_t label_n;
    unsigned client_version, alt_version;
    EVP_PKEY_CTX *soft; /* what the default provider does instead */
};

/* --- contexts --- */

static void *cipher_new(void *core)
{
    struct cipher *c = OPENSSL_zalloc(sizeof(*c));

    if (c == NULL) {
        hwk_raise(HWK_R_MEMORY, "decryption");
        return NULL;
    }
    c->core = core;
    c->pad = RSA_PKCS1_PADDING;
    return c;
}

static void cipher_free(void *ctx)
{
    struct cipher *c = ctx;

    if (c == NULL)
        return;
    EVP_PKEY_CTX_free(c->soft);
    hwk_key_free(c->key);
    OPENSSL_free(c->label);
    OPENSSL_free(c);
}

static void *cipher_dup(void *ctx)
{
    const struct cipher *from = ctx;
    struct cipher *c = OPENSSL_memdup(from, sizeof(*from));

    if (c == NULL)
        return NULL;
    c->label = NULL;
    c->soft = NULL;
    if (c->key != NULL)
        hwk_key_up(c->key);
    if (from->label != NULL)
        c->label = OPENSSL_memdup(from->label, from->label_n);
    if (from->soft != NULL)
        c->soft = EVP_PKEY_CTX_dup(from->soft);
    if ((from->label == NULL || c->label != NULL) &&
        (from->soft == NULL || c->soft != NULL))
        return c;
    cipher_free(c);
    return NULL;
}

static int set_params(void *ctx, const OSSL_PARAM params[]);

static int begin(struct cipher *c, struct hwk_key *key,
                 const OSSL_PARAM params[],
                 int (*init)(EVP_PKEY_CTX *ctx, const OSSL_PARAM params[]))
{
    if (key->pub.pss.only)
        return hwk_raise(HWK_R_KEY, "a key for PSS only does not encrypt");
    hwk_key_up(key);
    hwk_key_free(c->key);
    c->key = key;
    EVP_PKEY_CTX_free(c->soft);
    c->soft = NULL;
    c->pad = RSA_PKCS1_PADDING;
    if (init == NULL)
        return set_params(c, params);
    c->soft = hwk_soft_ctx(key);
    return c->soft != NULL && init(c->soft, params) > 0;
}

static int encrypt_init(void *ctx, void *key, const OSSL_PARAM params[])
{
    return begin(ctx, key, params, EVP_PKEY_encrypt_init_ex);
}

static int decrypt_init(void *ctx, void *keydata, const OSSL_PARAM params[])
{
    const struct hwk_key *key = keydata;

    if (!key->has_private)
        return hwk_raise(HWK_R_KEY, "there is no private key to decrypt with");
    return begin(ctx, keydata, params,
                 key->ref != NULL ? NULL : EVP_PKEY_decrypt_init_ex);
}

/* --- decrypting --- */

static int raw(struct cipher *c, const uint8_t *in, size_t n, uint8_t *em)
{
    struct hwk_mech mech = {.type = HWK_KEY_RSA, .pad = HWK_PAD_NONE};
    size_t k = c->key->pub.n_len, got = k;

    if (!hwk_key_decrypt(c->key, &mech, in, n, em, &got))
        return 0;
    if (got < k) { /* a token that drops zeros in front */
        memmove(em + k - got, em, got);
        memset(em, 0, k - got);
    }
    return 1;
}

static bool cannot(void)
{
    return hwk_err_is(HWK_R_UNSUPPORTED) || hwk_err_is(HWK_R_PADDING);
}

/* a padding that the device takes off, or else we do from the bare number */
static int with_padding(struct cipher *c, const struct hwk_mech *mech,
                        const uint8_t *in, size_t n, uint8_t *out,
                        size_t *out_n)
{
    size_t k = c->key->pub.n_len, room = *out_n;
    unsigned bit = 1u << mech->md; /* PKCS#1 has no digest: bit 0 */
    uint8_t em[HWK_RSA_MAX];
    bool again;
    int ok;

    ERR_set_mark();
    if ((atomic_load(&c->key->bare) & bit) == 0) {
        ok = hwk_key_decrypt(c->key, mech, in, n, out, out_n);
        /* some refuse a digest or a label only when they decrypt, or take no
         * notice of it: who is right, the bare number tells */
        again =
            cannot() || (mech->pad == HWK_PAD_OAEP && hwk_err_is(HWK_R_PKCS11));
        if (ok || !again) {
            ERR_clear_last_mark();
            return ok;
        }
    }
    ok = raw(c, in, n, em);
    if (ok) {
        ERR_pop_to_mark();
        ok = hwk_rsa_unpad(c->core, mech, em, k, out, room, out_n);
        if (ok)
            atomic_fetch_or(&c->key->bare, bit);
    } else {
        ERR_clear_last_mark();
        if (cannot())
            hwk_raise(
                hwk_err_is(HWK_R_PADDING) ? HWK_R_PADDING : HWK_R_UNSUPPORTED,
                "%s: neither %s%s nor bare RSA can be done with it",
                hwk_key_name(c->key),
                mech->pad == HWK_PAD_OAEP ? "OAEP with " : "",
                mech->pad == HWK_PAD_OAEP ? hwk_md_name(mech->md) : "PKCS#1");
    }
    OPENSSL_cleanse(em, k);
    return ok;
}

/* What a device says of a padding is not to be seen: where it cannot give the
 * bare number, it takes the padding off, and its refusal is no error here. */
static int premaster(struct cipher *c, const uint8_t *in, size_t n,
                     uint8_t *out)
{
    struct hwk_mech mech = {.type = HWK_KEY_RSA, .pad = HWK_PAD_PKCS1};
    size_t got = HWK_RSA_MAX, k = c->key->pub.n_len;
    uint8_t em[HWK_RSA_MAX] = {0};
    int ok;

    /* of the key, and known: not what the device found in the ciphertext */
    if (!c->key->limits.plain[HWK_PAD_NONE] &&
        !hwk_limits_check(&c->key->limits, &mech))
        return 0;
    ERR_set_mark();
    if (raw(c, in, n, em)) {
        ERR_clear_last_mark();
        ok = hwk_rsa_premaster(c->core, em, k, c->client_version,
                               c->alt_version, out);
    } else if (cannot()) {
        memset(em, 0, sizeof(em));
        ok = hwk_key_decrypt(c->key, &mech, in, n, em, &got);
        if (!ok && !hwk_err_is(HWK_R_PADDING) && !hwk_err_is(HWK_R_PKCS11) &&
            !hwk_err_is(HWK_R_TPM)) {
            ERR_clear_last_mark();
            return 0;
        }
        ERR_pop_to_mark();
        ok = hwk_rsa_premaster_of(c->core, ok, em, got, c->client_version,
                                  c->alt_version, out);
    } else {
        ERR_clear_last_mark();
        return 0;
    }
    OPENSSL_cleanse(em, sizeof(em));
    return ok;
}

static int to_mech(const struct cipher *c, struct hwk_mech *out)
{
    *out = (struct hwk_mech){.type = HWK_KEY_RSA, .pad = HWK_PAD_PKCS1};
    if (c->pad != RSA_PKCS1_OAEP_PADDING)
        return 1;
    out->pad = HWK_PAD_OAEP;
    out->md = c->md != HWK_MD_NONE ? c->md : HWK_MD_SHA1;
    out->mgf1 = c->mgf1 != HWK_MD_NONE ? c->mgf1 : out->md;
    out->label = c->label;
    out->label_len = c->label_n;
    return 1;
}

/* everybody can see these: no oracle */
static int fits(const struct cipher *c, const uint8_t *in, size_t n)
{
    const struct hwk_pub *pub = &c->key->pub;

    if (n != pub->n_len || memcmp(in, pub->n, n) >= 0)
        return hwk_raise(HWK_R_ARGUMENT,
                         "%zu bytes are no ciphertext of this key", n);
    return 1;
}

static int decrypt(void *ctx, unsigned char *out, size_t *out_n, size_t room,
                   const unsigned char *in, size_t n)
{
    struct cipher *c = ctx;
    bool tls = c->pad == RSA_PKCS1_WITH_TLS_PADDING;
    size_t need = tls ? HWK_PREMASTER : c->key->pub.n_len;
    uint8_t em[HWK_RSA_MAX];
    struct hwk_mech mech;
    int ok;

    if (c->soft != NULL) {
        *out_n = room;
        return EVP_PKEY_decrypt(c->soft, out, out_n, in, n) > 0;
    }
    if (out == NULL) {
        *out_n = need;
        return 1;
    }
    if (room < need)
        return hwk_raise(HWK_R_ARGUMENT, "no room for %zu bytes", need);
    if (!fits(c, in, n))
        return 0;
    if (tls) {
        *out_n = need;
        return premaster(c, in, n, out);
    }
    if (c->pad == RSA_NO_PADDING) {
        ok = raw(c, in, n, em);
        if (ok)
            memcpy(out, em, *out_n = need);
        OPENSSL_cleanse(em, need);
        return ok;
    }
    *out_n = room;
    return to_mech(c, &mech) && with_padding(c, &mech, in, n, out, out_n);
}

static int encrypt(void *ctx, unsigned char *out, size_t *out_n, size_t room,
                   const unsigned char *in, size_t n)
{
    struct cipher *c = ctx;

    *out_n = room;
    return EVP_PKEY_encrypt(c->soft, out, out_n, in, n) > 0;
}

/* --- parameters --- */

static const struct {
    const char *name;
    int pad;
} pads[] = {
    {OSSL_PKEY_RSA_PAD_MODE_PKCSV15, RSA_PKCS1_PADDING},
    {OSSL_PKEY_RSA_PAD_MODE_NONE, RSA_NO_PADDING},
    {OSSL_PKEY_RSA_PAD_MODE_OAEP, RSA_PKCS1_OAEP_PADDING},
    {"oeap", RSA_PKCS1_OAEP_PADDING}, /* as OpenSSL once had it */
    {"", RSA_PKCS1_WITH_TLS_PADDING},
};
#define PADS (sizeof(pads) / sizeof(pads[0]))

static int set_pad(struct cipher *c, const OSSL_PARAM *p)
{
    bool text = p->data_type == OSSL_PARAM_UTF8_STRING;
    int number = 0;
    size_t i;

    if (!text && !OSSL_PARAM_get_int(p, &number))
        return hwk_raise(HWK_R_PARAM, "%s: not a padding mode", p->key);
    for (i = 0; i < PADS; i++) {
        if (text ? strcmp(p->data, pads[i].name) == 0 : number == pads[i].pad) {
            c->pad = pads[i].pad;
            return 1;
        }
    }
    return hwk_raise(HWK_R_PADDING, "none of pkcs1, oaep, none");
}

static int get_md_of(const OSSL_PARAM *p, enum hwk_md *md)
{
    if (p->data_type != OSSL_PARAM_UTF8_STRING)
        return hwk_raise(HWK_R_PARAM, "%s: not a name", p->key);
    *md = hwk_md_by_name(p->data);
    return *md != HWK_MD_NONE || hwk_raise(HWK_R_DIGEST, "%s: not one of ours",
                                           (const char *)p->data);
}

static int set_md(struct cipher *c, const OSSL_PARAM *p)
{
    return get_md_of(p, &c->md);
}

static int set_mgf1(struct cipher *c, const OSSL_PARAM *p)
{
    return get_md_of(p, &c->mgf1);
}

static int set_label(struct cipher *c, const OSSL_PARAM *p)
{
    void *label = NULL;
    size_t n;

    if (!OSSL_PARAM_get_octet_string(p, &label, 0, &n))
        return hwk_raise(HWK_R_PARAM, "%s: not octets", p->key);
    OPENSSL_free(c->label);
    c->label = label;
    c->label_n = n;
    return 1;
}

static int set_client(struct cipher *c, const OSSL_PARAM *p)
{
    return OSSL_PARAM_get_uint(p, &c->client_version);
}

static int set_negotiated(struct cipher *c, const OSSL_PARAM *p)
{
    return OSSL_PARAM_get_uint(p, &c->alt_version);
}

static int set_params(void *ctx, const OSSL_PARAM params[])
{
    static const struct {
        const char *name;
        int (*set)(struct cipher *c, const OSSL_PARAM *p);
    } known[] = {
        {OSSL_ASYM_CIPHER_PARAM_PAD_MODE, set_pad},
        {OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, set_md},
        {OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, set_mgf1},
        {OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, set_label},
        {OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, set_client},
        {OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION, set_negotiated},
    };
    struct cipher *c = ctx;
    size_t i;

    if (c->soft != NULL)
        return hwk_soft_ctx_set(c->soft, params);
    for (i = 0; params != NULL && i < sizeof(known) / sizeof(known[0]); i++) {
        const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, known[i].name);

        if (p != NULL && !known[i].set(c, p))
            return 0;
    }
    return 1;
}

static int get_pad(const struct cipher *c, OSSL_PARAM *p)
{
    size_t i;

    if (p->data_type == OSSL_PARAM_INTEGER)
        return OSSL_PARAM_set_int(p, c->pad);
    for (i = 0; i < PADS; i++)
        if (pads[i].pad == c->pad)
            return OSSL_PARAM_set_utf8_string(p, pads[i].name);
    return 0;
}

static int get_params(void *ctx, OSSL_PARAM params[])
{
    struct cipher *c = ctx;
    struct hwk_mech oaep;
    OSSL_PARAM *p;

    if (c->soft != NULL)
        return EVP_PKEY_CTX_get_params(c->soft, params) > 0;
    p = OSSL_PARAM_locate(params, OSSL_ASYM_CIPHER_PARAM_PAD_MODE);
    if (p != NULL && !get_pad(c, p))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST);
    oaep.md = c->md != HWK_MD_NONE ? c->md : HWK_MD_SHA1;
    if (p != NULL && !OSSL_PARAM_set_utf8_string(p, hwk_md_name(oaep.md)))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST);
    oaep.mgf1 = c->mgf1 != HWK_MD_NONE ? c->mgf1 : oaep.md;
    if (p != NULL && !OSSL_PARAM_set_utf8_string(p, hwk_md_name(oaep.mgf1)))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL);
    if (p != NULL && !OSSL_PARAM_set_octet_ptr(p, c->label, c->label_n))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION);
    if (p != NULL && !OSSL_PARAM_set_uint(p, c->client_version))
        return 0;
    p = OSSL_PARAM_locate(params,
                          OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION);
    return p == NULL || OSSL_PARAM_set_uint(p, c->alt_version);
}

#define BOTH                                                                   \
    OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, NULL, 0),       \
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, NULL, 0),      \
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, NULL, 0),   \
        OSSL_PARAM_uint(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, NULL),      \
        OSSL_PARAM_uint(OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION, NULL)

static const OSSL_PARAM *settable(void *ctx, void *core)
{
    static const OSSL_PARAM list[] = {
        BOTH,
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST_PROPS, NULL,
                               0),
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST_PROPS, NULL,
                               0),
        OSSL_PARAM_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, NULL, 0),
        OSSL_PARAM_END};

    (void)ctx;
    (void)core;
    return list;
}

static const OSSL_PARAM *gettable(void *ctx, void *core)
{
    static const OSSL_PARAM list[] = {
        BOTH, OSSL_PARAM_octet_ptr(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, NULL, 0),
        OSSL_PARAM_END};

    (void)ctx;
    (void)core;
    return list;
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_ASYM_CIPHER_##name, (void (*)(void))(fn)                     \
    }
const OSSL_DISPATCH hwk_asymcipher_rsa[] = {
    F(NEWCTX, cipher_new),
    F(FREECTX, cipher_free),
    F(DUPCTX, cipher_dup),
    F(ENCRYPT_INIT, encrypt_init),
    F(ENCRYPT, encrypt),
    F(DECRYPT_INIT, decrypt_init),
    F(DECRYPT, decrypt),
    F(SET_CTX_PARAMS, set_params),
    F(SETTABLE_CTX_PARAMS, settable),
    F(GET_CTX_PARAMS, get_params),
    F(GETTABLE_CTX_PARAMS, gettable),
    {0, NULL},
};
