/* SPDX-License-Identifier: Apache-2.0 */
/* A line's book as an earlier program left it: brought forward, with all that
 * is in it. */
#include "tests/unit/codec.h"

#include "idevid/db/sqlite.h"
#include "tests/lib/factory_book.h"
#include "tests/lib/pki.h"

/* the book of version 1 in the place of a new one */
static int setup(void **state)
{
    struct book *b = calloc(1, sizeof(*b));
    const char *top = getenv("top_srcdir");
    char command[1024];
    book_open(b);
    idv_db_close(b->db);
    snprintf(command, sizeof(command),
             "cd '%s' && rm -f *.db* && sqlite3 '%s'"
             " < '%s/tests/data/book-1.sqlite.sql'",
             b->dir, b->path, top ? top : ".");
    assert_int_equal(system(command), 0);
    b->db = NULL;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    book_drop(*state);
    free(*state);
    return 0;
}

/* what one row says, as text */
static void told(const char *path, const char *sql, char out[static 512])
{
    sqlite3 *h = NULL;
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(h, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    snprintf(out, 512, "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    sqlite3_close(h);
}

#define CALL(b, fn, ...) ((b)->store.fn((b)->store.self, __VA_ARGS__))

static void rows_are_kept(void **state)
{
    struct book *b = *state;
    struct idv_factory_device d = {0};
    bool found = false;
    book_again(b);
    OK(CALL(b, find, IDV_BY_SERIAL, idv_str("R-0001"), &found, &d));
    assert_true(found);
    assert_int_equal(d.state, IDV_DEVICE_DONE);
    assert_true(idv_bytes_eq(idv_view(&d.cert), idv_str("cert 1")));
    idv_factory_device_free(&d);
    assert_int_equal(book_entries(b, NULL), 2);
    book_put(b, "R-0002", 2, IDV_DEVICE_DONE); /* and it goes on */
    assert_int_equal(book_entries(b, "done"), 2);
}

/* which the first books refuse: their claims are for ever */
static void serial_is_released(void **state)
{
    struct book *b = *state;
    struct idv_factory_device d = book_device("R-0001", 1, IDV_DEVICE_RELEASED);
    enum idv_factory_why why = IDV_WHY_NONE;
    memset(d.ek, 0, sizeof(d.ek));
    memset(d.key, 0, sizeof(d.key));
    book_again(b);
    OK(CALL(b, put, &d, IDV_DEVICE_DONE, "released", idv_str("{}"), PKI_NOW + 1,
            &why));
    idv_factory_device_free(&d);
    book_put(b, "R-0002", 1, IDV_DEVICE_DONE); /* the device is that one */
}

/* tables have columns that say NOT NULL twice or once; triggers are the same */
#define TRIGGERS                                                               \
    "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_master"        \
    " WHERE type = 'trigger' AND name LIKE 'claim%' ORDER BY name)"
#define NAMES                                                                  \
    "SELECT group_concat(name) FROM (SELECT name FROM sqlite_master"           \
    " WHERE name NOT LIKE 'sqlite%' ORDER BY name)"
static void as_made_anew(void **state)
{
    struct book *b = *state, anew;
    char old[512], new[512];
    book_again(b);
    book_open(&anew);
    told(b->path, TRIGGERS, old);
    told(anew.path, TRIGGERS, new);
    assert_non_null(strstr(old, "<> 8"));
    assert_string_equal(old, new);
    told(b->path, NAMES, old);
    told(anew.path, NAMES, new);
    assert_string_equal(old, new);
    book_drop(&anew);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rows_are_kept),
        T(serial_is_released),
        T(as_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
