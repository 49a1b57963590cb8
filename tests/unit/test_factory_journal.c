/* SPDX-License-Identifier: Apache-2.0 */
/* The line's book verified: what was sealed, every kind of edit found. */
#include "tests/unit/codec.h"

#include <sys/wait.h>

#include "idevid/db/sqlite.h"
#include "tests/lib/factory_book.h"
#include "tests/lib/pki.h"

static struct pki pki;

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

#define CALL(b, fn, ...) ((b)->store.fn((b)->store.self, __VA_ARGS__))

static void seal_by(struct book *b, const struct pki_id *id)
{
    OK(idv_journal_seal(&b->store, id->key, id->cert, &pki.env.env));
}

/* Entries: 1 order L1, 2 A1 seen, 3 A1 done, 4 a note, 5 A2 done; sealed up to
 * 3 and up to 5. */
static int setup(void **state)
{
    struct book *b = calloc(1, sizeof(*b));
    struct idv_order *o = book_order("L1", "R", 2);
    struct idv_factory_device d = book_device("A1", 1, IDV_DEVICE_DONE);
    book_open(b);
    OK(CALL(b, order_add, o, PKI_NOW));
    book_put(b, "A1", 1, IDV_DEVICE_SEEN);
    OK(CALL(b, put, &d, IDV_DEVICE_SEEN, "done", idv_str(""), PKI_NOW, NULL));
    seal_by(b, &pki.masa);
    OK(CALL(b, note, "failed", "A2", idv_str("{\"why\":\"ek-key\"}"), PKI_NOW));
    book_put(b, "A2", 2, IDV_DEVICE_DONE);
    seal_by(b, &pki.masa);
    idv_factory_device_free(&d);
    book_order_free(o);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    book_drop(*state);
    free(*state);
    return 0;
}

static idv_rc verify(struct book *b, struct idv_journal_verdict *v)
{
    return idv_journal_verify(&b->store, pki.anchors, NULL, v);
}

/* as somebody with a database shell does it */
static void edit(struct book *b, const char *sql)
{
    static const char *const lifted =
        "DROP TRIGGER IF EXISTS entry_kept; DROP TRIGGER IF EXISTS entry_fixed;"
        "DROP TRIGGER IF EXISTS entry_next; DROP TRIGGER IF EXISTS batch_kept;"
        "DROP TRIGGER IF EXISTS batch_fixed; DROP TRIGGER IF EXISTS"
        " document_kept; DROP TRIGGER IF EXISTS document_fixed;"
        "DROP TRIGGER IF EXISTS device_kept; DROP TRIGGER IF EXISTS claim_kept;"
        "DROP TRIGGER IF EXISTS claim_fixed; PRAGMA foreign_keys = OFF";
    char *error = NULL;
    (void)sqlite3_exec(idvi_sqlite_of(b->db)->h, lifted, NULL, NULL, NULL);
    if (sqlite3_exec(idvi_sqlite_of(b->db)->h, sql, NULL, NULL, &error) !=
        SQLITE_OK)
        fail_msg("%s: %s", sql, error);
}

static void sound(void **state)
{
    struct book *b = *state;
    struct idv_journal_verdict v;
    OK(verify(b, &v));
    assert_int_equal(v.entries, 5);
    assert_int_equal(v.batches, 2);
    assert_int_equal(v.devices, 2);
    assert_int_equal(v.orders, 1);
    assert_int_equal(v.unsigned_entries, 0);
    assert_int_equal(v.sealed, PKI_NOW);
    assert_int_equal(v.bad_seq, 0);
    assert_string_equal(v.wrong, "");
    OK(CALL(b, note, "x", "", idv_str(""), PKI_NOW));
    OK(verify(b, &v));
    assert_int_equal(v.unsigned_entries, 1);
}

static void empty(void **state)
{
    struct book b;
    struct idv_journal_verdict v;
    (void)state;
    book_open(&b);
    seal_by(&b, &pki.masa);
    OK(verify(&b, &v));
    assert_int_equal(v.entries + v.batches + v.devices + v.orders, 0);
    book_drop(&b);
}

static void nothing_twice(void **state)
{
    struct book *b = *state;
    struct idv_journal_verdict v;
    seal_by(b, &pki.masa);
    OK(verify(b, &v));
    assert_int_equal(v.batches, 2);
}

