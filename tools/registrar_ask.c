/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's verbs as questions: to the service, or to its store. */
#include <idevid/auto.h>

#include "idevid/registrar/admin.h"
#include "registrar.h"
#include "registrar_cloud.h"

/* what can be said without the service */
static idv_rc at_rest(void *arg, struct idv_json *out)
{
    (void)arg;
    return service_put_database(registrar_conf.service.database, out);
}

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
                                       .cloud = &cloud.conf,
                                       .live = at_rest};
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
