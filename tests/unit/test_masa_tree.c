/* SPDX-License-Identifier: Apache-2.0 */
/* The tree over the MASA's log: one leaf an event, whoever writes; heads; what
 * is shown of it. */
#include "tests/unit/masa.h"

#include <sys/wait.h>

#include <openssl/ec.h>

#include "idevid/db/masa_tree.h"
#include "tests/unit/place.h"
#include "tests/unit/store.h"

static struct pg pg;

/* --- many writers --------------------------------------------------------- */

#define WRITERS 4
#define EACH 12

static uint64_t size_of(struct idv_db *db)
{
    struct idv_masa_store s = idv_db_masa_store(db);
    uint64_t n = 0;
    OK(s.tree_size(s.self, &n));
    return n;
}

static void write_many(const char *url, int writer)
{
    struct idv_db *db = NULL;
    bool fresh = false;
    int failed = idv_db_open(url, &db) != IDV_OK;
    failed = failed || idv_db_batch(db) != IDV_OK;
    for (int i = 0; i < EACH && !failed; i++) {
        struct idv_masa_issue x = some_issue(writer);
        struct idv_masa_store s = idv_db_masa_store(db);
        x.rvr_sha256[1] = (uint8_t)(i + 1);
        failed = s.issue_add(s.self, &x, &fresh) != IDV_OK || !fresh ||
                 idv_db_commit(db) != IDV_OK;
        idv_masa_issue_free(&x);
    }
    _exit(failed);
}

/* every leaf's and every subtree's hash once more from the log */
struct again {
    struct idv_tree tree;
    struct idv_masa_store store;
    uint64_t n;
};

static bool same_leaf(void *arg, uint64_t index, const struct idv_log_entry *e)
{
    struct again *a = arg;
    struct idv_hash leaf, made[IDV_TREE_LEVELS], kept[IDV_TREE_LEVELS];
    struct idv_tree_node which[IDV_TREE_LEVELS];
    size_t n = 0;
    assert_true(index == a->n++);
    OK(idv_log_entry_hash(e, &leaf));
    OK(idv_tree_append(&a->tree, &leaf, made, &n));
    for (size_t l = 0; l < n; l++)
        which[l] = (struct idv_tree_node){(unsigned)l, index >> l};
    OK(a->store.tree_read(a->store.self, which, n, kept));
    assert_memory_equal(made, kept, n * sizeof(*made));
    return true;
}

static void is_whole(struct idv_db *db, uint64_t size)
{
    struct again a = {.store = idv_db_masa_store(db)};
    uint64_t left = 1;
    OK(a.store.tree_entries(a.store.self, 0, 1000, same_leaf, &a));
    assert_true(a.n == size && size_of(db) == size);
    OK(idv_db_tree_left(db, &left));
    assert_int_equal(left, 0);
}

