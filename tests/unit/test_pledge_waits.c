/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge told to wait. */
#include "tests/unit/codec.h"

#include "tests/unit/fakescene.h"

/* --- 202 (PT-14, PT-15) --------------------------------------------------- */

/* R-P-29, R-P-30 */
static void the_registrar_takes_its_time(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.pending = 3;
    expect(&s, IDV_OK, "C? rv W5 rv W5 rv W5 rv vs+ ca at en C+ es+", ENROLLED);
    assert_int_equal(s.reg.same_pvr, 3);
}

/* R-P-29, R-S-11 */
static void retry_after_is_bounded(void **state)
{
    static const struct {
        int said, done;
    } rows[] = {{999999, 60}, {61, 60}, {60, 60}, {-1, 60}, {0, 1}, {7, 7}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        s.reg.pending = 2;
        s.reg.retry_after = rows[i].said;
        assert_int_equal(join(&s), IDV_OK);
        assert_int_equal(s.reg.longest_wait, rows[i].done);
        assert_int_equal(s.reg.waited, 2 * rows[i].done);
    }
}

/* R-P-31 */
static void four_days_and_no_more(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.pending = 100000;
    s.reg.retry_after = 60;
    s.drive.max_steps = 100000;
    assert_int_equal(join(&s), IDV_E_TIMEOUT);
    assert_int_equal(s.reg.waited, IDV_MAX_PENDING);
    assert_int_equal(s.reg.same_pvr, IDV_MAX_PENDING / 60);
    assert_int_equal(fakedev_state(&s.dev), NONE);
}

/* R-P-21, R-P-30: the registrar closes between two of the same requests */
static void waiting_over_lost_connections(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.pending = 2;
    s.reg.lose = 3; /* C? rv (202) rv */
    expect(&s, IDV_OK, "C? rv W5 rv L C? rv W5 rv vs+ ca at en C+ es+",
           ENROLLED);
    assert_int_equal(s.reg.same_pvr, 3);
    assert_string_equal(s.reg.nonces[0], s.reg.nonces[1]);
}

static bool enroll_pending(struct fakereg *r, const char *word, bool after,
                           const struct idv_msg *req, struct idv_msg *reply)
{
    (void)req;
    if (after || strcmp(word, "en") != 0 || r->same_csr >= 2)
        return false;
    OK(idv_msg_refuse(reply, 202, "not yet"));
    reply->retry_after = 70;
    return true;
}

static void enrollment_takes_its_time(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.hook = enroll_pending;
    expect(&s, IDV_OK, "C? rv vs+ ca at en W60 en W60 en C+ es+", ENROLLED);
    assert_int_equal(s.reg.same_csr, 2);
    assert_int_equal(s.dev.keys_made, 1);
}

static bool enroll_for_ever(struct fakereg *r, const char *word, bool after,
                            const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "en") != 0)
        return false;
    OK(idv_msg_refuse(reply, 202, "not yet"));
    return true;
}

static void enrollment_four_days(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.hook = enroll_for_ever;
    s.drive.max_steps = 100000;
    assert_int_equal(join(&s), IDV_E_TIMEOUT);
    assert_int_equal(s.reg.waited, IDV_MAX_PENDING);
    assert_int_equal(fakedev_state(&s.dev), IMPRINTED);
    assert_string_equal((char *)s.reg.telemetry.p,
                        "{\"version\":1,\"status\":false,\"reason\":"
                        "\"enrollment failed\"}");
}

/* --- no time -------------------------------------------------------------- */

/* how a registrar that has no time says so, and how often, to which request */
static struct {
    const char *word;
    int status, retry_after, times;
} busy;

static bool no_time(struct fakereg *r, const char *word, bool after,
                    const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, busy.word) != 0 || busy.times-- <= 0)
        return false;
    OK(idv_msg_refuse(reply, busy.status, "too many requests"));
    reply->retry_after = busy.retry_after;
    return true;
}

/* whatever is asked for: it is asked for again, and nobody is told of failure
 */
