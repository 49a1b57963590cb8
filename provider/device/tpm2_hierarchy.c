/* SPDX-License-Identifier: Apache-2.0 */
/* A hierarchy that authorises a command, and its value. */
#include <string.h>

#include "provider/device/tpm2_bad.h"
#include "provider/device/tpm2_hierarchy.h"
#include "provider/device/tpm2_satisfy_int.h"

static int denied(const struct hwk_tpm *tpm,
                  const struct hwk_tpm_hierarchy_by *by, const char *when)
{
    if (by->given)
        return hwk_raise(HWK_R_AUTH,
                         "TPM %s: the authorization value of the hierarchy %s "
                         "that was given was refused%s",
                         tpm->name, by->name, when);
    return hwk_raise(HWK_R_AUTH,
                     "TPM %s: the authorization value of the hierarchy %s was "
                     "refused%s; pin-source.%s in the configuration gives it",
                     tpm->name, by->name, when, by->name);
}

static int value_of(const struct hwk_tpm *tpm, const struct hwk_view *value,
                    struct hwk_tpm_hierarchy_by *by)
{
    static const struct hwk_tpm_guard nobody_asked;
    if (!value)
        return hwk_tpm_guard_secret(tpm, &nobody_asked, by->handle, &by->auth);
    by->given = true;
    by->auth = value->n > 0 ? hwk_secret_new(value->p, value->n) : NULL;
    return value->n == 0 || by->auth != NULL;
}

int hwk_tpm_hierarchy_open(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                           const struct hwk_view *value,
                           struct hwk_tpm_hierarchy_by *out)
{
    const TPM2B_NAME name = hwk_tpm_handle_name(handle);
    memset(out, 0, sizeof(*out));
    out->handle = handle;
    out->name = hwk_tpm_hierarchy(handle, &out->tr);
    if (!out->name)
        return hwk_raise(HWK_R_ARGUMENT, "0x%08x is no hierarchy", handle);
    return value_of(tpm, value, out) &&
           (!hwk_tpm_bad_is(tpm, &name, out->auth) ||
            denied(tpm, out, " before"));
}

void hwk_tpm_hierarchy_changed(struct hwk_tpm *tpm,
                               const struct hwk_tpm_hierarchy_by *by)
{
    const TPM2B_NAME name = hwk_tpm_handle_name(by->handle);
    hwk_tpm_bad_forget(tpm, &name);
}

void hwk_tpm_hierarchy_clear(struct hwk_tpm_hierarchy_by *by)
{
    hwk_secret_free(by->auth);
    by->auth = NULL;
}

int hwk_tpm_hierarchy_check(struct hwk_tpm *tpm,
                            const struct hwk_tpm_hierarchy_by *by, TSS2_RC rc,
                            const char *what, TPM2_HANDLE handle)
{
    const TPM2B_NAME name = hwk_tpm_handle_name(by->handle);
    if (rc == TSS2_RC_SUCCESS || hwk_tpm_reason(rc) != HWK_R_PIN_INCORRECT)
        return hwk_tpm_check(tpm, rc, what, handle);
    hwk_tpm_bad_add(tpm, &name, by->auth);
    return denied(tpm, by, "");
}
