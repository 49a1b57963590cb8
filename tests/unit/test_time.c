/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3339 times: values, inverses, refusals. */
#include "codec.h"

#include <time.h>

#include <idevid/codec.h>

static void values(void **state)
{
    static const struct {
        const char *text;
        int64_t t;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59Z", -1},
        {"2026-11-22T10:00:00Z", 1795341600},
        {"2026-11-22t10:00:00z", 1795341600},
        {"2026-11-22T11:30:00+01:30", 1795341600},
        {"2026-11-22T05:00:00.123456789-05:00", 1795341600},
        {"2026-11-22T10:00:00.5Z", 1795341600},
        {"2000-02-29T12:00:00-00:00", 951825600},
        {"2016-12-31T23:59:60Z", 1483228800},
        {"0001-01-01T00:00:00Z", -62135596800},
        {"9999-12-31T23:59:59Z", 253402300799},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        int64_t t = 42;
        OK(idv_time_from_text(idv_str(good[i].text), &t));
        if (t != good[i].t)
            print_error("%s: %lld\n", good[i].text, (long long)t);
        assert_true(t == good[i].t);
    }
}

static void refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-11-22 10:00:00Z",
        "2026-11-22T10:00Z",
        "2026-11-22T10:00:00.Z",
        "2026-11-22T10:00:00,5Z",
        "2026-11-22T10:00:00ZZ",
        "2026-11-22T10:00:00Z ",
        " 2026-11-22T10:00:00Z",
        "2026-13-22T10:00:00Z",
        "2026-00-22T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "1900-02-29T10:00:00Z",
        "2026-11-31T10:00:00Z",
        "2026-11-00T10:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T10:60:00Z",
        "2026-11-22T10:00:61Z",
        "2026-11-22T10:00:00+24:00",
        "2026-11-22T10:00:00+01:60",
        "2026-11-22T10:00:00+0100",
        "2026-11-22T10:00:00+01",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "99999-01-01T00:00:00Z",
        "-2026-11-22T10:00:00Z",
        "20a6-11-22T10:00:00Z",
    };
    int64_t t = 42;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        FAILS(IDV_E_FORMAT, "time", idv_time_from_text(idv_str(bad[i]), &t));
    FAILS(IDV_E_FORMAT, "time",
          idv_time_from_text(idv_bytes("2026-11-22T10:00:00Z\0", 21), &t));
    assert_int_equal(t, 42);
}

/* every 40000 s and a bit over the whole range, against gmtime too */
static void inverse(void **state)
{
    char text[IDV_TIME_TEXT], libc[80];
    int64_t back;
    (void)state;
    for (int64_t t = -62135596800; t <= 253402300799; t += 4000037) {
        OK(idv_time_to_text(t, text));
        OK(idv_time_from_text(idv_str(text), &back));
        assert_true(back == t);
        struct tm tm;
        time_t tt = (time_t)t;
        gmtime_r(&tt, &tm);
        snprintf(libc, sizeof(libc), "%04d-%02d-%02dT%02d:%02d:%02dZ",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                 tm.tm_min, tm.tm_sec);
        assert_string_equal(text, libc);
    }
    FAILS(IDV_E_ARG, "time", idv_time_to_text(-62135596801, text));
    FAILS(IDV_E_ARG, "time", idv_time_to_text(253402300800, text));
    FAILS(IDV_E_ARG, "time", idv_time_to_text(INT64_MIN, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(refuses),
        cmocka_unit_test(inverse),
    };
    return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
