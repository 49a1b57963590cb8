/* SPDX-License-Identifier: Apache-2.0 */
/* A PostgreSQL server of a test's own (postgresql.sh). */
#ifndef TESTS_POSTGRESQL_H
#define TESTS_POSTGRESQL_H

#include <stdbool.h>

struct pg {
    char dir[96];
    unsigned schemas; /* made so far */
};

/* True once it answers; false when this machine or this build has none: then
 * tests that need it skip(). Ends with this process, however that ends. */
bool pg_start(struct pg *p);
void pg_stop(struct pg *p); /* also one that was never started */
/* The URL of an empty schema. */
void pg_url(struct pg *p, char url[static 256]);
void pg_sql(struct pg *p, const char *sql);
/* Runs a file's statements in the schema of the last URL. */
void pg_load(struct pg *p, const char *file);
/* Ends as a crash would; comes back. */
void pg_halt(struct pg *p);
void pg_go(struct pg *p);

#endif
