/* SPDX-License-Identifier: Apache-2.0 */
/* Reports as JSON objects, member by member. */
#include "tool.h"

idv_rc tool_put_text(struct idv_json *o, const char *name, const char *text)
{
    if (!text || !*text)
        return IDV_OK;
    return idv_json_set(o, name, idv_json_new_text(idv_str(text)));
}

idv_rc tool_put_int(struct idv_json *o, const char *name, uint64_t v)
{
    return idv_json_set(o, name, idv_json_new_int((int64_t)v));
}

idv_rc tool_put_bool(struct idv_json *o, const char *name, bool v)
{
    return idv_json_set(o, name, idv_json_new_bool(v));
}

idv_rc tool_print_put(struct idv_json *o, idv_rc rc)
{
    if (rc == IDV_OK)
        return tool_print_json(o);
    idv_json_free(o);
    return rc;
}

idv_rc tool_use_device_conf(struct tool *t, const struct tool_device_conf *c)
{
    t->provider.pkcs11_module = c->pkcs11_module;
    t->provider.tpm2_tcti = c->tcti;
    t->provider.pin_file = c->pin_file;
    t->provider.owner_pin_file = c->owner_pin_file;
    t->provider.lockout_pin_file = c->lockout_pin_file;
    t->provider.salt_key = c->salt_key;
    return idv_env_clock_from_text(&t->sys, c->clock);
}
