/* SPDX-License-Identifier: Apache-2.0 */
/* One step of a policy: what it takes, and its commands. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_bad.h"
#include "provider/device/tpm2_call.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_satisfy_int.h"
#include "provider/device/tpm2_signer.h"

/* --- without the TPM --- */

static bool have_signature(struct hwk_tpm_run *run,
                           const struct hwk_tpm_term *term)
{
    char text[256];
    if (term->sig.sigAlg != TPM2_ALG_NULL ||
        hwk_tpm_signer_has(hwk_tpm_step_signer(run), &term->pub))
        return true;
    hwk_tpm_term_text(term, text, sizeof(text));
    hwk_tpm_why(run,
                "%s: there is no signature, and its key is not among "
                "policy-keys",
                text);
    return false;
}

static bool right_command(struct hwk_tpm_run *run,
                          const struct hwk_tpm_term *term)
{
    char text[64];
    if (term->command == run->use->code)
        return true;
    hwk_tpm_term_text(term, text, sizeof(text));
    hwk_tpm_why(run, "%s: not what the key is used for now", text);
    return false;
}

bool hwk_tpm_step_possible(struct hwk_tpm_run *run,
                           const struct hwk_tpm_term *term)
{
    switch (term->code) {
    case TPM2_CC_PolicySigned:
    case TPM2_CC_PolicyAuthorize:
        return have_signature(run, term);
    case TPM2_CC_PolicyCommandCode:
        return right_command(run, term);
    default:
        return true;
    }
}

/* --- what came of a command --- */

enum hwk_tpm_outcome hwk_tpm_step_outcome(struct hwk_tpm_run *run,
                                          const struct hwk_tpm_term *term,
                                          TSS2_RC rc)
{
    if (rc == TSS2_RC_SUCCESS)
        return HWK_TPM_SATISFIED;
    if (hwk_tpm_again(run->tpm, rc))
        return HWK_TPM_LOST;
    if (!hwk_tpm_answered(rc) || hwk_tpm_rc_is(rc, TPM2_RC_LOCKOUT)) {
        hwk_tpm_check(run->tpm, rc, hwk_tpm_step_name(term->code), 0);
        return HWK_TPM_RAISED;
    }
    hwk_tpm_step_why(run, term, rc);
    return HWK_TPM_REFUSED;
}

static void start(struct hwk_tpm_run *run, struct hwk_tpm_call *call,
                  TPM2_CC code)
{
    hwk_tpm_call_start(call, code, &run->handle, 1, false);
}

/* --- steps of one command --- */

static TSS2_RC plain(struct hwk_tpm_run *run, const struct hwk_tpm_term *t)
{
    struct hwk_tpm_call call;
    start(run, &call, t->code);
    switch (t->code) {
    case TPM2_CC_PolicyPCR:
        hwk_tpm_call_put(&call, TPM2B_DIGEST, &t->digest);
        hwk_tpm_call_put(&call, TPML_PCR_SELECTION, &t->pcrs);
        break;
    case TPM2_CC_PolicyOR:
        hwk_tpm_call_put(&call, TPML_DIGEST, &t->branches);
        break;
    case TPM2_CC_PolicyCommandCode:
        hwk_tpm_call_put(&call, UINT32, t->command);
        break;
    case TPM2_CC_PolicyCpHash:
        hwk_tpm_call_put(&call, TPM2B_DIGEST, &t->digest);
        break;
    case TPM2_CC_PolicyLocality:
        hwk_tpm_call_put(&call, UINT8, t->locality);
        break;
    case TPM2_CC_PolicyCounterTimer:
        hwk_tpm_call_put(&call, TPM2B_OPERAND, &t->operand);
        hwk_tpm_call_put(&call, UINT16, t->offset);
        hwk_tpm_call_put(&call, UINT16, t->op);
        break;
    default:
        break;
    }
    return hwk_tpm_call_run(run->tpm, &call);
}

/* the same digest as PolicyPassword, but the value stays here: ESYS proves in
 * the command that it knows it */
static TSS2_RC auth_value(struct hwk_tpm_run *run)
{
    return Esys_PolicyAuthValue(run->tpm->esys, run->use->session, ESYS_TR_NONE,
                                ESYS_TR_NONE, ESYS_TR_NONE);
}

static TSS2_RC compare(struct hwk_tpm_run *run, const struct hwk_tpm_term *t,
                       bool by_owner)
{
    const TPM2_HANDLE handles[] = {by_owner ? TPM2_RH_OWNER : t->handle,
                                   t->handle, run->handle};
    struct hwk_tpm_call call;
    hwk_tpm_call_start(&call, TPM2_CC_PolicyNV, handles, 3, true);
    hwk_tpm_call_put(&call, TPM2B_OPERAND, &t->operand);
    hwk_tpm_call_put(&call, UINT16, t->offset);
    hwk_tpm_call_put(&call, UINT16, t->op);
    return hwk_tpm_call_run(run->tpm, &call);
}

