/* SPDX-License-Identifier: Apache-2.0 */
/* The networks from which domains had vouchers. */
#include <string.h>

#include "idevid/db/rows.h"

static idv_rc origin_rows(struct idvi_query *q,
                          bool (*each)(void *arg, int64_t first_seen,
                                       const char *network),
                          void *arg)
{
    for (bool row = false;;) {
        char network[IDV_MAX_NETWORK];
        int64_t first = 0;
        IDV_TRY(idvi_query_next(q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(q, "ti", network, sizeof(network), &first));
        if (!each(arg, first, network))
            return IDV_OK;
    }
}

idv_rc idvi_origins(void *self, const uint8_t key_sha256[32],
                    bool (*each)(void *arg, int64_t first_seen,
                                 const char *network),
                    void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT network, first_seen FROM domain_origin"
                       " WHERE key_sha256 = $1 ORDER BY network",
                       "h", key_sha256));
    return origin_rows(&q, each, arg);
}

idv_rc idvi_origin_put(struct idv_db *db, const struct idv_masa_issue *i)
{
    if (!i->network[0])
        return IDV_OK;
    return idvi_exec(db, NULL,
                     "INSERT INTO domain_origin (key_sha256, network,"
                     " first_seen) VALUES ($1, $2, $3)"
                     " ON CONFLICT (key_sha256, network) DO NOTHING",
                     "hti", i->domain_key, i->network, i->date);
}

idv_rc idvi_origins_forget(void *self, const uint8_t key_sha256[32])
{
    return idvi_exec(self, NULL,
                     "DELETE FROM domain_origin WHERE key_sha256 = $1", "h",
                     key_sha256);
}
