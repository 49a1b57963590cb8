/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of idevid-masa, and what they share. */
#ifndef TOOL_MASA_H
#define TOOL_MASA_H

#include "idevid/masa/admin.h"
#include "masa_signers.h"
#include "service.h"

/* Of the whole process; then what each maker in it has, and its database. */
struct masa_conf {
    struct service_conf service;
    struct tool_device_conf device;
    char **tenants;
    int unknown_name; /* enum masa_unknown */
    char **names;     /* (the first of what is a maker's) */
    char *tls_key, *tls_cert, *anchors, *name, *approval_key;
    struct masa_signer_conf signer;
    char **signers;
    struct idv_masa_policy policy;
    bool id_data, issuer_sequence;
    int64_t max_age_hours, head_seconds, back_seconds, registrar_minute,
        domain_hourly;
    int64_t revocation_seconds;
    bool revocation_private;
    bool tell_reason, draft_era;
    char *log_key, *location, *location_secret;
    int64_t location_minutes;
};
extern struct masa_conf masa_conf;
extern const struct idv_conf_table masa_table;
enum masa_unknown { MASA_UNKNOWN_FIRST, MASA_UNKNOWN_REFUSED };
/* The file of a further maker: that of the first without what is the process's,
 * and with a database that it names. */
const struct idv_conf_table *masa_tenant_table(void);

struct masa_options {
    const char *reason, *name, *issuer, *tenant;
    bool nonceless, blocked, older;
    /* init */
    const char *token, *maker, *type, *from;
    const char *names[TOOL_LIST_MAX + 1], *anchors[TOOL_LIST_MAX + 1];
};
extern struct masa_options masa_opt;

/* masa_conf.c */
idv_rc masa_check_conf(const void *c) IDV_CHECKED;

/* masa_tenant.c: the maker that --tenant names, or the first */
idv_rc masa_choose(void) IDV_CHECKED;
/* IDV_E_ARG: no name for one. */
idv_rc masa_tenant_check(const char *name) IDV_CHECKED;
const struct masa_conf *masa_maker(void);
void masa_unchoose(void);

/* masa_run.c */
idv_rc masa_run(struct tool *t, int argc, char **argv) IDV_CHECKED;
/* run -t: keys, certificates and database */
idv_rc masa_probe(struct tool *t) IDV_CHECKED;

/* masa_init.c */
idv_rc masa_init(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* masa_rollover.c */
idv_rc masa_rollover(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* masa_log_key.c: the public half of the log's key, for those who verify. A key
 * that no log can have: IDV_E_ARG. */
idv_rc masa_log_key_pem(EVP_PKEY *key, struct idv_buf *out) IDV_CHECKED;
idv_rc masa_log_key(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* masa_import.c */
idv_rc masa_import(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc masa_sales(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* masa_export.c */
idv_rc masa_export(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* masa_restore.c */
idv_rc masa_restore(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* On the admin socket what is asked of a tenant begins so, then its name. */
#define MASA_OF_TENANT "/tenant/"

/* masa_ask.c: asks the service, or the store, by the admin table */
void masa_rows(const struct tool *t, const char *role,
               const struct masa_conf *conf, struct idv_db *db,
               struct idv_masa_admin *rows, struct idv_admin *out);
idv_rc masa_ask(struct tool *t, const char *path, struct idv_json *in,
                idv_rc (*page)(struct tool *t,
                               const struct idv_json *answer)) IDV_CHECKED;
/* {"serial-number": serial (NULL: all), "issuer-keyid": --issuer} for put to
 * add to (NULL: nothing), then masa_ask. */
idv_rc masa_ask_of(struct tool *t, const char *path, const char *serial,
                   idv_rc (*put)(struct idv_json *in, const char *arg),
                   const char *arg,
                   idv_rc (*page)(struct tool *t,
                                  const struct idv_json *answer)) IDV_CHECKED;
/* "certificate": what cert (a file or URI) holds */
idv_rc masa_put_cert(struct idv_json *in, const char *cert) IDV_CHECKED;

/* masa_devices.c: devices and their log, for people to look at */
idv_rc masa_list(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc masa_device(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc masa_log(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* masa_status.c */
idv_rc masa_status(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* masa_people.c: what people say of devices and registrars */
idv_rc masa_block(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc masa_unblock(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc masa_stolen(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc masa_transfer(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc masa_retire(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc masa_eol(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc masa_owner(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc masa_origin(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc masa_registrar(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* masa_policy.c */
idv_rc masa_policy(struct tool *t, int argc, char **argv) IDV_CHECKED;

#endif
