/* SPDX-License-Identifier: Apache-2.0 */
/* The store table of the registrar: its ledger. */
#include <string.h>

#include "idevid/db/life.h"
#include "idevid/db/rows.h"

idv_rc idvi_session_row(struct idvi_query *q, struct idv_session *out)
{
    return idvi_query_get(
        q, "hhttttnntiiitbbbb", out->pvr_sha256, out->idevid_sha256, out->maker,
        sizeof(out->maker), out->serial_number, sizeof(out->serial_number),
        out->nonce, sizeof(out->nonce), out->address, sizeof(out->address),
        &out->state, &out->status, out->reason, sizeof(out->reason),
        &out->created, &out->changed, &out->not_before, out->media,
        sizeof(out->media), &out->rvr, &out->voucher, &out->audit_log,
        &out->judged_on);
}

static idv_rc one_session(struct idv_db *db, const char *sql,
                          const uint8_t key[32], bool *found,
                          struct idv_session *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q, sql, "h", key));
    IDV_TRY(idvi_query_next(&q, found));
    if (!*found)
        return IDV_OK;
    IDV_TRY(idvi_session_row(&q, out));
    if (out->state >= IDV_SESSION_VOUCHER_SENT)
        idvi_rely(db);
    return IDV_OK;
}

static idv_rc session_get(void *self, const uint8_t pvr_sha256[32], bool *found,
                          struct idv_session *out)
{
    return one_session(self, IDVI_SESSION_SELECT " WHERE pvr_sha256 = $1",
                       pvr_sha256, found, out);
}

static idv_rc session_last(void *self, const uint8_t idevid_sha256[32],
                           bool *found, struct idv_session *out)
{
    return one_session(self,
                       IDVI_SESSION_SELECT
                       " WHERE idevid_sha256 = $1 ORDER BY id DESC LIMIT 1",
                       idevid_sha256, found, out);
}

static idv_rc session_state(void *self, const uint8_t idevid_sha256[32],
                            bool *found, enum idv_session_state *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT state FROM session WHERE idevid_sha256 = $1"
                       " ORDER BY id DESC LIMIT 1",
                       "h", idevid_sha256));
    IDV_TRY(idvi_query_next(&q, found));
    if (!*found)
        return IDV_OK;
    IDV_TRY(idvi_query_get(&q, "n", out));
    if (*out >= IDV_SESSION_VOUCHER_SENT)
        idvi_rely(self);
    return IDV_OK;
}

static idv_rc session_count(void *self, const uint8_t idevid_sha256[32],
                            int64_t since, unsigned *n)
{
    int64_t count = 0;
    IDV_TRY(idvi_number(self, &count,
                        "SELECT count(*) FROM session WHERE idevid_sha256 = $1"
                        " AND created >= $2",
                        "hi", idevid_sha256, since));
    *n = (unsigned)count;
    return IDV_OK;
}

static idv_rc session_add(void *self, const struct idv_session *s, bool *fresh)
{
    unsigned added = 0;
    IDV_TRY(idvi_exec_lazy(
        self, &added,
        "INSERT INTO session (pvr_sha256, idevid_sha256, maker, serial_number,"
        " nonce, address, state, status, reason, created, changed, not_before,"
        " media, rvr, voucher, audit_log, judged_on) VALUES ($1, $2, $3, $4, "
        "$5, $6, $7,"
        " $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
        " ON CONFLICT (pvr_sha256) DO NOTHING",
        "hhttttiitiiitbbbb", s->pvr_sha256, s->idevid_sha256, s->maker,
        s->serial_number, s->nonce, s->address, (int64_t)s->state,
        (int64_t)s->status, s->reason, s->created, s->changed, s->not_before,
        s->media, idv_view(&s->rvr), idv_view(&s->voucher),
        idv_view(&s->audit_log), idv_view(&s->judged_on)));
    *fresh = added > 0;
    return IDV_OK;
}

/* A voucher that was given, and what it leads to, must be known for good:
 * without it the pledge, which now belongs to us, would stand before a closed
 * door. So must a request that the MASA is about to get: another one in its
 * place would be answered by another voucher. Everything else can be done
 * again. */
static bool must_last(const struct idv_session *s)
{
    return s->state == IDV_SESSION_VOUCHER_SENT ||
           (s->state == IDV_SESSION_PVR_OK && s->rvr.n > 0);
}

#define UPDATE                                                                 \
    "UPDATE session SET idevid_sha256 = $1, maker = $2, serial_number = $3,"   \
    " nonce = $4, address = $5, state = $6, status = $7, reason = $8,"         \
    " created = $9, changed = $10, not_before = $11, media = $12, rvr = $13,"  \
    " voucher = $14, audit_log = $15, judged_on = $16 WHERE pvr_sha256 = $17"  \
    " AND state = $18"

static idv_rc session_update(void *self, const struct idv_session *s,
                             enum idv_session_state from, bool *done)
{
    unsigned changed = 0;
    IDV_TRY((must_last(s) ? idvi_exec : idvi_exec_lazy)(
        self, &changed, UPDATE, "httttiitiiitbbbbhi", s->idevid_sha256,
        s->maker, s->serial_number, s->nonce, s->address, (int64_t)s->state,
        (int64_t)s->status, s->reason, s->created, s->changed, s->not_before,
        s->media, idv_view(&s->rvr), idv_view(&s->voucher),
        idv_view(&s->audit_log), idv_view(&s->judged_on), s->pvr_sha256,
        (int64_t)from));
    *done = changed > 0;
    return IDV_OK;
}

