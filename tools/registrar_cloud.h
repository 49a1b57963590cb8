/* SPDX-License-Identifier: Apache-2.0 */
/* A cloud registrar's key, as it is open in a worker. */
#ifndef TOOL_REGISTRAR_CLOUD_H
#define TOOL_REGISTRAR_CLOUD_H

#include "idevid/db/db.h"

struct registrar_cloud {
    struct idv_cloud_conf conf;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
};
/* As it is configured; cleared by the caller, also when it fails. */
idv_rc registrar_cloud_open(struct registrar_cloud *c) IDV_CHECKED;
void registrar_cloud_clear(struct registrar_cloud *c);
/* Without a key, for people; c stays where it is. */
void registrar_cloud_use(struct registrar_cloud *c, struct idv_db *db);

#endif
