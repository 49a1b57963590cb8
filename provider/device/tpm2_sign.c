/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures: one TPM2_Sign each, the digest made outside. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "provider/device/tpm2_key.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_public.h"
#include "provider/pss.h"

/* What is to be signed: a digest, or a message that the TPM hashes. */
struct input {
    const uint8_t *message; /* NULL: digest is given */
    size_t message_n;
    TPM2B_DIGEST digest;
};

static const uint8_t nothing[1]; /* a message of no bytes is one too */

/* an unrestricted key signs any digest: no ticket that the TPM hashed it */
static const TPMT_TK_HASHCHECK no_ticket = {
    .tag = TPM2_ST_HASHCHECK,
    .hierarchy = TPM2_RH_NULL,
};

static int command(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                   struct input *in, const TPMT_SIG_SCHEME *scheme,
                   TPMT_SIGNATURE **sig)
{
    struct hwk_tpm_use use = {.code = TPM2_CC_Sign};
    TPMT_TK_HASHCHECK ticket = no_ticket;
    TSS2_RC rc;
    if (!hwk_tpm_key_use(tpm, key, &use))
        return 0;
    do {
        rc = TSS2_RC_SUCCESS;
        if (in->message)
            rc = hwk_tpm_ticket(tpm, scheme->details.any.hashAlg, in->message,
                                in->message_n, &in->digest, &ticket);
        if (rc == TSS2_RC_SUCCESS)
            rc = Esys_Sign(tpm->esys, use.tr, use.session, ESYS_TR_NONE,
                           ESYS_TR_NONE, &in->digest, scheme, &ticket, sig);
    } while (hwk_tpm_key_again(tpm, key, &use, rc));
    return hwk_tpm_key_done(tpm, key, rc, "Sign");
}

static int take_ecdsa(const TPMT_SIGNATURE *s, size_t field, uint8_t *out)
{
    const TPMS_SIGNATURE_ECDSA *e = &s->signature.ecdsa;
    return s->sigAlg == TPM2_ALG_ECDSA &&
           hwk_tpm_align(e->signatureR.buffer, e->signatureR.size, out,
                         field) &&
           hwk_tpm_align(e->signatureS.buffer, e->signatureS.size, out + field,
                         field);
}

/* the digest as this key takes it, and the hash to name with it */
static int prepare_ecdsa(const struct hwk_tpm_key *key,
                         const struct hwk_mech *mech, const uint8_t *in,
                         size_t n, struct input *out, TPMI_ALG_HASH *alg)
{
    const TPM2B_PUBLIC *pub = &key->object->pub;
    TPM2_ALG_ID scheme = hwk_tpm_scheme(pub);
    TPMI_ECC_CURVE curve = pub->publicArea.parameters.eccDetail.curveID;
    *alg = hwk_tpm_scheme_hash(pub);
    if (scheme != TPM2_ALG_NULL && scheme != TPM2_ALG_ECDSA)
        return hwk_raise(HWK_R_KEY, "TPM key %s is tied to scheme 0x%04x",
                         key->object->called, scheme);
    if (mech->message) {
        *out = (struct input){.message = n ? in : nothing, .message_n = n};
        return 1;
    }
    out->message = NULL;
    return hwk_tpm_ecdsa_digest(curve, in, n, alg, &out->digest)
               ? 1
               : hwk_raise(HWK_R_DIGEST,
                           "TPM key %s takes no digest of %zu bytes",
                           key->object->called, n);
}

static int sign_ecdsa(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                      const struct hwk_mech *mech, const uint8_t *in, size_t n,
                      uint8_t *sig, size_t *sig_n)
{
    const TPMT_PUBLIC *t = &key->object->pub.publicArea;
    size_t field = hwk_tpm_curve_facts(t->parameters.eccDetail.curveID)->field;
    TPMT_SIG_SCHEME scheme = {.scheme = TPM2_ALG_ECDSA};
    TPMT_SIGNATURE *s = NULL;
    struct input input;
    if (*sig_n < 2 * field)
        return hwk_raise(HWK_R_ARGUMENT, "no room for the signature");
    if (!prepare_ecdsa(key, mech, in, n, &input,
                       &scheme.details.ecdsa.hashAlg) ||
        !command(tpm, key, &input, &scheme, &s))
        return 0;
    int ok = take_ecdsa(s, field, sig);
    Esys_Free(s);
    if (!ok)
        return hwk_raise(HWK_R_TPM, "Sign: no ECDSA signature came back");
    *sig_n = 2 * field;
    return 1;
}

