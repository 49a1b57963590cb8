/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's store as people use it, in pages. */
#include "idevid/db/rows.h"

static idv_rc decide(void *self, const char *maker, const char *serial,
                     enum idv_decision decision, int64_t now)
{
    return idv_db_decide(self, maker, serial, decision, now);
}

static idv_rc each_decided(struct idvi_query *q,
                           bool (*each)(void *arg,
                                        const struct idv_registrar_decided *d),
                           void *arg)
{
    for (bool row = false;;) {
        struct idv_registrar_decided d = {0};
        IDV_TRY(idvi_query_next(q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(q, "ttnii", d.maker, sizeof(d.maker),
                               d.serial_number, sizeof(d.serial_number),
                               &d.decision, &d.asked, &d.decided));
        if (!each(arg, &d))
            return IDV_OK;
    }
}

static idv_rc decisions(void *self, enum idv_decision only, const char *maker,
                        const char *serial, unsigned limit,
                        bool (*each)(void *arg,
                                     const struct idv_registrar_decided *d),
                        void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT maker, serial_number, decision, asked, decided"
                       " FROM decision WHERE ($1 = 0 OR decision = $1)"
                       " AND (maker > $2 OR (maker = $2 AND"
                       " serial_number > $3))"
                       " ORDER BY maker, serial_number LIMIT $4",
                       "itti", (int64_t)only, maker, serial, (int64_t)limit));
    return each_decided(&q, each, arg);
}

static idv_rc
sessions(void *self, const char *serial, int64_t before, unsigned limit,
         bool (*each)(void *arg, int64_t number, const struct idv_session *s),
         void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT id, pvr_sha256, changed, serial_number, maker,"
                       " address, state, status, reason, created FROM session"
                       " WHERE ($1 = '' OR serial_number = $1)"
                       " AND ($2 = 0 OR id < $2) ORDER BY id DESC LIMIT $3",
                       "tii", serial, before, (int64_t)limit));
    for (bool row = false;;) {
        struct idv_session s = {0};
        int64_t number = 0;
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(
            &q, "ihitttnnti", &number, s.pvr_sha256, &s.changed,
            s.serial_number, sizeof(s.serial_number), s.maker, sizeof(s.maker),
            s.address, sizeof(s.address), &s.state, &s.status, s.reason,
            sizeof(s.reason), &s.created));
        if (!each(arg, number, &s))
            return IDV_OK;
    }
}

static idv_rc decided(void *self, const char *serial,
                      bool (*each)(void *arg,
                                   const struct idv_registrar_decided *d),
                      void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT maker, serial_number, decision, asked, decided"
                       " FROM decision WHERE serial_number = $1"
                       " ORDER BY maker",
                       "t", serial));
    return each_decided(&q, each, arg);
}

static idv_rc events(void *self, const uint8_t pvr_sha256[32],
                     bool (*each)(void *arg, const struct idv_status_event *e),
                     void *arg)
{
    return idv_db_status_each(self, pvr_sha256, each, arg);
}

static idv_rc issued(void *self, const char *serial,
                     bool (*each)(void *arg, const struct idv_issued *i),
                     void *arg)
{
    return idv_db_issued_each(self, serial, each, arg);
}

static idv_rc count_sessions(struct idv_db *db,
                             struct idv_registrar_counts *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(
        db, &q, "SELECT state, count(*) FROM session GROUP BY state", ""));
    for (bool row = false;;) {
        int state = 0;
        int64_t n = 0;
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(&q, "ni", &state, &n));
        if (state >= 0 && state < IDV_SESSION_STATES)
            out->sessions[state] = n;
    }
}

static idv_rc count_decisions(struct idv_db *db,
                              struct idv_registrar_counts *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(
        db, &q, "SELECT decision, count(*) FROM decision GROUP BY decision",
        ""));
    for (bool row = false;;) {
        int decision = 0;
        int64_t n = 0;
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(&q, "ni", &decision, &n));
        if (decision == IDV_DECISION_PENDING)
            out->pending = n;
        else if (decision == IDV_DECISION_APPROVED)
            out->approved = n;
        else if (decision == IDV_DECISION_REFUSED)
            out->refused = n;
    }
}

static idv_rc counts(void *self, struct idv_registrar_counts *out)
{
    IDV_TRY(count_sessions(self, out));
    return count_decisions(self, out);
}

idv_rc idv_db_ping(struct idv_db *db)
{
    IDVI_QUERY(q);
    bool row = false;
    IDV_TRY(idvi_query(db, &q, "SELECT version FROM schema_version", ""));
    return idvi_query_next(&q, &row);
}

struct idv_registrar_people idv_db_registrar_people(struct idv_db *db)
{
    struct idv_registrar_people p = (struct idv_registrar_people){
        .self = db,
        .decide = decide,
        .decisions = decisions,
        .sessions = sessions,
        .decided = decided,
        .events = events,
        .issued = issued,
        .counts = counts,
    };
    idvi_gate_people(&p);
    return p;
}
