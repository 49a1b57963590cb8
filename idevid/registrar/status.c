/* SPDX-License-Identifier: Apache-2.0 */
/* What pledges report: voucher_status and enrollstatus. */
#include <string.h>

#include <idevid/json.h>

#include "idevid/registrar/registrar_call.h"

#define RENEWALS_MAX 256 /* followed back to the device's IDevID */

static idv_rc read_report(struct idvi_reg_call *c, struct idv_telemetry *t)
{
    const struct idv_msg *req = &c->call->req;
    if (!idv_media_is(req->media, "application/json"))
        return idvi_refuse(&c->no, 415, "media", "unsupported media type");
    idv_rc rc = idv_telemetry_from_json(idv_view(&req->body), t);
    return idvi_judge(&c->no, rc, 400, "status-report", "malformed report");
}

static bool known_member(const char *name)
{
    static const char *const names[] = {"version", "status", "reason",
                                        "reason-context"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* R-R-33: what is new to us is kept with the report, and named once. */
static idv_rc look_closer(struct idvi_reg_call *c, const char *kind,
                          const struct idv_telemetry *t)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    const char *name = NULL;
    if (t->version > 1)
        IDV_TRY(idvi_reg_found(c, "status-version", "%s of version %lld", kind,
                               (long long)t->version));
    IDV_TRY(idv_json_parse(idv_view(&c->call->req.body), 0, &root));
    for (size_t i = 0; idv_json_at(root, i, &name); i++) {
        if (known_member(name))
            continue;
        idv_log(c->reg->env, IDV_LOG_INFO, "status-unknown-member",
                "device=%s kind=%s name=%s",
                idv_log_value(c->session.serial_number), kind,
                idv_log_value(name));
        break;
    }
    return IDV_OK;
}

static idv_rc record(struct idvi_reg_call *c, const char *kind,
                     const struct idv_telemetry *t, bool cert_matches)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    struct idv_status_event e = {
        .date = c->now,
        .kind = kind,
        .status = t->status,
        .cert_matches = cert_matches,
        .reason = t->reason,
        .detail = t->detail,
        .report = idv_view(&c->call->req.body),
    };
    memcpy(e.pvr_sha256, c->session.pvr_sha256, sizeof(e.pvr_sha256));
    if (e.report.n > IDV_MAX_REPORT)
        e.report.n = IDV_MAX_REPORT;
    IDV_TRY(look_closer(c, kind, t));
    bool alarm = !t->status || t->version > 1;
    idv_log(c->reg->env, alarm ? IDV_LOG_WARN : IDV_LOG_INFO, kind,
            "device=%s status=%d version=%lld cert-matches=%d reason=%s",
            idv_log_value(c->session.serial_number), t->status,
            (long long)t->version, cert_matches, idv_log_value(t->reason));
    return store->status_add(store->self, &e);
}

static idv_rc thanks(struct idvi_reg_call *c)
{
    return idv_msg_reply(&c->call->reply, 200, "", idv_str(""));
}

/* The pledge that sealed its anchor is asked to prove it. */
static idv_rc thanks_for_voucher(struct idvi_reg_call *c)
{
    if (c->reg->conf.evidence == IDV_EVIDENCE_OFF)
        return thanks(c);
    return idv_msg_reply(&c->call->reply, 200, "application/json",
                         idv_str("{\"evidence\":\"requested\"}"));
}

/* --- voucher_status ------------------------------------------------------- */

/* The answer does not depend on the log; what is not known yet is found out
 * before enrollment. */
static idv_rc audited(struct idvi_reg_call *c, const char *unknown)
{
    if (unknown)
        idv_log(c->reg->env, IDV_LOG_WARN, "audit-log-missing",
                "why=%s device=%s", unknown,
                idv_log_value(c->session.serial_number));
    return thanks_for_voucher(c);
}

