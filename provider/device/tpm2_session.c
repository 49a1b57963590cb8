/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: what keeps a bus from hearing secrets and from forging answers. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/tpm2_newsession.h"

#define NONE3 ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE

static enum hwk_protect wanted(const struct hwk_tpm *tpm)
{
    return tpm->cfg ? tpm->cfg->tpm_sessions : HWK_PROTECT_AUTO;
}

/* a policy session has nothing more to do, unless somebody knows better: its
 * command ends it for nothing */
static bool kept(const struct hwk_tpm *tpm, const struct hwk_tpm_held *held)
{
    const struct hwk_tpm_sessions *s = &tpm->sessions;
    if (held == &s->aside)
        return false;
    return tpm->sharing == HWK_TPM_MANAGED ||
           (tpm->entered > 0 && held == &s->hmac && !s->last) ||
           (tpm->entered > 0 && held == &s->policy && s->keep_policy);
}

void hwk_tpm_sessions_last(struct hwk_tpm *tpm)
{
    tpm->sessions.last = true;
}

unsigned hwk_tpm_secret_in(const TPM2B_SENSITIVE_CREATE *s)
{
    return s->sensitive.userAuth.size > 0 || s->sensitive.data.size > 0
               ? HWK_TPM_SECRET_SENT
               : HWK_TPM_NO_SECRET;
}

/* --- what became of a session --- */

/* the TPM, or its resource manager, does not know the session (any more) */
static bool is_lost(TSS2_RC rc)
{
    static const TPM2_RC full[] = {TPM2_RC_CONTEXT_GAP, TPM2_RC_SESSION_MEMORY,
                                   TPM2_RC_SESSION_HANDLES};
    TPM2_RC code = rc & ~TSS2_RC_LAYER_MASK;
    for (size_t i = 0; i < sizeof(full) / sizeof(*full); i++)
        if (hwk_tpm_rc_is(rc, full[i]))
            return true;
    if (!hwk_tpm_answered(rc))
        return false;
    return (code >= TPM2_RC_REFERENCE_H0 && code <= TPM2_RC_REFERENCE_S6) ||
           (hwk_tpm_rc_is(rc, TPM2_RC_HANDLE) && rc & TPM2_RC_S);
}

static void drop(struct hwk_tpm *tpm, struct hwk_tpm_held *held)
{
    if (held->tr != ESYS_TR_NONE && tpm->esys)
        Esys_TR_Close(tpm->esys, &held->tr);
    *held = (struct hwk_tpm_held){.tr = ESYS_TR_NONE};
}

static void flush(struct hwk_tpm *tpm, struct hwk_tpm_held *held)
{
    hwk_tpm_flush(tpm, &held->tr);
    *held = (struct hwk_tpm_held){.tr = ESYS_TR_NONE};
}

/* it may be in the TPM or not */
static void flush_quietly(struct hwk_tpm *tpm, struct hwk_tpm_held *held)
{
    TPM2_HANDLE handle;
    if (held->tr == ESYS_TR_NONE || tpm->broken) {
        drop(tpm, held);
        return;
    }
    TSS2_RC rc = Esys_TR_GetTpmHandle(tpm->esys, held->tr, &handle);
    if (rc == TSS2_RC_SUCCESS)
        rc = hwk_tpm_tcti_flush(tpm->tcti, handle);
    if (!hwk_tpm_answered(rc))
        tpm->broken = true;
    drop(tpm, held);
}

static void settle(struct hwk_tpm *tpm, struct hwk_tpm_held *held, TSS2_RC rc)
{
    held->used = false;
    if (tpm->broken)
        drop(tpm, held);
    else if (is_lost(rc))
        flush_quietly(tpm, held);
    else if (kept(tpm, held))
        held->dirty = rc != TSS2_RC_SUCCESS;
    else if (rc == TSS2_RC_SUCCESS)
        drop(tpm, held);
    else
        flush(tpm, held);
}

/* nobody said what came of it */
static void settle_unsaid(struct hwk_tpm *tpm, struct hwk_tpm_held *held)
{
    if (!held->used)
        return;
    held->used = false;
    held->dirty = true;
    if (tpm->broken || !kept(tpm, held))
        flush_quietly(tpm, held);
}

static void wipe_auth(struct hwk_tpm *tpm)
{
    const TPM2B_AUTH empty = {.size = 0};
    if (tpm->secret != ESYS_TR_NONE && tpm->esys)
        Esys_TR_SetAuth(tpm->esys, tpm->secret, &empty);
    tpm->secret = ESYS_TR_NONE;
}

