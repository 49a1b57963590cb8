/* SPDX-License-Identifier: Apache-2.0 */
/* What changes NV indices, one command each, and who authorises it. */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_bad.h"
#include "provider/device/tpm2_call.h"
#include "provider/device/tpm2_nvcommand.h"

#define NONE2 ESYS_TR_NONE, ESYS_TR_NONE

/* --- who --- */

int hwk_tpm_by_hierarchy(const struct hwk_tpm *tpm, TPM2_HANDLE hierarchy,
                         struct hwk_tpm_by *by)
{
    static const struct hwk_tpm_guard nobody_asked;
    memset(by, 0, sizeof(*by));
    if (hierarchy != TPM2_RH_OWNER && hierarchy != TPM2_RH_PLATFORM)
        return hwk_raise(HWK_R_ARGUMENT,
                         "NV indices are the owner's or the platform's, not "
                         "0x%08x's",
                         hierarchy);
    by->hierarchy = hierarchy;
    return hwk_tpm_guard_secret(tpm, &nobody_asked, hierarchy, &by->auth);
}

int hwk_tpm_by_from(const struct hwk_tpm *tpm, const struct hwk_nv *nv,
                    const struct hwk_nv_by *in, struct hwk_tpm_by *by)
{
    memset(by, 0, sizeof(*by));
    return (in->handle == 0 || hwk_tpm_by_hierarchy(tpm, in->handle, by)) &&
           hwk_tpm_nv_policy_from(in->steps, in->n, nv->name_alg, &by->policy);
}

void hwk_tpm_by_clear(struct hwk_tpm_by *by)
{
    hwk_secret_free(by->auth);
    hwk_tpm_nv_policy_clear(&by->policy);
    memset(by, 0, sizeof(*by));
}

/* --- values that are wrong --- */

static int who_is(const struct hwk_tpm_index *ix, TPM2_HANDLE who,
                  TPM2B_NAME *name)
{
    size_t at = 0;
    if (who == 0)
        return hwk_tpm_nv_name(&ix->pub, name);
    Tss2_MU_UINT32_Marshal(who, name->name, sizeof(name->name), &at);
    name->size = (UINT16)at;
    return 1;
}

static int say_denied(const struct hwk_tpm_index *ix, TPM2_HANDLE who,
                      const char *when)
{
    ESYS_TR tr;
    if (who == 0)
        return hwk_raise(HWK_R_AUTH,
                         "TPM %s: NV index 0x%08x has an authorization value",
                         ix->tpm->name, ix->pub.nvIndex);
    const char *name = hwk_tpm_hierarchy(who, &tr);
    return hwk_raise(HWK_R_AUTH,
                     "TPM %s: NV index 0x%08x: the authorization value of the "
                     "hierarchy %s was refused%s; pin-source.%s in the "
                     "configuration gives it",
                     ix->tpm->name, ix->pub.nvIndex, name, when, name);
}

int hwk_tpm_index_may(struct hwk_tpm_index *ix, TPM2_HANDLE who,
                      const struct hwk_secret *auth)
{
    TPM2B_NAME name;
    return who_is(ix, who, &name) && (!hwk_tpm_bad_is(ix->tpm, &name, auth) ||
                                      say_denied(ix, who, " before"));
}

/* in a session the Name is proved with the value: whose fault is it? */
int hwk_tpm_index_denied(struct hwk_tpm_index *ix, TPM2_HANDLE who,
                         const struct hwk_secret *auth)
{
    TPM2B_NAME name;
    if (ix->tpm->sessions.shielded && ix->tr != ESYS_TR_NONE &&
        !hwk_tpm_index_prove(ix))
        return 0;
    if (who_is(ix, who, &name))
        hwk_tpm_bad_add(ix->tpm, &name, auth);
    return say_denied(ix, who, "");
}

/* --- one command --- */

struct command {
    TPM2_CC code;
    const char *name;
    struct hwk_tpm_index *ix;
    struct hwk_tpm_by *by;
    ESYS_TR who, session;
};

static int authorize(struct command *c, unsigned secret)
{
    struct hwk_tpm *tpm = c->ix->tpm;
    c->who = c->ix->tr;
    if (c->by->hierarchy)
        hwk_tpm_hierarchy(c->by->hierarchy, &c->who);
    else if (c->by->policy.rule.n > 0)
        return hwk_tpm_nv_policy_open(c->ix, &c->by->policy, c->code, secret,
                                      &c->session);
    return hwk_tpm_index_may(c->ix, c->by->hierarchy, c->by->auth) &&
           hwk_tpm_authorize(tpm, c->who, c->by->auth, HWK_TPM_NO_SECRET,
                             &c->session);
}

