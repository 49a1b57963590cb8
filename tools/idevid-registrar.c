/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-registrar: the owner's end, admits devices and lets them enroll. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "ca.h"
#include "idevid/db/db.h"
#include "idevid/registrar/registrar.h"
#include "registrar_conf.h"
#include "rollover.h"
#include "service.h"

#define DAY (24 * 3600)

static struct registrar_conf conf;

static struct {
    const char *token, *domain, *names[TOOL_LIST_MAX + 1], *type, *maker;
    bool pending;
} opt;

/* --- init: the domain's keys -------------------------------------------- */

static idv_rc init(struct tool *t, int argc, char **argv)
{
    struct tool_authority ca = {0}, registrar = {0};
    (void)argc;
    if (!opt.token || !opt.domain)
        return idv_fail(IDV_E_ARG, "init: --token URI and --domain NAME are "
                                   "needed");
    IDV_TRY(idv_fs_mkdir(argv[0], 0755));
    const struct tool_init in = {.token_uri = opt.token,
                                 .dir = argv[0],
                                 .organization = opt.domain,
                                 .type = opt.type,
                                 .names = opt.names};
    idv_rc rc = tool_init_authority(t, &in, "domain-ca", "Domain CA",
                                    IDV_CERT_ROOT, 20, NULL, &ca);
    if (rc == IDV_OK)
        rc = tool_init_authority(t, &in, "registrar", "Registrar",
                                 IDV_CERT_REGISTRAR, 5, &ca, &registrar);
    tool_authority_free(&ca);
    tool_authority_free(&registrar);
    return rc;
}

static idv_rc rollover(struct tool *t, int argc, char **argv)
{
    (void)argc;
    if (!opt.token)
        return idv_fail(IDV_E_ARG, "rollover: --token URI is needed");
    return tool_rollover(t, opt.token, argv[0], opt.type);
}

/* --- run ---------------------------------------------------------------- */

struct maker {
    struct maker_conf conf;
    STACK_OF(X509) * anchors;
    STACK_OF(X509) * masa_anchors;
};

struct worker {
    EVP_PKEY *key, *ca_key;
    STACK_OF(X509) * chain;
    STACK_OF(X509) * ca_chain;
    struct maker *makers;
    struct idv_registrar_maker *table;
    size_t n_makers;
    struct idv_csrattrs attrs;
    struct idv_db *db;
    struct idv_registrar_store store;
    struct idv_est_local_ca ca;
    struct idv_registrar *registrar;
};

static void worker_clear(void *self)
{
    struct worker *w = self;
    idv_registrar_free(w->registrar);
    idv_db_close(w->db);
    EVP_PKEY_free(w->key);
    EVP_PKEY_free(w->ca_key);
    idv_certs_free(w->chain);
    idv_certs_free(w->ca_chain);
    for (size_t i = 0; i < w->n_makers; i++) {
        idv_conf_free(&maker_table, &w->makers[i].conf);
        idv_certs_free(w->makers[i].anchors);
        idv_certs_free(w->makers[i].masa_anchors);
    }
    free(w->makers);
    free(w->table);
}

static idv_rc load_maker(const char *path, struct maker *m,
                         struct idv_registrar_maker *row)
{
    IDV_TRY(idv_conf_load(&maker_table, path, &m->conf));
    IDV_TRY(idv_certs_open(m->conf.anchors, NULL, &m->anchors));
    if (m->conf.masa_anchors)
        IDV_TRY(idv_certs_open(m->conf.masa_anchors, NULL, &m->masa_anchors));
    *row = (struct idv_registrar_maker){
        .name = m->conf.name,
        .anchors = m->anchors,
        .ignore_expiry = m->conf.ignore_expiry,
        .admit = (enum idv_admit)m->conf.admit,
        .masa_url = m->conf.masa_url,
        .masa_fallback = m->conf.masa_fallback,
        .masa_anchors = m->masa_anchors,
        .masa_client_auth = m->conf.masa_client_auth,
        .id_data = m->conf.id_data,
        .issuer_sequence = m->conf.issuer_sequence,
    };
    return IDV_OK;
}

static idv_rc load_makers(struct worker *w)
{
    size_t n = idv_list_count(conf.makers);
    w->makers = calloc(n ? n : 1, sizeof(*w->makers));
    w->table = calloc(n ? n : 1, sizeof(*w->table));
    if (!w->makers || !w->table)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (; w->n_makers < n; w->n_makers++)
        IDV_TRY(load_maker(conf.makers[w->n_makers], &w->makers[w->n_makers],
                           &w->table[w->n_makers]));
    return IDV_OK;
}

