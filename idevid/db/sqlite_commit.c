/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions on SQLite, and the one wait for the disk after many of them. */
#include "idevid/db/sqlite.h"

/* prepared once, as they are run for each request */
static idv_rc run(struct idv_db *db, const char *sql, int64_t *out)
{
    struct idvi_query q = {.db = db};
    struct idvi_value v = {0};
    bool row = false;
    idv_rc rc = idvi_sqlite_start(&q, sql, NULL, 0);
    if (rc == IDV_OK)
        rc = idvi_sqlite_next(&q, &row);
    if (rc == IDV_OK && out)
        rc = idvi_sqlite_column(&q, 0, &v);
    if (q.native)
        idvi_sqlite_end(&q);
    if (out)
        *out = v.i;
    return rc;
}

idv_rc idvi_sqlite_begin(struct idv_db *db, enum idvi_isolation how)
{
    return run(db, how == IDVI_READ ? "BEGIN" : "BEGIN IMMEDIATE", NULL);
}

void idvi_sqlite_rollback(struct idv_db *db)
{
    sqlite3 *h = idvi_sqlite_of(db)->h;
    if (!sqlite3_get_autocommit(h))
        (void)sqlite3_exec(h, "ROLLBACK", NULL, NULL, NULL);
}

idv_rc idvi_sqlite_commit(struct idv_db *db)
{
    idv_rc rc = run(db, "COMMIT", NULL);
    if (rc != IDV_OK)
        idvi_sqlite_rollback(db);
    return rc;
}

/* Where the disk is full libsqlite3 has ended the transaction with the
 * statement that failed: what comes after must not begin one of its own. */
idv_rc idvi_sqlite_part(struct idv_db *db)
{
    if (sqlite3_get_autocommit(idvi_sqlite_of(db)->h))
        return idv_fail(IDV_E_IO, "store: %s: the transaction has ended",
                        db->path);
    return run(db, "SAVEPOINT part", NULL);
}

idv_rc idvi_sqlite_part_end(struct idv_db *db, idv_rc rc)
{
    if (rc != IDV_OK && !sqlite3_get_autocommit(idvi_sqlite_of(db)->h))
        (void)sqlite3_exec(idvi_sqlite_of(db)->h,
                           "ROLLBACK TO part; RELEASE part", NULL, NULL, NULL);
    return rc != IDV_OK ? rc : run(db, "RELEASE part", NULL);
}

/* other writers are waited for, so that nothing is left to a second try */
bool idvi_sqlite_conflict(const struct idv_db *db)
{
    (void)db;
    return false;
}

idv_rc idvi_sqlite_wait(struct idv_db *db, bool on)
{
    return idvi_sqlite_script(db, on ? "PRAGMA synchronous = FULL"
                                     : "PRAGMA synchronous = NORMAL");
}

/* The log of a file in WAL mode; it only grows, or begins anew after what it
 * had has been synced into the file: one sync covers every commit before it,
 * also those of other processes. */
static idv_rc sync_log(struct idv_db *db)
{
    sqlite3_file *wal = NULL;
    int code = sqlite3_file_control(idvi_sqlite_of(db)->h, "main",
                                    SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (code == SQLITE_OK && wal && wal->pMethods)
        code = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
    if (code != SQLITE_OK)
        return idv_fail(IDV_E_IO, "store: %s: cannot sync: %s", db->path,
                        sqlite3_errstr(code));
    return IDV_OK;
}

/* What others committed shows in data_version, what this handle did does not.
 */
idv_rc idvi_sqlite_sync(struct idv_db *db, bool written)
{
    struct idvi_sqlite *s = idvi_sqlite_of(db);
    int64_t version = 0;
    IDV_TRY(run(db, "PRAGMA data_version", &version));
    if (!written && version == s->seen)
        return IDV_OK;
    IDV_TRY(sync_log(db));
    s->seen = version;
    return IDV_OK;
}
