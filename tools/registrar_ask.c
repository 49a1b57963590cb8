/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's verbs as questions: to the service, or to its store. */
#include <idevid/auto.h>

#include "idevid/registrar/admin.h"
#include "registrar.h"
#include "registrar_cloud.h"

static idv_rc direct(struct tool *t, const char *path, struct idv_bytes in,
                     struct idv_msg *reply)
{
    AUTO_DB struct idv_db *db = NULL;
    char who[32];
    IDV_TRY(idv_db_open(registrar_conf.service.database, &db));
    struct registrar_cloud cloud = {.key = NULL};
    registrar_cloud_use(&cloud, db);
    struct idv_registrar_admin rows = {.people = idv_db_registrar_people(db),
                                       .issued = idv_db_est_store(db),
                                       .owners = cloud.conf.owners,
                                       .cloud = &cloud.conf};
    const struct idv_admin a = {.role = "registrar",
                                .env = t->env,
                                .rows = idv_registrar_admin_rows,
                                .self = &rows};
    service_who(who);
    return idv_admin_answer(&a, path, in, who, reply);
}

idv_rc registrar_ask(struct tool *t, const char *path, struct idv_json *in,
                     idv_rc (*page)(struct tool *t,
                                    const struct idv_json *answer))
{
    const struct service_ask a = {.tool = t,
                                  .conf = &registrar_conf.service,
                                  .path = path,
                                  .direct = direct,
                                  .page = page};
    return service_ask(&a, in);
}

const char *registrar_cell(const struct idv_json *row, const char *name)
{
    const char *text = idv_json_text(idv_json_get(row, name));
    return text ? text : "";
}

idv_rc registrar_print(struct tool *t, const struct idv_json *v)
{
    IDV_AUTO(buf) text = {0};
    (void)t;
    IDV_TRY(idv_json_dump(v, false, &text));
    IDV_TRY(idv_buf_put(&text, idv_str("\n")));
    return tool_print(idv_view(&text));
}

idv_rc registrar_rows(struct tool *t, const struct idv_json *answer,
                      void (*each)(struct tool *t, const struct idv_json *row))
{
    const struct idv_json *rows = idv_json_get(answer, "rows");
    for (size_t i = 0; i < idv_json_count(rows); i++) {
        const struct idv_json *row = idv_json_at(rows, i, NULL);
        if (t->json)
            IDV_TRY(registrar_print(t, row));
        else
            each(t, row);
    }
    return IDV_OK;
}