static int hash_of(const void *arg, const uint8_t *p, size_t n, uint8_t *out)
{
    const TPMI_ALG_HASH *alg = arg;
    TPM2B_DIGEST d;
    if (!hwk_tpm_hash(*alg, p, n, &d))
        return 0;
    memcpy(out, d.buffer, d.size);
    return 1;
}

static struct hwk_pss_hash pss_hash(const TPMI_ALG_HASH *alg)
{
    return (struct hwk_pss_hash){hwk_md_size(hwk_tpm_md(*alg)), hash_of, alg};
}

/* a padding that the TPM does not make, where the key allows bare RSA */
static int sign_raw(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                    const struct hwk_mech *mech, const uint8_t *in, size_t n,
                    uint8_t *sig, size_t size)
{
    uint8_t block[HWK_RSA_MAX], salt[HWK_RSA_MAX];
    size_t len = sizeof(salt);
    unsigned bits = key->object->pub.publicArea.parameters.rsaDetail.keyBits;
    const TPMI_ALG_HASH alg = hwk_tpm_alg(mech->md);
    const struct hwk_pss_hash hash = pss_hash(&alg);
    int ok = 0;
    if (mech->pad == HWK_PAD_PKCS1)
        ok = hwk_mech_pkcs1(mech, in, n, salt, &len) &&
             hwk_pkcs1_block(salt, len, block, size);
    else if (mech->pad == HWK_PAD_PSS)
        ok = mech->salt <= sizeof(salt) &&
             RAND_bytes(salt, (int)mech->salt) > 0 &&
             hwk_pss_encode(&hash, &hash, in, salt, mech->salt, bits, block);
    else
        ok = hwk_tpm_align(in, n, block, size);
    if (!ok)
        return hwk_raise(HWK_R_PADDING, "RSA padding for %zu bytes failed", n);
    return hwk_tpm_raw(tpm, key, block, sig, size);
}

/* why the TPM's own padding will not do; NULL if it will */
static const char *objection(const struct hwk_tpm_key *key,
                             const struct hwk_mech *mech)
{
    const TPM2B_PUBLIC *pub = &key->object->pub;
    TPM2_ALG_ID fixed = hwk_tpm_scheme(pub);
    TPM2_ALG_ID want =
        mech->pad == HWK_PAD_PSS ? TPM2_ALG_RSAPSS : TPM2_ALG_RSASSA;
    unsigned salt = key->object->pss_salt[mech->md];
    if (mech->pad != HWK_PAD_PSS && mech->pad != HWK_PAD_PKCS1)
        return "bare RSA";
    if (hwk_tpm_alg(mech->md) == TPM2_ALG_NULL)
        return "a digest it does not know";
    if (fixed != TPM2_ALG_NULL && fixed != want)
        return "another padding than the one it is tied to";
    if (fixed != TPM2_ALG_NULL &&
        hwk_tpm_scheme_hash(pub) != hwk_tpm_alg(mech->md))
        return "another digest than the one it is tied to";
    if (mech->pad != HWK_PAD_PSS)
        return NULL;
    if (mech->mgf1 != mech->md && mech->mgf1 != HWK_MD_NONE)
        return "another digest in MGF1";
    if (salt ? mech->salt != salt - 1 : mech->salt != hwk_md_size(mech->md))
        return "a PSS salt of that length";
    return NULL;
}

/* TPMs differ in the salts they make: older ones as long as fits */
static int check_salt(struct hwk_tpm_key *key, const struct hwk_mech *mech,
                      const uint8_t *digest, const uint8_t *sig, size_t n)
{
    struct hwk_pub pub;
    struct hwk_tpm_object *o = key->object;
    const TPMI_ALG_HASH alg = hwk_tpm_alg(mech->md);
    const struct hwk_pss_hash hash = pss_hash(&alg);
    if (o->pss_salt[mech->md])
        return 1;
    if (!hwk_tpm_public(&o->pub, &pub))
        return 0;
    int salt = hwk_pss_salt(&hash, digest, &pub, sig, n);
    if (salt < 0)
        return hwk_raise(HWK_R_TPM, "Sign: no PSS signature came back");
    o->pss_salt[mech->md] = (unsigned)salt + 1;
    return (size_t)salt == mech->salt
               ? 1
               : hwk_raise(HWK_R_UNSUPPORTED,
                           "this TPM makes PSS salts of %d bytes, not %zu",
                           salt, mech->salt);
}

