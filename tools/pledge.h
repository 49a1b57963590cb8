/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of idevid-pledge: one file for each of its verbs, and this. */
#ifndef TOOL_PLEDGE_H
#define TOOL_PLEDGE_H

#include <idevid/pledge.h>

#include "pledge_event.h"
#include "state.h"
#include "tool.h"

extern struct pledge_conf pledge_configuration;

/* The device, what it holds, and how far we are. */
struct pledge {
    struct tool *t;
    struct state s;
    EVP_PKEY *idevid_key;
    STACK_OF(X509) * chain;   /* the IDevID first */
    STACK_OF(X509) * anchors; /* the maker's */
    STACK_OF(X509) * cloud_anchors;
    /* progress */
    struct idv_device_stats last;
    int64_t start_ms, last_ms;
    struct idv_json *steps;
    void (*watch)(void *arg, const char *event, const char *detail);
    void (*look)(void *arg, const struct idv_pledge *pledge); /* each step */
    void *watch_arg;
};
#define PLEDGE_INIT                                                            \
    {                                                                          \
        .s = STATE_INIT                                                        \
    }
void pledge_close(struct pledge *p);
#define AUTO_PLEDGE __attribute__((cleanup(pledge_close)))

/* Opens what the device belongs to. */
idv_rc pledge_start(struct pledge *p, struct tool *t,
                    enum state_use use) IDV_CHECKED;
/* The IDevID and the maker's anchors; IDV_E_REJECT: they do not fit. */
idv_rc pledge_identity(struct pledge *p) IDV_CHECKED;

/* --- progress (pledge_progress.c) --- */

/* A line (or with --json a step of the summary) of what happened. */
void pledge_progress(void *pledge, const char *event, const char *detail);
/* With --json: how it ended, what it took, and the steps. */
idv_rc pledge_summary(struct pledge *p, idv_rc rc, const char *note,
                      enum idv_verdict verdict) IDV_CHECKED;

/* --- joining and renewing (pledge_work.c) --- */

/* RENEW of an LDevID that has expired goes on with the IDevID when it is
 * refused, and with the LDevID before it when it was never used
 * (idv_pledge_reenroll, idv_trust_previous). */
enum pledge_job { PLEDGE_JOIN, PLEDGE_RENEW };
struct pledge_work {
    enum pledge_job job;
    const char *const *registrars; /* NULL-ended; NULL or empty: as configured,
                                      and as discovered */
    int attempts;                  /* as struct idv_pledge_conf has it */
};
/* Opens the identity, runs the machine to its end, and does what follows from
 * an enrollment. A signal to end (pledge_catch_signals) is IDV_E_STATE. */
idv_rc pledge_work(struct pledge *p,
                   const struct pledge_work *work) IDV_CHECKED;
/* The CRLs that the LDevID's certificates name; *changed: those that are kept
 * are others now. That none was had is told, and no failure. */
idv_rc pledge_fetch_crl(struct pledge *p, bool *changed) IDV_CHECKED;
/* The cloud registrar of the configuration, if there is one, into pc; its
 * anchors stay p's (pledge_cloud.c). */
idv_rc pledge_cloud(struct pledge *p, struct idv_pledge_conf *pc) IDV_CHECKED;
/* SIGTERM and SIGINT end the work at the next opportunity. */
void pledge_catch_signals(void);

/* --- without a network (pledge_imprint.c) --- */

/* NONE to IMPRINTED by a nonceless voucher in a file, judged as one that a
 * registrar delivers, except that there is none: whoever comes later has to
 * validate against what it pins. */
idv_rc pledge_offline(struct pledge *p, const char *file) IDV_CHECKED;

/* --- verbs --- */

idv_rc pledge_join(struct tool *t, int argc, char **argv);
idv_rc pledge_run(struct tool *t, int argc, char **argv);
idv_rc pledge_imprint(struct tool *t, int argc, char **argv);
idv_rc pledge_renew(struct tool *t, int argc, char **argv);
idv_rc pledge_status(struct tool *t, int argc, char **argv);
idv_rc pledge_reset(struct tool *t, int argc, char **argv);
idv_rc pledge_discover(struct tool *t, int argc, char **argv);
extern const struct tool_option pledge_discover_options[];
extern const struct tool_option pledge_imprint_options[], pledge_join_options[],
    pledge_renew_options[], pledge_status_options[];

#endif
