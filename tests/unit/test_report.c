/* SPDX-License-Identifier: Apache-2.0 */
/* Status reports and audit logs: inverses, refusals, judgement, samples. */
#include "tests/unit/codec.h"

#include <idevid/voucher.h>

static void drop_log(struct idv_audit_log *log)
{
    idv_audit_log_free(log);
}
#define AUTO_LOG __attribute__((cleanup(drop_log))) struct idv_audit_log

static idv_rc telemetry(const char *json, struct idv_telemetry *out)
{
    return idv_telemetry_from_json(idv_str(json), out);
}

static idv_rc audit(const char *json, struct idv_audit_log *out)
{
    return idv_audit_log_from_json(idv_str(json), out);
}

/* R-P-54 */
static void telemetry_inverse(void **state)
{
    struct idv_telemetry back, t = {.version = 1,
                                     .reason = "refused",
                                     .detail = "nonce-mismatch"};
    IDV_AUTO(buf) json = {0};
    (void)state;
    OK(idv_telemetry_to_json(&t, &json));
    assert_string_equal((char *)json.p,
                        "{\"version\":1,\"status\":false,\"reason\":\"refused\""
                        ",\"reason-context\":{\"detail\":\"nonce-mismatch\"}}");
    OK(telemetry((char *)json.p, &back));
    assert_memory_equal(&t, &back, sizeof(t));
    struct idv_telemetry good = {.version = 1, .status = true};
    idv_buf_clear(&json);
    OK(idv_telemetry_to_json(&good, &json));
    assert_string_equal((char *)json.p, "{\"version\":1,\"status\":true}");
    OK(telemetry((char *)json.p, &back));
    assert_memory_equal(&good, &back, sizeof(good));
}

/* evidence: there and back, and what is none */
static void telemetry_evidence(void **state)
{
    static const char *const bad[] = {"17", "{}", "\"A\"", "\"AA==\\n\"",
                                      "\"A-_A\""};
    const struct idv_telemetry t = {
        .version = 1, .status = true, .evidence = idv_str("proof")};
    const struct idv_telemetry both = {.version = 1,
                                       .status = true,
                                       .detail = "x",
                                       .evidence = idv_str("proof")};
    struct idv_telemetry back, long_one = t;
    static uint8_t bytes[IDV_MAX_REPORTED + 1];
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) der = {0};
    (void)state;
    OK(idv_telemetry_to_json(&t, &json));
    assert_string_equal((char *)json.p,
                        "{\"version\":1,\"status\":true,\"reason-context\":"
                        "{\"imprint-evidence\":\"cHJvb2Y=\"}}");
    OK(idv_telemetry_evidence(idv_view(&json), &der));
    assert_true(idv_bytes_eq(idv_view(&der), idv_str("proof")));
    idv_buf_clear(&json);
    OK(idv_telemetry_to_json(&both, &json));
    OK(telemetry((char *)json.p, &back));
    assert_string_equal(back.detail, "x");
    long_one.evidence = idv_bytes(bytes, sizeof(bytes));
    FAILS(IDV_E_LIMIT, "evidence", idv_telemetry_to_json(&long_one, &json));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        idv_buf_clear(&json);
        OK(idv_buf_putf(&json, "{\"reason-context\":{\"imprint-evidence\":%s}}",
                        bad[i]));
        idv_buf_clear(&der);
        FAILS(IDV_E_FORMAT, "imprint-evidence",
              idv_telemetry_evidence(idv_view(&json), &der));
        assert_int_equal(der.n, 0);
    }
    OK(idv_telemetry_evidence(idv_str("{\"reason-context\":[]}"), &der));
    assert_int_equal(der.n, 0);
}

static void answer_inverse(void **state)
{
    struct idv_status_answer a = {.evidence = true}, back = {0};
    IDV_AUTO(buf) json = {0};
    (void)state;
    OK(idv_status_answer_to_json(&a, &json));
    assert_string_equal((char *)json.p, "{\"evidence\":\"requested\"}");
    OK(idv_status_answer_from_json(idv_view(&json), &back));
    assert_true(back.evidence);
    a.evidence = false;
    idv_buf_clear(&json);
    OK(idv_status_answer_to_json(&a, &json));
    OK(idv_status_answer_from_json(idv_view(&json), &back));
    assert_false(back.evidence);
}

