/* SPDX-License-Identifier: Apache-2.0 */
/* The store table of EST: certificates issued. */
#include "idevid/db/rows.h"

idv_rc idvi_issued_row(struct idvi_query *q, struct idv_issued *out)
{
    return idvi_query_get(q, "hhhhtiininb", out->client_sha256, out->csr_sha256,
                          out->cert_sha256, out->subject_sha256,
                          out->serial_number, sizeof(out->serial_number),
                          &out->issued, &out->not_after, &out->state,
                          &out->revoked, &out->reason, &out->cert);
}

idv_rc idvi_issued_rows(struct idvi_query *q,
                        bool (*each)(void *arg, const struct idv_issued *i),
                        void *arg)
{
    for (bool row = false, more = true; more;) {
        struct idv_issued i = {0};
        IDV_TRY(idvi_query_next(q, &row));
        if (!row)
            return IDV_OK;
        idv_rc rc = idvi_issued_row(q, &i);
        if (rc == IDV_OK)
            more = each(arg, &i);
        idv_issued_free(&i);
        IDV_TRY(rc);
    }
    return IDV_OK;
}

static idv_rc first_row(struct idvi_query *q, bool *found,
                        struct idv_issued *out)
{
    IDV_TRY(idvi_query_next(q, found));
    if (!*found)
        return IDV_OK;
    idvi_rely(q->db);
    return idvi_issued_row(q, out);
}

static idv_rc find_csr(void *self, const uint8_t client_sha256[32],
                       const uint8_t csr_sha256[32], bool *found,
                       struct idv_issued *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       IDVI_ISSUED_SELECT
                       " WHERE client_sha256 = $1 AND csr_sha256 = $2"
                       " ORDER BY id DESC LIMIT 1",
                       "hh", client_sha256, csr_sha256));
    return first_row(&q, found, out);
}

static idv_rc find_cert(void *self, const uint8_t cert_sha256[32], bool *found,
                        struct idv_issued *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q, IDVI_ISSUED_SELECT " WHERE cert_sha256 = $1",
                       "h", cert_sha256));
    return first_row(&q, found, out);
}

static idv_rc find_subject(void *self, const uint8_t subject_sha256[32],
                           bool *found, struct idv_issued *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       IDVI_ISSUED_SELECT " WHERE subject_sha256 = $1"
                                          " ORDER BY id DESC LIMIT 1",
                       "h", subject_sha256));
    return first_row(&q, found, out);
}

static idv_rc find_client(void *self, const uint8_t client_sha256[32],
                          bool *found, struct idv_issued *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       IDVI_ISSUED_SELECT " WHERE client_sha256 = $1"
                                          " ORDER BY id DESC LIMIT 1",
                       "h", client_sha256));
    return first_row(&q, found, out);
}

static idv_rc revoke(void *self, const uint8_t cert_sha256[32], int reason,
                     int64_t now, bool *done)
{
    unsigned n = 0;
    IDV_TRY(idvi_exec(self, &n,
                      "UPDATE issued SET state = $1, revoked = $2, reason = $3"
                      " WHERE cert_sha256 = $4 AND state = $5",
                      "iiihi", (int64_t)IDV_ISSUED_REVOKED, now,
                      (int64_t)reason, cert_sha256, (int64_t)IDV_ISSUED_VALID));
    *done = n > 0;
    return IDV_OK;
}

static idv_rc add_row(struct idv_db *db, const struct idv_issued *i)
{
    return idvi_exec(db, NULL,
                     "INSERT INTO issued (client_sha256, csr_sha256,"
                     " cert_sha256, subject_sha256, serial_number, issued,"
                     " not_after, state, cert)"
                     " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                     "hhhhtiiib", i->client_sha256, i->csr_sha256,
                     i->cert_sha256, i->subject_sha256, i->serial_number,
                     i->issued, i->not_after, (int64_t)i->state,
                     idv_view(&i->cert));
}

struct adding {
    const struct idv_issued *issued;
    bool *fresh;
};

/* one in force for the same request stays the only one */
static idv_rc add_if_none(struct idv_db *db, void *arg)
{
    const struct adding *a = arg;
    const struct idv_issued *i = a->issued;
    struct idv_issued old = {0};
    bool found = false;
    idv_rc rc = find_csr(db, i->client_sha256, i->csr_sha256, &found, &old);
    *a->fresh =
        !found || old.state != IDV_ISSUED_VALID || old.not_after <= i->issued;
    idv_issued_free(&old);
    IDV_TRY(rc);
    return *a->fresh ? add_row(db, i) : IDV_OK;
}

static idv_rc add(void *self, const struct idv_issued *issued, bool *fresh)
{
    struct adding a = {issued, fresh};
    return idvi_within(self, add_if_none, &a);
}

static idv_rc order(void *self, const uint8_t client_sha256[32],
                    const uint8_t csr_sha256[32], int64_t now, int64_t stale,
                    bool *claimed)
{
    unsigned n = 0;
    IDV_TRY(idvi_exec(self, &n,
                      "INSERT INTO est_order (client_sha256, csr_sha256,"
                      " claimed) VALUES ($1, $2, $3)"
                      " ON CONFLICT (client_sha256, csr_sha256) DO UPDATE"
                      " SET claimed = excluded.claimed"
                      " WHERE est_order.claimed < $4",
                      "hhii", client_sha256, csr_sha256, now, stale));
    *claimed = n > 0;
    return IDV_OK;
}

static idv_rc order_end(void *self, const uint8_t client_sha256[32],
                        const uint8_t csr_sha256[32])
{
    return idvi_exec(self, NULL,
                     "DELETE FROM est_order WHERE client_sha256 = $1"
                     " AND csr_sha256 = $2",
                     "hh", client_sha256, csr_sha256);
}

static idv_rc find_number(struct idv_db *db, const char *client, bool *found,
                          int64_t *number)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q, "SELECT id FROM acp_node WHERE client = $1", "t",
                       client));
    IDV_TRY(idvi_query_next(&q, found));
    return *found ? idvi_query_get(&q, "i", number) : IDV_OK;
}

static idv_rc number(void *self, const char *client, int64_t *out)
{
    struct idv_db *db = self;
    bool found = false;
    IDV_TRY(find_number(db, client, &found, out));
    if (found)
        return IDV_OK;
    IDV_TRY(idvi_exec(db, NULL,
                      "INSERT INTO acp_node (client) VALUES ($1)"
                      " ON CONFLICT (client) DO NOTHING",
                      "t", client));
    IDV_TRY(find_number(db, client, &found, out));
    return found ? IDV_OK : idv_fail(IDV_E_STATE, "store: a number is lost");
}

struct idv_est_store idv_db_est_store(struct idv_db *db)
{
    return (struct idv_est_store){
        .self = db,
        .find_csr = find_csr,
        .find_cert = find_cert,
        .find_subject = find_subject,
        .find_client = find_client,
        .revoke = revoke,
        .order = order,
        .order_end = order_end,
        .number = number,
        .add = add,
    };
}
