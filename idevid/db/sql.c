/* SPDX-License-Identifier: Apache-2.0 */
/* Statements by type letters, transactions, and when what was done is safe. */
#include <stdarg.h>
#include <string.h>

#include "idevid/db/driver.h"

#define TRIES 12 /* of a transaction that meets others */

/* --- parameters ----------------------------------------------------------- */

static idv_rc collect_one(struct idvi_param *p, char type, va_list *ap)
{
    const char *t;
    p->type = type;
    switch (type) {
    case 'i':
        p->i = va_arg(*ap, int64_t);
        return IDV_OK;
    case 't':
        t = va_arg(*ap, const char *);
        p->b = idv_str(t ? t : "");
        return IDV_OK;
    case 'h':
        p->b = idv_bytes(va_arg(*ap, const uint8_t *), 32);
        return IDV_OK;
    case 'b':
    case 's':
        p->b = va_arg(*ap, struct idv_bytes);
        return IDV_OK;
    default:
        return idv_fail(IDV_E_ARG, "store: type '%c'", type);
    }
}

static idv_rc start(struct idv_db *db, struct idvi_query *q, const char *sql,
                    const char *types, va_list *ap)
{
    struct idvi_param p[IDVI_PARAMS] = {0};
    size_t n = strlen(types);
    if (n > IDVI_PARAMS)
        return idv_fail(IDV_E_ARG, "store: %zu parameters", n);
    for (size_t i = 0; i < n; i++)
        IDV_TRY(collect_one(&p[i], types[i], ap));
    q->db = db;
    return db->driver->start(q, sql, p, n);
}

idv_rc idvi_query(struct idv_db *db, struct idvi_query *q, const char *sql,
                  const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    idv_rc rc = start(db, q, sql, types, &ap);
    va_end(ap);
    return rc;
}

idv_rc idvi_stream(struct idv_db *db, struct idvi_query *q, const char *sql,
                   const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    q->stream = true;
    idv_rc rc = start(db, q, sql, types, &ap);
    va_end(ap);
    return rc;
}

idv_rc idvi_query_next(struct idvi_query *q, bool *row)
{
    return q->db->driver->next(q, row);
}

void idvi_query_end(struct idvi_query *q)
{
    if (q->native)
        q->db->driver->end(q);
    q->native = NULL;
}

/* --- columns -------------------------------------------------------------- */

static idv_rc get_text(struct idv_bytes v, char *out, size_t room)
{
    if (v.n >= room || (v.n && memchr(v.p, 0, v.n)))
        return idv_fail(IDV_E_FORMAT, "store: a text does not fit");
    if (v.n)
        memcpy(out, v.p, v.n);
    out[v.n] = 0;
    return IDV_OK;
}

static idv_rc get_hash(struct idv_bytes v, uint8_t *out)
{
    if (v.n != 32)
        return idv_fail(IDV_E_FORMAT, "store: a hash is not 32 bytes");
    memcpy(out, v.p, 32);
    return IDV_OK;
}

static idv_rc get_one(const struct idvi_value *v, char type, va_list *ap)
{
    struct idv_buf *b;
    char *text;
    if (strchr("inf", type) && !v->is_int)
        return idv_fail(IDV_E_FORMAT, "store: not a number");
    switch (type) {
    case 'i':
        *va_arg(*ap, int64_t *) = v->i;
        return IDV_OK;
    case 'n':
        *va_arg(*ap, int *) = (int)v->i;
        return IDV_OK;
    case 'f':
        *va_arg(*ap, bool *) = v->i != 0;
        return IDV_OK;
    case 'b':
        b = va_arg(*ap, struct idv_buf *);
        idv_buf_clear(b);
        return idv_buf_put(b, v->b);
    case 't':
        text = va_arg(*ap, char *);
        return get_text(v->b, text, va_arg(*ap, size_t));
    case 'h':
        return get_hash(v->b, va_arg(*ap, uint8_t *));
    default:
        return idv_fail(IDV_E_ARG, "store: type '%c'", type);
    }
}

idv_rc idvi_query_get(struct idvi_query *q, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    idv_rc rc = IDV_OK;
    for (int i = 0; types[i] && rc == IDV_OK; i++) {
        struct idvi_value v = {0};
        rc = q->db->driver->column(q, i, &v);
        if (rc == IDV_OK)
            rc = get_one(&v, types[i], &ap);
    }
    va_end(ap);
    return rc;
}

