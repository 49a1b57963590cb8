/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions started past ESYS. */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_call.h"
#include "provider/device/tpm2_hmac.h"
#include "provider/device/tpm2_newsession.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_seed.h"

static const TPMT_SYM_DEF aes = {
    .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
static const TPMT_SYM_DEF no_cipher = {.algorithm = TPM2_ALG_NULL};

static const TPMT_SYM_DEF *cipher_of(const struct hwk_tpm_held *held)
{
    return held->salted ? &aes : &no_cipher;
}

/* --- what ESYS is told --- */

/* how ESYS writes down a session */
#define RESOURCE_SESSION 3

struct blob {
    TSS2_RC rc;
    uint8_t p[1024];
    size_t n;
};

#define put(b, type, value)                                                    \
    do {                                                                       \
        if ((b)->rc == TSS2_RC_SUCCESS)                                        \
            (b)->rc = Tss2_MU_##type##_Marshal((value), (b)->p,                \
                                               sizeof((b)->p), &(b)->n);       \
    } while (0)

static void put_empty(struct blob *b)
{
    put(b, UINT16, 0);
}

static void put_resource(struct blob *b, TPM2_HANDLE handle)
{
    put(b, UINT32, handle);
    put(b, UINT16, sizeof(handle)); /* its Name */
    put(b, UINT32, handle);
    put(b, UINT32, RESOURCE_SESSION);
}

static void put_session(struct blob *b, const struct hwk_tpm_held *held,
                        const struct hwk_tpm_nonces *nonces,
                        TPMA_SESSION attributes)
{
    TPM2B_DIGEST key = {.size = (UINT16)held->key_n};
    memcpy(key.buffer, held->key, held->key_n);
    put_empty(b); /* what it is bound to */
    put_empty(b); /* the salt, encrypted, */
    put_empty(b); /* and itself */
    put(b, TPMT_SYM_DEF, cipher_of(held));
    put(b, UINT16, held->alg);
    put(b, TPM2B_DIGEST, &key);
    put(b, UINT8, held->type);
    put(b, TPMA_SESSION, attributes);
    put(b, TPM2B_NONCE, &nonces->ours);
    put(b, TPM2B_NONCE, &nonces->theirs);
    put(b, UINT32, 0); /* no parameter is encrypted yet, */
    put(b, UINT32, 0); /* or decrypted; */
    put(b, UINT32, 0); /* no auth value is asked for by a policy; */
    put_empty(b);      /* and what it computes for a command */
    put(b, UINT16, 0);
    OPENSSL_cleanse(&key, sizeof(key));
}

/* what it understood is what it was told, to the last byte */
static bool understood(struct hwk_tpm *tpm, ESYS_TR tr, const struct blob *b)
{
    uint8_t *p = NULL;
    size_t n = 0;
    TSS2_RC rc = Esys_TR_Serialize(tpm->esys, tr, &p, &n);
    bool same = rc == TSS2_RC_SUCCESS && n == b->n && memcmp(p, b->p, n) == 0;
    if (p)
        OPENSSL_cleanse(p, n);
    Esys_Free(p);
    return same;
}

TSS2_RC hwk_tpm_session_tell(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                             const struct hwk_tpm_nonces *nonces,
                             TPMA_SESSION attributes, struct hwk_tpm_held *held)
{
    struct blob b = {.rc = TSS2_RC_SUCCESS};
    ESYS_TR tr = ESYS_TR_NONE;
    put_resource(&b, handle);
    put_session(&b, held, nonces, attributes);
    TSS2_RC rc = b.rc;
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TR_Deserialize(tpm->esys, b.p, b.n, &tr);
    if (rc == TSS2_RC_SUCCESS && !understood(tpm, tr, &b)) {
        rc = TSS2_ESYS_RC_NOT_IMPLEMENTED;
        Esys_TR_Close(tpm->esys, &tr);
    }
    OPENSSL_cleanse(&b, sizeof(b));
    if (held->tr != ESYS_TR_NONE)
        Esys_TR_Close(tpm->esys, &held->tr);
    held->tr = rc == TSS2_RC_SUCCESS ? tr : ESYS_TR_NONE;
    return rc;
}

