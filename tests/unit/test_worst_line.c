/* SPDX-License-Identifier: Apache-2.0 */
/* A pledge over a line that breaks at any byte, stands still, or drips. */
#include "tests/unit/worst.h"

static void line_up(struct worst *w, enum badline_fault fault, size_t at)
{
    w->line.fault = fault;
    w->line.at = at;
    badline_start(&w->line, w->server.port);
    worst_to(w, w->line.port);
}

/* how many bytes a registrar says when all goes well */
static size_t good_bytes(void)
{
    WORST(w);
    line_up(&w, BADLINE_GOOD, 0);
    worst_joins(&w);
    return w.line.passed;
}

static void struck_at(enum badline_fault fault, size_t at)
{
    WORST(w);
    line_up(&w, fault, at);
    if (fault == BADLINE_FLIP) /* of a length: more is waited for */
        w.conf.connect_s = w.conf.stall_s = 1;
    worst_join(&w);
    worst_whole(&w);
    w.conf.connect_s = w.conf.stall_s = 20;
    worst_joins(&w);
}

static void everywhere(enum badline_fault fault, size_t samples, size_t from)
{
    const size_t n = good_bytes();
    const size_t all = fault == BADLINE_CLOSE ? 1 : 3; /* it takes long */
    const size_t step = long_run() ? all : n / samples;
    for (size_t at = from, i = 0; at < n; at += step, i++) {
        if (long_share(i))
            struck_at(fault, at);
    }
}

/* R-P-18, R-P-49: the server's side ends after each byte it can end after */
static void closed_at_every_byte(void **state)
{
    (void)state;
    everywhere(BADLINE_CLOSE, 37, 0);
}

/* R-P-18, R-P-49 */
static void reset_at_every_byte(void **state)
{
    (void)state;
    everywhere(BADLINE_RESET, 17, 7);
}

/* R-P-18: TLS sees it, and so does the pledge */
static void spoilt_at_every_byte(void **state)
{
    (void)state;
    everywhere(BADLINE_FLIP, 7, 3);
}

/* R-P-18, R-P-94: in TLS, in the header, in the body: it gives up in time */
static void stands_still(void **state)
{
    const size_t n = good_bytes();
    const size_t places[] = {0, 3, 700, n / 3, n / 2, n - 300};
    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        WORST(w);
        line_up(&w, BADLINE_STALL, places[i]);
        w.conf.connect_s = w.conf.stall_s = w.conf.exchange_s = 1;
        worst_join(&w);
        worst_whole(&w);
        assert_true(w.line.struck);
        if (i < 3) {
            assert_int_equal(w.rc, IDV_E_TIMEOUT);
            assert_non_null(strstr(w.note, "within 1 s"));
            assert_int_equal(fakedev_state(&w.dev), IDV_TRUST_NONE);
        }
        w.conf.connect_s = w.conf.stall_s = w.conf.exchange_s = 20;
        worst_joins(&w);
    }
}

/* R-P-94: a byte now and then is progress, and not enough of it */
static void drips(void **state)
{
    const size_t places[] = {0, 2 * good_bytes() / 5}; /* TLS, HTTP */
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        WORST(w);
        line_up(&w, BADLINE_DRIP, places[i]);
        w.conf.connect_s = i ? 5 : 1;
        w.conf.exchange_s = 2; /* at 40 ms a byte */
        assert_int_equal(worst_join(&w), IDV_E_TIMEOUT);
        assert_true(w.line.struck);
        assert_non_null(strstr(w.note, " within "));
        worst_whole(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_at_every_byte),
        cmocka_unit_test(reset_at_every_byte),
        cmocka_unit_test(spoilt_at_every_byte),
        cmocka_unit_test(stands_still),
        cmocka_unit_test(drips),
    };
    return cmocka_run_group_tests_name("worst-line", tests, worst_setup,
                                       worst_teardown);
}
