/* SPDX-License-Identifier: Apache-2.0 */
/* Statements and rows, as the store tables need them; the drivers (driver.h)
 * run them. Parameters are $1, $2 ... in order of first use; what is written
 * is understood by SQLite and by PostgreSQL. */
#ifndef IDEVID_DB_SQL_H
#define IDEVID_DB_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include <idevid/buf.h>

struct idv_db;

/* A running statement; ended by idvi_query_end, also when it failed. */
struct idvi_query {
    struct idv_db *db;
    void *native;
    bool cached; /* SQLite's: not to be finalized */
    bool stream;
};

/*
 * Starts a statement. types tells the parameters that follow, one letter each:
 *   i int64_t   t const char * (NULL is "")   b struct idv_bytes
 *   s struct idv_bytes of UTF-8, without NUL: a TEXT   h const uint8_t[32]
 */
idv_rc idvi_query(struct idv_db *db, struct idvi_query *q, const char *sql,
                  const char *types, ...) IDV_CHECKED;
/* The same for many rows: never all of them in memory, all of one view. While
 * it runs, the handle may ask more but change nothing. */
idv_rc idvi_stream(struct idv_db *db, struct idvi_query *q, const char *sql,
                   const char *types, ...) IDV_CHECKED;
idv_rc idvi_query_next(struct idvi_query *q, bool *row) IDV_CHECKED;
/*
 * Reads the row's columns in order:
 *   i int64_t *   n int *, any enum *   f bool *   b struct idv_buf *
 * (replaced) t char *, size_t   h uint8_t[32] IDV_E_FORMAT when a value does
 * not fit.
 */
idv_rc idvi_query_get(struct idvi_query *q, const char *types, ...) IDV_CHECKED;
void idvi_query_end(struct idvi_query *q);
/* The first column of the first row, an integer; *n is 0 where there is no row.
 * types: as for idvi_query. */
idv_rc idvi_number(struct idv_db *db, int64_t *n, const char *sql,
                   const char *types, ...) IDV_CHECKED;

/* A statement without rows; *changed (may be NULL) counts rows. What it did
 * must last: on disk when it returns, or with idv_db_commit. */
idv_rc idvi_exec(struct idv_db *db, unsigned *changed, const char *sql,
                 const char *types, ...) IDV_CHECKED;
/* As idvi_exec, for what may be lost when the power fails (never half): not
 * waited for until it is on the disk. */
idv_rc idvi_exec_lazy(struct idv_db *db, unsigned *changed, const char *sql,
                      const char *types, ...) IDV_CHECKED;
/* What is answered rests on a row that must last, and that another process may
 * just have written: idv_db_commit looks to that as well. */
void idvi_rely(struct idv_db *db);

/*
 * Runs body in a transaction of its own, as if nobody else were writing; it
 * commits when that returns IDV_OK. A conflict with another writer is rolled
 * back and body called again, a bounded number of times: whatever it puts out
 * it must set each time.
 */
idv_rc idvi_within(struct idv_db *db, idv_rc (*body)(struct idv_db *, void *),
                   void *arg) IDV_CHECKED;

/* The same as two calls, for which other writers wait instead: of one kind of
 * database, one at a time. end commits when rc is IDV_OK, else rolls back;
 * returns rc, or what went wrong at commit (then rolled back too). */
idv_rc idvi_begin(struct idv_db *db) IDV_CHECKED;
idv_rc idvi_end(struct idv_db *db, idv_rc rc) IDV_CHECKED;
/* One view for several statements that only read; ended by idvi_end. */
idv_rc idvi_view(struct idv_db *db) IDV_CHECKED;

static inline void idvi_auto_query(struct idvi_query *q)
{
    idvi_query_end(q);
}
#define IDVI_QUERY(q)                                                          \
    __attribute__((cleanup(idvi_auto_query))) struct idvi_query q = {0}

#endif
