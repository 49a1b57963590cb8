/* SPDX-License-Identifier: Apache-2.0 */
/* A maker's file, and what it names, opened. */
#ifndef REGISTRAR_MAKER_H
#define REGISTRAR_MAKER_H

#include "registrar_conf.h"
#include "tool.h"

struct registrar_maker {
    struct maker_conf conf;
    STACK_OF(X509) * anchors;
    STACK_OF(X509) * masa_anchors;
    STACK_OF(X509) * evidence_anchors;
    EVP_PKEY *approval_key;
    struct idv_buf password; /* with its NUL */
    EVP_PKEY *log_keys[TOOL_LIST_MAX + 1];
};
/* row points into m, which stays; zeroed before. Freed also after a failure. */
idv_rc registrar_maker_load(const char *path, struct registrar_maker *m,
                            struct idv_registrar_maker *row) IDV_CHECKED;
void registrar_maker_free(struct registrar_maker *m);

/* That of the name, NULL: the only one. IDV_E_ARG: there is none, or several.
 */
idv_rc registrar_maker_find(const char *name, struct registrar_maker *m,
                            struct idv_registrar_maker *row) IDV_CHECKED;

#endif