static idv_rc open_keys(struct worker *w)
{
    IDV_TRY(idv_certs_open(conf.cert, &tool_pin, &w->chain));
    IDV_TRY(idv_key_open(conf.key, &tool_pin, &w->key));
    IDV_TRY(idv_certs_open(conf.ca_cert, &tool_pin, &w->ca_chain));
    IDV_TRY(idv_key_open(conf.ca_key, &tool_pin, &w->ca_key));
    if (conf.est_key_type > 0) {
        w->attrs.has_key_type = true;
        w->attrs.key_type = (enum idv_key_type)(conf.est_key_type - 1);
    }
    w->attrs.challenge = conf.challenge;
    return IDV_OK;
}

static struct idv_registrar_conf role_conf(struct tool *t, struct worker *w)
{
    bool asks = w->attrs.has_key_type || w->attrs.challenge;
    w->ca = (struct idv_est_local_ca){
        .key = w->ca_key,
        .cert = sk_X509_value(w->ca_chain, 0),
        .chain = w->ca_chain,
        .lifetime_s = conf.lifetime_days * DAY,
        .servers = conf.servers,
        .env = t->env,
    };
    return (struct idv_registrar_conf){
        .key = w->key,
        .cert = sk_X509_value(w->chain, 0),
        .chain = w->chain,
        .makers = w->table,
        .n_makers = w->n_makers,
        .store = &w->store,
        .est = {.ca = idv_est_local_ca(&w->ca),
                .store = idv_db_est_store(w->db),
                .attrs = asks ? &w->attrs : NULL,
                .renew_by_ra = conf.renew_by_ra},
        .ldevid_subject = conf.subject,
        .audit = (enum idv_audit_mode)conf.audit,
        .audit_policy = {.known = (const char *const *)conf.known,
                         .allow_foreign_nonced = conf.allow_foreign,
                         .allow_nonceless = conf.allow_nonceless},
        .retry_after_s = (int)conf.retry_after,
        .masa_timeout_s = (int)conf.masa_timeout,
        .device_hourly = (unsigned)conf.device_hourly,
    };
}

static idv_rc worker_setup(struct tool *t, void *self,
                           struct idv_server_worker *out)
{
    struct worker *w = self;
    unsigned pruned = 0;
    IDV_TRY(open_keys(w));
    IDV_TRY(load_makers(w));
    IDV_TRY(idv_db_open(conf.service.database, &w->db));
    IDV_TRY(
        idv_db_prune(w->db, idv_now(t->env) - conf.keep_days * DAY, &pruned));
    w->store = idv_db_registrar_store(w->db);
    struct idv_registrar_conf rc = role_conf(t, w);
    IDV_TRY(idv_registrar_new(&rc, t->env, &w->registrar));
    out->key = w->key;
    out->chain = w->chain;
    out->service = idv_registrar_service(w->registrar);
    return IDV_OK;
}

static idv_rc run(struct tool *t, int argc, char **argv)
{
    const struct service s = {.tool = t,
                              .conf = &conf.service,
                              .size = sizeof(struct worker),
                              .setup = worker_setup,
                              .clear = worker_clear};
    (void)argc;
    (void)argv;
    return service_run(&s);
}

/* --- decisions and sessions --------------------------------------------- */

static const char *decision_word(enum idv_decision d)
{
    static const char *const words[] = {"undecided", "pending", "approved",
                                        "refused"};
    return (unsigned)d < 4 ? words[d] : "unknown";
}

static idv_rc decision_json(const struct idv_db_decision *d)
{
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_text(o, "serial-number", d->serial_number);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "maker", d->maker);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "decision", decision_word(d->decision));
    return tool_print_put(o, rc);
}

static bool decision_each(void *arg, const struct idv_db_decision *d)
{
    struct service_use *u = arg;
    if (u->t->json)
        u->rc = decision_json(d);
    else
        tool_say(u->t, "%-24s %-16s %s", d->serial_number, d->maker,
                 decision_word(d->decision));
    return u->rc == IDV_OK;
}

static idv_rc list(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    struct service_use u = {t, IDV_OK, false};
    (void)argc;
    (void)argv;
    IDV_TRY(idv_db_open(conf.service.database, &db));
    IDV_TRY(idv_db_decision_each(
        db, opt.pending ? IDV_DECISION_PENDING : IDV_DECISION_NONE,
        decision_each, &u));
    return u.rc;
}

/* The maker may be left out where there is one only. */
static idv_rc the_maker(char out[static 64])
{
    struct maker_conf m = {0};
    if (opt.maker)
        return idv_text_copy(out, 64, idv_str(opt.maker), "--maker");
    if (idv_list_count(conf.makers) != 1)
        return idv_fail(IDV_E_ARG, "--maker NAME is needed: there are several");
    IDV_TRY(idv_conf_load(&maker_table, conf.makers[0], &m));
    idv_rc rc = idv_text_copy(out, 64, idv_str(m.name), "maker.name");
    idv_conf_free(&maker_table, &m);
    return rc;
}

