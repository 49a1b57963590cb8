/* SPDX-License-Identifier: Apache-2.0 */
/* A private key wrapped for a storage key that is elsewhere, in software. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_hmac.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_rule.h"
#include "provider/device/tpm2_seed.h"
#include "provider/device/tpm2_wrap.h"

/* what all the steps need */
struct wrapping {
    OSSL_LIB_CTX *soft;
    const TPMT_PUBLIC *parent;
    const char *hash;
    TPM2B_NAME name; /* of the key */
    struct hwk_tpm_seed seed;
};

static int failed(const char *what)
{
    return hwk_raise(HWK_R_DELEGATE, "import: %s failed", what);
}

/* --- the sensitive area --- */

static int sensitive_rsa(const struct hwk_private *from, TPMT_SENSITIVE *out)
{
    const uint8_t *p = from->crt[HWK_P].v;
    size_t n = from->crt[HWK_P].n;
    if (2 * n != from->pub.n_len || from->crt[HWK_Q].n != n ||
        n > sizeof(out->sensitive.rsa.buffer))
        return hwk_raise(HWK_R_KEY, "import: a TPM's RSA key has two primes of "
                                    "half its length");
    out->sensitive.rsa.size = (UINT16)n;
    memcpy(out->sensitive.rsa.buffer, p, n);
    return 1;
}

static int sensitive_ec(const struct hwk_private *from, TPMT_SENSITIVE *out)
{
    if (from->d_len > sizeof(out->sensitive.ecc.buffer))
        return hwk_raise(HWK_R_KEY, "import: a private key of %zu bytes",
                         from->d_len);
    out->sensitive.ecc.size = (UINT16)from->d_len;
    memcpy(out->sensitive.ecc.buffer, from->d, from->d_len);
    return 1;
}

/* a TPM drops zeros at the end of the values that it is given to compare */
static void sensitive_auth(const struct hwk_secret *auth, TPM2B_AUTH *out)
{
    size_t n = auth ? auth->n : 0;
    while (n > 0 && auth->p[n - 1] == 0)
        n--;
    out->size = (UINT16)n;
    if (n > 0)
        memcpy(out->buffer, auth->p, n);
}

static int sensitive(const struct hwk_private *from,
                     const struct hwk_secret *auth, TPM2B_SENSITIVE *out)
{
    TPMT_SENSITIVE *s = &out->sensitiveArea;
    memset(out, 0, sizeof(*out));
    if (auth && auth->n > sizeof(s->authValue.buffer))
        return hwk_raise(HWK_R_ARGUMENT, "import: an auth value of %zu bytes",
                         auth->n);
    sensitive_auth(auth, &s->authValue);
    s->sensitiveType =
        from->pub.type == HWK_KEY_RSA ? TPM2_ALG_RSA : TPM2_ALG_ECC;
    return from->pub.type == HWK_KEY_RSA ? sensitive_rsa(from, s)
                                         : sensitive_ec(from, s);
}

/* --- keys from the seed --- */

static int kdfa(const struct wrapping *w, const char *label,
                const TPM2B_NAME *context, uint8_t *out, size_t n)
{
    struct hwk_view of = {0};
    if (context)
        of = (struct hwk_view){context->name, context->size};
    return hwk_tpm_kdfa(w->soft, w->parent->nameAlg,
                        (struct hwk_view){w->seed.p, w->seed.n}, label, of,
                        (struct hwk_view){0}, out, n) ||
           failed("KDFa");
}

static const char *cipher_of(const TPMT_PUBLIC *parent)
{
    const TPMT_SYM_DEF_OBJECT *s =
        parent->type == TPM2_ALG_ECC ? &parent->parameters.eccDetail.symmetric
                                     : &parent->parameters.rsaDetail.symmetric;
    if (s->algorithm != TPM2_ALG_AES || s->mode.aes != TPM2_ALG_CFB)
        return NULL;
    switch (s->keyBits.aes) {
    case 128:
        return "AES-128-CFB";
    case 192:
        return "AES-192-CFB";
    case 256:
        return "AES-256-CFB";
    default:
        return NULL;
    }
}

