/* SPDX-License-Identifier: Apache-2.0 */
/* What a factory does to a TPM besides its keys: where they stay, who may
 * change it, what is in it. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/tpm2_authcall.h"
#include "provider/device/tpm2_caps.h"
#include "provider/device/tpm2_door_devid.h"
#include "provider/device/tpm2_evict.h"
#include "provider/device/tpm2_find.h"
#include "provider/device/tpm2_hierarchy.h"

/* --- EvictControl --- */

static int taken(const struct hwk_tpm *tpm, TPM2_HANDLE handle)
{
    return hwk_raise(HWK_R_EXISTS, "TPM %s: there is a key at 0x%08x",
                     tpm->name, handle);
}

static int put_there(struct hwk_tpm *tpm, const struct hwk_tpm_hierarchy_by *by,
                     const struct hwk_born *key, TPM2_HANDLE handle)
{
    ESYS_TR tr;
    TSS2_RC rc;
    const struct hwk_tpm_born *b = hwk_tpm_born_find(tpm, key, &tr);
    if (!b)
        return 0;
    if (b->object)
        return hwk_raise(HWK_R_ARGUMENT, "that key is kept at 0x%08x already",
                         b->handle);
    if (!hwk_tpm_evict(tpm, by->handle, by->auth, b->handle, &b->name, handle,
                       &rc))
        return 0;
    return hwk_tpm_rc_is(rc, TPM2_RC_NV_DEFINED)
               ? taken(tpm, handle)
               : hwk_tpm_hierarchy_check(tpm, by, rc, "EvictControl", handle);
}

static int take_away(struct hwk_tpm *tpm, const struct hwk_tpm_hierarchy_by *by,
                     TPM2_HANDLE handle)
{
    TPM2B_PUBLIC pub;
    TPM2B_NAME name = {.size = 0}; /* which a password does not sign */
    TSS2_RC rc;
    hwk_tpm_object_forget(tpm, handle);
    if ((!hwk_tpm_plain(tpm, by->auth) &&
         !hwk_tpm_ask_public(tpm, handle, &pub, &name)) ||
        !hwk_tpm_evict(tpm, by->handle, by->auth, handle, &name, handle, &rc))
        return 0;
    return hwk_tpm_hierarchy_check(tpm, by, rc, "EvictControl", handle);
}

/* keys of the endorsement hierarchy are kept by the owner */
int hwk_tpm_devid_keep(void *state, const struct hwk_born *key, uint32_t handle)
{
    struct hwk_tpm_hierarchy_by by;
    if (handle < HWK_TPM_PERSISTENT || handle >= HWK_TPM_PLATFORM_PERSISTENT)
        return hwk_raise(HWK_R_ARGUMENT,
                         "0x%08x: the owner's keys are at 0x81000000 to "
                         "0x817fffff",
                         handle);
    if (!hwk_tpm_begin(state))
        return 0;
    hwk_tpm_devid_forget(state);
    int ok = hwk_tpm_hierarchy_open(state, TPM2_RH_OWNER, NULL, &by) &&
             (key ? put_there(state, &by, key, handle)
                  : take_away(state, &by, handle));
    hwk_tpm_hierarchy_clear(&by);
    hwk_tpm_end(state);
    return ok;
}

/* --- authorization values --- */

static int encrypts(const struct hwk_tpm *tpm)
{
    return !tpm->cfg || tpm->cfg->tpm_sessions != HWK_PROTECT_NEVER ||
           hwk_raise(HWK_R_UNSUPPORTED,
                     "TPM %s: an authorization value is set in a session that "
                     "encrypts it: tpm-sessions = never forbids that",
                     tpm->name);
}

/* past ESYS, which would print that a value is too long for this TPM */
static int change(struct hwk_tpm *tpm, const struct hwk_tpm_hierarchy_by *by,
                  const TPM2B_AUTH *to)
{
    const TPM2B_NAME name = hwk_tpm_handle_name(by->handle);
    struct hwk_tpm_authorization one = {.auth = by->auth, .then = to};
    struct hwk_tpm_call call;
    TSS2_RC rc;
    do {
        if (!hwk_tpm_authorize(tpm, by->tr, by->auth, HWK_TPM_SECRET_SENT,
                               &one.session))
            return 0;
        hwk_tpm_call_start(&call, TPM2_CC_HierarchyChangeAuth, &by->handle, 1,
                           false);
        hwk_tpm_call_put(&call, TPM2B_AUTH, to);
        rc = hwk_tpm_authcall_run(tpm, &call, &name, 1, &one, 1);
    } while (hwk_tpm_again(tpm, rc));
    if (rc == TSS2_RC_SUCCESS)
        hwk_tpm_hierarchy_changed(tpm, by);
    return hwk_tpm_hierarchy_check(tpm, by, rc, "HierarchyChangeAuth",
                                   by->handle);
}

