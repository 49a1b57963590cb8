/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: a pledge's session found, begun, moved on. */
#include <string.h>

#include <idevid/text.h>

#include "idevid/registrar/registrar_call.h"

#define HOUR_S 3600

void idv_session_free(struct idv_session *s)
{
    idv_buf_free(&s->rvr);
    idv_buf_free(&s->voucher);
    idv_buf_free(&s->audit_log);
    idv_buf_free(&s->judged_on);
    memset(s, 0, sizeof(*s));
}

const char *idv_session_state_to_text(enum idv_session_state s)
{
    static const char *const texts[IDV_SESSION_STATES] = {
        "new",
        "request-ok",
        "pending",
        "refused",
        "masa-wait",
        "voucher-sent",
        "voucher-accepted",
        "voucher-rejected",
        "log-ok",
        "log-bad",
        "enrolling",
        "enrolled",
        "certificate-accepted",
        "certificate-rejected"};
    return (unsigned)s < IDV_SESSION_STATES ? texts[s] : "unknown";
}

static idv_rc begin(struct idvi_reg_call *c, struct idv_session *s)
{
    memcpy(s->pvr_sha256, c->pvr_sha256, sizeof(s->pvr_sha256));
    memcpy(s->idevid_sha256, c->leaf_sha256, sizeof(s->idevid_sha256));
    s->state = IDV_SESSION_NEW;
    s->created = s->changed = c->now;
    IDV_TRY(idv_text_copy(s->maker, sizeof(s->maker), idv_str(c->maker->name),
                          "maker"));
    IDV_TRY(idv_text_copy(s->serial_number, sizeof(s->serial_number),
                          idv_str(c->id.serial_number), "serial"));
    IDV_TRY(idv_text_copy(s->nonce, sizeof(s->nonce), idv_str(c->pvr.nonce),
                          "nonce"));
    IDV_TRY(idv_text_copy(s->address, sizeof(s->address),
                          idv_str(c->call->peer->address), "address"));
    return idv_text_copy(s->media, sizeof(s->media), idv_str(c->opened.media),
                         "media");
}

/* R-R-67: a device that makes request after request is told to wait. */
static idv_rc limit_rate(struct idvi_reg_call *c)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    unsigned n = 0;
    IDV_TRY(
        store->session_count(store->self, c->leaf_sha256, c->now - HOUR_S, &n));
    if (n < c->reg->conf.device_hourly)
        return IDV_OK;
    idv_rc rc = idvi_refuse(&c->no, 503, "rate", "too many requests");
    c->no.retry_after = IDV_MAX_RETRY_AFTER;
    return rc;
}

static idv_rc get(struct idvi_reg_call *c, bool *found)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    idv_session_free(&c->session);
    return store->session_get(store->self, c->pvr_sha256, found, &c->session);
}

idv_rc idvi_reg_session_load(struct idvi_reg_call *c)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    bool found = false, fresh = false;
    IDV_TRY(get(c, &found));
    if (found && c->call->peer->claimed &&
        memcmp(c->session.idevid_sha256, c->leaf_sha256, 32) != 0)
        return idvi_refuse(&c->no, 403, "request-of-another",
                           "request of another device");
    if (found)
        return IDV_OK;
    IDV_TRY(limit_rate(c));
    IDV_TRY(begin(c, &c->session));
    IDV_TRY(store->session_add(store->self, &c->session, &fresh));
    return fresh ? IDV_OK : get(c, &found);
}

idv_rc idvi_reg_session_save(struct idvi_reg_call *c,
                             enum idv_session_state from, bool *done)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    bool found = false;
    memcpy(c->pvr_sha256, c->session.pvr_sha256, sizeof(c->pvr_sha256));
    c->session.changed = c->now;
    IDV_TRY(store->session_update(store->self, &c->session, from, done));
    if (*done)
        return IDV_OK;
    IDV_TRY(get(c, &found));
    return found ? IDV_OK
                 : idv_fail(IDV_E_STATE, "registrar: a session is "
                                         "gone");
}

idv_rc idvi_reg_session_move(struct idvi_reg_call *c, enum idv_session_state to)
{
    enum idv_session_state from = c->session.state;
    bool done = false;
    if (from == to)
        return IDV_OK;
    c->session.state = to;
    IDV_TRY(idvi_reg_session_save(c, from, &done));
    idv_log(c->reg->env, IDV_LOG_DEBUG, "session", "device=%s from=%s to=%s",
            idv_log_value(c->session.serial_number),
            idv_session_state_to_text(from),
            idv_session_state_to_text(c->session.state));
    return IDV_OK;
}

idv_rc idvi_reg_session_of_device(struct idvi_reg_call *c,
                                  const uint8_t idevid_sha256[32], int status)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    bool found = false;
    idv_session_free(&c->session);
    IDV_TRY(
        store->session_last(store->self, idevid_sha256, &found, &c->session));
    if (!found || c->session.state < IDV_SESSION_VOUCHER_SENT)
        return idvi_refuse(&c->no, status, "no-voucher",
                           "no voucher was given to this device");
    return IDV_OK;
}
