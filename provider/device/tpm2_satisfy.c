/* SPDX-License-Identifier: Apache-2.0 */
/* Policies of keys, satisfied when the keys are used: which way, and the
 * session. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/tpm2_facts.h"
#include "provider/device/tpm2_satisfy_int.h"
#include "provider/device/tpm2_signer.h"

/* --- what is kept --- */

struct hwk_tpm_policies *hwk_tpm_policies(struct hwk_tpm *tpm)
{
    if (!tpm->policies) {
        tpm->policies = OPENSSL_zalloc(sizeof(*tpm->policies));
        if (!tpm->policies)
            hwk_raise(HWK_R_MEMORY, "policy");
    }
    return tpm->policies;
}

void hwk_tpm_policies_free(struct hwk_tpm *tpm)
{
    if (tpm->policies)
        hwk_tpm_signer_free(tpm->policies->signer);
    OPENSSL_free(tpm->policies);
    tpm->policies = NULL;
}

/* --- the session --- */

/* A fresh session, or that of the way before: a TPM changes nothing in it by a
 * step that it refuses, so that often there is nothing to take back. */
static int restart(struct hwk_tpm_run *run)
{
    struct hwk_tpm *tpm = run->tpm;
    ESYS_TR *session = &run->use->session;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    if (!run->started &&
        !hwk_tpm_policy_session(tpm, run->guard->alg,
                                run->guard->proves_auth || run->use->secret,
                                session))
        return 0;
    if (run->begun)
        rc = Esys_PolicyRestart(tpm->esys, *session, ESYS_TR_NONE, ESYS_TR_NONE,
                                ESYS_TR_NONE);
    run->started = true;
    run->begun = false;
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TR_GetTpmHandle(tpm->esys, *session, &run->handle);
    hwk_tpm_policy_zero(run->guard->alg, &run->digest);
    return hwk_tpm_check(tpm, rc, "policy session", 0);
}

/* --- one way --- */

static bool possible(struct hwk_tpm_run *run, const struct hwk_tpm_rule *way)
{
    struct hwk_tpm_term term;
    char text[256];
    for (size_t i = 0; i < way->n; i++) {
        ERR_set_mark();
        int ok = hwk_tpm_term_from(&way->steps[i], &term);
        ERR_pop_to_mark();
        if (!ok) {
            hwk_tpm_rule_text(way, text, sizeof(text));
            hwk_tpm_why(run, "%s: %s in it cannot be read", text,
                        hwk_tpm_step_name(way->steps[i].code));
            return false;
        }
        if (!hwk_tpm_step_possible(run, &term))
            return false;
    }
    return true;
}

static enum hwk_tpm_outcome go(struct hwk_tpm_run *run,
                               const struct hwk_tpm_rule *way)
{
    struct hwk_tpm_term term;
    run->guard->pcrs = false;
    for (size_t i = 0; i < way->n; i++) {
        if (!hwk_tpm_term_from(&way->steps[i], &term))
            return HWK_TPM_RAISED;
        enum hwk_tpm_outcome o = hwk_tpm_step_run(run, &term);
        if (o != HWK_TPM_SATISFIED)
            return o;
        run->begun = true;
        run->guard->pcrs |= term.code == TPM2_CC_PolicyPCR;
        if (!hwk_tpm_term_extend(run->guard->alg, &term, &run->digest))
            return HWK_TPM_RAISED;
    }
    return HWK_TPM_SATISFIED;
}

/* a session that is gone is made anew once */
static enum hwk_tpm_outcome try_way(struct hwk_tpm_run *run,
                                    const struct hwk_tpm_rule *way)
{
    enum hwk_tpm_outcome o = HWK_TPM_LOST;
    for (int i = 0; i < 2 && o == HWK_TPM_LOST; i++) {
        if (!restart(run))
            return HWK_TPM_RAISED;
        o = go(run, way);
        if (o == HWK_TPM_LOST)
            run->started = run->begun = false;
    }
    if (o == HWK_TPM_LOST)
        hwk_raise(HWK_R_TPM, "TPM %s: policy sessions do not stay",
                  run->tpm->name);
    return o == HWK_TPM_LOST ? HWK_TPM_RAISED : o;
}

/* --- which way --- */

/* What PolicyPCR would find, from PCRs read once for all ways. */
struct known {
    TPML_PCR_SELECTION pcrs;
    TPM2B_DIGEST digest;
};

/* the first step in a way that wants given values of PCRs */
static bool wants_pcrs(const struct hwk_tpm_rule *way,
                       struct hwk_tpm_term *term)
{
    for (size_t i = 0; i < way->n; i++)
        if (way->steps[i].code == TPM2_CC_PolicyPCR &&
            hwk_tpm_term_from(&way->steps[i], term) && term->digest.size > 0)
            return true;
    return false;
}

