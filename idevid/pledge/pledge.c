/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's table of stages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>

#include "pledge/pledge_priv.h"

#define LANES 3 /* unless said otherwise */

typedef idv_rc failed_fn(struct idvi_attempt *a, idv_rc rc,
                         struct idv_ask *ask);

static idv_rc finished_anyway(struct idvi_attempt *a, idv_rc rc,
                              struct idv_ask *ask)
{
    (void)rc;
    return idvi_finished(a, NULL, ask);
}

typedef idv_rc later_fn(struct idvi_attempt *a, int seconds,
                        struct idv_ask *ask);

static const struct {
    enum idv_told_kind expect;
    idvi_step *step, *lost, *news;
    failed_fn *failed;
    later_fn *later; /* where who has no time is asked again */
} stages[STAGE_COUNT] = {
    [STAGE_IDLE] = {IDV_TOLD_START, idvi_start, NULL, NULL, idvi_attempt_failed,
                    NULL},
    [STAGE_BACKOFF] = {IDV_TOLD_ELAPSED, idvi_look, idvi_look, idvi_look,
                       idvi_attempt_failed, NULL},
    [STAGE_LOOKUP] = {IDV_TOLD_ADDRESSES, idvi_address_told, idvi_address_lost,
                      NULL, idvi_attempt_failed, NULL},
    [STAGE_IDENTIFY] = {IDV_TOLD_CONNECTED, idvi_identify, idvi_attempt_lost,
                        NULL, idvi_attempt_failed, NULL},
    [STAGE_REQUEST] = {IDV_TOLD_REPLY, idvi_voucher_reply, idvi_request_lost,
                       NULL, idvi_attempt_failed, idvi_pending_hold},
    [STAGE_PENDING] = {IDV_TOLD_ELAPSED, idvi_request_again, idvi_request_lost,
                       idvi_pending_news, idvi_attempt_failed, NULL},
    [STAGE_STATUS_BAD] = {IDV_TOLD_REPLY, idvi_attempt_over, idvi_attempt_over,
                          NULL, idvi_attempt_failed, NULL},
    [STAGE_EST] = {IDV_TOLD_CONNECTED, idvi_cloud_est, idvi_attempt_lost, NULL,
                   idvi_attempt_failed, NULL},
    [STAGE_STATUS] = {IDV_TOLD_REPLY, idvi_status_told, idvi_domain_lost, NULL,
                      idvi_enroll_failed, NULL},
    [STAGE_CACERTS] = {IDV_TOLD_REPLY, idvi_cacerts, idvi_domain_lost, NULL,
                       idvi_enroll_failed, idvi_domain_hold},
    [STAGE_CSRATTRS] = {IDV_TOLD_REPLY, idvi_csrattrs, idvi_domain_lost, NULL,
                        idvi_enroll_failed, idvi_domain_hold},
    [STAGE_ENROLL] = {IDV_TOLD_REPLY, idvi_enroll, idvi_domain_lost, NULL,
                      idvi_enroll_failed, idvi_domain_hold},
    [STAGE_DOMAIN_WAIT] = {IDV_TOLD_ELAPSED, idvi_domain_again,
                           idvi_domain_lost, NULL, idvi_enroll_failed, NULL},
    [STAGE_ENROLL_BAD] = {IDV_TOLD_REPLY, idvi_attempt_over, idvi_attempt_over,
                          NULL, idvi_attempt_failed, NULL},
    [STAGE_RESUME] = {IDV_TOLD_CONNECTED, idvi_resumed, idvi_domain_lost, NULL,
                      idvi_attempt_failed, NULL},
    [STAGE_REPORT] = {IDV_TOLD_CONNECTED, idvi_report, idvi_finished, NULL,
                      finished_anyway, NULL},
    [STAGE_REPORTED] = {IDV_TOLD_REPLY, idvi_reported, idvi_finished, NULL,
                        finished_anyway, NULL},
};

/* what is told means in this stage; NULL: nothing */
static idvi_step *meaning(enum idvi_stage stage, enum idv_told_kind kind)
{
    if (kind == IDV_TOLD_LOST && stages[stage].lost)
        return stages[stage].lost;
    if (kind == IDV_TOLD_NEWS)
        return stages[stage].news;
    return kind == stages[stage].expect ? stages[stage].step : NULL;
}

static bool is_open(enum idvi_stage stage)
{
    return stages[stage].expect == IDV_TOLD_CONNECTED ||
           stages[stage].expect == IDV_TOLD_REPLY;
}

static idv_rc act(struct idvi_attempt *a, idvi_step *go, struct idv_told *told,
                  struct idv_ask *ask)
{
    later_fn *later = stages[a->stage].later;
    int seconds = 0;
    if (told->kind == IDV_TOLD_REPLY && later)
        IDV_TRY(idvi_busy(a, &told->msg, &seconds));
    return seconds ? later(a, seconds, ask) : go(a, told, ask);
}

static idv_rc step(struct idvi_attempt *a, struct idv_told *told,
                   struct idv_ask *ask)
{
    struct idv_pledge *p = a->p;
    const enum idvi_stage stage = a->stage;
    idv_msg_init(&ask->msg);
    idv_msg_init(&ask->connect.first);
    if (told->at_ms > p->now)
        p->now = told->at_ms;
    if (told->kind == IDV_TOLD_STALLED && is_open(stage))
        return idvi_stalled(a, told, ask);
    idvi_step *go = meaning(stage, told->kind);
    if (!go || (p->alone && p->alone != a))
        return idv_fail(IDV_E_ARG, "pledge: told %d in stage %d",
                        (int)told->kind, (int)stage);
    idv_rc rc = act(a, go, told, ask);
    if (rc == IDV_OK || rc == IDV_E_NOMEM)
        return rc;
    idv_ask_free(ask);
    return stages[stage].failed(a, rc, ask);
}

