/* SPDX-License-Identifier: Apache-2.0 */
/* The generations that devices prove to be at. */
#include "idevid/db/rows.h"

idv_rc idvi_imprint_put(struct idv_db *db, const struct idv_masa_issue *i)
{
    if (!i->generation)
        return IDV_OK;
    return idvi_exec(db, NULL,
                     "INSERT INTO imprint (device_id, date, generation,"
                     " domain_id) SELECT d.id, $1, $2, $3 FROM device d"
                     " WHERE d.id = $4 AND NOT EXISTS (SELECT 1 FROM imprint m"
                     " WHERE m.id = (SELECT max(n.id) FROM imprint n WHERE"
                     " n.device_id = $4) AND m.generation = $2"
                     " AND m.domain_id = $3)",
                     "iiti", i->date, (int64_t)i->generation, i->domain_id,
                     i->device_id);
}

idv_rc idvi_imprint_highest(void *self, int64_t device_id, uint64_t *generation)
{
    int64_t n = 0;
    IDV_TRY(idvi_number(self, &n,
                        "SELECT coalesce(max(generation), 0) FROM imprint"
                        " WHERE device_id = $1",
                        "i", device_id));
    *generation = (uint64_t)n;
    return IDV_OK;
}

static idv_rc imprint_row(struct idvi_query *q, struct idv_masa_imprint *out)
{
    int64_t generation = 0;
    IDV_TRY(idvi_query_get(q, "iitf", &out->date, &generation, out->domain_id,
                           sizeof(out->domain_id), &out->back));
    out->generation = (uint64_t)generation;
    return IDV_OK;
}

idv_rc idvi_imprints(void *self, int64_t device_id, unsigned limit,
                     bool (*each)(void *arg, const struct idv_masa_imprint *i),
                     void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT date, generation, domain_id, back FROM (SELECT"
                       " m.id, m.date, m.generation, m.domain_id, CASE WHEN"
                       " EXISTS (SELECT 1 FROM imprint b WHERE b.device_id ="
                       " m.device_id AND b.generation > m.generation"
                       " AND b.id < m.id) THEN 1 ELSE 0 END AS back"
                       " FROM imprint m WHERE m.device_id = $1"
                       " ORDER BY m.id DESC LIMIT $2) AS newest ORDER BY id",
                       "ii", device_id, (int64_t)limit));
    for (bool row = false;;) {
        struct idv_masa_imprint i;
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(imprint_row(&q, &i));
        if (!each(arg, &i))
            return IDV_OK;
    }
}
