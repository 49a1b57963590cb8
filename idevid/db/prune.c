/* SPDX-License-Identifier: Apache-2.0 */
/* What is too old goes, a little at a time, so that nobody waits for it. */
#include "idevid/db/forgotten.h"
#include "idevid/db/rows.h"

#define SLICE "500" /* rows of a transaction */

static idv_rc slices(struct idv_db *db, const char *sql, int64_t before,
                     uint64_t most, uint64_t *n)
{
    for (unsigned gone = 1; gone && *n < most;) {
        IDV_TRY(idvi_exec(db, &gone, sql, "i", before));
        *n += gone;
    }
    return IDV_OK;
}

static idv_rc unfinished(struct idv_db *db, int64_t before, uint64_t most,
                         uint64_t *n)
{
    IDV_TRY(slices(db,
                   "DELETE FROM session WHERE id IN (SELECT id FROM session"
                   " WHERE changed < $1 AND length(voucher) = 0"
                   " AND length(rvr) = 0 ORDER BY changed, id LIMIT " SLICE ")",
                   before, most, n));
    return slices(db,
                  "DELETE FROM issue WHERE rvr_sha256 IN (SELECT rvr_sha256"
                  " FROM issue WHERE repeat_until < $1 LIMIT " SLICE ")",
                  before, most, n);
}

static idv_rc finished(struct idv_db *db, int64_t before, uint64_t most,
                       uint64_t *n)
{
    for (unsigned gone = 1; gone && *n < most;) {
        IDV_TRY(idvi_sessions_forget(db, before, &gone));
        *n += gone;
    }
    return slices(db,
                  "DELETE FROM issued WHERE id IN (SELECT id FROM issued"
                  " WHERE not_after < $1 ORDER BY not_after, id LIMIT " SLICE
                  ")",
                  before, most, n);
}

idv_rc idv_db_prune(struct idv_db *db, const struct idv_db_retention *r,
                    uint64_t most, uint64_t *n)
{
    *n = 0;
    if (r->unfinished)
        IDV_TRY(unfinished(db, r->unfinished, most, n));
    return r->finished ? finished(db, r->finished, most, n) : IDV_OK;
}