static idv_rc only_step(void *self, struct idv_told *told, struct idv_ask *ask)
{
    struct idv_pledge *p = self;
    return step(&p->lane[0], told, ask);
}

static idv_rc lane_step(void *self, size_t lane, struct idv_told *told,
                        struct idv_ask *ask)
{
    struct idv_pledge *p = self;
    if (lane >= p->lanes)
        return idv_fail(IDV_E_ARG, "pledge: no lane %zu", lane);
    return step(&p->lane[lane], told, ask);
}

static void begin(struct idv_pledge *p, size_t lanes, bool renewing)
{
    p->lanes = lanes;
    p->renewing = renewing;
    p->again = false;
    p->alone = NULL;
    for (size_t i = 0; i < IDV_MAX_LANES; i++) {
        idvi_attempt_clear(&p->lane[i]);
        p->lane[i].stage = STAGE_IDLE;
    }
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++)
        p->candidates[i].busy = false;
}

struct idv_machine idv_pledge_renew(struct idv_pledge *p)
{
    begin(p, 1, true);
    return (struct idv_machine){.step = only_step, .self = p};
}

struct idv_machine idv_pledge_reenroll(struct idv_pledge *p)
{
    begin(p, 1, false);
    p->again = true;
    return (struct idv_machine){.step = only_step, .self = p};
}

struct idv_machine idv_pledge_join(struct idv_pledge *p)
{
    begin(p, 1, false);
    return (struct idv_machine){.step = only_step, .self = p};
}

struct idv_crew idv_pledge_join_crew(struct idv_pledge *p)
{
    begin(p, p->conf.lanes ? p->conf.lanes : LANES, false);
    return (struct idv_crew){.step = lane_step, .lanes = p->lanes, .self = p};
}

enum idv_verdict idv_pledge_verdict(const struct idv_pledge *p)
{
    return p->verdict;
}

idv_rc idv_pledge_new(const struct idv_pledge_conf *conf,
                      const struct idv_env *env, struct idv_pledge **out)
{
    if (!conf->idevid_key || sk_X509_num(conf->idevid_chain) < 1)
        return idv_fail(IDV_E_ARG, "pledge: no IDevID");
    if (!conf->trust || !conf->make_key)
        return idv_fail(IDV_E_ARG, "pledge: nowhere to keep what it gets");
    if (conf->lanes > IDV_MAX_LANES)
        return idv_fail(IDV_E_ARG, "pledge: more than %d lanes", IDV_MAX_LANES);
    struct idv_pledge *p = calloc(1, sizeof(*p));
    if (!p)
        return idv_fail(IDV_E_NOMEM, "pledge");
    p->conf = *conf;
    p->env = env;
    for (size_t i = 0; i < IDV_MAX_LANES; i++)
        p->lane[i].p = p;
    if (!p->conf.media)
        p->conf.media = IDV_MEDIA_VOUCHER_CMS;
    idv_rc rc = idvi_candidates_new(p);
    if (rc == IDV_OK)
        rc = idv_envelope_accept(p->conf.media, &p->accept);
    if (rc != IDV_OK) {
        idv_pledge_free(p);
        return rc;
    }
    *out = p;
    return IDV_OK;
}

void idv_pledge_free(struct idv_pledge *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < IDV_MAX_LANES; i++)
        idvi_attempt_clear(&p->lane[i]);
    for (size_t i = 0; i < IDV_MAX_CANDIDATES; i++)
        idvi_candidate_forget(&p->candidates[i]);
    EVP_PKEY_free(p->key);
    EVP_PKEY_free(p->member_key);
    idv_buf_free(&p->accept);
    free(p);
}

/* --- what the stages share ------------------------------------------------ */

void idvi_say(struct idvi_attempt *a, const char *event, const char *detail)
{
    const struct idv_pledge *p = a->p;
    idv_log(p->env, IDV_LOG_INFO, event, "registrar=%s:%u detail=%s",
            a->at.host, (unsigned)a->at.port, idv_log_value(detail));
    if (p->conf.progress)
        p->conf.progress(p->conf.progress_arg, event, detail);
}

const X509 *idvi_idevid(const struct idvi_attempt *a)
{
    return sk_X509_value(a->p->conf.idevid_chain, 0);
}

void idvi_stage(struct idvi_attempt *a, enum idvi_stage stage)
{
    a->stage = stage;
    a->since = a->p->now;
}

idv_rc idvi_done(struct idvi_attempt *a, idv_rc rc, const char *note,
                 struct idv_ask *ask)
{
    idvi_stage(a, STAGE_IDLE);
    ask->kind = IDV_ASK_DONE;
    ask->rc = rc;
    snprintf(ask->note, sizeof(ask->note), "%s", note);
    return IDV_OK;
}

idv_rc idvi_wait(struct idvi_attempt *a, enum idvi_stage stage, int seconds,
                 struct idv_ask *ask)
{
    idvi_stage(a, stage);
    a->until = a->p->now + (int64_t)seconds * 1000;
    ask->kind = IDV_ASK_WAIT;
    ask->seconds = seconds;
    return IDV_OK;
}

void idvi_remember(struct idvi_attempt *a, idv_rc rc)
{
    a->last = rc;
    snprintf(a->note, sizeof(a->note), "%s", idv_note());
    idv_note_clear();
}
