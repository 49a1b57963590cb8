/* SPDX-License-Identifier: Apache-2.0 */
/* A store in PostgreSQL when the server fails, is slow, or is somebody else. */
#include "tests/unit/codec.h"

#include <sys/wait.h>

#include "tests/unit/place.h"
#include "tests/unit/store.h"

static struct pg pg;

struct fixture {
    struct place place;
    struct idv_db *db;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (!pg.dir[0])
        return 0;
    place_make(&f->place, &pg);
    OK(idv_db_open(f->place.url, &f->db));
    OK(add_device(f->db, "A", 1));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f)
        idv_db_close(f->db);
    free(f);
    return 0;
}

static struct fixture *ready(void **state)
{
    if (!*state)
        skip();
    return *state;
}

/* --- who is there --------------------------------------------------------- */

static void secret_kept(void **state)
{
    static const char *const urls[] = {
        "postgresql://u:s3cret@127.0.0.1:1/x",
        "postgres://u:s3cret@/x?host=/nowhere&password=s3cret",
        "postgresql://u:s3cret%zz@h/x",
        "postgresql://u@h/x?password=s3cret&no-such=1",
        "postgresql://u:s3c@ret@/x?host=/nowhere",
    };
    (void)ready(state);
    for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
        struct idv_db *db = NULL;
        assert_int_not_equal(idv_db_open(urls[i], &db), IDV_OK);
        assert_non_null(strstr(idv_note(), "store: postgres"));
        assert_null(strstr(idv_note(), "s3c"));
        assert_null(strstr(idv_note(), "ret@"));
        idv_note_clear();
    }
}

static void other_program(void **state)
{
    struct idv_db *db = NULL;
    char url[256], sql[64];
    (void)ready(state);
    pg_url(&pg, url);
    snprintf(sql, sizeof(sql), "CREATE TABLE t%u.t (a int)", pg.schemas);
    pg_sql(&pg, sql);
    FAILS(IDV_E_FORMAT, "another program", idv_db_open(url, &db));
}

static void other_form(void **state)
{
    struct fixture *f = ready(state);
    struct idv_db *db = NULL;
    FAILS(IDV_E_FORMAT, "the services' database, not a line's book",
          idv_db_open_factory(f->place.url, &db));
}

/* --- slow ----------------------------------------------------------------- */

static void takes_too_long(void **state)
{
    struct fixture *f = ready(state);
    struct idv_db *db = NULL;
    char url[512];
    IDVI_QUERY(q);
    snprintf(url, sizeof(url), "%s%%20-cstatement_timeout%%3D100",
             f->place.url);
    OK(idv_db_open(url, &db));
    FAILS(IDV_E_IO, "statement timeout",
          idvi_query(db, &q, "SELECT pg_sleep(60)", ""));
    idvi_query_end(&q);
    assert_int_equal(devices(db, "A"), 1);
    idv_db_close(db);
}

/* --- gone, and back ------------------------------------------------------- */

static void comes_back(void **state)
{
    struct fixture *f = ready(state);
    bool fresh = false;
    OK(issue(f->db, 1, &fresh));
    pg_halt(&pg);
    FAILS(IDV_E_IO, "store: postgresql://idevid@/postgres",
          issue(f->db, 2, &fresh));
    FAILS(IDV_E_IO, "no connection", issue(f->db, 2, &fresh));
    pg_go(&pg);
    while (issue(f->db, 2, &fresh) != IDV_OK)
        idv_note_clear(); /* for a second after the last attempt */
    assert_true(fresh);
    assert_int_equal(events(f->db), 2);
}

/* a restart between two calls is not noticed */
static void restarted(void **state)
{
    struct fixture *f = ready(state);
    bool fresh = false;
    OK(issue(f->db, 1, &fresh));
    pg_halt(&pg);
    pg_go(&pg);
    OK(issue(f->db, 1, &fresh));
    assert_false(fresh);
    assert_int_equal(events(f->db), 1);
}

static void broken_within(void **state)
{
    struct fixture *f = ready(state);
    OK(idvi_begin(f->db));
    OK(idvi_exec(f->db, NULL, "DELETE FROM device", ""));
    pg_halt(&pg);
    pg_go(&pg);
    assert_int_equal(
        idvi_end(f->db, idvi_exec(f->db, NULL, "DELETE FROM device", "")),
        IDV_E_IO);
    idv_note_clear();
    assert_int_equal(devices(f->db, "A"), 1);
}

/* --- safe ----------------------------------------------------------------- */

static void safe_after_commit(void **state)
{
    struct fixture *f = ready(state);
    bool fresh = false;
    OK(idv_db_batch(f->db));
    OK(issue(f->db, 1, &fresh));
    OK(idv_db_commit(f->db));
    OK(issue(f->db, 2, &fresh)); /* nobody waited for this one */
    pg_halt(&pg);
    pg_go(&pg);
    assert_int_equal(events(f->db), 1);
}

/* what was lost on the way is not committed by a new connection */
static void lost_before_commit(void **state)
{
    struct fixture *f = ready(state);
    bool fresh = false;
    OK(idv_db_batch(f->db));
    OK(issue(f->db, 1, &fresh));
    pg_halt(&pg);
    pg_go(&pg);
    OK(issue(f->db, 2, &fresh));
    FAILS(IDV_E_IO, "before what was done is on disk", idv_db_commit(f->db));
    OK(issue(f->db, 1, &fresh));
    assert_true(fresh);
    OK(idv_db_commit(f->db));
}

