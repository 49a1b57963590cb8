/* SPDX-License-Identifier: Apache-2.0 */
/* The approval key as a TPM names it, and the policy it guards. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/sha.h>

#include <idevid/auto.h>

#include "trust/approval_int.h"
#include "x509/x509.h"

IDV_AUTO_PTR_DEFINE(BIGNUM, BN_free)

/* TPM_ALG_ID, TPM_ECC_CURVE, and the object attributes userWithAuth, decrypt
 * and sign: a key from elsewhere as TPM2_LoadExternal gets it */
#define ALG_RSA 0x0001
#define ALG_NULL 0x0010
#define ALG_ECC 0x0023
#define CURVE_P256 0x0003
#define CURVE_P384 0x0004
#define ATTRIBUTES 0x00060040u
#define RSA_MAX 512

static idv_rc put(struct idv_buf *out, uint64_t v, size_t n)
{
    uint8_t raw[8];
    for (size_t i = 0; i < n; i++)
        raw[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    return idv_buf_put(out, idv_bytes(raw, n));
}

/* a TPM2B of n bytes with that number of key in it */
static idv_rc put_number(struct idv_buf *out, const EVP_PKEY *key,
                         const char *name, size_t n)
{
    IDV_AUTO_PTR(BIGNUM) v = NULL;
    uint8_t raw[RSA_MAX];
    if (EVP_PKEY_get_bn_param(key, name, &v) != 1 ||
        BN_bn2binpad(v, raw, (int)n) != (int)n)
        return idv_fail(IDV_E_CRYPTO, "approval key: its numbers");
    IDV_TRY(put(out, n, 2));
    return idv_buf_put(out, idv_bytes(raw, n));
}

static idv_rc put_head(struct idv_buf *out, uint16_t type)
{
    IDV_TRY(put(out, type, 2));
    IDV_TRY(put(out, IDVI_ALG_SHA256, 2));
    IDV_TRY(put(out, ATTRIBUTES, 4));
    IDV_TRY(put(out, 0, 2)); /* no authPolicy */
    IDV_TRY(put(out, ALG_NULL, 2));
    return put(out, ALG_NULL, 2); /* neither symmetric nor scheme */
}

static idv_rc put_ec(struct idv_buf *out, const EVP_PKEY *key)
{
    char group[32] = "";
    (void)EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
    const bool p256 = strcmp(group, "prime256v1") == 0;
    if (!p256 && strcmp(group, "secp384r1") != 0)
        return idv_fail(IDV_E_ARG, "approval key: neither P-256 nor P-384 "
                                   "nor RSA");
    const size_t n = p256 ? 32 : 48;
    IDV_TRY(put_head(out, ALG_ECC));
    IDV_TRY(put(out, p256 ? CURVE_P256 : CURVE_P384, 2));
    IDV_TRY(put(out, ALG_NULL, 2)); /* no kdf */
    IDV_TRY(put_number(out, key, OSSL_PKEY_PARAM_EC_PUB_X, n));
    return put_number(out, key, OSSL_PKEY_PARAM_EC_PUB_Y, n);
}

static idv_rc put_rsa(struct idv_buf *out, const EVP_PKEY *key)
{
    IDV_AUTO_PTR(BIGNUM) e = NULL;
    const int bits = EVP_PKEY_get_bits(key);
    if (bits < 2048 || bits > 8 * RSA_MAX || bits % 8 ||
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) != 1 ||
        BN_num_bits(e) > 32)
        return idv_fail(IDV_E_ARG,
                        "approval key: RSA of %d bits, or with an "
                        "exponent that no TPM takes",
                        bits);
    IDV_TRY(put_head(out, ALG_RSA));
    IDV_TRY(put(out, (uint64_t)bits, 2));
    IDV_TRY(put(out, BN_get_word(e), 4));
    return put_number(out, key, OSSL_PKEY_PARAM_RSA_N, (size_t)bits / 8);
}

/* TPM_ALG_SHA256 and SHA-256 of the TPMT_PUBLIC */
static idv_rc name_of(const EVP_PKEY *any, uint8_t out[static IDVI_NV_NAME])
{
    IDV_AUTO(buf) area = {0};
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_TRY(idvi_public_half(any, &key));
    if (EVP_PKEY_is_a(key, "EC"))
        IDV_TRY(put_ec(&area, key));
    else if (EVP_PKEY_is_a(key, "RSA"))
        IDV_TRY(put_rsa(&area, key));
    else
        return idv_fail(IDV_E_ARG, "approval key: neither P-256 nor P-384 "
                                   "nor RSA");
    out[0] = IDVI_ALG_SHA256 >> 8;
    out[1] = IDVI_ALG_SHA256 & 0xff;
    SHA256(area.p, area.n, out + 2);
    return IDV_OK;
}

idv_rc idv_approval_guard(const EVP_PKEY *key,
                          const struct idv_approval_ref *ref,
                          struct idv_approval_guard *out)
{
    struct idv_approval_guard g = {0};
    uint8_t name[IDVI_NV_NAME];
    if (ref->n > sizeof(ref->p))
        return idv_fail(IDV_E_ARG, "approval: a policyRef of %zu bytes",
                        ref->n);
    IDV_TRY(name_of(key, name));
    idvi_policy_secret(g.branches[0], IDVI_RH_PLATFORM);
    idvi_policy_command(g.branches[0], IDVI_CC_NV_UNDEFINE_SPECIAL);
    idvi_policy_authorize(g.branches[1], idv_bytes(name, sizeof(name)),
                          idv_bytes(ref->p, ref->n));
    idvi_policy_or(g.policy, g.branches, 2);
    *out = g;
    return IDV_OK;
}
