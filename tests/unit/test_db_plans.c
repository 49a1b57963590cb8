/* SPDX-License-Identifier: Apache-2.0 */
/* No statement of the services walks a table from end to end; and each is one
 * that PostgreSQL understands as well. */
#include "tests/unit/codec.h"

#include "idevid/db/sqlite.h"
#include "idevid/est/crl.h"
#include "tests/unit/place.h"
#include "tests/unit/store.h"

static struct pg pg;
static const uint8_t key[32] = {1};

/* --- everything is asked once --------------------------------------------- */

static void quota(struct idv_db *db)
{
    struct idv_masa_store s = idv_db_masa_store(db);
    struct idv_masa_issue i = some_issue(9);
    int64_t n = 0;
    bool fresh = false;
    i.quota.most = 1;
    OK(s.issue_add(s.self, &i, &fresh));
    OK(s.quota_used(s.self, &i.quota, &n));
    assert_int_equal(n, 1);
    idv_masa_issue_free(&i);
}

static void masa(struct idv_db *db)
{
    struct idv_masa_store s = idv_db_masa_store(db);
    struct idv_masa_device d = {0};
    struct idv_masa_registrar r = {0};
    struct idv_masa_issue i = {0};
    struct idv_audit_log log = {0};
    bool yes = false;
    unsigned n = 0;
    OK(add_device(db, "A", 1));
    OK(issue(db, 1, &yes));
    OK(s.device_find(s.self, idv_str(""), "A", &yes, &d));
    assert_true(yes);
    idv_masa_device_free(&d);
    OK(s.device_find(s.self, idv_str("k"), "A", &yes, &d));
    idv_masa_device_free(&d);
    OK(s.registrar_find(s.self, key, &yes, &r));
    OK(s.issue_find(s.self, key, 150, &yes, &i));
    assert_true(yes);
    idv_masa_issue_free(&i);
    OK(s.event_count(s.self, 1, IDV_ASSERT_LOGGED, 0, &n));
    assert_int_equal(n, 1);
    OK(s.owner_known(s.self, 1, "ZG9tYWlu", &yes));
    assert_true(yes);
    OK(s.log_read(s.self, 1, &log));
    idv_audit_log_free(&log);
}

static void registrar(struct idv_db *db)
{
    struct idv_registrar_store s = idv_db_registrar_store(db);
    struct idv_session session = {.state = IDV_SESSION_PVR_OK}, got = {0};
    const struct idv_status_event e = {
        .kind = "k", .reason = "", .detail = "", .date = 1};
    enum idv_session_state state;
    enum idv_decision d;
    bool yes = false;
    unsigned n = 0;
    OK(s.session_add(s.self, &session, &yes));
    OK(s.session_get(s.self, session.pvr_sha256, &yes, &got));
    assert_true(yes);
    OK(s.session_last(s.self, session.idevid_sha256, &yes, &got));
    assert_true(yes);
    OK(s.session_state(s.self, session.idevid_sha256, &yes, &state));
    assert_true(yes);
    assert_int_equal(state, IDV_SESSION_PVR_OK);
    OK(s.session_count(s.self, session.idevid_sha256, 0, &n));
    assert_int_equal(n, 1);
    OK(s.session_claim(s.self, session.pvr_sha256, 1, 0, false, &yes));
    OK(s.session_update(s.self, &session, IDV_SESSION_MASA_WAIT, &yes));
    session.state = IDV_SESSION_VOUCHER_SENT;
    OK(s.session_update(s.self, &session, IDV_SESSION_PVR_OK, &yes));
    OK(s.decision(s.self, "m", "A", true, 1, &d));
    OK(s.status_add(s.self, &e));
    idv_session_free(&got);
}

static bool no_issued(void *arg, const struct idv_issued *i)
{
    (void)arg;
    (void)i;
    return true;
}