/* by the index' own, empty auth value, or the owner's: whichever may read */
static TSS2_RC nv(struct hwk_tpm_run *run, const struct hwk_tpm_term *t)
{
    bool by_owner = run->guard->owner_reads == t->handle;
    TSS2_RC rc = compare(run, t, by_owner);
    if (!by_owner && (hwk_tpm_rc_is(rc, TPM2_RC_NV_AUTHORIZATION) ||
                      hwk_tpm_rc_is(rc, TPM2_RC_AUTH_UNAVAILABLE))) {
        rc = compare(run, t, true);
        run->guard->owner_reads = t->handle;
    }
    return rc;
}

/* --- secrets of others --- */

static TSS2_RC prove_secret(struct hwk_tpm_run *run, ESYS_TR object,
                            const struct hwk_tpm_term *t,
                            const struct hwk_secret *secret)
{
    const TPM2B_NONCE none = {.size = 0};
    const TPM2B_DIGEST any = {.size = 0};
    ESYS_TR session;
    if (!hwk_tpm_authorize(run->tpm, object, secret, HWK_TPM_NO_SECRET,
                           &session))
        return TSS2_ESYS_RC_BAD_VALUE;
    return Esys_PolicySecret(run->tpm->esys, object, run->use->session, session,
                             ESYS_TR_NONE, ESYS_TR_NONE, &none, &any, &t->ref,
                             0, NULL, NULL);
}

/* never tries a value twice that was refused */
static enum hwk_tpm_outcome with_secret(struct hwk_tpm_run *run,
                                        const struct hwk_tpm_term *t,
                                        ESYS_TR object, const TPM2B_NAME *name,
                                        struct hwk_secret *secret)
{
    char text[160];
    if (hwk_tpm_bad_is(run->tpm, name, secret)) {
        hwk_tpm_term_text(t, text, sizeof(text));
        hwk_tpm_why(run, "%s: its authorization value was refused before",
                    text);
        run->denied = true;
        return HWK_TPM_REFUSED;
    }
    TSS2_RC rc = prove_secret(run, object, t, secret);
    if (rc != TSS2_RC_SUCCESS && hwk_tpm_reason(rc) == HWK_R_PIN_INCORRECT) {
        hwk_tpm_bad_add(run->tpm, name, secret);
        run->denied = true;
    }
    return hwk_tpm_again(run->tpm, rc) ? HWK_TPM_LOST
                                       : hwk_tpm_step_outcome(run, t, rc);
}

/* the ESYS handle of an object that is no hierarchy; the caller closes it */
static TSS2_RC other_object(struct hwk_tpm_run *run, TPM2_HANDLE handle,
                            ESYS_TR *tr)
{
    TSS2_RC rc = hwk_tpm_tcti_ask(run->tpm->tcti,
                                  handle >> 24 == TPM2_HT_NV_INDEX
                                      ? TPM2_CC_NV_ReadPublic
                                      : TPM2_CC_ReadPublic,
                                  handle);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TR_FromTPMPublic(run->tpm->esys, handle, ESYS_TR_NONE,
                                   ESYS_TR_NONE, ESYS_TR_NONE, tr);
    return rc;
}

/* another key of ours at that handle keeps its ESYS handle, which is the same
 */
static bool in_use(const struct hwk_tpm *tpm, ESYS_TR tr)
{
    for (const struct hwk_tpm_object *o = tpm->objects; o; o = o->next)
        if (o->tr == tr && o->generation == tpm->generation)
            return true;
    return false;
}

static enum hwk_tpm_outcome secret(struct hwk_tpm_run *run,
                                   const struct hwk_tpm_term *t)
{
    ESYS_TR tr = ESYS_TR_NONE;
    const char *known = hwk_tpm_hierarchy(t->handle, &tr);
    struct hwk_secret *value = NULL;
    TPM2B_NAME name = t->name;
    if (!hwk_tpm_guard_secret(run->tpm, run->guard, t->handle, &value))
        return HWK_TPM_RAISED;
    if (!known) {
        TSS2_RC rc = other_object(run, t->handle, &tr);
        if (rc != TSS2_RC_SUCCESS) {
            hwk_secret_free(value);
            return hwk_tpm_step_outcome(run, t, rc);
        }
    }
    if (name.size == 0)
        name = hwk_tpm_handle_name(t->handle);
    enum hwk_tpm_outcome o = with_secret(run, t, tr, &name, value);
    hwk_secret_free(value);
    if (!known && !in_use(run->tpm, tr))
        Esys_TR_Close(run->tpm->esys, &tr);
    return o;
}

enum hwk_tpm_outcome hwk_tpm_step_run(struct hwk_tpm_run *run,
                                      const struct hwk_tpm_term *term)
{
    switch (term->code) {
    case TPM2_CC_PolicyAuthValue:
    case TPM2_CC_PolicyPassword:
        return hwk_tpm_step_outcome(run, term, auth_value(run));
    case TPM2_CC_PolicyNV:
        return hwk_tpm_step_outcome(run, term, nv(run, term));
    case TPM2_CC_PolicySecret:
        return secret(run, term);
    case TPM2_CC_PolicySigned:
        return hwk_tpm_step_signed(run, term);
    case TPM2_CC_PolicyAuthorize:
        return hwk_tpm_step_authorize(run, term);
    default:
        return hwk_tpm_step_outcome(run, term, plain(run, term));
    }
}
