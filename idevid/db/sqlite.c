/* SPDX-License-Identifier: Apache-2.0 */
/* Opens an SQLite file and says what went wrong with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "idevid/db/sqlite.h"

#define BUSY_MS 10000
#define ROOMY (512 * (uint64_t)1024 * 1024) /* bytes free */

static idv_rc class_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return IDV_E_NOMEM;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return IDV_E_FORMAT;
    case SQLITE_CONSTRAINT:
        return IDV_E_STATE;
    default:
        return IDV_E_IO;
    }
}

idv_rc idvi_sqlite_fail(const struct idv_db *db, int code)
{
    sqlite3 *h = idvi_sqlite_of(db)->h;
    const char *words = h ? sqlite3_errmsg(h) : sqlite3_errstr(code);
    int sys = h ? sqlite3_system_errno(h) : 0;
    if ((code & 0xff) == SQLITE_CANTOPEN && sys)
        words = strerror(sys);
    return idv_fail(class_of(code), "store: %s: %s", db->path, words);
}

idv_rc idvi_sqlite_script(struct idv_db *db, const char *sql)
{
    int code = sqlite3_exec(idvi_sqlite_of(db)->h, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? IDV_OK : idvi_sqlite_fail(db, code);
}

idv_rc idvi_sqlite_int(struct idv_db *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(idvi_sqlite_of(db)->h, sql, -1, &st, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(st);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return code == SQLITE_ROW ? IDV_OK : idvi_sqlite_fail(db, code);
}

static idv_rc look(struct idv_db *db, struct idvi_found *out)
{
    int64_t tables = 0, listed = 0, id = 0, version = 0;
    IDV_TRY(idvi_sqlite_int(db, "PRAGMA user_version", &version));
    IDV_TRY(idvi_sqlite_int(db, "PRAGMA application_id", &id));
    IDV_TRY(idvi_sqlite_int(db, "SELECT count(*) FROM sqlite_master", &tables));
    IDV_TRY(idvi_sqlite_int(db,
                            "SELECT count(*) FROM sqlite_master WHERE"
                            " type = 'table' AND name = 'schema_version'",
                            &listed));
    *out = (struct idvi_found){.tables = tables || version,
                               .listed = listed > 0,
                               .id = (int)id,
                               .reader = (int)version};
    return IDV_OK;
}

static idv_rc mark(struct idv_db *db, int id, int reader)
{
    char sql[96];
    snprintf(sql, sizeof(sql),
             "PRAGMA user_version = %d; PRAGMA application_id = %d", reader,
             id);
    return idvi_sqlite_script(db, sql);
}

/* Switching a new file to WAL does not wait for other openers by itself. */
static idv_rc use_wal(struct idv_db *db)
{
    int code = SQLITE_BUSY;
    for (int i = 0; i < BUSY_MS / 10 && (code & 0xff) == SQLITE_BUSY; i++) {
        if (i)
            sqlite3_sleep(10);
        code = sqlite3_exec(idvi_sqlite_of(db)->h, "PRAGMA journal_mode = WAL",
                            NULL, NULL, NULL);
    }
    return code == SQLITE_OK ? IDV_OK : idvi_sqlite_fail(db, code);
}

/* Another writer has it: for a millisecond as a rule, so that libsqlite3's own
 * waits (1, 2, 5, 10 ... ms) would be most of all. */
static int wait_for_others(void *unused, int times)
{
    const int us = times < 40 ? 100 : 5000;
    (void)unused;
    if (times >= 40 + BUSY_MS / 5)
        return 0;
    usleep((useconds_t)us);
    return 1;
}

/* The pages of the log that are written to their places together: the more they
 * are, the more changes of one page are written once. They have to fit on the
 * disk besides, 32 MB of them. */
static idv_rc set_log(struct idv_db *db)
{
    struct statvfs fs;
    const bool roomy = statvfs(db->url, &fs) == 0 &&
                       (uint64_t)fs.f_bavail * fs.f_frsize >= ROOMY;
    return idvi_sqlite_script(db, roomy ? "PRAGMA wal_autocheckpoint = 8000"
                                        : "PRAGMA wal_autocheckpoint = 1000");
}

/* Nothing is written to a file that is not ours. */
static idv_rc set_up(struct idv_db *db)
{
    struct idvi_found unused;
    sqlite3_extended_result_codes(idvi_sqlite_of(db)->h, 1);
    sqlite3_busy_handler(idvi_sqlite_of(db)->h, wait_for_others, NULL);
    IDV_TRY(look(db, &unused)); /* is it a database at all? */
    IDV_TRY(idvi_sqlite_script(db, "PRAGMA synchronous = FULL"));
    /* a mapping is taken away, with all its pages, each time another process
     * has committed: reading is a fifth faster without */
    IDV_TRY(idvi_sqlite_script(db, "PRAGMA mmap_size = 0"));
    IDV_TRY(set_log(db));
    IDV_TRY(idvi_sqlite_script(db, "PRAGMA foreign_keys = ON"));
    return idvi_sqlite_script(db, "PRAGMA trusted_schema = OFF");
}

static idv_rc open_handle(struct idv_db *db)
{
    int code = sqlite3_open_v2(
        db->url, &idvi_sqlite_of(db)->h,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    return code == SQLITE_OK ? IDV_OK : idvi_sqlite_fail(db, code);
}

static void close_handle(struct idvi_sqlite *s)
{
    for (size_t i = 0; i < s->n_cached; i++)
        sqlite3_finalize(s->cache[i].st);
    s->n_cached = 0;
    s->seen = 0;
    sqlite3_close(s->h);
    s->h = NULL;
}

static idv_rc open_file(struct idv_db *db)
{
    struct stat st;
    db->native = calloc(1, sizeof(struct idvi_sqlite));
    if (!db->native)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    bool made = stat(db->url, &st) != 0;
    IDV_TRY(open_handle(db));
    if (made)
        (void)chmod(db->url, S_IRUSR | S_IWUSR);
    return set_up(db);
}

/* Statistics that somebody had made when a table had few rows would have it
 * walked from end to end for ever after: without them libsqlite3 takes it that
 * all are large, and each statement of ours has its index. It has read them
 * when it opened the file, and keeps them. */
static idv_rc forget_statistics(struct idv_db *db)
{
    struct idvi_sqlite *s = idvi_sqlite_of(db);
    int64_t n = 0;
    IDV_TRY(idvi_sqlite_int(db,
                            "SELECT count(*) FROM sqlite_master WHERE name IN"
                            " ('sqlite_stat1', 'sqlite_stat4')",
                            &n));
    if (n == 0)
        return IDV_OK;
    IDV_TRY(idvi_sqlite_script(db, "DROP TABLE IF EXISTS sqlite_stat1;"
                                   "DROP TABLE IF EXISTS sqlite_stat4"));
    close_handle(s);
    IDV_TRY(open_handle(db));
    return set_up(db);
}

static idv_rc take_over(struct idv_db *db)
{
    IDV_TRY(use_wal(db));
    return forget_statistics(db);
}

/* pages of indexes: in memory, and written to their places when 80 MB have
 * come together */
static idv_rc bulk(struct idv_db *db, bool begins)
{
    if (begins)
        return idvi_sqlite_script(db, "PRAGMA cache_size = -131072;"
                                      "PRAGMA wal_autocheckpoint = 20000");
    IDV_TRY(idvi_sqlite_script(db, "PRAGMA cache_size = -2000"));
    return set_log(db);
}

static void close_file(struct idv_db *db)
{
    struct idvi_sqlite *s = idvi_sqlite_of(db);
    if (!s)
        return;
    close_handle(s);
    free(s);
    db->native = NULL;
}

const struct idvi_driver idvi_sqlite_driver = {
    .dialect = IDVI_SQLITE,
    .open = open_file,
    .ours = take_over,
    .close = close_file,
    .look = look,
    .mark = mark,
    .script = idvi_sqlite_script,
    .start = idvi_sqlite_start,
    .next = idvi_sqlite_next,
    .column = idvi_sqlite_column,
    .changed = idvi_sqlite_changed,
    .end = idvi_sqlite_end,
    .begin = idvi_sqlite_begin,
    .commit = idvi_sqlite_commit,
    .rollback = idvi_sqlite_rollback,
    .part = idvi_sqlite_part,
    .part_end = idvi_sqlite_part_end,
    .conflict = idvi_sqlite_conflict,
    .wait = idvi_sqlite_wait,
    .backup = idvi_sqlite_backup,
    .restore = idvi_sqlite_restore,
    .sync = idvi_sqlite_sync,
    .bulk = bulk,
};