/* --- the start --- */

struct start {
    struct hwk_tpm *tpm;
    const struct hwk_tpm_salt_key *salt;
    struct hwk_tpm_held *held;
    struct hwk_tpm_seed seed;
    TPM2B_ENCRYPTED_SECRET secret;
    struct hwk_tpm_nonces nonces;
    TPM2_HANDLE handle;
};

static struct hwk_view view(const TPM2B_NONCE *nonce)
{
    return (struct hwk_view){nonce->buffer, nonce->size};
}

static int prepare(struct start *s)
{
    OSSL_LIB_CTX *soft = hwk_tpm_soft(s->tpm);
    TPM2B_NONCE *ours = &s->nonces.ours;
    ours->size = (UINT16)hwk_md_size(hwk_tpm_md(s->held->alg));
    if (!soft)
        return 0;
    if (RAND_bytes_ex(soft, ours->buffer, ours->size, 0) <= 0)
        return hwk_raise(HWK_R_DELEGATE, "a session: no nonce");
    return !s->salt || hwk_tpm_seed_make(soft, &s->salt->pub, "SECRET",
                                         &s->seed, &s->secret);
}

static TSS2_RC send(struct start *s)
{
    const TPM2_HANDLE handles[] = {s->salt ? s->salt->handle : TPM2_RH_NULL,
                                   TPM2_RH_NULL};
    struct hwk_tpm_call call;
    hwk_tpm_call_start(&call, TPM2_CC_StartAuthSession, handles, 2, false);
    call.makes = true;
    hwk_tpm_call_put(&call, TPM2B_NONCE, &s->nonces.ours);
    hwk_tpm_call_put(&call, TPM2B_ENCRYPTED_SECRET, &s->secret);
    hwk_tpm_call_put(&call, UINT8, s->held->type);
    hwk_tpm_call_put(&call, TPMT_SYM_DEF, cipher_of(s->held));
    hwk_tpm_call_put(&call, UINT16, s->held->alg);
    hwk_tpm_call_run(s->tpm, &call);
    hwk_tpm_call_get(&call, TPM2B_NONCE, &s->nonces.theirs);
    s->handle = call.made;
    return call.rc;
}

static bool makes_sense(const struct start *s)
{
    TPM2_HT kind = s->held->type == TPM2_SE_HMAC ? TPM2_HT_HMAC_SESSION
                                                 : TPM2_HT_POLICY_SESSION;
    return s->handle >> 24 == kind &&
           s->nonces.theirs.size == s->nonces.ours.size;
}

static int take_key(struct start *s)
{
    struct hwk_tpm_held *held = s->held;
    held->key_n = s->salt ? s->nonces.ours.size : 0;
    return !s->salt ||
           hwk_tpm_kdfa(hwk_tpm_soft(s->tpm), held->alg,
                        (struct hwk_view){s->seed.p, s->seed.n}, "ATH",
                        view(&s->nonces.theirs), view(&s->nonces.ours),
                        held->key, held->key_n);
}

/* the TPM's answer in place, or what is wrong with it */
static TSS2_RC take(struct start *s)
{
    if (!makes_sense(s))
        return TSS2_ESYS_RC_MALFORMED_RESPONSE;
    if (!take_key(s))
        return TSS2_ESYS_RC_MEMORY;
    return hwk_tpm_session_tell(s->tpm, s->handle, &s->nonces, 0, s->held);
}

int hwk_tpm_session_new(struct hwk_tpm *tpm,
                        const struct hwk_tpm_salt_key *salt, TPM2_SE type,
                        struct hwk_tpm_held *held, TSS2_RC *rc)
{
    struct start s = {.tpm = tpm, .salt = salt, .held = held};
    held->type = type;
    int ok = prepare(&s);
    if (ok && (*rc = send(&s)) == TSS2_RC_SUCCESS &&
        (*rc = take(&s)) != TSS2_RC_SUCCESS)
        hwk_tpm_tcti_flush(tpm->tcti, s.handle);
    OPENSSL_cleanse(&s.seed, sizeof(s.seed));
    return ok;
}
