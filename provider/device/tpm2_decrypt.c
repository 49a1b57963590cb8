/* SPDX-License-Identifier: Apache-2.0 */
/* RSA decryption, key agreement, random numbers. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/tpm2_key.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_public.h"

bool hwk_tpm_can_raw(const struct hwk_tpm_key *key)
{
    const TPMT_PUBLIC *t = &key->object->pub.publicArea;
    return t->type == TPM2_ALG_RSA &&
           (t->objectAttributes & TPMA_OBJECT_DECRYPT) &&
           !(t->objectAttributes & TPMA_OBJECT_RESTRICTED) &&
           t->parameters.rsaDetail.scheme.scheme == TPM2_ALG_NULL;
}

static int command(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                   unsigned secret, const TPMT_RSA_DECRYPT *scheme,
                   const TPM2B_DATA *label, const uint8_t *in, size_t n,
                   TPM2B_PUBLIC_KEY_RSA **out)
{
    TPM2B_PUBLIC_KEY_RSA cipher = {.size = (UINT16)n};
    struct hwk_tpm_use use = {.code = TPM2_CC_RSA_Decrypt, .secret = secret};
    TSS2_RC rc;
    if (n > sizeof(cipher.buffer))
        return hwk_raise(HWK_R_ARGUMENT, "ciphertext of %zu bytes", n);
    memcpy(cipher.buffer, in, n);
    if (!hwk_tpm_key_use(tpm, key, &use))
        return 0;
    do
        rc = Esys_RSA_Decrypt(tpm->esys, use.tr, use.session, ESYS_TR_NONE,
                              ESYS_TR_NONE, &cipher, scheme, label, out);
    while (hwk_tpm_key_again(tpm, key, &use, rc));
    return hwk_tpm_key_done(tpm, key, rc, "RSA_Decrypt");
}

static void wipe(TPM2B_PUBLIC_KEY_RSA *p)
{
    OPENSSL_cleanse(p, sizeof(*p));
    Esys_Free(p);
}

int hwk_tpm_raw(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                const uint8_t *block, uint8_t *out, size_t n)
{
    const TPMT_RSA_DECRYPT scheme = {.scheme = TPM2_ALG_NULL};
    TPM2B_PUBLIC_KEY_RSA *plain = NULL;
    if (!command(tpm, key, HWK_TPM_NO_SECRET, &scheme, NULL, block, n, &plain))
        return 0;
    int ok = hwk_tpm_align(plain->buffer, plain->size, out, n);
    wipe(plain);
    return ok ? 1 : hwk_raise(HWK_R_TPM, "RSA_Decrypt: too long an answer");
}

/* why the TPM will not take OAEP off; NULL if it will. It takes a label only
 * with a NUL at its end, which it hashes too. */
static const char *oaep_objection(const TPMT_RSA_SCHEME *fixed,
                                  const struct hwk_mech *mech)
{
    TPMI_ALG_HASH hash = hwk_tpm_alg(mech->md);
    if (hash == TPM2_ALG_NULL)
        return "a digest it does not know";
    if (fixed->scheme == TPM2_ALG_OAEP && fixed->details.oaep.hashAlg != hash)
        return "another digest than the one it is tied to";
    if (mech->mgf1 != mech->md && mech->mgf1 != HWK_MD_NONE)
        return "another digest in MGF1";
    if (mech->label_len > sizeof(((TPM2B_DATA *)0)->buffer) ||
        (mech->label_len > 0 && mech->label[mech->label_len - 1] != 0))
        return "a label that does not end with a NUL";
    return NULL;
}

/* the same for every padding: a scheme that the key is tied to would be used
 * whatever is asked for */
static const char *objection(const struct hwk_tpm_key *key,
                             const struct hwk_mech *mech)
{
    const TPMT_PUBLIC *t = &key->object->pub.publicArea;
    const TPMT_RSA_SCHEME *fixed = &t->parameters.rsaDetail.scheme;
    TPM2_ALG_ID want =
        mech->pad == HWK_PAD_OAEP ? TPM2_ALG_OAEP : TPM2_ALG_RSAES;
    if (mech->pad == HWK_PAD_NONE)
        return hwk_tpm_can_raw(key) ? NULL : "bare RSA";
    if (fixed->scheme != TPM2_ALG_NULL && fixed->scheme != want)
        return "another padding than the one it is tied to";
    return mech->pad == HWK_PAD_OAEP ? oaep_objection(fixed, mech) : NULL;
}

static void scheme_of(const struct hwk_mech *mech, TPMT_RSA_DECRYPT *scheme,
                      TPM2B_DATA *label)
{
    label->size = 0;
    scheme->scheme = mech->pad == HWK_PAD_NONE    ? TPM2_ALG_NULL
                     : mech->pad == HWK_PAD_PKCS1 ? TPM2_ALG_RSAES
                                                  : TPM2_ALG_OAEP;
    if (mech->pad != HWK_PAD_OAEP)
        return;
    scheme->details.oaep.hashAlg = hwk_tpm_alg(mech->md);
    label->size = (UINT16)mech->label_len;
    if (mech->label_len > 0)
        memcpy(label->buffer, mech->label, mech->label_len);
}

