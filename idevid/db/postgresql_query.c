/* SPDX-License-Identifier: Apache-2.0 */
/* Statements on PostgreSQL: prepared once, or as cursors for many rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "idevid/db/postgresql.h"

#define FETCH 256 /* rows of a stream in memory at once */

/* numbers of types in pg_type, which never change */
enum {
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_INT8 = 20,
    PG_INT2 = 21,
    PG_INT4 = 23,
    PG_TEXT = 25
};

struct running {
    PGresult *r;
    int next;        /* row; the one before is the current one */
    unsigned cursor; /* of a stream; 0: all rows are in r */
    bool ends;       /* a transaction that was begun for it */
};

/* --- parameters ----------------------------------------------------------- */

struct bound {
    int n;
    Oid types[IDVI_PARAMS];
    const char *values[IDVI_PARAMS];
    int lengths[IDVI_PARAMS], formats[IDVI_PARAMS];
    uint8_t numbers[IDVI_PARAMS][8];
};

static void bind_number(struct bound *b, int i, int64_t v)
{
    for (int k = 0; k < 8; k++)
        b->numbers[i][k] = (uint8_t)((uint64_t)v >> (56 - 8 * k));
    b->types[i] = PG_INT8;
    b->values[i] = (const char *)b->numbers[i];
    b->lengths[i] = 8;
}

static void bind_bytes(struct bound *b, int i, const struct idvi_param *p)
{
    bool text = p->type == 't' || p->type == 's';
    b->types[i] = text ? PG_TEXT : PG_BYTEA;
    b->values[i] = p->b.n ? (const char *)p->b.p : ""; /* NULL is NULL */
    b->lengths[i] = (int)p->b.n;
}

static idv_rc bind_all(struct bound *b, const struct idvi_param *p, size_t n)
{
    b->n = (int)n;
    for (int i = 0; i < b->n; i++) {
        if (p[i].b.n > INT32_MAX)
            return idv_fail(IDV_E_LIMIT, "store: a value of %zu bytes",
                            p[i].b.n);
        b->formats[i] = 1;
        if (p[i].type == 'i')
            bind_number(b, i, p[i].i);
        else
            bind_bytes(b, i, &p[i]);
    }
    return IDV_OK;
}

/* --- running -------------------------------------------------------------- */

static bool succeeded(const PGresult *r)
{
    ExecStatusType s = PQresultStatus(r);
    return s == PGRES_TUPLES_OK || s == PGRES_COMMAND_OK;
}

static idv_rc check(struct idv_db *db, PGresult **r)
{
    if (succeeded(*r))
        return IDV_OK;
    idv_rc rc = idvi_pg_fail(db, *r);
    PQclear(*r);
    *r = NULL;
    return rc;
}

/* the name under which sql is prepared on this connection */
static idv_rc prepare(struct idv_db *db, const char *sql, const struct bound *b,
                      char name[static 16])
{
    struct idvi_pg *p = idvi_pg_of(db);
    size_t i = 0;
    while (i < p->n_prepared && strcmp(p->prepared[i], sql) != 0)
        i++;
    snprintf(name, 16, "s%u", (unsigned)i);
    if (i < p->n_prepared)
        return IDV_OK;
    if (i == IDVI_PG_STATEMENTS)
        name[0] = 0; /* the one without a name is prepared anew each time */
    PGresult *r = PQprepare(p->c, name, sql, b->n, b->types);
    IDV_TRY(check(db, &r));
    PQclear(r);
    if (name[0])
        p->prepared[p->n_prepared++] = sql;
    return IDV_OK;
}

static idv_rc run_once(struct idv_db *db, const char *sql,
                       const struct bound *b, PGresult **out)
{
    char name[16];
    IDV_TRY(prepare(db, sql, b, name));
    *out = PQexecPrepared(idvi_pg_of(db)->c, name, b->n, b->values, b->lengths,
                          b->formats, 1);
    return check(db, out);
}

/* A statement alone is its own transaction, so that it can be done again. */
static idv_rc run(struct idv_db *db, const char *sql, const struct bound *b,
                  PGresult **out)
{
    struct idvi_pg *p = idvi_pg_of(db);
    bool silent = !*idv_note();
    IDV_TRY(idvi_pg_ready(db));
    idv_rc rc = run_once(db, sql, b, out);
    for (int i = 1;
         rc != IDV_OK && p->conflict && !p->within && i < IDVI_PG_TRIES; i++) {
        if (silent)
            idv_note_clear();
        p->conflict = false;
        rc = run_once(db, sql, b, out);
    }
    return rc;
}

