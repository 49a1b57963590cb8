/* SPDX-License-Identifier: Apache-2.0 */
/* The store table of a cloud registrar: whose a device is. */
#include "idevid/db/rows.h"

#define SELECT                                                                 \
    "SELECT maker, serial_number, kind, destination, more, pin, changed"       \
    " FROM owner"

static idv_rc row_of(struct idvi_query *q, struct idv_owner *o)
{
    return idvi_query_get(q, "ttnttbi", o->maker, sizeof(o->maker),
                          o->serial_number, sizeof(o->serial_number), &o->kind,
                          o->to, sizeof(o->to), o->more, sizeof(o->more),
                          &o->pin, &o->changed);
}

static idv_rc get(void *self, const char *maker, const char *serial,
                  bool *found, struct idv_owner *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       SELECT " WHERE maker = $1 AND serial_number = $2", "tt",
                       maker, serial));
    IDV_TRY(idvi_query_next(&q, found));
    return *found ? row_of(&q, out) : IDV_OK;
}

static idv_rc set(void *self, const struct idv_owner *o)
{
    return idvi_exec(self, NULL,
                     "INSERT INTO owner (maker, serial_number, kind,"
                     " destination, more, pin, changed)"
                     " VALUES ($1, $2, $3, $4, $5, $6, $7)"
                     " ON CONFLICT (maker, serial_number) DO UPDATE SET"
                     " kind = excluded.kind,"
                     " destination = excluded.destination,"
                     " more = excluded.more, pin = excluded.pin,"
                     " changed = excluded.changed",
                     "ttittbi", o->maker, o->serial_number, (int64_t)o->kind,
                     o->to, o->more, idv_view(&o->pin), o->changed);
}

static idv_rc forget(void *self, const char *maker, const char *serial,
                     bool *found)
{
    unsigned n = 0;
    IDV_TRY(idvi_exec(self, &n,
                      "DELETE FROM owner WHERE maker = $1"
                      " AND serial_number = $2",
                      "tt", maker, serial));
    *found = n > 0;
    return IDV_OK;
}

static idv_rc list(void *self, const char *maker, const char *serial,
                   unsigned limit,
                   bool (*each)(void *arg, const struct idv_owner *o),
                   void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       SELECT " WHERE maker > $1 OR (maker = $1 AND"
                              " serial_number > $2)"
                              " ORDER BY maker, serial_number LIMIT $3",
                       "tti", maker, serial, (int64_t)limit));
    for (bool row = false, more = true; more;) {
        struct idv_owner o = {.kind = IDV_OWNER_NOBODY};
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        idv_rc rc = row_of(&q, &o);
        if (rc == IDV_OK)
            more = each(arg, &o);
        idv_owner_free(&o);
        IDV_TRY(rc);
    }
    return IDV_OK;
}

struct idv_owner_store idv_db_owner_store(struct idv_db *db)
{
    return (struct idv_owner_store){
        .self = db, .get = get, .set = set, .remove = forget, .list = list};
}