bool hwk_tpm_again(struct hwk_tpm *tpm, TSS2_RC rc)
{
    struct hwk_tpm_sessions *s = &tpm->sessions;
    struct hwk_tpm_held *current = s->current, *also = s->also;
    bool lost = is_lost(rc) && (current || s->policy.used);
    s->current = s->also = NULL;
    s->shielded = current || also;
    wipe_auth(tpm);
    if (!hwk_tpm_answered(rc))
        tpm->broken = true;
    if (current)
        settle(tpm, current, rc);
    if (also)
        settle(tpm, also, rc);
    if (!lost || s->retried)
        return false;
    if (s->policy.used)
        flush_quietly(tpm, &s->policy);
    hwk_log(HWK_LOG_INFO, "tpm-session", "lost", tpm->name);
    return s->retried = true;
}

void hwk_tpm_sessions_end(struct hwk_tpm *tpm)
{
    wipe_auth(tpm);
    settle_unsaid(tpm, &tpm->sessions.hmac);
    settle_unsaid(tpm, &tpm->sessions.policy);
    settle_unsaid(tpm, &tpm->sessions.aside);
    tpm->sessions.current = tpm->sessions.also = NULL;
    tpm->sessions.last = false;
}

void hwk_tpm_sessions_leave(struct hwk_tpm *tpm)
{
    struct hwk_tpm_sessions *s = &tpm->sessions;
    s->keep_policy = false;
    if (tpm->sharing == HWK_TPM_MANAGED)
        return;
    if (s->hmac.tr != ESYS_TR_NONE)
        flush_quietly(tpm, &s->hmac);
    if (s->policy.tr != ESYS_TR_NONE)
        flush_quietly(tpm, &s->policy);
}

void hwk_tpm_sessions_forget(struct hwk_tpm *tpm)
{
    tpm->secret = ESYS_TR_NONE;
    tpm->sessions.starting = false;
    tpm->sessions.current = tpm->sessions.also = NULL;
    tpm->sessions.hmac = tpm->sessions.policy = tpm->sessions.aside =
        (struct hwk_tpm_held){.tr = ESYS_TR_NONE};
    tpm->sessions.salt.lent.handle = 0;
}

/* --- starting them --- */

/* once; salted with a key that is remembered or looked at */
static int start_once(struct hwk_tpm *tpm, TPM2_SE type,
                      struct hwk_tpm_held *held, TSS2_RC *rc)
{
    struct hwk_tpm_salt_key salt;
    tpm->sessions.starting = true;
    int ok = !held->salted || hwk_tpm_salt_open(tpm, &salt);
    tpm->sessions.starting = false;
    if (!ok)
        return 0;
    ok = hwk_tpm_session_new(tpm, held->salted ? &salt : NULL, type, held, rc);
    if (ok && !hwk_tpm_answered(*rc))
        tpm->broken = true;
    if (held->salted)
        hwk_tpm_salt_close(tpm, &salt);
    return ok;
}

/* a session of ours that is in nobody's hand makes room for another */
static bool make_room(struct hwk_tpm *tpm)
{
    struct hwk_tpm_held *all[] = {&tpm->sessions.hmac, &tpm->sessions.policy};
    bool room = false;
    for (size_t i = 0; i < 2; i++)
        if (all[i]->tr != ESYS_TR_NONE && !all[i]->used) {
            flush(tpm, all[i]);
            room = true;
        }
    return room;
}

/* whether what went wrong was of yesterday: another key is where the salt key
 * was, or sessions that we keep fill the TPM */
static bool worth_another(struct hwk_tpm *tpm, bool remembered, TSS2_RC rc)
{
    if (rc == TSS2_RC_SUCCESS || !hwk_tpm_answered(rc))
        return false;
    tpm->sessions.salt.known.handle = 0;
    bool room = is_lost(rc) && make_room(tpm);
    return remembered || room;
}

