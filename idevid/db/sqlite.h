/* SPDX-License-Identifier: Apache-2.0 */
/* The handle behind struct idv_db when the store is an SQLite file. */
#ifndef IDEVID_DB_SQLITE_H
#define IDEVID_DB_SQLITE_H

#include <sqlite3.h>

#include "idevid/db/db.h"
#include "idevid/db/sql.h"

#define IDVI_STATEMENTS 64

struct idvi_cached {
    const char *sql;
    sqlite3_stmt *st;
    bool busy;
};

struct idv_db {
    sqlite3 *h;
    char *path;
    const struct idvi_form *form;
    struct idvi_cached cache[IDVI_STATEMENTS];
    size_t n_cached;
};

/* The class of SQLite's last error on this file, noted with its words. */
idv_rc idvi_sqlite_fail(const struct idv_db *db, int code);

#endif
