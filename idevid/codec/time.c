/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3339 times and seconds since 1970, proleptic Gregorian, no libc zone. */
#include <stdio.h>

#include <idevid/codec.h>

#define DAY 86400
#define FIRST (-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST 253402300799    /* 9999-12-31T23:59:59Z */

/* days since 1970-01-01; years counted from March, so that the leap day is
 * the last of its year */
static int64_t days_from_date(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year = y - era * 400;
    int64_t day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + year * 365 + year / 4 - year / 100 + day - 719468;
}

static void date_from_days(int64_t days, int64_t *y, int64_t *m, int64_t *d)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = yoe + era * 400 + (*m <= 2);
}

idv_rc idv_time_to_text(int64_t t, char out[static IDV_TIME_TEXT])
{
    int64_t y, m, d;
    if (t < FIRST || t > LAST)
        return idv_fail(IDV_E_ARG, "time: outside the years 1 to 9999");
    int64_t rest = t % DAY;
    rest += rest < 0 ? DAY : 0;
    date_from_days((t - rest) / DAY, &y, &m, &d);
    char text[64];
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)y,
             (int)m, (int)d, (int)(rest / 3600), (int)(rest / 60 % 60),
             (int)(rest % 60));
    snprintf(out, IDV_TIME_TEXT, "%.20s", text);
    return IDV_OK;
}

/* exactly n digits off the front */
static bool digits(struct idv_bytes *t, size_t n, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (i >= t->n || t->p[i] < '0' || t->p[i] > '9')
            return false;
        *out = *out * 10 + (t->p[i] - '0');
    }
    t->p += n;
    t->n -= n;
    return true;
}

static bool literal(struct idv_bytes *t, char a, char b)
{
    if (t->n == 0 || (t->p[0] != a && t->p[0] != b))
        return false;
    t->p++;
    t->n--;
    return true;
}

static bool read_date(struct idv_bytes *t, int64_t *days)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30,
                                      31, 31, 30, 31, 30, 31};
    int64_t y, m, d;
    if (!digits(t, 4, &y) || !literal(t, '-', '-') || !digits(t, 2, &m) ||
        !literal(t, '-', '-') || !digits(t, 2, &d))
        return false;
    if (y < 1 || m < 1 || m > 12)
        return false;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    if (d < 1 || d > lengths[m - 1] + (m == 2 && leap))
        return false;
    *days = days_from_date(y, m, d);
    return true;
}

/* a leap second (60) counts as the second that follows */
static bool read_clock(struct idv_bytes *t, int64_t *seconds)
{
    int64_t h, m, s, ignored;
    if (!digits(t, 2, &h) || !literal(t, ':', ':') || !digits(t, 2, &m) ||
        !literal(t, ':', ':') || !digits(t, 2, &s))
        return false;
    if (h > 23 || m > 59 || s > 60)
        return false;
    *seconds = h * 3600 + m * 60 + s;
    if (!literal(t, '.', '.'))
        return true;
    if (!digits(t, 1, &ignored))
        return false;
    while (digits(t, 1, &ignored))
        ;
    return true;
}

static bool read_offset(struct idv_bytes *t, int64_t *seconds)
{
    int64_t h, m;
    *seconds = 0;
    if (literal(t, 'Z', 'z'))
        return t->n == 0;
    bool minus = t->n && t->p[0] == '-';
    if (!literal(t, '+', '-') || !digits(t, 2, &h) || !literal(t, ':', ':') ||
        !digits(t, 2, &m) || h > 23 || m > 59)
        return false;
    *seconds = (h * 3600 + m * 60) * (minus ? -1 : 1);
    return t->n == 0;
}

idv_rc idv_time_from_text(struct idv_bytes text, int64_t *out)
{
    int64_t days, clock, offset;
    struct idv_bytes t = text;
    if (!read_date(&t, &days) || !literal(&t, 'T', 't') ||
        !read_clock(&t, &clock) || !read_offset(&t, &offset))
        return idv_fail(IDV_E_FORMAT, "time: not in the form of RFC 3339");
    int64_t v = days * DAY + clock - offset;
    if (v < FIRST || v > LAST)
        return idv_fail(IDV_E_FORMAT, "time: outside the years 1 to 9999");
    *out = v;
    return IDV_OK;
}