static const struct {
    const char *sql;
    uint64_t bad_seq;
    const char *wrong;
} edits[] = {
    {"UPDATE entry SET body = replace(body, 'ann', 'bob') WHERE seq = 2", 2,
     "entry 2 was changed"},
    {"UPDATE entry SET time = time + 1 WHERE seq = 1", 1,
     "entry 1 was changed"},
    {"UPDATE entry SET kind = 'failed' WHERE seq = 3", 3,
     "entry 3 was changed"},
    {"UPDATE entry SET serial_number = 'A3' WHERE seq = 5", 5,
     "entry 5 was changed"},
    {"UPDATE entry SET hash = zeroblob(32) WHERE seq = 4", 4,
     "entry 4 was changed"},
    {"UPDATE entry SET previous = zeroblob(32) WHERE seq = 4", 4,
     "entry 4 does not follow"},
    {"UPDATE entry SET hash = x'00' WHERE seq = 4", 0, "not 32 bytes"},
    {"DELETE FROM entry WHERE seq = 1", 1, "entry 1 is missing"},
    {"DELETE FROM entry WHERE seq = 4", 4, "entry 4 is missing"},
    {"DELETE FROM entry WHERE seq >= 4", 4,
     "entry 4 is missing: the signature over the entries up to 5 is there"},
    {"DELETE FROM entry", 1, "entry 1 is missing: the signature"},
    {"UPDATE entry SET seq = 99 WHERE seq = 3;"
     "UPDATE entry SET seq = 3 WHERE seq = 4;"
     "UPDATE entry SET seq = 4 WHERE seq = 99",
     3, "entry 3 does not follow"},
    {"UPDATE device SET operator = 'bob' WHERE serial_number = 'A1'", 0,
     "device 'A1' is not what its last entry says"},
    {"UPDATE device SET state = 6 WHERE serial_number = 'A2'", 0,
     "device 'A2' is not what"},
    {"UPDATE device SET ek = zeroblob(32) WHERE serial_number = 'A2'", 0,
     "device 'A2' is not what"},
    {"UPDATE device SET cert = (SELECT cert FROM device WHERE serial_number ="
     " 'A1') WHERE serial_number = 'A2'",
     0, "device 'A2' is not what"},
    {"UPDATE device SET reply = x'' WHERE serial_number = 'A2'", 0,
     "device 'A2' is not what"},
    {"UPDATE device SET state = 77 WHERE serial_number = 'A2'", 0, "state 77"},
    {"DELETE FROM device WHERE serial_number = 'A2'", 0,
     "device 'A2' has no row any more"},
    {"UPDATE device SET serial_number = 'A7' WHERE serial_number = 'A2'", 0,
     "device 'A7' is in no entry"},
    {"UPDATE document SET data = CAST('cert 7' AS BLOB)"
     " WHERE data = CAST('cert 1' AS BLOB)",
     0, "device 'A1': a document is not what it was"},
    {"DELETE FROM document WHERE data = CAST('request 2' AS BLOB)", 0,
     "device 'A2': a document is missing"},
    {"UPDATE order_device SET body = replace(body, 'R1', 'R2')", 0,
     "order 'L1' is not what its last entry says"},
    {"DELETE FROM order_device WHERE position = 1", 0, "order 'L1' is not"},
    {"UPDATE work_order SET body = replace(body, 'R1', 'R2')", 0,
     "order 'L1' is not"},
    {"DELETE FROM order_device; DELETE FROM work_order", 0,
     "order 'L1' has no row any more"},
    {"INSERT INTO work_order VALUES ('L2', 0, zeroblob(32), '{}')", 0,
     "order 'L2' is in no entry"},
    {"UPDATE batch SET hash = zeroblob(32) WHERE seq = 3", 3,
     "the signature over the entries up to 3: it is over something else"},
    {"UPDATE batch SET time = time + 1 WHERE seq = 5", 5,
     "up to 5: it is over something else"},
    {"UPDATE batch SET cms = zeroblob(20) WHERE seq = 5", 5, "up to 5: CMS"},
    {"UPDATE batch SET seq = 4 WHERE seq = 3", 4, "up to 4: it is over"},
    {"UPDATE batch SET cms = (SELECT cms FROM batch WHERE seq = 3)"
     " WHERE seq = 5",
     5, "up to 5: it is over something else"},
};

