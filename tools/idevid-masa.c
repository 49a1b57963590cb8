/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa: the manufacturer's authority that signs vouchers. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "idevid/db/db.h"
#include "idevid/masa/masa.h"
#include "masa_verify.h"
#include "service.h"

/* --- configuration ------------------------------------------------------ */

static struct conf {
    struct service_conf service;
    char *tls_key, *tls_cert, *key, *cert, *anchors, *name, *approval_key;
    struct tool_device_conf device;
    int pin;
    bool id_data, issuer_sequence;
    int64_t nonceless_minutes, max_age_hours;
    int64_t device_hourly, head_seconds;
    char *log_key;
} conf;

static const char *const pins[] = {"farthest", "registrar", NULL};

#define AT(field) .offset = offsetof(struct conf, field)
static const struct idv_conf_entry entries[] = {
    SERVICE_ENTRIES(struct conf, service, "127.0.0.1:9443")
        SERVICE_RATE_ENTRY(struct conf, service, "0"){
            .section = "server",
            .key = "key",
            .type = IDV_CONF_URI,
            AT(tls_key),
            .required = true,
            .help = "private key of the TLS server (URI or file)"},
    {.section = "server",
     .key = "certificate",
     .type = IDV_CONF_URI,
     AT(tls_cert),
     .required = true,
     .help = "its certificate and chain (PEM, leaf first)"},
    SERVICE_FRONT_ENTRIES(struct conf, service){
        .section = "signer",
        .key = "key",
        .type = IDV_CONF_URI,
        AT(key),
        .required = true,
        .help = "private key that signs vouchers (URI)"},
    {.section = "signer",
     .key = "certificate",
     .type = IDV_CONF_URI,
     AT(cert),
     .required = true,
     .help = "its certificate and chain; devices must trust its root"},
    {.section = "signer",
     .key = "approval-key",
     .type = IDV_CONF_URI,
     AT(approval_key),
     .help = "private key, of its own, that approves what devices of profile "
             "platform keep in their TPM (URI)"},
    {.section = "maker",
     .key = "name",
     .type = IDV_CONF_TEXT,
     AT(name),
     .fallback = "default",
     .help = "the brand, as devices name it"},
    {.section = "maker",
     .key = "idevid-anchors",
     .type = IDV_CONF_PATH,
     AT(anchors),
     .help = "issuers of IDevIDs that are not registered one by one (PEM)"},
    {.section = "maker",
     .key = "id-data",
     .type = IDV_CONF_BOOL,
     AT(id_data),
     .fallback = "no",
     .help = "vouchers with content type id-data, for older pledges"},
    {.section = "maker",
     .key = "issuer-sequence",
     .type = IDV_CONF_BOOL,
     AT(issuer_sequence),
     .fallback = "no",
     .help = "idevid-issuer without the outer OCTET STRING"},
    {.section = "log",
     .key = "key",
     .type = IDV_CONF_URI,
     AT(log_key),
     .help = "private key, of its own, that signs heads of the tree over the "
             "audit log (URI; P-256 or Ed25519); without it nobody is shown "
             "the tree"},
    {.section = "log",
     .key = "head-seconds",
     .type = IDV_CONF_INT,
     AT(head_seconds),
     .fallback = "10",
     .min = 1,
     .max = 86400,
     .help = "a tree head is not signed anew before the last one is so old, "
             "except for who waits for an entry of its own"},
    {.section = "policy",
     .key = "device-hourly",
     .type = IDV_CONF_INT,
     AT(device_hourly),
     .fallback = "60",
     .min = 1,
     .max = 1000000,
     .help = "vouchers of one device in an hour without evidence of proximity "
             "or ownership; more must wait"},
    TOOL_CLOCK_ENTRY(struct conf, device, "trusted"){
        .section = "policy",
        .key = "pin",
        .type = IDV_CONF_ENUM,
        AT(pin),
        .fallback = "farthest",
        .words = pins,
        .help = "what a voucher pins: the farthest certificate of the request, "
                "or the registrar's own"},
    {.section = "policy",
     .key = "nonceless-minutes",
     .type = IDV_CONF_INT,
     AT(nonceless_minutes),
     .fallback = "20",
     .min = 1,
     .max = 525600,
     .help = "life of a voucher without nonce"},
    {.section = "policy",
     .key = "request-hours",
     .type = IDV_CONF_INT,
     AT(max_age_hours),
     .fallback = "96",
     .min = 1,
     .max = 8760,
     .help = "requests older than this are stale"},
    SERVICE_STORE_ENTRY(struct conf, service, "/var/lib/idevid/masa/masa.db")
        TOOL_DEVICE_ENTRIES(struct conf, device)};
