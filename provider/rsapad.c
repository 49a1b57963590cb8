/* SPDX-License-Identifier: Apache-2.0 */
/* RSA paddings in software; taken off without telling what was wrong. */
#define OPENSSL_SUPPRESS_DEPRECATED /* RSA_padding_check_*: no successors */
#include <string.h>

#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "provider/log.h"
#include "provider/pss.h"
#include "provider/rsapad.h"

/* --- for signatures --- */

static int pad_pkcs1(const struct hwk_mech *mech, const struct hwk_pub *pub,
                     const uint8_t *in, size_t n, uint8_t *em)
{
    uint8_t info[HWK_RSA_MAX];
    size_t len = sizeof(info);

    return hwk_mech_pkcs1(mech, in, n, info, &len) &&
           (hwk_pkcs1_block(info, len, em, pub->n_len) ||
            hwk_raise(HWK_R_PADDING, "the key is too small for %zu bytes", n));
}

static int hash_of(const void *arg, const uint8_t *p, size_t n, uint8_t *out)
{
    return EVP_Digest(p, n, out, NULL, arg, NULL);
}

static int pad_pss(struct hwk_core *core, const struct hwk_mech *mech,
                   const struct hwk_pub *pub, const uint8_t *in, uint8_t *em)
{
    const struct hwk_pss_hash md = {hwk_md_size(mech->md), hash_of,
                                    hwk_core_md(core, mech->md)};
    const struct hwk_pss_hash mgf1 = {hwk_md_size(mech->mgf1), hash_of,
                                      hwk_core_md(core, mech->mgf1)};
    uint8_t salt[HWK_RSA_MAX];

    if (md.arg == NULL || mgf1.arg == NULL)
        return 0;
    if (mech->salt > sizeof(salt) ||
        RAND_bytes_ex(hwk_core_soft(core), salt, mech->salt, 0) <= 0)
        return hwk_raise(HWK_R_DELEGATE, "no salt of %zu bytes", mech->salt);
    return hwk_pss_encode(&md, &mgf1, in, salt, mech->salt,
                          (unsigned)hwk_pub_bits(pub), em) ||
           hwk_raise(HWK_R_PADDING, "PSS with %s and a salt of %zu bytes fails",
                     hwk_md_name(mech->md), mech->salt);
}

int hwk_rsa_pad(struct hwk_core *core, const struct hwk_mech *mech,
                const struct hwk_pub *pub, const uint8_t *in, size_t n,
                uint8_t em[static HWK_RSA_MAX])
{
    hwk_log(HWK_LOG_CALLS, "padding", "by", "provider");
    return mech->pad == HWK_PAD_PSS ? pad_pss(core, mech, pub, in, em)
                                    : pad_pkcs1(mech, pub, in, n, em);
}

/* --- for decryption --- */

int hwk_rsa_unpad(struct hwk_core *core, const struct hwk_mech *mech,
                  const uint8_t *em, size_t k, uint8_t *out, size_t room,
                  size_t *n)
{
    bool oaep = mech->pad == HWK_PAD_OAEP;
    EVP_MD *md = NULL, *mgf1 = NULL;
    int len;

    hwk_log(HWK_LOG_CALLS, "padding", "by", "provider");
    if (oaep && ((md = hwk_core_md(core, mech->md)) == NULL ||
                 (mgf1 = hwk_core_md(core, mech->mgf1)) == NULL))
        return 0;
    hwk_mark();
    if (oaep)
        len = RSA_padding_check_PKCS1_OAEP_mgf1(out, (int)room, em, (int)k,
                                                (int)k, mech->label,
                                                (int)mech->label_len, md, mgf1);
    else
        len =
            RSA_padding_check_PKCS1_type_2(out, (int)room, em, (int)k, (int)k);
    hwk_settle(1);
    if (len < 0)
        return hwk_raise(HWK_R_PADDING, "the ciphertext is not for this key");
    *n = (size_t)len;
    return 1;
}

/* --- premaster secrets: masks are all ones for yes --- */

static unsigned is_zero(unsigned v) /* a byte */
{
    return 0u - ((v - 1) >> (8 * sizeof(v) - 1));
}

static unsigned is_version(const uint8_t *p, unsigned version)
{
    return is_zero((p[0] ^ (version >> 8)) & 0xff) &
           is_zero((p[1] ^ version) & 0xff);
}

static int choose(struct hwk_core *core, unsigned good, const uint8_t *secret,
                  uint8_t out[static HWK_PREMASTER])
{
    OSSL_LIB_CTX *soft = hwk_core_soft(core);
    uint8_t other[HWK_PREMASTER];
    size_t i;

    if (soft == NULL || RAND_priv_bytes_ex(soft, other, sizeof(other), 0) <= 0)
        return hwk_raise(HWK_R_DELEGATE, "no random numbers");
    for (i = 0; i < HWK_PREMASTER; i++)
        out[i] = (uint8_t)((secret[i] & good) | (other[i] & ~good));
    OPENSSL_cleanse(other, sizeof(other));
    return 1;
}

static unsigned either(const uint8_t *secret, unsigned version, unsigned alt)
{
    unsigned mask = is_version(secret, version);

    return alt != 0 ? mask | is_version(secret, alt) : mask;
}

int hwk_rsa_premaster(struct hwk_core *core, const uint8_t *em, size_t k,
                      unsigned version, unsigned alt,
                      uint8_t out[static HWK_PREMASTER])
{
    const uint8_t *secret = em + k - HWK_PREMASTER;
    unsigned good;
    size_t i;

    if (k < HWK_PREMASTER + 11)
        return hwk_raise(HWK_R_KEY, "a key of %zu bytes for TLS", k);
    good = is_zero(em[0]) & is_zero(em[1] ^ 2u);
    for (i = 2; i < k - HWK_PREMASTER - 1; i++)
        good &= ~is_zero(em[i]);
    good &= is_zero(secret[-1]) & either(secret, version, alt);
    return choose(core, good, secret, out);
}

int hwk_rsa_premaster_of(struct hwk_core *core, bool ok, const uint8_t *pt,
                         size_t n, unsigned version, unsigned alt,
                         uint8_t out[static HWK_PREMASTER])
{
    unsigned good = 0u - (unsigned)ok;

    good &= is_zero((unsigned)(n ^ HWK_PREMASTER) & 0xff) &
            is_zero((unsigned)((n ^ HWK_PREMASTER) >> 8) & 0xff);
    good &= either(pt, version, alt);
    return choose(core, good, pt, out);
}
