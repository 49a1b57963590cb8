/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted of a log, and what workers tell each other. */
#include "tests/unit/codec.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

#include <idevid/env.h>

#include "net/meter.h"

static char last[256];

static void keep(void *ctx, enum idv_level level, const char *line)
{
    (void)ctx;
    (void)level;
    snprintf(last, sizeof(last), "%s", line);
}

static struct idv_env_system sys;
static struct idv_meter meter;

static int setup(void **state)
{
    (void)state;
    idv_env_system_init(&sys, "test");
    sys.env.log = keep;
    return idv_meter_open(&meter, &sys.env) == IDV_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    idv_meter_close(&meter);
    return 0;
}

static bool prints(const char *line)
{
    IDV_AUTO(buf) text = {0};
    char want[256];
    OK(idv_meter_print(&meter, NULL, &text));
    snprintf(want, sizeof(want), "\n%s\n", line);
    return strstr((char *)text.p, want) != NULL;
}

static void say(const char *event, const char *fields)
{
    idv_log(&meter.env, IDV_LOG_DEBUG, event, "%s", fields);
}

static void test_counts(void **state)
{
    (void)state;
    say("served", "peer=::1 path=/.well-known/est/cacerts status=200 ms=3");
    say("served", "peer=::1 path=/.well-known/est/cacerts status=200 ms=3");
    assert_string_equal(
        last, "served peer=::1 path=/.well-known/est/cacerts status=200 ms=3");
    assert_true(prints("idevid_requests_total{path=\"/.well-known/est/"
                       "cacerts\",status=\"200\"} 2"));
    say("refused", "role=registrar why=unknown-maker status=403 detail=\"\"");
    assert_true(prints("idevid_refusals_total{why=\"unknown-maker\"} 1"));
    say("refused-again", "why=x");
    assert_true(prints("idevid_refusals_total{why=\"unknown-maker\"} 1"));
    say("voucher-relayed", "device=x");
    assert_true(prints("idevid_vouchers_total 1"));
    say("serve-failed", "class=io reason=\"disk full\"");
    assert_true(prints("idevid_failures_total{class=\"io\"} 1"));
    say("address-limit", "peer=192.0.2.1");
    assert_true(
        prints("idevid_connections_refused_total{why=\"address-limit\"} 1"));
    assert_int_equal(idv_now(&meter.env) - idv_now(&sys.env) <= 1, true);
}

static void test_latency(void **state)
{
    (void)state;
    say("upstream", "host=masa status=200 ms=5");
    say("upstream", "host=masa status=200 ms=6");
    say("upstream", "host=masa status=lost ms=31000");
    assert_true(prints("idevid_upstream_total{status=\"200\"} 2"));
    assert_true(prints("idevid_upstream_total{status=\"lost\"} 1"));
    assert_true(prints("idevid_upstream_seconds_bucket{le=\"0.005\"} 1"));
    assert_true(prints("idevid_upstream_seconds_bucket{le=\"0.010\"} 2"));
    assert_true(prints("idevid_upstream_seconds_bucket{le=\"30.000\"} 2"));
    assert_true(prints("idevid_upstream_seconds_bucket{le=\"+Inf\"} 3"));
    assert_true(prints("idevid_upstream_seconds_sum 31.011"));
    assert_true(prints("idevid_upstream_seconds_count 3"));
}

/* what strangers send is no label, and does not fill the table */
static void test_strangers(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        idv_log(&meter.env, IDV_LOG_DEBUG, "served",
                "path=/made/up/%d status=404 ms=1", i);
    }
    assert_true(
        prints("idevid_requests_total{path=\"other\",status=\"404\"} 2000"));
    idv_log(&meter.env, IDV_LOG_DEBUG, "served", "path=%s status=200 ms=1",
            idv_log_value("/a\"} 7\nidevid_vouchers_total 9 status=7"));
    assert_false(prints("idevid_vouchers_total 9"));
    for (int i = 0; i < 2000; i++) /* though it does not happen */
        idv_log(&meter.env, IDV_LOG_WARN, "refused", "why=code-%d", i);
    say("voucher-issued", "");
    assert_true(
        prints("idevid_requests_total{path=\"other\",status=\"404\"} 2000"));
}