static void relied_on(void **state)
{
    struct fixture *f = ready(state);
    struct idv_db *other = NULL;
    struct idv_masa_issue i = {0};
    uint8_t rvr[32] = {1};
    bool fresh = false, found = false;
    OK(idv_db_open(f->place.url, &other));
    OK(idv_db_batch(other));
    OK(issue(other, 1, &fresh)); /* and its process is slow to commit */
    struct idv_masa_store s = idv_db_masa_store(f->db);
    OK(idv_db_batch(f->db));
    OK(s.issue_find(s.self, rvr, 150, &found, &i));
    assert_true(found);
    OK(idv_db_commit(f->db));
    pg_halt(&pg);
    pg_go(&pg);
    assert_int_equal(events(f->db), 1);
    idv_masa_issue_free(&i);
    idv_db_close(other);
}

/* --- how did it end? ------------------------------------------------------ */

static int child_result(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Committed, and the connection ended before the server said so: a commit that
 * waits for a standby which there is not is broken off there. */
static void said_by_none(void **state)
{
    struct fixture *f = ready(state);
    pg_sql(&pg, "ALTER SYSTEM SET synchronous_standby_names = nobody");
    pg_sql(&pg, "SELECT pg_reload_conf()");
    pid_t pid = fork();
    if (pid == 0) {
        struct idv_db *db = NULL;
        bool fresh = false;
        if (idv_db_open(f->place.url, &db) != IDV_OK)
            _exit(3);
        idv_rc rc = issue(db, 1, &fresh);
        idv_db_close(db);
        _exit(rc == IDV_OK && fresh ? 0 : 1);
    }
    pg_sql(&pg, "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_stat_activity"
                " WHERE wait_event = $q$SyncRep$q$) LOOP"
                " PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();"
                " END LOOP; END $$");
    pg_sql(&pg, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE wait_event = $q$SyncRep$q$");
    int result = child_result(pid);
    pg_sql(&pg, "ALTER SYSTEM RESET synchronous_standby_names");
    pg_sql(&pg, "SELECT pg_reload_conf()");
    assert_int_equal(result, 0);
    assert_int_equal(events(f->db), 1);
}

/* Ended before it was committed: says so, and has changed nothing. */
static void ended_before(void **state)
{
    struct fixture *f = ready(state);
    bool fresh = false;
    OK(idvi_exec(f->db, NULL,
                 "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid());"
                 " PERFORM pg_sleep(60); RETURN NULL; END $$",
                 ""));
    OK(idvi_exec(f->db, NULL,
                 "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON audit_event"
                 " DEFERRABLE INITIALLY DEFERRED"
                 " FOR EACH ROW EXECUTE FUNCTION die()",
                 ""));
    FAILS(IDV_E_IO, "terminating connection", issue(f->db, 1, &fresh));
    OK(idvi_exec(f->db, NULL, "DROP TRIGGER die ON audit_event", ""));
    assert_int_equal(events(f->db), 0);
    OK(issue(f->db, 1, &fresh));
    assert_true(fresh);
}

/* --- met by others -------------------------------------------------------- */

struct meeting {
    struct idv_db *other;
    int calls, others;
};

static idv_rc touch(struct idv_db *db, const char *serial)
{
    bool row = false;
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q, "SELECT count(*) FROM decision", ""));
    IDV_TRY(idvi_query_next(&q, &row));
    return idv_db_decide(db, "m", serial, IDV_DECISION_APPROVED, 1);
}

static idv_rc touch_other(struct idv_db *db, void *arg)
{
    (void)arg;
    return touch(db, "other");
}

static idv_rc meet(struct idv_db *db, void *arg)
{
    struct meeting *m = arg;
    m->calls++;
    IDV_TRY(touch(db, "mine"));
    if (m->others-- > 0)
        OK(idvi_within(m->other, touch_other, NULL));
    return IDV_OK;
}

static void done_again(void **state)
{
    struct fixture *f = ready(state);
    struct meeting m = {.others = 3};
    OK(idv_db_open(f->place.url, &m.other));
    OK(idvi_within(f->db, meet, &m));
    assert_int_equal(m.calls, 4);
    m = (struct meeting){.other = m.other, .others = 1000};
    assert_int_equal(idvi_within(f->db, meet, &m), IDV_E_IO);
    assert_non_null(strstr(idv_note(), "could not serialize"));
    idv_note_clear();
    assert_true(m.calls > 3 && m.calls < 100);
    OK(idv_db_decide(f->db, "m", "later", IDV_DECISION_APPROVED, 1));
    idv_db_close(m.other);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(secret_kept),    T(other_program),     T(other_form),
        T(takes_too_long), T(comes_back),        T(restarted),
        T(broken_within),  T(safe_after_commit), T(lost_before_commit),
        T(relied_on),      T(said_by_none),      T(ended_before),
        T(done_again),
    };
    (void)pg_start(&pg);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_stop(&pg);
    return failed;
}