static int sign_rsa(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                    const struct hwk_mech *mech, const uint8_t *in, size_t n,
                    uint8_t *sig, size_t size)
{
    struct input input = {.message_n = n};
    if (mech->message)
        input.message = n > 0 ? in : nothing;
    TPMT_SIG_SCHEME scheme = {
        .scheme = mech->pad == HWK_PAD_PSS ? TPM2_ALG_RSAPSS : TPM2_ALG_RSASSA};
    scheme.details.any.hashAlg = hwk_tpm_alg(mech->md);
    if (!mech->message && n > sizeof(input.digest.buffer))
        return hwk_raise(HWK_R_ARGUMENT, "digest of %zu bytes", n);
    if (!mech->message) {
        input.digest.size = (UINT16)n;
        memcpy(input.digest.buffer, in, n);
    }
    TPMT_SIGNATURE *s = NULL;
    if (!command(tpm, key, &input, &scheme, &s))
        return 0;
    const TPM2B_PUBLIC_KEY_RSA *r = &s->signature.rsassa.sig;
    int ok = s->sigAlg == scheme.scheme &&
             hwk_tpm_align(r->buffer, r->size, sig, size);
    Esys_Free(s);
    if (!ok)
        return hwk_raise(HWK_R_TPM, "Sign: no RSA signature came back");
    return mech->pad != HWK_PAD_PSS ||
           check_salt(key, mech, input.digest.buffer, sig, size);
}

static int any_rsa(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                   const struct hwk_mech *mech, const uint8_t *in, size_t n,
                   uint8_t *sig, size_t *sig_n)
{
    size_t size = key->object->pub.publicArea.unique.rsa.size;
    const char *no = objection(key, mech);
    if (*sig_n < size)
        return hwk_raise(HWK_R_ARGUMENT, "no room for the signature");
    if (no && !hwk_tpm_can_raw(key))
        return hwk_raise(HWK_R_UNSUPPORTED, "TPM key %s cannot sign: %s",
                         key->object->called, no);
    if (no ? !sign_raw(tpm, key, mech, in, n, sig, size)
           : !sign_rsa(tpm, key, mech, in, n, sig, size))
        return 0;
    *sig_n = size;
    return 1;
}

/* The TPM gives no ticket for what could be taken for its own attestation. */
static int check_message(const struct hwk_tpm_key *key, const uint8_t *in,
                         size_t n)
{
    static const uint8_t generated[] = {0xff, 'T', 'C', 'G'};
    if (n < sizeof(generated) || memcmp(in, generated, sizeof(generated)) != 0)
        return 1;
    return hwk_raise(HWK_R_KEY,
                     "TPM key %s is restricted: it signs no message that "
                     "begins with TPM_GENERATED_VALUE (ff544347), as what the "
                     "TPM itself attests to does",
                     key->object->called);
}

int hwk_tpm_sign(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                 const struct hwk_mech *mech, const uint8_t *in, size_t n,
                 uint8_t *sig, size_t *sig_n)
{
    const TPM2B_PUBLIC *pub = &key->object->pub;
    unsigned flags = hwk_tpm_flags(pub);
    if (flags & HWK_FOUND_NO_SIGN)
        return hwk_raise(HWK_R_KEY, "TPM key %s does not sign",
                         key->object->called);
    if (mech->message != !!(flags & HWK_FOUND_MESSAGE))
        return hwk_raise(
            HWK_R_UNSUPPORTED, "TPM key %s is %srestricted: it signs %s",
            key->object->called, mech->message ? "not " : "",
            mech->message ? "digests" : "only what the TPM has hashed");
    if (mech->message && !check_message(key, in, n))
        return 0;
    return pub->publicArea.type == TPM2_ALG_ECC
               ? sign_ecdsa(tpm, key, mech, in, n, sig, sig_n)
               : any_rsa(tpm, key, mech, in, n, sig, sig_n);
}
