/* SPDX-License-Identifier: Apache-2.0 */
/* The store table of CRLs: the last one of each CA, and who makes the next. */
#include "idevid/db/rows.h"

static idv_rc get(void *self, const uint8_t ca_sha256[32], bool *found,
                  struct idv_crl *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT number, made, next_update, revocations, crl"
                       " FROM crl WHERE ca_sha256 = $1 AND number > 0",
                       "h", ca_sha256));
    IDV_TRY(idvi_query_next(&q, found));
    return *found
               ? idvi_query_get(&q, "iiiib", &out->number, &out->made,
                                &out->next_update, &out->revocations, &out->der)
               : IDV_OK;
}

static idv_rc revocations(void *self, int64_t *n)
{
    return idvi_number(self, n, "SELECT count(*) FROM issued WHERE revoked > 0",
                       "");
}

static idv_rc revoked(void *self, int64_t end,
                      bool (*each)(void *arg, const struct idv_issued *i),
                      void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_stream(
        self, &q,
        IDVI_ISSUED_SELECT
        " WHERE revoked > 0 AND not_after > $1 ORDER BY revoked, id",
        "i", end));
    return idvi_issued_rows(&q, each, arg);
}

/* a row without a list, or the one there is, becomes the caller's */
static idv_rc claim(void *self, const uint8_t ca_sha256[32], int64_t now,
                    int64_t stale, bool *claimed)
{
    unsigned n = 0;
    IDV_TRY(idvi_exec(self, &n,
                      "INSERT INTO crl (ca_sha256, number, made, next_update,"
                      " revocations, claimed, crl)"
                      " VALUES ($1, 0, 0, 0, 0, $2, $3)"
                      " ON CONFLICT (ca_sha256) DO UPDATE"
                      " SET claimed = excluded.claimed WHERE crl.claimed < $4",
                      "hibi", ca_sha256, now, idv_str(""), stale));
    *claimed = n > 0;
    return IDV_OK;
}

static idv_rc put(void *self, const uint8_t ca_sha256[32],
                  const struct idv_crl *crl)
{
    return idvi_exec(self, NULL,
                     "UPDATE crl SET number = $1, made = $2, next_update = $3,"
                     " revocations = $4, claimed = 0, crl = $5"
                     " WHERE ca_sha256 = $6 AND number < $1",
                     "iiiibh", crl->number, crl->made, crl->next_update,
                     crl->revocations, idv_view(&crl->der), ca_sha256);
}

struct idv_crl_store idv_db_crl_store(struct idv_db *db)
{
    return (struct idv_crl_store){
        .self = db,
        .get = get,
        .revocations = revocations,
        .revoked = revoked,
        .claim = claim,
        .put = put,
    };
}