static int encrypt(const struct wrapping *w, const uint8_t *in, size_t n,
                   uint8_t *out)
{
    static const uint8_t iv[16];
    uint8_t key[EVP_MAX_KEY_LENGTH];
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(w->soft, cipher_of(w->parent), NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int done = 0;
    int ok = cipher && ctx &&
             kdfa(w, "STORAGE", &w->name, key,
                  (size_t)EVP_CIPHER_get_key_length(cipher)) &&
             EVP_EncryptInit_ex2(ctx, cipher, key, iv, NULL) &&
             EVP_EncryptUpdate(ctx, out, &done, in, (int)n) && done == (int)n;
    OPENSSL_cleanse(key, sizeof(key));
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    return ok || failed("encrypting");
}

/* over what is encrypted and the key's name */
static int seal(const struct wrapping *w, const uint8_t *p, size_t n,
                TPM2B_DIGEST *out)
{
    uint8_t key[TPM2_SHA512_DIGEST_SIZE];
    uint8_t data[sizeof(TPM2B_SENSITIVE) + sizeof(TPM2B_NAME)];
    size_t size = w->seed.n, got = 0;
    memcpy(data, p, n);
    memcpy(data + n, w->name.name, w->name.size);
    int ok =
        kdfa(w, "INTEGRITY", NULL, key, size) &&
        (EVP_Q_mac(w->soft, "HMAC", NULL, w->hash, NULL, key, size, data,
                   n + w->name.size, out->buffer, sizeof(out->buffer), &got) ||
         failed("HMAC"));
    out->size = (UINT16)got;
    OPENSSL_cleanse(key, sizeof(key));
    return ok;
}

/* --- the whole --- */

static int outer(const struct wrapping *w, const uint8_t *plain, size_t n,
                 TPM2B_PRIVATE *out)
{
    uint8_t hidden[sizeof(TPM2B_SENSITIVE)];
    TPM2B_DIGEST mac;
    size_t at = 0;
    if (!encrypt(w, plain, n, hidden) || !seal(w, hidden, n, &mac))
        return 0;
    if (Tss2_MU_TPM2B_DIGEST_Marshal(&mac, out->buffer, sizeof(out->buffer),
                                     &at) != TSS2_RC_SUCCESS ||
        n > sizeof(out->buffer) - at)
        return hwk_raise(HWK_R_KEY, "import: the key is too large for a TPM");
    memcpy(out->buffer + at, hidden, n);
    out->size = (UINT16)(at + n);
    return 1;
}

static int hide(const struct wrapping *w, const struct hwk_private *from,
                const struct hwk_secret *auth, TPM2B_PRIVATE *out)
{
    TPM2B_SENSITIVE area;
    uint8_t plain[sizeof(area)];
    size_t n = 0;
    int ok = sensitive(from, auth, &area) &&
             (Tss2_MU_TPM2B_SENSITIVE_Marshal(&area, plain, sizeof(plain),
                                              &n) == TSS2_RC_SUCCESS ||
              failed("writing the key")) &&
             outer(w, plain, n, out);
    OPENSSL_cleanse(&area, sizeof(area));
    OPENSSL_cleanse(plain, sizeof(plain));
    return ok;
}

int hwk_tpm_wrap(OSSL_LIB_CTX *soft, const TPM2B_PUBLIC *parent,
                 const TPM2B_PUBLIC *pub, const struct hwk_private *from,
                 const struct hwk_secret *auth, struct hwk_tpm_wrapped *out)
{
    struct wrapping w = {.soft = soft, .parent = &parent->publicArea};
    struct hwk_tpm_wrapped wrapped = {0};
    w.hash = hwk_tpm_seed_hash(w.parent);
    if (!w.hash || !cipher_of(w.parent))
        return hwk_raise(HWK_R_UNSUPPORTED,
                         "import: under a parent with SHA-256, SHA-384 or "
                         "SHA-512 and AES in CFB mode only");
    int ok =
        hwk_tpm_public_name(pub, &w.name) &&
        hwk_tpm_seed_make(soft, parent, "DUPLICATE", &w.seed, &wrapped.seed) &&
        hide(&w, from, auth, &wrapped.duplicate);
    OPENSSL_cleanse(&w.seed, sizeof(w.seed));
    if (ok)
        *out = wrapped;
    return ok;
}
