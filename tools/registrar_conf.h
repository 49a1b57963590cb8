/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's configuration: one file of its own, one for each maker. */
#ifndef REGISTRAR_CONF_H
#define REGISTRAR_CONF_H

#include <idevid/conf.h>

#include "registrar_ca.h"
#include "service.h"

struct registrar_conf {
    struct service_conf service;
    char *key, *cert, *front_cert;
    struct registrar_ca_conf ca;
    char **makers, **labels;
    char **crl_listen;
    char **known;
    struct tool_device_conf device;
    int audit, pin, evidence, new_logs;
    bool allow_foreign, allow_nonceless, own_history;
    bool unauthenticated, unreadable;
    int64_t retry_after;
    int64_t device_hourly, masa_timeout, masa_patience, keep_days,
        keep_ledger_days;
    /* [cloud] */
    bool cloud;
    char *cloud_key, *cloud_cert;
    char **cloud_never_to;
    int64_t cloud_retry_after;
    /* [announce] */
    char **announce_on;
    int announce_grasp, announce_mdns; /* bits: registrar 1, proxy 2 */
    bool announce_est;
    int64_t announce_period;
};
extern const struct idv_conf_table registrar_table;

/* What the table cannot say: IDV_E_ARG names the key. */
idv_rc registrar_check_conf(const void *conf) IDV_CHECKED;

/* The same of one of its CAs, also a label's. */
idv_rc registrar_check_binding(const struct registrar_conf *c,
                               const struct registrar_ca_conf *ca) IDV_CHECKED;

struct maker_conf {
    char *name, *anchors, *masa_url, *masa_fallback, *masa_anchors;
    char *masa_user, *masa_password_file;
    char *evidence_anchors, *approval_key;
    char **log_keys;
    int admit, serial_field, model_field, masa_http_auth, stored, log;
    bool unauthenticated, ignore_expiry, masa_client_auth, id_data,
        issuer_sequence;
};
extern const struct idv_conf_table maker_table;

/* A file of its own for each label: a CA as in the registrar's. */
struct label_conf {
    char *name;
    struct registrar_ca_conf ca;
};
extern const struct idv_conf_table label_table;

#endif
