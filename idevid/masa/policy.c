/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for a device: its maker's policy, and what was set for its model,
 * its customer and itself. */
#include <stdio.h>
#include <string.h>

#include "idevid/masa/masa_call.h"
#include "idevid/masa/policy.h"

const char *const idv_masa_pins[] = {"farthest", "registrar", "issuer",
                                     "registrar-key", NULL};
const char *const idv_masa_forms[] = {"device", "cms", "jws", NULL};
const char *const idv_masa_nonceless_words[] = {"named", "never", "owner",
                                                NULL};

const char *const idv_masa_revocations[] = {"if-named", "require", "never",
                                            NULL};

const char *const idv_masa_origins[] = {"any", "note", "bind", NULL};

struct alone {
    struct idv_masa_policy policy;
};
const struct idv_conf_entry idv_masa_settings[] = {
    IDV_MASA_POLICY_ENTRIES(struct alone, policy)};
_Static_assert(sizeof(idv_masa_settings) / sizeof(*idv_masa_settings) ==
                   IDV_MASA_SETTINGS,
               "all settings");

static const char *const ofs[] = {[IDV_POLICY_MODEL] = "model",
                                  [IDV_POLICY_CUSTOMER] = "customer",
                                  [IDV_POLICY_DEVICE] = "device"};

const char *idv_policy_of_to_text(enum idv_policy_of of)
{
    return ofs[of];
}

idv_rc idv_policy_of_from_text(const char *text, enum idv_policy_of *out)
{
    for (int i = IDV_POLICY_MODEL; i <= IDV_POLICY_DEVICE; i++) {
        if (strcmp(text, ofs[i]) != 0)
            continue;
        *out = (enum idv_policy_of)i;
        return IDV_OK;
    }
    return idv_fail(IDV_E_ARG, "'%s' is none of: model, customer, device",
                    text);
}

/* --- one setting ---------------------------------------------------------- */

static const struct idv_conf_entry *find(const char *setting)
{
    for (size_t i = 0; i < IDV_MASA_SETTINGS; i++) {
        if (strcmp(idv_masa_settings[i].key, setting) == 0)
            return &idv_masa_settings[i];
    }
    return NULL;
}

idv_rc idv_masa_policy_set(struct idv_masa_policy *p, const char *setting,
                           const char *value)
{
    const struct idv_conf_entry *e = find(setting);
    struct alone a = {*p};
    if (!e)
        return idv_fail(IDV_E_ARG, "there is no setting '%s' of a policy",
                        setting);
    IDV_TRY(idv_conf_set(e, "", idv_str(value), &a));
    *p = a.policy;
    return IDV_OK;
}

void idv_masa_policy_get(const struct idv_masa_policy *p, size_t setting,
                         char out[static 24])
{
    const struct idv_conf_entry *e = &idv_masa_settings[setting];
    const void *field = (const char *)p + e->offset;
    if (e->type == IDV_CONF_BOOL)
        snprintf(out, 24, "%s", *(const bool *)field ? "yes" : "no");
    else if (e->type == IDV_CONF_ENUM)
        snprintf(out, 24, "%s", e->words[*(const int *)field]);
    else
        snprintf(out, 24, "%lld", (long long)*(const int64_t *)field);
}

/* --- all of a device ------------------------------------------------------ */

struct reading {
    struct idv_masa_policy *policy;
    idv_rc rc;
};

static bool each(void *arg, const struct idv_masa_term *t)
{
    struct reading *r = arg;
    r->rc = idv_masa_policy_set(r->policy, t->setting, t->value);
    return r->rc == IDV_OK;
}

idv_rc idvi_masa_read_policy(struct idvi_masa_call *c)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    struct reading r = {&c->policy, IDV_OK};
    c->policy = c->maker->policy;
    IDV_TRY(store->policy_each(store->self, &c->device, each, &r));
    if (r.rc == IDV_E_ARG)
        return idvi_refuse(&c->no, 503, "policy",
                           "no voucher for such a device at present");
    return r.rc;
}
