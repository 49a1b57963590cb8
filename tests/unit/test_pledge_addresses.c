/* SPDX-License-Identifier: Apache-2.0 */
/* A name of many addresses: each is tried on its own, and the right one wins.
 */
#include "tests/unit/lanes.h"

#define NAME "r0.example.com"

static const char *const ten[] = {"192.0.2.1",  "192.0.2.2", "192.0.2.3",
                                  "192.0.2.4",  "192.0.2.5", "192.0.2.6",
                                  "192.0.2.7",  "192.0.2.8", "192.0.2.9",
                                  "192.0.2.10", NULL};

/* one name; n machines behind it, of which some end is each of the first */
static void behind(struct scene *s, const char *const *addresses, size_t n)
{
    s->list[1] = NULL;
    s->dev.conf.addresses = true;
    s->crew.addresses = addresses;
    for (size_t i = 0; i < n; i++)
        s->ends[i + 1].host = addresses[i];
}

static void swallows(struct scene *s, size_t i)
{
    s->ends[i].connect_ms = MEMCREW_NEVER;
}

static int times(const struct scene *s, const char *host)
{
    int n = 0;
    for (size_t i = 0; i < s->crew.n_begun; i++)
        n += strcmp(s->crew.begun[i].host, host) == 0;
    return n;
}

static void stranger(struct fakereg *r, struct idv_voucher *v)
{
    (void)r;
    v->nonce[0] ^= 1;
}

/* R-P-8, R-P-97: nine that swallow all, and the name leads to the first */
static void the_last_of_ten(void **state)
{
    (void)state;
    SCENE(s, 11);
    behind(&s, ten, 10);
    for (size_t i = 0; i < 10; i++)
        swallows(&s, i);
    join(&s);
    for (size_t i = 0; i < 10; i++)
        assert_true(times(&s, ten[i]) > 0);
    assert_string_equal(s.regs[10].last.host, NAME);
    assert_true(s.regs[10].last.sni);
    assert_string_equal(s.regs[10].last.address, ten[9]);
    assert_true(s.crew.now_ms < 120 * 1000);
}

static void strangers(void **state)
{
    (void)state;
    SCENE(s, 11);
    behind(&s, ten, 10);
    for (size_t i = 0; i < 10; i++)
        s.regs[i].tweak = stranger;
    join(&s);
    assert_string_equal(s.regs[10].last.address, ten[9]);
}

/* What a driver tries at once is one registrar, and asked once. */
static void one_of_each_family(void **state)
{
    static const char *const two[] = {"2001:db8::1", "192.0.2.1", NULL};
    (void)state;
    SCENE(s, 3);
    behind(&s, two, 2);
    s.regs[0].tweak = stranger;
    begin(&s);
    run_until(&s, 60 * 1000);
    assert_true(s.crew.lookups > 2);
    assert_int_equal(times(&s, two[0]) + times(&s, two[1]), 0);
}

/* nothing is looked up while there is no need */
static void not_before_it_fails(void **state)
{
    (void)state;
    SCENE(s, 3);
    behind(&s, ten, 2);
    join(&s);
    assert_int_equal(s.crew.lookups, 0);
}

/* R-P-12: whoever thinks about it is not asked by another way meanwhile */
static void asked_by_one_way(void **state)
{
    (void)state;
    SCENE(s, 3);
    behind(&s, ten, 2);
    s.ends[0].reg = NULL;
    s.regs[1].pending = 1000;
    begin(&s);
    run_until(&s, 600 * 1000);
    assert_int_equal(times(&s, ten[0]), 1);
    assert_int_equal(times(&s, ten[1]), 0);
    assert_true(s.regs[1].n_nonces > 10);
    assert_int_equal(s.regs[1].same_pvr, s.regs[1].n_nonces - 1);
}

/* one that stands still does not hold up the others */
static void not_by_one_that_stalls(void **state)
{
    (void)state;
    SCENE(s, 3);
    behind(&s, ten, 2);
    s.ends[0].reg = NULL;
    s.ends[1].answer_ms = MEMCREW_NEVER;
    join(&s);
    assert_int_equal(times(&s, ten[1]) > 0, 1);
}

static size_t known(const struct scene *s, const char *address)
{
    struct idv_pledge_snapshot now;
    size_t n = 0;
    snapshot(s, &now);
    for (size_t i = 0; i < now.n; i++)
        n += strcmp(now.candidates[i].address, address) == 0;
    return n;
}

/* the name server says something else: what it said before is forgotten */
static void others_each_time(void **state)
{
    (void)state;
    SCENE(s, 1);
    behind(&s, ten, 0);
    s.ends[0].reg = NULL;
    s.crew.addresses = ten + 4;
    begin(&s);
    run_until(&s, 4 * 1000);
    assert_int_equal(known(&s, ten[9]), 1);
    assert_int_equal(known(&s, ten[0]), 0);
    s.crew.addresses = ten + 8;
    run_until(&s, 60 * 1000);
    assert_int_equal(known(&s, ten[9]), 1);
    assert_int_equal(known(&s, ten[4]), 0);
    s.crew.addresses = NULL; /* it is silent: that changes nothing */
    run_until(&s, 120 * 1000);
    assert_int_equal(known(&s, ten[9]), 1);
}

/* with the name its addresses go */
static void taken_back(void **state)
{
    static const char *const none[] = {NULL};
    struct idv_offer o = {.origin = IDV_FROM_MDNS, .host = NAME, .port = 443};
    (void)state;
    SCENE(s, 1);
    behind(&s, ten, 0);
    s.ends[0].reg = NULL;
    s.dev.conf.registrars = none;
    begin(&s);
    OK(idv_pledge_offer(s.p, &o));
    run_until(&s, 1);
    o.gone = true;
    struct idv_pledge_snapshot now;
    OK(idv_pledge_offer(s.p, &o));
    snapshot(&s, &now);
    assert_int_equal(now.n, 0);
}

/* attempts that are limited: as many at each, and then it ends */
static void each_as_often(void **state)
{
    (void)state;
    SCENE(s, 4);
    behind(&s, ten, 3);
    for (size_t i = 0; i < 4; i++)
        s.ends[i].reg = NULL;
    s.crew.addresses = (const char *const[]){ten[0], ten[1], ten[2], NULL};
    s.dev.conf.attempts = 2;
    begin(&s);
    memcrew_run(&s.crew);
    assert_true(s.crew.done);
    assert_int_equal(s.crew.rc, IDV_E_NET);
    assert_int_equal(times(&s, NAME), 2);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(times(&s, ten[i]), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_of_ten),
        cmocka_unit_test(strangers),
        cmocka_unit_test(one_of_each_family),
        cmocka_unit_test(not_before_it_fails),
        cmocka_unit_test(asked_by_one_way),
        cmocka_unit_test(not_by_one_that_stalls),
        cmocka_unit_test(others_each_time),
        cmocka_unit_test(taken_back),
        cmocka_unit_test(each_as_often),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
