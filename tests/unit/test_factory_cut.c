/* SPDX-License-Identifier: Apache-2.0 */
/* The line's book when its program is killed at any write, its disk is full at
 * any write, its file is locked or foreign; and what a change costs. */
#include "tests/unit/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "idevid/db/sqlite.h"
#include "tests/lib/factory_book.h"
#include "tests/lib/pki.h"

static struct pki pki;

#define CALL(b, fn, ...) ((b)->store.fn((b)->store.self, __VA_ARGS__))

/* --- writes and syncs of SQLite, counted and stopped ---------------------- */

enum stop { COUNT, KILL, KILL_HALF, FULL };
static enum stop stop;
static int until; /* that many writes go through */
static int writes, syncs;

static ssize_t stopped(int fd, const void *p, size_t n, off_t at)
{
    if (stop == FULL) {
        errno = ENOSPC;
        return -1;
    }
    if (stop == KILL_HALF)
        (void)!syscall(SYS_pwrite64, fd, p, n / 2, at);
    raise(SIGKILL);
    return -1;
}

static ssize_t watched(int fd, const void *p, size_t n, off_t at)
{
    if (++writes > until && stop != COUNT)
        return stopped(fd, p, n, at);
    return (ssize_t)syscall(SYS_pwrite64, fd, p, n, at);
}

/* libsqlite3 calls these; what a killed process wrote is there without them */
#define VISIBLE __attribute__((visibility("default")))
VISIBLE int fdatasync(int fd)
{
    syncs++;
    return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

VISIBLE int fsync(int fd)
{
    return fdatasync(fd);
}

static void watch(enum stop how, int n)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    stop = how;
    until = n;
    writes = syncs = 0;
    assert_int_equal(
        vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)watched),
        SQLITE_OK);
    (void)vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)watched);
}

static void unwatch(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    (void)vfs->xSetSystemCall(vfs, "pwrite", NULL);
    (void)vfs->xSetSystemCall(vfs, "pwrite64", NULL);
    stop = COUNT;
}

/* --- a run of a program --------------------------------------------------- */

static int setup(void **state)
{
    struct book *b = calloc(1, sizeof(*b));
    struct idv_order *o = book_order("L1", "R", 3);
    book_open(b);
    OK(CALL(b, order_add, o, PKI_NOW));
    book_order_free(o);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    unwatch();
    book_drop(*state);
    free(*state);
    return 0;
}

static idv_rc put(struct book *b, enum idv_factory_state from,
                  enum idv_factory_state to, enum idv_factory_why *why)
{
    struct idv_factory_device d = book_device("R-0001", 1, to);
    idv_rc rc = CALL(b, put, &d, from, idv_factory_state_to_text(to),
                     idv_str(""), PKI_NOW, why);
    idv_factory_device_free(&d);
    return rc;
}

static enum idv_factory_state state_of(struct book *b)
{
    struct idv_factory_device d = {0};
    bool found = false;
    OK(CALL(b, find, IDV_BY_SERIAL, idv_str("R-0001"), &found, &d));
    enum idv_factory_state s = d.state;
    idv_factory_device_free(&d);
    return s;
}

/* As a program does that finds out where it was: from there to done, sealed. */
static idv_rc run(struct book *b)
{
    enum idv_factory_state s = state_of(b);
    while (s < IDV_DEVICE_DONE) {
        IDV_TRY(put(b, s, s + 1, NULL));
        s++;
    }
    return idv_journal_seal(&b->store, pki.masa.key, pki.masa.cert,
                            &pki.env.env);
}

static bool is_sound(struct book *b)
{
    struct idv_journal_verdict v;
    idv_rc rc = idv_journal_verify(&b->store, pki.anchors, NULL, &v);
    if (rc != IDV_OK)
        print_error("%s\n", idv_note());
    return rc == IDV_OK;
}

/* in a process of its own, killed at its n-th write; true: it was */
static bool cut_run(const char *path, enum stop how, int n)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct book b = {0};
        watch(how, n);
        if (idv_db_open_factory(path, &b.db) != IDV_OK)
            _exit(1);
        b.store = idv_db_factory_store(b.db);
        idv_rc rc = run(&b);
        idv_db_close(b.db);
        _exit(rc == IDV_OK ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static int cut_everywhere(enum stop how)
{
    for (int n = 0;; n++) {
        void *s = NULL;
        setup(&s);
        struct book *b = s;
        idv_db_close(b->db);
        b->db = NULL;
        bool cut = cut_run(b->path, how, n);
        OK(idv_db_open_factory(b->path, &b->db));
        b->store = idv_db_factory_store(b->db);
        assert_true(is_sound(b));
        OK(run(b));
        assert_true(is_sound(b));
        assert_int_equal(state_of(b), IDV_DEVICE_DONE);
        assert_int_equal(book_entries(b, NULL), 6); /* each step once */
        teardown(&s);
        if (!cut)
            return n;
    }
}

static void killed(void **state)
{
    (void)state;
    int n = cut_everywhere(KILL);
    assert_true(n > 20);
    assert_int_equal(cut_everywhere(KILL_HALF), n);
}

static void disk_full(void **state)
{
    struct book *b = *state;
    bool failed = true;
    for (int n = 0; failed; n++) {
        enum idv_factory_state was = state_of(b);
        unsigned entries = book_entries(b, NULL);
        enum idv_factory_why why = IDV_WHY_NONE;
        watch(FULL, n);
        idv_rc rc = put(b, was, IDV_DEVICE_ISSUED, &why);
        unwatch();
        failed = rc != IDV_OK;
        if (failed) {
            assert_int_equal(rc, IDV_E_IO);
            assert_int_equal(why, IDV_WHY_STORE);
            assert_non_null(strstr(idv_note(), "full"));
            assert_int_equal(state_of(b), was);
        }
        idv_note_clear();
        assert_int_equal(book_entries(b, NULL), entries + !failed);
        assert_true(is_sound(b));
        assert_true(n < 200);
    }
    OK(put(b, IDV_DEVICE_ISSUED, IDV_DEVICE_DONE, NULL));
}

static void locked(void **state)
{
    struct book *b = *state;
    struct idv_db *other = NULL;
    enum idv_factory_why why = IDV_WHY_NONE;
    OK(idv_db_open_factory(b->path, &other));
    OK(idvi_begin(other));
    sqlite3_busy_timeout(idvi_sqlite_of(b->db)->h, 1);
    FAILS(IDV_E_IO, "locked", put(b, IDV_DEVICE_NONE, IDV_DEVICE_SEEN, &why));
    assert_int_equal(why, IDV_WHY_STORE);
    assert_int_equal(state_of(b), IDV_DEVICE_NONE); /* reading goes on */
    OK(idvi_end(other, IDV_OK));
    OK(put(b, IDV_DEVICE_NONE, IDV_DEVICE_SEEN, &why));
    idv_db_close(other);
}

static void damage(const char *path, off_t at, size_t n)
{
    int fd = open(path, O_WRONLY);
    uint8_t junk[4096];
    memset(junk, 0xa5, sizeof(junk));
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, junk, n, at), n);
    close(fd);
}