static const char *policy_reason(TSS2_RC rc)
{
    if (hwk_tpm_rc_is(rc, TPM2_RC_POLICY_FAIL))
        return "what was satisfied is not its policy";
    if (hwk_tpm_rc_is(rc, TPM2_RC_POLICY_CC))
        return "its policy is for another command";
    if (hwk_tpm_rc_is(rc, TPM2_RC_PCR_CHANGED))
        return "a PCR was extended meanwhile";
    return NULL;
}

static int finish(const struct command *c, TSS2_RC rc)
{
    struct hwk_tpm *tpm = c->ix->tpm;
    TPM2_HANDLE index = c->ix->pub.nvIndex;
    bool by_steps = c->by->policy.rule.n > 0;
    const char *why = by_steps ? policy_reason(rc) : NULL;
    if (rc == TSS2_RC_SUCCESS)
        return 1;
    if (why)
        return hwk_raise(HWK_R_POLICY, "TPM %s: %s of NV index 0x%08x: %s",
                         tpm->name, c->name, index, why);
    if (hwk_tpm_reason(rc) != HWK_R_PIN_INCORRECT)
        return hwk_tpm_check(tpm, rc, c->name, index);
    if (!by_steps || c->by->hierarchy)
        return hwk_tpm_index_denied(c->ix, c->by->hierarchy, c->by->auth);
    return hwk_tpm_index_prove(c->ix) && hwk_tpm_check(tpm, rc, c->name, index);
}

#define COMMAND(command_, index_, by_)                                         \
    struct command c = {.code = TPM2_CC_##command_,                            \
                        .name = #command_,                                     \
                        .ix = (index_),                                        \
                        .by = (by_)};                                          \
    TSS2_RC rc

/* sends call until no session is lost */
#define SEND(secret, call)                                                     \
    do {                                                                       \
        if (!authorize(&c, (secret)))                                          \
            return 0;                                                          \
        rc = (call);                                                           \
    } while (hwk_tpm_again(c.ix->tpm, rc))

/* --- past ESYS, which hashes the Name of an index after each command -------
 */

/* what it would send in a password session, of an index that it sees no more */
static bool by_hand(const struct hwk_tpm_index *ix, const struct hwk_tpm_by *by)
{
    return ix->single && by->hierarchy && hwk_tpm_plain(ix->tpm, by->auth);
}

static TSS2_RC hand_over(struct hwk_tpm_index *ix, struct hwk_tpm_call *call)
{
    ix->tpm->sessions.shielded = false;
    return hwk_tpm_call_run(ix->tpm, call);
}

static void hand_start(const struct command *c, struct hwk_tpm_call *call)
{
    const TPM2_HANDLE handles[] = {c->by->hierarchy, c->ix->pub.nvIndex};
    hwk_tpm_call_start(call, c->code, handles, 2, true);
}

static TSS2_RC hand_define(struct command *c, const TPM2B_NV_PUBLIC *pub)
{
    const TPM2B_DIGEST empty = {.size = 0};
    struct hwk_tpm_call call;
    hwk_tpm_call_start(&call, c->code, &c->by->hierarchy, 1, true);
    hwk_tpm_call_put(&call, TPM2B_DIGEST, &empty);
    hwk_tpm_call_put(&call, TPM2B_NV_PUBLIC, pub);
    return hand_over(c->ix, &call);
}

static TSS2_RC hand_write(struct command *c, const TPM2B_MAX_NV_BUFFER *data,
                          UINT16 offset)
{
    struct hwk_tpm_call call;
    hand_start(c, &call);
    hwk_tpm_call_put(&call, TPM2B_MAX_NV_BUFFER, data);
    hwk_tpm_call_put(&call, UINT16, offset);
    return hand_over(c->ix, &call);
}

static TSS2_RC hand_lock(struct command *c)
{
    struct hwk_tpm_call call;
    hand_start(c, &call);
    return hand_over(c->ix, &call);
}

/* as SEND; call is by hand where that may be */
#define SEND_OR(by_hand_call, secret, call)                                    \
    do {                                                                       \
        if (!by_hand(c.ix, c.by))                                              \
            SEND(secret, call);                                                \
        else if (hwk_tpm_index_may(c.ix, c.by->hierarchy, c.by->auth))         \
            rc = (by_hand_call);                                               \
        else                                                                   \
            return 0;                                                          \
    } while (0)

/* --- the commands ----------------------------------------------------------
 */

