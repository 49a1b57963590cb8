/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions compute: keys, digests, HMACs, encryption. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "provider/device/tpm2_hmac.h"
#include "provider/device/tpm2_policy.h"

#define AES_BYTES 16
#define KEY_MAX (2 * sizeof(TPMU_HA))

/* what libcrypto takes without const, and does not write to */
static void *lend(const void *p)
{
    union {
        const void *c;
        void *p;
    } u = {p};
    return u.p;
}

/* pieces one after another; n is more than max when they do not fit */
struct joined {
    uint8_t *p;
    size_t n, max;
};

static void join(struct joined *to, const void *p, size_t n)
{
    if (to->n > to->max || n > to->max - to->n) {
        to->n = to->max + 1;
        return;
    }
    if (n > 0)
        memcpy(to->p + to->n, p, n);
    to->n += n;
}

static void join_view(struct joined *to, struct hwk_view v)
{
    join(to, v.p, v.n);
}

static void join32(struct joined *to, uint32_t v)
{
    join(to,
         (uint8_t[]){(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
                     (uint8_t)v},
         4);
}

/* SP 800-108 in counter mode */
int hwk_tpm_kdfa(OSSL_LIB_CTX *soft, TPMI_ALG_HASH alg, struct hwk_view key,
                 const char *label, struct hwk_view u, struct hwk_view v,
                 uint8_t *out, size_t n)
{
    uint8_t parties[2 * sizeof(TPMU_NAME)];
    struct joined info = {parties, 0, sizeof(parties)};
    char mode[] = "counter", mac[] = "HMAC";
    if (hwk_tpm_md(alg) == HWK_MD_NONE)
        return 0;
    join_view(&info, u);
    join_view(&info, v);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MODE, mode, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, mac, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                         lend(hwk_md_name(hwk_tpm_md(alg))), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, lend(key.p),
                                          key.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, lend(label),
                                          strlen(label)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, parties, info.n),
        OSSL_PARAM_construct_end()};
    EVP_KDF *kdf = EVP_KDF_fetch(soft, "KBKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    int ok =
        ctx && info.n <= info.max && EVP_KDF_derive(ctx, out, n, params) > 0;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

int hwk_tpm_cp_hash(TPMI_ALG_HASH alg, TPM2_CC code, const TPM2B_NAME *names,
                    size_t n, struct hwk_view params, TPM2B_DIGEST *out)
{
    uint8_t
        p[4 + HWK_TPM_NAMES_MAX * sizeof(TPMU_NAME) + TPM2_MAX_COMMAND_SIZE];
    struct joined in = {p, 0, sizeof(p)};
    join32(&in, code);
    for (size_t i = 0; i < n; i++)
        join(&in, names[i].name, names[i].size);
    join_view(&in, params);
    return in.n <= in.max && hwk_tpm_hash(alg, p, in.n, out);
}

int hwk_tpm_rp_hash(TPMI_ALG_HASH alg, TPM2_CC code, struct hwk_view params,
                    TPM2B_DIGEST *out)
{
    uint8_t p[4 + 4 + TPM2_MAX_RESPONSE_SIZE];
    struct joined in = {p, 0, sizeof(p)};
    join32(&in, TPM2_RC_SUCCESS);
    join32(&in, code);
    join_view(&in, params);
    return in.n <= in.max && hwk_tpm_hash(alg, p, in.n, out);
}

int hwk_tpm_sum(OSSL_LIB_CTX *soft, struct hwk_view key,
                const struct hwk_tpm_sum *sum, TPM2B_DIGEST *out)
{
    static const uint8_t none[1];
    uint8_t p[3 * sizeof(TPMU_HA) + 1];
    struct joined in = {p, 0, sizeof(p)};
    size_t n = 0;
    join_view(&in, sum->hash);
    join_view(&in, sum->newer);
    join_view(&in, sum->older);
    join(&in, &sum->attributes, 1);
    if (in.n > in.max || key.n > KEY_MAX || hwk_tpm_md(sum->alg) == HWK_MD_NONE)
        return 0;
    int ok = EVP_Q_mac(soft, "HMAC", NULL, hwk_md_name(hwk_tpm_md(sum->alg)),
                       NULL, key.n > 0 ? key.p : none, key.n, p, in.n,
                       out->buffer, sizeof(out->buffer), &n) != NULL;
    out->size = (UINT16)n;
    return ok;
}

int hwk_tpm_cfb(OSSL_LIB_CTX *soft, TPMI_ALG_HASH alg, struct hwk_view key,
                struct hwk_view newer, struct hwk_view older, bool encrypt,
                uint8_t *p, size_t n)
{
    uint8_t of[2 * AES_BYTES]; /* the key, and where it begins */
    int done = 0;
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(soft, "AES-128-CFB", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int ok =
        cipher && ctx && n <= TPM2_MAX_COMMAND_SIZE &&
        hwk_tpm_kdfa(soft, alg, key, "CFB", newer, older, of, sizeof(of)) &&
        EVP_CipherInit_ex2(ctx, cipher, of, of + AES_BYTES, encrypt, NULL) &&
        EVP_CipherUpdate(ctx, p, &done, p, (int)n) && done == (int)n;
    OPENSSL_cleanse(of, sizeof(of));
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    return ok;
}
