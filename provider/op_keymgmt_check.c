/* SPDX-License-Identifier: Apache-2.0 */
/* Checking keys: the public half in software, and whether the private one on
 * the device belongs to it, by a signature. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "provider/op_signature.h"
#include "provider/sigform.h"
#include "provider/soft.h"

#define MESSAGE 32

/* --- both halves --- */

static int eddsa_pair(struct hwk_key *key, const uint8_t *message)
{
    struct hwk_mech mech = {.type = HWK_KEY_ED, .message = true};
    uint8_t sig[HWK_POINT_MAX];
    size_t n = sizeof(sig);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok;

    mech.with_context = key->pub.curve->field != 32;
    ok = ctx != NULL && hwk_key_sign(key, &mech, message, MESSAGE, sig, &n) &&
         EVP_DigestVerifyInit_ex(ctx, NULL, NULL, hwk_core_soft(key->core),
                                 NULL, hwk_key_soft(key), NULL) > 0 &&
         EVP_DigestVerify(ctx, sig, n, message, MESSAGE) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* a way to sign that the key allows */
static void choose(struct hwk_sig *sig, struct hwk_key *key)
{
    const struct hwk_limits *l = &key->limits;
    const struct hwk_pss *pss = &key->pub.pss;
    bool pkcs1 = !l->limited || l->plain[HWK_PAD_PKCS1] ||
                 l->hashing[HWK_PAD_PKCS1] != 0;
    unsigned mds;

    memset(sig, 0, sizeof(*sig));
    sig->core = key->core;
    sig->key = key;
    sig->type = key->pub.type;
    sig->salt = HWK_SALT_DIGEST;
    if (key->pub.type == HWK_KEY_RSA)
        sig->pad = pss->only || !pkcs1 ? HWK_PAD_PSS : HWK_PAD_PKCS1;
    sig->mgf1 = pss->mgf1;
    sig->md = key->md != HWK_MD_NONE ? key->md : pss->md;
    mds = l->plain[sig->pad] ? 0 : l->hashing[sig->pad];
    while (sig->md == HWK_MD_NONE && mds != 0 && (mds >> sig->md & 1) == 0)
        sig->md++;
    if (sig->md == HWK_MD_NONE)
        sig->md = HWK_MD_SHA256;
}

static int as_signed(EVP_PKEY_CTX *ctx, const struct hwk_mech *mech, EVP_MD *md,
                     EVP_MD *mgf1)
{
    if (EVP_PKEY_verify_init(ctx) <= 0)
        return 0;
    if (mech->type == HWK_KEY_RSA &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, mech->pad == HWK_PAD_PSS
                                              ? RSA_PKCS1_PSS_PADDING
                                              : RSA_PKCS1_PADDING) <= 0)
        return 0;
    if (EVP_PKEY_CTX_set_signature_md(ctx, md) <= 0)
        return 0;
    return mech->pad != HWK_PAD_PSS ||
           (EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mgf1) > 0 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)mech->salt) > 0);
}

static int verify(struct hwk_key *key, const struct hwk_mech *mech,
                  const uint8_t *sig, size_t sig_n, const uint8_t *digest,
                  size_t n)
{
    EVP_MD *md = hwk_core_md(key->core, mech->md), *mgf1 = md;
    EVP_PKEY_CTX *ctx = hwk_soft_ctx(key);
    int ok;

    if (mech->pad == HWK_PAD_PSS && mech->mgf1 != mech->md)
        mgf1 = hwk_core_md(key->core, mech->mgf1);
    ok = ctx != NULL && mgf1 != NULL && as_signed(ctx, mech, md, mgf1) &&
         EVP_PKEY_verify(ctx, sig, sig_n, digest, n) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static int digest_pair(struct hwk_key *key, const uint8_t *message)
{
    uint8_t digest[EVP_MAX_MD_SIZE], raw[HWK_SIG_MAX], der[HWK_SIG_MAX];
    size_t n = sizeof(raw), der_n = sizeof(der);
    unsigned digest_n;
    struct hwk_sig sig;
    struct hwk_mech mech;
    EVP_MD *md;

    choose(&sig, key);
    md = hwk_core_md(key->core, sig.md);
    if (md == NULL || !hwk_sig_mech(&sig, &mech) ||
        !EVP_Digest(message, MESSAGE, digest, &digest_n, md, NULL))
        return 0;
    mech.message = (key->flags & HWK_FOUND_MESSAGE) != 0 ||
                   hwk_limits_message(&key->limits, sig.pad, sig.md);
    if (!hwk_key_sign(key, &mech, mech.message ? message : digest,
                      mech.message ? MESSAGE : digest_n, raw, &n))
        return 0;
    if (key->pub.type == HWK_KEY_RSA)
        return verify(key, &mech, raw, n, digest, digest_n);
    return hwk_sig_to_der(raw, key->pub.curve->order, der, &der_n) &&
           verify(key, &mech, der, der_n, digest, digest_n);
}

/* a key that does not sign is taken at its word */
static int check_pair(struct hwk_key *key)
{
    uint8_t message[MESSAGE];
    int ok;

    if (key->pub.type == HWK_KEY_X || (key->flags & HWK_FOUND_NO_SIGN) != 0)
        return 1;
    if (RAND_bytes_ex(hwk_core_soft(key->core), message, MESSAGE, 0) != 1)
        return hwk_raise(HWK_R_DELEGATE, "no random bytes");
    ok = key->pub.type == HWK_KEY_ED ? eddsa_pair(key, message)
                                     : digest_pair(key, message);
    return ok || hwk_raise(HWK_R_KEY,
                           "%s: what the private half signs, the "
                           "public one does not verify",
                           hwk_key_name(key));
}

int hwk_keymgmt_validate(const void *keydata, int selection, int checktype)
{
    union {
        const void *c;
        struct hwk_key *p;
    } key = {keydata};

    if (!hwk_keymgmt_has(keydata, selection))
        return 0;
    if (key.p->software)
        return hwk_soft_validate(key.p, selection, checktype);
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 &&
        !hwk_soft_validate(key.p, OSSL_KEYMGMT_SELECT_PUBLIC_KEY, checktype))
        return 0;
    return (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) !=
               OSSL_KEYMGMT_SELECT_KEYPAIR ||
           check_pair(key.p);
}
