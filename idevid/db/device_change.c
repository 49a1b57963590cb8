/* SPDX-License-Identifier: Apache-2.0 */
/* What people say of one device: whose it is, how it stands; and that they did.
 */
#include <string.h>

#include "idevid/db/import.h"
#include "idevid/db/rows.h"

idv_rc idvi_device_meant(struct idv_db *db, struct idv_bytes keyid,
                         const char *serial, struct idv_masa_device *out)
{
    bool found = false;
    IDV_TRY(idvi_device_find(db, keyid, serial, &found, out));
    if (!found)
        return idv_fail(IDV_E_STATE,
                        "device '%s': none, or several issuers have one",
                        serial);
    return IDV_OK;
}

idv_rc idvi_device_note(struct idv_db *db, int64_t id, const char *what,
                        const char *detail, const struct idv_masa_by *by)
{
    return idvi_exec(db, NULL,
                     "INSERT INTO device_change (device_id, date, who, what,"
                     " detail) VALUES ($1, $2, $3, $4, $5)",
                     "iittt", id, by->now, by->who, what, detail);
}

/* --- whose it is ---------------------------------------------------------- */

static idv_rc note_sold(struct idv_db *db, const struct idv_masa_device *d,
                        const char *owner, const char *customer,
                        const struct idv_masa_by *by)
{
    if (strcmp(owner, d->owner) != 0)
        IDV_TRY(idvi_device_note(db, d->id, "owner", owner, by));
    if (*customer && strcmp(customer, d->customer) != 0)
        IDV_TRY(idvi_device_note(db, d->id, "customer", customer, by));
    return IDV_OK;
}

idv_rc idvi_device_sold(struct idv_db *db, const struct idv_masa_device *d,
                        const char *owner, const char *customer,
                        const struct idv_masa_by *by)
{
    const bool again = d->standing == IDV_STANDING_TRANSFERRED && *owner;
    IDV_TRY(idvi_exec(db, NULL,
                      "UPDATE device SET owner = $1, customer ="
                      " CASE $2 WHEN '' THEN customer ELSE $2 END"
                      " WHERE id = $3",
                      "tti", owner, customer, d->id));
    if (again)
        IDV_TRY(idvi_exec(db, NULL,
                          "UPDATE device SET blocked = 0, state = 0,"
                          " reason = '' WHERE id = $1",
                          "i", d->id));
    return note_sold(db, d, owner, customer, by);
}

struct saying {
    struct idv_bytes keyid;
    const char *serial, *text;
    enum idv_standing standing;
    const struct idv_masa_by *by;
};

static idv_rc own(struct idv_db *db, void *arg)
{
    const struct saying *s = arg;
    struct idv_masa_device d = {0};
    IDV_TRY(idvi_device_meant(db, s->keyid, s->serial, &d));
    idv_rc rc = idvi_device_sold(db, &d, s->text, "", s->by);
    idv_masa_device_free(&d);
    return rc;
}

idv_rc idv_db_device_owner(struct idv_db *db, struct idv_bytes keyid,
                           const char *serial, const char *owner,
                           const struct idv_masa_by *by)
{
    struct saying s = {keyid, serial, owner, IDV_STANDING_NORMAL, by};
    return idvi_within(db, own, &s);
}

/* --- how it stands -------------------------------------------------------- */

/* Whose it was is remembered: a file of before does not make it theirs again
 * (sales.c). */
static idv_rc give_away(struct idv_db *db, const struct idv_masa_device *d,
                        const struct idv_masa_by *by)
{
    if (d->owner[0])
        IDV_TRY(idvi_device_note(db, d->id, "former", d->owner, by));
    if (d->customer[0])
        IDV_TRY(idvi_device_note(db, d->id, "former", d->customer, by));
    return idvi_exec(db, NULL,
                     "UPDATE device SET owner = '', customer = ''"
                     " WHERE id = $1",
                     "i", d->id);
}