static void damaged(void **state)
{
    struct book *b = *state;
    struct idv_journal_verdict v;
    OK(run(b));
    idv_db_close(b->db); /* which moves all into the one file */
    b->db = NULL;
    for (off_t at = 4096; at < 20 * 4096; at += 4096)
        damage(b->path, at, 4096);
    idv_rc rc = idv_db_open_factory(b->path, &b->db);
    if (rc == IDV_OK) {
        b->store = idv_db_factory_store(b->db);
        rc = idv_journal_verify(&b->store, pki.anchors, NULL, &v);
        assert_int_equal(rc, IDV_E_REJECT);
    } else {
        assert_int_equal(rc, IDV_E_FORMAT);
    }
    assert_non_null(strstr(idv_note(), "malformed"));
    idv_note_clear();
}

static void foreign(void **state)
{
    struct book *b = *state;
    struct idv_db *db = NULL;
    char path[96];
    FAILS(IDV_E_FORMAT, "this is a line's book, not the services' database",
          idv_db_open(b->path, &db));
    snprintf(path, sizeof(path), "%s/masa.db", b->dir);
    OK(idv_db_open(path, &db));
    idv_db_close(db);
    FAILS(IDV_E_FORMAT, "this is the services' database, not a line's book",
          idv_db_open_factory(path, &db));
}

/* --- what it costs -------------------------------------------------------- */

static void one_sync_each(void **state)
{
    struct book *b = *state;
    watch(COUNT, 0);
    for (enum idv_factory_state s = 0; s < IDV_DEVICE_DONE; s++)
        OK(put(b, s, s + 1, NULL));
    assert_int_equal(syncs, IDV_DEVICE_DONE);
}

static const char *plan(struct book *b, const char *sql)
{
    static char text[256];
    sqlite3_stmt *st = NULL;
    char explain[512];
    snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(
        sqlite3_prepare_v2(idvi_sqlite_of(b->db)->h, explain, -1, &st, NULL),
        SQLITE_OK);
    for (*text = 0; sqlite3_step(st) == SQLITE_ROW;)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s; ",
                 (const char *)sqlite3_column_text(st, 3));
    sqlite3_finalize(st);
    return text;
}

/* none of what a put, a find or the next one asks walks a whole table */
static void by_index(void **state)
{
    struct book *b = *state;
    bool found = false;
    struct idv_factory_device d = {0};
    char serial[IDV_MAX_SERIAL + 1];
    uint8_t hash[32] = {1};
    int64_t made = 0;
    OK(put(b, IDV_DEVICE_NONE, IDV_DEVICE_SEEN, NULL));
    OK(CALL(b, find, IDV_BY_EK, idv_bytes(hash, 32), &found, &d));
    OK(CALL(b, order_next, "L1", "f1", 1, 2, serial));
    OK(CALL(b, challenge_find, "L1", hash, &found, &made));
    unsigned asked = 0;
    for (size_t i = 0; i < idvi_sqlite_of(b->db)->n_cached; i++) {
        const char *sql = idvi_sqlite_of(b->db)->cache[i].sql;
        if (strncmp(sql, "SELECT", 6) != 0 && strncmp(sql, "UPDATE", 6) != 0)
            continue;
        const char *how = plan(b, sql);
        if (strstr(how, "SCAN") && !strstr(sql, "ORDER BY seq DESC LIMIT 1"))
            fail_msg("%s: %s", sql, how);
        if (strstr(how, "TEMP B-TREE"))
            fail_msg("%s: %s", sql, how);
        if (strstr(sql, "holder = $2") && !strstr(how, "AND holder=?"))
            fail_msg("%s: %s", sql, how); /* not all that are not made yet */
        asked++;
    }
    assert_true(asked > 8);
}

static int group_setup(void **state)
{
    (void)state;
    pki_make(&pki);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed),
        cmocka_unit_test_setup_teardown(disk_full, setup, teardown),
        cmocka_unit_test_setup_teardown(locked, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign, setup, teardown),
        cmocka_unit_test_setup_teardown(one_sync_each, setup, teardown),
        cmocka_unit_test_setup_teardown(by_index, setup, teardown),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
