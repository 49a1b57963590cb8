/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of idevid-factory, and what their options said. */
#ifndef FACTORY_H
#define FACTORY_H

#include "factory_conf.h"
#include "tool.h"

/* Of all commands; NULL and false where they were not given. */
struct factory_opt {
    const char *dir;                                      /* first argument */
    const char *token, *maker, *names[TOOL_LIST_MAX + 1]; /* init */
    const char *station, *desk;
    const char *device, *serial, *model, *masa_url, *hw_type, *hw_serial;
    const char *profile, *type, *order, *operator_, *fixture, *power_cycle;
    const char *fixtures, *jobs, *retries, *wait, *ek_cert;
    const char *key_uri, *cert_uri, *out, *index, *counter, *reason;
    const char *format, *from, *to, *csr, *head;
    bool lock, replace, platform, so, remove, again, worker, owner_nv;
    bool journal, yes, release;
};
extern struct factory_opt opt;
extern struct factory_conf factory_conf;

/* IDV_E_ARG: "--device URI is missing" */
idv_rc factory_need(const char *value, const char *option) IDV_CHECKED;
/* The configuration was read, and what options say instead is in it. */
idv_rc factory_configured(void) IDV_CHECKED;

/* What the options say of one device. */
struct device_job;
idv_rc factory_job(struct device_job *job) IDV_CHECKED;

typedef idv_rc factory_verb(struct tool *t, int argc, char **argv);
factory_verb factory_init, factory_station;     /* factory_init.c */
factory_verb factory_provision, factory_verify; /* factory_provision.c */
factory_verb factory_retire, factory_wipe;      /* factory_rework.c */
factory_verb factory_request, factory_issue;    /* factory_stick.c */
factory_verb factory_ca;                        /* factory_ca.c */
idv_rc factory_install_reply(struct tool *t, const char *path) IDV_CHECKED;
factory_verb factory_order,
    factory_export; /* factory_order.c, factory_export.c */

extern const struct tool_option factory_init_options[],
    factory_station_options[], factory_provision_options[],
    factory_verify_options[], factory_retire_options[], factory_wipe_options[],
    factory_ca_options[], factory_request_options[], factory_issue_options[],
    factory_order_options[], factory_export_options[];

#endif
