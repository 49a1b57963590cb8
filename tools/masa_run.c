/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa run: opens what a worker needs, each maker's, and serves. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <idevid/auto.h>

#include "masa_maker.h"

/* The first maker is that of the configuration; then its tenants. */
struct worker {
    struct masa_tenants tenants;
    size_t n; /* makers */
    struct masa_maker *makers;
    struct service_part *parts;
    struct idv_server_host *hosts; /* of the tenants */
};

static void worker_clear(void *self)
{
    struct worker *w = self;
    for (size_t i = 0; i < w->n; i++)
        masa_maker_clear(&w->makers[i]);
    free(w->makers);
    free(w->parts);
    free(w->hosts);
    masa_tenants_clear(&w->tenants);
}

static const struct masa_tenant *tenant(const struct worker *w, size_t maker)
{
    return maker ? &w->tenants.all[maker - 1] : NULL;
}

/* --- names ---------------------------------------------------------------- */

static bool has(char **names, const char *name)
{
    for (; names && *names; names++) {
        if (strcasecmp(*names, name) == 0)
            return true;
    }
    return false;
}

static const char *called(const struct worker *w, size_t maker)
{
    return maker ? tenant(w, maker)->name : "the first maker";
}

/* who is asked for must be one alone */
static idv_rc check_names(const struct worker *w, size_t maker)
{
    for (char **n = w->makers[maker].names; n && *n; n++) {
        for (size_t k = 0; k < maker; k++) {
            if (has(w->makers[k].names, *n))
                return idv_fail(IDV_E_ARG,
                                "server.names: %s is that of %s and "
                                "of %s",
                                *n, called(w, k), called(w, maker));
        }
    }
    return IDV_OK;
}

/* --- makers --------------------------------------------------------------- */

static idv_rc check_maker(void *masa)
{
    return idv_masa_check(masa);
}

static void describe(struct worker *w, size_t i)
{
    struct masa_maker *m = &w->makers[i];
    const struct masa_tenant *its = tenant(w, i);
    w->parts[i] = (struct service_part){.name = its ? its->name : NULL,
                                        .key = m->tls_key,
                                        .db = m->db,
                                        .check = check_maker,
                                        .arg = m->masa};
    if (!its)
        return;
    w->hosts[i - 1] =
        (struct idv_server_host){.names = (const char *const *)m->names,
                                 .label = its->label,
                                 .key = m->tls_key,
                                 .chain = m->tls_chain,
                                 .service = idv_masa_service(m->masa),
                                 .commit = service_part_commit,
                                 .self = &w->parts[i]};
}

static idv_rc open_maker(struct tool *t, struct worker *w, size_t i)
{
    const struct masa_tenant *its = tenant(w, i);
    w->n = i + 1; /* to be cleared from now on */
    IDV_TRY(masa_maker_open(t, its ? &its->conf : &masa_conf,
                            its ? its->name : NULL, &w->makers[i]));
    IDV_TRY(check_names(w, i));
    describe(w, i);
    return IDV_OK;
}

static idv_rc open_all(struct tool *t, struct worker *w)
{
    IDV_TRY(masa_tenants_load(&masa_conf, &w->tenants));
    const size_t n = w->tenants.n + 1;
    w->makers = calloc(n, sizeof(*w->makers));
    w->parts = calloc(n, sizeof(*w->parts));
    w->hosts = calloc(n, sizeof(*w->hosts));
    if (!w->makers || !w->parts || !w->hosts)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        IDV_TRY(open_maker(t, w, i));
    return IDV_OK;
}

/* --- the admin socket ----------------------------------------------------- */

/* "/tenant/NAME/path" to "/path"; NULL: no such tenant */
static struct idv_admin *addressed(struct worker *w, char *path)
{
    static const char of[] = MASA_OF_TENANT;
    const size_t n = sizeof(of) - 1;
    if (strncmp(path, of, n) != 0)
        return &w->makers[0].admin;
    const size_t len = strcspn(path + n, "/");
    for (size_t i = 1; i < w->n; i++) {
        const char *name = tenant(w, i)->name;
        if (strlen(name) != len || strncmp(name, path + n, len) != 0)
            continue;
        memmove(path, path + n + len, strlen(path + n + len) + 1);
        return &w->makers[i].admin;
    }
    return NULL;
}

static idv_rc admin_serve(void *self, struct idv_call *call,
                          struct idv_told *told, enum idv_next *next)
{
    struct idv_admin *admin = addressed(self, call->req.path);
    *next = IDV_NEXT_REPLY;
    if (!admin)
        return idv_msg_refuse(&call->reply, 404,
                              "the service has no tenant of that name");
    const struct idv_service s = idv_admin_service(admin);
    return s.serve(s.self, call, told, next);
}

/* --- the service ---------------------------------------------------------- */

static idv_rc worker_setup(struct tool *t, void *self,
                           struct idv_server_worker *out)
{
    struct worker *w = self;
    IDV_TRY(open_all(t, w));
    const struct masa_maker *first = &w->makers[0];
    out->key = first->tls_key;
    out->chain = first->tls_chain;
    out->service = idv_masa_service(first->masa);
    out->names = (const char *const *)first->names;
    out->names_only = masa_conf.unknown_name == MASA_UNKNOWN_REFUSED;
    out->hosts = w->hosts;
    out->hosts_n = w->n - 1;
    out->admin = (struct idv_service){admin_serve, w};
    return IDV_OK;
}

static size_t worker_parts(void *self, struct service_part **out)
{
    struct worker *w = self;
    *out = w->parts;
    return w->n;
}

static struct service service(struct tool *t)
{
    return (struct service){.tool = t,
                            .conf_size = sizeof(masa_conf),
                            .conf = &masa_conf.service,
                            .size = sizeof(struct worker),
                            .setup = worker_setup,
                            .parts = worker_parts,
                            .clear = worker_clear};
}

idv_rc masa_run(struct tool *t, int argc, char **argv)
{
    struct idv_server_aside asides[MASA_LOOKERS];
    struct service s = service(t);
    (void)argc;
    (void)argv;
    if (masa_opt.tenant)
        return idv_fail(IDV_E_ARG, "run: it serves all tenants, not one");
    IDV_TRY(masa_makers_begin(t->env));
    masa_revocation(t, asides);
    s.asides = asides;
    s.asides_n = MASA_LOOKERS;
    return service_run(&s);
}

static idv_rc check_tenants(struct tool *t, const struct masa_tenants *all)
{
    for (size_t i = 0; i < all->n; i++) {
        idv_rc rc = masa_maker_check(t, &all->all[i].conf);
        if (rc != IDV_OK)
            return idv_fail_within(rc, "tenant %s", all->all[i].name);
    }
    return IDV_OK;
}

idv_rc masa_probe(struct tool *t)
{
    struct masa_tenants tenants;
    const struct service s = service(t);
    IDV_TRY(masa_maker_check(t, &masa_conf));
    idv_rc rc = masa_tenants_load(&masa_conf, &tenants);
    if (rc == IDV_OK)
        rc = check_tenants(t, &tenants);
    masa_tenants_clear(&tenants);
    return rc == IDV_OK ? service_probe(&s) : rc;
}