static void est(struct idv_db *db)
{
    struct idv_est_store s = idv_db_est_store(db);
    struct idv_issued i = {.issued = 1, .not_after = 9}, got = {0};
    bool yes = false;
    int64_t n = 0, again = 0;
    OK(s.add(s.self, &i, &yes));
    assert_true(yes);
    OK(s.find_csr(s.self, i.client_sha256, i.csr_sha256, &yes, &got));
    OK(s.find_cert(s.self, i.cert_sha256, &yes, &got));
    OK(s.find_subject(s.self, i.subject_sha256, &yes, &got));
    OK(s.find_client(s.self, i.client_sha256, &yes, &got));
    assert_true(yes);
    OK(s.number(s.self, "client", &n));
    OK(s.number(s.self, "client", &again));
    assert_true(n > 0 && n == again);
    OK(s.revoke(s.self, i.cert_sha256, 1, 5, &yes));
    assert_true(yes);
    idv_issued_free(&got);
}

static void crl(struct idv_db *db)
{
    struct idv_crl_store s = idv_db_crl_store(db);
    struct idv_crl c = {.number = 1, .made = 1, .next_update = 2}, got = {0};
    bool yes = false;
    int64_t n = 0;
    OK(s.get(s.self, key, &yes, &got));
    assert_false(yes);
    OK(s.claim(s.self, key, 10, 5, &yes));
    assert_true(yes);
    OK(s.claim(s.self, key, 11, 5, &yes));
    assert_false(yes);
    OK(idv_buf_puts(&c.der, "crl"));
    OK(s.put(s.self, key, &c));
    OK(s.get(s.self, key, &yes, &got));
    assert_true(yes);
    OK(s.revocations(s.self, &n));
    assert_int_equal(n, 1);
    OK(s.revoked(s.self, 0, no_issued, NULL));
    idv_buf_free(&c.der);
    idv_buf_free(&got.der);
}

static bool no_session(void *arg, const struct idv_session *s)
{
    (void)arg;
    (void)s;
    return true;
}

static bool no_status(void *arg, const struct idv_status_event *e)
{
    (void)arg;
    (void)e;
    return true;
}

static void people(struct idv_db *db)
{
    const struct idv_db_retention keep = {1, 1};
    uint64_t gone = 0;
    int n = 0;
    assert_int_equal(devices(db, "A"), 1);
    struct idv_masa_people p = idv_db_masa_people(db);
    OK(p.events(p.self, "A", 0, 100, count_event, &n));
    assert_int_equal(n, 4);
    OK(idv_db_session_each(db, "A", no_session, NULL));
    OK(idv_db_status_each(db, key, no_status, NULL));
    OK(idv_db_issued_each(db, "A", no_issued, NULL));
    OK(idv_db_decide(db, "m", "A", IDV_DECISION_APPROVED, 1));
    OK(idv_db_decide(db, "m", "A", IDV_DECISION_NONE, 1));
    OK(idv_db_prune(db, &keep, UINT64_MAX, &gone));
}

static idv_rc two_lines(void *arg, struct idv_bytes *line, bool *more)
{
    const char **at = arg;
    *more = *at != NULL;
    *line = idv_str(*more ? *at : "");
    *at = NULL;
    return IDV_OK;
}

static void take(struct idv_db *db, enum idv_db_rows rows, const char *line)
{
    struct idv_db_imported got;
    struct idv_db_import from = {
        .rows = rows, .by = test_by, .next = two_lines, .arg = &line};
    OK(idv_db_import(db, &from, &got));
}

static bool no_change(void *arg, const struct idv_masa_change *c)
{
    (void)arg;
    return c->date > 0;
}

static bool no_term(void *arg, const struct idv_masa_term *t)
{
    (void)arg;
    (void)t;
    return true;
}

static bool no_imprint(void *arg, const struct idv_masa_imprint *i)
{
    (void)arg;
    return i->generation > 0;
}

