/* SPDX-License-Identifier: Apache-2.0 */
/* Commands past ESYS that sessions authorise. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "provider/device/tpm2_authcall.h"
#include "provider/device/tpm2_hmac.h"
#include "provider/device/tpm2_newsession.h"
#include "provider/device/tpm2_policy.h"

#define LINES_MAX 2
#define KEY_MAX (2 * sizeof(TPMU_HA))

/* one authorization on its way */
struct line {
    const struct hwk_tpm_authorization *by;
    struct hwk_tpm_held *held; /* NULL: a password */
    TPM2_HANDLE handle;
    TPMA_SESSION flags;
    struct hwk_tpm_nonces nonces;
    TPM2B_DIGEST mac; /* or the password */
};

struct job {
    struct hwk_tpm *tpm;
    OSSL_LIB_CTX *soft;
    struct hwk_tpm_call *call;
    const TPM2B_NAME *names;
    size_t names_n, n;
    struct line line[LINES_MAX];
};

static struct hwk_view view(const TPM2B_DIGEST *d)
{
    return (struct hwk_view){d->buffer, d->size};
}

/* --- keys --- */

/* a TPM drops zeros at the end of the values that it is given */
static void value_of(const struct line *l, bool after, TPM2B_AUTH *out)
{
    const struct hwk_secret *now = l->by->auth;
    out->size = 0;
    if (after && l->by->then) {
        *out = *l->by->then;
    } else if (now && now->n <= sizeof(out->buffer)) {
        out->size = (UINT16)now->n;
        memcpy(out->buffer, now->p, now->n);
    }
    while (out->size > 0 && out->buffer[out->size - 1] == 0)
        out->size--;
}

/* the session's, and the value of what it authorises behind it */
static struct hwk_view key_of(const struct line *l, bool valued, bool after,
                              uint8_t key[static KEY_MAX])
{
    TPM2B_AUTH value = {.size = 0};
    size_t n = l->held->key_n;
    memcpy(key, l->held->key, n);
    if (valued)
        value_of(l, after, &value);
    memcpy(key + n, value.buffer, value.size);
    n += value.size;
    OPENSSL_cleanse(&value, sizeof(value));
    return (struct hwk_view){key, n};
}

/* of the command, or of its answer; hash is what was computed of that */
static TSS2_RC sign(const struct job *j, const struct line *l,
                    const TPM2B_DIGEST *hash, bool answer, TPM2B_DIGEST *out)
{
    const struct hwk_view ours = view(&l->nonces.ours),
                          theirs = view(&l->nonces.theirs);
    const struct hwk_tpm_sum sum = {.alg = l->held->alg,
                                    .hash = view(hash),
                                    .newer = answer ? theirs : ours,
                                    .older = answer ? ours : theirs,
                                    .attributes = l->flags};
    uint8_t key[KEY_MAX];
    struct hwk_view by = key_of(l, l->held->type == TPM2_SE_HMAC, answer, key);
    int ok = hwk_tpm_sum(j->soft, by, &sum, out);
    OPENSSL_cleanse(key, sizeof(key));
    return ok ? TSS2_RC_SUCCESS : TSS2_ESYS_RC_MEMORY;
}

/* the first of n bytes of parameters, if its session does that */
static TSS2_RC crypt(const struct job *j, TPMA_SESSION flag, uint8_t *p,
                     size_t n)
{
    const struct line *l = &j->line[0];
    bool answer = flag == TPMA_SESSION_ENCRYPT;
    const struct hwk_view ours = view(&l->nonces.ours),
                          theirs = view(&l->nonces.theirs);
    uint8_t key[KEY_MAX];
    size_t at = 0;
    UINT16 size;
    if (!l->held || !(l->flags & flag))
        return TSS2_RC_SUCCESS;
    TSS2_RC rc = Tss2_MU_UINT16_Unmarshal(p, n, &at, &size);
    if (rc != TSS2_RC_SUCCESS || size > n - at)
        return TSS2_ESYS_RC_MALFORMED_RESPONSE;
    struct hwk_view by = key_of(l, true, answer, key);
    int ok = hwk_tpm_cfb(j->soft, l->held->alg, by, answer ? theirs : ours,
                         answer ? ours : theirs, !answer, p + at, size);
    OPENSSL_cleanse(key, sizeof(key));
    return ok ? TSS2_RC_SUCCESS : TSS2_ESYS_RC_MEMORY;
}

/* --- the command --- */

