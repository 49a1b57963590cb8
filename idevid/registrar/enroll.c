/* SPDX-License-Identifier: Apache-2.0 */
/* EST behind the gate: only pledges that passed, or members, get in (R-R-43).
 */
#include <string.h>

#include "idevid/registrar/registrar_call.h"

/* --- what the EST server asks back ---------------------------------------- */

static idv_rc admit(void *arg, struct idv_peer *peer,
                    struct idv_est_verdict *out)
{
    struct idvi_reg_call *c = arg;
    (void)peer;
    idv_rc rc = idvi_reg_grant(c, &out->grant);
    if (rc == IDV_E_REJECT) {
        out->status = 403;
        out->reason = "no name can be given to this device";
        return IDV_OK;
    }
    IDV_TRY(rc);
    if (c->maker && c->session.state == IDV_SESSION_LOG_OK)
        return idvi_reg_session_move(c, IDV_SESSION_ENROLLING);
    return IDV_OK;
}

static idv_rc names(void *arg, struct idv_peer *peer, X509_EXTENSION **san)
{
    (void)peer;
    return idvi_reg_names(arg, san);
}

static idv_rc issued(void *arg, struct idv_peer *peer,
                     const struct idv_issued *cert)
{
    struct idvi_reg_call *c = arg;
    (void)peer;
    (void)cert;
    if (c->maker)
        return idvi_reg_session_move(c, IDV_SESSION_ENROLLED);
    return IDV_OK;
}

static idv_rc serve_est(struct idvi_reg_call *c);

/* the other CA answered, or the store is: the same call once more, with that */
static idv_rc answered(struct idvi_reg_call *c, struct idv_told *told)
{
    c->told = told;
    return serve_est(c);
}

static idv_rc serve_est(struct idvi_reg_call *c)
{
    struct idv_est_server_conf conf = c->ca->est;
    struct idv_est_server *est = NULL;
    enum idv_next next = IDV_NEXT_REPLY;
    conf.scope = c->ca->label;
    conf.admit = admit;
    conf.issued = issued;
    conf.names = names;
    conf.arg = c;
    conf.user = c->user[0] ? c->user : NULL;
    conf.limit_s = idvi_reg_limit(c);
    conf.signer_key = c->reg->conf.key;
    conf.signer_cert = c->reg->conf.cert;
    IDV_TRY(idv_est_server_new(&conf, c->reg->env, &est));
    struct idv_service s = idv_est_server_service(est);
    idv_rc rc = s.serve(s.self, c->call, c->told, &next);
    c->told = NULL;
    c->next = next;
    if (rc == IDV_OK && next != IDV_NEXT_REPLY)
        c->resume = answered;
    idv_est_server_free(est);
    return rc;
}

/* --- the gate ------------------------------------------------------------- */

/* A member remains one only as long as people want it. */
static idv_rc serve_member(struct idvi_reg_call *c)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    enum idv_decision d = IDV_DECISION_NONE;
    uint8_t idevid[32];
    bool found = false;
    if (!c->issued.serial_number[0] && !c->ca->users)
        return idvi_refuse(&c->no, 403, "no-users",
                           "users are not served any more");
    IDV_TRY(idvi_reg_first_client(c, idevid));
    idv_session_free(&c->session);
    IDV_TRY(store->session_last(store->self, idevid, &found, &c->session));
    if (found)
        IDV_TRY(store->decision(store->self, c->session.maker,
                                c->session.serial_number, false, c->now, &d));
    if (d == IDV_DECISION_REFUSED)
        return idvi_refuse(&c->no, 403, "device-refused",
                           "device is not accepted here");
    return serve_est(c);
}

static idv_rc pass(struct idvi_reg_call *c)
{
    switch (c->session.state) {
    case IDV_SESSION_LOG_OK:
    case IDV_SESSION_ENROLLING:
    case IDV_SESSION_ENROLLED:
    case IDV_SESSION_ESTATUS_OK:
    case IDV_SESSION_ESTATUS_FAIL:
        return serve_est(c);
    case IDV_SESSION_LOG_BAD:
        return idvi_refuse(&c->no, 403, "log-bad",
                           "history of the device is not acceptable");
    case IDV_SESSION_VSTATUS_FAIL:
        return idvi_refuse(&c->no, 403, "voucher-rejected",
                           "device rejected its voucher");
    default:
        return idvi_refuse(&c->no, 403, "no-voucher",
                           "no voucher was given to this device");
    }
}