int hwk_tpm_index_define(struct hwk_tpm *tpm, const TPM2B_NV_PUBLIC *pub,
                         struct hwk_tpm_by *by, struct hwk_tpm_index *ix)
{
    const TPM2B_AUTH empty = {.size = 0};
    COMMAND(NV_DefineSpace, ix, by);
    *ix = (struct hwk_tpm_index){.tpm = tpm,
                                 .tr = ESYS_TR_NONE,
                                 .generation = tpm->generation,
                                 .single = ix->single,
                                 .pub = pub->nvPublic};
    SEND_OR(hand_define(&c, pub), HWK_TPM_NO_SECRET,
            Esys_NV_DefineSpace(tpm->esys, c.who, c.session, NONE2, &empty, pub,
                                &ix->tr));
    return finish(&c, rc);
}

int hwk_tpm_index_defined(struct hwk_tpm *tpm, const TPM2B_NV_PUBLIC *pub,
                          struct hwk_tpm_by *by, TSS2_RC rc,
                          struct hwk_tpm_index *ix)
{
    const struct command c = {.name = "NV_DefineSpace", .ix = ix, .by = by};
    *ix = (struct hwk_tpm_index){
        .tpm = tpm, .tr = ESYS_TR_NONE, .pub = pub->nvPublic};
    return rc != TSS2_RC_SUCCESS && finish(&c, rc);
}

/* by the platform, and by the index's policy for its administrator */
static int undefine_special(struct hwk_tpm_index *ix, struct hwk_tpm_by *by)
{
    COMMAND(NV_UndefineSpaceSpecial, ix, by);
    ESYS_TR platform;
    if (by->hierarchy != TPM2_RH_PLATFORM || by->policy.rule.n == 0)
        return hwk_raise(HWK_R_UNSUPPORTED,
                         "NV index 0x%08x can be removed by its policy only, "
                         "and by the platform",
                         ix->pub.nvIndex);
    if (!hwk_tpm_index_may(ix, by->hierarchy, by->auth))
        return 0;
    do {
        if (!hwk_tpm_nv_policy_open(ix, &by->policy, c.code, HWK_TPM_NO_SECRET,
                                    &c.session) ||
            !hwk_tpm_authorize_also(ix->tpm, ESYS_TR_RH_PLATFORM, by->auth,
                                    &platform))
            return 0;
        rc = Esys_NV_UndefineSpaceSpecial(ix->tpm->esys, ix->tr,
                                          ESYS_TR_RH_PLATFORM, c.session,
                                          platform, ESYS_TR_NONE);
    } while (hwk_tpm_again(ix->tpm, rc));
    if (rc == TSS2_RC_SUCCESS)
        ix->tr = ESYS_TR_NONE;
    return finish(&c, rc);
}

int hwk_tpm_index_undefine(struct hwk_tpm_index *ix, struct hwk_tpm_by *by)
{
    COMMAND(NV_UndefineSpace, ix, by);
    if (ix->pub.attributes & TPMA_NV_POLICY_DELETE)
        return undefine_special(ix, by);
    if (!by->hierarchy)
        return hwk_raise(HWK_R_ARGUMENT,
                         "NV index 0x%08x is removed by its hierarchy",
                         ix->pub.nvIndex);
    SEND(HWK_TPM_NO_SECRET,
         Esys_NV_UndefineSpace(ix->tpm->esys, c.who, ix->tr, c.session, NONE2));
    if (rc == TSS2_RC_SUCCESS)
        ix->tr = ESYS_TR_NONE;
    return finish(&c, rc);
}

int hwk_tpm_index_write(struct hwk_tpm_index *ix, struct hwk_tpm_by *by,
                        const uint8_t *data, size_t n, size_t offset)
{
    TPM2B_MAX_NV_BUFFER buffer = {.size = (UINT16)n};
    COMMAND(NV_Write, ix, by);
    if (n > sizeof(buffer.buffer))
        return hwk_raise(HWK_R_ARGUMENT, "no TPM takes %zu bytes at once", n);
    memcpy(buffer.buffer, data, n);
    SEND_OR(hand_write(&c, &buffer, (UINT16)offset), HWK_TPM_SECRET_SENT,
            Esys_NV_Write(ix->tpm->esys, c.who, ix->tr, c.session, NONE2,
                          &buffer, (UINT16)offset));
    return finish(&c, rc);
}

int hwk_tpm_index_lock(struct hwk_tpm_index *ix, struct hwk_tpm_by *by)
{
    COMMAND(NV_WriteLock, ix, by);
    SEND_OR(hand_lock(&c), HWK_TPM_NO_SECRET,
            Esys_NV_WriteLock(ix->tpm->esys, c.who, ix->tr, c.session, NONE2));
    return finish(&c, rc);
}

int hwk_tpm_index_increment(struct hwk_tpm_index *ix, struct hwk_tpm_by *by)
{
    COMMAND(NV_Increment, ix, by);
    SEND(HWK_TPM_NO_SECRET,
         Esys_NV_Increment(ix->tpm->esys, c.who, ix->tr, c.session, NONE2));
    return finish(&c, rc);
}
