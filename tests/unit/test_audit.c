/* SPDX-License-Identifier: Apache-2.0 */
/* After the voucher: what pledges report, the audit log and its judgement. */
#include "tests/lib/stores.h"
#include "tests/unit/enroll.h"

/* --- reports -------------------------------------------------------------- */

static void status_without_voucher(void **state)
{
    struct fixture *f = *state;
    because(f, report(f, "voucher_status", GOOD), 404, "no-voucher");
    because(f, report(f, "enrollstatus", GOOD), 404, "no-voucher");
}

static void status_of_stranger(void **state)
{
    struct fixture *f = *state;
    world_peer(&f->w.pledge, f->w.pki.rogue_idevid.cert, NULL, 2);
    because(f, report(f, "voucher_status", GOOD), 403, "idevid-chain");
    because(f, report(f, "enrollstatus", GOOD), 403, "idevid-chain");
    idv_peer_free(&f->w.pledge);
    because(f, report(f, "voucher_status", GOOD), 403, "no-client-cert");
    because(f, report(f, "enrollstatus", GOOD), 403, "no-client-cert");
}

static void status_malformed(void **state)
{
    struct fixture *f = *state;
    because(f, report(f, "voucher_status", "{}"), 400, "status-report");
    because(f,
            world_registrar(&f->w, W_BRSKI "voucher_status", "text/plain",
                            idv_str(GOOD)),
            415, "media");
    assert_int_equal(world_state(&f->w), IDV_SESSION_VOUCHER_SENT);
}

static bool count_status(void *arg, const struct idv_status_event *e)
{
    ++*(int *)arg;
    return e->kind[0] != 0;
}

static int events_of_session(struct fixture *f)
{
    struct idv_session s = {0};
    struct idv_registrar_store r = idv_db_registrar_store(f->w.reg_db);
    uint8_t hash[32];
    bool found = false;
    int n = 0;
    OK(idv_cert_sha256(f->w.pki.idevid.cert, hash));
    OK(r.session_last(r.self, hash, &found, &s));
    OK(idv_db_status_each(f->w.reg_db, s.pvr_sha256, count_status, &n));
    idv_session_free(&s);
    return n;
}

static void status_good(void **state) /* R-R-33, R-R-34, R-R-37 */
{
    struct fixture *f = *state;
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    assert_int_equal(f->w.reply.body.n, 0);
    assert_int_equal(world_state(&f->w), IDV_SESSION_LOG_OK);
    assert_int_equal(f->w.upstreams, 1);
    assert_string_equal(f->w.upstream.path, W_BRSKI "requestauditlog");
    assert_null(strstr(f->w.log, "audit-log-odd"));
    assert_int_equal(events_of_session(f), 2);
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    assert_int_equal(f->w.upstreams, 1); /* judged once */
}

static void status_bad(void **state) /* R-R-43 */
{
    struct fixture *f = *state;
    assert_int_equal(report(f, "voucher_status", BAD), 200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_VSTATUS_FAIL);
    assert_int_equal(f->w.upstreams, 0);
    because(f, enroll(f), 403, "voucher-rejected");
}

static void status_bad_later(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    assert_int_equal(report(f, "voucher_status", BAD), 200);
    because(f, enroll(f), 403, "voucher-rejected");
}

/* nobody fills our disk with reports */
static void status_flood(void **state)
{
    struct fixture *f = *state;
    struct idv_session s = {0};
    bool found = false;
    int n = 0;
    for (int i = 0; i < 300; i++)
        assert_int_equal(report(f, "enrollstatus", BAD), 200);
    uint8_t hash[32];
    OK(idv_cert_sha256(f->w.pki.idevid.cert, hash));
    struct idv_registrar_store store = idv_db_registrar_store(f->w.reg_db);
    OK(store.session_last(store.self, hash, &found, &s));
    OK(idv_db_status_each(f->w.reg_db, s.pvr_sha256, count_status, &n));
    assert_int_equal(n, 256);
    idv_session_free(&s);
}

/* --- the audit log -------------------------------------------------------- */

#define EVENT(domain, nonce)                                                   \
    "{\"date\":\"2026-01-01T00:00:00Z\",\"domainID\":\"" domain "\","          \
    "\"nonce\":" nonce ",\"assertion\":\"logged\"}"
#define LOG_OF(events) "{\"version\":\"1\",\"events\":[" events "]}"