static void telemetry_reads(void **state)
{
    struct idv_telemetry t;
    IDV_AUTO(buf) json = {0};
    (void)state;
    OK(telemetry("{\"version\":\"2\",\"status\":true,\"x\":[],"
                 "\"reason-context\":{\"detail\":{\"y\":1}}}",
                 &t));
    assert_true(t.version == 2 && t.status && !t.detail[0]);
    OK(idv_buf_puts(&json, "{\"version\":1,\"status\":false,\"reason\":\""));
    for (int i = 0; i < 400; i++)
        OK(idv_buf_puts(&json, "é"));
    OK(idv_buf_puts(&json, "\"}"));
    OK(telemetry((char *)json.p, &t));
    assert_int_equal(strlen(t.reason), IDV_MAX_REASON - 2);
    assert_int_equal((unsigned char)t.reason[IDV_MAX_REASON - 3], 0xa9);
}

static void telemetry_refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[1,true]",
        "{\"version\":1}",
        "{\"status\":true}",
        "{\"version\":1,\"Status\":true}",
        "{\"version\":1,\"status\":\"true\"}",
        "{\"version\":1,\"status\":1}",
        "{\"version\":-1,\"status\":true}",
        "{\"version\":1.5,\"status\":true}",
        "{\"version\":\"1x\",\"status\":true}",
        "{\"version\":null,\"status\":true}",
        "{\"version\":1,\"status\":true,\"reason\":17}",
        "{\"version\":1,\"status\":true,\"reason-context\":\"x\"}",
        "{\"version\":1,\"status\":true,\"status\":true}",
    };
    struct idv_telemetry t;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        FAILS(IDV_E_FORMAT, "", telemetry(bad[i], &t));
}

static struct idv_audit_event event(const char *domain, const char *nonce)
{
    struct idv_audit_event e = {
        .date = 1618350204, .assertion = IDV_ASSERT_PROXIMITY, .truncated = 3};
    strcpy(e.domain_id, domain);
    strcpy(e.nonce, nonce);
    return e;
}

/* R-M-26 */
static void audit_inverse(void **state)
{
    AUTO_LOG log = {.version = 1, .arbitrary = 2};
    AUTO_LOG back;
    IDV_AUTO(buf) json = {0};
    (void)state;
    for (int i = 0; i < 40; i++) {
        struct idv_audit_event e = event("AAAA", i % 2 ? "" : "n/=");
        e.date += i;
        OK(idv_audit_log_add(&log, &e));
    }
    OK(idv_audit_log_to_json(&log, &json));
    assert_non_null(strstr((char *)json.p, "\"nonce\":null"));
    assert_non_null(strstr((char *)json.p, "\"truncated\":3"));
    OK(audit((char *)json.p, &back));
    assert_int_equal(back.n, 40);
    assert_int_equal(back.arbitrary, 2);
    assert_memory_equal(log.events, back.events, 40 * sizeof(*log.events));
}

/* an array of the caller's is neither overrun nor freed */
static void audit_of_the_caller(void **state)
{
    struct idv_audit_event own[4] = {event("A", "1"), event("B", "2"),
                                     event("C", "3"), event("x", "x")};
    struct idv_audit_log log = {.version = 1, .events = own, .n = 3};
    struct idv_audit_event e = event("D", "4");
    (void)state;
    OK(idv_audit_log_add(&log, &e));
    assert_int_equal(log.n, 4);
    assert_string_equal(log.events[2].domain_id, "C");
    assert_string_equal(log.events[3].domain_id, "D");
    assert_string_equal(own[3].domain_id, "x");
    idv_audit_log_free(&log);
    log = (struct idv_audit_log){.version = 1, .events = own, .n = 3};
    idv_audit_log_free(&log);
    assert_null(log.events);
}

static void audit_bounds(void **state)
{
    AUTO_LOG log = {.version = 1};
    AUTO_LOG back;
    IDV_AUTO(buf) json = {0};
    struct idv_audit_event e = event("AAAA", "n");
    (void)state;
    for (int i = 0; i < IDV_MAX_AUDIT_EVENTS; i++)
        OK(idv_audit_log_add(&log, &e));
    FAILS(IDV_E_LIMIT, "1024", idv_audit_log_add(&log, &e));
    OK(idv_audit_log_to_json(&log, &json));
    OK(idv_audit_log_from_json(idv_view(&json), &back));
    assert_int_equal(back.n, IDV_MAX_AUDIT_EVENTS);
}

#define EVENT "\"date\":\"2019-05-15T17:25:55Z\",\"domainID\":\"AAAA\""
#define LOG(body) "{\"version\":1,\"events\":[" body "]}"

