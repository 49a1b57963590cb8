/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA's verbs as questions: to the service, or to its store. */
#include <stdio.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/x509.h>

#include "masa.h"

/* what can be said without the service */
static idv_rc at_rest(void *arg, struct idv_json *out)
{
    (void)arg;
    return service_put_database(masa_maker()->service.database, out);
}

void masa_rows(const struct tool *t, const char *role,
               const struct masa_conf *conf, struct idv_db *db,
               struct idv_masa_admin *rows, struct idv_admin *out)
{
    *rows = (struct idv_masa_admin){.people = idv_db_masa_people(db),
                                    .store = idv_db_masa_store(db),
                                    .policy = &conf->policy,
                                    .live = at_rest};
    *out = (struct idv_admin){
        .role = role, .env = t->env, .rows = idv_masa_admin_rows, .self = rows};
}

static idv_rc direct(struct tool *t, const char *path, struct idv_bytes in,
                     struct idv_msg *reply)
{
    AUTO_DB struct idv_db *db = NULL;
    struct idv_masa_admin rows;
    struct idv_admin a;
    char who[32];
    IDV_TRY(idv_db_open(masa_maker()->service.database, &db));
    masa_rows(t, "masa", masa_maker(), db, &rows, &a);
    service_who(who);
    return idv_admin_answer(&a, path, in, who, reply);
}

idv_rc masa_ask(struct tool *t, const char *path, struct idv_json *in,
                idv_rc (*page)(struct tool *t, const struct idv_json *answer))
{
    char of[64] = "";
    if (masa_opt.tenant)
        snprintf(of, sizeof(of), MASA_OF_TENANT "%s", masa_opt.tenant);
    const struct service_ask a = {.tool = t,
                                  .conf = &masa_conf.service,
                                  .of = of,
                                  .path = path,
                                  .direct = direct,
                                  .page = page};
    return service_ask(&a, in);
}

idv_rc masa_ask_of(struct tool *t, const char *path, const char *serial,
                   idv_rc (*put)(struct idv_json *in, const char *arg),
                   const char *arg,
                   idv_rc (*page)(struct tool *t,
                                  const struct idv_json *answer))
{
    IDV_AUTO_PTR(idv_json) in = idv_json_new_object();
    if (!in)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(tool_put_text(in, "serial-number", serial));
    IDV_TRY(tool_put_text(in, "issuer-keyid", masa_opt.issuer));
    if (put)
        IDV_TRY(put(in, arg));
    return masa_ask(t, path, idv_steal(&in), page);
}

idv_rc masa_put_cert(struct idv_json *in, const char *cert)
{
    IDV_AUTO_PTR(X509) x = NULL;
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    IDV_AUTO(buf) text = {0};
    IDV_TRY(idv_cert_open(cert, &tool_pin, &x));
    IDV_TRY(idv_cert_to_der(x, &der));
    IDV_TRY(idv_base64_from_bytes(idv_view(&der), 0, &text));
    return tool_put_text(in, "certificate", (const char *)text.p);
}
