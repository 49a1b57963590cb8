/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM key's public area as a key of libcrypto's. */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include <idevid/auto.h>

#include "tpm/public.h"

#define RSA_MIN 1024
#define RSA_MAX 4096
#define EXPONENT 65537u /* where it says 0 */
#define COORDINATE_MAX 66

IDV_AUTO_PTR_DEFINE(BIGNUM, BN_free)
IDV_AUTO_PTR_DEFINE(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
IDV_AUTO_PTR_DEFINE(OSSL_PARAM, OSSL_PARAM_free)

static const struct curve {
    uint16_t id;
    uint16_t size;
    const char *name;
} curves[] = {
    {IDVI_TPM_P256, 32, "prime256v1"},
    {IDVI_TPM_P384, 48, "secp384r1"},
    {IDVI_TPM_P521, 66, "secp521r1"},
};

static const struct curve *find_curve(uint16_t id)
{
    for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++)
        if (curves[i].id == id)
            return &curves[i];
    return NULL;
}

const char *idvi_tpm_curve_name(uint16_t curve)
{
    const struct curve *c = find_curve(curve);
    return c ? c->name : NULL;
}

size_t idvi_tpm_curve_size(uint16_t curve)
{
    const struct curve *c = find_curve(curve);
    return c ? c->size : 0;
}

/* --- making one --- */

static idv_rc from_params(const char *type, OSSL_PARAM_BLD *bld, EVP_PKEY **out)
{
    IDV_AUTO_PTR(OSSL_PARAM) params = OSSL_PARAM_BLD_to_param(bld);
    IDV_AUTO_PTR(EVP_PKEY_CTX)
    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, "?provider=default");
    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1)
        return idv_fail(IDV_E_CRYPTO, "public area: a key of it");
    if (EVP_PKEY_fromdata(ctx, out, EVP_PKEY_PUBLIC_KEY, params) == 1)
        return IDV_OK;
    ERR_clear_error();
    return idv_fail(IDV_E_FORMAT, "public area: %s",
                    strcmp(type, "EC") == 0 ? "a point that is not on its curve"
                                            : "an RSA key that is none");
}

static idv_rc rsa_key(const struct idvi_tpm_public *p, EVP_PKEY **out)
{
    uint32_t e = p->exponent ? p->exponent : EXPONENT;
    struct idv_bytes n = p->modulus;
    if (p->bits < RSA_MIN || p->bits > RSA_MAX || n.n * 8 != p->bits ||
        !(n.p[0] & 0x80) || !(n.p[n.n - 1] & 1))
        return idv_fail(IDV_E_FORMAT, "public area: no modulus of %u bits",
                        p->bits);
    if (e < 3 || !(e & 1))
        return idv_fail(IDV_E_FORMAT, "public area: the exponent is %u", e);
    IDV_AUTO_PTR(BIGNUM) modulus = BN_bin2bn(n.p, (int)n.n, NULL);
    IDV_AUTO_PTR(OSSL_PARAM_BLD) bld = OSSL_PARAM_BLD_new();
    if (!modulus || !bld ||
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
        OSSL_PARAM_BLD_push_uint32(bld, OSSL_PKEY_PARAM_RSA_E, e) != 1)
        return idv_fail(IDV_E_CRYPTO, "public area: a key of it");
    return from_params("RSA", bld, out);
}

static idv_rc ec_key(const struct idvi_tpm_public *p, EVP_PKEY **out)
{
    const struct curve *c = find_curve(p->curve);
    uint8_t point[1 + 2 * COORDINATE_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    if (!c)
        return idv_fail(IDV_E_FORMAT, "public area: on the curve 0x%04x",
                        p->curve);
    if (!p->x.n || !p->y.n || p->x.n > c->size || p->y.n > c->size)
        return idv_fail(IDV_E_FORMAT,
                        "public area: a point that is not on its curve");
    memcpy(point + 1 + c->size - p->x.n, p->x.p, p->x.n);
    memcpy(point + 1 + 2 * c->size - p->y.n, p->y.p, p->y.n);
    IDV_AUTO_PTR(OSSL_PARAM_BLD) bld = OSSL_PARAM_BLD_new();
    if (!bld ||
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                        c->name, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
                                         1 + 2 * (size_t)c->size) != 1)
        return idv_fail(IDV_E_CRYPTO, "public area: a key of it");
    return from_params("EC", bld, out);
}

idv_rc idvi_tpm_public_to_key(const struct idvi_tpm_public *p, EVP_PKEY **out)
{
    return p->type == IDVI_TPM_RSA ? rsa_key(p, out) : ec_key(p, out);
}

/* --- comparing with one --- */

static bool number_is(const EVP_PKEY *key, const char *name,
                      struct idv_bytes want)
{
    BIGNUM *got = NULL;
    IDV_AUTO_PTR(BIGNUM) n = BN_bin2bn(want.p, (int)want.n, NULL);
    bool same =
        n && EVP_PKEY_get_bn_param(key, name, &got) == 1 && BN_cmp(n, got) == 0;
    BN_free(got);
    return same;
}

static bool rsa_is(const struct idvi_tpm_public *p, const EVP_PKEY *key)
{
    uint32_t e = p->exponent ? p->exponent : EXPONENT;
    uint8_t raw[4] = {(uint8_t)(e >> 24), (uint8_t)(e >> 16), (uint8_t)(e >> 8),
                      (uint8_t)e};
    bool pss = p->scheme == IDVI_TPM_RSAPSS && EVP_PKEY_is_a(key, "RSA-PSS");
    return (pss || EVP_PKEY_is_a(key, "RSA")) &&
           number_is(key, OSSL_PKEY_PARAM_RSA_N, p->modulus) &&
           number_is(key, OSSL_PKEY_PARAM_RSA_E, idv_bytes(raw, sizeof(raw)));
}

static bool ec_is(const struct idvi_tpm_public *p, const EVP_PKEY *key)
{
    char group[64] = "";
    const char *want = idvi_tpm_curve_name(p->curve);
    return EVP_PKEY_is_a(key, "EC") && want &&
           EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
           strcmp(group, want) == 0 &&
           number_is(key, OSSL_PKEY_PARAM_EC_PUB_X, p->x) &&
           number_is(key, OSSL_PKEY_PARAM_EC_PUB_Y, p->y);
}

bool idvi_tpm_public_is(const struct idvi_tpm_public *p, const EVP_PKEY *key)
{
    bool is = p->type == IDVI_TPM_RSA ? rsa_is(p, key) : ec_is(p, key);
    ERR_clear_error();
    return is;
}