static const struct idv_conf_table table = {
    "idevid-masa", "The manufacturer's authority: signs vouchers.", entries,
    sizeof(entries) / sizeof(*entries)};

static struct {
    const char *reason, *name;
    bool nonceless, blocked;
} opt;

/* --- run ---------------------------------------------------------------- */

struct worker {
    EVP_PKEY *tls_key, *key, *approval_key, *log_key;
    STACK_OF(X509) * tls_chain;
    STACK_OF(X509) * chain;
    STACK_OF(X509) * anchors;
    X509 *cert;
    struct idv_db *db;
    struct idv_masa_store store;
    struct idv_masa_maker maker;
    struct idv_masa *masa;
};

static void worker_clear(void *self)
{
    struct worker *w = self;
    idv_masa_free(w->masa);
    idv_db_close(w->db);
    EVP_PKEY_free(w->tls_key);
    EVP_PKEY_free(w->key);
    EVP_PKEY_free(w->approval_key);
    EVP_PKEY_free(w->log_key);
    idv_certs_free(w->tls_chain);
    idv_certs_free(w->chain);
    idv_certs_free(w->anchors);
    X509_free(w->cert);
}

static idv_rc worker_keys(struct worker *w)
{
    IDV_TRY(idv_certs_open(conf.tls_cert, &tool_pin, &w->tls_chain));
    IDV_TRY(idv_key_open(conf.tls_key, &tool_pin, &w->tls_key));
    IDV_TRY(idv_certs_open(conf.cert, &tool_pin, &w->chain));
    w->cert = sk_X509_shift(w->chain);
    IDV_TRY(idv_key_open(conf.key, &tool_pin, &w->key));
    if (conf.approval_key)
        IDV_TRY(idv_key_open(conf.approval_key, &tool_pin, &w->approval_key));
    if (conf.log_key)
        IDV_TRY(idv_key_open(conf.log_key, &tool_pin, &w->log_key));
    if (conf.anchors)
        IDV_TRY(idv_certs_open(conf.anchors, NULL, &w->anchors));
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

static idv_rc worker_setup(struct tool *t, void *self,
                           struct idv_server_worker *out)
{
    struct worker *w = self;
    IDV_TRY(worker_keys(w));
    IDV_TRY(idv_db_open(conf.service.database, &w->db));
    IDV_TRY(grow_tree(t, w->db));
    w->store = idv_db_masa_store(w->db);
    w->maker = (struct idv_masa_maker){
        .name = conf.name,
        .key = w->key,
        .cert = w->cert,
        .chain = w->chain,
        .idevid_anchors = w->anchors,
        .id_data = conf.id_data,
        .issuer_sequence = conf.issuer_sequence,
        .pin = (enum idv_pin_choice)conf.pin,
        .nonceless_s = conf.nonceless_minutes * 60,
        .approval_key = w->approval_key,
    };
    struct idv_masa_conf mc = {.makers = &w->maker,
                               .n_makers = 1,
                               .store = &w->store,
                               .max_age_s = conf.max_age_hours * 3600,
                               .device_hourly = (unsigned)conf.device_hourly,
                               .log_key = w->log_key,
                               .head_s = conf.head_seconds};
    IDV_TRY(idv_masa_new(&mc, t->env, &w->masa));
    out->key = w->tls_key;
    out->chain = w->tls_chain;
    out->service = idv_masa_service(w->masa);
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
                            .conf_size = sizeof(conf),
                            .conf = &conf.service,
                            .size = sizeof(struct worker),
                            .setup = worker_setup,
                            .database = worker_database,
                            .clear = worker_clear};
}

