/* SPDX-License-Identifier: Apache-2.0 */
/* A private key of software on its way into a token. */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/params.h>

#include "provider/env.h"
#include "provider/err.h"
#include "provider/priv.h"

#define FILE_MAX 65536

void hwk_private_free(struct hwk_private *priv)
{
    if (priv != NULL)
        OPENSSL_clear_free(priv, sizeof(*priv));
}

/* --- from a key of the default provider --- */

/* size 0: as long as it is */
static int number(const EVP_PKEY *key, const char *name, size_t size,
                  uint8_t *out, size_t max, size_t *n)
{
    BIGNUM *bn = NULL;
    int len = -1;

    if (EVP_PKEY_get_bn_param(key, name, &bn)) {
        if (size == 0)
            size = (size_t)BN_num_bytes(bn);
        if (size <= max)
            len = BN_bn2binpad(bn, out, (int)size);
    }
    BN_clear_free(bn);
    if (len <= 0)
        return hwk_raise(HWK_R_KEY, "import: '%s' is missing", name);
    *n = (size_t)len;
    return 1;
}

static int take_rsa(const EVP_PKEY *key, struct hwk_private *out)
{
    static const char *const names[HWK_CRT] = {
        OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
        OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
        OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    BIGNUM *third = NULL;
    int i;

    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_FACTOR3, &third)) {
        BN_clear_free(third);
        return hwk_raise(HWK_R_KEY, "import: an RSA key of two primes only");
    }
    for (i = 0; i < HWK_CRT; i++)
        if (!number(key, names[i], 0, out->crt[i].v, sizeof(out->crt[i].v),
                    &out->crt[i].n))
            return 0;
    return number(key, OSSL_PKEY_PARAM_RSA_D, 0, out->d, sizeof(out->d),
                  &out->d_len);
}

static int take_half(const EVP_PKEY *key, struct hwk_private *out)
{
    if (out->pub.type == HWK_KEY_RSA)
        return take_rsa(key, out);
    if (out->pub.type == HWK_KEY_EC)
        return number(key, OSSL_PKEY_PARAM_PRIV_KEY, out->pub.curve->order,
                      out->d, sizeof(out->d), &out->d_len);
    return EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PRIV_KEY,
                                           out->d, sizeof(out->d),
                                           &out->d_len) ||
           hwk_raise(HWK_R_KEY, "import: no private half");
}

static int take_public(const EVP_PKEY *key, const struct hwk_pub *kind,
                       struct hwk_pub *out)
{
    OSSL_PARAM *params = NULL;
    int ok = EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &params) &&
             hwk_pub_from_params(out, kind, params);

    OSSL_PARAM_free(params);
    return ok;
}

static int belongs_together(OSSL_LIB_CTX *soft, EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(soft, key, NULL);
    /* the check of this type of 3.0 wants more than there is to check */
    int ok = ctx != NULL && (EVP_PKEY_is_a(key, "RSA-PSS") ||
                             EVP_PKEY_pairwise_check(ctx) > 0);

    EVP_PKEY_CTX_free(ctx);
    return ok || hwk_raise(HWK_R_KEY,
                           "import: the two halves do not belong together");
}

static struct hwk_private *take(OSSL_LIB_CTX *soft, EVP_PKEY *key,
                                const struct hwk_pub *kind)
{
    struct hwk_private *priv = OPENSSL_zalloc(sizeof(*priv));

    if (priv == NULL) {
        hwk_raise(HWK_R_MEMORY, "import");
        return NULL;
    }
    priv->soft = soft;
    if (belongs_together(soft, key) && take_public(key, kind, &priv->pub) &&
        take_half(key, priv))
        return priv;
    hwk_private_free(priv);
    return NULL;
}

/* --- where it comes from --- */

struct hwk_private *hwk_private_from_params(OSSL_LIB_CTX *soft,
                                            const struct hwk_pub *kind,
                                            const OSSL_PARAM params[])
{
    const char *type = hwk_pub_type_name(kind);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(soft, type, NULL);
    struct hwk_private *priv = NULL;
    EVP_PKEY *key = NULL;
    union {
        const OSSL_PARAM *c;
        OSSL_PARAM *p;
    } values = {params}; /* only read */

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, values.p) <= 0)
        hwk_raise(HWK_R_KEY, "import: not the values of a private %s key",
                  type);
    else
        priv = take(soft, key, kind);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(ctx);
    return priv;
}

static int no_passphrase(char *out, int max, int writing, void *arg)
{
    (void)out;
    (void)max;
    (void)writing;
    (void)arg;
    return -1;
}

static EVP_PKEY *decode(OSSL_LIB_CTX *soft, const uint8_t *data, size_t n)
{
    EVP_PKEY *key = NULL;
    OSSL_DECODER_CTX *ctx = OSSL_DECODER_CTX_new_for_pkey(
        &key, NULL, NULL, NULL, EVP_PKEY_KEYPAIR, soft, NULL);
    const unsigned char *p = data;

    if (ctx != NULL)
        OSSL_DECODER_CTX_set_pem_password_cb(ctx, no_passphrase, NULL);
    if (ctx == NULL || !OSSL_DECODER_from_data(ctx, &p, &n))
        key = NULL;
    OSSL_DECODER_CTX_free(ctx);
    return key;
}

struct hwk_private *hwk_private_from_file(OSSL_LIB_CTX *soft,
                                          const struct hwk_pub *kind,
                                          const char *path)
{
    const char *type = hwk_pub_type_name(kind);
    struct hwk_private *priv = NULL;
    EVP_PKEY *key;
    uint8_t *data;
    size_t n;

    if (!hwk_file_read(path, FILE_MAX, &data, &n))
        return NULL;
    key = decode(soft, data, n);
    OPENSSL_clear_free(data, FILE_MAX + 2);
    if (key == NULL)
        hwk_raise(HWK_R_FORMAT,
                  "%s: no private key that can be read without a "
                  "passphrase",
                  path);
    else if (!EVP_PKEY_is_a(key, type) &&
             !(kind->pss.only && EVP_PKEY_is_a(key, "RSA")))
        hwk_raise(HWK_R_KEY, "%s: a key of type %s, not %s", path,
                  EVP_PKEY_get0_type_name(key), type);
    else
        priv = take(soft, key, kind);
    EVP_PKEY_free(key);
    return priv;
}
