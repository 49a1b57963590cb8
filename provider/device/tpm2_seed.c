/* SPDX-License-Identifier: Apache-2.0 */
/* A secret that a key of a TPM shares with who has its public half. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_seed.h"

const char *hwk_tpm_seed_hash(const TPMT_PUBLIC *key)
{
    switch (key->nameAlg) {
    case TPM2_ALG_SHA256:
    case TPM2_ALG_SHA384:
    case TPM2_ALG_SHA512:
        return hwk_md_name(hwk_tpm_md(key->nameAlg));
    default:
        return NULL;
    }
}

static int failed(const char *what)
{
    return hwk_raise(HWK_R_DELEGATE, "a secret for a TPM key: %s failed", what);
}

static EVP_PKEY *public_key(OSSL_LIB_CTX *soft, struct hwk_pub *pub)
{
    struct hwk_pub_params params;
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(soft, hwk_pub_type_name(pub), NULL);
    EVP_PKEY *key = NULL;
    hwk_pub_to_params(pub, &params);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params.p) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    if (!key)
        hwk_raise(HWK_R_KEY, "a TPM key whose public half is none");
    return key;
}

/* --- RSA --- */

static int set_oaep(EVP_PKEY_CTX *ctx, const char *hash, const char *label)
{
    size_t n = strlen(label) + 1; /* the NUL is part of it */
    char *copy = OPENSSL_strdup(label);
    if (copy && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
        EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, hash, NULL) > 0 &&
        EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, hash, NULL) > 0 &&
        EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, (int)n) > 0)
        return 1;
    OPENSSL_free(copy);
    return 0;
}

static int by_rsa(OSSL_LIB_CTX *soft, EVP_PKEY *key, const char *hash,
                  const char *label, struct hwk_tpm_seed *seed,
                  TPM2B_ENCRYPTED_SECRET *secret)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(soft, key, NULL);
    size_t n = sizeof(secret->secret);
    int ok = ctx && RAND_priv_bytes_ex(soft, seed->p, seed->n, 0) > 0 &&
             EVP_PKEY_encrypt_init(ctx) > 0 && set_oaep(ctx, hash, label) &&
             EVP_PKEY_encrypt(ctx, secret->secret, &n, seed->p, seed->n) > 0;
    EVP_PKEY_CTX_free(ctx);
    secret->size = (UINT16)n;
    return ok || failed("OAEP");
}

/* --- EC --- */

/* KDFe (Part 1, 11.4.10.3); one round gives all that is wanted */
static int kdfe(const TPMT_PUBLIC *key, const uint8_t *z, size_t z_n,
                const char *label, const TPM2B_ECC_PARAMETER *ours,
                struct hwk_tpm_seed *seed)
{
    const TPM2B_ECC_PARAMETER *theirs = &key->unique.ecc.x;
    uint8_t in[4 + 3 * TPM2_MAX_ECC_KEY_BYTES + 32] = {0, 0, 0, 1};
    size_t at = 4, label_n = strlen(label) + 1;
    TPM2B_DIGEST digest;
    if (z_n > TPM2_MAX_ECC_KEY_BYTES || label_n > 32)
        return failed("KDFe");
    memcpy(in + at, z, z_n);
    memcpy(in + (at += z_n), label, label_n);
    memcpy(in + (at += label_n), ours->buffer, ours->size);
    memcpy(in + (at += ours->size), theirs->buffer, theirs->size);
    at += theirs->size;
    int ok =
        hwk_tpm_hash(key->nameAlg, in, at, &digest) && digest.size == seed->n;
    if (ok)
        memcpy(seed->p, digest.buffer, digest.size);
    OPENSSL_cleanse(in, sizeof(in));
    OPENSSL_cleanse(&digest, sizeof(digest));
    return ok || failed("KDFe");
}

/* That theirs is on the curve was judged when it was read, and these curves
 * have no other groups: the multiplication by the order, which set_peer alone
 * does besides, would say nothing. */
static int agree(OSSL_LIB_CTX *soft, EVP_PKEY *ours, EVP_PKEY *theirs,
                 uint8_t *z, size_t *n)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(soft, ours, NULL);
    int ok = ctx && EVP_PKEY_derive_init(ctx) > 0 &&
             EVP_PKEY_derive_set_peer_ex(ctx, theirs, 0) > 0 &&
             EVP_PKEY_derive(ctx, z, n) > 0;
    EVP_PKEY_CTX_free(ctx);
    return ok || failed("ECDH");
}

/* each coordinate as long as the field: leading zeros are hashed, too */
static int point_of(EVP_PKEY *key, size_t field, TPMS_ECC_POINT *out)
{
    uint8_t p[1 + 2 * TPM2_MAX_ECC_KEY_BYTES];
    size_t n = 0;
    if (!EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, p,
                                         sizeof(p), &n) ||
        n != 1 + 2 * field || p[0] != 4)
        return failed("an ephemeral key");
    out->x.size = out->y.size = (UINT16)field;
    memcpy(out->x.buffer, p + 1, field);
    memcpy(out->y.buffer, p + 1 + field, field);
    return 1;
}

static int by_ec(OSSL_LIB_CTX *soft, EVP_PKEY *theirs,
                 const struct hwk_curve *curve, const TPMT_PUBLIC *key,
                 const char *label, struct hwk_tpm_seed *seed,
                 TPM2B_ENCRYPTED_SECRET *secret)
{
    uint8_t z[TPM2_MAX_ECC_KEY_BYTES];
    size_t n = sizeof(z), at = 0;
    TPMS_ECC_POINT point;
    EVP_PKEY *ours = EVP_PKEY_Q_keygen(soft, NULL, "EC", curve->nist);
    int ok = ours ? point_of(ours, curve->field, &point) &&
                        agree(soft, ours, theirs, z, &n) &&
                        kdfe(key, z, n, label, &point.x, seed)
                  : failed("an ephemeral key");
    OPENSSL_cleanse(z, sizeof(z));
    EVP_PKEY_free(ours);
    if (!ok)
        return 0;
    if (Tss2_MU_TPMS_ECC_POINT_Marshal(&point, secret->secret,
                                       sizeof(secret->secret), &at))
        return failed("writing a point");
    secret->size = (UINT16)at;
    return 1;
}

int hwk_tpm_seed_make(OSSL_LIB_CTX *soft, const TPM2B_PUBLIC *key,
                      const char *label, struct hwk_tpm_seed *seed,
                      TPM2B_ENCRYPTED_SECRET *secret)
{
    const TPMT_PUBLIC *t = &key->publicArea;
    const char *hash = t->nameAlg == TPM2_ALG_SHA1 ? hwk_md_name(HWK_MD_SHA1)
                                                   : hwk_tpm_seed_hash(t);
    struct hwk_pub pub;
    EVP_PKEY *theirs;
    if (!hash)
        return hwk_raise(HWK_R_KEY, "a TPM key with an unusual hash: 0x%04x",
                         t->nameAlg);
    memset(&pub, 0, sizeof(pub));
    memset(secret, 0, sizeof(*secret));
    if (!hwk_tpm_public(key, &pub) || !(theirs = public_key(soft, &pub)))
        return 0;
    seed->n = hwk_md_size(hwk_tpm_md(t->nameAlg));
    int ok = pub.type == HWK_KEY_RSA
                 ? by_rsa(soft, theirs, hash, label, seed, secret)
                 : by_ec(soft, theirs, pub.curve, t, label, seed, secret);
    EVP_PKEY_free(theirs);
    return ok;
}