static idv_rc run(struct tool *t, int argc, char **argv)
{
    const struct service s = service(t);
    (void)argc;
    (void)argv;
    return service_run(&s);
}

/* --- devices ------------------------------------------------------------ */

static idv_rc init(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    const struct service s = service(t);
    (void)argc;
    (void)argv;
    IDV_TRY(idv_db_open(conf.service.database, &db));
    IDV_TRY(service_probe(&s));
    tool_say(t, "%s: ready; keys and certificates fit", conf.service.database);
    return IDV_OK;
}

static idv_rc import_lines(struct idv_db *db, const char *file,
                           struct idv_bytes text, unsigned *fresh,
                           unsigned *known)
{
    struct idv_bytes line;
    for (unsigned n = 1; idv_text_next(&text, "\n", &line); n++) {
        bool is_new = false;
        if (idv_text_trim(line).n == 0)
            continue;
        idv_rc rc = idv_db_device_import(db, idv_text_trim(line), &is_new);
        if (rc != IDV_OK)
            return idv_fail_within(rc, "%s:%u", file, n);
        ++*(is_new ? fresh : known);
    }
    return IDV_OK;
}

static idv_rc import(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    unsigned fresh = 0, known = 0;
    IDV_TRY(idv_db_open(conf.service.database, &db));
    for (int i = 0; i < argc; i++) {
        IDV_AUTO(buf) text = {0};
        text.max = (size_t)1 << 30;
        IDV_TRY(strcmp(argv[i], "-") == 0
                    ? tool_read(argv[i], &text)
                    : idv_fs_read(argv[i], text.max, &text));
        IDV_TRY(import_lines(db, argv[i], idv_view(&text), &fresh, &known));
    }
    tool_say(t, "%u devices added, %u known already", fresh, known);
    return IDV_OK;
}

static idv_rc device_json(const struct idv_masa_device *d)
{
    struct idv_json *o = idv_json_new_object();
    IDV_AUTO(buf) hex = {0};
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = idv_hex_from_bytes(idv_bytes(d->keyid, d->keyid_n), &hex);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "serial-number", d->serial_number);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "issuer-keyid", hex.p ? (const char *)hex.p : "");
    if (rc == IDV_OK)
        rc = tool_put_text(o, "maker", d->maker);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "owner", d->owner);
    if (rc == IDV_OK)
        rc = tool_put_bool(o, "blocked", d->blocked);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "reason", d->reason);
    return tool_print_put(o, rc);
}

static bool device_each(void *arg, const struct idv_masa_device *d)
{
    struct service_use *u = arg;
    u->any = true;
    if (u->t->json) {
        u->rc = device_json(d);
        return u->rc == IDV_OK;
    }
    tool_say(u->t, "%-24s %-12s %s%s%s", d->serial_number,
             *d->maker ? d->maker : "-", d->blocked ? "BLOCKED " : "",
             d->blocked ? d->reason : "", *d->owner ? d->owner : "");
    return true;
}

static idv_rc list(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    struct service_use u = {t, IDV_OK, false};
    IDV_TRY(idv_db_open(conf.service.database, &db));
    IDV_TRY(idv_db_device_each(db, argc ? argv[0] : NULL, device_each, &u));
    IDV_TRY(u.rc);
    if (argc && !u.any)
        return idv_fail(IDV_E_REJECT, "%s: no such device", argv[0]);
    return IDV_OK;
}

