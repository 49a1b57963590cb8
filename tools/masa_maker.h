/* SPDX-License-Identifier: Apache-2.0 */
/* One maker of a running MASA: what its configuration names, opened. */
#ifndef TOOL_MASA_MAKER_H
#define TOOL_MASA_MAKER_H

#include "masa_tenant.h"

struct masa_maker {
    const struct masa_conf *conf;
    char role[sizeof("masa/") + MASA_TENANT_NAME_MAX]; /* in the log */
    char **names;                                      /* of its TLS server */
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

/* Before there are workers: what paths that nobody can guess are made of. */
idv_rc masa_makers_begin(const struct idv_env *env) IDV_CHECKED;

/* name: the tenant's, NULL the first. Cleared by the caller, also when it
 * fails; c and name outlive it. Without log or device open elsewhere. */
idv_rc masa_maker_open(struct tool *t, const struct masa_conf *c,
                       const char *name, struct masa_maker *m) IDV_CHECKED;
void masa_maker_clear(struct masa_maker *m);

/* masa_status.c: idv_masa_admin.live, maker is one. */
idv_rc masa_maker_live(void *maker, struct idv_json *out) IDV_CHECKED;

/* masa_revocation.c: processes beside the workers, out */
#define MASA_LOOKERS 4
void masa_revocation(struct tool *t,
                     struct idv_server_aside out[static MASA_LOOKERS]);

/* What a running service may have, but no new configuration. */
idv_rc masa_maker_check(struct tool *t, const struct masa_conf *c) IDV_CHECKED;

#endif
