/* SPDX-License-Identifier: Apache-2.0 */
/* Statements on SQLite, prepared once. */
#include <string.h>

#include "idevid/db/sqlite.h"

static struct idvi_cached *cached(struct idvi_sqlite *s, const char *sql)
{
    for (size_t i = 0; i < s->n_cached; i++) {
        if (strcmp(s->cache[i].sql, sql) == 0)
            return &s->cache[i];
    }
    return NULL;
}

static idv_rc prepare(struct idv_db *db, const char *sql, sqlite3_stmt **st)
{
    int code = sqlite3_prepare_v3(idvi_sqlite_of(db)->h, sql, -1,
                                  SQLITE_PREPARE_PERSISTENT, st, NULL);
    return code == SQLITE_OK ? IDV_OK : idvi_sqlite_fail(db, code);
}

/* A free statement for sql: the cached one unless it is running (a callback
 * may ask what its caller asks). */
static idv_rc take(struct idvi_query *q, const char *sql)
{
    struct idvi_sqlite *s = idvi_sqlite_of(q->db);
    struct idvi_cached *c = cached(s, sql);
    sqlite3_stmt *st = NULL;
    if (c && !c->busy) {
        c->busy = q->cached = true;
        q->native = c->st;
        return IDV_OK;
    }
    IDV_TRY(prepare(q->db, sql, &st));
    q->native = st;
    if (!c && s->n_cached < IDVI_STATEMENTS) {
        s->cache[s->n_cached++] = (struct idvi_cached){sql, st, true};
        q->cached = true;
    }
    return IDV_OK;
}

static const char *text_of(struct idv_bytes b)
{
    return b.n ? (const char *)b.p : "";
}

static int bind_one(sqlite3_stmt *st, int i, const struct idvi_param *p)
{
    if (p->type == 'i')
        return sqlite3_bind_int64(st, i, p->i);
    if (p->type == 't' || p->type == 's')
        return sqlite3_bind_text64(st, i, text_of(p->b), p->b.n,
                                   SQLITE_TRANSIENT, SQLITE_UTF8);
    if (p->b.n == 0)
        return sqlite3_bind_zeroblob(st, i, 0);
    return sqlite3_bind_blob64(st, i, p->b.p, p->b.n, SQLITE_TRANSIENT);
}

idv_rc idvi_sqlite_start(struct idvi_query *q, const char *sql,
                         const struct idvi_param *p, size_t n)
{
    IDV_TRY(take(q, sql));
    for (size_t i = 0; i < n; i++) {
        int code = bind_one(q->native, (int)i + 1, &p[i]);
        if (code != SQLITE_OK)
            return idvi_sqlite_fail(q->db, code);
    }
    return IDV_OK;
}

idv_rc idvi_sqlite_next(struct idvi_query *q, bool *row)
{
    int code = sqlite3_step(q->native);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return idvi_sqlite_fail(q->db, code);
    *row = code == SQLITE_ROW;
    return IDV_OK;
}

idv_rc idvi_sqlite_column(struct idvi_query *q, int i, struct idvi_value *out)
{
    int type = sqlite3_column_type(q->native, i);
    out->is_int = type == SQLITE_INTEGER || type == SQLITE_NULL;
    if (out->is_int) {
        out->i = sqlite3_column_int64(q->native, i);
        return IDV_OK;
    }
    const void *p = sqlite3_column_blob(q->native, i);
    out->b = idv_bytes(p, (size_t)sqlite3_column_bytes(q->native, i));
    return IDV_OK;
}

unsigned idvi_sqlite_changed(struct idvi_query *q)
{
    return (unsigned)sqlite3_changes(idvi_sqlite_of(q->db)->h);
}

void idvi_sqlite_end(struct idvi_query *q)
{
    struct idvi_sqlite *s = idvi_sqlite_of(q->db);
    sqlite3_stmt *st = q->native;
    if (!q->cached) {
        sqlite3_finalize(st);
        return;
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    for (size_t i = 0; i < s->n_cached; i++) {
        if (s->cache[i].st == st)
            s->cache[i].busy = false;
    }
}
