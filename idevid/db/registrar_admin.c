/* SPDX-License-Identifier: Apache-2.0 */
/* What people do with the registrar's store: decide, look, revoke, prune. */
#include "idevid/db/rows.h"

idv_rc idvi_decision_row(struct idvi_query *q, struct idv_db_decision *out)
{
    return idvi_query_get(q, "ttnii", out->maker, sizeof(out->maker),
                          out->serial_number, sizeof(out->serial_number),
                          &out->decision, &out->asked, &out->decided);
}

idv_rc idvi_status_row(struct idvi_query *q, struct idvi_status *out)
{
    struct idv_status_event *e = &out->event;
    e->kind = out->kind;
    e->reason = out->reason;
    e->detail = out->detail;
    return idvi_query_get(q, "hitfftt", e->pvr_sha256, &e->date, out->kind,
                          sizeof(out->kind), &e->status, &e->cert_matches,
                          out->reason, sizeof(out->reason), out->detail,
                          sizeof(out->detail));
}

idv_rc idv_db_decide(struct idv_db *db, const char *maker, const char *serial,
                     enum idv_decision decision, int64_t now)
{
    if (decision == IDV_DECISION_NONE)
        return idvi_exec(db, NULL,
                         "DELETE FROM decision WHERE maker = $1"
                         " AND serial_number = $2",
                         "tt", maker, serial);
    return idvi_exec(db, NULL,
                     "INSERT INTO decision (maker, serial_number, decision,"
                     " asked, decided) VALUES ($1, $2, $3, 0, $4)"
                     " ON CONFLICT (maker, serial_number) DO UPDATE SET"
                     " decision = excluded.decision,"
                     " decided = excluded.decided",
                     "ttii", maker, serial, (int64_t)decision, now);
}

idv_rc idv_db_decision_each(struct idv_db *db, enum idv_decision only,
                            bool (*each)(void *arg,
                                         const struct idv_db_decision *d),
                            void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_stream(db, &q,
                        IDVI_DECISION_SELECT " WHERE $1 = 0 OR decision = $1"
                                             " ORDER BY maker, serial_number",
                        "i", (int64_t)only));
    for (bool row = false;;) {
        struct idv_db_decision d = {0};
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_decision_row(&q, &d));
        if (!each(arg, &d))
            return IDV_OK;
    }
}

idv_rc idv_db_session_each(struct idv_db *db, const char *serial,
                           bool (*each)(void *arg, const struct idv_session *s),
                           void *arg)
{
    IDVI_QUERY(q);
    if (serial)
        IDV_TRY(idvi_stream(db, &q,
                            IDVI_SESSION_SELECT
                            " WHERE serial_number = $1 ORDER BY id DESC",
                            "t", serial));
    else
        IDV_TRY(
            idvi_stream(db, &q, IDVI_SESSION_SELECT " ORDER BY id DESC", ""));
    for (bool row = false, more = true; more;) {
        struct idv_session s = {0};
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        idv_rc rc = idvi_session_row(&q, &s);
        if (rc == IDV_OK)
            more = each(arg, &s);
        idv_session_free(&s);
        IDV_TRY(rc);
    }
    return IDV_OK;
}

idv_rc idv_db_status_each(struct idv_db *db, const uint8_t pvr_sha256[32],
                          bool (*each)(void *arg,
                                       const struct idv_status_event *e),
                          void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q,
                       "SELECT pvr_sha256, date, kind, status, cert_matches,"
                       " reason, detail, report FROM status_event"
                       " WHERE pvr_sha256 = $1 ORDER BY id",
                       "h", pvr_sha256));
    for (bool row = false;;) {
        char kind[32], reason[IDV_MAX_REASON], detail[IDV_MAX_REASON];
        struct idv_status_event e = {
            .kind = kind, .reason = reason, .detail = detail};
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_AUTO(buf) report = {.max = IDV_MAX_REPORT};
        IDV_TRY(idvi_query_get(&q, "hitffttb", e.pvr_sha256, &e.date, kind,
                               sizeof(kind), &e.status, &e.cert_matches, reason,
                               sizeof(reason), detail, sizeof(detail),
                               &report));
        e.report = idv_view(&report);
        if (!each(arg, &e))
            return IDV_OK;
    }
}

idv_rc idv_db_issued_each(struct idv_db *db, const char *serial,
                          bool (*each)(void *arg, const struct idv_issued *i),
                          void *arg)
{
    IDVI_QUERY(q);
    if (serial)
        IDV_TRY(idvi_stream(
            db, &q, IDVI_ISSUED_SELECT " WHERE serial_number = $1 ORDER BY id",
            "t", serial));
    else
        IDV_TRY(idvi_stream(db, &q, IDVI_ISSUED_SELECT " ORDER BY id", ""));
    return idvi_issued_rows(&q, each, arg);
}
