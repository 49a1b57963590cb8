/* SPDX-License-Identifier: Apache-2.0 */
/* requestauditlog: the history of a device, for those who own or owned it. */
#include <string.h>

#include "idevid/masa/masa_call.h"
#include "idevid/masa/people.h"

static idv_rc had_this(struct idvi_masa_call *c, bool *known)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    struct idv_masa_issue issue = {0};
    idv_rc rc = store->issue_find(store->self, c->rvr_sha256, 0, known, &issue);
    idv_masa_issue_free(&issue);
    return rc;
}

/* By any key of its chain: what is pinned may have been another when it had
 * one. Who takes another's domainID for its own has not that one's request. */
static idv_rc had_voucher(struct idvi_masa_call *c, bool *known)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    *known = false;
    for (int i = sk_X509_num(c->chain) - 1; i >= 0 && !*known; i--) {
        IDV_AUTO(buf) id = {0};
        idv_rc rc = idv_domain_id_proven(sk_X509_value(c->chain, i), &id);
        if (rc == IDV_OK)
            rc = store->owner_known(store->self, c->device.id,
                                    (const char *)id.p, known);
        else if (rc == IDV_E_REJECT)
            rc = IDV_OK;
        IDV_TRY(rc);
    }
    idv_note_clear();
    return *known ? IDV_OK : had_this(c, known);
}

static idv_rc check_owner(struct idvi_masa_call *c)
{
    bool known = false;
    IDV_TRY(had_voucher(c, &known));
    if (!known)
        return idvi_refuse(&c->no, 404, "never-owner", "no log");
    return IDV_OK;
}

static void drop_oldest(struct idv_audit_log *log, size_t n)
{
    memmove(log->events, log->events + n, (log->n - n) * sizeof(*log->events));
    log->n -= n;
    log->arbitrary += (uint32_t)n;
}

/* A long history loses its oldest quarter until it fits into a body. */
static idv_rc write_log(struct idv_audit_log *log, struct idv_buf *out)
{
    idv_rc rc;
    while ((rc = idv_audit_log_to_json(log, out)) == IDV_E_LIMIT &&
           log->n > 1) {
        idv_note_clear();
        idv_buf_clear(out);
        drop_oldest(log, (log->n + 3) / 4);
    }
    return rc;
}

idv_rc idvi_masa_answer_log(struct idvi_masa_call *c)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    IDV_AUTO(buf) json = {.max = IDV_MAX_BODY};
    struct idv_audit_log log = {.version = 1};
    idv_rc rc = store->log_read(store->self, c->device.id, &log);
    log.keyid_n = c->device.keyid_n;
    memcpy(log.keyid, c->device.keyid, c->device.keyid_n);
    if (rc == IDV_OK)
        rc = c->draft ? idvi_masa_put_draft_log(c, &log, &json)
                      : write_log(&log, &json);
    idv_audit_log_free(&log);
    IDV_TRY(rc);
    return idv_msg_reply(&c->call->reply, 200, "application/json",
                         idv_view(&json));
}

idv_rc idvi_masa_auditlog(struct idvi_masa_call *c)
{
    if (!idv_accepts(c->call->req.accept, "application/json"))
        return idvi_refuse(&c->no, 406, "accept", "not acceptable");
    IDV_TRY(idvi_masa_open(c));
    IDV_TRY(check_owner(c));
    return c->masa->conf.location && !c->draft ? idvi_masa_tell_location(c)
                                               : idvi_masa_answer_log(c);
}
