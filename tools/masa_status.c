/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa status: the service, the keys of a maker and its log. */
#include <idevid/auto.h>

#include "idevid/admin/admin.h"
#include "masa_maker.h"

/* --- what the service tells ----------------------------------------------- */

static idv_rc put_signer(const struct idv_masa_signer *s, struct idv_json *o)
{
    IDV_TRY(service_put_key("voucher", s->cert, o));
    IDV_TRY(tool_put_text(o, "use", masa_signer_uses[s->use]));
    IDV_TRY(idv_admin_put_time(o, "from", s->from));
    return idv_admin_put_time(o, "to", s->until);
}

static idv_rc add_signers(const struct masa_signers *all, struct idv_json *keys)
{
    for (size_t i = 0; i < all->n; i++) {
        IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
        if (!o)
            return idv_fail(IDV_E_NOMEM, "out of memory");
        IDV_TRY(put_signer(&all->table[i], o));
        IDV_TRY(idv_json_append(keys, idv_steal(&o)));
    }
    return IDV_OK;
}

static idv_rc add_keys(const struct masa_maker *m, struct idv_json *keys)
{
    IDV_TRY(service_add_key("server", sk_X509_value(m->tls_chain, 0), keys));
    IDV_TRY(add_signers(&m->signers, keys));
    if (m->log_key)
        IDV_TRY(service_add_key("log", NULL, keys));
    return m->approval_key ? service_add_key("approval", NULL, keys) : IDV_OK;
}

idv_rc masa_maker_live(void *maker, struct idv_json *out)
{
    const struct masa_maker *m = maker;
    IDV_AUTO_PTR(idv_json) keys = idv_json_new_array();
    if (!keys)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(service_put_live(service_running(), out));
    IDV_TRY(service_put_database(m->conf->service.database, out));
    IDV_TRY(add_keys(m, keys));
    return idv_json_set(out, "keys", idv_steal(&keys));
}

/* --- the verb ------------------------------------------------------------- */

static idv_rc say_log(struct tool *t, const struct idv_json *log)
{
    const char *date = service_cell(log, "head-date");
    int64_t n = 0;
    service_say_numbers(t, "log", log);
    IDV_TRY(idv_json_int(idv_json_get(log, "entries"), "entries", &n));
    if (*date)
        tool_say(t, "%-10s %-22s %s", "log", "head-date", date);
    else if (n)
        tool_say(t, "%-10s no head was signed yet", "log");
    return IDV_OK;
}

static idv_rc status_page(struct tool *t, const struct idv_json *answer)
{
    if (t->json)
        return service_print(t, answer);
    IDV_TRY(service_say_status(t, answer));
    return say_log(t, idv_json_get(answer, "log"));
}

idv_rc masa_status(struct tool *t, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return masa_ask_of(t, "/status", NULL, NULL, NULL, status_page);
}
