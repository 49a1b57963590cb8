/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's ledger from one time to another, in one view of it. */
#include "idevid/db/rows.h"

static int64_t end_of(int64_t until)
{
    return until ? until : INT64_MAX;
}

static idv_rc sessions(struct idv_db *db, int64_t since, int64_t until,
                       const struct idv_db_ledger *to)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_stream(db, &q,
                        IDVI_SESSION_SELECT
                        " WHERE changed >= $1 AND changed < $2"
                        " ORDER BY changed, id",
                        "ii", since, end_of(until)));
    for (bool row = false;;) {
        struct idv_session s = {0};
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        idv_rc rc = idvi_session_row(&q, &s);
        if (rc == IDV_OK)
            rc = to->session(to->arg, &s);
        idv_session_free(&s);
        IDV_TRY(rc);
    }
}

static idv_rc statuses(struct idv_db *db, int64_t since, int64_t until,
                       const struct idv_db_ledger *to)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_stream(db, &q,
                        IDVI_STATUS_SELECT
                        " WHERE date >= $1 AND date < $2 ORDER BY date, id",
                        "ii", since, end_of(until)));
    for (bool row = false;;) {
        struct idvi_status s = {0};
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_status_row(&q, &s));
        IDV_TRY(to->status(to->arg, &s.event));
    }
}

/* (a time of 0 is never) */
static idv_rc decisions(struct idv_db *db, int64_t since, int64_t until,
                        const struct idv_db_ledger *to)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_stream(db, &q,
                        IDVI_DECISION_SELECT
                        " WHERE (decided >= $1 AND decided < $2)"
                        " OR (asked >= $1 AND asked < $2)"
                        " ORDER BY maker, serial_number",
                        "ii", since > 0 ? since : 1, end_of(until)));
    for (bool row = false;;) {
        struct idv_db_decision d = {0};
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_decision_row(&q, &d));
        IDV_TRY(to->decision(to->arg, &d));
    }
}

static idv_rc certificates(struct idv_db *db, int64_t since, int64_t until,
                           const struct idv_db_ledger *to)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_stream(db, &q,
                        IDVI_ISSUED_SELECT " WHERE issued >= $1 AND issued < $2"
                                           " ORDER BY issued, id",
                        "ii", since, end_of(until)));
    for (bool row = false;;) {
        struct idv_issued i = {0};
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        idv_rc rc = idvi_issued_row(&q, &i);
        if (rc == IDV_OK)
            rc = to->issued(to->arg, &i);
        idv_issued_free(&i);
        IDV_TRY(rc);
    }
}

static idv_rc all(struct idv_db *db, int64_t since, int64_t until,
                  const struct idv_db_ledger *to)
{
    IDV_TRY(decisions(db, since, until, to));
    IDV_TRY(sessions(db, since, until, to));
    IDV_TRY(statuses(db, since, until, to));
    return certificates(db, since, until, to);
}

idv_rc idv_db_ledger_each(struct idv_db *db, int64_t since, int64_t until,
                          const struct idv_db_ledger *to)
{
    IDV_TRY(idvi_view(db));
    return idvi_end(db, all(db, since, until, to));
}
