/* SPDX-License-Identifier: Apache-2.0 */
/* Databases of other versions: brought forward with their rows, shared with the
 * version before, refused when they are from too far ahead. */
#include "tests/unit/codec.h"

#include <sys/wait.h>

#include "idevid/db/sqlite.h"
#include "tests/unit/place.h"
#include "tests/unit/store.h"

static struct pg pg;

/* a place with what the first version left */
static struct place *first_version(struct pg *server)
{
    struct place *p = calloc(1, sizeof(*p));
    char file[512], command[1024];
    const char *top = getenv("top_srcdir");
    place_make(p, server);
    snprintf(file, sizeof(file), "%s/tests/data/services-1.%s.sql",
             top ? top : ".", server ? "postgresql" : "sqlite");
    if (server) {
        pg_load(server, file);
        return p;
    }
    snprintf(command, sizeof(command), "sqlite3 '%s' < '%s'", p->url, file);
    assert_int_equal(system(command), 0);
    return p;
}

static int setup(void **state)
{
    *state = first_version(NULL);
    return 0;
}

static int setup_pg(void **state)
{
    *state = pg.dir[0] ? first_version(&pg) : NULL;
    return 0;
}

static int teardown(void **state)
{
    if (*state)
        place_drop(*state);
    free(*state);
    return 0;
}

static struct place *ready(void **state)
{
    if (!*state)
        skip();
    return *state;
}

static int64_t number(struct idv_db *db, const char *sql)
{
    IDVI_QUERY(q);
    bool row = false;
    int64_t n = -1;
    OK(idvi_query(db, &q, sql, ""));
    OK(idvi_query_next(&q, &row));
    if (row)
        OK(idvi_query_get(&q, "i", &n));
    return n;
}

static int64_t version(struct idv_db *db)
{
    return number(db, "SELECT max(version) FROM schema_version");
}

/* --- rows are kept -------------------------------------------------------- */

static void masa_kept(struct idv_db *db)
{
    struct idv_masa_store s = idv_db_masa_store(db);
    struct idv_masa_device d = {0};
    struct idv_masa_issue i = {0};
    uint8_t keyid[1] = {2}, rvr[32];
    bool found = false;
    memset(rvr, 0x22, sizeof(rvr));
    OK(s.device_find(s.self, idv_bytes(keyid, 1), "JADA123456790", &found, &d));
    assert_true(found && d.standing == IDV_STANDING_BLOCKED);
    assert_string_equal(d.reason, "stolen");
    OK(s.issue_find(s.self, rvr, 1700000001, &found, &i));
    assert_true(found && i.voucher.n == 7 && i.device_id == 1);
    assert_int_equal(events(db), 1);
    idv_masa_device_free(&d);
    idv_masa_issue_free(&i);
}

static void registrar_kept(struct idv_db *db)
{
    struct idv_registrar_store s = idv_db_registrar_store(db);
    struct idv_session session = {0};
    struct idv_issued cert = {0};
    struct idv_est_store e = idv_db_est_store(db);
    enum idv_decision d = IDV_DECISION_NONE;
    uint8_t key[32];
    bool found = false;
    memset(key, 0x33, sizeof(key));
    OK(s.session_get(s.self, key, &found, &session));
    assert_true(found && session.state == IDV_SESSION_ESTATUS_OK);
    assert_int_equal(session.changed, 1700000060);
    OK(s.decision(s.self, "jada", "JADA123456789", false, 1, &d));
    assert_int_equal(d, IDV_DECISION_APPROVED);
    memset(key, 0x66, sizeof(key));
    OK(e.find_cert(e.self, key, &found, &cert));
    assert_true(found && cert.not_after == 1731536055);
    idv_session_free(&session);
    idv_issued_free(&cert);
}