int hwk_tpm_devid_set_auth(void *state, uint32_t hierarchy,
                           struct hwk_view value)
{
    struct hwk_tpm_hierarchy_by by;
    TPM2B_AUTH to = {.size = (UINT16)value.n};
    if (hierarchy == TPM2_RH_NULL)
        return hwk_raise(HWK_R_ARGUMENT, "the hierarchy null has no value");
    if (value.n > sizeof(to.buffer))
        return hwk_raise(HWK_R_ARGUMENT, "a value of more than %zu bytes",
                         sizeof(to.buffer));
    if (!encrypts(state) || !hwk_tpm_begin(state))
        return 0;
    if (value.n > 0)
        memcpy(to.buffer, value.p, value.n);
    int ok = hwk_tpm_hierarchy_open(state, hierarchy, NULL, &by) &&
             change(state, &by, &to);
    hwk_tpm_hierarchy_clear(&by);
    OPENSSL_cleanse(&to, sizeof(to));
    hwk_tpm_end(state);
    return ok;
}

static int set_lockout(struct hwk_tpm *tpm,
                       const struct hwk_tpm_hierarchy_by *by,
                       const struct hwk_lockout *to)
{
    ESYS_TR session;
    TSS2_RC rc;
    do {
        if (!hwk_tpm_authorize(tpm, by->tr, by->auth, HWK_TPM_NO_SECRET,
                               &session))
            return 0;
        rc = Esys_DictionaryAttackParameters(
            tpm->esys, by->tr, session, ESYS_TR_NONE, ESYS_TR_NONE,
            to->max_tries, to->recovery_s, to->lockout_recovery_s);
    } while (hwk_tpm_again(tpm, rc));
    return hwk_tpm_hierarchy_check(tpm, by, rc, "DictionaryAttackParameters",
                                   0);
}

int hwk_tpm_devid_set_lockout(void *state, const struct hwk_lockout *to,
                              const struct hwk_view *value)
{
    struct hwk_tpm_hierarchy_by by;
    if (!hwk_tpm_begin(state))
        return 0;
    int ok = hwk_tpm_hierarchy_open(state, TPM2_RH_LOCKOUT, value, &by) &&
             set_lockout(state, &by, to);
    hwk_tpm_hierarchy_clear(&by);
    hwk_tpm_end(state);
    return ok;
}

/* --- indices --- */

struct found {
    TPM2_HANDLE from, to, last; /* last 0: none yet */
    uint32_t *out;
    size_t n, room;
    int reason; /* 0: none */
};

/* a TPM tells them in ascending order: it is held to that, or it never ends */
static int add(void *arg, TPM2_HANDLE handle)
{
    struct found *f = arg;
    if (handle < f->from || handle <= f->last)
        f->reason = HWK_R_BUS;
    else if (handle <= f->to && f->n == f->room)
        f->reason = HWK_R_ARGUMENT;
    if (f->reason || handle > f->to)
        return 0;
    f->out[f->n++] = f->last = handle;
    return 1;
}

/* for what is done in this turn, see is_absent in tpm2_door_devid_create.c */
static void remember(struct hwk_tpm *tpm, const struct found *f)
{
    struct hwk_tpm_borns *b = hwk_tpm_entered(tpm) ? hwk_tpm_borns(tpm) : NULL;
    if (!b || f->n > HWK_TPM_SEEN_MAX)
        return;
    b->from = f->from;
    b->to = f->to;
    b->seen_n = f->n;
    memcpy(b->seen, f->out, f->n * sizeof(*f->out));
}

int hwk_tpm_devid_indices(void *state, uint32_t from, uint32_t to,
                          uint32_t *out, size_t *n)
{
    struct hwk_tpm *tpm = state;
    struct found f = {.from = from, .to = to, .out = out, .room = *n};
    if (!hwk_tpm_begin(tpm))
        return 0;
    int ok = hwk_tpm_handles(tpm, from, add, &f);
    if (ok && f.reason == HWK_R_BUS)
        ok = hwk_raise(HWK_R_BUS, "TPM %s: its NV indices are told in no order",
                       tpm->name);
    else if (ok && f.reason)
        ok = hwk_raise(HWK_R_ARGUMENT,
                       "TPM %s: more than %zu NV indices in that range",
                       tpm->name, f.room);
    if (ok)
        remember(tpm, &f);
    hwk_tpm_end(tpm);
    if (ok)
        *n = f.n;
    return ok;
}
