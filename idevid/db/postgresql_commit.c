/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions on PostgreSQL: how they end, also when nobody says so, and the
 * one wait for the disk after many of them. */
#include <stdio.h>
#include <string.h>

#include "idevid/db/postgresql.h"

#define ASKS 100 /* of 50 ms: how an unfinished one ended */

/* --- begin ---------------------------------------------------------------- */

#define NUMBER "; SELECT pg_current_xact_id()::text"

static idv_rc begin_alone(struct idv_db *db)
{
    char sql[160];
    snprintf(
        sql, sizeof(sql),
        "BEGIN ISOLATION LEVEL READ COMMITTED;"
        " SELECT pg_advisory_xact_lock(%d, hashtext(current_schema()))" NUMBER,
        0x49444556);
    return idvi_pg_simple(db, sql, idvi_pg_of(db)->transaction,
                          sizeof(idvi_pg_of(db)->transaction));
}

static idv_rc begin_as(struct idv_db *db, enum idvi_isolation how)
{
    struct idvi_pg *p = idvi_pg_of(db);
    switch (how) {
    case IDVI_READ:
        return idvi_pg_simple(
            db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, 0);
    case IDVI_SERIALIZABLE:
        return idvi_pg_simple(db, "BEGIN ISOLATION LEVEL SERIALIZABLE" NUMBER,
                              p->transaction, sizeof(p->transaction));
    default:
        return begin_alone(db);
    }
}

idv_rc idvi_pg_begin(struct idv_db *db, enum idvi_isolation how)
{
    struct idvi_pg *p = idvi_pg_of(db);
    IDV_TRY(idvi_pg_ready(db));
    p->transaction[0] = 0;
    idv_rc rc = begin_as(db, how);
    p->within = true;
    if (rc != IDV_OK)
        idvi_pg_rollback(db);
    return rc;
}

void idvi_pg_rollback(struct idv_db *db)
{
    struct idvi_pg *p = idvi_pg_of(db);
    p->within = false;
    if (PQtransactionStatus(p->c) != PQTRANS_IDLE)
        PQclear(PQexec(p->c, "ROLLBACK"));
}

bool idvi_pg_conflict(const struct idv_db *db)
{
    return idvi_pg_of(db)->conflict;
}

/* --- commit --------------------------------------------------------------- */

/* "committed", "aborted", "in progress"; the number is of digits only */
static idv_rc status_of(struct idv_db *db, const char *number, char out[16])
{
    char sql[128];
    snprintf(sql, sizeof(sql),
             "SELECT pg_sleep(0.05); SELECT pg_xact_status('%.20s'::xid8)",
             number);
    return idvi_pg_simple(db, sql, out, 16);
}

/* The connection broke with the word COMMIT on its way. */
static idv_rc read_back(struct idv_db *db)
{
    struct idvi_pg *p = idvi_pg_of(db);
    char number[sizeof(p->transaction)], status[16] = "in progress";
    strcpy(number, p->transaction);
    if (!number[0])
        return IDV_E_IO;
    IDV_TRY(idvi_pg_ready(db));
    for (int i = 0; i < ASKS && strcmp(status, "in progress") == 0; i++)
        IDV_TRY(status_of(db, number, status));
    return strcmp(status, "committed") == 0 ? IDV_OK : IDV_E_IO;
}

static idv_rc after_broken(struct idv_db *db, idv_rc rc, bool silent)
{
    if (read_back(db) != IDV_OK)
        return rc;
    if (silent)
        idv_note_clear();
    return IDV_OK;
}

idv_rc idvi_pg_commit(struct idv_db *db)
{
    struct idvi_pg *p = idvi_pg_of(db);
    char said[24] = "";
    bool silent = !*idv_note();
    p->conflict = false;
    idv_rc rc = idvi_pg_simple(db, "COMMIT", said, sizeof(said));
    p->within = false;
    if (rc != IDV_OK && PQstatus(p->c) != CONNECTION_OK)
        return after_broken(db, rc, silent);
    if (rc != IDV_OK)
        idvi_pg_rollback(db);
    else if (strcmp(said, "COMMIT") != 0)
        rc = idv_fail(IDV_E_IO, "store: %s: rolled back", db->path);
    return rc;
}

/* --- the disk ------------------------------------------------------------- */

idv_rc idvi_pg_wait(struct idv_db *db, bool on)
{
    struct idvi_pg *p = idvi_pg_of(db);
    char sql[64];
    snprintf(sql, sizeof(sql), "SET synchronous_commit = %s",
             on ? p->durable : "off");
    p->lazy = !on;
    return idvi_pg_simple(db, sql, NULL, 0);
}

/*
 * A transaction that waits, and leaves nothing but a record in the log, waits
 * for all before it. What was only read needs that if the log is not on the
 * disk up to its end.
 */
static idv_rc flush(struct idv_db *db, bool written)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT set_config('synchronous_commit', '%s', true),"
             " pg_logical_emit_message(true, 'idevid', '')%s",
             idvi_pg_of(db)->durable,
             written ? ""
                     : " WHERE pg_current_wal_insert_lsn() >"
                       " pg_current_wal_flush_lsn()");
    return idvi_pg_simple(db, sql, NULL, 0);
}

static idv_rc was_lost(struct idv_db *db)
{
    struct idvi_pg *p = idvi_pg_of(db);
    bool lost = p->lost;
    p->lost = false;
    if (!lost)
        return IDV_OK;
    return idv_fail(IDV_E_IO,
                    "store: %s: the connection broke before what was done is"
                    " on disk",
                    db->path);
}

idv_rc idvi_pg_sync(struct idv_db *db, bool written)
{
    db->written = written; /* a new connection now is too late for it */
    db->relied = true;
    idv_rc rc = idvi_pg_ready(db);
    db->written = db->relied = false;
    IDV_TRY(rc);
    IDV_TRY(was_lost(db));
    return flush(db, written);
}
