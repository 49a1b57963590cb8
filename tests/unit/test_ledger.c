/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger as people have it, on each database program: exported from one
 * time to another, as of one moment, and copied. */
#include "tests/unit/codec.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/store.h"
#include "tests/unit/stored.h"

struct fixture {
    struct stored in;
    char seen[1024]; /* a letter a row, and its time */
    int left;        /* so many rows, and it is ended */
    bool add;        /* another handle adds a row at the first one */
};

/* --- rows of one time ----------------------------------------------------- */

static void add_session(struct idv_db *db, uint8_t n, int64_t at)
{
    struct idv_registrar_store s = idv_db_registrar_store(db);
    struct idv_session session = {.pvr_sha256 = {n},
                                  .state = IDV_SESSION_ENROLLED,
                                  .created = 1,
                                  .changed = at};
    bool fresh = false;
    OK(idv_buf_puts(&session.voucher, "voucher"));
    OK(s.session_add(s.self, &session, &fresh));
    assert_true(fresh);
    idv_session_free(&session);
}

static void add_status(struct idv_db *db, uint8_t n, int64_t at)
{
    struct idv_registrar_store s = idv_db_registrar_store(db);
    struct idv_status_event e = {.pvr_sha256 = {n},
                                 .date = at,
                                 .kind = "voucher_status",
                                 .status = true,
                                 .reason = "it's \"quoted\"",
                                 .detail = "",
                                 .report = idv_str("{}")};
    OK(s.status_add(s.self, &e));
}

static void add_issued(struct idv_db *db, uint8_t n, int64_t at)
{
    struct idv_est_store s = idv_db_est_store(db);
    struct idv_issued i = {
        .csr_sha256 = {n}, .cert_sha256 = {n}, .issued = at, .not_after = 1000};
    bool fresh = false;
    OK(idv_buf_puts(&i.cert, "certificate"));
    OK(s.add(s.self, &i, &fresh));
    assert_true(fresh);
    idv_issued_free(&i);
}

static void add_decision(struct idv_db *db, uint8_t n, int64_t at)
{
    char serial[16];
    snprintf(serial, sizeof(serial), "S-%02u", n);
    OK(idv_db_decide(db, "maker", serial, IDV_DECISION_APPROVED, at));
}

/* one of each kind, the latest first */
static void fill(struct idv_db *db)
{
    for (uint8_t n = 3; n > 0; n--) {
        add_session(db, n, n * 10);
        add_status(db, n, n * 10 + 1);
        add_issued(db, n, n * 10 + 2);
        add_decision(db, n, n * 10 + 3);
    }
}

/* --- where they go -------------------------------------------------------- */

static idv_rc see(struct fixture *f, char kind, int64_t at)
{
    size_t n = strlen(f->seen);
    struct idv_db *other = NULL;
    snprintf(f->seen + n, sizeof(f->seen) - n, "%c%d ", kind, (int)at);
    if (f->add) {
        OK(idv_db_open(f->in.place.url, &other));
        add_issued(other, 99, 99);
        idv_db_close(other);
    }
    f->add = false;
    return --f->left ? IDV_OK : idv_fail(IDV_E_IO, "nobody reads this");
}

static idv_rc a_decision(void *arg, const struct idv_db_decision *d)
{
    assert_string_equal(d->maker, "maker");
    return see(arg, 'd', d->decided);
}

static idv_rc a_session(void *arg, const struct idv_session *s)
{
    assert_true(idv_bytes_eq(idv_view(&s->voucher), idv_str("voucher")));
    return see(arg, 's', s->changed);
}

static idv_rc a_status(void *arg, const struct idv_status_event *e)
{
    assert_string_equal(e->reason, "it's \"quoted\"");
    return see(arg, 'r', e->date);
}

static idv_rc an_issued(void *arg, const struct idv_issued *i)
{
    assert_true(idv_bytes_eq(idv_view(&i->cert), idv_str("certificate")) ||
                i->issued == 99);
    return see(arg, 'c', i->issued);
}

static idv_rc export(struct fixture *f, int64_t since, int64_t until)
{
    const struct idv_db_ledger to = {a_decision, a_session, a_status, an_issued,
                                     f};
    f->seen[0] = 0;
    return idv_db_ledger_each(f->in.db, since, until, &to);
}

static void exports(struct fixture *f, int64_t since, int64_t until,
                    const char *want)
{
    OK(export(f, since, until));
    assert_string_equal(f->seen, want);
}

#define ALL "d13 d23 d33 s10 s20 s30 r11 r21 r31 c12 c22 c32 "

/* --- what is exported ----------------------------------------------------- */

static void in_order(void **state)
{
    struct fixture *f = ready(state);
    exports(f, 0, 0, "");
    fill(f->in.db);
    exports(f, 0, 0, ALL);
}

static void windows(void **state)
{
    struct fixture *f = ready(state);
    fill(f->in.db);
    exports(f, 20, 30, "d23 s20 r21 c22 ");
    exports(f, 21, 23, "r21 c22 "); /* from the first on, before the last */
    exports(f, 23, 24, "d23 ");
    exports(f, 31, 0, "d33 r31 c32 ");
    exports(f, 0, 11, "s10 ");
    exports(f, 30, 20, "");
}

