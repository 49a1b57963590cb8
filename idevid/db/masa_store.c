/* SPDX-License-Identifier: Apache-2.0 */
/* The store table of the MASA. */
#include <string.h>

#include "idevid/db/db.h"
#include "idevid/db/masa_tree.h"
#include "idevid/db/rows.h"
#include "idevid/db/sql.h"

/* A program that knows no state may have blocked it, or lifted that. */
static enum idv_standing standing(bool blocked, int state)
{
    if (!blocked)
        return IDV_STANDING_NORMAL;
    return state > 0 ? (enum idv_standing)state : IDV_STANDING_BLOCKED;
}

idv_rc idvi_device_row(struct idvi_query *q, struct idv_masa_device *out)
{
    IDV_AUTO(buf) keyid = {.max = IDV_MAX_KEYID};
    bool blocked = false;
    int state = 0;
    IDV_TRY(idvi_query_get(
        q, "ibtttttfntfb", &out->id, &keyid, out->serial_number,
        sizeof(out->serial_number), out->maker, sizeof(out->maker), out->model,
        sizeof(out->model), out->customer, sizeof(out->customer), out->owner,
        sizeof(out->owner), &blocked, &state, out->reason, sizeof(out->reason),
        &out->serial_shared, &out->cert));
    if (keyid.n)
        memcpy(out->keyid, keyid.p, keyid.n);
    out->keyid_n = keyid.n;
    out->standing = standing(blocked, state);
    return IDV_OK;
}

/* Rows in *out, at most one kept; n tells how many there are (up to 2). */
static idv_rc find_rows(struct idv_db *db, struct idv_bytes keyid,
                        const char *serial, struct idv_masa_device *out,
                        unsigned *n)
{
    IDVI_QUERY(q);
    bool row = false;
    if (keyid.n)
        IDV_TRY(idvi_query(db, &q,
                           IDVI_DEVICE_SELECT
                           " WHERE d.serial_number = $1 AND d.keyid = $2",
                           "tb", serial, keyid));
    else
        IDV_TRY(idvi_query(
            db, &q, IDVI_DEVICE_SELECT " WHERE d.serial_number = $1 LIMIT 2",
            "t", serial));
    for (*n = 0;; ++*n) {
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_device_row(&q, out));
    }
}

idv_rc idvi_device_find(void *self, struct idv_bytes keyid, const char *serial,
                        bool *found, struct idv_masa_device *out)
{
    unsigned n = 0;
    *found = false;
    idv_rc rc = find_rows(self, keyid, serial, out, &n);
    if (rc == IDV_OK && n == 1)
        *found = true;
    else
        idv_masa_device_free(out);
    return rc;
}

static idv_rc registrar_find(void *self, const uint8_t cert_sha256[32],
                             bool *found, struct idv_masa_registrar *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT name, nonceless, blocked FROM known_registrar"
                       " WHERE cert_sha256 = $1",
                       "h", cert_sha256));
    IDV_TRY(idvi_query_next(&q, found));
    if (!*found)
        return IDV_OK;
    return idvi_query_get(&q, "tff", out->name, sizeof(out->name),
                          &out->nonceless, &out->blocked);
}

static idv_rc issue_row(struct idvi_query *q, struct idv_masa_issue *out)
{
    return idvi_query_get(q, "hiiittntb", out->rvr_sha256, &out->device_id,
                          &out->date, &out->repeat_until, out->domain_id,
                          sizeof(out->domain_id), out->nonce,
                          sizeof(out->nonce), &out->assertion, out->media,
                          sizeof(out->media), &out->voucher);
}

static idv_rc issue_find(void *self, const uint8_t rvr_sha256[32], int64_t now,
                         bool *found, struct idv_masa_issue *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT rvr_sha256, device_id, date, repeat_until,"
                       " domain_id, nonce, assertion, media, voucher"
                       " FROM issue WHERE rvr_sha256 = $1"
                       " AND repeat_until > $2",
                       "hi", rvr_sha256, now));
    IDV_TRY(idvi_query_next(&q, found));
    if (!*found)
        return IDV_OK;
    idvi_rely(self);
    return issue_row(&q, out);
}

/* the same bytes may be issued for again once their time is over */
static idv_rc put_issue(struct idv_db *db, const struct idv_masa_issue *i,
                        unsigned *added)
{
    return idvi_exec(
        db, added,
        "INSERT INTO issue (rvr_sha256, device_id, date, repeat_until,"
        " domain_id, nonce, assertion, media, voucher)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (rvr_sha256) DO UPDATE SET device_id ="
        " excluded.device_id, date = excluded.date, repeat_until ="
        " excluded.repeat_until, domain_id = excluded.domain_id, nonce ="
        " excluded.nonce, assertion = excluded.assertion, media ="
        " excluded.media, voucher = excluded.voucher"
        " WHERE issue.repeat_until <= excluded.date",
        "hiiittitb", i->rvr_sha256, i->device_id, i->date, i->repeat_until,
        i->domain_id, i->nonce, (int64_t)i->assertion, i->media,
        idv_view(&i->voucher));
}

static idv_rc put_event(struct idv_db *db, const struct idv_masa_issue *i)
{
    return idvi_exec(db, NULL,
                     "INSERT INTO audit_event (device_id, date, domain_id,"
                     " nonce, assertion) VALUES ($1, $2, $3, $4, $5)",
                     "iitti", i->device_id, i->date, i->domain_id, i->nonce,
                     (int64_t)i->assertion);
}