static void edits_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
        struct idv_journal_verdict v;
        void *s = NULL;
        setup(&s);
        struct book *b = s;
        edit(b, edits[i].sql);
        idv_rc rc = verify(b, &v);
        if (rc != IDV_E_REJECT || v.bad_seq != edits[i].bad_seq ||
            !strstr(v.wrong, edits[i].wrong))
            fail_msg("%s: %s, at %llu: %s", edits[i].sql, idv_rc_name(rc),
                     (unsigned long long)v.bad_seq, v.wrong);
        assert_non_null(strstr(idv_note(), "journal: "));
        idv_note_clear();
        teardown(&s);
    }
}

/* --- by somebody who knows how the chain is made -------------------------- */

struct rehash {
    struct book *b;
    uint8_t previous[32];
};

static bool rehash_entry(void *arg, const struct idv_journal_entry *e)
{
    struct rehash *r = arg;
    struct idv_journal_entry n = *e;
    memcpy(n.previous, r->previous, 32);
    OK(idv_journal_hash(&n, n.hash));
    memcpy(r->previous, n.hash, 32);
    OK(idvi_exec(r->b->db, NULL,
                 "UPDATE entry SET previous = $1, hash = $2 WHERE seq = $3",
                 "hhi", n.previous, n.hash, (int64_t)n.seq));
    return true;
}

static void rehash(struct book *b)
{
    struct rehash r = {.b = b};
    OK(CALL(b, each_entry, 0, rehash_entry, &r));
}

static void chain_made_anew(void **state)
{
    struct book *b = *state;
    struct idv_journal_verdict v;
    edit(b, "UPDATE entry SET body = replace(body, 'ek-key', 'device')"
            " WHERE seq = 4");
    rehash(b);
    FAILS(IDV_E_REJECT, "entry 5 or one before it is not what was signed",
          verify(b, &v));
    assert_int_equal(v.bad_seq, 5);
    assert_int_equal(v.entries, 4);
}

static void sealed_by_another(void **state)
{
    struct book *b = *state;
    struct idv_journal_verdict v;
    edit(b, "UPDATE entry SET body = replace(body, 'ek-key', 'device');"
            "DELETE FROM batch");
    rehash(b);
    seal_by(b, &pki.rogue_masa);
    FAILS(IDV_E_REJECT, "the signature over the entries up to 5",
          verify(b, &v));
}

/* what no signature tells: see idv_journal_verify */
static void what_is_not_found(void **state)
{
    struct book *b = *state;
    struct idv_journal_verdict v;
    edit(b, "DELETE FROM batch WHERE seq = 5; DELETE FROM entry WHERE seq > 3;"
            "DELETE FROM device WHERE serial_number = 'A2'");
    OK(verify(b, &v));
    assert_int_equal(v.entries, 3);
}

/* --- by a head that is kept elsewhere ------------------------------------- */

/* all that a book cannot tell by itself, and what the head of setup's tells */
static const struct {
    const char *sql;
    uint64_t bad_seq;
    const char *wrong;
} cuts[] = {
    {"DELETE FROM batch WHERE seq = 5", 0,
     "the signature over the entries up to 5 is missing"},
    {"DELETE FROM batch", 0, "the entries up to 5 is missing"},
    {"DELETE FROM batch WHERE seq = 5; DELETE FROM entry WHERE seq > 3;"
     "DELETE FROM device WHERE serial_number = 'A2'",
     4, "entry 4 is missing: there were 5 when the head was taken"},
    {"DELETE FROM batch WHERE seq = 5;"
     "UPDATE entry SET body = replace(body, 'ek-key', 'device') WHERE seq = 4",
     5, "entry 5 or one before it is not what it was when the head was taken"},
    {"DELETE FROM batch; DELETE FROM entry; DELETE FROM device;"
     "DELETE FROM order_device; DELETE FROM work_order",
     1, "entry 1 is missing"},
};

static void cuts_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
        struct idv_journal_verdict v;
        struct idv_journal_head head;
        void *s = NULL;
        setup(&s);
        struct book *b = s;
        OK(idv_journal_head(&b->store, &pki.env.env, &head));
        edit(b, cuts[i].sql);
        rehash(b);
        OK(verify(b, &v));
        idv_rc rc = idv_journal_verify(&b->store, pki.anchors, &head, &v);
        if (rc != IDV_E_REJECT || v.bad_seq != cuts[i].bad_seq ||
            !strstr(v.wrong, cuts[i].wrong))
            fail_msg("%s: %s, at %llu: %s", cuts[i].sql, idv_rc_name(rc),
                     (unsigned long long)v.bad_seq, v.wrong);
        idv_note_clear();
        teardown(&s);
    }
}