static int after_log(struct fixture *f, int status, const char *log)
{
    world_can(&f->w, status, JSON, log);
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    return world_state(&f->w);
}

static void foreign_domain(void **state) /* R-R-36, RT-9 */
{
    struct fixture *f = *state;
    assert_int_equal(after_log(f, 200, LOG_OF(EVENT("Zm9yZWlnbg==", "\"x\""))),
                     IDV_SESSION_LOG_BAD);
    because(f, enroll(f), 403, "log-bad");
    assert_int_equal(issued_count(f), 0);
}

static void foreign_allowed(void **state)
{
    struct fixture *f = *state;
    f->w.reg_conf.audit_policy.allow_foreign_nonced = true;
    world_configure(&f->w);
    assert_int_equal(
        after_log(f, 200, LOG_OF(EVENT("Zm9yZWlnbg==", "\"noncenonce\""))),
        IDV_SESSION_LOG_OK);
    assert_non_null(strstr(f->w.log, "own-voucher-missing"));
}

static void foreign_nonceless(void **state) /* R-S-4 */
{
    struct fixture *f = *state;
    f->w.reg_conf.audit_policy.allow_foreign_nonced = true;
    world_configure(&f->w);
    assert_int_equal(after_log(f, 200, LOG_OF(EVENT("Zm9yZWlnbg==", "null"))),
                     IDV_SESSION_LOG_BAD);
}

static void log_garbage(void **state)
{
    struct fixture *f = *state;
    /* it says nothing about the device: asked again before enrollment */
    assert_int_equal(after_log(f, 200, "{\"version\":1}"),
                     IDV_SESSION_VSTATUS_OK);
    because(f, enroll(f), 202, "audit-unreadable");
    assert_int_equal(issued_count(f), 0);
}

static void log_withheld(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(after_log(f, 404, ""), IDV_SESSION_LOG_BAD);
    because(f, enroll(f), 403, "log-bad");
}

static void log_not_offered(void **state)
{
    struct fixture *f = *state;
    f->w.reg_conf.audit = IDV_AUDIT_IF_OFFERED;
    world_configure(&f->w);
    assert_int_equal(after_log(f, 404, ""), IDV_SESSION_LOG_OK);
}

static void log_ignored(void **state)
{
    struct fixture *f = *state;
    f->w.reg_conf.audit = IDV_AUDIT_OFF;
    world_configure(&f->w);
    assert_int_equal(enroll(f), 200);
    assert_int_equal(f->w.upstreams, 0);
}

/* No answer is no judgement: enrollment waits and asks again. */
static void log_unavailable(void **state)
{
    struct fixture *f = *state;
    f->w.link = WORLD_LINK_LOST;
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_VSTATUS_OK);
    because(f, enroll(f), 202, "audit-lost");
    assert_true(f->w.reply.retry_after > 0);
    world_can(&f->w, 500, "text/plain", "oops");
    because(f, enroll(f), 202, "audit-unavailable");
    f->w.link = WORLD_LINK_MASA;
    assert_int_equal(enroll(f), 200);
}

static void log_elsewhere(void **state) /* R-R-35, R-S-14 */
{
    struct fixture *f = *state;
    world_can(&f->w, 201, "", "");
    strcpy(f->w.canned.location, "https://evil.example.com:9443/log/1");
    because(f, enroll(f), 202, "audit-location");
    assert_int_equal(f->w.upstreams, 1);
    strcpy(f->w.canned.location, "https://masa.example.com:9443/log/1");
    because(f, enroll(f), 202, "audit-redirected-twice");
    assert_int_equal(f->w.upstreams, 3);
    assert_int_equal(f->w.upstream.verb, IDV_GET);
    assert_string_equal(f->w.upstream.path, "/log/1");
    assert_int_equal(f->w.upstream.body.n, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T0(f) cmocka_unit_test_setup_teardown(f, setup_bare, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T0(status_without_voucher),
        T(status_of_stranger),
        T(status_malformed),
        T(status_flood),
        T(status_good),
        T(status_bad),
        T(status_bad_later),
        T(foreign_domain),
        T(foreign_allowed),
        T(foreign_nonceless),
        T(log_garbage),
        T(log_withheld),
        T(log_not_offered),
        T(log_ignored),
        T(log_unavailable),
        T(log_elsewhere),
    };
    return STORES_RUN(tests);
}
