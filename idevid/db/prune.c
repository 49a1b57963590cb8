/* SPDX-License-Identifier: Apache-2.0 */
/* What is too old goes, a little at a time, so that nobody waits for it. */
#include <stddef.h>

#include "idevid/db/rows.h"

#define SLICE "500" /* rows of a transaction */

static const struct {
    const char *sql;
    size_t before; /* which time of the retention */
} kinds[] = {
#define BEFORE(field) offsetof(struct idv_db_retention, field)
    {"DELETE FROM session WHERE id IN (SELECT id FROM session"
     " WHERE changed < $1 AND length(voucher) = 0 AND length(rvr) = 0"
     " ORDER BY changed, id LIMIT " SLICE ")",
     BEFORE(unfinished)},
    {"DELETE FROM issue WHERE rvr_sha256 IN (SELECT rvr_sha256 FROM issue"
     " WHERE repeat_until < $1 LIMIT " SLICE ")",
     BEFORE(unfinished)},
    {"DELETE FROM session WHERE id IN (SELECT id FROM session"
     " WHERE changed < $1 ORDER BY changed, id LIMIT " SLICE ")",
     BEFORE(finished)},
    {"DELETE FROM issued WHERE id IN (SELECT id FROM issued"
     " WHERE not_after < $1 ORDER BY not_after, id LIMIT " SLICE ")",
     BEFORE(finished)},
};

static int64_t time_of(const struct idv_db_retention *r, size_t at)
{
    return *(const int64_t *)(const void *)((const char *)r + at);
}

static idv_rc prune_kind(struct idv_db *db, const char *sql, int64_t before,
                         uint64_t most, uint64_t *n)
{
    for (unsigned gone = 1; gone && *n < most;) {
        IDV_TRY(idvi_exec(db, &gone, sql, "i", before));
        *n += gone;
    }
    return IDV_OK;
}

idv_rc idv_db_prune(struct idv_db *db, const struct idv_db_retention *r,
                    uint64_t most, uint64_t *n)
{
    *n = 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        int64_t before = time_of(r, kinds[i].before);
        if (before)
            IDV_TRY(prune_kind(db, kinds[i].sql, before, most, n));
    }
    return IDV_OK;
}
