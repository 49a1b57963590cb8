/* SPDX-License-Identifier: Apache-2.0 */
/* A maker's keys, database and role, as a worker has them. */
#include <stdio.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

#include "masa_maker.h"

/* of paths that nobody can guess, made before there are workers */
static uint8_t location_key[32];

idv_rc masa_makers_begin(const struct idv_env *env)
{
    return idv_random(env, location_key, sizeof(location_key));
}

void masa_maker_clear(struct masa_maker *m)
{
    masa_names_free(m->names);
    idv_masa_free(m->masa);
    idv_db_close(m->db);
    EVP_PKEY_free(m->tls_key);
    EVP_PKEY_free(m->approval_key);
    EVP_PKEY_free(m->log_key);
    idv_certs_free(m->tls_chain);
    idv_certs_free(m->anchors);
    masa_signers_clear(&m->signers);
}

static idv_rc open_keys(const struct masa_conf *c, struct masa_maker *m)
{
    IDV_TRY(idv_certs_open(c->tls_cert, &tool_pin, &m->tls_chain));
    IDV_TRY(idv_key_open(c->tls_key, &tool_pin, &m->tls_key));
    IDV_TRY(masa_signers_open(&m->signers, &c->signer, c->signers));
    if (c->approval_key)
        IDV_TRY(idv_key_open(c->approval_key, &tool_pin, &m->approval_key));
    if (c->log_key)
        IDV_TRY(idv_key_open(c->log_key, &tool_pin, &m->log_key));
    if (c->anchors)
        IDV_TRY(idv_certs_open(c->anchors, NULL, &m->anchors));
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

/* a maker's paths are nothing to another */
static idv_rc location_key_of(struct idv_bytes secret, const char *name,
                              uint8_t out[static 32])
{
    IDV_AUTO(buf) all = {.secret = true};
    IDV_TRY(idv_buf_put(&all, secret));
    if (name)
        IDV_TRY(idv_buf_puts(&all, name));
    return idv_sha256(idv_view(&all), out);
}

static idv_rc use_location(const struct masa_conf *c, const char *name,
                           struct idv_masa_conf *mc)
{
    IDV_AUTO(buf) secret = {.secret = true};
    mc->location = c->location;
    mc->location_s = c->location_minutes * 60;
    if (!c->location_secret)
        return location_key_of(idv_bytes(location_key, sizeof(location_key)),
                               name, mc->location_key);
    IDV_TRY(idv_fs_read_secret(c->location_secret, &secret));
    if (secret.n < sizeof(location_key))
        return idv_fail(IDV_E_ARG, "%s: shorter than 32 bytes",
                        c->location_secret);
    return location_key_of(idv_view(&secret), name, mc->location_key);
}

static struct idv_masa_maker maker_of(const struct masa_conf *c,
                                      const struct masa_maker *m)
{
    return (struct idv_masa_maker){
        .name = c->name,
        .signers = m->signers.table,
        .n_signers = m->signers.n,
        .idevid_anchors = m->anchors,
        .id_data = c->id_data,
        .issuer_sequence = c->issuer_sequence,
        .policy = c->policy,
        .approval_key = m->approval_key,
    };
}

static struct idv_masa_conf role_of(const struct masa_conf *c, const char *name,
                                    const struct masa_maker *m)
{
    return (struct idv_masa_conf){
        .makers = &m->maker,
        .n_makers = 1,
        .store = &m->store,
        .max_age_s = c->max_age_hours * 3600,
        .registrar_minute = c->registrar_minute,
        .domain_hourly = c->domain_hourly,
        .asked = service_asked,
        .tenant = name,
        .tell_reason = c->tell_reason,
        .draft_era = c->draft_era,
        .log_key = m->log_key,
        .head_s = c->head_seconds,
        .back_s = c->back_seconds,
    };
}

static idv_rc open_role(struct tool *t, const struct masa_conf *c,
                        const char *name, struct masa_maker *m)
{
    m->store = idv_db_masa_store(m->db);
    m->maker = maker_of(c, m);
    struct idv_masa_conf mc = role_of(c, name, m);
    IDV_TRY(use_location(c, name, &mc));
    IDV_TRY(idv_masa_new(&mc, t->env, &m->masa));
    snprintf(m->role, sizeof(m->role), "masa%s%s", name ? "/" : "",
             name ? name : "");
    m->conf = c;
    masa_rows(t, m->role, c, m->db, &m->people, &m->admin);
    m->people.running = true;
    m->people.live = masa_maker_live;
    m->people.arg = m;
    return IDV_OK;
}

static idv_rc open_all(struct tool *t, const struct masa_conf *c,
                       const char *name, struct masa_maker *m)
{
    IDV_TRY(open_keys(c, m));
    IDV_TRY(masa_names(c, sk_X509_value(m->tls_chain, 0),
                       name || c->unknown_name == MASA_UNKNOWN_REFUSED,
                       &m->names));
    warn_signers(t, &m->signers);
    IDV_TRY(idv_db_open(c->service.database, &m->db));
    IDV_TRY(grow_tree(t, m->db));
    return open_role(t, c, name, m);
}

idv_rc masa_maker_open(struct tool *t, const struct masa_conf *c,
                       const char *name, struct masa_maker *m)
{
    idv_rc rc = open_all(t, c, name, m);
    return rc == IDV_OK || !name ? rc : idv_fail_within(rc, "tenant %s", name);
}

idv_rc masa_maker_check(struct tool *t, const struct masa_conf *c)
{
    struct masa_signers s = {0};
    idv_rc rc = masa_signers_open(&s, &c->signer, c->signers);
    if (rc == IDV_OK && idv_clock_trusted(t->env))
        rc = masa_signers_check(&s, idv_now(t->env));
    masa_signers_clear(&s);
    return rc;
}