static idv_rc audited(struct idvi_reg_call *c, const char *unknown)
{
    if (unknown)
        return idvi_reg_defer(c, unknown, c->reg->conf.retry_after_s);
    return pass(c);
}

/* One that asks again and again: nothing of its session changes any more, and
 * the rest of it is not read. */
static idv_rc is_enrolled(struct idvi_reg_call *c, bool *yes)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    enum idv_session_state state = IDV_SESSION_NEW;
    IDV_TRY(store->session_state(store->self, c->leaf_sha256, yes, &state));
    *yes = *yes && state == IDV_SESSION_ENROLLED;
    if (*yes)
        c->session.state = state;
    return IDV_OK;
}

/* A voucher that we gave, or an imprint made elsewhere that may count. */
static idv_rc find_session(struct idvi_reg_call *c)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    bool found = false, adopted = false;
    idv_session_free(&c->session);
    IDV_TRY(is_enrolled(c, &found));
    if (found)
        return IDV_OK;
    IDV_TRY(
        store->session_last(store->self, c->leaf_sha256, &found, &c->session));
    if (found && c->session.state >= IDV_SESSION_VOUCHER_SENT &&
        c->session.state != IDV_SESSION_VSTATUS_FAIL)
        return IDV_OK;
    IDV_TRY(idvi_reg_adopt(c, &adopted));
    return adopted ? IDV_OK
                   : idvi_reg_session_of_device(c, c->leaf_sha256, 403);
}

/* R-R-68: a log that was fine may not be any more, if the connection on which
 * it was judged was lost. */
static bool wants_log(const struct idvi_reg_call *c)
{
    switch (c->session.state) {
    case IDV_SESSION_VOUCHER_SENT:
    case IDV_SESSION_VSTATUS_OK:
        return true;
    case IDV_SESSION_LOG_OK:
        return c->session.rvr.n > 0 && !idvi_reg_same_connection(c);
    default:
        return false;
    }
}

static idv_rc gate(struct idvi_reg_call *c)
{
    const struct idv_peer *peer = c->call->peer;
    bool member = false;
    if (c->ca->users && (!peer || sk_X509_num(peer->chain) <= 0)) {
        IDV_TRY(idvi_reg_user(c));
        return serve_est(c);
    }
    IDV_TRY(idvi_reg_ldevid(c, &member));
    if (member)
        return serve_member(c);
    IDV_TRY(idvi_reg_identify(c));
    IDV_TRY(idvi_reg_check_denied(c));
    IDV_TRY(find_session(c));
    if (!wants_log(c))
        return pass(c);
    c->audited = audited;
    return idvi_reg_audit(c);
}

/* who is no member may be an authority that renews for one */
static idv_rc renew(struct idvi_reg_call *c)
{
    bool member = false;
    c->renewal = true;
    IDV_TRY(idvi_reg_ldevid(c, &member));
    if (c->call->peer->claimed)
        return idvi_refuse(&c->no, 403, "no-client-cert",
                           "client certificate required");
    return member ? serve_member(c) : serve_est(c);
}

idv_rc idvi_reg_est(struct idvi_reg_call *c)
{
    const char *path = c->call->req.path;
    if (c->call->req.verb != IDV_POST) {
        if (strcmp(path, IDV_PATH_CSRATTRS) == 0)
            IDV_TRY(idvi_reg_recognise(c));
        return serve_est(c);
    }
    if (strcmp(path, IDV_PATH_SIMPLEENROLL) == 0 ||
        strcmp(path, "/.well-known/est/serverkeygen") == 0)
        return gate(c);
    return strcmp(path, IDV_PATH_SIMPLEREENROLL) == 0 ? renew(c) : serve_est(c);
}