static idv_rc set_blocked(struct tool *t, const char *serial, bool blocked)
{
    AUTO_DB struct idv_db *db = NULL;
    IDV_TRY(idv_db_open(conf.service.database, &db));
    IDV_TRY(idv_db_device_block(db, idv_bytes(NULL, 0), serial, blocked,
                                opt.reason ? opt.reason : ""));
    tool_say(t, "%s: %s", serial, blocked ? "blocked" : "no longer blocked");
    return IDV_OK;
}

static idv_rc block(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return set_blocked(t, argv[0], true);
}

static idv_rc unblock(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return set_blocked(t, argv[0], false);
}

/* Whom the device was sold to; without CERT: nobody knows. */
static idv_rc owner(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) id = {0};
    if (argc > 1) {
        IDV_TRY(idv_cert_open(argv[1], &tool_pin, &cert));
        if (!idv_domain_id_is_proven(cert))
            return idv_fail(IDV_E_REJECT,
                            "%s: its subjectKeyIdentifier is no hash of its "
                            "key, so that others could take it for their own",
                            argv[1]);
        IDV_TRY(idv_domain_id(cert, &raw));
        IDV_TRY(idv_base64_from_bytes(idv_view(&raw), 0, &id));
    }
    const char *domain = id.n ? (const char *)id.p : "";
    IDV_TRY(idv_db_open(conf.service.database, &db));
    IDV_TRY(idv_db_device_owner(db, idv_bytes(NULL, 0), argv[0], domain));
    tool_say(t, "%s: %s%s", argv[0],
             cert ? "sold to " : "its owner is not known",
             cert ? idv_cert_subject(cert) : "");
    return IDV_OK;
}

static idv_rc registrar(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    IDV_AUTO_PTR(X509) cert = NULL;
    struct idv_masa_registrar r = {.nonceless = opt.nonceless,
                                   .blocked = opt.blocked};
    (void)argc;
    IDV_TRY(idv_cert_open(argv[0], &tool_pin, &cert));
    const char *name = opt.name ? opt.name : idv_cert_subject(cert);
    IDV_TRY(idv_text_copy(r.name, sizeof(r.name), idv_str(name), "--name"));
    IDV_TRY(idv_db_open(conf.service.database, &db));
    IDV_TRY(idv_db_registrar_set(db, cert, &r));
    tool_say(t, "%s: known%s%s", r.name,
             r.nonceless ? ", may have vouchers without nonce" : "",
             r.blocked ? ", blocked" : "");
    return IDV_OK;
}

/* --- log ---------------------------------------------------------------- */

static idv_rc event_json(const char *serial, const struct idv_audit_event *e,
                         const char *date)
{
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_text(o, "serial-number", serial);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "date", date);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "domainID", e->domain_id);
    if (rc == IDV_OK)
        rc = idv_json_set(o, "nonce",
                          *e->nonce ? idv_json_new_text(idv_str(e->nonce))
                                    : idv_json_new_null());
    if (rc == IDV_OK)
        rc = tool_put_text(o, "assertion", idv_assertion_to_text(e->assertion));
    return tool_print_put(o, rc);
}

static bool event_each(void *arg, const char *serial,
                       const struct idv_audit_event *e)
{
    struct service_use *u = arg;
    char date[IDV_TIME_TEXT];
    u->any = true;
    u->rc = idv_time_to_text(e->date, date);
    if (u->rc == IDV_OK && u->t->json)
        u->rc = event_json(serial, e, date);
    else if (u->rc == IDV_OK)
        tool_say(u->t, "%s  %-20s %-10s domain %s nonce %s", date, serial,
                 idv_assertion_to_text(e->assertion), e->domain_id,
                 *e->nonce ? e->nonce : "none");
    return u->rc == IDV_OK;
}

static idv_rc show_log(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    struct service_use u = {t, IDV_OK, false};
    IDV_TRY(idv_db_open(conf.service.database, &db));
    IDV_TRY(idv_db_log_each(db, argc ? argv[0] : NULL, event_each, &u));
    IDV_TRY(u.rc);
    if (!u.any)
        tool_say(t, "no voucher was issued%s%s", argc ? " for " : "",
                 argc ? argv[0] : "");
    return IDV_OK;
}

