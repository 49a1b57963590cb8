/* SPDX-License-Identifier: Apache-2.0 */
/* RSA paddings where a device's own do not serve (RFC 8017), all pure. */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>

#include "provider/pss.h"

/* xors out[n] with MGF1(seed) */
static int mask(const struct hwk_pss_hash *hash, const uint8_t *seed,
                size_t seed_len, uint8_t *out, size_t n)
{
    uint8_t in[HWK_PSS_HASH_MAX + 4], d[HWK_PSS_HASH_MAX];
    if (seed_len > HWK_PSS_HASH_MAX)
        return 0;
    memcpy(in, seed, seed_len);
    for (uint32_t i = 0; n > 0; i++) {
        const uint8_t counter[4] = {(uint8_t)(i >> 24), (uint8_t)(i >> 16),
                                    (uint8_t)(i >> 8), (uint8_t)i};
        memcpy(in + seed_len, counter, 4);
        if (!hash->of(hash->arg, in, seed_len + 4, d))
            return 0;
        size_t part = n < hash->size ? n : hash->size;
        for (size_t j = 0; j < part; j++)
            out[j] ^= d[j];
        out += part;
        n -= part;
    }
    return 1;
}

/* H = Hash(8 zero bytes || digest || salt) */
static int inner(const struct hwk_pss_hash *hash, const uint8_t *digest,
                 const uint8_t *salt, size_t salt_len,
                 uint8_t out[static HWK_PSS_HASH_MAX])
{
    uint8_t in[8 + HWK_PSS_HASH_MAX + HWK_RSA_MAX] = {0};
    if (hash->size > HWK_PSS_HASH_MAX || salt_len > HWK_RSA_MAX)
        return 0;
    memcpy(in + 8, digest, hash->size);
    if (salt_len)
        memcpy(in + 8 + hash->size, salt, salt_len);
    return hash->of(hash->arg, in, 8 + hash->size + salt_len, out);
}

int hwk_pss_encode(const struct hwk_pss_hash *hash,
                   const struct hwk_pss_hash *mgf1, const uint8_t *digest,
                   const uint8_t *salt, size_t salt_len, unsigned bits,
                   uint8_t *out)
{
    uint8_t check[HWK_PSS_HASH_MAX];
    size_t h = hash->size, size = (bits + 7) / 8;
    size_t em = (bits - 1 + 7) / 8; /* bytes of the encoded message */
    if (h == 0 || size > HWK_RSA_MAX || salt_len > size || em < h + 2 ||
        em - h - 2 < salt_len || !inner(hash, digest, salt, salt_len, check))
        return 0;
    size_t db = em - h - 1;
    memset(out, 0, size);
    uint8_t *e = out + size - em;
    e[db - salt_len - 1] = 1;
    if (salt_len)
        memcpy(e + db - salt_len, salt, salt_len);
    if (!mask(mgf1, check, h, e, db))
        return 0;
    e[0] &= (uint8_t)(0xff >> (8 * em - (bits - 1)));
    memcpy(e + db, check, h);
    e[em - 1] = 0xbc;
    return 1;
}

/* what was signed: sig^e mod n, as long as the modulus */
static int recover(const struct hwk_pub *pub, const uint8_t *sig, size_t n,
                   uint8_t *out)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *s = BN_bin2bn(sig, (int)n, NULL);
    BIGNUM *m = BN_bin2bn(pub->n, (int)pub->n_len, NULL);
    BIGNUM *e = BN_bin2bn(pub->e, (int)pub->e_len, NULL);
    int ok = ctx && s && m && e && BN_mod_exp(s, s, e, m, ctx) &&
             BN_bn2binpad(s, out, (int)pub->n_len) >= 0;
    BN_free(s);
    BN_free(m);
    BN_free(e);
    BN_CTX_free(ctx);
    return ok;
}

/* the salt's place in an unmasked block, -1 if it is not one */
static int salt_at(const uint8_t *db, size_t n)
{
    size_t i = 0;
    while (i < n && db[i] == 0)
        i++;
    return i < n && db[i] == 1 ? (int)(i + 1) : -1;
}

int hwk_pss_salt(const struct hwk_pss_hash *hash, const uint8_t *digest,
                 const struct hwk_pub *pub, const uint8_t *sig, size_t n)
{
    uint8_t block[HWK_RSA_MAX], check[HWK_PSS_HASH_MAX];
    unsigned bits = (unsigned)hwk_pub_bits(pub);
    size_t h = hash->size, em = (bits - 1 + 7) / 8;
    if (pub->type != HWK_KEY_RSA || n != pub->n_len || n > HWK_RSA_MAX ||
        h == 0 || em < h + 2 || !recover(pub, sig, n, block))
        return -1;
    uint8_t *e = block + n - em;
    size_t db = em - h - 1;
    if (e[em - 1] != 0xbc || !mask(hash, e + db, h, e, db))
        return -1;
    e[0] &= (uint8_t)(0xff >> (8 * em - (bits - 1)));
    int at = salt_at(e, db);
    if (at < 0 || !inner(hash, digest, e + at, db - (size_t)at, check))
        return -1;
    return CRYPTO_memcmp(check, e + db, h) == 0 ? (int)db - at : -1;
}

int hwk_pkcs1_block(const uint8_t *in, size_t n, uint8_t *out, size_t size)
{
    if (size < 11 || n > size - 11)
        return 0;
    memset(out, 0xff, size);
    out[0] = 0;
    out[1] = 1;
    out[size - n - 1] = 0;
    memcpy(out + size - n, in, n);
    return 1;
}