/* --- many rows ------------------------------------------------------------ */

static idv_rc fetch(struct idvi_query *q)
{
    struct running *s = q->native;
    char sql[64];
    snprintf(sql, sizeof(sql), "FETCH %d FROM c%u", FETCH, s->cursor);
    PQclear(s->r);
    s->next = 0;
    s->r =
        PQexecParams(idvi_pg_of(q->db)->c, sql, 0, NULL, NULL, NULL, NULL, 1);
    return check(q->db, &s->r);
}

static idv_rc declare(struct idvi_query *q, const char *sql,
                      const struct bound *b)
{
    struct running *s = q->native;
    struct idvi_pg *p = idvi_pg_of(q->db);
    IDV_AUTO(buf) text = {0};
    char head[64];
    snprintf(head, sizeof(head), "DECLARE c%u NO SCROLL CURSOR FOR ",
             ++p->cursors);
    IDV_TRY(idv_buf_puts(&text, head));
    IDV_TRY(idv_buf_put(&text, idv_bytes(sql, strlen(sql) + 1)));
    PGresult *r = PQexecParams(p->c, (const char *)text.p, b->n, b->types,
                               b->values, b->lengths, b->formats, 1);
    IDV_TRY(check(q->db, &r));
    PQclear(r);
    s->cursor = p->cursors;
    return fetch(q);
}

static idv_rc stream(struct idvi_query *q, const char *sql,
                     const struct bound *b)
{
    struct running *s = q->native;
    s->ends = !q->db->within;
    if (s->ends)
        IDV_TRY(idvi_view(q->db));
    return declare(q, sql, b);
}

/* --- the table's ---------------------------------------------------------- */

idv_rc idvi_pg_start(struct idvi_query *q, const char *sql,
                     const struct idvi_param *p, size_t n)
{
    struct bound b = {0};
    IDV_TRY(bind_all(&b, p, n));
    struct running *s = q->native = calloc(1, sizeof(*s));
    if (!s)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return q->stream ? stream(q, sql, &b) : run(q->db, sql, &b, &s->r);
}

idv_rc idvi_pg_next(struct idvi_query *q, bool *row)
{
    struct running *s = q->native;
    if (s->cursor && s->next == PQntuples(s->r) && s->next == FETCH)
        IDV_TRY(fetch(q));
    *row = s->next < PQntuples(s->r);
    s->next += *row;
    return IDV_OK;
}

static int64_t number(const uint8_t *p, int n)
{
    uint64_t v = n && (p[0] & 0x80) ? UINT64_MAX : 0;
    for (int i = 0; i < n; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

idv_rc idvi_pg_column(struct idvi_query *q, int i, struct idvi_value *out)
{
    struct running *s = q->native;
    const char *p = PQgetvalue(s->r, s->next - 1, i);
    int n = PQgetlength(s->r, s->next - 1, i);
    out->is_int = true;
    switch (PQftype(s->r, i)) {
    case PG_BOOL:
        out->i = n == 1 && *p;
        return IDV_OK;
    case PG_INT2:
    case PG_INT4:
    case PG_INT8:
        out->i = number((const uint8_t *)p, n);
        return IDV_OK;
    default:
        out->is_int = false;
        out->b = idv_bytes(p, (size_t)n);
        return IDV_OK;
    }
}

unsigned idvi_pg_changed(struct idvi_query *q)
{
    struct running *s = q->native;
    return (unsigned)strtoul(PQcmdTuples(s->r), NULL, 10);
}

static void close_cursor(struct idvi_query *q, const struct running *s)
{
    char sql[32];
    snprintf(sql, sizeof(sql), "CLOSE c%u", s->cursor);
    PQclear(PQexec(idvi_pg_of(q->db)->c, sql));
}

/* the end of a view cannot fail in a way that matters */
void idvi_pg_end(struct idvi_query *q)
{
    struct running *s = q->native;
    PQclear(s->r);
    if (s->cursor && !s->ends && q->db->within)
        close_cursor(q, s);
    if (s->ends && q->db->within)
        (void)!idvi_end(q->db, IDV_E_STATE);
    free(s);
}
