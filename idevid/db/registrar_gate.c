/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's gate: rules, findings, stored vouchers, evidence. */
#include <idevid/text.h>

#include "idevid/db/forgotten.h"
#include "idevid/db/rows.h"

idv_rc idvi_rules_each(void *self,
                       bool (*each)(void *arg, const struct idv_rule *r),
                       void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT id, position, action, maker, model,"
                       " serial_number, not_before, not_after, comment, who,"
                       " date FROM rule ORDER BY position, id",
                       ""));
    for (bool row = false;;) {
        struct idv_rule r = {0};
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(
            &q, "iintttiitti", &r.id, &r.position, &r.action, r.maker,
            sizeof(r.maker), r.model, sizeof(r.model), r.serial_number,
            sizeof(r.serial_number), &r.not_before, &r.not_after, r.comment,
            sizeof(r.comment), r.who, sizeof(r.who), &r.date));
        if (!each(arg, &r))
            return IDV_OK;
    }
}

/* A device has a few findings; what goes on and on is not kept. */
#define FINDINGS_MAX "256"

static idv_rc finding_add(void *self, const struct idv_finding *f)
{
    unsigned known = 0;
    IDV_TRY(idvi_exec_lazy(
        self, &known,
        "UPDATE finding SET last_seen = $1, times = times + 1"
        " WHERE maker = $2 AND serial_number = $3 AND kind = $4"
        " AND detail = $5",
        "itttt", f->last, f->maker, f->serial_number, f->kind, f->detail));
    if (known)
        return IDV_OK;
    return idvi_exec_lazy(
        self, NULL,
        "INSERT INTO finding (last_seen, maker, serial_number, kind, detail,"
        " first_seen, times) SELECT $1, $2, $3, $4, $5, $1, 1 WHERE"
        " (SELECT count(*) FROM finding WHERE serial_number = $3"
        " AND maker = $2) < " FINDINGS_MAX
        " ON CONFLICT (maker, serial_number, kind, detail) DO NOTHING",
        "itttt", f->last, f->maker, f->serial_number, f->kind, f->detail);
}

static idv_rc count_stored(struct idv_db *db, const char *maker,
                           const char *serial, unsigned *n)
{
    int64_t count = 0;
    IDV_TRY(idvi_number(db, &count,
                        "SELECT count(*) FROM stored_voucher"
                        " WHERE serial_number = $1 AND maker = $2",
                        "tt", serial, maker));
    *n = (unsigned)count;
    return IDV_OK;
}

static idv_rc own_requests(void *self, const char *maker, const char *serial,
                           bool (*each)(void *arg, const char *nonce),
                           void *arg, unsigned *stored)
{
    IDVI_QUERY(q);
    IDV_TRY(count_stored(self, maker, serial, stored));
    IDV_TRY(idvi_query(self, &q,
                       "SELECT nonce FROM session WHERE serial_number = $1"
                       " AND maker = $2 ORDER BY id DESC",
                       "tt", serial, maker));
    for (bool row = false;;) {
        char nonce[IDV_MAX_NONCE_TEXT + 1];
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(&q, "t", nonce, sizeof(nonce)));
        if (!each(arg, nonce))
            return IDV_OK;
    }
}

static idv_rc stored_get(void *self, const char *maker, const char *serial,
                         const char *media, int64_t now, bool *found,
                         struct idv_stored_voucher *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       IDVI_STORED_SELECT
                       ", rvr, voucher FROM stored_voucher"
                       " WHERE serial_number = $1 AND maker = $2"
                       " AND ($3 = '' OR media = $3)"
                       " AND (expires_on = 0 OR expires_on > $4)"
                       " ORDER BY id DESC LIMIT 1",
                       "ttti", serial, maker, media, now));
    IDV_TRY(idvi_query_next(&q, found));
    if (!*found)
        return IDV_OK;
    return idvi_query_get(&q, "itttiibb", &out->id, out->maker,
                          sizeof(out->maker), out->serial_number,
                          sizeof(out->serial_number), out->media,
                          sizeof(out->media), &out->fetched, &out->expires_on,
                          &out->rvr, &out->voucher);
}

static idv_rc imprinted(void *self, const char *maker, const char *serial,
                        bool *allowed)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT date FROM imprinted WHERE maker = $1"
                       " AND serial_number = $2",
                       "tt", maker, serial));
    return idvi_query_next(&q, allowed);
}

static idv_rc evidence_put(void *self, const struct idv_kept_evidence *e)
{
    return idvi_exec_lazy(
        self, NULL,
        "INSERT INTO evidence (pvr_sha256, date, verdict, detail, evidence)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (pvr_sha256) DO UPDATE SET"
        " date = excluded.date, verdict = excluded.verdict,"
        " detail = excluded.detail, evidence = excluded.evidence",
        "hittb", e->pvr_sha256, e->date, e->verdict, e->detail,
        idv_view(&e->evidence));
}

static idv_rc log_head(void *self, const char *maker, bool *found,
                       struct idv_buf *item)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q, "SELECT head FROM maker_log WHERE maker = $1",
                       "t", maker));
    IDV_TRY(idvi_query_next(&q, found));
    return *found ? idvi_query_get(&q, "b", item) : IDV_OK;
}

static idv_rc log_head_keep(void *self, const char *maker, uint64_t size,
                            struct idv_bytes item)
{
    return idvi_exec(self, NULL,
                     "INSERT INTO maker_log (maker, size, head)"
                     " VALUES ($1, $2, $3) ON CONFLICT (maker) DO UPDATE SET"
                     " size = excluded.size, head = excluded.head"
                     " WHERE maker_log.size < excluded.size",
                     "tib", maker, (int64_t)size, item);
}

void idvi_gate_store(struct idv_registrar_store *s)
{
    s->rules = idvi_rules_each;
    s->finding_add = finding_add;
    s->own_requests = own_requests;
    s->own_forgotten = idvi_own_forgotten;
    s->stored_get = stored_get;
    s->imprinted = imprinted;
    s->evidence_put = evidence_put;
    s->log_head = log_head;
    s->log_head_keep = log_head_keep;
}
