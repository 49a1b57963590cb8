/* SPDX-License-Identifier: Apache-2.0 */
/* Telling the registrar how it went; its answer changes nothing. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>

#include "pledge/pledge_priv.h"

/* Reasons are the same whatever happened: who listens may be an attacker
 * (RFC 8995 section 5.7). */
#define VOUCHER_REASON "voucher not accepted"
#define ENROLL_REASON "enrollment failed"

idv_rc idvi_telemetry(const char *path, bool status, const char *reason,
                      struct idv_bytes evidence, struct idv_msg *m)
{
    struct idv_telemetry t = {
        .version = 1, .status = status, .evidence = evidence};
    snprintf(t.reason, sizeof(t.reason), "%s", reason);
    m->verb = IDV_POST;
    snprintf(m->path, sizeof(m->path), "%s", path);
    strcpy(m->media, "application/json");
    return idv_telemetry_to_json(&t, &m->body);
}

static idv_rc tell(struct idvi_attempt *a, enum idvi_stage stage, idv_rc rc,
                   const char *path, const char *reason, struct idv_ask *ask)
{
    idvi_remember(a, rc);
    idvi_stage(a, stage);
    ask->kind = IDV_ASK_EXCHANGE;
    return idvi_telemetry(path, false, reason, idv_str(""), &ask->msg);
}

idv_rc idvi_voucher_failed(struct idvi_attempt *a, idv_rc rc,
                           struct idv_ask *ask)
{
    return tell(a, STAGE_STATUS_BAD, rc, IDV_PATH_VOUCHER_STATUS,
                VOUCHER_REASON, ask);
}

idv_rc idvi_enroll_failed(struct idvi_attempt *a, idv_rc rc,
                          struct idv_ask *ask)
{
    if (a->p->renewing)
        return idvi_attempt_failed(a, rc, ask);
    return tell(a, STAGE_ENROLL_BAD, rc, IDV_PATH_ENROLLSTATUS, ENROLL_REASON,
                ask);
}

idv_rc idvi_report_connect(struct idvi_attempt *a, struct idv_ask *ask)
{
    struct idv_msg *first = &ask->connect.first;
    idvi_stage(a, STAGE_REPORT);
    idvi_connect(a, AS_NEW, false, ask);
    first->verb = IDV_POST;
    strcpy(first->path, IDV_PATH_ENROLLSTATUS);
    strcpy(first->media, "application/json");
    return IDV_OK;
}

idv_rc idvi_report(struct idvi_attempt *a, struct idv_told *told,
                   struct idv_ask *ask)
{
    IDV_AUTO(buf) evidence = {0};
    IDV_TRY(idvi_take_peer(a, told));
    IDV_TRY(idv_trust_verify_server(a->p->conf.trust, a->chain));
    IDV_TRY(idvi_evidence_make(a, &evidence));
    idvi_say(a, "enrollstatus", "over a new connection, with the LDevID");
    idvi_stage(a, STAGE_REPORTED);
    ask->kind = IDV_ASK_EXCHANGE;
    return idvi_telemetry(IDV_PATH_ENROLLSTATUS, true, "", idv_view(&evidence),
                          &ask->msg);
}

/* Whatever it says to the report: with this certificate one was let in. */
idv_rc idvi_reported(struct idvi_attempt *a, struct idv_told *told,
                     struct idv_ask *ask)
{
    if (told->msg.status != 401 && told->msg.status != 403)
        IDV_TRY(idv_trust_confirm(a->p->conf.trust));
    return idvi_finished(a, told, ask);
}

idv_rc idvi_finished(struct idvi_attempt *a, struct idv_told *told,
                     struct idv_ask *ask)
{
    (void)told;
    idv_note_clear();
    idvi_request_forget(a);
    idvi_domain_forget(a);
    return idvi_done(a, IDV_OK, "", ask);
}
