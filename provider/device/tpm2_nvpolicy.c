/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of an NV index, given in steps, satisfied for one command. */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "provider/device/tpm2_nvpolicy.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_rule_file.h"
#include "provider/spki.h"

/* --- reading steps --- */

/* a view as one of the library's sized buffers */
#define TAKE(view, to)                                                         \
    (take((view), (to)->buffer, sizeof((to)->buffer), &(to)->size))

static bool take(const struct hwk_view *v, BYTE *out, size_t room, UINT16 *size)
{
    if (v->n > room)
        return false;
    if (v->n > 0)
        memcpy(out, v->p, v->n);
    *size = (UINT16)v->n;
    return true;
}

static bool take_pcrs(uint32_t pcrs, TPML_PCR_SELECTION *out)
{
    TPMS_PCR_SELECTION *s = &out->pcrSelections[0];
    out->count = 1;
    s->hash = TPM2_ALG_SHA256;
    s->sizeofSelect = 3;
    for (size_t i = 0; i < 3; i++)
        s->pcrSelect[i] = (BYTE)(pcrs >> 8 * i);
    return pcrs >> 24 == 0;
}

static bool take_branches(const struct hwk_policy_step *s, TPML_DIGEST *out)
{
    out->count = (UINT32)s->branches_n;
    for (size_t i = 0; i < s->branches_n; i++)
        if (!TAKE(&s->branches[i], &out->digests[i]))
            return false;
    return true;
}

/* 1, or 0 with a reason */
static int take_approval(const struct hwk_policy_step *s,
                         struct hwk_tpm_term *t)
{
    struct hwk_pub pub;
    if (!hwk_spki_to_pub(s->key.p, s->key.n, &pub) ||
        !hwk_tpm_signer_public(&pub, &t->pub))
        return 0;
    ERR_set_mark();
    bool ok = hwk_tpm_usual_signature(s->signature.p, s->signature.n,
                                      &t->pub.publicArea, &t->sig);
    ERR_pop_to_mark();
    return ok ? 1
              : hwk_raise(HWK_R_FORMAT, "policy: no signature of the key that "
                                        "is to approve it");
}

static bool take_plain(const struct hwk_policy_step *s, struct hwk_tpm_term *t)
{
    t->command = s->command;
    t->op = s->op;
    t->offset = s->offset;
    switch (s->code) {
    case TPM2_CC_PolicyNV:
        return TAKE(&s->operand, &t->operand);
    case TPM2_CC_PolicyCpHash:
        return TAKE(&s->operand, &t->digest);
    case TPM2_CC_PolicyPCR:
        return take_pcrs(s->pcrs, &t->pcrs);
    case TPM2_CC_PolicyOR:
        return take_branches(s, &t->branches);
    case TPM2_CC_PolicySecret:
    case TPM2_CC_PolicyAuthorize:
        return TAKE(&s->ref, &t->ref);
    default:
        return true;
    }
}

static bool is_known(uint32_t code)
{
    static const TPM2_CC known[] = {
        TPM2_CC_PolicyNV,          TPM2_CC_PolicyPCR,    TPM2_CC_PolicyOR,
        TPM2_CC_PolicyCommandCode, TPM2_CC_PolicyCpHash, TPM2_CC_PolicySecret,
        TPM2_CC_PolicyAuthorize};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (known[i] == code)
            return true;
    return false;
}

static int term_of(const struct hwk_policy_step *s, struct hwk_tpm_term *t)
{
    memset(t, 0, sizeof(*t));
    t->code = s->code;
    t->handle = s->handle;
    t->sig.sigAlg = TPM2_ALG_NULL;
    if (!is_known(s->code))
        return hwk_raise(HWK_R_UNSUPPORTED,
                         "policy: command 0x%x is not known here", s->code);
    if (!take_plain(s, t))
        return hwk_raise(HWK_R_ARGUMENT, "policy: %s with too much",
                         hwk_tpm_step_name(s->code));
    return s->code != TPM2_CC_PolicyAuthorize || take_approval(s, t);
}

/* --- what PolicyAuthorize approves --- */

static int approves(const struct hwk_policy_step *s, const TPM2B_DIGEST *so_far,
                    struct hwk_tpm_guard *g)
{
    TPM2B_DIGEST said = {.size = 0};
    if (!TAKE(&s->operand, &said) ||
        said.size != hwk_md_size(hwk_tpm_md(g->alg)))
        return hwk_raise(HWK_R_ARGUMENT, "policy: the approved one's digest");
    if (so_far->size > 0 && memcmp(said.buffer, so_far->buffer, said.size) != 0)
        return hwk_raise(HWK_R_POLICY, "the approved policy is not the one "
                                       "that the steps before it make");
    g->given = said;
    return 1;
}

static int add(const struct hwk_policy_step *s, TPM2B_DIGEST *so_far,
               struct hwk_tpm_nv_policy *out)
{
    struct hwk_tpm_term t;
    out->open |= s->code == TPM2_CC_PolicyCpHash;
    if (s->code == TPM2_CC_PolicyAuthorize && out->guard.given.size > 0)
        return hwk_raise(HWK_R_UNSUPPORTED, "policy: two approvals");
    return term_of(s, &t) &&
           (s->code != TPM2_CC_PolicyAuthorize ||
            approves(s, so_far, &out->guard)) &&
           hwk_tpm_term_extend(out->guard.alg, &t, so_far) &&
           hwk_tpm_rule_add(&out->rule, &t);
}

int hwk_tpm_nv_policy_from(const struct hwk_policy_step *steps, size_t n,
                           TPMI_ALG_HASH alg, struct hwk_tpm_nv_policy *out)
{
    TPM2B_DIGEST so_far;
    memset(out, 0, sizeof(*out));
    out->guard.alg = alg;
    hwk_tpm_policy_zero(alg, &so_far);
    if (n > 0 && so_far.size == 0)
        return hwk_raise(HWK_R_DIGEST, "policy: no digest 0x%04x", alg);
    for (size_t i = 0; i < n; i++)
        if (!add(&steps[i], &so_far, out))
            return 0;
    return 1;
}

void hwk_tpm_nv_policy_clear(struct hwk_tpm_nv_policy *policy)
{
    hwk_tpm_rule_clear(&policy->rule);
}

/* --- satisfying it --- */

int hwk_tpm_nv_policy_open(struct hwk_tpm_index *ix,
                           struct hwk_tpm_nv_policy *policy, TPM2_CC code,
                           unsigned secret, ESYS_TR *session)
{
    struct hwk_tpm_use use = {.code = code, .secret = secret, .tr = ix->tr};
    struct hwk_tpm_run run = {
        .tpm = ix->tpm, .guard = &policy->guard, .use = &use};
    bool stop = false;
    if (policy->open)
        use.secret = HWK_TPM_NO_SECRET;
    policy->way = &policy->rule;
    policy->guard.ways = &policy->way;
    policy->guard.n = 1;
    policy->guard.proves_auth = true; /* salted */
    if (!hwk_tpm_satisfy(&run, &stop))
        return stop ? 0
                    : hwk_raise(run.denied ? HWK_R_AUTH : HWK_R_POLICY,
                                "TPM %s: NV index 0x%08x: its policy is not "
                                "satisfied: %s",
                                ix->tpm->name, ix->pub.nvIndex, run.why);
    *session = use.session;
    return hwk_tpm_policy_authorize(ix->tpm, ix->tr, NULL, use.secret);
}
