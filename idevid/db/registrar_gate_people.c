/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's gate as people use it: rules made, findings looked at. */
#include "idevid/db/rows.h"

/* --- rules ---------------------------------------------------------------- */

struct adding {
    const struct idv_rule *rule;
    int64_t id;
};

static idv_rc add(struct idv_db *db, void *arg)
{
    struct adding *a = arg;
    const struct idv_rule *r = a->rule;
    int64_t position = r->position;
    if (!position)
        IDV_TRY(idvi_number(db, &position,
                            "SELECT coalesce(max(position), 0) + 10 FROM rule",
                            ""));
    IDV_TRY(idvi_exec(
        db, NULL,
        "INSERT INTO rule (position, action, maker, model, serial_number,"
        " not_before, not_after, comment, who, date)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        "iitttiitti", position, (int64_t)r->action, r->maker, r->model,
        r->serial_number, r->not_before, r->not_after, r->comment, r->who,
        r->date));
    return idvi_number(db, &a->id, "SELECT max(id) FROM rule", "");
}

static idv_rc rule_add(void *self, const struct idv_rule *r, int64_t *id)
{
    struct adding a = {.rule = r};
    IDV_TRY(idvi_within(self, add, &a));
    *id = a.id;
    return IDV_OK;
}

static idv_rc rule_remove(void *self, int64_t id, bool *found)
{
    unsigned n = 0;
    IDV_TRY(idvi_exec(self, &n, "DELETE FROM rule WHERE id = $1", "i", id));
    *found = n > 0;
    return IDV_OK;
}

/* --- findings ------------------------------------------------------------- */

#define FINDING                                                                \
    "SELECT id, maker, serial_number, kind, detail, first_seen, last_seen,"    \
    " times FROM finding WHERE id < $1"
#define NEWEST INT64_MAX

static idv_rc
findings(void *self, const char *serial, int64_t before, unsigned limit,
         bool (*each)(void *arg, int64_t number, const struct idv_finding *f),
         void *arg)
{
    IDVI_QUERY(q);
    if (!before)
        before = NEWEST;
    if (serial)
        IDV_TRY(idvi_query(self, &q,
                           FINDING
                           " AND serial_number = $2 ORDER BY id DESC LIMIT $3",
                           "iti", before, serial, (int64_t)limit));
    else
        IDV_TRY(idvi_query(self, &q, FINDING " ORDER BY id DESC LIMIT $2", "ii",
                           before, (int64_t)limit));
    for (bool row = false;;) {
        struct idv_finding f = {0};
        int64_t id = 0;
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(&q, "ittttiii", &id, f.maker, sizeof(f.maker),
                               f.serial_number, sizeof(f.serial_number), f.kind,
                               sizeof(f.kind), f.detail, sizeof(f.detail),
                               &f.first, &f.last, &f.times));
        if (!each(arg, id, &f))
            return IDV_OK;
    }
}

/* --- vouchers had ahead --------------------------------------------------- */

static idv_rc stored_add(void *self, const struct idv_stored_voucher *v)
{
    return idvi_exec(self, NULL,
                     "INSERT INTO stored_voucher (maker, serial_number, media,"
                     " fetched, expires_on, rvr, voucher)"
                     " VALUES ($1, $2, $3, $4, $5, $6, $7)",
                     "tttiibb", v->maker, v->serial_number, v->media,
                     v->fetched, v->expires_on, idv_view(&v->rvr),
                     idv_view(&v->voucher));
}

#define STORED IDVI_STORED_SELECT " FROM stored_voucher WHERE id < $1"

static idv_rc
stored(void *self, const char *serial, int64_t before, unsigned limit,
       bool (*each)(void *arg, const struct idv_stored_voucher *v), void *arg)
{
    IDVI_QUERY(q);
    if (!before)
        before = NEWEST;
    if (*serial)
        IDV_TRY(idvi_query(self, &q,
                           STORED
                           " AND serial_number = $2 ORDER BY id DESC LIMIT $3",
                           "iti", before, serial, (int64_t)limit));
    else
        IDV_TRY(idvi_query(self, &q, STORED " ORDER BY id DESC LIMIT $2", "ii",
                           before, (int64_t)limit));
    for (bool row = false;;) {
        struct idv_stored_voucher v = {0};
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(&q, "itttii", &v.id, v.maker, sizeof(v.maker),
                               v.serial_number, sizeof(v.serial_number),
                               v.media, sizeof(v.media), &v.fetched,
                               &v.expires_on));
        if (!each(arg, &v))
            return IDV_OK;
    }
}

/* --- an imprint made elsewhere; evidence ---------------------------------- */

static idv_rc imprint(void *self, const char *maker, const char *serial,
                      bool allowed, const char *who, int64_t now)
{
    if (!allowed)
        return idvi_exec(self, NULL,
                         "DELETE FROM imprinted WHERE maker = $1"
                         " AND serial_number = $2",
                         "tt", maker, serial);
    return idvi_exec(self, NULL,
                     "INSERT INTO imprinted (maker, serial_number, who, date)"
                     " VALUES ($1, $2, $3, $4)"
                     " ON CONFLICT (maker, serial_number) DO UPDATE SET"
                     " who = excluded.who, date = excluded.date",
                     "ttti", maker, serial, who, now);
}

static idv_rc evidence(void *self, const uint8_t pvr_sha256[32], bool *found,
                       struct idv_kept_evidence *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT pvr_sha256, date, verdict, detail FROM evidence"
                       " WHERE pvr_sha256 = $1",
                       "h", pvr_sha256));
    IDV_TRY(idvi_query_next(&q, found));
    if (!*found)
        return IDV_OK;
    return idvi_query_get(&q, "hitt", out->pvr_sha256, &out->date, out->verdict,
                          sizeof(out->verdict), out->detail,
                          sizeof(out->detail));
}

void idvi_gate_people(struct idv_registrar_people *p)
{
    p->rule_add = rule_add;
    p->rule_remove = rule_remove;
    p->rules = idvi_rules_each;
    p->findings = findings;
    p->stored_add = stored_add;
    p->stored = stored;
    p->imprint = imprint;
    p->evidence = evidence;
}