static idv_rc decide(struct tool *t, int argc, char **argv,
                     enum idv_decision decision)
{
    AUTO_DB struct idv_db *db = NULL;
    char maker[64];
    IDV_TRY(the_maker(maker));
    IDV_TRY(idv_db_open(conf.service.database, &db));
    for (int i = 0; i < argc; i++) {
        IDV_TRY(idv_db_decide(db, maker, argv[i], decision, idv_now(t->env)));
        tool_say(t, "%s of %s: %s", argv[i], maker, decision_word(decision));
    }
    return IDV_OK;
}

static idv_rc approve(struct tool *t, int argc, char **argv)
{
    return decide(t, argc, argv, IDV_DECISION_APPROVED);
}

static idv_rc refuse(struct tool *t, int argc, char **argv)
{
    return decide(t, argc, argv, IDV_DECISION_REFUSED);
}

static idv_rc session_json(const struct idv_session *s, const char *date)
{
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_text(o, "changed", date);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "serial-number", s->serial_number);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "maker", s->maker);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "address", s->address);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "state", idv_session_state_to_text(s->state));
    if (rc == IDV_OK)
        rc = tool_put_text(o, "reason", s->reason);
    return tool_print_put(o, rc);
}

static bool session_each(void *arg, const struct idv_session *s)
{
    struct service_use *u = arg;
    char date[IDV_TIME_TEXT];
    u->rc = idv_time_to_text(s->changed, date);
    if (u->rc == IDV_OK && u->t->json)
        u->rc = session_json(s, date);
    else if (u->rc == IDV_OK)
        tool_say(u->t, "%s  %-20s %-16s %-14s %s", date, s->serial_number,
                 s->address, idv_session_state_to_text(s->state), s->reason);
    return u->rc == IDV_OK;
}

static idv_rc show_log(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    struct service_use u = {t, IDV_OK, false};
    IDV_TRY(idv_db_open(conf.service.database, &db));
    IDV_TRY(idv_db_session_each(db, argc ? argv[0] : NULL, session_each, &u));
    return u.rc;
}

/* --- tables ------------------------------------------------------------- */

static const struct tool_option init_options[] = {
    {"token", 0, "URI", "the owner's token (pkcs11:token=...)", &opt.token,
     NULL, NULL},
    {"domain", 0, "NAME", "the domain's name", &opt.domain, NULL, NULL},
    {"name", 0, "HOST",
     "a name or address of the registrar (repeatable; default loopback)", NULL,
     NULL, opt.names},
    {"type", 0, "TYPE", "P-256 (default), P-384, RSA-2048, RSA-3072", &opt.type,
     NULL, NULL},
    {0}};

static const struct tool_option rollover_options[] = {
    {"token", 0, "URI", "the owner's token (pkcs11:token=...)", &opt.token,
     NULL, NULL},
    {"type", 0, "TYPE", "P-256 (default), P-384, RSA-2048, RSA-3072", &opt.type,
     NULL, NULL},
    {0}};

static const struct tool_option list_options[] = {
    {"pending", 0, NULL, "only those that wait for a decision", NULL,
     &opt.pending, NULL},
    {0}};

static const struct tool_option maker_options[] = {
    {"maker", 0, "NAME", "the maker (not needed where there is one only)",
     &opt.maker, NULL, NULL},
    {0}};

static const struct tool_verb verbs[] = {
    {"run", "", "serve until told to stop", 0, 0, NULL, run, true},
    {"init", "DIR", "make the domain CA and the registrar's key", 1, 1,
     init_options, init, false},
    {"rollover", "DIR", "make a new domain CA that the present one signs for",
     1, 1, rollover_options, rollover, false},
    {"list", "", "devices that asked, and what was decided", 0, 0, list_options,
     list, true},
    {"approve", "SERIAL ...", "let these devices in", 1, -1, maker_options,
     approve, true},
    {"refuse", "SERIAL ...", "keep these devices out", 1, -1, maker_options,
     refuse, true},
    {"log", "[SERIAL]", "how far each device came, newest first", 0, 1, NULL,
     show_log, true},
    {0}};

static idv_rc configure(struct tool *t)
{
    return tool_use_device_conf(t, &conf.device);
}

int main(int argc, char **argv)
{
    static const struct tool_option none[] = {{0}};
    static struct tool t = {
        .name = "idevid-registrar",
        .about =
            "The owner's registrar: admits devices, gets their vouchers from "
            "the maker and\nlets them enroll (RFC 8995, RFC 7030). Verbs other "
            "than run use the database\ndirectly, also while it runs.",
        .verbs = verbs,
        .options = none,
        .environment = TOOL_DEVICE_ENVIRONMENT,
        .conf_table = &registrar_table,
        .maker_table = &maker_table,
        .conf_path = "/etc/idevid/registrar.ini",
        .conf = &conf,
        .configure = configure,
    };
    return tool_main(&t, argc, argv);
}
