/* SPDX-License-Identifier: Apache-2.0 */
/* Statements on SQLite: prepared once, bound and read by type letters. */
#include <stdarg.h>
#include <string.h>

#include "idevid/db/sqlite.h"

static struct idvi_cached *cached(struct idv_db *db, const char *sql)
{
    for (size_t i = 0; i < db->n_cached; i++) {
        if (strcmp(db->cache[i].sql, sql) == 0)
            return &db->cache[i];
    }
    return NULL;
}

static idv_rc prepare(struct idv_db *db, const char *sql, sqlite3_stmt **st)
{
    int code =
        sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, st, NULL);
    return code == SQLITE_OK ? IDV_OK : idvi_sqlite_fail(db, code);
}

/* A free statement for sql: the cached one unless it is running (a callback
 * may ask what its caller asks). */
static idv_rc take(struct idvi_query *q, const char *sql)
{
    struct idv_db *db = q->db;
    struct idvi_cached *c = cached(db, sql);
    sqlite3_stmt *st = NULL;
    if (c && !c->busy) {
        c->busy = q->cached = true;
        q->native = c->st;
        return IDV_OK;
    }
    IDV_TRY(prepare(db, sql, &st));
    q->native = st;
    if (!c && db->n_cached < IDVI_STATEMENTS) {
        db->cache[db->n_cached++] = (struct idvi_cached){sql, st, true};
        q->cached = true;
    }
    return IDV_OK;
}

static int bind_bytes(sqlite3_stmt *st, int i, struct idv_bytes b)
{
    if (b.n == 0)
        return sqlite3_bind_zeroblob(st, i, 0);
    return sqlite3_bind_blob64(st, i, b.p, b.n, SQLITE_TRANSIENT);
}

static int bind_one(sqlite3_stmt *st, int i, char type, va_list *ap)
{
    const char *t;
    switch (type) {
    case 'i':
        return sqlite3_bind_int64(st, i, va_arg(*ap, int64_t));
    case 't':
        t = va_arg(*ap, const char *);
        return sqlite3_bind_text(st, i, t ? t : "", -1, SQLITE_TRANSIENT);
    case 'h':
        return bind_bytes(st, i, idv_bytes(va_arg(*ap, const uint8_t *), 32));
    case 'b':
        return bind_bytes(st, i, va_arg(*ap, struct idv_bytes));
    default:
        return SQLITE_MISUSE;
    }
}

static idv_rc start(struct idv_db *db, struct idvi_query *q, const char *sql,
                    const char *types, va_list *ap)
{
    q->db = db;
    IDV_TRY(take(q, sql));
    for (int i = 0; types[i]; i++) {
        int code = bind_one(q->native, i + 1, types[i], ap);
        if (code != SQLITE_OK)
            return idvi_sqlite_fail(db, code);
    }
    return IDV_OK;
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

idv_rc idvi_query_next(struct idvi_query *q, bool *row)
{
    int code = sqlite3_step(q->native);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return idvi_sqlite_fail(q->db, code);
    *row = code == SQLITE_ROW;
    return IDV_OK;
}

static struct idv_bytes column(struct idvi_query *q, int i)
{
    const void *p = sqlite3_column_blob(q->native, i);
    return idv_bytes(p, (size_t)sqlite3_column_bytes(q->native, i));
}

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

static idv_rc get_one(struct idvi_query *q, int i, char type, va_list *ap)
{
    struct idv_buf *b;
    char *text;
    switch (type) {
    case 'i':
        *va_arg(*ap, int64_t *) = sqlite3_column_int64(q->native, i);
        return IDV_OK;
    case 'n':
        *va_arg(*ap, int *) = sqlite3_column_int(q->native, i);
        return IDV_OK;
    case 'f':
        *va_arg(*ap, bool *) = sqlite3_column_int(q->native, i) != 0;
        return IDV_OK;
    case 'b':
        b = va_arg(*ap, struct idv_buf *);
        idv_buf_clear(b);
        return idv_buf_put(b, column(q, i));
    case 't':
        text = va_arg(*ap, char *);
        return get_text(column(q, i), text, va_arg(*ap, size_t));
    case 'h':
        return get_hash(column(q, i), va_arg(*ap, uint8_t *));
    default:
        return idv_fail(IDV_E_ARG, "store: type '%c'", type);
    }
}

idv_rc idvi_query_get(struct idvi_query *q, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    idv_rc rc = IDV_OK;
    for (int i = 0; types[i] && rc == IDV_OK; i++)
        rc = get_one(q, i, types[i], &ap);
    va_end(ap);
    return rc;
}

void idvi_query_end(struct idvi_query *q)
{
    sqlite3_stmt *st = q->native;
    if (!st)
        return;
    q->native = NULL;
    if (!q->cached) {
        sqlite3_finalize(st);
        return;
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    for (size_t i = 0; i < q->db->n_cached; i++) {
        if (q->db->cache[i].st == st)
            q->db->cache[i].busy = false;
    }
}

static idv_rc exec(struct idv_db *db, unsigned *changed, const char *sql,
                   const char *types, va_list *ap)
{
    IDVI_QUERY(q);
    bool row = false;
    IDV_TRY(start(db, &q, sql, types, ap));
    IDV_TRY(idvi_query_next(&q, &row));
    if (changed)
        *changed = (unsigned)sqlite3_changes(db->h);
    return IDV_OK;
}

idv_rc idvi_exec(struct idv_db *db, unsigned *changed, const char *sql,
                 const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    idv_rc rc = exec(db, changed, sql, types, &ap);
    va_end(ap);
    return rc;
}

static idv_rc pragma(struct idv_db *db, const char *sql)
{
    int code = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? IDV_OK : idvi_sqlite_fail(db, code);
}

idv_rc idvi_exec_lazy(struct idv_db *db, unsigned *changed, const char *sql,
                      const char *types, ...)
{
    va_list ap;
    IDV_TRY(pragma(db, "PRAGMA synchronous = NORMAL"));
    va_start(ap, types);
    idv_rc rc = exec(db, changed, sql, types, &ap);
    va_end(ap);
    idv_rc back = pragma(db, "PRAGMA synchronous = FULL");
    return rc != IDV_OK ? rc : back;
}

idv_rc idvi_begin(struct idv_db *db)
{
    return idvi_exec(db, NULL, "BEGIN IMMEDIATE", "");
}

idv_rc idvi_end(struct idv_db *db, idv_rc rc)
{
    if (rc == IDV_OK)
        rc = idvi_exec(db, NULL, "COMMIT", "");
    if (rc != IDV_OK && !sqlite3_get_autocommit(db->h))
        (void)sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}