static void never_forks(struct pg *server)
{
    struct place place;
    struct idv_db *db = NULL;
    place_make(&place, server);
    OK(idv_db_open(place.url, &db));
    OK(add_device(db, "A", 1));
    for (int w = 1; w <= WRITERS; w++) {
        if (fork() == 0)
            write_many(place.url, w);
    }
    for (int w = 0; w < WRITERS; w++) {
        int status = 0;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    is_whole(db, WRITERS * EACH);
    idv_db_close(db);
    place_drop(&place);
}

static void many_on_sqlite(void **state)
{
    (void)state;
    never_forks(NULL);
}

static void many_on_postgresql(void **state)
{
    (void)state;
    if (!pg.dir[0])
        skip();
    never_forks(&pg);
}

/* --- not done, done by others, done before -------------------------------- */

static void no_gap(void **state)
{
    struct place place;
    struct idv_db *db = NULL;
    bool fresh = false;
    (void)state;
    place_make(&place, NULL);
    OK(idv_db_open(place.url, &db));
    OK(add_device(db, "A", 1));
    OK(issue(db, 1, &fresh));
    OK(issue(db, 1, &fresh)); /* the same again */
    assert_false(fresh);
    is_whole(db, 1);
    OK(idvi_begin(db)); /* one that fails when all was done */
    OK(idvi_exec(db, NULL,
                 "INSERT INTO audit_event (device_id, date, domain_id, nonce,"
                 " assertion) VALUES (1, 5, 'ZA==', '', 1)",
                 ""));
    size_t n = 0;
    uint8_t seed[32] = {7};
    OK(idvi_tree_grow(db, seed, &n));
    assert_int_equal(n, 1);
    assert_int_equal(idvi_end(db, idv_fail(IDV_E_IO, "power")), IDV_E_IO);
    idv_note_clear();
    is_whole(db, 1);
    OK(issue(db, 2, &fresh));
    is_whole(db, 2);
    idv_db_close(db);
    place_drop(&place);
}

/* events that came by a program without a tree, more than one batch */
static void of_older_programs(void **state)
{
    struct fixture *f = *state;
    uint64_t n = 0;
    bool fresh = false;
    OK(idvi_exec(f->w.masa_db, NULL,
                 "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1"
                 " FROM n WHERE i < 700) INSERT INTO audit_event (device_id,"
                 " date, domain_id, nonce, assertion)"
                 " SELECT 1, i, 'ZA==', '', 1 FROM n",
                 ""));
    OK(idv_db_tree_left(f->w.masa_db, &n));
    assert_int_equal(n, 700);
    OK(issue(f->w.masa_db, 1, &fresh)); /* brings the others along */
    is_whole(f->w.masa_db, 701);
    OK(idv_db_tree_grow(f->w.masa_db, &f->w.pki.env.env, &n));
    assert_int_equal(n, 0);
}

/* nobody takes the trigger away unseen */
static void must_have_a_leaf(void **state)
{
    struct fixture *f = *state;
    bool fresh = false;
    OK(idvi_exec(f->w.masa_db, NULL, "DROP TRIGGER audit_event_waits", ""));
    FAILS(IDV_E_STATE, "in no tree", issue(f->w.masa_db, 1, &fresh));
    assert_int_equal(events(f->w.masa_db), 0);
}

/* --- what is shown -------------------------------------------------------- */

static int with_log(void **state)
{
    setup(state);
    struct fixture *f = *state;
    f->w.masa_conf.log_key = EVP_EC_gen("P-256");
    world_configure(&f->w);
    return 0;
}

static int without_log(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = f->w.masa_conf.log_key;
    teardown(state);
    EVP_PKEY_free(key);
    return 0;
}

static int get(struct fixture *f, const char *path)
{
    char whole[256];
    snprintf(whole, sizeof(whole), "/log/v1/%s", path);
    return world_ask(&f->w, idv_masa_service(f->w.masa), &f->w.pledge, IDV_GET,
                     whole, "", idv_str(""));
}

static void item(struct fixture *f, const char *name, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    OK(idv_json_parse(idv_view(&f->w.reply.body), IDV_MAX_BODY, &o));
    const char *text = idv_json_text(idv_json_get(o, name));
    assert_non_null(text);
    idv_buf_clear(out);
    OK(idv_base64_to_bytes(idv_str(text), IDV_BASE64_STRICT, out));
}

static struct idv_tree_head head(struct fixture *f)
{
    EVP_PKEY *const keys[] = {f->w.masa_conf.log_key, NULL};
    struct idv_tree_head h;
    IDV_AUTO(buf) sth = {0};
    item(f, "sth", &sth);
    OK(idv_tree_head_verify(idv_view(&sth), keys, &h));
    return h;
}

static void heads_are_kept(void **state)
{
    struct fixture *f = *state;
    struct idv_tree_head a, b;
    seal(f);
    assert_int_equal(get(f, "get-sth"), 200);
    assert_int_equal(f->w.reply.max_age, 0); /* there may be another at once */
    a = head(f);
    assert_true(a.size == 0 && a.timestamp == (uint64_t)PKI_NOW * 1000);
    assert_int_equal(send(f), 200);
    assert_int_equal(get(f, "get-sth"), 200);
    b = head(f);
    assert_true(b.size == 0); /* it is not ten seconds old */
    f->w.pki.env.now += 10;
    assert_int_equal(get(f, "get-sth"), 200);
    b = head(f);
    assert_true(b.size == 1 && b.timestamp == a.timestamp + 10000);
    f->w.pki.env.now += 3600;
    assert_int_equal(get(f, "get-sth"), 200);
    a = head(f);
    assert_true(a.timestamp == b.timestamp); /* there is nothing new */
    f->w.pki.env.now += PKI_DAY;
    assert_int_equal(get(f, "get-sth"), 200);
    a = head(f);
    assert_true(a.size == 1 && a.timestamp > b.timestamp); /* it lives */
    f->w.pki.env.now -= 2 * PKI_DAY; /* another key, a clock set back */
    EVP_PKEY_free(f->w.masa_conf.log_key);
    f->w.masa_conf.log_key = EVP_EC_gen("P-256");
    world_configure(&f->w);
    assert_int_equal(get(f, "get-sth"), 200);
    b = head(f);
    assert_true(b.size == 1 && b.timestamp == a.timestamp + 1);
}

/* the entry of a voucher as the audit log opens it */
static void own_entry(struct fixture *f, char hex[static 65])
{
    struct idv_audit_log log;
    struct idv_log_entry e = {.event = {.date = 0}};
    struct idv_hash leaf;
    IDV_AUTO(buf) text = {0};
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 200);
    OK(idv_audit_log_from_json(idv_view(&f->w.reply.body), &log));
    e.event = log.events[log.n - 1];
    assert_true(e.event.salted);
    OK(idv_log_commit(e.event.salt, idv_bytes(log.keyid, log.keyid_n),
                      PKI_SERIAL, &e.commitment));
    OK(idv_log_entry_hash(&e, &leaf));
    OK(idv_hex_from_bytes(idv_bytes(leaf.p, sizeof(leaf.p)), &text));
    memcpy(hex, text.p, 64);
    hex[64] = 0;
    idv_audit_log_free(&log);
}