static void audit_refuses(void **state)
{
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"version\":1}",
        "{\"events\":[]}",
        "{\"version\":1,\"events\":{}}",
        LOG("17"),
        LOG("{}"),
        LOG("{\"domainID\":\"AAAA\"}"),
        LOG("{\"date\":\"2019-05-15T17:25:55Z\"}"),
        LOG("{\"date\":17,\"domainID\":\"AAAA\"}"),
        LOG("{" EVENT ",\"nonce\":1}"),
        LOG("{" EVENT ",\"nonce\":\"\"}"),
        LOG("{" EVENT ",\"assertion\":\"trusted\"}"),
        LOG("{" EVENT ",\"assertion\":null}"),
        LOG("{" EVENT ",\"truncated\":-1}"),
        LOG("{" EVENT ",\"truncated\":\"\"}"),
        LOG("{" EVENT ",\"truncated\":99999999999}"),
        LOG("{\"date\":\"2019-05-15T17:25:55Z\",\"domainID\":\"A\\nA\"}"),
        "{\"version\":1,\"events\":[],\"truncation\":[]}",
        "{\"version\":1,\"events\":[],\"truncation\":{\"arbitrary\":\"x\"}}",
    };
    struct idv_audit_log log;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        FAILS(IDV_E_FORMAT, "", audit(bad[i], &log));
}

/* RFC 8995 section 5.8.3 */
static void audit_judged(void **state)
{
    static const char *const known[] = {"-_-_AA==", NULL};
    struct idv_audit_policy strict = {known, false, false};
    struct idv_audit_policy nonced = {known, true, false};
    struct idv_audit_policy loose = {known, true, true};
    struct idv_audit_policy odd = {NULL, false, true};
    struct idv_audit_event own = event("+/+/AA", "");
    struct idv_audit_event foreign = event("BBBB", "n");
    struct idv_audit_event nonceless = event("BBBB", "");
    AUTO_LOG log = {.version = 1};
    (void)state;
    OK(idv_audit_log_judge(&log, &strict));
    OK(idv_audit_log_add(&log, &own));
    OK(idv_audit_log_judge(&log, &strict));
    FAILS(IDV_E_REJECT, "event 0", idv_audit_log_judge(&log, &odd));
    OK(idv_audit_log_add(&log, &foreign));
    FAILS(IDV_E_REJECT, "event 1: unknown domain BBBB",
          idv_audit_log_judge(&log, &strict));
    OK(idv_audit_log_judge(&log, &nonced));
    OK(idv_audit_log_add(&log, &nonceless));
    FAILS(IDV_E_REJECT, "event 2: no nonce",
          idv_audit_log_judge(&log, &nonced));
    OK(idv_audit_log_judge(&log, &loose));
    log.n = 1;
    log.arbitrary = 1;
    FAILS(IDV_E_REJECT, "left out", idv_audit_log_judge(&log, &strict));
    OK(idv_audit_log_judge(&log, &loose));
}

static void published(void **state)
{
    IDV_AUTO(buf) json = {0};
    struct idv_telemetry t;
    AUTO_LOG log = {0};
    (void)state;
    test_vector("rfc8995/example-telemetry.json", &json);
    OK(idv_telemetry_from_json(idv_view(&json), &t));
    assert_true(t.version == 1 && !t.status && t.reason[0]);
    idv_buf_clear(&json);
    test_vector("rfc8995/example-enrollstatus.json", &json);
    OK(idv_telemetry_from_json(idv_view(&json), &t));
    assert_true(t.status);
    idv_buf_clear(&json);
    test_vector("rfc8995/example-auditlog.json", &json);
    OK(idv_audit_log_from_json(idv_view(&json), &log));
    assert_true(log.version == 1 && log.n == 2);
    assert_true(log.nonceless_duplicates == 1 && log.arbitrary == 2);
    assert_true(log.events[0].date == 1557955555);
    assert_string_equal(log.events[0].nonce, "VOUFT-WwrEv0NuAQEHoV7Q");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(telemetry_inverse),
        cmocka_unit_test(telemetry_evidence),
        cmocka_unit_test(answer_inverse),
        cmocka_unit_test(telemetry_reads),
        cmocka_unit_test(telemetry_refuses),
        cmocka_unit_test(audit_inverse),
        cmocka_unit_test(audit_of_the_caller),
        cmocka_unit_test(audit_bounds),
        cmocka_unit_test(audit_refuses),
        cmocka_unit_test(audit_judged),
        cmocka_unit_test(published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