/* what ESYS was told and has seen of it since */
static TSS2_RC look(const struct job *j, struct line *l)
{
    ESYS_CONTEXT *esys = j->tpm->esys;
    TPM2B_NONCE *theirs = NULL, *ours = &l->nonces.ours;
    TSS2_RC rc = Esys_TR_GetTpmHandle(esys, l->held->tr, &l->handle);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TRSess_GetAttributes(esys, l->held->tr, &l->flags);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TRSess_GetNonceTPM(esys, l->held->tr, &theirs);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    l->nonces.theirs = *theirs;
    Esys_Free(theirs);
    ours->size = (UINT16)hwk_md_size(hwk_tpm_md(l->held->alg));
    return RAND_bytes_ex(j->soft, ours->buffer, ours->size, 0) > 0
               ? TSS2_RC_SUCCESS
               : TSS2_ESYS_RC_MEMORY;
}

static TSS2_RC open_line(struct job *j, size_t i,
                         const struct hwk_tpm_authorization *by)
{
    struct line *l = &j->line[i];
    *l = (struct line){.by = by, .handle = TPM2_RH_PW};
    if (by->session == ESYS_TR_PASSWORD) {
        l->flags = TPMA_SESSION_CONTINUESESSION;
        value_of(l, false, &l->mac);
        return TSS2_RC_SUCCESS;
    }
    l->held = hwk_tpm_session_of(j->tpm, by->session);
    TSS2_RC rc = l->held ? look(j, l) : TSS2_ESYS_RC_BAD_TR;
    if (rc == TSS2_RC_SUCCESS && i > 0 &&
        l->flags & (TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT))
        rc = TSS2_ESYS_RC_NOT_IMPLEMENTED;
    return rc;
}

static TSS2_RC sign_command(const struct job *j, struct line *l)
{
    const struct hwk_tpm_call *c = j->call;
    const struct hwk_view params = {c->in + c->head, c->in_n - c->head};
    TPM2B_DIGEST hash;
    if (!l->held)
        return TSS2_RC_SUCCESS;
    return hwk_tpm_cp_hash(l->held->alg, c->code, j->names, j->names_n, params,
                           &hash)
               ? sign(j, l, &hash, false, &l->mac)
               : TSS2_ESYS_RC_MEMORY;
}

static TSS2_RC put_line(const struct line *l, uint8_t *p, size_t max, size_t *n)
{
    TSS2_RC rc = Tss2_MU_UINT32_Marshal(l->handle, p, max, n);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_NONCE_Marshal(&l->nonces.ours, p, max, n);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPMA_SESSION_Marshal(l->flags, p, max, n);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_DIGEST_Marshal(&l->mac, p, max, n);
    return rc;
}

/* the authorizations, between handles and parameters, after their size */
static TSS2_RC insert(struct job *j)
{
    uint8_t area[4 + LINES_MAX * sizeof(TPMS_AUTH_COMMAND)];
    struct hwk_tpm_call *c = j->call;
    size_t n = 4, at = 0;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    for (size_t i = 0; i < j->n && rc == TSS2_RC_SUCCESS; i++)
        rc = put_line(&j->line[i], area, sizeof(area), &n);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_UINT32_Marshal((UINT32)(n - 4), area, sizeof(area), &at);
    if (rc == TSS2_RC_SUCCESS && n > sizeof(c->in) - c->in_n)
        rc = TSS2_ESYS_RC_BAD_VALUE;
    if (rc == TSS2_RC_SUCCESS) {
        memmove(c->in + c->head + n, c->in + c->head, c->in_n - c->head);
        memcpy(c->in + c->head, area, n);
        c->in_n += n;
        at = 0;
        rc =
            Tss2_MU_UINT16_Marshal(TPM2_ST_SESSIONS, c->in, sizeof(c->in), &at);
        c->authorised = true;
    }
    OPENSSL_cleanse(area, sizeof(area));
    return rc;
}

static TSS2_RC prepare(struct job *j, const struct hwk_tpm_authorization *by)
{
    struct hwk_tpm_call *c = j->call;
    TSS2_RC rc = c->rc;
    for (size_t i = 0; i < j->n && rc == TSS2_RC_SUCCESS; i++)
        rc = open_line(j, i, &by[i]);
    if (rc == TSS2_RC_SUCCESS)
        rc = crypt(j, TPMA_SESSION_DECRYPT, c->in + c->head, c->in_n - c->head);
    for (size_t i = 0; i < j->n && rc == TSS2_RC_SUCCESS; i++)
        rc = sign_command(j, &j->line[i]);
    return rc == TSS2_RC_SUCCESS ? insert(j) : rc;
}

