/* SPDX-License-Identifier: Apache-2.0 */
/* Further makers in one process, each by a file of its own. */
#ifndef TOOL_MASA_TENANT_H
#define TOOL_MASA_TENANT_H

#include "masa.h"

#define MASA_TENANT_NAME_MAX 31

struct masa_tenant {
    char name[MASA_TENANT_NAME_MAX + 1]; /* of its file, without ".ini" */
    char label[MASA_TENANT_NAME_MAX + sizeof("tenant=")];
    struct masa_conf conf; /* what the process has is zero */
};
struct masa_tenants {
    struct masa_tenant *all;
    size_t n;
};
/* What first names. IDV_E_ARG: two of one name, or with one database. Cleared
 * by the caller, also when it fails. */
idv_rc masa_tenants_load(const struct masa_conf *first,
                         struct masa_tenants *out) IDV_CHECKED;
void masa_tenants_clear(struct masa_tenants *t);

/* The names by which clients ask for it: those of c, or else those of its
 * certificate but for wildcards. NULL-ended. IDV_E_ARG: one that is not of its
 * certificate, or (needed) none. masa_names_free. */
idv_rc masa_names(const struct masa_conf *c, X509 *cert, bool needed,
                  char ***out) IDV_CHECKED;
void masa_names_free(char **names);

#endif