static void imprints(struct idv_db *db)
{
    struct idv_masa_store s = idv_db_masa_store(db);
    struct idv_masa_people p = idv_db_masa_people(db);
    struct idv_masa_issue i = some_issue(10);
    uint64_t highest = 0;
    bool fresh = false;
    i.generation = 4;
    OK(s.issue_add(s.self, &i, &fresh));
    OK(s.generation_highest(s.self, 1, &highest));
    assert_true(highest == 4);
    OK(p.imprints(p.self, 1, 9, no_imprint, NULL));
    idv_masa_issue_free(&i);
}

static void statuses(struct idv_db *db)
{
    struct idv_masa_store s = idv_db_masa_store(db);
    struct idv_cert_status status;
    struct idv_db_look look = {.cert = {0}};
    struct idv_db_found f = {.good_until = 9, .due = 9, .detail = ""};
    struct pki p;
    bool yes = false;
    pki_make(&p);
    OK(s.status_find(s.self, key, &yes, &status));
    OK(s.status_want(s.self, p.registrar.cert, p.domain_ca.cert, 1, &yes));
    OK(idv_db_look_take(db, 1, &yes, &look));
    assert_true(yes);
    OK(idv_db_look_put(db, &look, &f));
    f.failed = 1;
    OK(idv_db_look_put(db, &look, &f));
    idv_db_look_free(&look);
    OK(idv_db_look_take(db, 1, &yes, &look));
    OK(idv_db_look_prune(db, 1));
    pki_free(&p);
}

static bool no_origin(void *arg, int64_t first_seen, const char *network)
{
    (void)arg;
    return first_seen && *network;
}

static void origins(struct idv_db *db)
{
    struct idv_masa_people p = idv_db_masa_people(db);
    struct idv_masa_issue i = some_issue(11);
    bool fresh = false;
    strcpy(i.network, "192.0.2.0/24");
    OK(idv_db_masa_store(db).issue_add(db, &i, &fresh));
    OK(p.origins(p.self, key, no_origin, NULL));
    OK(p.origins_forget(p.self, key));
    idv_masa_issue_free(&i);
}

static void policies(struct idv_db *db)
{
    struct idv_masa_store s = idv_db_masa_store(db);
    struct idv_masa_people p = idv_db_masa_people(db);
    const struct idv_masa_device d = {.id = 1, .serial_number = "A"};
    const struct idv_masa_term t = {.setting = "claim", .value = "yes"};
    const struct idv_masa_term none = {.setting = "claim"};
    struct idv_masa_subject of = {.of = IDV_POLICY_MODEL, .name = "m"};
    OK(p.policy_set(p.self, &of, &t, 1, &test_by));
    OK(s.policy_each(s.self, &d, no_term, NULL));
    OK(p.policies(p.self, &of, NULL, 9, no_term, NULL));
    OK(p.policy_changes(p.self, &of, 9, no_change, NULL));
    OK(p.policy_set(p.self, &of, &none, 1, &test_by));
    of.name = "";
    OK(p.policies(p.self, &of, NULL, 9, no_term, NULL));
}

static void imports(struct idv_db *db)
{
    static const char *const lines[] = {
        "{\"serial-number\":\"B\",\"idevid-issuer\":"
        "\"BBQBAgMEBQYHCAkKCwwNDg8QERITFA==\","
        "\"retired\":true}",
        "{\"serial-number\":\"B\",\"idevid-issuer\":"
        "\"BBQBAgMEBQYHCAkKCwwNDg8QERITFA==\","
        "\"retired\":false}"};
    struct idv_masa_people p = idv_db_masa_people(db);
    take(db, IDV_DB_DEVICES, lines[0]);
    take(db, IDV_DB_DEVICES, lines[1]);
    OK(p.stand(p.self, idv_str(""), "B", IDV_STANDING_TRANSFERRED, "r",
               &test_by));
    take(db, IDV_DB_SALES, "B,ZG9tYWluIG9mIHRoZSBmaXJzdCBjdXN0b21lcg==,F");
    OK(p.changes(p.self, 2, 5, no_change, NULL));
}