/* --- the answer --- */

struct told {
    TPM2B_NONCE nonce;
    TPMA_SESSION flags;
    TPM2B_DIGEST mac;
};

static TSS2_RC get_line(const struct hwk_tpm_call *c, size_t *at,
                        struct told *out)
{
    TSS2_RC rc =
        Tss2_MU_TPM2B_NONCE_Unmarshal(c->out, c->out_n, at, &out->nonce);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPMA_SESSION_Unmarshal(c->out, c->out_n, at, &out->flags);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_DIGEST_Unmarshal(c->out, c->out_n, at, &out->mac);
    return rc;
}

static TSS2_RC verify(const struct job *j, struct line *l,
                      const struct told *told)
{
    const struct hwk_tpm_call *c = j->call;
    const struct hwk_view params = {c->out + c->at, c->params_n};
    TPM2B_DIGEST hash, mac;
    if (!l->held)
        return told->nonce.size == 0 && told->mac.size == 0
                   ? TSS2_RC_SUCCESS
                   : TSS2_ESYS_RC_MALFORMED_RESPONSE;
    if (told->nonce.size != l->nonces.ours.size || told->flags != l->flags)
        return TSS2_ESYS_RC_MALFORMED_RESPONSE;
    l->nonces.theirs = told->nonce;
    if (!hwk_tpm_rp_hash(l->held->alg, c->code, params, &hash))
        return TSS2_ESYS_RC_MEMORY;
    TSS2_RC rc = sign(j, l, &hash, true, &mac);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    return mac.size == told->mac.size &&
                   CRYPTO_memcmp(mac.buffer, told->mac.buffer, mac.size) == 0
               ? TSS2_RC_SUCCESS
               : TSS2_ESYS_RC_RSP_AUTH_FAILED;
}

static TSS2_RC verify_all(struct job *j)
{
    const struct hwk_tpm_call *c = j->call;
    size_t at = c->at + c->params_n;
    struct told told;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    for (size_t i = 0; i < j->n && rc == TSS2_RC_SUCCESS; i++) {
        rc = get_line(c, &at, &told);
        if (rc == TSS2_RC_SUCCESS)
            rc = verify(j, &j->line[i], &told);
    }
    return rc == TSS2_RC_SUCCESS && at != c->out_n
               ? TSS2_ESYS_RC_MALFORMED_RESPONSE
               : rc;
}

/* a session that goes on does so with the TPM's new nonce */
static TSS2_RC go_on(const struct job *j)
{
    TSS2_RC rc = TSS2_RC_SUCCESS;
    for (size_t i = 0; i < j->n && rc == TSS2_RC_SUCCESS; i++) {
        const struct line *l = &j->line[i];
        if (l->held && l->flags & TPMA_SESSION_CONTINUESESSION)
            rc = hwk_tpm_session_tell(j->tpm, l->handle, &l->nonces, l->flags,
                                      l->held);
    }
    return rc;
}

static TSS2_RC receive(struct job *j)
{
    struct hwk_tpm_call *c = j->call;
    TSS2_RC rc = verify_all(j);
    if (rc == TSS2_RC_SUCCESS)
        rc = crypt(j, TPMA_SESSION_ENCRYPT, c->out + c->at, c->params_n);
    c->out_n = c->at + c->params_n;
    return rc == TSS2_RC_SUCCESS ? go_on(j) : rc;
}

TSS2_RC hwk_tpm_authcall_run(struct hwk_tpm *tpm, struct hwk_tpm_call *call,
                             const TPM2B_NAME *names, size_t names_n,
                             const struct hwk_tpm_authorization *by, size_t n)
{
    struct job j = {.tpm = tpm,
                    .soft = hwk_tpm_soft(tpm),
                    .call = call,
                    .names = names,
                    .names_n = names_n,
                    .n = n};
    call->rc = !j.soft ? TSS2_ESYS_RC_MEMORY
               : n > LINES_MAX || names_n > HWK_TPM_NAMES_MAX
                   ? TSS2_ESYS_RC_BAD_VALUE
                   : prepare(&j, by);
    if (call->rc == TSS2_RC_SUCCESS &&
        hwk_tpm_call_run(tpm, call) == TSS2_RC_SUCCESS)
        call->rc = receive(&j);
    OPENSSL_cleanse(call->in, call->in_n);
    OPENSSL_cleanse(&j, sizeof(j));
    return call->rc;
}
