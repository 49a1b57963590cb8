/* SPDX-License-Identifier: Apache-2.0 */
/* A file of any length into the store, some thousand lines at a time. */
#include <stdlib.h>

#include <idevid/text.h>

#include "idevid/db/driver.h"
#include "idevid/db/import.h"

#define LINES 2000 /* of a transaction */

struct batch {
    const struct idvi_import *kind;
    const struct idv_db_import *from;
    struct idvi_line *lines;
    uint64_t *numbers; /* of each, in the file */
    size_t n;
    uint64_t read; /* lines so far, blank ones too */
    /* A line that cannot be read: what was before it comes first. */
    struct idv_bytes bad;
    bool more, wrong;
    /* of a transaction: lines from, to, the one at work, and those that made a
     * difference */
    size_t first, end, at, fresh;
};

/* --- lines into the batch ------------------------------------------------- */

static void forget(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        idv_masa_device_free(&b->lines[i].device);
    b->n = 0;
}

static idv_rc take(struct batch *b, struct idv_bytes text)
{
    struct idvi_line *line = &b->lines[b->n];
    *line = (struct idvi_line){.word = IDVI_SILENT};
    idv_rc rc = b->kind->read(text, line);
    if (rc == IDV_OK)
        b->numbers[b->n++] = b->read;
    else
        idv_masa_device_free(&line->device);
    return rc;
}

static idv_rc gather(struct batch *b)
{
    while (b->n < LINES && !b->wrong) {
        struct idv_bytes text = {0};
        IDV_TRY(b->from->next(b->from->arg, &text, &b->more));
        if (!b->more)
            return IDV_OK;
        b->read++;
        text = idv_text_trim(text);
        if (!text.n || take(b, text) == IDV_OK)
            continue;
        b->wrong = true; /* why is asked again when its turn comes */
        b->bad = text;
        idv_note_clear();
    }
    return IDV_OK;
}

static idv_rc at_line(idv_rc rc, uint64_t number)
{
    return idv_fail_within(rc, "line %llu", (unsigned long long)number);
}

static idv_rc say_wrong(struct batch *b)
{
    struct idvi_line line = {.word = IDVI_SILENT};
    idv_rc rc = b->kind->read(b->bad, &line);
    idv_masa_device_free(&line.device);
    return at_line(rc, b->read);
}

/* --- the batch into the store --------------------------------------------- */

static idv_rc body(struct idv_db *db, void *arg)
{
    struct batch *b = arg;
    b->fresh = 0;
    for (b->at = b->first; b->at < b->end; b->at++) {
        bool fresh = false;
        IDV_TRY(b->kind->put(db, &b->lines[b->at], &b->from->by, &fresh));
        b->fresh += fresh;
    }
    return IDV_OK;
}

static idv_rc put_range(struct idv_db *db, struct batch *b, size_t first,
                        size_t end, struct idv_db_imported *out)
{
    b->first = first;
    b->end = end;
    IDV_TRY(idvi_within(db, body, b));
    out->fresh += b->fresh;
    out->known += end - first - b->fresh;
    if (end > first)
        out->lines = b->numbers[end - 1];
    return IDV_OK;
}

/* Of a line that the store does not take, those before it are kept. */
static idv_rc put_before(struct idv_db *db, struct batch *b,
                         struct idv_db_imported *out)
{
    const size_t at = b->at;
    idv_note_clear();
    IDV_TRY(put_range(db, b, 0, at, out));
    idv_rc rc = put_range(db, b, at, at + 1, out);
    if (rc != IDV_OK)
        return at_line(rc, b->numbers[at]);
    return put_range(db, b, at + 1, b->n, out);
}

static idv_rc put(struct idv_db *db, struct batch *b,
                  struct idv_db_imported *out)
{
    idv_rc rc = put_range(db, b, 0, b->n, out);
    if (rc == IDV_E_STATE || rc == IDV_E_FORMAT || rc == IDV_E_REJECT)
        rc = put_before(db, b, out);
    forget(b);
    return rc;
}

static idv_rc import(struct idv_db *db, struct batch *b,
                     struct idv_db_imported *out)
{
    for (b->more = true; b->more;) {
        IDV_TRY(gather(b));
        IDV_TRY(put(db, b, out));
        if (b->wrong)
            return say_wrong(b);
        if (b->from->progress)
            b->from->progress(b->from->arg, out);
    }
    return IDV_OK;
}

static const struct idvi_import *kind_of(enum idv_db_rows rows)
{
    return rows == IDV_DB_SALES ? &idvi_import_sales : &idvi_import_devices;
}

idv_rc idv_db_import(struct idv_db *db, const struct idv_db_import *from,
                     struct idv_db_imported *out)
{
    struct batch b = {.kind = kind_of(from->rows), .from = from};
    *out = (struct idv_db_imported){0};
    if (db->driver->bulk)
        IDV_TRY(db->driver->bulk(db, true));
    b.lines = calloc(LINES, sizeof(*b.lines));
    b.numbers = calloc(LINES, sizeof(*b.numbers));
    idv_rc rc = b.lines && b.numbers ? import(db, &b, out)
                                     : idv_fail(IDV_E_NOMEM, "out of memory");
    if (db->driver->bulk && db->driver->bulk(db, false) != IDV_OK &&
        rc == IDV_OK)
        rc = IDV_E_IO;
    if (b.lines)
        forget(&b);
    free(b.lines);
    free(b.numbers);
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
