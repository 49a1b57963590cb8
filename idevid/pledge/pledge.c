/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's table of stages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>

#include "pledge/pledge_priv.h"

typedef idv_rc failed_fn(struct idv_pledge *p, idv_rc rc, struct idv_ask *ask);

static idv_rc finished_anyway(struct idv_pledge *p, idv_rc rc,
                              struct idv_ask *ask)
{
    (void)rc;
    return idvi_finished(p, NULL, ask);
}

static const struct {
    enum idv_told_kind expect;
    idvi_step *step, *lost;
    failed_fn *failed;
} stages[STAGE_COUNT] = {
    [STAGE_IDLE] = {IDV_TOLD_START, idvi_start, NULL, idvi_attempt_failed},
    [STAGE_BACKOFF] = {IDV_TOLD_ELAPSED, idvi_backed_off, idvi_backed_off,
                       idvi_attempt_failed},
    [STAGE_IDENTIFY] = {IDV_TOLD_CONNECTED, idvi_identify, idvi_attempt_lost,
                        idvi_attempt_failed},
    [STAGE_REQUEST] = {IDV_TOLD_REPLY, idvi_voucher_reply, idvi_request_lost,
                       idvi_attempt_failed},
    [STAGE_PENDING] = {IDV_TOLD_ELAPSED, idvi_request_again, idvi_request_lost,
                       idvi_attempt_failed},
    [STAGE_STATUS_BAD] = {IDV_TOLD_REPLY, idvi_attempt_over, idvi_attempt_over,
                          idvi_attempt_failed},
    [STAGE_STATUS] = {IDV_TOLD_REPLY, idvi_status_told, idvi_domain_lost,
                      idvi_enroll_failed},
    [STAGE_CACERTS] = {IDV_TOLD_REPLY, idvi_cacerts, idvi_domain_lost,
                       idvi_enroll_failed},
    [STAGE_CSRATTRS] = {IDV_TOLD_REPLY, idvi_csrattrs, idvi_domain_lost,
                        idvi_enroll_failed},
    [STAGE_ENROLL] = {IDV_TOLD_REPLY, idvi_enroll, idvi_domain_lost,
                      idvi_enroll_failed},
    [STAGE_ENROLL_WAIT] = {IDV_TOLD_ELAPSED, idvi_enroll_again,
                           idvi_domain_lost, idvi_enroll_failed},
    [STAGE_ENROLL_BAD] = {IDV_TOLD_REPLY, idvi_attempt_over, idvi_attempt_over,
                          idvi_attempt_failed},
    [STAGE_RESUME] = {IDV_TOLD_CONNECTED, idvi_resumed, idvi_domain_lost,
                      idvi_attempt_failed},
    [STAGE_REPORT] = {IDV_TOLD_CONNECTED, idvi_report, idvi_finished,
                      finished_anyway},
    [STAGE_REPORTED] = {IDV_TOLD_REPLY, idvi_finished, idvi_finished,
                        finished_anyway},
};

static idv_rc step(void *self, struct idv_told *told, struct idv_ask *ask)
{
    struct idv_pledge *p = self;
    const enum idvi_stage stage = p->stage;
    idv_msg_init(&ask->msg);
    idv_msg_init(&ask->connect.first);
    idvi_step *go = stages[stage].step;
    if (told->kind == IDV_TOLD_LOST && stages[stage].lost)
        go = stages[stage].lost;
    else if (told->kind != stages[stage].expect)
        return idv_fail(IDV_E_ARG, "pledge: told %d in stage %d",
                        (int)told->kind, (int)stage);
    if (told->kind == IDV_TOLD_ELAPSED)
        p->clock += p->waiting;
    idv_rc rc = go(p, told, ask);
    if (rc == IDV_OK || rc == IDV_E_NOMEM)
        return rc;
    idv_ask_free(ask);
    return stages[stage].failed(p, rc, ask);
}

struct idv_machine idv_pledge_renew(struct idv_pledge *p)
{
    p->stage = STAGE_IDLE;
    p->renewing = true;
    return (struct idv_machine){.step = step, .self = p};
}

struct idv_machine idv_pledge_join(struct idv_pledge *p)
{
    p->stage = STAGE_IDLE;
    p->renewing = false;
    return (struct idv_machine){.step = step, .self = p};
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
    struct idv_pledge *p = calloc(1, sizeof(*p));
    if (!p)
        return idv_fail(IDV_E_NOMEM, "pledge");
    p->conf = *conf;
    p->env = env;
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
    idvi_request_forget(p);
    idvi_domain_forget(p);
    EVP_PKEY_free(p->key);
    EVP_PKEY_free(p->member_key);
    idv_buf_free(&p->accept);
    free(p->candidates);
    free(p);
}

/* --- what the stages share ------------------------------------------------ */

void idvi_say(struct idv_pledge *p, const char *event, const char *detail)
{
    idv_log(p->env, IDV_LOG_INFO, event, "registrar=%s:%u detail=%s",
            p->at.host, (unsigned)p->at.port, idv_log_value(detail));
    if (p->conf.progress)
        p->conf.progress(p->conf.progress_arg, event, detail);
}

const X509 *idvi_idevid(const struct idv_pledge *p)
{
    return sk_X509_value(p->conf.idevid_chain, 0);
}

idv_rc idvi_done(struct idv_pledge *p, idv_rc rc, const char *note,
                 struct idv_ask *ask)
{
    p->stage = STAGE_IDLE;
    ask->kind = IDV_ASK_DONE;
    ask->rc = rc;
    snprintf(ask->note, sizeof(ask->note), "%s", note);
    return IDV_OK;
}

idv_rc idvi_wait(struct idv_pledge *p, enum idvi_stage stage, int seconds,
                 bool close, struct idv_ask *ask)
{
    p->stage = stage;
    p->waiting = seconds;
    ask->kind = IDV_ASK_WAIT;
    ask->seconds = seconds;
    ask->close = close;
    return IDV_OK;
}

void idvi_remember(struct idv_pledge *p, idv_rc rc)
{
    p->last = rc;
    snprintf(p->note, sizeof(p->note), "%s", idv_note());
    idv_note_clear();
}
