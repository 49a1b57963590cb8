/* SPDX-License-Identifier: Apache-2.0 */
/* What a handle has when the store is a PostgreSQL database. */
#ifndef IDEVID_DB_POSTGRESQL_H
#define IDEVID_DB_POSTGRESQL_H

#include <libpq-fe.h>

#include <idevid/auto.h>

#include "idevid/db/driver.h"

#define IDVI_PG_STATEMENTS 96
#define IDVI_PG_TRIES 12 /* of a statement that meets others */

struct idvi_pg {
    PGconn *c;
    const char *prepared[IDVI_PG_STATEMENTS]; /* the i-th is named s<i> */
    size_t n_prepared;
    unsigned cursors;     /* so many were named */
    bool lazy;            /* a commit does not wait for the disk */
    bool within;          /* a transaction is open on c */
    bool conflict;        /* of the last failure */
    bool lost;            /* what idv_db_commit should wait for may be gone */
    int64_t failed_at;    /* ticks of a connect that failed; 0: none */
    char durable[24];     /* synchronous_commit of who waits */
    char transaction[24]; /* number of the open one, "" unknown */
};

static inline struct idvi_pg *idvi_pg_of(const struct idv_db *db)
{
    return db->native;
}

/* --- postgresql.c --- */
/*
 * A connection that can be used: the one there is, unless it is seen to be
 * gone; then a new one, so long as no transaction is open.
 */
idv_rc idvi_pg_ready(struct idv_db *db) IDV_CHECKED;
/* The class of what went wrong, noted in the server's words; r may be NULL. */
idv_rc idvi_pg_fail(struct idv_db *db, const PGresult *r);
/* Runs statements without parameters on a connection that is ready; *last (may
 * be NULL) is the first text of the last one. */
idv_rc idvi_pg_simple(struct idv_db *db, const char *sql, char *last,
                      size_t room) IDV_CHECKED;

/* --- postgresql_query.c --- */
idv_rc idvi_pg_start(struct idvi_query *q, const char *sql,
                     const struct idvi_param *p, size_t n) IDV_CHECKED;
idv_rc idvi_pg_next(struct idvi_query *q, bool *row) IDV_CHECKED;
idv_rc idvi_pg_column(struct idvi_query *q, int i,
                      struct idvi_value *out) IDV_CHECKED;
unsigned idvi_pg_changed(struct idvi_query *q);
void idvi_pg_end(struct idvi_query *q);

/* --- postgresql_commit.c --- */
idv_rc idvi_pg_begin(struct idv_db *db, enum idvi_isolation how) IDV_CHECKED;
idv_rc idvi_pg_commit(struct idv_db *db) IDV_CHECKED;
void idvi_pg_rollback(struct idv_db *db);
bool idvi_pg_conflict(const struct idv_db *db);
idv_rc idvi_pg_wait(struct idv_db *db, bool on) IDV_CHECKED;
idv_rc idvi_pg_sync(struct idv_db *db, bool written) IDV_CHECKED;

#endif