static void everything(struct idv_db *db)
{
    masa(db);
    policies(db);
    quota(db);
    imprints(db);
    statuses(db);
    origins(db);
    registrar(db);
    est(db);
    crl(db);
    people(db);
    imports(db);
}

/* --- how it would be done ------------------------------------------------- */

static void plan(sqlite3 *h, const char *sql, struct idv_buf *out)
{
    sqlite3_stmt *st = NULL;
    IDV_AUTO(buf) explain = {0};
    OK(idv_buf_putf(&explain, "EXPLAIN QUERY PLAN %s", sql));
    assert_int_equal(
        sqlite3_prepare_v2(h, (const char *)explain.p, -1, &st, NULL),
        SQLITE_OK);
    idv_buf_clear(out);
    while (sqlite3_step(st) == SQLITE_ROW)
        OK(idv_buf_putf(out, "%s; ", (const char *)sqlite3_column_text(st, 3)));
    OK(idv_buf_put(out, idv_bytes("", 1)));
    sqlite3_finalize(st);
}

/* A walk over the one row of a SELECT without a table is none, nor one over
 * what a LIMIT has bounded. */
static bool walks(const char *how)
{
    for (const char *p = how; (p = strstr(p, "SCAN ")); p += 5) {
        if (strncmp(p, "SCAN CONSTANT ROW", 17) != 0 &&
            strncmp(p, "SCAN newest", 11) != 0)
            return true;
    }
    return false;
}

/* Statements that walk; *asked how many there are. */
static unsigned walkers(struct idvi_sqlite *s, unsigned *asked)
{
    IDV_AUTO(buf) how = {0};
    unsigned walked = 0;
    *asked = 0;
    for (size_t i = 0; i < s->n_cached; i++) {
        const char *sql = s->cache[i].sql;
        if (strstr(sql, "schema_version"))
            continue; /* has a row a version */
        plan(s->h, sql, &how);
        ++*asked;
        if (!walks((const char *)how.p))
            continue;
        print_error("%s: %s\n", sql, (const char *)how.p);
        walked++;
    }
    return walked;
}

static void by_index(void **state)
{
    struct place place;
    struct idv_db *db = NULL;
    unsigned asked = 0;
    (void)state;
    place_make(&place, NULL);
    OK(idv_db_open(place.url, &db));
    everything(db);
    struct idvi_sqlite *s = idvi_sqlite_of(db);
    assert_true(s->n_cached < IDVI_STATEMENTS); /* all are there */
    assert_int_equal(walkers(s, &asked), 0);
    assert_true(asked > 45);
    idv_db_close(db);
    place_drop(&place);
}

/* also where somebody had it analyzed while it was small */
static void analyzed(void **state)
{
    struct place place;
    struct idv_db *db = NULL;
    unsigned asked = 0;
    (void)state;
    place_make(&place, NULL);
    OK(idv_db_open(place.url, &db));
    OK(idvi_sqlite_script(db, "ANALYZE; INSERT INTO sqlite_stat1 SELECT"
                              " tbl_name, name, '2 2 1' FROM sqlite_master"
                              " WHERE type = 'index'"));
    idv_db_close(db);
    OK(idv_db_open(place.url, &db));
    everything(db);
    assert_int_equal(walkers(idvi_sqlite_of(db), &asked), 0);
    assert_true(asked > 45);
    idv_db_close(db);
    place_drop(&place);
}

static void understood(void **state)
{
    struct place place;
    struct idv_db *db = NULL;
    (void)state;
    if (!pg.dir[0])
        skip();
    place_make(&place, &pg);
    OK(idv_db_open(place.url, &db));
    everything(db);
    idv_db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_index),
        cmocka_unit_test(analyzed),
        cmocka_unit_test(understood),
    };
    (void)pg_start(&pg);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_stop(&pg);
    return failed;
}