/* whose a line is, and what only looks so */
static void test_tenants(void **state)
{
    (void)state;
    idv_log_context("req=1-1 tenant=bolt");
    say("refused", "why=sold");
    say("voucher-issued", "device=x");
    idv_log_context("req=1-2");
    say("refused", "why=sold");
    idv_log(&meter.env, IDV_LOG_DEBUG, "refused", "why=sold detail=%s",
            idv_log_value("of tenant=bolt"));
    idv_log_context(NULL);
    idv_log(&meter.env, IDV_LOG_DEBUG, "refused", "why=sold detail=%s",
            idv_log_value("of tenant=bolt"));
    assert_true(
        prints("idevid_refusals_total{why=\"sold\",tenant=\"bolt\"} 1"));
    assert_true(prints("idevid_refusals_total{why=\"sold\"} 3"));
    assert_true(prints("idevid_vouchers_issued_total{tenant=\"bolt\"} 1"));
}

/* children count into the same table */
static void test_processes(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            for (int i = 0; i < 1000; i++)
                say("certificate-issued", "device=x");
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
    assert_true(prints("idevid_certificates_total 4000"));
}

/* --- the board ------------------------------------------------------------ */

static uint64_t origin(const char *text)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return idvi_board_origin((struct sockaddr *)&four);
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return idvi_board_origin((struct sockaddr *)&six);
}

static void test_origins(void **state)
{
    (void)state;
    assert_true(origin("192.0.2.1") != origin("192.0.2.2"));
    assert_true(origin("192.0.2.1") == origin("::ffff:192.0.2.1"));
    assert_true(origin("2001:db8::1") == origin("2001:db8::2"));
    assert_true(origin("2001:db8::1") != origin("2001:db8:0:1::1"));
    assert_true(origin("fe80::1") != origin("fe80::2"));
}

static void test_board(void **state)
{
    struct idv_board *b = NULL;
    struct idv_board_sum sum;
    uint64_t o = origin("192.0.2.1");
    (void)state;
    OK(idv_board_new(&sys.env, &b));
    idvi_board_expect(b, 2);
    int one = idvi_board_enter(b, 101), two = idvi_board_enter(b, 102);
    assert_true(one != two);
    idvi_board_ready(b, one);
    idvi_board_live(b, one, 3);
    idvi_board_live(b, two, 4);
    idv_board_sum(b, &sum);
    assert_int_equal(sum.workers, 2);
    assert_int_equal(sum.ready, 1);
    assert_int_equal(sum.connections, 7);
    assert_int_equal(idvi_board_add(b, one, o), 1);
    assert_int_equal(idvi_board_add(b, two, o), 2);
    assert_int_equal(idvi_board_add(b, two, origin("192.0.2.9")), 1);
    idvi_board_remove(b, one, o);
    assert_int_equal(idvi_board_add(b, one, o), 2);
    idvi_board_leave(b, 102); /* killed: what it counted is gone */
    assert_int_equal(idvi_board_add(b, one, o), 2);
    idv_board_sum(b, &sum);
    assert_int_equal(sum.connections, 3);
    assert_int_equal(idvi_board_enter(b, 103), two);
    idv_board_free(b);
}

static void test_clients(void **state)
{
    struct idv_board *b = NULL;
    uint8_t a[32] = {1}, other[32] = {2};
    (void)state;
    OK(idv_board_new(&sys.env, &b));
    for (unsigned i = 1; i <= 100; i++)
        assert_int_equal(idvi_board_asked(b, a, 60000), i);
    assert_int_equal(idvi_board_asked(b, other, 60000), 1);
    assert_int_equal(idvi_board_asked(b, a, 119999), 101);
    assert_int_equal(idvi_board_asked(b, a, 120000), 1);
    idv_board_free(b);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_counts),  CASE(test_latency),   CASE(test_strangers),
        CASE(test_tenants), CASE(test_processes), CASE(test_origins),
        CASE(test_board),   CASE(test_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