static void opens_for_owners(void **state) /* R-M-20, R-M-39 */
{
    struct fixture *f = *state;
    char hex[65], path[160];
    struct idv_inclusion p;
    struct idv_hash leaf = {{0}};
    IDV_AUTO(buf) raw = {0};
    seal(f);
    assert_int_equal(get(f, "get-sth"), 200);
    assert_int_equal(send(f), 200);
    own_entry(f, hex);
    snprintf(path, sizeof(path), "get-proof-by-hash/%s/1", hex);
    assert_int_equal(get(f, path), 404); /* no head has it yet */
    snprintf(path, sizeof(path), "get-all-by-hash/%s/0", hex);
    assert_int_equal(get(f, path), 200); /* who knows it has one made */
    assert_int_equal(f->w.reply.max_age, 0);
    struct idv_tree_head h = head(f);
    item(f, "inclusion", &raw);
    OK(idv_inclusion_from_item(idv_view(&raw), &p));
    idv_buf_clear(&raw);
    OK(idv_hex_to_bytes(idv_str(hex), &raw));
    memcpy(leaf.p, raw.p, sizeof(leaf.p));
    OK(idv_inclusion_check(&p, &leaf, &h));
    assert_int_equal(get(f, "get-entries/0/0"), 200);
    assert_int_equal(f->w.reply.max_age, PKI_DAY); /* they stay as they are */
    assert_null(strstr((char *)f->w.reply.body.p, PKI_SERIAL));
}

static void signs_no_fork(void **state)
{
    struct fixture *f = *state;
    seal(f);
    assert_int_equal(send(f), 200);
    assert_int_equal(get(f, "get-sth"), 200);
    OK(idvi_exec(f->w.masa_db, NULL, "DROP TRIGGER tree_leaf_fixed", ""));
    OK(idvi_exec(f->w.masa_db, NULL,
                 "UPDATE tree_leaf SET leaf_hash = zeroblob(32)", ""));
    f->w.pki.env.now += PKI_DAY;
    assert_int_equal(get(f, "get-sth"), -IDV_E_STATE);
    OK(idvi_exec(f->w.masa_db, NULL, "DROP TRIGGER tree_leaf_kept", ""));
    OK(idvi_exec(f->w.masa_db, NULL, "DELETE FROM tree_leaf", ""));
    assert_int_equal(get(f, "get-sth"), -IDV_E_STATE);
}