static idv_rc take_voucher_status(struct idvi_reg_call *c, bool good)
{
    enum idv_session_state s = c->session.state;
    if (!good) {
        if (s != IDV_SESSION_LOG_BAD)
            IDV_TRY(idvi_reg_session_move(c, IDV_SESSION_VSTATUS_FAIL));
        return thanks(c);
    }
    if (s == IDV_SESSION_VOUCHER_SENT)
        IDV_TRY(idvi_reg_session_move(c, IDV_SESSION_VSTATUS_OK));
    if (c->session.state != IDV_SESSION_VSTATUS_OK)
        return thanks_for_voucher(c);
    c->audited = audited;
    return idvi_reg_audit(c);
}

idv_rc idvi_reg_voucher_status(struct idvi_reg_call *c)
{
    struct idv_telemetry t;
    IDV_TRY(idvi_reg_identify(c));
    IDV_TRY(read_report(c, &t));
    IDV_TRY(idvi_reg_session_of_device(c, c->leaf_sha256, 404));
    IDV_TRY(record(c, "voucher_status", &t, false));
    return take_voucher_status(c, t.status);
}

/* Of a device that may have been sent on, without a voucher from here. */
idv_rc idvi_reg_cloud_status(struct idvi_reg_call *c)
{
    struct idv_telemetry t;
    IDV_TRY(idvi_reg_identify(c));
    IDV_TRY(read_report(c, &t));
    IDV_TRY(idvi_reg_session_of_device(c, c->leaf_sha256, 404));
    IDV_TRY(record(c, "voucher_status", &t, false));
    IDV_TRY(idvi_reg_session_move(c, t.status ? IDV_SESSION_VSTATUS_OK
                                              : IDV_SESSION_VSTATUS_FAIL));
    return thanks(c);
}

/* --- enrollstatus --------------------------------------------------------- */

idv_rc idvi_reg_first_client(struct idvi_reg_call *c, uint8_t out[static 32])
{
    const struct idv_est_store *store = &c->reg->conf.ca.est.store;
    bool found = true;
    memcpy(out, c->issued.client_sha256, 32);
    for (int i = 0; i < RENEWALS_MAX && found; i++) {
        struct idv_issued older = {0};
        IDV_TRY(store->find_cert(store->self, out, &found, &older));
        if (found)
            memcpy(out, older.client_sha256, 32);
        idv_issued_free(&older);
    }
    return IDV_OK;
}

/* By LDevID: the session of the IDevID that it goes back to. */
static idv_rc find_session(struct idvi_reg_call *c, bool *by_ldevid)
{
    uint8_t idevid[32];
    IDV_TRY(idvi_reg_ldevid(c, by_ldevid));
    if (*by_ldevid) {
        IDV_TRY(idvi_reg_first_client(c, idevid));
        return idvi_reg_session_of_device(c, idevid, 404);
    }
    IDV_TRY(idvi_reg_identify(c));
    return idvi_reg_session_of_device(c, c->leaf_sha256, 404);
}

static bool enrolled(enum idv_session_state s)
{
    return s == IDV_SESSION_ENROLLED || s == IDV_SESSION_ESTATUS_OK ||
           s == IDV_SESSION_ESTATUS_FAIL;
}

/* R-R-47: success counts only over the certificate that was issued. */
idv_rc idvi_reg_enrollstatus(struct idvi_reg_call *c)
{
    struct idv_telemetry t;
    bool matches = false, proved = false;
    IDV_TRY(find_session(c, &matches));
    IDV_TRY(read_report(c, &t));
    IDV_TRY(record(c, "enrollstatus", &t, matches));
    if (!enrolled(c->session.state))
        return thanks(c);
    if (t.status && matches) {
        IDV_TRY(idvi_reg_take_evidence(c, &proved));
        t.status = proved || c->reg->conf.evidence != IDV_EVIDENCE_REQUIRE;
    }
    if (!t.status) {
        IDV_TRY(idvi_reg_revoke_unused(c, matches));
        IDV_TRY(idvi_reg_session_move(c, IDV_SESSION_ESTATUS_FAIL));
    } else if (matches)
        IDV_TRY(idvi_reg_session_move(c, IDV_SESSION_ESTATUS_OK));
    return thanks(c);
}
