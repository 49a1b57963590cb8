/* SPDX-License-Identifier: Apache-2.0 */
/* What is on the disk when: an SQLite store when the power fails. */
#include "tests/unit/codec.h"

#include <errno.h>
#include <fcntl.h>

#include "idevid/db/sqlite.h"
#include "tests/unit/store.h"

/* --- a disk that has what was synced -------------------------------------- */

static char dir[64], path[80];
static int syncs, broken; /* errno of the next syncs */

/* what is in the files now is what remains of them */
static void keep(void)
{
    char command[512];
    snprintf(command, sizeof(command),
             "cd %s && rm -rf left && mkdir left && cp s.db s.db-wal left/",
             dir);
    assert_int_equal(system(command), 0);
}

static bool of_wal(int fd)
{
    char link[64], name[128], wal[96];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof(name) - 1);
    name[n > 0 ? n : 0] = 0;
    snprintf(wal, sizeof(wal), "%s-wal", path);
    return strcmp(name, wal) == 0;
}

/* libsqlite3 calls these */
#define VISIBLE __attribute__((visibility("default")))
VISIBLE int fdatasync(int fd)
{
    if (fcntl(fd, F_GETFD) < 0)
        return -1;
    if (broken) {
        errno = broken;
        return -1;
    }
    if (of_wal(fd)) {
        syncs++;
        keep();
    }
    return 0;
}

VISIBLE int fsync(int fd)
{
    return fdatasync(fd);
}

/* --- what a store that was there has kept --------------------------------- */

static int setup(void **state)
{
    struct idv_db *db = NULL;
    test_dir(dir);
    snprintf(path, sizeof(path), "%s/s.db", dir);
    broken = 0;
    OK(idv_db_open(path, &db));
    OK(add_device(db, "A", 1));
    syncs = 0;
    *state = db;
    return 0;
}

static int teardown(void **state)
{
    idv_db_close(*state);
    test_dir_drop(dir);
    return 0;
}

static int events_left(void)
{
    struct idv_db *db = NULL;
    char left[96];
    snprintf(left, sizeof(left), "%s/left/s.db", dir);
    OK(idv_db_open(left, &db));
    int n = events(db);
    idv_db_close(db);
    return n;
}

static void add(struct idv_db *db, int n)
{
    bool fresh = false;
    OK(issue(db, n, &fresh));
    assert_true(fresh);
}

static void each_at_once(void **state)
{
    struct idv_db *db = *state;
    add(db, 1);
    assert_int_equal(syncs, 1);
    OK(idv_db_commit(db)); /* nothing is left to do */
    assert_int_equal(syncs, 1);
    assert_int_equal(events_left(), 1);
}

static void many_by_one(void **state)
{
    struct idv_db *db = *state;
    OK(idv_db_batch(db));
    for (int n = 1; n <= 20; n++)
        add(db, n);
    assert_int_equal(syncs, 0);
    OK(idv_db_commit(db));
    assert_int_equal(syncs, 1);
    add(db, 21); /* committed never, answered never */
    assert_int_equal(events_left(), 20);
}

static void nothing_written(void **state)
{
    struct idv_db *db = *state;
    struct idv_registrar_store s = idv_db_registrar_store(db);
    struct idv_session session = {.state = IDV_SESSION_PVR_OK};
    bool fresh = false;
    OK(idv_db_batch(db));
    assert_int_equal(events(db), 0);
    OK(s.session_add(s.self, &session, &fresh)); /* can be done again */
    OK(idv_db_commit(db));
    assert_int_equal(syncs, 0);
}

/* What the MASA is about to get is there for good; that it is asked, is not. */
static void request_kept(void **state)
{
    struct idv_db *db = *state;
    struct idv_registrar_store s = idv_db_registrar_store(db);
    struct idv_session session = {.state = IDV_SESSION_PVR_OK};
    bool yes = false;
    OK(idv_db_batch(db));
    OK(s.session_add(s.self, &session, &yes));
    OK(idv_buf_puts(&session.rvr, "signed"));
    OK(s.session_update(s.self, &session, IDV_SESSION_PVR_OK, &yes));
    assert_true(yes);
    OK(s.session_claim(s.self, session.pvr_sha256, 1, 0, false, &yes));
    assert_true(yes);
    OK(idv_db_commit(db));
    assert_int_equal(syncs, 1);
    session.state = IDV_SESSION_MASA_WAIT;
    OK(s.session_update(s.self, &session, IDV_SESSION_MASA_WAIT, &yes));
    OK(idv_db_commit(db));
    assert_int_equal(syncs, 1);
    idv_session_free(&session);
}

