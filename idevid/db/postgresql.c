/* SPDX-License-Identifier: Apache-2.0 */
/* Connects to PostgreSQL, again when it must, and says what went wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/env.h>

#include "idevid/db/postgresql.h"

#define AGAIN_MS 1000 /* after a connect that failed, not before */

/* --- failures ------------------------------------------------------------- */

/* by the class of an SQLSTATE (PostgreSQL, appendix A) */
static idv_rc class_of(const char *state)
{
    static const struct {
        const char *start;
        idv_rc rc;
    } classes[] = {
        {"22", IDV_E_FORMAT}, /* a value that a column does not take */
        {"23", IDV_E_STATE},  /* a constraint */
        {"P0", IDV_E_STATE},  /* a trigger of ours */
    };
    for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
        if (strncmp(state, classes[i].start, 2) == 0)
            return classes[i].rc;
    }
    return IDV_E_IO;
}

static bool is_conflict(const char *state)
{
    return strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0;
}

idv_rc idvi_pg_fail(struct idv_db *db, const PGresult *r)
{
    struct idvi_pg *p = idvi_pg_of(db);
    const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    const char *words =
        r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (!words)
        words = p->c ? PQerrorMessage(p->c) : "no connection";
    p->conflict = state && is_conflict(state);
    return idv_fail(state ? class_of(state) : IDV_E_IO, "store: %s: %.*s",
                    db->path, (int)strcspn(words, "\n"), words);
}

idv_rc idvi_pg_simple(struct idv_db *db, const char *sql, char *last,
                      size_t room)
{
    PGresult *r = PQexec(idvi_pg_of(db)->c, sql);
    ExecStatusType status = PQresultStatus(r);
    bool done = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    idv_rc rc = done ? IDV_OK : idvi_pg_fail(db, r);
    if (done && last)
        snprintf(last, room, "%s",
                 PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : PQcmdStatus(r));
    PQclear(r);
    return rc;
}

/* --- connecting ----------------------------------------------------------- */

static void no_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

/* what the server or the URL sets stays; what nobody set has our bounds */
#define BOUNDS                                                                 \
    "SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN '30s'"         \
    " ELSE '60s' END, false) FROM pg_settings WHERE setting = '0'"             \
    " AND name IN ('statement_timeout', 'lock_timeout',"                       \
    " 'idle_in_transaction_session_timeout')"
#define DURABLE                                                                \
    "SELECT CASE setting WHEN 'off' THEN 'on' ELSE setting END"                \
    " FROM pg_settings WHERE name = 'synchronous_commit'"

static idv_rc set_up(struct idv_db *db)
{
    struct idvi_pg *p = idvi_pg_of(db);
    PQsetNoticeProcessor(p->c, no_notice, NULL);
    IDV_TRY(idvi_pg_simple(db, BOUNDS, NULL, 0));
    IDV_TRY(idvi_pg_simple(db, DURABLE, p->durable, sizeof(p->durable)));
    return idvi_pg_wait(db, !p->lazy);
}

/* libpq's words on a URL that it cannot read have parts of it, so not these */
static idv_rc judge_url(const struct idv_db *db)
{
    PQconninfoOption *all = PQconninfoParse(db->url, NULL);
    if (!all)
        return idv_fail(IDV_E_ARG, "store: %s: not a URL of PostgreSQL",
                        db->path);
    PQconninfoFree(all);
    return IDV_OK;
}

static idv_rc connect_once(struct idv_db *db)
{
    static const char *const names[] = {
        "connect_timeout",     "tcp_user_timeout", "keepalives_idle",
        "keepalives_interval", "keepalives_count", "fallback_application_name",
        "client_encoding",     "dbname",           NULL};
    const char *const values[] = {"5",      "10000", "10",    "5", "3",
                                  "idevid", "UTF8",  db->url, NULL};
    struct idvi_pg *p = idvi_pg_of(db);
    PQfinish(p->c);
    p->n_prepared = 0;
    p->c = PQconnectdbParams(names, values, 1);
    if (!p->c)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (PQstatus(p->c) != CONNECTION_OK)
        return idvi_pg_fail(db, NULL);
    return set_up(db);
}

