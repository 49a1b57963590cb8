/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of an SQLite store as it is now, while others go on writing; and back
 * into its place. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <errno.h>

#include "idevid/db/sqlite.h"

static idv_rc failed(const char *path, const char *words)
{
    return idv_fail(IDV_E_IO, "backup: %s: %s", path, words);
}

/* All pages in one step: in WAL mode that stops no writer of db, and of the
 * other it is one transaction. path: of the other. */
static idv_rc copy(struct idv_db *db, sqlite3 *to, const char *path)
{
    sqlite3_backup *b =
        sqlite3_backup_init(to, "main", idvi_sqlite_of(db)->h, "main");
    if (!b)
        return failed(path, sqlite3_errmsg(to));
    int code = sqlite3_backup_step(b, -1);
    int end = sqlite3_backup_finish(b);
    if (code != SQLITE_DONE || end != SQLITE_OK)
        return failed(path, sqlite3_errstr(end != SQLITE_OK ? end : code));
    return IDV_OK;
}

idv_rc idvi_sqlite_restore(struct idv_db *db, struct idv_db *from)
{
    return from ? copy(from, idvi_sqlite_of(db)->h, db->path) : IDV_OK;
}

static idv_rc copy_to(struct idv_db *db, const char *path)
{
    sqlite3 *to = NULL;
    int code = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE, NULL);
    idv_rc rc = code == SQLITE_OK ? copy(db, to, path)
                                  : failed(path, sqlite3_errstr(code));
    if (sqlite3_close(to) != SQLITE_OK && rc == IDV_OK)
        rc = failed(path, "cannot close");
    return rc;
}

/* a name that was not there, and is there with the whole copy or not at all */
idv_rc idvi_sqlite_backup(struct idv_db *db, const char *path)
{
    int fd =
        open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return failed(path, strerror(errno));
    idv_rc rc = copy_to(db, path);
    if (rc == IDV_OK && fsync(fd) != 0)
        rc = failed(path, strerror(errno));
    close(fd);
    if (rc != IDV_OK)
        (void)unlink(path);
    return rc;
}
