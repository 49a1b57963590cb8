/* SPDX-License-Identifier: Apache-2.0 */
/* A file of any length into the store, some thousand lines at a time. */
#include "idevid/db/driver.h"
#include "idevid/db/import.h"

struct putting {
    const struct idvi_import *kind;
    const struct idv_db_import *from;
    const struct idvi_lines *lines;
    /* of a transaction: lines from, to, the one at work, and those that made a
     * difference */
    size_t first, end, at, fresh;
};

static idv_rc body(struct idv_db *db, void *arg)
{
    struct putting *p = arg;
    p->fresh = 0;
    for (p->at = p->first; p->at < p->end; p->at++) {
        bool fresh = false;
        IDV_TRY(p->kind->put(db, &p->lines->line[p->at], &p->from->by, &fresh));
        p->fresh += fresh;
    }
    return IDV_OK;
}

static idv_rc put_range(struct idv_db *db, struct putting *p, size_t first,
                        size_t end, struct idv_db_imported *out)
{
    p->first = first;
    p->end = end;
    IDV_TRY(idvi_within(db, body, p));
    out->fresh += p->fresh;
    out->known += end - first - p->fresh;
    if (end > first)
        out->lines = p->lines->number[end - 1];
    return IDV_OK;
}

/* Of a line that the store does not take, those before it are kept. */
static idv_rc put_before(struct idv_db *db, struct putting *p,
                         struct idv_db_imported *out)
{
    const size_t at = p->at;
    idv_note_clear();
    IDV_TRY(put_range(db, p, 0, at, out));
    idv_rc rc = put_range(db, p, at, at + 1, out);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "line %llu",
                               (unsigned long long)p->lines->number[at]);
    return put_range(db, p, at + 1, p->lines->n, out);
}

static idv_rc put(struct idv_db *db, struct putting *p,
                  struct idv_db_imported *out)
{
    idv_rc rc = put_range(db, p, 0, p->lines->n, out);
    if (rc == IDV_E_STATE || rc == IDV_E_FORMAT || rc == IDV_E_REJECT)
        rc = put_before(db, p, out);
    return rc;
}

static idv_rc put_all(struct idv_db *db, struct putting *p,
                      struct idvi_ahead *ahead, struct idv_db_imported *out)
{
    for (;;) {
        IDV_TRY(idvi_ahead_next(ahead, &p->lines));
        if (!p->lines->n)
            return IDV_OK;
        IDV_TRY(put(db, p, out));
        if (p->from->progress)
            p->from->progress(p->from->arg, out);
    }
}

static idv_rc import(struct idv_db *db, struct putting *p,
                     struct idv_db_imported *out)
{
    struct idvi_ahead *ahead = NULL;
    idv_rc rc = idvi_ahead_new(p->kind, p->from, &ahead);
    if (rc == IDV_OK)
        rc = put_all(db, p, ahead, out);
    idvi_ahead_free(ahead);
    return rc;
}

static const struct idvi_import *kind_of(enum idv_db_rows rows)
{
    return rows == IDV_DB_SALES ? &idvi_import_sales : &idvi_import_devices;
}

idv_rc idv_db_import(struct idv_db *db, const struct idv_db_import *from,
                     struct idv_db_imported *out)
{
    struct putting p = {.kind = kind_of(from->rows), .from = from};
    *out = (struct idv_db_imported){0};
    if (db->driver->bulk)
        IDV_TRY(db->driver->bulk(db, true));
    idv_rc rc = import(db, &p, out);
    if (db->driver->bulk && db->driver->bulk(db, false) != IDV_OK &&
        rc == IDV_OK)
        rc = IDV_E_IO;
    return rc;
}

/* --- one line alone ------------------------------------------------------- */

struct alone {
    const struct idvi_line *line;
    bool *fresh;
};

static idv_rc put_alone(struct idv_db *db, void *arg)
{
    const struct alone *a = arg;
    const struct idv_masa_by by = {"import", 0};
    return idvi_import_devices.put(db, a->line, &by, a->fresh);
}

idv_rc idv_db_device_import(struct idv_db *db, struct idv_bytes text,
                            bool *fresh)
{
    struct idvi_line line = {.word = IDVI_SILENT};
    struct alone a = {&line, fresh};
    idv_rc rc = idvi_import_devices.read(text, &line);
    if (rc == IDV_OK)
        rc = idvi_within(db, put_alone, &a);
    idv_masa_device_free(&line.device);
    return rc;
}