static void forward(void **state)
{
    struct place *p = ready(state);
    struct idv_db *db = NULL;
    bool fresh = false;
    OK(idv_db_open(p->url, &db));
    assert_true(version(db) > 1);
    masa_kept(db);
    registrar_kept(db);
    OK(add_device(db, "NEW", 1)); /* and new rows come after them */
    OK(issue(db, 9, &fresh));
    assert_true(fresh && events(db) == 2);
    FAILS(IDV_E_STATE, "only grows",
          idvi_exec(db, NULL, "DELETE FROM audit_event", ""));
    idv_db_close(db);
}

/* what is brought forward and what is made anew have the same tables */
#define SHAPE                                                                  \
    "SELECT count(*) FROM sqlite_master m JOIN pragma_table_info(m.name) t"    \
    " WHERE m.type = 'table'"
#define INDICES "SELECT count(*) FROM sqlite_master WHERE type <> 'table'"
static void as_made_anew(void **state)
{
    struct place *p = ready(state), anew = {0};
    struct idv_db *old = NULL, *new = NULL;
    place_make(&anew, NULL);
    OK(idv_db_open(p->url, &old));
    OK(idv_db_open(anew.url, &new));
    assert_int_equal(number(old, SHAPE), number(new, SHAPE));
    assert_int_equal(number(old, INDICES), number(new, INDICES));
    idv_db_close(old);
    idv_db_close(new);
    place_drop(&anew);
}

/* --- several begin at once ------------------------------------------------ */

static void at_once(void **state)
{
    struct place *p = ready(state);
    struct idv_db *db = NULL;
    for (int i = 0; i < 6; i++) {
        if (fork() == 0)
            _exit(idv_db_open(p->url, &db) != IDV_OK);
    }
    for (int i = 0; i < 6; i++) {
        int status = 0;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    OK(idv_db_open(p->url, &db));
    assert_int_equal(number(db, "SELECT count(*) FROM schema_version"),
                     version(db));
    masa_kept(db);
    idv_db_close(db);
}

/* --- from ahead ----------------------------------------------------------- */

static void list(struct idv_db *db, int64_t v, int64_t reader)
{
    OK(idvi_exec(db, NULL,
                 "INSERT INTO schema_version (version, reader, form)"
                 " VALUES ($1, $2, 'services')",
                 "ii", v, reader));
}

static void side_by_side(void **state)
{
    struct place *p = ready(state);
    struct idv_db *db = NULL, *other = NULL;
    OK(idv_db_open(p->url, &db));
    int64_t mine = version(db);
    list(db, mine + 1, mine); /* a later one that only added */
    OK(idv_db_open(p->url, &other));
    assert_int_equal(version(other), mine + 1);
    OK(add_device(other, "NEW", 1));
    idv_db_close(other);
    list(db, mine + 2, mine + 2);
    FAILS(IDV_E_FORMAT, "is later than this program's",
          idv_db_open(p->url, &other));
    idv_db_close(db);
}

/* --- cut ------------------------------------------------------------------ */

/* an index that is in the way: nothing of the version is left behind */
static void all_or_nothing(void **state)
{
    struct place *p = ready(state);
    struct idv_db *db = NULL;
    sqlite3 *h = NULL;
    assert_int_equal(sqlite3_open(p->url, &h), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(h, "CREATE INDEX issued_end ON issued (id)", 0, 0, 0),
        SQLITE_OK);
    FAILS(IDV_E_IO, "issued_end already exists", idv_db_open(p->url, &db));
    assert_int_equal(sqlite3_exec(h, "DROP INDEX issued_end", 0, 0, 0),
                     SQLITE_OK);
    sqlite3_close(h);
    OK(idv_db_open(p->url, &db));
    masa_kept(db);
    idv_db_close(db);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define BOTH(f)                                                                \
    T(f),                                                                      \
    {                                                                          \
#f " (PostgreSQL)", f, setup_pg, teardown, NULL                        \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(forward),   BOTH(at_once),     BOTH(side_by_side),
        T(as_made_anew), T(all_or_nothing),
    };
    (void)pg_start(&pg);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_stop(&pg);
    return failed;
}