static idv_rc number(struct idvi_query *q, int64_t *n)
{
    bool row = false;
    *n = 0;
    IDV_TRY(idvi_query_next(q, &row));
    return row ? idvi_query_get(q, "i", n) : IDV_OK;
}

idv_rc idvi_number(struct idv_db *db, int64_t *n, const char *sql,
                   const char *types, ...)
{
    IDVI_QUERY(q);
    va_list ap;
    va_start(ap, types);
    idv_rc rc = start(db, &q, sql, types, &ap);
    va_end(ap);
    return rc == IDV_OK ? number(&q, n) : rc;
}

/* --- changes -------------------------------------------------------------- */

static idv_rc exec(struct idv_db *db, unsigned *changed, const char *sql,
                   const char *types, va_list *ap)
{
    IDVI_QUERY(q);
    bool row = false;
    IDV_TRY(start(db, &q, sql, types, ap));
    IDV_TRY(idvi_query_next(&q, &row));
    if (changed)
        *changed = db->driver->changed(&q);
    return IDV_OK;
}

idv_rc idvi_exec(struct idv_db *db, unsigned *changed, const char *sql,
                 const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    idv_rc rc = exec(db, changed, sql, types, &ap);
    va_end(ap);
    db->written = true;
    return rc;
}

idv_rc idvi_exec_lazy(struct idv_db *db, unsigned *changed, const char *sql,
                      const char *types, ...)
{
    va_list ap;
    bool waits = !db->batching && !db->within;
    if (waits)
        IDV_TRY(db->driver->wait(db, false));
    va_start(ap, types);
    idv_rc rc = exec(db, changed, sql, types, &ap);
    va_end(ap);
    idv_rc back = waits ? db->driver->wait(db, true) : IDV_OK;
    return rc != IDV_OK ? rc : back;
}

/* --- transactions --------------------------------------------------------- */

static idv_rc begin(struct idv_db *db, enum idvi_isolation how)
{
    if (db->part || (db->within && !db->gathered))
        return idv_fail(IDV_E_STATE, "store: a transaction within another");
    if (db->gathered) {
        IDV_TRY(db->driver->part(db));
        db->part = true;
        return IDV_OK;
    }
    IDV_TRY(db->driver->begin(db, how));
    db->within = true;
    return IDV_OK;
}

idv_rc idvi_begin(struct idv_db *db)
{
    return begin(db, IDVI_ALONE);
}

idv_rc idvi_view(struct idv_db *db)
{
    return begin(db, IDVI_READ);
}

idv_rc idvi_end(struct idv_db *db, idv_rc rc)
{
    if (db->part) {
        db->part = false;
        return db->driver->part_end(db, rc);
    }
    if (!db->within)
        return rc;
    db->within = false;
    if (rc == IDV_OK)
        return db->driver->commit(db);
    db->driver->rollback(db);
    return rc;
}

static idv_rc once(struct idv_db *db, idv_rc (*body)(struct idv_db *, void *),
                   void *arg)
{
    IDV_TRY(begin(db, IDVI_SERIALIZABLE));
    return idvi_end(db, body(db, arg));
}

idv_rc idvi_within(struct idv_db *db, idv_rc (*body)(struct idv_db *, void *),
                   void *arg)
{
    bool silent = !*idv_note();
    idv_rc rc = once(db, body, arg);
    for (int i = 1; i < TRIES && rc != IDV_OK && db->driver->conflict(db);
         i++) {
        if (silent)
            idv_note_clear();
        rc = once(db, body, arg);
    }
    return rc;
}

/* --- many calls, one wait for the disk ------------------------------------ */

idv_rc idv_db_batch(struct idv_db *db)
{
    IDV_TRY(db->driver->wait(db, false));
    db->batching = true;
    db->written = db->relied = false; /* up to here each waited for itself */
    return IDV_OK;
}

idv_rc idv_db_gather(struct idv_db *db)
{
    if (!db->driver->part)
        return IDV_OK;
    IDV_TRY(begin(db, IDVI_ALONE));
    db->gathered = true;
    return IDV_OK;
}

void idvi_rely(struct idv_db *db)
{
    db->relied = true;
}

idv_rc idv_db_commit(struct idv_db *db)
{
    bool written = db->written, relied = db->relied;
    bool gathered = db->gathered;
    db->written = db->relied = db->gathered = false;
    if (gathered)
        IDV_TRY(idvi_end(db, IDV_OK));
    if (!db->batching || (!written && !relied))
        return IDV_OK;
    return db->driver->sync(db, written);
}
