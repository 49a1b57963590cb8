/* SPDX-License-Identifier: Apache-2.0 */
/* The signature algorithms of JWS (RFC 7518 section 3), as a table. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

#include <idevid/auto.h>
#include <idevid/limits.h>

#include "envelope/jws.h"
#include "x509/x509.h"

#define MIN_RSA 2048
#define MAX_SIGNATURE 2048 /* bytes, of RSA keys of 16384 bits */

IDV_AUTO_PTR_DEFINE(ECDSA_SIG, ECDSA_SIG_free)

static const struct idvi_jws_alg algs[] = {
    {"ES256", "EC", NID_X9_62_prime256v1, 32, "SHA256", false},
    {"ES384", "EC", NID_secp384r1, 48, "SHA384", false},
    {"ES512", "EC", NID_secp521r1, 66, "SHA512", false},
    {"RS256", "RSA", 0, 0, "SHA256", false},
    {"PS256", "RSA-PSS", 0, 0, "SHA256", true},
};
#define ALGS (sizeof(algs) / sizeof(*algs))

const struct idvi_jws_alg *idvi_jws_alg(const char *name)
{
    for (size_t i = 0; i < ALGS; i++)
        if (strcmp(algs[i].name, name) == 0)
            return &algs[i];
    return NULL;
}

static int curve_of(const EVP_PKEY *key)
{
    char name[64] = "";
    if (EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) != 1)
        return NID_undef;
    int nid = OBJ_sn2nid(name);
    return nid != NID_undef ? nid : EC_curve_nist2nid(name);
}

/* RFC 7518 sections 3.3 to 3.5: the curve goes with the name, and an RSA key
 * has so many bits */
static bool fits(const struct idvi_jws_alg *alg, const EVP_PKEY *key)
{
    if (alg->curve)
        return EVP_PKEY_is_a(key, "EC") && curve_of(key) == alg->curve;
    return (EVP_PKEY_is_a(key, "RSA") ||
            (alg->pss && EVP_PKEY_is_a(key, "RSA-PSS"))) &&
           EVP_PKEY_get_bits(key) >= MIN_RSA;
}

const struct idvi_jws_alg *idvi_jws_alg_of(const EVP_PKEY *key)
{
    for (size_t i = 0; i < ALGS; i++)
        if (EVP_PKEY_is_a(key, algs[i].key) && fits(&algs[i], key))
            return &algs[i];
    return NULL;
}

static bool pad(const struct idvi_jws_alg *alg, EVP_PKEY_CTX *ctx)
{
    return !alg->pss ||
           (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

/* --- signing -------------------------------------------------------------- */

static idv_rc sign(const struct idvi_jws_alg *alg, EVP_PKEY *key,
                   struct idv_bytes input, uint8_t *sig, size_t *n)
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx = NULL; /* of ctx */
    if (!ctx ||
        EVP_DigestSignInit_ex(ctx, &key_ctx, alg->digest, NULL, NULL, key,
                              NULL) != 1 ||
        !pad(alg, key_ctx) ||
        EVP_DigestSign(ctx, sig, n, input.p, input.n) != 1)
        return idvi_sign_failed(key, "JWS");
    return IDV_OK;
}

/* SEQUENCE { r, s } as two numbers of full length */
static idv_rc put_r_s(const struct idvi_jws_alg *alg, const uint8_t *der,
                      size_t n, struct idv_buf *out)
{
    const uint8_t *p = der;
    uint8_t *to;
    IDV_AUTO_PTR(ECDSA_SIG) sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
    IDV_TRY(idv_buf_room(out, 2 * alg->half, &to));
    int half = (int)alg->half;
    if (!sig || p != der + n ||
        BN_bn2binpad(ECDSA_SIG_get0_r(sig), to, half) != half ||
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), to + half, half) != half)
        return idv_fail(IDV_E_CRYPTO, "JWS: what the key made is no signature");
    out->n += 2 * alg->half;
    return IDV_OK;
}

idv_rc idvi_jws_sign(const struct idvi_jws_alg *alg, EVP_PKEY *key,
                     struct idv_bytes input, struct idv_buf *out)
{
    uint8_t sig[MAX_SIGNATURE];
    size_t n = sizeof(sig);
    if (EVP_PKEY_get_size(key) > MAX_SIGNATURE)
        return idv_fail(IDV_E_ARG, "JWS: key is too long");
    IDV_TRY(sign(alg, key, input, sig, &n));
    return alg->curve ? put_r_s(alg, sig, n, out)
                      : idv_buf_put(out, idv_bytes(sig, n));
}

/* --- verifying ------------------------------------------------------------ */

idv_rc idvi_jws_check_length(const struct idvi_jws_alg *alg,
                             struct idv_bytes sig)
{
    if (alg->curve ? sig.n == 2 * alg->half
                   : sig.n >= MIN_RSA / 8 && sig.n <= MAX_SIGNATURE)
        return IDV_OK;
    return idv_fail(IDV_E_FORMAT,
                    "JWS: signature of %zu bytes, which %s has "
                    "not",
                    sig.n, alg->name);
}

/* two numbers of full length as SEQUENCE { r, s } */
static idv_rc to_der(const struct idvi_jws_alg *alg, struct idv_bytes raw,
                     struct idv_buf *out)
{
    IDV_AUTO_PTR(ECDSA_SIG) sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw.p, (int)alg->half, NULL);
    BIGNUM *s = BN_bin2bn(raw.p + alg->half, (int)alg->half, NULL);
    if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    return IDVI_PUT_DER(i2d_ECDSA_SIG, sig, out);
}

idv_rc idvi_jws_verify(const struct idvi_jws_alg *alg, const EVP_PKEY *key,
                       struct idv_bytes input, struct idv_bytes sig)
{
    IDV_AUTO(buf) der = {0};
    if (!fits(alg, key))
        return idv_fail(IDV_E_REJECT, "JWS: %s does not go with that key",
                        alg->name);
    if (alg->curve)
        IDV_TRY(to_der(alg, sig, &der));
    else
        IDV_TRY(idv_buf_put(&der, sig));
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx = NULL; /* of ctx */
    if (!ctx ||
        EVP_DigestVerifyInit_ex(ctx, &key_ctx, alg->digest, NULL, NULL,
                                (EVP_PKEY *)(uintptr_t)key, NULL) != 1 ||
        !pad(alg, key_ctx) ||
        EVP_DigestVerify(ctx, der.p, der.n, input.p, input.n) != 1)
        return idv_fail(IDV_E_REJECT, "JWS: signature is not by that key");
    return IDV_OK;
}
