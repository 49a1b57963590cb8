/* SPDX-License-Identifier: Apache-2.0 */
/* What issuers say of registrars' certificates: known, wanted, looked for. */
#include "idevid/db/rows.h"

#define WAITING 1000            /* that are due; no more are taken on */
#define KEPT_S (30 * 24 * 3600) /* after it was needed last */
#define LIVE_S (2 * 24 * 3600)  /* it is kept up to date so long */
#define LEASE_S 120             /* for one look */

idv_rc idvi_status_find(void *self, const uint8_t cert_sha256[32], bool *found,
                        struct idv_cert_status *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT wanted, asked, good_until, failed, revoked"
                       " FROM cert_status WHERE cert_sha256 = $1",
                       "h", cert_sha256));
    IDV_TRY(idvi_query_next(&q, found));
    if (!*found)
        return IDV_OK;
    return idvi_query_get(&q, "iiiif", &out->wanted, &out->asked,
                          &out->good_until, &out->failed, &out->revoked);
}

static idv_rc is_crowded(struct idv_db *db, int64_t now, bool *crowded)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q,
                       "SELECT 1 FROM cert_status WHERE due <= $1 ORDER BY due"
                       " LIMIT 1 OFFSET $2",
                       "ii", now, (int64_t)WAITING - 1));
    return idvi_query_next(&q, crowded);
}

/* wanted again; and asked again when what was known is over */
static idv_rc want_known(struct idv_db *db, const uint8_t hash[32], int64_t now,
                         unsigned *changed)
{
    return idvi_exec_lazy(
        db, changed,
        "UPDATE cert_status SET wanted = $1,"
        " due = CASE WHEN good_until <= $1 AND failed = 0 AND asked <="
        " good_until THEN $1 ELSE due END,"
        " asked = CASE WHEN good_until <= $1 AND failed = 0 AND asked <="
        " good_until THEN $1 ELSE asked END WHERE cert_sha256 = $2",
        "ih", now, hash);
}

static idv_rc want_new(struct idv_db *db, const uint8_t hash[32],
                       const X509 *cert, const X509 *issuer, int64_t now)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    IDV_AUTO(buf) by = {.max = IDV_MAX_CERT};
    IDV_TRY(idv_cert_to_der(cert, &der));
    IDV_TRY(idv_cert_to_der(issuer, &by));
    return idvi_exec_lazy(
        db, NULL,
        "INSERT INTO cert_status (cert_sha256, cert, issuer, wanted, asked,"
        " due, good_until, failed, revoked, detail)"
        " VALUES ($1, $2, $3, $4, $4, $4, 0, 0, 0, '')"
        " ON CONFLICT (cert_sha256) DO NOTHING",
        "hbbi", hash, idv_view(&der), idv_view(&by), now);
}

/* What may be lost: it is wanted again. A crowd of strangers does not keep
 * those waiting who are known. */
idv_rc idvi_status_want(void *self, const X509 *cert, const X509 *issuer,
                        int64_t now, bool *taken)
{
    uint8_t hash[32];
    unsigned changed = 0;
    bool crowded = false;
    *taken = true;
    IDV_TRY(idv_cert_sha256(cert, hash));
    IDV_TRY(want_known(self, hash, now, &changed));
    if (changed)
        return IDV_OK;
    IDV_TRY(is_crowded(self, now, &crowded));
    *taken = !crowded;
    return crowded ? IDV_OK : want_new(self, hash, cert, issuer, now);
}

/* --- for who looks -------------------------------------------------------- */

static idv_rc next_due(struct idv_db *db, int64_t now, bool *found,
                       struct idv_db_look *out, int64_t *due)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q,
                       "SELECT cert_sha256, cert, issuer, due FROM cert_status"
                       " WHERE due <= $1 AND wanted > $2 ORDER BY due LIMIT 1",
                       "ii", now, now - LIVE_S));
    IDV_TRY(idvi_query_next(&q, found));
    if (!*found)
        return IDV_OK;
    return idvi_query_get(&q, "hbbi", out->cert_sha256, &out->cert,
                          &out->issuer, due);
}

idv_rc idv_db_look_take(struct idv_db *db, int64_t now, bool *found,
                        struct idv_db_look *out)
{
    int64_t due = 0;
    unsigned mine = 0;
    IDV_TRY(next_due(db, now, found, out, &due));
    if (!*found)
        return IDV_OK;
    IDV_TRY(idvi_exec(db, &mine,
                      "UPDATE cert_status SET due = $1 WHERE cert_sha256 = $2"
                      " AND due = $3",
                      "ihi", now + LEASE_S, out->cert_sha256, due));
    *found = mine > 0; /* or else another's */
    return IDV_OK;
}

idv_rc idv_db_look_put(struct idv_db *db, const struct idv_db_look *look,
                       const struct idv_db_found *f)
{
    if (f->failed)
        return idvi_exec(db, NULL,
                         "UPDATE cert_status SET failed = $1, due = $2,"
                         " detail = $3 WHERE cert_sha256 = $4",
                         "iith", f->failed, f->due, f->detail,
                         look->cert_sha256);
    return idvi_exec(db, NULL,
                     "UPDATE cert_status SET failed = 0, due = $1,"
                     " good_until = $2, revoked = $3, detail = $4"
                     " WHERE cert_sha256 = $5",
                     "iiith", f->due, f->good_until, (int64_t)f->revoked,
                     f->detail, look->cert_sha256);
}

idv_rc idv_db_look_prune(struct idv_db *db, int64_t now)
{
    return idvi_exec_lazy(db, NULL, "DELETE FROM cert_status WHERE wanted < $1",
                          "i", now - KEPT_S);
}

void idv_db_look_free(struct idv_db_look *look)
{
    idv_buf_free(&look->cert);
    idv_buf_free(&look->issuer);
}
