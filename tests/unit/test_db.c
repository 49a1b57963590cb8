/* SPDX-License-Identifier: Apache-2.0 */
/* The store's file: made, opened again, full, wrong. */
#include "tests/unit/codec.h"

#include <sys/stat.h>

#include "idevid/db/sqlite.h"
#include "tests/unit/store.h"

struct fixture {
    char dir[64], path[80];
    struct idv_db *db;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    test_dir(f->dir);
    snprintf(f->path, sizeof(f->path), "%s/store.db", f->dir);
    OK(idv_db_open(f->path, &f->db));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    idv_db_close(f->db);
    test_dir_drop(f->dir);
    free(f);
    return 0;
}

/* --- the file ------------------------------------------------------------- */

static void reopens(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    bool fresh = false;
    OK(add_device(f->db, "A", 1));
    OK(issue(f->db, 1, &fresh));
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    idv_db_close(f->db);
    f->db = NULL;
    OK(idv_db_open(f->path, &f->db));
    assert_int_equal(devices(f->db, "A"), 1);
    assert_int_equal(events(f->db), 1);
}

static void by_url(void **state)
{
    struct fixture *f = *state;
    struct idv_db *other = NULL;
    char url[96];
    OK(add_device(f->db, "A", 1));
    snprintf(url, sizeof(url), "sqlite:%s", f->path);
    OK(idv_db_open(url, &other));
    assert_int_equal(devices(other, NULL), 1);
    idv_db_close(other);
}

static void no_directory(void **state)
{
    struct fixture *f = *state;
    struct idv_db *db = NULL;
    char path[96];
    snprintf(path, sizeof(path), "%s/nowhere/store.db", f->dir);
    FAILS(IDV_E_IO, "nowhere/store.db: No such file", idv_db_open(path, &db));
    FAILS(IDV_E_IO, f->dir, idv_db_open(f->dir, &db));
    FAILS(IDV_E_ARG, "no file", idv_db_open("", &db));
    assert_null(db);
}

static void wrong_file(void **state)
{
    struct fixture *f = *state;
    struct idv_db *db = NULL;
    char path[96];
    snprintf(path, sizeof(path), "%s/text", f->dir);
    OK(idv_fs_write(path,
                    idv_str("this is no database, but long enough for "
                            "somebody to look at its first bytes......."
                            "..........................................."),
                    0600));
    FAILS(IDV_E_FORMAT, "not a database", idv_db_open(path, &db));
    assert_null(db);
}

static void other_program(void **state)
{
    struct fixture *f = *state;
    struct idv_db *db = NULL;
    sqlite3 *h = NULL;
    char path[96];
    snprintf(path, sizeof(path), "%s/other.db", f->dir);
    assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
    assert_int_equal(sqlite3_exec(h, "CREATE TABLE t (a)", 0, 0, 0), SQLITE_OK);
    sqlite3_close(h);
    FAILS(IDV_E_FORMAT, "another program", idv_db_open(path, &db));
}

static void later_version(void **state)
{
    struct fixture *f = *state;
    struct idv_db *db = NULL;
    OK(idvi_exec(f->db, NULL, "PRAGMA user_version = 99", ""));
    FAILS(IDV_E_FORMAT, "version 99 is later", idv_db_open(f->path, &db));
}

static void disk_full(void **state)
{
    struct fixture *f = *state;
    struct idv_masa_issue i = some_issue(1);
    struct idv_masa_store s = idv_db_masa_store(f->db);
    bool fresh = false, found = true;
    OK(add_device(f->db, "A", 1));
    uint8_t *room;
    OK(idv_buf_room(&i.voucher, 60000, &room));
    i.voucher.n += 60000;
    IDVI_QUERY(q);
    OK(idvi_query(f->db, &q, "PRAGMA max_page_count = 1", ""));
    OK(idvi_query_next(&q, &found)); /* no more pages than there are */
    idvi_query_end(&q);
    FAILS(IDV_E_IO, "store.db: database or disk is full",
          s.issue_add(s.self, &i, &fresh));
    assert_int_equal(events(f->db), 0); /* neither voucher nor event */
    OK(s.issue_find(s.self, i.rvr_sha256, 0, &found, &i));
    assert_false(found);
    OK(idvi_query(f->db, &q, "PRAGMA max_page_count = 100000", ""));
    OK(idvi_query_next(&q, &found));
    idvi_query_end(&q);
    OK(s.issue_add(s.self, &i, &fresh));
    assert_true(fresh);
    idv_masa_issue_free(&i);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(reopens),       T(by_url),        T(no_directory), T(wrong_file),
        T(other_program), T(later_version), T(disk_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