/* a book grows beyond its head, whether it was sealed by then or not */
static void head_of_before(void **state)
{
    struct book *b = *state;
    struct idv_journal_verdict v;
    struct idv_journal_head head, early;
    struct book none;
    book_open(&none);
    OK(idv_journal_head(&none.store, &pki.env.env, &head));
    assert_int_equal(head.seq + head.sealed, 0);
    OK(idv_journal_verify(&none.store, pki.anchors, &head, &v));
    OK(idv_journal_verify(&b->store, pki.anchors, &head, &v));
    book_drop(&none);
    OK(CALL(b, note, "x", "", idv_str(""), PKI_NOW));
    OK(idv_journal_head(&b->store, &pki.env.env, &early));
    assert_int_equal(early.seq, 6);
    assert_int_equal(early.sealed, 5);
    assert_int_equal(early.time, PKI_NOW);
    OK(CALL(b, note, "y", "", idv_str(""), PKI_NOW));
    seal_by(b, &pki.masa);
    OK(idv_journal_verify(&b->store, pki.anchors, &early, &v));
    assert_int_equal(v.entries, 7);
}

static void not_a_head(const char *part, const char *json)
{
    struct idv_journal_head head;
    FAILS(IDV_E_FORMAT, part, idv_journal_head_from_json(idv_str(json), &head));
}

#define HASH "\"hash\":\"" SHA "\","
#define SHA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define AT ",\"time\":\"2026-11-22T00:00:00Z\"}"

static void head_there_and_back(void **state)
{
    const struct idv_journal_head head = {
        .seq = 70000, .hash = {1, 2, 255}, .sealed = 69999, .time = PKI_NOW};
    struct idv_journal_head back;
    IDV_AUTO(buf) json = {0};
    (void)state;
    OK(idv_journal_head_to_json(&head, &json));
    OK(idv_journal_head_from_json(idv_view(&json), &back));
    assert_int_equal(back.seq, head.seq);
    assert_int_equal(back.sealed, head.sealed);
    assert_int_equal(back.time, head.time);
    assert_memory_equal(back.hash, head.hash, 32);
    OK(idv_journal_head_from_json(idv_str("{" HASH "\"seq\":1,\"sealed\":1" AT),
                                  &back));
    not_a_head("journal's head: no hash", "{}");
    not_a_head("journal's head", "[]");
    not_a_head("journal's head", "");
    not_a_head("a hash of 1 bytes",
               "{\"hash\":\"aa\",\"seq\":1,\"sealed\":1" AT);
    not_a_head("hex", "{\"hash\":\"zz\",\"seq\":1,\"sealed\":1" AT);
    not_a_head("negative", "{" HASH "\"seq\":-1,\"sealed\":0" AT);
    not_a_head("beyond its end", "{" HASH "\"seq\":1,\"sealed\":2" AT);
    not_a_head("seq", "{" HASH "\"sealed\":2" AT);
    not_a_head("sealed", "{" HASH "\"seq\":1,\"sealed\":\"1\"" AT);
    not_a_head("time", "{" HASH "\"seq\":1,\"sealed\":1,\"time\":\"x\"}");
}

static void no_anchors(void **state)
{
    struct book *b = *state;
    struct idv_journal_verdict v;
    assert_int_equal(idv_journal_verify(&b->store, NULL, NULL, &v),
                     IDV_E_REJECT);
    idv_note_clear();
    IDV_AUTO_PTR(idv_certs) own = pki_stack(pki.masa.cert, NULL);
    OK(idv_journal_verify(&b->store, own, NULL, &v));
}

static void edits_are_not_sealed(void **state)
{
    struct book *b = *state;
    OK(CALL(b, note, "failed", "A3", idv_str("{\"why\":\"ca\"}"), 1));
    edit(b, "UPDATE entry SET kind = 'done' WHERE seq = 6");
    FAILS(
        IDV_E_REJECT, "journal: not sealed: entry 6 was changed",
        idv_journal_seal(&b->store, pki.masa.key, pki.masa.cert, &pki.env.env));
    edit(b, "DELETE FROM entry WHERE seq = 6; UPDATE entry SET seq = 6,"
            " previous = zeroblob(32) WHERE seq = 5; DELETE FROM entry"
            " WHERE seq = 5");
    FAILS(
        IDV_E_REJECT, "entry 6 does not follow",
        idv_journal_seal(&b->store, pki.masa.key, pki.masa.cert, &pki.env.env));
}

