/* SPDX-License-Identifier: Apache-2.0 */
/* TPM2_MakeCredential in software. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <idevid/auto.h>

#include "tpm/credential.h"
#include "tpm/wire.h"

#define DIGEST_MAX 64
#define FIELD_MAX 66
#define KEY_MAX 32 /* AES-256 */

IDV_AUTO_PTR_DEFINE(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)

/* The secret that both sides share, and what comes of it. */
struct shared {
    const struct idvi_tpm_public *ek;
    const EVP_MD *md;
    size_t n; /* bytes of a digest, and of the seed */
    uint8_t seed[DIGEST_MAX];
};

/* --- who gets one --- */

static idv_rc check_ek(const struct idvi_tpm_public *ek)
{
    const uint32_t parent = IDVI_TPM_RESTRICTED | IDVI_TPM_DECRYPT;
    if ((ek->attributes & (parent | IDVI_TPM_SIGN)) != parent ||
        ek->scheme != IDVI_TPM_NULL)
        return idv_fail(IDV_E_REJECT,
                        "credential: for a key that is no endorsement key");
    if (ek->symmetric != IDVI_TPM_AES || ek->sym_mode != IDVI_TPM_CFB ||
        (ek->sym_bits != 128 && ek->sym_bits != 192 && ek->sym_bits != 256))
        return idv_fail(IDV_E_REJECT,
                        "credential: for a key with the symmetric algorithm "
                        "0x%04x of %u bits in mode 0x%04x",
                        ek->symmetric, ek->sym_bits, ek->sym_mode);
    return IDV_OK;
}

static idv_rc check(const struct idvi_tpm_public *ek, struct idv_bytes name,
                    struct idv_bytes secret)
{
    IDV_TRY(check_ek(ek));
    if (!idvi_tpm_is_name(name))
        return idv_fail(IDV_E_ARG, "credential: for a Name that is none");
    if (secret.n == 0 || secret.n > idvi_tpm_hash_size(ek->name_alg))
        return idv_fail(IDV_E_ARG, "credential: a secret of %zu bytes",
                        secret.n);
    return IDV_OK;
}

/* --- derivations --- */

static void put_u32(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

/* KDFa (Part 1, 11.4.10.2) of no more than one digest, so that its counter is
 * 1; label with its NUL, context is contextU. */
static idv_rc kdfa(const struct shared *s, struct idv_bytes label,
                   struct idv_bytes context, size_t n, uint8_t *out)
{
    uint8_t text[4 + 16 + IDVI_TPM_NAME_MAX + 4], all[DIGEST_MAX];
    unsigned got = 0;
    put_u32(text, 1);
    memcpy(text + 4, label.p, label.n);
    if (context.n)
        memcpy(text + 4 + label.n, context.p, context.n);
    put_u32(text + 4 + label.n + context.n, 8 * n);
    if (!HMAC(s->md, s->seed, (int)s->n, text, 8 + label.n + context.n, all,
              &got) ||
        n > got)
        return idv_fail(IDV_E_CRYPTO, "credential: a key for it");
    memcpy(out, all, n);
    OPENSSL_cleanse(all, sizeof(all));
    return IDV_OK;
}

/* KDFe (Part 1, 11.4.10.3) of one digest, into the seed. */
static idv_rc kdfe(struct shared *s, struct idv_bytes z, struct idv_bytes u,
                   struct idv_bytes v)
{
    static const uint8_t one[4] = {0, 0, 0, 1};
    const struct idv_bytes parts[] = {idv_bytes(one, 4), z,
                                      idv_bytes("IDENTITY", 9), u, v};
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestInit_ex(ctx, s->md, NULL);
    for (size_t i = 0; ok && i < sizeof(parts) / sizeof(*parts); i++)
        ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n);
    if (!ok || EVP_DigestFinal_ex(ctx, s->seed, NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "credential: its seed");
    return IDV_OK;
}

/* --- the seed, and how only the EK gets it --- */

static idv_rc oaep(const struct shared *s, EVP_PKEY *key, struct idv_buf *out)
{
    char md[16], label[] = "IDENTITY"; /* with its NUL */
    uint8_t raw[512];
    size_t n = sizeof(raw);
    snprintf(md, sizeof(md), "%s", EVP_MD_get0_name(s->md));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE,
                                         (char[]){"oaep"}, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, md,
                                         0),
        OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, md,
                                         0),
        OSSL_PARAM_construct_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL,
                                          label, sizeof(label)),
        OSSL_PARAM_END};
    IDV_AUTO_PTR(EVP_PKEY_CTX)
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, "?provider=default");
    if (!ctx || EVP_PKEY_encrypt_init_ex(ctx, params) != 1 ||
        EVP_PKEY_encrypt(ctx, raw, &n, s->seed, s->n) != 1)
        return idv_fail(IDV_E_CRYPTO, "credential: its seed for the EK");
    return idvi_wire_put_sized(out, idv_bytes(raw, n));
}

