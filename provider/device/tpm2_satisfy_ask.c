/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets of hierarchies that a policy wants: where they come from. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/tpm2_caps.h"
#include "provider/device/tpm2_satisfy_int.h"

static const struct {
    TPM2_HANDLE handle;
    ESYS_TR tr;
    const char *name;
    UINT32 is_set; /* the bit that says so; 0: there is none */
} hierarchies[] = {
    {TPM2_RH_OWNER, ESYS_TR_RH_OWNER, "owner", TPMA_PERMANENT_OWNERAUTHSET},
    {TPM2_RH_ENDORSEMENT, ESYS_TR_RH_ENDORSEMENT, "endorsement",
     TPMA_PERMANENT_ENDORSEMENTAUTHSET},
    {TPM2_RH_LOCKOUT, ESYS_TR_RH_LOCKOUT, "lockout",
     TPMA_PERMANENT_LOCKOUTAUTHSET},
    {TPM2_RH_PLATFORM, ESYS_TR_RH_PLATFORM, "platform", 0},
    {TPM2_RH_NULL, ESYS_TR_RH_NULL, "null", 0},
};
#define HIERARCHIES (sizeof(hierarchies) / sizeof(*hierarchies))

const char *hwk_tpm_hierarchy(TPM2_HANDLE handle, ESYS_TR *tr)
{
    for (size_t i = 0; i < HIERARCHIES; i++)
        if (hierarchies[i].handle == handle) {
            *tr = hierarchies[i].tr;
            return hierarchies[i].name;
        }
    return NULL;
}

static const char *configured(const struct hwk_tpm *tpm, TPM2_HANDLE handle,
                              char setting[static 48])
{
    ESYS_TR tr;
    const char *name = hwk_tpm_hierarchy(handle, &tr);
    if (name)
        snprintf(setting, 48, "pin-source.%s", name);
    else
        snprintf(setting, 48, "pin-source.0x%08x", handle);
    return tpm->cfg ? hwk_config_get(tpm->cfg, setting) : NULL;
}

int hwk_tpm_guard_secret(const struct hwk_tpm *tpm,
                         const struct hwk_tpm_guard *guard, TPM2_HANDLE handle,
                         struct hwk_secret **out)
{
    char setting[48];
    const char *path = configured(tpm, handle, setting);
    *out = NULL;
    if (path)
        return hwk_pin_again(HWK_PIN_FILE, path, setting, out);
    for (size_t i = 0; i < HWK_TPM_ASKED; i++)
        if (guard->asked[i].secret && guard->asked[i].handle == handle)
            return (*out = hwk_secret_dup(guard->asked[i].secret)) != NULL;
    return 1;
}

/* --- asking --- */

/* notes what is wanted and nobody configured */
static void note(const struct hwk_tpm *tpm, struct hwk_tpm_guard *g,
                 TPM2_HANDLE handle)
{
    char setting[48];
    if (configured(tpm, handle, setting))
        return;
    for (size_t i = 0; i < HWK_TPM_ASKED; i++) {
        if (g->asked[i].handle == handle)
            return;
        if (g->asked[i].handle == 0) {
            g->asked[i].handle = handle;
            return;
        }
    }
}

static bool note_all(const struct hwk_tpm *tpm, struct hwk_tpm_guard *g)
{
    struct hwk_tpm_term term;
    ESYS_TR tr;
    for (size_t i = 0; i < g->n; i++)
        for (size_t j = 0; j < g->ways[i]->n; j++)
            if (g->ways[i]->steps[j].code == TPM2_CC_PolicySecret &&
                hwk_tpm_term_from(&g->ways[i]->steps[j], &term) &&
                hwk_tpm_hierarchy(term.handle, &tr))
                note(tpm, g, term.handle);
    return g->asked[0].handle != 0;
}

/* those with an empty value need not be asked for: one command tells */
static bool leave_set(struct hwk_tpm *tpm, struct hwk_tpm_guard *g)
{
    struct hwk_tpm_properties p;
    bool any = false;
    if (!hwk_tpm_properties(tpm, TPM2_PT_VAR, &p))
        return false;
    UINT32 set = hwk_tpm_property(&p, TPM2_PT_PERMANENT);
    for (size_t i = 0; i < HWK_TPM_ASKED; i++) {
        bool keep = false;
        for (size_t j = 0; j < HIERARCHIES; j++)
            keep |= hierarchies[j].handle == g->asked[i].handle &&
                    (hierarchies[j].is_set & set) != 0;
        if (!keep)
            g->asked[i].handle = 0;
        any |= keep;
    }
    return any;
}

static bool look(struct hwk_tpm *tpm, struct hwk_tpm_key *key)
{
    if (!hwk_tpm_begin(tpm))
        return false;
    if (!key->judged)
        key->judged = hwk_tpm_guard_new(tpm, key, &key->guard);
    bool any = key->judged && key->guard && note_all(tpm, key->guard) &&
               leave_set(tpm, key->guard);
    hwk_tpm_end(tpm);
    return any;
}

void hwk_tpm_guard_ask(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                       const struct hwk_pin_source *prompt)
{
    char what[48], value[HWK_PIN_MAX];
    ESYS_TR tr;
    size_t n = 0;
    if (!prompt || key->object->pub.publicArea.authPolicy.size == 0)
        return;
    ERR_set_mark();
    if (look(tpm, key))
        for (size_t i = 0; i < HWK_TPM_ASKED; i++) {
            TPM2_HANDLE handle = key->guard->asked[i].handle;
            if (!handle)
                continue;
            snprintf(what, sizeof(what), "TPM hierarchy '%s'",
                     hwk_tpm_hierarchy(handle, &tr));
            if (prompt->get(prompt->arg, what, value, sizeof(value), &n) &&
                n <= sizeof(value))
                key->guard->asked[i].secret = hwk_secret_new(value, n);
        }
    OPENSSL_cleanse(value, sizeof(value));
    ERR_pop_to_mark();
}