/* With several ways that want PCRs, one look at these tells which it may be.
 * True when this one may. */
static bool pcrs_fit(struct hwk_tpm_run *run, const struct hwk_tpm_rule *way,
                     struct known *known)
{
    struct hwk_tpm_term term;
    ERR_set_mark();
    bool wants = wants_pcrs(way, &term);
    ERR_pop_to_mark();
    if (!wants)
        return true;
    if (memcmp(&term.pcrs, &known->pcrs, sizeof(term.pcrs)) != 0) {
        if (hwk_tpm_pcr_digest(run->tpm, &term.pcrs, run->guard->alg,
                               &known->digest) != TSS2_RC_SUCCESS)
            return true;
        known->pcrs = term.pcrs;
    }
    if (known->digest.size == term.digest.size &&
        memcmp(known->digest.buffer, term.digest.buffer, term.digest.size) == 0)
        return true;
    hwk_tpm_step_why(run, &term, TPM2_RC_VALUE);
    return false;
}

/* true when it did; *stop when nothing else is worth a try */
static bool take(struct hwk_tpm_run *run, size_t i, struct known *known,
                 bool *stop)
{
    const struct hwk_tpm_rule *way = run->guard->ways[i];
    if (*run->why)
        hwk_tpm_why(run, "; or ");
    if (!possible(run, way) || (known && !pcrs_fit(run, way, known)))
        return false;
    enum hwk_tpm_outcome o = try_way(run, way);
    *stop = o == HWK_TPM_RAISED;
    if (o == HWK_TPM_SATISFIED)
        run->guard->last = i + 1;
    return o == HWK_TPM_SATISFIED;
}

bool hwk_tpm_satisfy(struct hwk_tpm_run *run, bool *stop)
{
    struct hwk_tpm_guard *g = run->guard;
    struct known known = {.digest.size = 0};
    size_t first = g->last;
    memset(&known.pcrs, 0, sizeof(known.pcrs));
    if (first > 0 && take(run, first - 1, NULL, stop))
        return true;
    for (size_t i = 0; i < g->n && !*stop; i++)
        if (i + 1 != first && take(run, i, g->n > 1 ? &known : NULL, stop))
            return true;
    return false;
}

bool hwk_tpm_guard_auth(const struct hwk_tpm_guard *guard)
{
    return guard->last > 0 && hwk_tpm_proves_auth(guard->ways[guard->last - 1]);
}

/* ESYS goes on proving an auth value in a session that is kept, the TPM does
 * not ask for it: only a way that wants it tells ESYS */
static int authorize(const struct hwk_tpm_run *run)
{
    const struct hwk_secret *auth =
        hwk_tpm_guard_auth(run->guard) ? run->key->auth : NULL;
    return hwk_tpm_policy_authorize(run->tpm, run->use->tr, auth,
                                    run->use->secret);
}

int hwk_tpm_guard_open(struct hwk_tpm *tpm, const struct hwk_tpm_key *key,
                       struct hwk_tpm_use *use)
{
    struct hwk_tpm_run run = {
        .tpm = tpm, .guard = key->guard, .key = key, .use = use};
    bool stop = false;
    if (hwk_tpm_satisfy(&run, &stop))
        return authorize(&run);
    if (!stop)
        hwk_raise(HWK_R_KEY, "TPM key %s: its policy (%s) is not satisfied: %s",
                  key->object->called, key->guard->from, run.why);
    return 0;
}

/* --- a policy that was satisfied, and was not the key's --- */

bool hwk_tpm_guard_blame(struct hwk_tpm *tpm, const struct hwk_tpm_key *key,
                         TSS2_RC rc)
{
    const struct hwk_tpm_guard *g = key->guard;
    char text[256] = "";
    (void)tpm;
    if (g->last > 0)
        hwk_tpm_rule_text(g->ways[g->last - 1], text, sizeof(text));
    if (hwk_tpm_rc_is(rc, TPM2_RC_POLICY_FAIL))
        hwk_raise(HWK_R_KEY,
                  "TPM key %s: '%s' (%s) was satisfied, but that is not its "
                  "policy%s",
                  key->object->called, text, g->from,
                  g->pcrs ? ", or its PCRs had other values when it was made"
                          : "");
    else if (hwk_tpm_rc_is(rc, TPM2_RC_POLICY_CC))
        hwk_raise(HWK_R_KEY,
                  "TPM key %s: its policy '%s' is for another command",
                  key->object->called, text);
    else if (hwk_tpm_rc_is(rc, TPM2_RC_PCR_CHANGED))
        hwk_raise(HWK_R_TPM, "TPM key %s: PCRs change all the time",
                  key->object->called);
    else
        return false;
    return true;
}