int hwk_tpm_decrypt(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                    const struct hwk_mech *mech, const uint8_t *in, size_t n,
                    uint8_t *out, size_t *out_n)
{
    TPMT_RSA_DECRYPT scheme;
    TPM2B_DATA label;
    TPM2B_PUBLIC_KEY_RSA *plain = NULL;
    if (key->object->pub.publicArea.type != TPM2_ALG_RSA)
        return hwk_raise(HWK_R_KEY, "decryption with a key that is not RSA");
    const char *no = objection(key, mech);
    if (no)
        return hwk_raise(HWK_R_UNSUPPORTED, "TPM key %s cannot decrypt: %s",
                         key->object->called, no);
    scheme_of(mech, &scheme, &label);
    if (!command(tpm, key, HWK_TPM_SECRET_BACK, &scheme, &label, in, n, &plain))
        return 0;
    int ok = plain->size <= *out_n;
    if (ok) {
        memcpy(out, plain->buffer, plain->size);
        *out_n = plain->size;
    }
    wipe(plain);
    return ok ? 1 : hwk_raise(HWK_R_ARGUMENT, "no room for the plaintext");
}

static int peer_point(size_t field, const uint8_t *peer, size_t n,
                      TPM2B_ECC_POINT *out)
{
    if (n != 1 + 2 * field || peer[0] != 4)
        return hwk_raise(HWK_R_ARGUMENT, "ECDH: no point of this curve");
    out->size = 0;
    out->point.x.size = out->point.y.size = (UINT16)field;
    memcpy(out->point.x.buffer, peer + 1, field);
    memcpy(out->point.y.buffer, peer + 1 + field, field);
    return 1;
}

int hwk_tpm_derive(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                   const uint8_t *peer, size_t n, uint8_t *out, size_t *out_n)
{
    const TPMT_PUBLIC *t = &key->object->pub.publicArea;
    TPM2B_ECC_POINT in, *z = NULL;
    struct hwk_tpm_use use = {.code = TPM2_CC_ECDH_ZGen,
                              .secret = HWK_TPM_SECRET_BACK};
    TSS2_RC rc;
    if (t->type != TPM2_ALG_ECC)
        return hwk_raise(HWK_R_KEY, "ECDH with a key that is not EC");
    size_t field = hwk_tpm_curve_facts(t->parameters.eccDetail.curveID)->field;
    if (*out_n < field)
        return hwk_raise(HWK_R_ARGUMENT, "no room for the secret");
    if (!peer_point(field, peer, n, &in))
        return 0;
    if (!hwk_tpm_key_use(tpm, key, &use))
        return 0;
    do
        rc = Esys_ECDH_ZGen(tpm->esys, use.tr, use.session, ESYS_TR_NONE,
                            ESYS_TR_NONE, &in, &z);
    while (hwk_tpm_key_again(tpm, key, &use, rc));
    if (!hwk_tpm_key_done(tpm, key, rc, "ECDH_ZGen"))
        return 0;
    int ok = hwk_tpm_align(z->point.x.buffer, z->point.x.size, out, field);
    OPENSSL_cleanse(z, sizeof(*z));
    Esys_Free(z);
    if (!ok)
        return hwk_raise(HWK_R_TPM, "ECDH_ZGen: too long an answer");
    *out_n = field;
    return 1;
}

/* what somebody makes keys of is a secret */
static int random_piece(struct hwk_tpm *tpm, uint8_t *out, size_t n,
                        size_t *given)
{
    TPM2B_DIGEST *some = NULL;
    ESYS_TR session;
    TSS2_RC rc;
    do {
        if (!hwk_tpm_shield(tpm, HWK_TPM_SECRET_BACK, &session))
            return 0;
        rc = Esys_GetRandom(tpm->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
                            (UINT16)(n < 32 ? n : 32), &some);
    } while (hwk_tpm_again(tpm, rc));
    int ok = hwk_tpm_check(tpm, rc, "GetRandom", 0);
    if (ok && (some->size == 0 || some->size > n))
        ok = hwk_raise(HWK_R_TPM, "GetRandom: %u bytes", some->size);
    if (ok) {
        memcpy(out, some->buffer, some->size);
        *given = some->size;
        OPENSSL_cleanse(some, sizeof(*some));
    }
    Esys_Free(some);
    return ok;
}

int hwk_tpm_random(struct hwk_tpm *tpm, uint8_t *out, size_t n)
{
    size_t given;
    if (!hwk_tpm_begin(tpm))
        return 0;
    int ok = 1;
    while (ok && n > 0) {
        ok = random_piece(tpm, out, n, &given);
        out += ok ? given : 0;
        n -= ok ? given : 0;
    }
    hwk_tpm_end(tpm);
    return ok;
}