/* what another process did and is answered from here */
static void relied_on(void **state)
{
    struct idv_db *db = *state, *other = NULL;
    struct idv_masa_store s;
    struct idv_masa_issue i = {0};
    uint8_t rvr[32] = {1};
    bool found = false;
    OK(idv_db_open(path, &other));
    OK(idv_db_batch(db));
    OK(idv_db_batch(other));
    s = idv_db_masa_store(other);
    add(db, 1);
    OK(s.issue_find(s.self, rvr, 150, &found, &i));
    assert_true(found);
    OK(idv_db_commit(other));
    assert_int_equal(syncs, 1);
    assert_int_equal(events_left(), 1);
    OK(s.issue_find(s.self, rvr, 150, &found, &i));
    OK(idv_db_commit(other)); /* nobody wrote since */
    assert_int_equal(syncs, 1);
    idv_masa_issue_free(&i);
    idv_db_close(other);
}

/* also where only how far a device is was asked for */
static void state_relied_on(void **state)
{
    struct idv_db *db = *state, *other = NULL;
    struct idv_registrar_store s = idv_db_registrar_store(db);
    struct idv_session session = {.state = IDV_SESSION_PVR_OK};
    enum idv_session_state how;
    bool yes = false;
    OK(idv_db_open(path, &other));
    OK(idv_db_batch(db));
    OK(idv_db_batch(other));
    OK(s.session_add(s.self, &session, &yes));
    s = idv_db_registrar_store(other);
    OK(s.session_state(s.self, session.idevid_sha256, &yes, &how));
    assert_true(yes);
    OK(idv_db_commit(other)); /* nothing was promised yet */
    assert_int_equal(syncs, 0);
    s = idv_db_registrar_store(db);
    session.state = IDV_SESSION_ENROLLED;
    OK(s.session_update(s.self, &session, IDV_SESSION_PVR_OK, &yes));
    s = idv_db_registrar_store(other);
    OK(s.session_state(s.self, session.idevid_sha256, &yes, &how));
    assert_int_equal(how, IDV_SESSION_ENROLLED);
    OK(idv_db_commit(other));
    assert_int_equal(syncs, 1);
    idv_db_close(other);
}

static void sync_fails(void **state)
{
    struct idv_db *db = *state;
    OK(idv_db_batch(db));
    add(db, 1);
    broken = EIO;
    FAILS(IDV_E_IO, "s.db: cannot sync", idv_db_commit(db));
    broken = 0;
}

/* --- one transaction of many ------------------------------------------------
 */

static int events_beside(void)
{
    struct idv_db *db = NULL;
    OK(idv_db_open(path, &db));
    int n = events(db);
    idv_db_close(db);
    return n;
}

static void gathered(void **state)
{
    struct idv_db *db = *state;
    OK(idv_db_batch(db));
    OK(idv_db_gather(db));
    for (int n = 1; n <= 20; n++)
        add(db, n);
    assert_int_equal(events_beside(), 0);
    OK(idv_db_commit(db));
    assert_int_equal(syncs, 1);
    assert_int_equal(events_left(), 20);
    add(db, 21); /* alone again */
    assert_int_equal(events_beside(), 21);
}

static idv_rc half(struct idv_db *db, void *unused)
{
    (void)unused;
    OK(idvi_exec(db, NULL, "DELETE FROM known_registrar", ""));
    OK(idvi_exec(db, NULL,
                 "INSERT INTO known_registrar (cert_sha256, name, nonceless,"
                 " blocked) VALUES ($1, 'half', 0, 0)",
                 "b", idv_str("half")));
    return idv_fail(IDV_E_REJECT, "not the other half");
}

static int registrars(struct idv_db *db)
{
    int64_t n = 0;
    bool row = false;
    IDVI_QUERY(q);
    OK(idvi_query(db, &q, "SELECT count(*) FROM known_registrar", ""));
    OK(idvi_query_next(&q, &row));
    OK(idvi_query_get(&q, "i", &n));
    return (int)n;
}

/* one call's failure is its own: nothing of it is there, the others are */
static void one_part_fails(void **state)
{
    struct idv_db *db = *state;
    bool fresh = true;
    OK(idv_db_batch(db));
    OK(idv_db_gather(db));
    add(db, 1);
    FAILS(IDV_E_REJECT, "other half", idvi_within(db, half, NULL));
    OK(issue(db, 1, &fresh)); /* was there */
    assert_false(fresh);
    add(db, 2);
    OK(idv_db_commit(db));
    assert_int_equal(events_left(), 2);
    assert_int_equal(registrars(db), 0);
}

/* as libsqlite3 does by itself where the disk is full */
static void ended_within(void **state)
{
    struct idv_db *db = *state;
    bool fresh = false;
    OK(idv_db_batch(db));
    OK(idv_db_gather(db));
    add(db, 1);
    idvi_sqlite_rollback(db);
    FAILS(IDV_E_IO, "transaction has ended", issue(db, 2, &fresh));
    assert_true(idv_db_commit(db) != IDV_OK);
    idv_note_clear();
    assert_int_equal(events_beside(), 0);
    add(db, 3);
    OK(idv_db_commit(db));
    assert_int_equal(events_left(), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_at_once), T(many_by_one), T(nothing_written),
        T(request_kept), T(relied_on),   T(state_relied_on),
        T(sync_fails),   T(gathered),    T(one_part_fails),
        T(ended_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
