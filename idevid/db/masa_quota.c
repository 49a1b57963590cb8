/* SPDX-License-Identifier: Apache-2.0 */
/* How many vouchers a domain had in this hour, at all machines. */
#include "idevid/db/rows.h"

idv_rc idvi_quota_used(void *self, const struct idv_masa_quota *q, int64_t *n)
{
    return idvi_number(self, n,
                       "SELECT vouchers FROM domain_hour WHERE key_sha256 = $1"
                       " AND hour >= $2",
                       "hi", q->key_sha256, q->hour);
}

/* A machine whose clock is behind counts into the hour of the others. */
idv_rc idvi_quota_take(struct idv_db *db, const struct idv_masa_quota *q)
{
    unsigned changed = 0;
    if (!q->most)
        return IDV_OK;
    IDV_TRY(idvi_exec(
        db, &changed,
        "INSERT INTO domain_hour (key_sha256, hour, vouchers)"
        " VALUES ($1, $2, 1) ON CONFLICT (key_sha256) DO UPDATE SET"
        " vouchers = CASE WHEN domain_hour.hour < excluded.hour THEN 1"
        " ELSE domain_hour.vouchers + 1 END,"
        " hour = CASE WHEN domain_hour.hour < excluded.hour"
        " THEN excluded.hour ELSE domain_hour.hour END"
        " WHERE domain_hour.hour < excluded.hour"
        " OR domain_hour.vouchers < $3",
        "hii", q->key_sha256, q->hour, q->most));
    return changed ? IDV_OK
                   : idv_fail(IDV_E_LIMIT, "store: no more vouchers for this "
                                           "domain in this hour");
}