static void no_time_refuses_nothing(void **state)
{
    static const struct {
        const char *word, *log;
    } rows[] = {
        {"rv", "C? rv W7 rv W7 rv vs+ ca at en C+ es+"},
        {"ca", "C? rv vs+ ca W7 ca W7 ca at en C+ es+"},
        {"at", "C? rv vs+ ca at W7 at W7 at en C+ es+"},
        {"en", "C? rv vs+ ca at en W7 en W7 en C+ es+"},
    };
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        SCENE(s);
        s.reg.hook = no_time;
        busy.word = rows[i / 2].word;
        busy.status = i % 2 ? 429 : 503;
        busy.retry_after = 7;
        busy.times = 2;
        expect(&s, IDV_OK, rows[i / 2].log, ENROLLED);
        assert_int_equal(s.dev.keys_made, 1);
        assert_int_equal(s.reg.n_nonces, 1);
        assert_non_null(strstr(s.dev.events, "busy"));
    }
}

static void no_time_for_how_long(void **state)
{
    static const struct {
        int said, done;
    } rows[] = {{999999, IDV_MAX_BUSY_WAIT},
                {IDV_MAX_BUSY_WAIT, IDV_MAX_BUSY_WAIT},
                {61, 61},
                {-1, 60},
                {0, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        s.reg.hook = no_time;
        busy.word = "rv";
        busy.status = 429;
        busy.retry_after = rows[i].said;
        busy.times = 2;
        assert_int_equal(join(&s), IDV_OK);
        assert_int_equal(s.reg.longest_wait, rows[i].done);
        assert_int_equal(s.reg.waited, 2 * rows[i].done);
    }
}

/* who does not say when has failed, and its turn comes again later */
static void an_error_that_says_nothing(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.hook = no_time;
    s.dev.conf.attempts = 2;
    busy.word = "rv";
    busy.status = 503;
    busy.retry_after = -1;
    busy.times = 1;
    assert_int_equal(join(&s), IDV_OK);
    assert_int_equal(s.reg.n_nonces, 1);
    assert_null(strstr(s.dev.events, "busy"));
    assert_non_null(strstr(s.dev.events, "failed"));
}

/* a day, beside which what came between counts anew */
static void no_time_for_a_day(void **state)
{
    (void)state;
    for (int in_domain = 0; in_domain <= 1; in_domain++) {
        SCENE(s);
        s.reg.hook = no_time;
        s.dev.conf.attempts = 1;
        s.drive.max_steps = 100000;
        busy.word = in_domain ? "at" : "rv";
        busy.status = 503;
        busy.retry_after = 60;
        busy.times = 100000;
        assert_int_equal(join(&s), IDV_E_NET);
        assert_non_null(strstr(s.drive.note, "no time for a day (503)"));
        assert_int_equal(s.reg.waited, IDV_MAX_BUSY);
        assert_int_equal(fakedev_state(&s.dev), in_domain ? IMPRINTED : NONE);
    }
}

static bool now_and_then(struct fakereg *r, const char *word, bool after,
                         const struct idv_msg *req, struct idv_msg *reply)
{
    busy.word = "rv";
    busy.times = r->pending++ % 2;
    if (after || strcmp(word, "rv") != 0)
        return false;
    if (busy.times)
        return no_time(r, word, after, req, reply);
    OK(idv_msg_refuse(reply, 202, "not yet"));
    reply->retry_after = 60;
    return true;
}

static void another_answer_counts_anew(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.hook = now_and_then;
    s.drive.max_steps = 100000;
    busy.status = 429;
    busy.retry_after = 60;
    assert_int_equal(join(&s), IDV_E_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_registrar_takes_its_time),
        cmocka_unit_test(retry_after_is_bounded),
        cmocka_unit_test(four_days_and_no_more),
        cmocka_unit_test(waiting_over_lost_connections),
        cmocka_unit_test(enrollment_takes_its_time),
        cmocka_unit_test(enrollment_four_days),
        cmocka_unit_test(no_time_refuses_nothing),
        cmocka_unit_test(no_time_for_how_long),
        cmocka_unit_test(an_error_that_says_nothing),
        cmocka_unit_test(no_time_for_a_day),
        cmocka_unit_test(another_answer_counts_anew),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