static void pages_fit(void **state) /* R-M-34 */
{
    struct fixture *f = *state;
    IDV_AUTO_PTR(idv_json) o = NULL;
    OK(idvi_exec(f->w.masa_db, NULL,
                 "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1"
                 " FROM n WHERE i < 300) INSERT INTO audit_event (device_id,"
                 " date, domain_id, nonce, assertion) SELECT 1, i,"
                 " printf('%.*c', 95, 'x'), printf('%.*c', 128, 'y'), 1 FROM n",
                 ""));
    uint64_t n = 0;
    OK(idv_db_tree_grow(f->w.masa_db, &f->w.pki.env.env, &n));
    assert_int_equal(get(f, "get-entries/0/299"), 200);
    OK(idv_json_parse(idv_view(&f->w.reply.body), IDV_MAX_BODY, &o));
    assert_int_equal(idv_json_count(idv_json_get(o, "entries")), 128);
}

static void malformed(void **state)
{
    static const struct {
        const char *path;
        int status;
    } asked[] = {
        {"", 404},
        {"get-sth/1", 404},
        {"get-entries/0", 404},
        {"get-entries/0/0/0", 404},
        {"get-entries/0/0", 404},
        {"get-entries/-1/0", 400},
        {"get-entries/1/0", 400},
        {"get-entries/9999999999999999999/9999999999999999999", 400},
        {"get-sth-consistency/2/1", 400},
        {"get-sth-consistency/0/1", 404},
        {"get-proof-by-hash/00/1", 400},
        {"get-all-by-hash/zz/1", 400},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++)
        assert_int_equal(get(f, asked[i].path), asked[i].status);
    assert_int_equal(world_masa(&f->w, "/log/v1/get-sth", idv_str("x")), 405);
}

static void not_configured(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(get(f, "get-sth"), 404);
    assert_true(world_why(&f->w, "path"));
    f->w.masa_conf.log_key = EVP_EC_gen("P-384");
    struct idv_masa *m = NULL;
    FAILS(IDV_E_ARG, "neither of P-256",
          idv_masa_new(&f->w.masa_conf, &f->w.pki.env.env, &m));
    EVP_PKEY_free(f->w.masa_conf.log_key);
    f->w.masa_conf.log_key = NULL;
}

/* the store fails at each call in turn: what is asked is answered with that, or
 * as ever */
static void store_fails(void **state)
{
    struct fixture *f = *state;
    char hex[65], path[160];
    int n;
    seal(f);
    assert_int_equal(send(f), 200);
    own_entry(f, hex);
    snprintf(path, sizeof(path), "get-all-by-hash/%s/0", hex);
    for (n = 1;; n++) {
        f->w.calls = 0;
        f->w.fail = n;
        f->w.after = n % 2;
        int status = get(f, path);
        if (f->w.calls < n)
            break;
        assert_int_equal(status, -IDV_E_IO);
        idv_note_clear();
    }
    assert_true(n > 5);
    f->w.fail = 0;
    assert_int_equal(get(f, path), 200);
    assert_true(head(f).size == 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define L(f) cmocka_unit_test_setup_teardown(f, with_log, without_log)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_on_sqlite),
        cmocka_unit_test(many_on_postgresql),
        cmocka_unit_test(no_gap),
        T(of_older_programs),
        T(must_have_a_leaf),
        L(heads_are_kept),
        L(opens_for_owners),
        L(signs_no_fork),
        L(pages_fit),
        L(malformed),
        T(not_configured),
        L(store_fails),
    };
    (void)pg_start(&pg);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_stop(&pg);
    return failed;
}