/* --- with others at it ---------------------------------------------------- */

static struct book *other;
static idv_rc (*each_entry)(void *self, uint64_t from,
                            bool (*each)(void *,
                                         const struct idv_journal_entry *),
                            void *arg);

static idv_rc meanwhile(void *self, uint64_t from,
                        bool (*each)(void *, const struct idv_journal_entry *),
                        void *arg)
{
    idv_rc rc = each_entry(self, from, each, arg);
    book_put(other, "Z1", 99, IDV_DEVICE_DONE);
    return rc;
}

static void of_one_moment(void **state)
{
    struct book *b = *state;
    struct book second = *b;
    struct idv_journal_verdict v;
    OK(idv_db_open_factory(b->path, &second.db));
    second.store = idv_db_factory_store(second.db);
    other = &second;
    each_entry = b->store.each_entry;
    b->store.each_entry = meanwhile;
    OK(verify(b, &v));
    assert_int_equal(v.devices, 2);
    b->store.each_entry = each_entry;
    OK(verify(b, &v));
    assert_int_equal(v.devices, 3);
    idv_db_close(second.db);
}

#define WORKERS 4
#define EACH 25

static idv_rc work(struct book *b, int w, int n)
{
    char serial[32];
    enum idv_factory_why why = IDV_WHY_NONE;
    snprintf(serial, sizeof(serial), "W%d-%d", w, n);
    struct idv_factory_device d =
        book_device(serial, (unsigned)(100 + w * EACH + n), IDV_DEVICE_ISSUED);
    idv_rc rc =
        CALL(b, put, &d, IDV_DEVICE_NONE, "issued", idv_str(""), PKI_NOW, &why);
    idv_factory_device_free(&d);
    d = book_device("shared", 7, IDV_DEVICE_SEEN); /* one of all wins */
    idv_rc shared =
        CALL(b, put, &d, IDV_DEVICE_NONE, "seen", idv_str(""), PKI_NOW, &why);
    idv_factory_device_free(&d);
    if (shared != IDV_OK && shared != IDV_E_STATE)
        return shared;
    idv_note_clear();
    return rc != IDV_OK || n % 10
               ? rc
               : idv_journal_seal(&b->store, pki.masa.key, pki.masa.cert,
                                  &pki.env.env);
}

static int worker(const char *path, int w)
{
    struct book b = {0};
    if (idv_db_open_factory(path, &b.db) != IDV_OK)
        return 100;
    b.store = idv_db_factory_store(b.db);
    for (int n = 0; n < EACH; n++) {
        if (work(&b, w, n) != IDV_OK) {
            fprintf(stderr, "worker %d: %s\n", w, idv_note());
            return 101;
        }
    }
    idv_db_close(b.db);
    return 0;
}

static void many_processes(void **state)
{
    struct book *b = *state;
    struct idv_journal_verdict v;
    for (int i = 0; i < WORKERS; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(worker(b->path, i));
    }
    for (int i = 0; i < WORKERS; i++) {
        int status = 0;
        assert_true(wait(&status) > 0 && WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    OK(verify(b, &v));
    assert_int_equal(v.devices, 2 + WORKERS * EACH + 1);
    assert_int_equal(v.entries, 5 + WORKERS * EACH + 1);
    assert_true(v.batches > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sound, setup, teardown),
        cmocka_unit_test(empty),
        cmocka_unit_test_setup_teardown(nothing_twice, setup, teardown),
        cmocka_unit_test(edits_are_found),
        cmocka_unit_test_setup_teardown(chain_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(sealed_by_another, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_found, setup, teardown),
        cmocka_unit_test(cuts_are_found),
        cmocka_unit_test_setup_teardown(head_of_before, setup, teardown),
        cmocka_unit_test(head_there_and_back),
        cmocka_unit_test_setup_teardown(no_anchors, setup, teardown),
        cmocka_unit_test_setup_teardown(edits_are_not_sealed, setup, teardown),
        cmocka_unit_test_setup_teardown(of_one_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(many_processes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