/* until its own is in it: others may have been left waiting before */
static idv_rc put_leaves(struct idv_db *db, const struct idv_masa_issue *i)
{
    size_t n = 0, all = 0;
    do {
        IDV_TRY(idvi_tree_grow(db, i->seed, &n));
        all += n;
    } while (n == IDVI_TREE_BATCH);
    return all ? IDV_OK
               : idv_fail(IDV_E_STATE, "store: the event is in no tree");
}

static idv_rc put_all(struct idv_db *db, const struct idv_masa_issue *i,
                      bool *fresh)
{
    unsigned added = 0;
    IDV_TRY(put_issue(db, i, &added));
    *fresh = added > 0;
    if (!*fresh)
        return IDV_OK;
    IDV_TRY(idvi_quota_take(db, &i->quota));
    IDV_TRY(idvi_origin_put(db, i));
    IDV_TRY(idvi_imprint_put(db, i));
    IDV_TRY(put_event(db, i));
    return put_leaves(db, i);
}

/* One writer at a time: the tree has one right edge. */
static idv_rc issue_add(void *self, const struct idv_masa_issue *issue,
                        bool *fresh)
{
    IDV_TRY(idvi_begin(self));
    return idvi_end(self, put_all(self, issue, fresh));
}

static idv_rc event_count(void *self, int64_t device_id,
                          enum idv_assertion assertion, int64_t since,
                          unsigned *n)
{
    int64_t count = 0;
    IDV_TRY(idvi_number(self, &count,
                        "SELECT count(*) FROM audit_event WHERE device_id = $1"
                        " AND date >= $2 AND assertion = $3",
                        "iii", device_id, since, (int64_t)assertion));
    *n = (unsigned)count;
    return IDV_OK;
}

static idv_rc owner_known(void *self, int64_t device_id, const char *domain_id,
                          bool *known)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT 1 FROM audit_event WHERE device_id = $1"
                       " AND domain_id = $2 LIMIT 1",
                       "it", device_id, domain_id));
    IDV_TRY(idvi_query_next(&q, known));
    idvi_rely(self);
    return IDV_OK;
}

static idv_rc nonceless_since(void *self, int64_t device_id,
                              const char *domain_id, int64_t *date)
{
    idvi_rely(self);
    return idvi_number(self, date,
                       "SELECT coalesce(min(date), 0) FROM audit_event"
                       " WHERE device_id = $1 AND domain_id = $2"
                       " AND nonce = '' AND id > (SELECT coalesce(max(id), 0)"
                       " FROM audit_event WHERE device_id = $1"
                       " AND domain_id <> $2)",
                       "it", device_id, domain_id);
}

static idv_rc log_latest(void *self, int64_t *date)
{
    idvi_rely(self);
    return idvi_number(self, date,
                       "SELECT date FROM audit_event ORDER BY id DESC LIMIT 1",
                       "");
}

static idv_rc count_events(struct idv_db *db, int64_t device_id, int64_t *n)
{
    return idvi_number(db, n,
                       "SELECT count(*) FROM audit_event WHERE device_id = $1",
                       "i", device_id);
}

static idv_rc event_row(struct idvi_query *q, struct idv_audit_event *out)
{
    IDV_AUTO(buf) salt = {.max = sizeof(out->salt)};
    IDV_TRY(idvi_query_get(q, "ittnb", &out->date, out->domain_id,
                           sizeof(out->domain_id), out->nonce,
                           sizeof(out->nonce), &out->assertion, &salt));
    out->salted = salt.n == sizeof(out->salt);
    if (out->salted)
        memcpy(out->salt, salt.p, salt.n);
    return IDV_OK;
}

static idv_rc read_events(struct idv_db *db, int64_t device_id,
                          struct idv_audit_log *out)
{
    IDVI_QUERY(q);
    bool row = false;
    IDV_TRY(idvi_query(db, &q,
                       "SELECT date, domain_id, nonce, assertion, salt FROM"
                       " (SELECT id, date, domain_id, nonce, assertion FROM"
                       " audit_event WHERE device_id = $1"
                       " ORDER BY id DESC LIMIT $2) AS newest"
                       " LEFT JOIN tree_leaf l ON l.event_id = newest.id"
                       " ORDER BY newest.id",
                       "ii", device_id, (int64_t)IDV_MAX_AUDIT_EVENTS));
    for (;;) {
        struct idv_audit_event e = {0};
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(event_row(&q, &e));
        IDV_TRY(idv_audit_log_add(out, &e));
    }
}

static idv_rc log_read(void *self, int64_t device_id, struct idv_audit_log *out)
{
    int64_t n = 0;
    out->version = 1;
    idvi_rely(self);
    IDV_TRY(count_events(self, device_id, &n));
    IDV_TRY(read_events(self, device_id, out));
    if (n > (int64_t)out->n)
        out->arbitrary = (uint32_t)(n - (int64_t)out->n);
    return IDV_OK;
}

struct idv_masa_store idv_db_masa_store(struct idv_db *db)
{
    struct idv_masa_store s = {
        .self = db,
        .device_find = idvi_device_find,
        .policy_each = idvi_policy_each,
        .registrar_find = registrar_find,
        .origins = idvi_origins,
        .status_find = idvi_status_find,
        .status_want = idvi_status_want,
        .issue_find = issue_find,
        .issue_add = issue_add,
        .quota_used = idvi_quota_used,
        .generation_highest = idvi_imprint_highest,
        .event_count = event_count,
        .owner_known = owner_known,
        .nonceless_since = nonceless_since,
        .log_latest = log_latest,
        .log_read = log_read,
    };
    idvi_tree_store(&s);
    return s;
}
