/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of idevid-registrar, and what they share. */
#ifndef TOOL_REGISTRAR_H
#define TOOL_REGISTRAR_H

#include "registrar_conf.h"

extern struct registrar_conf registrar_conf;

struct registrar_options {
    const char *token, *domain, *names[TOOL_LIST_MAX + 1], *type, *maker;
    bool pending;
};
extern struct registrar_options registrar_opt;

/* registrar_run.c */
idv_rc registrar_run(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* registrar_init.c */
idv_rc registrar_init(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_rollover(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* registrar_people.c: what was decided, and how far devices came */
idv_rc registrar_list(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_approve(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_refuse(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_log(struct tool *t, int argc, char **argv) IDV_CHECKED;

#endif
