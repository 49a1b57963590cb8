/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the SQLite file and brings its schema up to date. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "idevid/db/sqlite.h"

#define BUSY_MS 10000

/* one script per version; the n-th brings version n to n + 1 */
static const char *const service_scripts[] = {
#include "idevid/db/schema.inc"
};
static const char *const factory_scripts[] = {
#include "idevid/db/factory_schema.inc"
};
#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

/* What a file may be, told by its application_id. */
struct idvi_form {
    int id;
    const char *what;
    const char *const *scripts;
    int version;
};
static const struct idvi_form services = {
    0x49444556 /* "IDEV" */, "the services' database", service_scripts,
    COUNT(service_scripts)};
static const struct idvi_form factory = {0x49444642 /* "IDFB" */,
                                         "a line's book", factory_scripts,
                                         COUNT(factory_scripts)};

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
    const char *words = db->h ? sqlite3_errmsg(db->h) : sqlite3_errstr(code);
    int sys = db->h ? sqlite3_system_errno(db->h) : 0;
    if ((code & 0xff) == SQLITE_CANTOPEN && sys)
        words = strerror(sys);
    return idv_fail(class_of(code), "store: %s: %s", db->path, words);
}

static idv_rc run(struct idv_db *db, const char *sql)
{
    int code = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? IDV_OK : idvi_sqlite_fail(db, code);
}

static idv_rc pragma_int(struct idv_db *db, const char *sql, int *out)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(db->h, sql, -1, &st, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(st);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    return code == SQLITE_ROW ? IDV_OK : idvi_sqlite_fail(db, code);
}

static idv_rc foreign(const struct idv_db *db, int id)
{
    const struct idvi_form *other = id == services.id  ? &services
                                    : id == factory.id ? &factory
                                                       : NULL;
    if (!other)
        return idv_fail(IDV_E_FORMAT,
                        "store: %s: a database of another program", db->path);
    return idv_fail(IDV_E_FORMAT, "store: %s: this is %s, not %s", db->path,
                    other->what, db->form->what);
}

/* Is the file ours, or empty, and not from the future? */
static idv_rc judge_file(struct idv_db *db, int *version)
{
    int tables = 0, id = 0;
    IDV_TRY(pragma_int(db, "PRAGMA user_version", version));
    IDV_TRY(pragma_int(db, "PRAGMA application_id", &id));
    IDV_TRY(pragma_int(db, "SELECT count(*) FROM sqlite_master", &tables));
    if (id != db->form->id && (tables || *version))
        return foreign(db, id);
    if (*version > db->form->version)
        return idv_fail(IDV_E_FORMAT,
                        "store: %s: version %d is later than this program's %d",
                        db->path, *version, db->form->version);
    return IDV_OK;
}

static idv_rc migrate_steps(struct idv_db *db)
{
    int version = 0;
    char sql[64];
    IDV_TRY(judge_file(db, &version)); /* another process may have been first */
    for (int v = version; v < db->form->version; v++)
        IDV_TRY(run(db, db->form->scripts[v]));
    snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", db->form->version);
    IDV_TRY(run(db, sql));
    snprintf(sql, sizeof(sql), "PRAGMA application_id = %d", db->form->id);
    return run(db, sql);
}

/* in one view of the file, or another process's first steps look foreign */
static idv_rc judge_whole(struct idv_db *db, int *version)
{
    IDV_TRY(run(db, "BEGIN"));
    return idvi_end(db, judge_file(db, version));
}

/* Switching a new file to WAL does not wait for other openers by itself. */
static idv_rc use_wal(struct idv_db *db)
{
    int code = SQLITE_BUSY;
    for (int i = 0; i < BUSY_MS / 10 && (code & 0xff) == SQLITE_BUSY; i++) {
        if (i)
            sqlite3_sleep(10);
        code =
            sqlite3_exec(db->h, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    }
    return code == SQLITE_OK ? IDV_OK : idvi_sqlite_fail(db, code);
}

static idv_rc migrate(struct idv_db *db)
{
    int version = 0;
    IDV_TRY(judge_whole(db, &version));
    if (version == db->form->version)
        return IDV_OK;
    IDV_TRY(idvi_begin(db));
    return idvi_end(db, migrate_steps(db));
}

static idv_rc set_up(struct idv_db *db)
{
    sqlite3_extended_result_codes(db->h, 1);
    sqlite3_busy_timeout(db->h, BUSY_MS);
    int version = 0;
    IDV_TRY(judge_whole(db, &version)); /* before anything writes to it */
    IDV_TRY(use_wal(db));
    IDV_TRY(run(db, "PRAGMA synchronous = FULL"));
    IDV_TRY(run(db, "PRAGMA foreign_keys = ON"));
    IDV_TRY(run(db, "PRAGMA trusted_schema = OFF"));
    return migrate(db);
}

static idv_rc open_file(struct idv_db *db)
{
    struct stat st;
    bool made = stat(db->path, &st) != 0;
    int code = sqlite3_open_v2(
        db->path, &db->h,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        return idvi_sqlite_fail(db, code);
    if (made)
        (void)chmod(db->path, S_IRUSR | S_IWUSR);
    return set_up(db);
}

static idv_rc open_form(const char *path, const struct idvi_form *form,
                        struct idv_db **out)
{
    if (strncmp(path, "sqlite:", 7) == 0)
        path += 7;
    if (!*path)
        return idv_fail(IDV_E_ARG, "store: no file named");
    struct idv_db *db = calloc(1, sizeof(*db));
    if (!db || !(db->path = strdup(path))) {
        free(db);
        return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    db->form = form;
    idv_rc rc = open_file(db);
    if (rc != IDV_OK)
        idv_db_close(db);
    else
        *out = db;
    return rc;
}

idv_rc idv_db_open(const char *path, struct idv_db **out)
{
    return open_form(path, &services, out);
}

idv_rc idv_db_open_factory(const char *path, struct idv_db **out)
{
    return open_form(path, &factory, out);
}

void idv_db_close(struct idv_db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < db->n_cached; i++)
        sqlite3_finalize(db->cache[i].st);
    sqlite3_close(db->h);
    free(db->path);
    free(db);
}
