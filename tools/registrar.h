/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of idevid-registrar, and what they share. */
#ifndef TOOL_REGISTRAR_H
#define TOOL_REGISTRAR_H

#include "registrar_conf.h"

extern struct registrar_conf registrar_conf;

struct registrar_options {
    const char *token, *domain, *names[TOOL_LIST_MAX + 1], *type, *maker;
    const char *certificate, *reason, *label, *out;
    const char *since, *until, *format;
    const char *makers[TOOL_LIST_MAX + 1]; /* init: their files */
    const char *to, *est_domain, *pin_cert, *more;
    const char *model, *serial, *from, *comment, *position;
    const char *issuer, *file;
    bool accept_loss, pending, again, nobody, findings, stored, imprinted, jws;
};
extern struct registrar_options registrar_opt;

/* registrar_people.c: --maker, which may be left out where there is one only */
idv_rc registrar_the_maker(char out[static 64]) IDV_CHECKED;

/* registrar_cloud.c: whose devices are */
idv_rc registrar_owner(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* registrar_run.c */
idv_rc registrar_run(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_probe(struct tool *t) IDV_CHECKED;

/* registrar_announce.c: the processes that make it known */
void registrar_announce(struct tool *t, struct idv_server_aside out[static 2]);

/* registrar_ledger.c: what was kept, out of it, and no more */
idv_rc registrar_export(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_prune(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_backup(struct tool *t, int argc, char **argv) IDV_CHECKED;
/* As configured, from now. */
void registrar_retention(const struct tool *t, struct idv_db_retention *out);

/* registrar_init.c */
idv_rc registrar_init(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_rollover(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* registrar_ask.c: asks the service, or the store, by the admin table */
idv_rc registrar_ask(struct tool *t, const char *path, struct idv_json *in,
                     idv_rc (*page)(struct tool *t,
                                    const struct idv_json *answer)) IDV_CHECKED;

/* registrar_rules.c: rules; findings and vouchers had ahead, for list */
idv_rc registrar_rule(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_list_more(struct tool *t) IDV_CHECKED;
void registrar_finding_row(struct tool *t, const struct idv_json *f);

/* registrar_prefetch.c */
idv_rc registrar_prefetch(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* registrar_people.c: what was decided, and how far devices came */
idv_rc registrar_list(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_show(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_approve(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_deny(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_log(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_status(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* registrar_revoke.c: certificates taken back, and the list of them */
idv_rc registrar_revoke(struct tool *t, int argc, char **argv) IDV_CHECKED;
idv_rc registrar_crl(struct tool *t, int argc, char **argv) IDV_CHECKED;

#endif