/* Whose it is; *found false: nobody's who could be told to have ended. */
static idv_rc claimer_of(struct idv_db *db, const uint8_t pvr_sha256[32],
                         char out[static IDVI_LIFE_MAX], bool *found)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q,
                       "SELECT claimer FROM session WHERE pvr_sha256 = $1"
                       " AND state = $2 AND claimed = changed",
                       "hi", pvr_sha256, (int64_t)IDV_SESSION_MASA_WAIT));
    IDV_TRY(idvi_query_next(&q, found));
    return *found ? idvi_query_get(&q, "t", out, (size_t)IDVI_LIFE_MAX)
                  : IDV_OK;
}

static bool is_over(const char *claimer, const char *self, bool own)
{
    return (own && self[0] && strcmp(claimer, self) == 0) ||
           idvi_life_over(claimer);
}

/* from one who has ended, or oneself: at once, where that is sure */
static idv_rc inherit(struct idv_db *db, const uint8_t pvr_sha256[32],
                      int64_t now, const char *self, bool own,
                      unsigned *changed)
{
    char other[IDVI_LIFE_MAX];
    bool found = false;
    IDV_TRY(claimer_of(db, pvr_sha256, other, &found));
    if (!found || !is_over(other, self, own))
        return IDV_OK;
    return idvi_exec_lazy(db, changed,
                          "UPDATE session SET changed = $1, claimed = $1,"
                          " claimer = $2 WHERE pvr_sha256 = $3 AND state = $4"
                          " AND claimer = $5 AND claimed = changed",
                          "ithit", now, self, pvr_sha256,
                          (int64_t)IDV_SESSION_MASA_WAIT, other);
}

static idv_rc session_claim(void *self, const uint8_t pvr_sha256[32],
                            int64_t now, int64_t stale, bool own, bool *claimed)
{
    char life[IDVI_LIFE_MAX];
    unsigned changed = 0;
    idvi_life_self(life);
    IDV_TRY(idvi_exec_lazy(self, &changed,
                           "UPDATE session SET state = $1, changed = $2,"
                           " claimed = $2, claimer = $3"
                           " WHERE pvr_sha256 = $4 AND (state = $5"
                           " OR (state = $1 AND changed < $6))",
                           "iithii", (int64_t)IDV_SESSION_MASA_WAIT, now, life,
                           pvr_sha256, (int64_t)IDV_SESSION_PVR_OK, stale));
    if (changed == 0)
        IDV_TRY(inherit(self, pvr_sha256, now, life, own, &changed));
    *claimed = changed > 0;
    return IDV_OK;
}

static idv_rc ask(struct idv_db *db, const char *maker, const char *serial,
                  int64_t now)
{
    return idvi_exec_lazy(
        db, NULL,
        "INSERT INTO decision (maker, serial_number, decision,"
        " asked, decided) VALUES ($1, $2, $3, $4, 0)"
        " ON CONFLICT (maker, serial_number) DO NOTHING",
        "ttii", maker, serial, (int64_t)IDV_DECISION_PENDING, now);
}

static idv_rc look(struct idv_db *db, const char *maker, const char *serial,
                   enum idv_decision *out)
{
    IDVI_QUERY(q);
    bool row = false;
    *out = IDV_DECISION_NONE;
    IDV_TRY(idvi_query(db, &q,
                       "SELECT decision FROM decision WHERE maker = $1"
                       " AND serial_number = $2",
                       "tt", maker, serial));
    IDV_TRY(idvi_query_next(&q, &row));
    return row ? idvi_query_get(&q, "n", out) : IDV_OK;
}

static idv_rc decision(void *self, const char *maker, const char *serial,
                       bool asking, int64_t now, enum idv_decision *out)
{
    IDV_TRY(look(self, maker, serial, out));
    if (*out != IDV_DECISION_NONE || !asking)
        return IDV_OK;
    IDV_TRY(ask(self, maker, serial, now));
    return look(self, maker, serial, out);
}

/* A device reports a few times; what goes on and on is not kept. */
#define STATUS_MAX "256"

static idv_rc status_add(void *self, const struct idv_status_event *e)
{
    return idvi_exec_lazy(self, NULL,
                          "INSERT INTO status_event (pvr_sha256, date, kind,"
                          " status, cert_matches, reason, detail, report)"
                          " SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE"
                          " (SELECT count(*) FROM status_event"
                          " WHERE pvr_sha256 = $1) < " STATUS_MAX,
                          "hitiittb", e->pvr_sha256, e->date, e->kind,
                          (int64_t)e->status, (int64_t)e->cert_matches,
                          e->reason, e->detail, e->report);
}

struct idv_registrar_store idv_db_registrar_store(struct idv_db *db)
{
    struct idv_registrar_store s = (struct idv_registrar_store){
        .self = db,
        .session_get = session_get,
        .session_last = session_last,
        .session_state = session_state,
        .session_count = session_count,
        .session_add = session_add,
        .session_update = session_update,
        .session_claim = session_claim,
        .decision = decision,
        .status_add = status_add,
    };
    idvi_gate_store(&s);
    return s;
}
