/* SPDX-License-Identifier: Apache-2.0 */
/* struct hwk_devid_ops of device.h, of a TPM. */
#include <string.h>

#include "provider/device/tpm2_door_devid.h"
#include "provider/device/tpm2_ek.h"
#include "provider/device/tpm2_nvpolicy.h"
#include "provider/device/tpm2_policy.h"

/* --- policies --- */

#define SECRET                                                                 \
    ((struct hwk_policy_step){.code = TPM2_CC_PolicySecret,                    \
                              .handle = TPM2_RH_ENDORSEMENT})

static struct hwk_policy_step any_of(const TPM2B_DIGEST *branch, size_t n)
{
    struct hwk_policy_step s = {.code = TPM2_CC_PolicyOR, .branches_n = n};
    for (size_t i = 0; i < n; i++)
        s.branches[i] = (struct hwk_view){branch[i].buffer, branch[i].size};
    return s;
}

struct steps {
    struct hwk_policy_step list[3];
    size_t n;
    TPM2B_DIGEST branch[HWK_TPM_DEVID_BRANCHES]; /* what list lends */
};

/* that of the low range; or the high range's, by its first branch */
static int steps_of_ek(const TPMT_PUBLIC *ek, struct steps *out)
{
    TPM2B_DIGEST low, high;
    const TPM2B_DIGEST *is = &ek->authPolicy;
    if (!hwk_tpm_policy_ek(ek->nameAlg, false, NULL, &low) ||
        !hwk_tpm_policy_ek(ek->nameAlg, true, out->branch, &high))
        return hwk_raise(HWK_R_DIGEST, "an EK by hash 0x%04x", ek->nameAlg);
    out->list[out->n++] = SECRET;
    if (is->size == low.size && memcmp(is->buffer, low.buffer, low.size) == 0)
        return 1;
    out->list[out->n++] = any_of(out->branch, HWK_TPM_EK_BRANCHES);
    return (is->size == high.size &&
            memcmp(is->buffer, high.buffer, high.size) == 0) ||
           hwk_raise(HWK_R_UNSUPPORTED,
                     "the EK's policy is none of the TCG's: nobody here knows "
                     "how it is used");
}

static int steps_of(const struct hwk_tpm_born *b, TPM2_CC command,
                    struct steps *out)
{
    const TPMT_PUBLIC *t = &b->pub.publicArea;
    TPM2B_DIGEST policy;
    if (b->what == HWK_DEVID_EK)
        return steps_of_ek(t, out);
    if (!hwk_tpm_policy_devid(
            t->nameAlg, b->what == HWK_DEVID_IAK ? HWK_TPM_IAK : HWK_TPM_IDEVID,
            out->branch, &policy))
        return hwk_raise(HWK_R_DIGEST, "a key by hash 0x%04x", t->nameAlg);
    out->list[0] = SECRET;
    out->list[1] = (struct hwk_policy_step){.code = TPM2_CC_PolicyCommandCode,
                                            .command = command};
    out->list[2] = any_of(out->branch, HWK_TPM_DEVID_BRANCHES);
    out->n = 3;
    return 1;
}

static int satisfy(struct hwk_tpm *tpm, struct hwk_tpm_nv_policy *policy,
                   ESYS_TR tr, TPM2_CC command, ESYS_TR *session)
{
    struct hwk_tpm_use use = {.code = command, .tr = tr};
    struct hwk_tpm_run run = {.tpm = tpm, .guard = &policy->guard, .use = &use};
    bool stop = false;
    policy->way = &policy->rule;
    policy->guard.ways = &policy->way;
    policy->guard.n = 1;
    if (!hwk_tpm_satisfy(&run, &stop))
        return stop ? 0
                    : hwk_raise(run.denied ? HWK_R_AUTH : HWK_R_POLICY,
                                "TPM %s: the policy of the key is not "
                                "satisfied: %s",
                                tpm->name, run.why);
    *session = use.session;
    return 1;
}

int hwk_tpm_devid_policy(struct hwk_tpm *tpm, const struct hwk_tpm_born *b,
                         ESYS_TR tr, TPM2_CC command, bool salted,
                         ESYS_TR *session)
{
    struct steps steps = {.n = 0};
    struct hwk_tpm_nv_policy policy;
    if (!steps_of(b, command, &steps))
        return 0;
    int ok = hwk_tpm_nv_policy_from(steps.list, steps.n,
                                    b->pub.publicArea.nameAlg, &policy);
    policy.guard.proves_auth = salted && tpm->sessions.salt.lent.handle != 0;
    ok = ok && satisfy(tpm, &policy, tr, command, session);
    hwk_tpm_nv_policy_clear(&policy);
    return ok;
}

/* --- the table --- */

static int drop(void *state, const struct hwk_born *key)
{
    ESYS_TR tr;
    if (!hwk_tpm_begin(state))
        return 0;
    struct hwk_tpm_born *b = hwk_tpm_born_find(state, key, &tr);
    if (b)
        hwk_tpm_born_drop(state, b);
    hwk_tpm_end(state);
    return b != NULL;
}

const struct hwk_backend_devid hwk_tpm_door_devid = {
    .create = hwk_tpm_devid_create,
    .sign = hwk_tpm_devid_sign,
    .certify = hwk_tpm_devid_certify,
    .certify_creation = hwk_tpm_devid_certify_creation,
    .activate = hwk_tpm_devid_activate,
    .keep = hwk_tpm_devid_keep,
    .drop = drop,
    .set_auth = hwk_tpm_devid_set_auth,
    .set_lockout = hwk_tpm_devid_set_lockout,
    .indices = hwk_tpm_devid_indices,
};
