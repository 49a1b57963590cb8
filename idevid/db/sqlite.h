/* SPDX-License-Identifier: Apache-2.0 */
/* What a handle has when the store is an SQLite file. */
#ifndef IDEVID_DB_SQLITE_H
#define IDEVID_DB_SQLITE_H

#include <sqlite3.h>

#include "idevid/db/driver.h"

#define IDVI_STATEMENTS 128

struct idvi_cached {
    const char *sql;
    sqlite3_stmt *st;
    bool busy;
};

struct idvi_sqlite {
    sqlite3 *h;
    struct idvi_cached cache[IDVI_STATEMENTS];
    size_t n_cached;
    int64_t seen; /* data_version when all was on the disk */
};

static inline struct idvi_sqlite *idvi_sqlite_of(const struct idv_db *db)
{
    return db->native;
}

/* The class of SQLite's last error on this file, noted with its words. */
idv_rc idvi_sqlite_fail(const struct idv_db *db, int code);
idv_rc idvi_sqlite_script(struct idv_db *db, const char *sql) IDV_CHECKED;
idv_rc idvi_sqlite_int(struct idv_db *db, const char *sql,
                       int64_t *out) IDV_CHECKED;

/* --- sqlite_query.c --- */
idv_rc idvi_sqlite_start(struct idvi_query *q, const char *sql,
                         const struct idvi_param *p, size_t n) IDV_CHECKED;
idv_rc idvi_sqlite_next(struct idvi_query *q, bool *row) IDV_CHECKED;
idv_rc idvi_sqlite_column(struct idvi_query *q, int i,
                          struct idvi_value *out) IDV_CHECKED;
unsigned idvi_sqlite_changed(struct idvi_query *q);
void idvi_sqlite_end(struct idvi_query *q);

/* --- sqlite_commit.c --- */
idv_rc idvi_sqlite_begin(struct idv_db *db,
                         enum idvi_isolation how) IDV_CHECKED;
idv_rc idvi_sqlite_commit(struct idv_db *db) IDV_CHECKED;
void idvi_sqlite_rollback(struct idv_db *db);
idv_rc idvi_sqlite_part(struct idv_db *db) IDV_CHECKED;
idv_rc idvi_sqlite_part_end(struct idv_db *db, idv_rc rc) IDV_CHECKED;
bool idvi_sqlite_conflict(const struct idv_db *db);
idv_rc idvi_sqlite_wait(struct idv_db *db, bool on) IDV_CHECKED;
idv_rc idvi_sqlite_sync(struct idv_db *db, bool written) IDV_CHECKED;

/* --- sqlite_backup.c --- */
idv_rc idvi_sqlite_backup(struct idv_db *db, const char *path) IDV_CHECKED;
idv_rc idvi_sqlite_restore(struct idv_db *db, struct idv_db *from) IDV_CHECKED;

#endif
