/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa run: opens what a worker needs, and serves. */
#include <stddef.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

#include "masa.h"

/* of paths that nobody can guess, made before there are workers */
static uint8_t location_key[32];

struct worker {
    EVP_PKEY *tls_key, *approval_key, *log_key;
    STACK_OF(X509) * tls_chain;
    STACK_OF(X509) * anchors;
    struct masa_signers signers;
    struct idv_db *db;
    struct idv_masa_store store;
    struct idv_masa_maker maker;
    struct idv_masa *masa;
    struct idv_masa_admin people;
    struct idv_admin admin;
};

static void worker_clear(void *self)
{
    struct worker *w = self;
    idv_masa_free(w->masa);
    idv_db_close(w->db);
    EVP_PKEY_free(w->tls_key);
    EVP_PKEY_free(w->approval_key);
    EVP_PKEY_free(w->log_key);
    idv_certs_free(w->tls_chain);
    idv_certs_free(w->anchors);
    masa_signers_clear(&w->signers);
}

static idv_rc worker_keys(struct worker *w)
{
    IDV_TRY(idv_certs_open(masa_conf.tls_cert, &tool_pin, &w->tls_chain));
    IDV_TRY(idv_key_open(masa_conf.tls_key, &tool_pin, &w->tls_key));
    IDV_TRY(
        masa_signers_open(&w->signers, &masa_conf.signer, masa_conf.signers));
    if (masa_conf.approval_key)
        IDV_TRY(
            idv_key_open(masa_conf.approval_key, &tool_pin, &w->approval_key));
    if (masa_conf.log_key)
        IDV_TRY(idv_key_open(masa_conf.log_key, &tool_pin, &w->log_key));
    if (masa_conf.anchors)
        IDV_TRY(idv_certs_open(masa_conf.anchors, NULL, &w->anchors));
    return IDV_OK;
}

/* what came before there was a tree, or by an older program */
static idv_rc grow_tree(struct tool *t, struct idv_db *db)
{
    uint64_t n = 0;
    IDV_TRY(idv_db_tree_grow(db, t->env, &n));
    if (n)
        idv_log(t->env, IDV_LOG_INFO, "tree-grown", "entries=%llu",
                (unsigned long long)n);
    return IDV_OK;
}

/* (a service that has another key goes on) */
static void warn_signers(struct tool *t, const struct masa_signers *s)
{
    if (!idv_clock_trusted(t->env) ||
        masa_signers_check(s, idv_now(t->env)) == IDV_OK)
        return;
    idv_log(t->env, IDV_LOG_WARN, "signer-over", "detail=%s",
            idv_log_value(idv_note()));
    idv_note_clear();
}

static idv_rc use_location(struct idv_masa_conf *mc)
{
    IDV_AUTO(buf) secret = {0};
    mc->location = masa_conf.location;
    mc->location_s = masa_conf.location_minutes * 60;
    memcpy(mc->location_key, location_key, sizeof(location_key));
    if (!masa_conf.location_secret)
        return IDV_OK;
    IDV_TRY(idv_fs_read_secret(masa_conf.location_secret, &secret));
    if (secret.n < sizeof(location_key))
        return idv_fail(IDV_E_ARG, "%s: shorter than 32 bytes",
                        masa_conf.location_secret);
    return idv_sha256(idv_view(&secret), mc->location_key);
}

static idv_rc worker_setup(struct tool *t, void *self,
                           struct idv_server_worker *out)
{
    struct worker *w = self;
    IDV_TRY(worker_keys(w));
    warn_signers(t, &w->signers);
    IDV_TRY(idv_db_open(masa_conf.service.database, &w->db));
    IDV_TRY(grow_tree(t, w->db));
    w->store = idv_db_masa_store(w->db);
    w->maker = (struct idv_masa_maker){
        .name = masa_conf.name,
        .signers = w->signers.table,
        .n_signers = w->signers.n,
        .idevid_anchors = w->anchors,
        .id_data = masa_conf.id_data,
        .issuer_sequence = masa_conf.issuer_sequence,
        .policy = masa_conf.policy,
        .approval_key = w->approval_key,
    };
    struct idv_masa_conf mc = {.makers = &w->maker,
                               .n_makers = 1,
                               .store = &w->store,
                               .max_age_s = masa_conf.max_age_hours * 3600,
                               .tell_reason = masa_conf.tell_reason,
                               .log_key = w->log_key,
                               .head_s = masa_conf.head_seconds};
    IDV_TRY(use_location(&mc));
    IDV_TRY(idv_masa_new(&mc, t->env, &w->masa));
    out->key = w->tls_key;
    out->chain = w->tls_chain;
    out->service = idv_masa_service(w->masa);
    masa_rows(t, w->db, &w->people, &w->admin);
    out->admin = idv_admin_service(&w->admin);
    return IDV_OK;
}

static struct idv_db *worker_database(void *self)
{
    struct worker *w = self;
    return w->db;
}

static struct service service(struct tool *t)
{
    return (struct service){.tool = t,
                            .conf_size = sizeof(masa_conf),
                            .conf = &masa_conf.service,
                            .size = sizeof(struct worker),
                            .setup = worker_setup,
                            .database = worker_database,
                            .clear = worker_clear};
}

idv_rc masa_run(struct tool *t, int argc, char **argv)
{
    const struct service s = service(t);
    (void)argc;
    (void)argv;
    IDV_TRY(idv_random(t->env, location_key, sizeof(location_key)));
    return service_run(&s);
}

idv_rc masa_probe(struct tool *t)
{
    struct masa_signers s = {0};
    const struct service service_ = service(t);
    idv_rc rc = masa_signers_open(&s, &masa_conf.signer, masa_conf.signers);
    if (rc == IDV_OK && idv_clock_trusted(t->env))
        rc = masa_signers_check(&s, idv_now(t->env));
    masa_signers_clear(&s);
    return rc == IDV_OK ? service_probe(&service_) : rc;
}
