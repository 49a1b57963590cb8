/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-registrar run: opens what a worker needs, and serves. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "idevid/registrar/admin.h"
#include "public_ca.h"
#include "registrar.h"
#include "registrar_cloud.h"
#include "registrar_labels.h"
#include "registrar_maker.h"

#define PRUNED_AT_START 10000
#define TICK_MS 60000

struct worker {
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
    X509 *front_cert;
    struct registrar_cas cas;
    struct registrar_cloud cloud;
    struct registrar_maker *makers;
    struct idv_registrar_maker *table;
    size_t n_makers, loaded; /* loaded: or tried */
    struct idv_db *db;
    struct service_part part;
    struct idv_registrar_store store;
    struct idv_registrar *registrar;
    struct idv_registrar_admin people;
    struct idv_admin admin;
};

static void worker_clear(void *self)
{
    struct worker *w = self;
    idv_registrar_free(w->registrar);
    idv_db_close(w->db);
    EVP_PKEY_free(w->key);
    idv_certs_free(w->chain);
    X509_free(w->front_cert);
    registrar_cas_clear(&w->cas);
    registrar_cloud_clear(&w->cloud);
    for (size_t i = 0; w->makers && i < w->loaded; i++)
        registrar_maker_free(&w->makers[i]);
    free(w->makers);
    free(w->table);
}

static idv_rc load_makers(struct worker *w)
{
    size_t n = idv_list_count(registrar_conf.makers);
    w->makers = calloc(n ? n : 1, sizeof(*w->makers));
    w->table = calloc(n ? n : 1, sizeof(*w->table));
    if (!w->makers || !w->table)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (; w->n_makers < n; w->n_makers++) {
        w->loaded = w->n_makers + 1;
        IDV_TRY(registrar_maker_load(registrar_conf.makers[w->n_makers],
                                     &w->makers[w->n_makers],
                                     &w->table[w->n_makers]));
    }
    return IDV_OK;
}

/* R-S-22: a MASA pins out of the chain that it is sent, and who has a
 * certificate of a public CA is in that domain then. */
static void warn_of_public_ca(const struct tool *t, const struct worker *w)
{
    const X509 *ca = tool_public_ca(w->chain);
    if (ca)
        idv_log(t->env, IDV_LOG_WARN, "public-ca",
                "certificate=%s why=\"a voucher that pins it lets in "
                "everybody whom it certifies\"",
                idv_log_value(idv_cert_subject(ca)));
}

static idv_rc open_keys(struct tool *t, struct worker *w)
{
    IDV_TRY(idv_certs_open(registrar_conf.cert, &tool_pin, &w->chain));
    if (registrar_conf.front_cert)
        IDV_TRY(idv_cert_open(registrar_conf.front_cert, &tool_pin,
                              &w->front_cert));
    warn_of_public_ca(t, w);
    IDV_TRY(idv_key_open(registrar_conf.key, &tool_pin, &w->key));
    return registrar_conf.cloud ? registrar_cloud_open(&w->cloud)
                                : registrar_cas_open(&w->cas, t->env);
}

static idv_rc role_conf(struct worker *w, struct idv_registrar_conf *out)
{
    *out = (struct idv_registrar_conf){
        .key = w->key,
        .cert = sk_X509_value(w->chain, 0),
        .chain = w->chain,
        .front_cert = w->front_cert,
        .pin = (enum idv_pinning)registrar_conf.pin,
        .makers = w->table,
        .n_makers = w->n_makers,
        .store = &w->store,
        .audit = (enum idv_audit_mode)registrar_conf.audit,
        .refuse_new_logs = registrar_conf.new_logs == 1,
        .ignore_own = !registrar_conf.own_history,
        .evidence = (enum idv_evidence_mode)registrar_conf.evidence,
        .unauthenticated = registrar_conf.unauthenticated,
        .unreadable = registrar_conf.unreadable,
        .audit_policy = {.known = (const char *const *)registrar_conf.known,
                         .allow_foreign_nonced = registrar_conf.allow_foreign,
                         .allow_nonceless = registrar_conf.allow_nonceless},
        .retry_after_s = (int)registrar_conf.retry_after,
        .masa_timeout_s = (int)registrar_conf.masa_timeout,
        .masa_patience_ms = (int)registrar_conf.masa_patience * 1000,
        .device_hourly = (unsigned)registrar_conf.device_hourly,
    };
    registrar_cloud_use(&w->cloud, w->db);
    if (registrar_conf.cloud) {
        out->cloud = &w->cloud.conf;
        return IDV_OK;
    }
    const struct registrar_identity us = {w->key, w->chain};
    return registrar_cas_use(&w->cas, w->db, &us, out);
}