static idv_rc rsa_seed(struct shared *s, EVP_PKEY *key,
                       const struct idv_env *env, struct idv_buf *out)
{
    IDV_TRY(idv_random(env, s->seed, s->n));
    return oaep(s, key, out);
}

struct point {
    size_t n; /* of a coordinate */
    uint8_t raw[1 + 2 * FIELD_MAX];
};

static idv_rc get_point(const EVP_PKEY *key, struct point *p)
{
    size_t n = 0;
    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, p->raw,
                                        sizeof(p->raw), &n) != 1 ||
        p->raw[0] != POINT_CONVERSION_UNCOMPRESSED || n % 2 == 0)
        return idv_fail(IDV_E_CRYPTO, "credential: an ephemeral key");
    p->n = n / 2;
    return IDV_OK;
}

/* (The point is on its curve, which has no small subgroups: that was seen when
 * the key was made, and need not be looked for again.) */
static idv_rc agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t *z, size_t *n)
{
    IDV_AUTO_PTR(EVP_PKEY_CTX)
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, "?provider=default");
    if (!ctx || EVP_PKEY_derive_init(ctx) != 1 ||
        EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) != 1 ||
        EVP_PKEY_derive(ctx, z, n) != 1)
        return idv_fail(IDV_E_CRYPTO, "credential: an agreement with the EK");
    return IDV_OK;
}

static idv_rc put_point(const struct point *p, struct idv_buf *out)
{
    IDV_TRY(idvi_wire_put16(out, (uint16_t)(2 * (2 + p->n))));
    IDV_TRY(idvi_wire_put_sized(out, idv_bytes(p->raw + 1, p->n)));
    return idvi_wire_put_sized(out, idv_bytes(p->raw + 1 + p->n, p->n));
}

static idv_rc ecc_seed(struct shared *s, EVP_PKEY *key, struct idv_buf *out)
{
    uint8_t z[FIELD_MAX];
    size_t n = sizeof(z);
    struct point q = {0};
    IDV_AUTO_PTR(EVP_PKEY)
    own = EVP_PKEY_Q_keygen(NULL, "?provider=default", "EC",
                            idvi_tpm_curve_name(s->ek->curve));
    if (!own)
        return idv_fail(IDV_E_CRYPTO, "credential: an ephemeral key");
    IDV_TRY(get_point(own, &q));
    IDV_TRY(agree(own, key, z, &n));
    idv_rc rc = kdfe(s, idv_bytes(z, n), idv_bytes(q.raw + 1, q.n), s->ek->x);
    OPENSSL_cleanse(z, sizeof(z));
    return rc ? rc : put_point(&q, out);
}

static idv_rc make_seed(struct shared *s, const struct idv_env *env,
                        struct idv_buf *out)
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    idv_rc rc = idvi_tpm_public_to_key(s->ek, &key);
    if (rc == IDV_E_FORMAT)
        return idv_fail(IDV_E_REJECT, "credential: for a key that is none");
    if (rc != IDV_OK)
        return rc;
    return s->ek->type == IDVI_TPM_RSA ? rsa_seed(s, key, env, out)
                                       : ecc_seed(s, key, out);
}