/* The public half, for those who verify. */
static idv_rc log_key(struct tool *t, int argc, char **argv)
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    struct idv_log_id id;
    char *pem = NULL;
    (void)t;
    (void)argc;
    (void)argv;
    if (!conf.log_key)
        return idv_fail(IDV_E_STATE, "log.key: there is none");
    IDV_TRY(idv_key_open(conf.log_key, &tool_pin, &key));
    IDV_TRY(idv_log_id(key, &id));
    if (!bio || PEM_write_bio_PUBKEY(bio, key) != 1)
        return idv_fail(IDV_E_CRYPTO, "log key");
    long n = BIO_get_mem_data(bio, &pem);
    return tool_print(idv_bytes(pem, (size_t)n));
}

/* --- backup --------------------------------------------------------------- */

static idv_rc backup(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return service_backup(t, conf.service.database, argv[0]);
}

/* --- tables ------------------------------------------------------------- */

static const struct tool_option block_options[] = {
    {"reason", 0, "TEXT", "why; may be told to the registrar", &opt.reason,
     NULL, NULL},
    {0}};

static const struct tool_option registrar_options[] = {
    {"name", 0, "TEXT", "how to call it (default: its subject)", &opt.name,
     NULL, NULL},
    {"nonceless", 0, NULL, "it may have vouchers without nonce", NULL,
     &opt.nonceless, NULL},
    {"blocked", 0, NULL, "it gets no voucher at all", NULL, &opt.blocked, NULL},
    {0}};

static const struct tool_verb verbs[] = {
    {"run", "", "serve until told to stop", 0, 0, NULL, run, true},
    {"init", "", "make the database; check keys and certificates", 0, 0, NULL,
     init, true},
    {"import", "FILE ...", "register devices (what idevid-factory exports)", 1,
     -1, NULL, import, true},
    {"list", "[SERIAL]", "registered devices", 0, 1, NULL, list, true},
    {"log", "[SERIAL]", "the audit log: every voucher issued", 0, 1, NULL,
     show_log, true},
    {"log-key", "", "print the public key of the log (PEM)", 0, 0, NULL,
     log_key, true},
    {"verify-log", "[URL]",
     "has the log of a MASA only grown, and is it what its tree says", 0, 1,
     masa_verify_options, masa_verify_log, false},
    {"block", "SERIAL", "issue no voucher for this device", 1, 1, block_options,
     block, true},
    {"unblock", "SERIAL", "issue vouchers for it again", 1, 1, NULL, unblock,
     true},
    {"owner", "SERIAL [CERT]",
     "the domain CA it was sold to: others get no voucher", 1, 2, NULL, owner,
     true},
    {"backup", "FILE", "copy the database as it is now", 1, 1, NULL, backup,
     true},
    {"registrar", "CERT", "name a registrar or domain CA and what it may", 1, 1,
     registrar_options, registrar, true},
    {0}};

static idv_rc check(const void *c)
{
    return service_check_front(&((const struct conf *)c)->service);
}

static idv_rc configure(struct tool *t)
{
    return tool_use_device_conf(t, &conf.device);
}

int main(int argc, char **argv)
{
    static const struct tool_option none[] = {{0}};
    static struct tool t = {
        .name = "idevid-masa",
        .about = "The manufacturer's authority: signs vouchers and keeps the "
                 "log of them\n(RFC 8995). Verbs other than run use the "
                 "database directly, also while it runs.",
        .verbs = verbs,
        .options = none,
        .environment = TOOL_DEVICE_ENVIRONMENT,
        .conf_table = &table,
        .conf_path = "/etc/idevid/masa.ini",
        .conf = &conf,
        .check = check,
        .configure = configure,
    };
    return tool_main(&t, argc, argv);
}