static int start(struct hwk_tpm *tpm, struct hwk_tpm_held *held, TPM2_SE type,
                 TPMI_ALG_HASH alg, bool salted)
{
    bool remembered = tpm->sessions.salt.known.handle != 0;
    TSS2_RC rc;
    *held = (struct hwk_tpm_held){.tr = ESYS_TR_NONE,
                                  .alg = alg,
                                  .salted = salted &&
                                            wanted(tpm) != HWK_PROTECT_NEVER};
    if (!hwk_tpm_mark(tpm) || !start_once(tpm, type, held, &rc))
        return 0;
    if (worth_another(tpm, remembered, rc) && !start_once(tpm, type, held, &rc))
        return 0;
    return hwk_tpm_check(tpm, rc, "StartAuthSession", 0);
}

struct hwk_tpm_held *hwk_tpm_session_of(struct hwk_tpm *tpm, ESYS_TR session)
{
    struct hwk_tpm_sessions *s = &tpm->sessions;
    struct hwk_tpm_held *all[] = {&s->hmac, &s->policy, &s->aside};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (session != ESYS_TR_NONE && all[i]->tr == session)
            return all[i];
    return NULL;
}

/* held authorises the next command */
static int hand_out(struct hwk_tpm *tpm, struct hwk_tpm_held *held,
                    unsigned secret)
{
    TPMA_SESSION flags = 0;
    if (kept(tpm, held))
        flags |= TPMA_SESSION_CONTINUESESSION;
    if (secret & HWK_TPM_SECRET_SENT)
        flags |= TPMA_SESSION_DECRYPT;
    if (secret & HWK_TPM_SECRET_BACK)
        flags |= TPMA_SESSION_ENCRYPT;
    held->used = true;
    tpm->sessions.current = held;
    return hwk_tpm_check(
        tpm, Esys_TRSess_SetAttributes(tpm->esys, held->tr, flags, 0xff),
        "session", 0);
}

static bool protects(const struct hwk_tpm *tpm, const struct hwk_secret *auth,
                     unsigned secret)
{
    if (tpm->sessions.starting || wanted(tpm) == HWK_PROTECT_NEVER)
        return false;
    if (tpm->entered > 0 && tpm->sessions.hmac.tr != ESYS_TR_NONE)
        return true;
    return wanted(tpm) == HWK_PROTECT_ALWAYS || secret || (auth && auth->n > 0);
}

static int hmac_session(struct hwk_tpm *tpm, unsigned secret, ESYS_TR *session)
{
    struct hwk_tpm_held *held = &tpm->sessions.hmac;
    settle_unsaid(tpm, held);
    if (held->tr == ESYS_TR_NONE &&
        !start(tpm, held, TPM2_SE_HMAC, TPM2_ALG_SHA256, true))
        return 0;
    *session = held->tr;
    return hand_out(tpm, held, secret);
}

static int tell_auth(struct hwk_tpm *tpm, ESYS_TR object,
                     const struct hwk_secret *auth)
{
    TPM2B_AUTH value = {.size = 0};
    if (auth && auth->n > sizeof(value.buffer))
        return hwk_raise(HWK_R_PIN_INCORRECT,
                         "a TPM's authorization value has %zu bytes at most",
                         sizeof(value.buffer));
    wipe_auth(tpm);
    if (auth) {
        tpm->secret = object;
        value.size = (UINT16)auth->n;
        memcpy(value.buffer, auth->p, auth->n);
    }
    TSS2_RC rc = Esys_TR_SetAuth(tpm->esys, object, &value);
    OPENSSL_cleanse(&value, sizeof(value));
    return hwk_tpm_check(tpm, rc, "authorization", 0);
}

int hwk_tpm_authorize(struct hwk_tpm *tpm, ESYS_TR object,
                      const struct hwk_secret *auth, unsigned secret,
                      ESYS_TR *session)
{
    *session = ESYS_TR_PASSWORD;
    tpm->sessions.current = NULL;
    if (protects(tpm, auth, secret) && !hmac_session(tpm, secret, session))
        return 0;
    return tell_auth(tpm, object, auth);
}

bool hwk_tpm_plain(const struct hwk_tpm *tpm, const struct hwk_secret *auth)
{
    return !(auth && auth->n > 0) && !protects(tpm, auth, HWK_TPM_NO_SECRET);
}

int hwk_tpm_shield(struct hwk_tpm *tpm, unsigned secret, ESYS_TR *session)
{
    *session = ESYS_TR_NONE;
    tpm->sessions.current = NULL;
    return !protects(tpm, NULL, secret) || hmac_session(tpm, secret, session);
}