/* requests name the certificate of the registrar that took them, and any
 * machine may get the next one */
static idv_rc show(struct tool *t, struct worker *w)
{
    const X509 *cert = sk_X509_value(w->chain, 0);
    bool fresh = false;
    IDV_TRY(idv_db_shown(w->db, "registrar", cert, &fresh));
    if (fresh)
        idv_log(t->env, IDV_LOG_INFO, "certificate-shown", "subject=%s",
                idv_log_value(idv_cert_subject(cert)));
    return IDV_OK;
}

static idv_rc add_keys(const struct worker *w, struct idv_json *keys)
{
    IDV_TRY(service_add_key("registrar", sk_X509_value(w->chain, 0), keys));
    if (w->front_cert)
        IDV_TRY(service_add_key("front", w->front_cert, keys));
    return registrar_conf.cloud ? IDV_OK : registrar_cas_keys(&w->cas, keys);
}

/* of the status */
static idv_rc live(void *worker, struct idv_json *out)
{
    IDV_AUTO_PTR(idv_json) keys = idv_json_new_array();
    if (!keys)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(service_put_live(service_running(), out));
    IDV_TRY(service_put_database(registrar_conf.service.database, out));
    IDV_TRY(add_keys(worker, keys));
    return idv_json_set(out, "keys", idv_steal(&keys));
}

static idv_rc worker_setup(struct tool *t, void *self,
                           struct idv_server_worker *out)
{
    struct worker *w = self;
    struct idv_registrar_conf rc;
    IDV_TRY(open_keys(t, w));
    IDV_TRY(load_makers(w));
    IDV_TRY(idv_db_open(registrar_conf.service.database, &w->db));
    IDV_TRY(idv_db_may_show(w->db, "registrar", sk_X509_value(w->chain, 0)));
    w->store = idv_db_registrar_store(w->db);
    IDV_TRY(role_conf(w, &rc));
    IDV_TRY(idv_registrar_new(&rc, t->env, &w->registrar));
    out->key = w->key;
    out->chain = w->chain;
    out->service = idv_registrar_service(w->registrar);
    out->public = idv_registrar_crls(w->registrar);
    w->people =
        (struct idv_registrar_admin){.people = idv_db_registrar_people(w->db),
                                     .issued = idv_db_est_store(w->db),
                                     .owners = w->cloud.conf.owners,
                                     .cloud = &w->cloud.conf,
                                     .running = true,
                                     .live = live,
                                     .arg = w};
    w->admin = (struct idv_admin){.role = "registrar",
                                  .env = t->env,
                                  .rows = idv_registrar_admin_rows,
                                  .self = &w->people};
    out->admin = idv_admin_service(&w->admin);
    return IDV_OK;
}

static idv_rc worker_begin(struct tool *t, void *self)
{
    struct worker *w = self;
    struct idv_db_retention keep;
    uint64_t pruned = 0;
    registrar_retention(t, &keep);
    IDV_TRY(idv_db_prune(w->db, &keep, PRUNED_AT_START, &pruned));
    return show(t, w);
}

static size_t worker_parts(void *self, struct service_part **out)
{
    struct worker *w = self;
    w->part = (struct service_part){.key = w->key, .db = w->db};
    *out = &w->part;
    return 1;
}

static idv_rc worker_tick(void *self)
{
    struct worker *w = self;
    return registrar_conf.cloud ? IDV_OK : idv_registrar_tick(w->registrar);
}

static struct service service(struct tool *t)
{
    return (struct service){.tool = t,
                            .conf = &registrar_conf.service,
                            .conf_size = sizeof(registrar_conf),
                            .size = sizeof(struct worker),
                            .setup = worker_setup,
                            .begin = worker_begin,
                            .parts = worker_parts,
                            .tick = worker_tick,
                            .tick_ms = TICK_MS,
                            .public =
                                (const char *const *)registrar_conf.crl_listen,
                            .clear = worker_clear};
}

idv_rc registrar_run(struct tool *t, int argc, char **argv)
{
    struct idv_server_aside asides[2];
    struct service s = service(t);
    (void)argc;
    (void)argv;
    registrar_announce(t, asides);
    s.asides = asides;
    s.asides_n = 2;
    return service_run(&s);
}

idv_rc registrar_probe(struct tool *t)
{
    const struct service s = service(t);
    return service_probe(&s);
}