/* --- the secret under the seed --- */

/* TPM2B_DIGEST, encrypted */
static idv_rc encrypt(const struct shared *s, struct idv_bytes name,
                      struct idv_bytes secret, struct idv_buf *out)
{
    static const uint8_t iv[16];
    uint8_t key[KEY_MAX], *p = NULL;
    size_t bits = s->ek->sym_bits;
    int n = 0;
    const EVP_CIPHER *aes = bits == 128   ? EVP_aes_128_cfb128()
                            : bits == 192 ? EVP_aes_192_cfb128()
                                          : EVP_aes_256_cfb128();
    IDV_AUTO(buf) plain = {.secret = true};
    IDV_AUTO_PTR(EVP_CIPHER_CTX) ctx = EVP_CIPHER_CTX_new();
    IDV_TRY(idvi_wire_put_sized(&plain, secret));
    IDV_TRY(idv_buf_room(out, plain.n, &p));
    IDV_TRY(kdfa(s, idv_bytes("STORAGE", 8), name, bits / 8, key));
    int ok = ctx && EVP_EncryptInit_ex(ctx, aes, NULL, key, iv) == 1 &&
             EVP_EncryptUpdate(ctx, p, &n, plain.p, (int)plain.n) == 1;
    OPENSSL_cleanse(key, sizeof(key));
    if (!ok || (size_t)n != plain.n)
        return idv_fail(IDV_E_CRYPTO, "credential: its encryption");
    out->n += plain.n;
    return IDV_OK;
}

static idv_rc protect(const struct shared *s, struct idv_bytes name,
                      struct idv_bytes encrypted, struct idv_buf *out)
{
    uint8_t key[DIGEST_MAX], mac[DIGEST_MAX];
    unsigned n = 0;
    IDV_AUTO(buf) text = {0};
    IDV_TRY(idv_buf_put(&text, encrypted));
    IDV_TRY(idv_buf_put(&text, name));
    IDV_TRY(
        kdfa(s, idv_bytes("INTEGRITY", 10), (struct idv_bytes){0}, s->n, key));
    bool ok = HMAC(s->md, key, (int)s->n, text.p, text.n, mac, &n);
    OPENSSL_cleanse(key, sizeof(key));
    if (!ok)
        return idv_fail(IDV_E_CRYPTO, "credential: its integrity");
    return idvi_wire_put_sized(out, idv_bytes(mac, n));
}

static idv_rc make_object(const struct shared *s, struct idv_bytes name,
                          struct idv_bytes secret, struct idv_buf *out)
{
    IDV_AUTO(buf) encrypted = {0};
    IDV_AUTO(buf) inner = {0};
    IDV_TRY(encrypt(s, name, secret, &encrypted));
    IDV_TRY(protect(s, name, idv_view(&encrypted), &inner));
    IDV_TRY(idv_buf_put(&inner, idv_view(&encrypted)));
    return idvi_wire_put_sized(out, idv_view(&inner));
}

idv_rc idvi_credential_make(const struct idvi_tpm_public *ek,
                            struct idv_bytes name, struct idv_bytes secret,
                            const struct idv_env *env,
                            struct idv_buf *credential,
                            struct idv_buf *encrypted)
{
    IDV_AUTO(buf) object = {0};
    IDV_AUTO(buf) seed = {0};
    IDV_TRY(check(ek, name, secret));
    struct shared s = {.ek = ek,
                       .md = idvi_tpm_md(ek->name_alg),
                       .n = idvi_tpm_hash_size(ek->name_alg)};
    idv_rc rc = make_seed(&s, env, &seed);
    rc = rc ? rc : make_object(&s, name, secret, &object);
    OPENSSL_cleanse(&s, sizeof(s));
    IDV_TRY(rc);
    IDV_TRY(idv_buf_put(credential, idv_view(&object)));
    return idv_buf_put(encrypted, idv_view(&seed));
}