/* Programs that know of no state see one that is blocked. */
static idv_rc put_standing(struct idv_db *db, const struct idv_masa_device *d,
                           const struct saying *s)
{
    const bool normal = s->standing == IDV_STANDING_NORMAL;
    const char *reason = normal ? "" : s->text;
    if (s->standing == d->standing && strcmp(reason, d->reason) == 0)
        return IDV_OK;
    IDV_TRY(idvi_exec(db, NULL,
                      "UPDATE device SET blocked = $1, state = $2, reason = $3"
                      " WHERE id = $4",
                      "iiti", (int64_t)!normal, (int64_t)s->standing, reason,
                      d->id));
    if (s->standing == IDV_STANDING_TRANSFERRED)
        IDV_TRY(give_away(db, d, s->by));
    return idvi_device_note(db, d->id, idv_standing_to_text(s->standing),
                            s->text, s->by);
}

static idv_rc stand(struct idv_db *db, void *arg)
{
    const struct saying *s = arg;
    struct idv_masa_device d = {0};
    IDV_TRY(idvi_device_meant(db, s->keyid, s->serial, &d));
    idv_rc rc = put_standing(db, &d, s);
    idv_masa_device_free(&d);
    return rc;
}

idv_rc idv_db_device_stand(struct idv_db *db, struct idv_bytes keyid,
                           const char *serial, enum idv_standing standing,
                           const char *reason, const struct idv_masa_by *by)
{
    struct saying s = {keyid, serial, reason, standing, by};
    return idvi_within(db, stand, &s);
}

idv_rc idvi_device_note_standing(struct idv_db *db,
                                 const struct idv_masa_device *d,
                                 const struct idv_masa_by *by)
{
    return idvi_exec(db, NULL,
                     "INSERT INTO device_change (device_id, date, who, what,"
                     " detail) SELECT id, $1, $2, $3, $4 FROM device"
                     " WHERE serial_number = $5 AND keyid = $6",
                     "ittttb", by->now, by->who,
                     idv_standing_to_text(d->standing), d->reason,
                     d->serial_number, idv_bytes(d->keyid, d->keyid_n));
}

#define RETIRED "retired by its factory"

idv_rc idvi_device_retire(struct idv_db *db, struct idv_bytes keyid,
                          const char *serial, bool retired,
                          const struct idv_masa_by *by)
{
    unsigned changed = 0;
    IDV_TRY(idvi_exec(
        db, &changed,
        retired ? "UPDATE device SET blocked = 1, state = $1,"
                  " reason = $2 WHERE serial_number = $3"
                  " AND keyid = $4 AND blocked = 0"
                : "UPDATE device SET blocked = 0, state = $1,"
                  " reason = '' WHERE reason = $2 AND"
                  " serial_number = $3 AND keyid = $4"
                  " AND blocked = 1",
        "ittb", (int64_t)(retired ? IDV_STANDING_RETIRED : IDV_STANDING_NORMAL),
        RETIRED, serial, keyid));
    if (!changed)
        return IDV_OK;
    return idvi_exec(db, NULL,
                     "INSERT INTO device_change (device_id, date, who, what,"
                     " detail) SELECT id, $1, $2, $3, $4 FROM device"
                     " WHERE serial_number = $5 AND keyid = $6",
                     "ittttb", by->now, by->who,
                     idv_standing_to_text(retired ? IDV_STANDING_RETIRED
                                                  : IDV_STANDING_NORMAL),
                     RETIRED, serial, keyid);
}

/* --- what was said -------------------------------------------------------- */

static idv_rc change_row(struct idvi_query *q, struct idv_masa_change *out)
{
    return idvi_query_get(q, "ittt", &out->date, out->who, sizeof(out->who),
                          out->what, sizeof(out->what), out->detail,
                          sizeof(out->detail));
}

idv_rc idvi_change_rows(struct idvi_query *q,
                        bool (*each)(void *arg,
                                     const struct idv_masa_change *c),
                        void *arg)
{
    for (bool row = false;;) {
        struct idv_masa_change c;
        IDV_TRY(idvi_query_next(q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(change_row(q, &c));
        if (!each(arg, &c))
            return IDV_OK;
    }
}

idv_rc idvi_device_changes(void *self, int64_t device_id, unsigned limit,
                           bool (*each)(void *arg,
                                        const struct idv_masa_change *c),
                           void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT date, who, what, detail FROM (SELECT id, date,"
                       " who, what, detail FROM device_change WHERE"
                       " device_id = $1 ORDER BY id DESC LIMIT $2) AS newest"
                       " ORDER BY id",
                       "ii", device_id, (int64_t)limit));
    return idvi_change_rows(&q, each, arg);
}