/* a device that waits for an answer has its place by when it asked */
static void asked_or_decided(void **state)
{
    struct fixture *f = ready(state);
    struct idv_registrar_store s = idv_db_registrar_store(f->in.db);
    enum idv_decision d;
    OK(s.decision(s.self, "maker", "A", true, 50, &d));
    exports(f, 50, 51, "d0 ");
    OK(idv_db_decide(f->in.db, "maker", "A", IDV_DECISION_REFUSED, 60));
    exports(f, 50, 51, "d60 ");
    exports(f, 60, 61, "d60 ");
    exports(f, 51, 60, "");
}

/* whoever cannot take more ends it, and the store serves on */
static void ended(void **state)
{
    struct fixture *f = ready(state);
    fill(f->in.db);
    for (int n = 1; n <= 12; n++) {
        f->left = n;
        FAILS(IDV_E_IO, "nobody reads this", export(f, 0, 0));
        assert_int_equal(strncmp(ALL, f->seen, strlen(f->seen)), 0);
        add_issued(f->in.db, (uint8_t)(100 + n), 12 + 1000 * n);
    }
    f->left = 0;
    OK(export(f, 0, 40));
    assert_string_equal(f->seen, ALL);
}

/* what others write meanwhile is in the next one */
static void one_moment(void **state)
{
    struct fixture *f = ready(state);
    fill(f->in.db);
    f->add = true;
    exports(f, 0, 0, ALL);
    exports(f, 0, 0, ALL "c99 ");
}

/* --- copies --------------------------------------------------------------- */

static void copy_path(const struct fixture *f, char out[static 128])
{
    snprintf(out, 128, "%s/copy.db", f->in.place.dir);
}

/* of PostgreSQL none is made, and it is said what does */
static void copied(void **state)
{
    struct fixture *f = ready(state);
    char path[128];
    struct stat st;
    struct idv_db *db = f->in.db;
    copy_path(f, path);
    fill(db);
    if (f->in.place.pg) {
        FAILS(IDV_E_ARG, "pg_dump", idv_db_backup(db, path));
        assert_int_not_equal(stat(path, &st), 0);
        exports(f, 0, 0, ALL);
        return;
    }
    OK(idv_db_backup(db, path));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    add_issued(db, 99, 99);
    f->in.db = NULL;
    OK(idv_db_open(path, &f->in.db));
    exports(f, 0, 0, ALL); /* as of then */
    add_issued(f->in.db, 98, 98);
    idv_db_close(f->in.db);
    f->in.db = db;
    exports(f, 0, 0, ALL "c99 ");
}

/* a disk that takes no more than so many bytes of a file */
static void only(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, bytes == RLIM_INFINITY ? SIG_DFL : SIG_IGN);
}

/* nothing is overwritten, and what cannot be copied whole leaves nothing */
static void copied_not(void **state)
{
    struct fixture *f = ready(state);
    char path[128], nowhere[160];
    struct stat st;
    copy_path(f, path);
    OK(idv_fs_write(path, idv_str("mine"), 0600));
    FAILS(IDV_E_IO, "File exists", idv_db_backup(f->in.db, path));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4);
    snprintf(nowhere, sizeof(nowhere), "%s/none/copy.db", f->in.place.dir);
    FAILS(IDV_E_IO, "No such file", idv_db_backup(f->in.db, nowhere));
    assert_int_equal(unlink(path), 0);
    only(8192);
    idv_rc rc = idv_db_backup(f->in.db, path);
    only(RLIM_INFINITY);
    assert_int_equal(rc, IDV_E_IO);
    assert_non_null(strstr(idv_note(), path));
    idv_note_clear();
    assert_int_not_equal(stat(path, &st), 0);
    OK(idv_db_backup(f->in.db, path));
}

/* a copy in the place of what came since, all of it or nothing */
static void restored(void **state)
{
    struct fixture *f = ready(state);
    struct idv_db *copy = NULL;
    char path[128];
    copy_path(f, path);
    if (f->in.place.pg) {
        FAILS(IDV_E_ARG, "psql", idv_db_restore(f->in.db, NULL));
        return;
    }
    OK(idv_db_restore(f->in.db, NULL));
    fill(f->in.db);
    OK(idv_db_backup(f->in.db, path));
    add_issued(f->in.db, 99, 99);
    OK(idv_db_open(path, &copy));
    only(8192);
    idv_rc rc = idv_db_restore(f->in.db, copy);
    only(RLIM_INFINITY);
    assert_int_equal(rc, IDV_E_IO);
    assert_non_null(strstr(idv_note(), f->in.place.url));
    idv_note_clear();
    exports(f, 0, 0, ALL "c99 ");
    OK(idv_db_restore(f->in.db, copy));
    exports(f, 0, 0, ALL);
    add_issued(f->in.db, 98, 98);
    exports(f, 0, 0, ALL "c98 ");
    idv_db_close(copy);
}

#define T(f) ON_BOTH(f, struct fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(in_order),         T(windows),
        T(asked_or_decided), T(ended),
        T(one_moment),       T(copied),
        T(restored),         ON_SQLITE(copied_not, struct fixture),
    };
    return STORED_RUN(tests);
}