static idv_rc connect_now(struct idv_db *db)
{
    struct idvi_pg *p = idvi_pg_of(db);
    idv_rc rc = connect_once(db);
    p->failed_at = rc == IDV_OK ? 0 : idv_ticks_ms();
    return rc;
}

/* What was committed but not waited for may have gone with the server. */
static idv_rc connect_again(struct idv_db *db)
{
    struct idvi_pg *p = idvi_pg_of(db);
    if (p->failed_at && idv_ticks_ms() - p->failed_at < AGAIN_MS)
        return idv_fail(IDV_E_IO, "store: %s: no connection", db->path);
    if (db->batching && (db->written || db->relied))
        p->lost = true;
    return connect_now(db);
}

/* What the server said last, and that it closed, is read before anything is
 * sent: then nothing can have been done by halves. */
static bool alive(PGconn *c)
{
    for (int i = 0; i < 2; i++) {
        if (PQstatus(c) != CONNECTION_OK || !PQconsumeInput(c))
            return false;
        (void)PQisBusy(c);
    }
    return PQstatus(c) == CONNECTION_OK;
}

idv_rc idvi_pg_ready(struct idv_db *db)
{
    struct idvi_pg *p = idvi_pg_of(db);
    p->conflict = false;
    if (p->within || (p->c && alive(p->c)))
        return IDV_OK;
    return connect_again(db);
}

/* --- opening -------------------------------------------------------------- */

static idv_rc open_url(struct idv_db *db)
{
    db->native = calloc(1, sizeof(struct idvi_pg));
    if (!db->native)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(judge_url(db));
    return connect_now(db);
}

static void close_url(struct idv_db *db)
{
    struct idvi_pg *p = idvi_pg_of(db);
    if (!p)
        return;
    PQfinish(p->c);
    free(p);
    db->native = NULL;
}

static idv_rc look(struct idv_db *db, struct idvi_found *out)
{
    char tables[24] = "", listed[8] = "";
    IDV_TRY(idvi_pg_ready(db));
    IDV_TRY(idvi_pg_simple(db,
                           "SELECT count(*) FROM pg_tables"
                           " WHERE schemaname = current_schema()",
                           tables, sizeof(tables)));
    IDV_TRY(idvi_pg_simple(db,
                           "SELECT count(*) FROM pg_tables"
                           " WHERE schemaname = current_schema()"
                           " AND tablename = 'schema_version'",
                           listed, sizeof(listed)));
    *out = (struct idvi_found){.tables = strcmp(tables, "0") != 0,
                               .listed = strcmp(listed, "0") != 0};
    return IDV_OK;
}

/* schema_version tells it all */
static idv_rc mark(struct idv_db *db, int id, int reader)
{
    (void)db;
    (void)id;
    (void)reader;
    return IDV_OK;
}

static idv_rc script(struct idv_db *db, const char *sql)
{
    IDV_TRY(idvi_pg_ready(db));
    return idvi_pg_simple(db, sql, NULL, 0);
}

static idv_rc no_backup(struct idv_db *db, const char *path)
{
    (void)path;
    return idv_fail(IDV_E_ARG,
                    "store: %s: PostgreSQL is backed up by its own pg_dump",
                    db->path);
}

static idv_rc no_restore(struct idv_db *db, struct idv_db *from)
{
    (void)from;
    return idv_fail(IDV_E_ARG,
                    "store: %s: PostgreSQL is restored by its own psql",
                    db->path);
}

static const struct idvi_driver driver = {
    .dialect = IDVI_POSTGRESQL,
    .open = open_url,
    .close = close_url,
    .look = look,
    .mark = mark,
    .script = script,
    .start = idvi_pg_start,
    .next = idvi_pg_next,
    .column = idvi_pg_column,
    .changed = idvi_pg_changed,
    .end = idvi_pg_end,
    .begin = idvi_pg_begin,
    .commit = idvi_pg_commit,
    .rollback = idvi_pg_rollback,
    .conflict = idvi_pg_conflict,
    .wait = idvi_pg_wait,
    .backup = no_backup,
    .restore = no_restore,
    .sync = idvi_pg_sync,
};
const struct idvi_driver *const idvi_postgresql_driver = &driver;
