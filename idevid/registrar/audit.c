/* SPDX-License-Identifier: Apache-2.0 */
/* The device's history: asked of the MASA, judged by policy (R-R-34 to 37). */
#include <stdio.h>
#include <string.h>

#include <idevid/text.h>

#include "idevid/registrar/registrar_call.h"

static idv_rc told_log(struct idvi_reg_call *c, struct idv_told *told);

static idv_rc record(struct idvi_reg_call *c, bool good, const char *reason)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    struct idv_status_event e = {
        .date = c->now,
        .kind = "audit_log",
        .status = good,
        .reason = reason,
        .detail = "",
    };
    memcpy(e.pvr_sha256, c->session.pvr_sha256, sizeof(e.pvr_sha256));
    idv_log(c->reg->env, good ? IDV_LOG_INFO : IDV_LOG_ERROR, "audit-log",
            "device=%s acceptable=%d reason=%s",
            idv_log_value(c->session.serial_number), good,
            idv_log_value(reason));
    return store->status_add(store->self, &e);
}

bool idvi_reg_same_connection(const struct idvi_reg_call *c)
{
    const struct idv_peer *p = c->call->peer;
    return p->binding_n > 0 &&
           idv_bytes_eq(idv_view(&c->session.judged_on),
                        idv_bytes(p->binding, p->binding_n));
}

static idv_rc note_connection(struct idvi_reg_call *c)
{
    const struct idv_peer *p = c->call->peer;
    idv_buf_clear(&c->session.judged_on);
    return idv_buf_put(&c->session.judged_on,
                       idv_bytes(p->binding, p->binding_n));
}

/* Judged again it may stay as it was, but on another connection. */
static idv_rc keep_verdict(struct idvi_reg_call *c, enum idv_session_state to)
{
    bool done = false;
    if (c->session.state == to)
        return idvi_reg_session_save(c, to, &done);
    return idvi_reg_session_move(c, to);
}

idv_rc idvi_reg_conclude(struct idvi_reg_call *c, bool good, const char *reason)
{
    char text[sizeof(c->session.reason)];
    snprintf(text, sizeof(text), "%s", reason);
    idv_note_clear();
    IDV_TRY(record(c, good, text));
    if (!good)
        IDV_TRY(idvi_reg_found(c, "audit-log", "%s", text));
    IDV_TRY(note_connection(c));
    memcpy(c->session.reason, text, sizeof(text));
    IDV_TRY(keep_verdict(c, good ? IDV_SESSION_LOG_OK : IDV_SESSION_LOG_BAD));
    return c->audited(c, NULL);
}

/* A later version only says more (RFC 8995 section 5.8.2), but who runs this
 * may want to read its description first. */
static idv_rc check_version(struct idvi_reg_call *c,
                            const struct idv_audit_log *log)
{
    if (log->version == 1)
        return IDV_OK;
    idv_log(c->reg->env, IDV_LOG_WARN, "audit-log-odd",
            "device=%s what=version version=%lld",
            idv_log_value(c->session.serial_number), (long long)log->version);
    IDV_TRY(idvi_reg_found(c, "audit-version", "version %lld",
                           (long long)log->version));
    return c->reg->conf.refuse_new_logs
               ? idv_fail(IDV_E_REJECT, "audit log: version %lld",
                          (long long)log->version)
               : IDV_OK;
}

/* More than is allowed by default is allowed here: that is said. */
static void tell_allowed(struct idvi_reg_call *c,
                         const struct idv_audit_log *log)
{
    for (size_t i = 0; i < log->n; i++) {
        if (!log->events[i].nonce[0] &&
            c->reg->conf.audit_policy.allow_nonceless) {
            idvi_reg_reduced(c, "nonceless-history");
            return;
        }
    }
}

static idv_rc judge_log(struct idvi_reg_call *c,
                        const struct idv_audit_log *log)
{
    IDV_TRY(check_version(c, log));
    IDV_TRY(idvi_reg_compare_history(c, log));
    IDV_TRY(idv_audit_log_judge(log, &c->reg->conf.audit_policy));
    tell_allowed(c, log);
    return IDV_OK;
}

static idv_rc judge(struct idvi_reg_call *c, const struct idv_msg *reply)
{
    struct idv_audit_log log = {0};
    idv_buf_clear(&c->session.audit_log);
    IDV_TRY(idv_buf_put(&c->session.audit_log, idv_view(&reply->body)));
    idv_rc rc = idv_audit_log_from_json(idv_view(&reply->body), &log);
    if (rc == IDV_E_FORMAT || rc == IDV_E_LIMIT) {
        idv_note_clear(); /* says nothing about the device: ask again later */
        return c->audited(c, "audit-unreadable");
    }
    if (rc == IDV_OK)
        rc = judge_log(c, &log);
    if (rc == IDV_E_REJECT)
        rc = idvi_reg_conclude(c, false, idv_note());
    else if (rc == IDV_OK)
        rc = idvi_reg_ask_tree(c, &log);
    idv_audit_log_free(&log);
    return rc;
}

/* R-S-14: the log may be elsewhere, but only on the same server. */
static idv_rc follow(struct idvi_reg_call *c, const struct idv_msg *reply)
{
    struct idv_upstream *up = &c->call->up;
    struct idv_url url;
    if (up->msg.verb == IDV_GET)
        return c->audited(c, "audit-redirected-twice");
    if (idv_url_from_text(idv_str(reply->location), &url) != IDV_OK ||
        !idv_url_same_origin(&url, &up->url) || !url.path[0]) {
        idv_note_clear();
        return c->audited(c, "audit-location");
    }
    idv_msg_free(&up->msg);
    idv_msg_init(&up->msg);
    up->url = url;
    idv_rc rc = idv_text_copy(up->msg.path, sizeof(up->msg.path),
                              idv_str(url.path), "Location");
    if (rc != IDV_OK) {
        idv_note_clear();
        return c->audited(c, "audit-location");
    }
    IDV_TRY(idv_text_copy(up->msg.accept, sizeof(up->msg.accept),
                          idv_str("application/json"), "accept"));
    c->resume = told_log;
    return IDV_OK;
}

static idv_rc told_log(struct idvi_reg_call *c, struct idv_told *told)
{
    const struct idv_msg *m = &told->msg;
    if (told->kind != IDV_TOLD_REPLY)
        return c->audited(c, "audit-lost");
    if (m->status == 200 && idv_media_is(m->media, "application/json"))
        return judge(c, m);
    if (m->status == 201)
        return follow(c, m);
    if (m->status == 404 && c->reg->conf.audit == IDV_AUDIT_IF_OFFERED)
        return idvi_reg_conclude(c, true, "the manufacturer keeps no log");
    if (m->status == 403 || m->status == 404)
        return idvi_reg_conclude(c, false, "the manufacturer gives no log");
    return c->audited(c, "audit-unavailable");
}

idv_rc idvi_reg_audit(struct idvi_reg_call *c)
{
    if (c->reg->conf.audit == IDV_AUDIT_OFF) {
        idvi_reg_reduced(c, "history-ignored");
        return idvi_reg_conclude(c, true, "history is ignored");
    }
    IDV_TRY(idvi_reg_upstream(c, "requestauditlog", "application/json"));
    /* set by upstream(): the request that was kept, so the MASA knows it */
    c->resume = told_log;
    return IDV_OK;
}