static bool same_public(const TPM2B_PUBLIC *a, const TPM2B_PUBLIC *b)
{
    TPM2B_NAME x, y;
    return hwk_tpm_name(a, &x) && hwk_tpm_name(b, &y) && x.size == y.size &&
           memcmp(x.name, y.name, x.size) == 0;
}

static int forged(const struct hwk_tpm *tpm)
{
    return hwk_raise(HWK_R_BUS,
                     "TPM %s: the public area of a key was altered on its way",
                     tpm->name);
}

/* the Name that ESYS took from what it was told is in the command's HMAC: the
 * TPM refuses another */
int hwk_tpm_prove_public(struct hwk_tpm *tpm, ESYS_TR tr,
                         const TPM2B_PUBLIC *pub)
{
    TPM2B_PUBLIC *real = NULL;
    ESYS_TR session;
    TSS2_RC rc;
    do {
        if (!hwk_tpm_shield(tpm, HWK_TPM_SECRET_BACK, &session))
            return 0;
        if (session == ESYS_TR_NONE)
            return 1;
        rc = Esys_ReadPublic(tpm->esys, tr, session, ESYS_TR_NONE, ESYS_TR_NONE,
                             &real, NULL, NULL);
    } while (hwk_tpm_again(tpm, rc));
    if (hwk_tpm_reason(rc) == HWK_R_PIN_INCORRECT)
        return forged(tpm);
    int ok = hwk_tpm_check(tpm, rc, "ReadPublic", 0) &&
             (same_public(pub, real) || forged(tpm));
    Esys_Free(real);
    return ok;
}

/* --- policy sessions --- */

static int restart(struct hwk_tpm *tpm, struct hwk_tpm_held *held)
{
    TSS2_RC rc = Esys_PolicyRestart(tpm->esys, held->tr, NONE3);
    held->dirty = false;
    if (!is_lost(rc))
        return hwk_tpm_check(tpm, rc, "PolicyRestart", 0);
    flush_quietly(tpm, held);
    return 1;
}

int hwk_tpm_policy_session(struct hwk_tpm *tpm, TPMI_ALG_HASH alg, bool secret,
                           ESYS_TR *session)
{
    struct hwk_tpm_held *held = &tpm->sessions.policy;
    bool salted = wanted(tpm) == HWK_PROTECT_ALWAYS ||
                  (secret && wanted(tpm) != HWK_PROTECT_NEVER);
    settle_unsaid(tpm, held);
    if (held->tr != ESYS_TR_NONE &&
        (held->alg != alg || (salted && !held->salted)))
        flush(tpm, held);
    if (held->tr != ESYS_TR_NONE && held->dirty && !restart(tpm, held))
        return 0;
    if (held->tr == ESYS_TR_NONE &&
        !start(tpm, held, TPM2_SE_POLICY, alg, salted))
        return 0;
    held->used = true;
    *session = held->tr;
    return 1;
}

int hwk_tpm_policy_authorize(struct hwk_tpm *tpm, ESYS_TR object,
                             const struct hwk_secret *auth, unsigned secret)
{
    if (!tpm->sessions.policy.salted)
        secret = HWK_TPM_NO_SECRET;
    return hand_out(tpm, &tpm->sessions.policy, secret) &&
           tell_auth(tpm, object, auth);
}

int hwk_tpm_authorize_also(struct hwk_tpm *tpm, ESYS_TR object,
                           const struct hwk_secret *auth, ESYS_TR *session)
{
    struct hwk_tpm_held *first = tpm->sessions.current;
    if (!hwk_tpm_authorize(tpm, object, auth, HWK_TPM_NO_SECRET, session))
        return 0;
    tpm->sessions.also = first;
    return 1;
}

void hwk_tpm_policy_aside(struct hwk_tpm *tpm)
{
    struct hwk_tpm_sessions *s = &tpm->sessions;
    settle_unsaid(tpm, &s->aside);
    s->aside = s->policy;
    s->policy = (struct hwk_tpm_held){.tr = ESYS_TR_NONE};
}

int hwk_tpm_aside_authorize(struct hwk_tpm *tpm, ESYS_TR object,
                            unsigned secret)
{
    struct hwk_tpm_sessions *s = &tpm->sessions;
    struct hwk_tpm_held *second = s->current;
    if (!s->aside.salted)
        secret = HWK_TPM_NO_SECRET;
    if (!hand_out(tpm, &s->aside, secret) || !tell_auth(tpm, object, NULL))
        return 0;
    s->also = second;
    return 1;
}
