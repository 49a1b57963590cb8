/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates that come and go while the pledge is at work. */
#include "tests/unit/lanes.h"

static struct idv_offer offer_of(enum idv_origin origin, const char *host)
{
    struct idv_offer o = {.origin = origin, .port = 443};
    strcpy(o.host, host);
    return o;
}

static void offer(struct scene *s, enum idv_origin origin, const char *host)
{
    const struct idv_offer o = offer_of(origin, host);
    OK(idv_pledge_offer(s->p, &o));
}

static void take_back(struct scene *s, enum idv_origin origin, const char *host)
{
    struct idv_offer o = offer_of(origin, host);
    o.gone = true;
    OK(idv_pledge_offer(s->p, &o));
}

static size_t count(const struct scene *s)
{
    struct idv_pledge_snapshot now;
    snapshot(s, &now);
    return now.n;
}

/* what happens at some time, by a function */
struct event {
    struct scene *s;
    int64_t at_ms;
    void (*what)(struct scene *s);
};

static int64_t next(void *arg)
{
    const struct event *e = arg;
    return e->what ? e->at_ms : MEMCREW_NEVER;
}

static void act(void *arg)
{
    struct event *e = arg;
    void (*what)(struct scene *) = e->what;
    e->what = NULL;
    what(e->s);
}

static void will(struct event *e)
{
    e->s->crew.next = next;
    e->s->crew.act = act;
    e->s->crew.arg = e;
}

/* --- coming --------------------------------------------------------------- */

static void r0_comes(struct scene *s)
{
    offer(s, IDV_FROM_GRASP, "r0.example.com");
}

/* R-P-13: with nobody to go to it listens, for ever and at rest; what is heard
 * then is tried at once */
static void listening(void **state)
{
    (void)state;
    SCENE(s, 1);
    s.list[0] = NULL;
    begin(&s);
    memcrew_run(&s.crew);
    assert_true(s.crew.rest);
    assert_int_equal(s.crew.n_begun, 0);
    assert_int_equal(s.crew.steps, 3);
    struct event e = {&s, 7 * 24 * 3600 * 1000, r0_comes};
    will(&e);
    memcrew_run(&s.crew);
    assert_true(s.crew.done);
    assert_int_equal(s.crew.rc, IDV_OK);
    begun(&s, 0, "r0.example.com", e.at_ms);
}

/* R-P-13: after all failed it listens again, and tries those again beside */
static void all_failed_and_one_comes(void **state)
{
    (void)state;
    SCENE(s, 3);
    s.ends[1].reg = s.ends[2].reg = NULL;
    s.list[0] = s.names[1];
    s.list[1] = s.names[2];
    s.list[2] = NULL;
    struct event e = {&s, 3600 * 1000, r0_comes};
    will(&e);
    begin(&s);
    memcrew_run(&s.crew);
    assert_int_equal(s.crew.rc, IDV_OK);
    assert_in_range(s.crew.now_ms, e.at_ms, e.at_ms + 10 * 1000);
}

/* the better origin first; the same one heard of twice is one */
static void preferred(void **state)
{
    static const enum idv_origin origins[] = {IDV_FROM_CLOUD, IDV_FROM_DNSSD,
                                              IDV_FROM_MDNS, IDV_FROM_GRASP};
    (void)state;
    SCENE(s, 5);
    s.list[1] = NULL;
    s.dev.conf.lanes = 1;
    for (size_t i = 0; i < 5; i++)
        s.ends[i].reg = NULL;
    s.dev.conf.trust = s.dev.trust;
    OK(idv_pledge_new(&s.dev.conf, &pki.env.env, &s.p));
    for (size_t i = 0; i < 4; i++)
        offer(&s, origins[i], s.names[i + 1]);
    offer(&s, IDV_FROM_DNSSD, s.names[4]);
    offer(&s, IDV_FROM_GRASP, "R4.EXAMPLE.COM");
    assert_int_equal(count(&s), 5);
    memcrew_begin(&s.crew, idv_pledge_join_crew(s.p));
    run_until(&s, 14000);
    size_t seen = 0;
    for (size_t i = 0; i < s.crew.n_begun; i++) {
        if (strcmp(s.crew.begun[i].host, s.names[seen ? 5 - seen : 0]) == 0)
            seen++;
    }
    assert_int_equal(seen, 5);
}

/* --- going ---------------------------------------------------------------- */

static void r1_goes(struct scene *s)
{
    take_back(s, IDV_FROM_MDNS, "r1.example.com");
    assert_int_equal(count(s), 2); /* in use: it stays until that is over */
}

static void gone_in_use(void **state)
{
    (void)state;
    SCENE(s, 2);
    s.list[1] = NULL;
    s.ends[0].reg = NULL;
    s.ends[1].answer_ms = 4000;
    s.regs[1].signer = &pki.rogue_masa;
    s.dev.conf.trust = s.dev.trust;
    OK(idv_pledge_new(&s.dev.conf, &pki.env.env, &s.p));
    offer(&s, IDV_FROM_MDNS, "r1.example.com");
    struct event e = {&s, 5000, r1_goes};
    will(&e);
    memcrew_begin(&s.crew, idv_pledge_join_crew(s.p));
    run_until(&s, 30 * 1000);
    assert_string_equal(s.regs[1].log, "C? rv vs-");
    assert_int_equal(count(&s), 1);
}

/* gone where it was heard of once, and still there by another way */
static void gone_by_one_way(void **state)
{
    (void)state;
    SCENE(s, 1);
    begin(&s);
    offer(&s, IDV_FROM_MDNS, "x.example.com");
    offer(&s, IDV_FROM_GRASP, "x.example.com");
    take_back(&s, IDV_FROM_GRASP, "x.example.com");
    assert_int_equal(count(&s), 2);
    take_back(&s, IDV_FROM_GRASP, "x.example.com");
    assert_int_equal(count(&s), 2);
    take_back(&s, IDV_FROM_MDNS, "x.example.com");
    assert_int_equal(count(&s), 1);
    take_back(&s, IDV_FROM_CONFIG,
              "r0.example.com"); /* is not anybody's to do */
    take_back(&s, IDV_FROM_MDNS, "r0.example.com");
    assert_int_equal(count(&s), 1);
}

/* R-P-9: the same offer again changes nothing, one that was gone begins anew */
static void again(void **state)
{
    struct idv_pledge_snapshot now;
    (void)state;
    SCENE(s, 1);
    s.list[0] = NULL;
    s.ends[0].reg = NULL;
    begin(&s);
    offer(&s, IDV_FROM_MDNS, "r0.example.com");
    struct event e = {&s, 1, r0_comes};
    will(&e);
    run_until(&s, 600 * 1000);
    offer(&s, IDV_FROM_MDNS, "r0.example.com");
    snapshot(&s, &now);
    assert_true(now.candidates[0].tries > 4);
    take_back(&s, IDV_FROM_MDNS, "r0.example.com");
    take_back(&s, IDV_FROM_GRASP, "r0.example.com");
    offer(&s, IDV_FROM_MDNS, "r0.example.com");
    snapshot(&s, &now);
    assert_int_equal(now.candidates[0].tries, 0);
    assert_int_equal(now.candidates[0].due_s, 0);
}

/* --- floods --------------------------------------------------------------- */

static void flood(struct scene *s, enum idv_origin origin, int n)
{
    for (int i = 0; i < n; i++) {
        char host[64];
        snprintf(host, sizeof(host), "f%d.example.com", i);
        offer(s, origin, host);
    }
}

static bool there(const struct scene *s, const char *host)
{
    struct idv_pledge_snapshot now;
    snapshot(s, &now);
    for (size_t i = 0; i < now.n; i++) {
        if (strcmp(now.candidates[i].host, host) == 0)
            return true;
    }
    return false;
}

/* R-P-94: no more than so many; who was configured stays, and the better
 * origin, and who was there first */
static void flooded(void **state)
{
    (void)state;
    SCENE(s, 1);
    begin(&s);
    offer(&s, IDV_FROM_MDNS, "first.example.com");
    flood(&s, IDV_FROM_MDNS, 10000);
    assert_int_equal(count(&s), IDV_MAX_CANDIDATES);
    assert_true(there(&s, "r0.example.com"));
    assert_true(there(&s, "first.example.com"));
    assert_false(there(&s, "f9999.example.com"));
    offer(&s, IDV_FROM_GRASP, "better.example.com");
    assert_true(there(&s, "better.example.com"));
    assert_int_equal(count(&s), IDV_MAX_CANDIDATES);
}

/* R-P-8: what failed makes room, so that a flood cannot keep the right one out
 * for ever */
static void after_the_flood(void **state)
{
    (void)state;
    SCENE(s, 1);
    s.list[0] = NULL;
    s.dev.conf.trust = s.dev.trust;
    OK(idv_pledge_new(&s.dev.conf, &pki.env.env, &s.p));
    flood(&s, IDV_FROM_MDNS, IDV_MAX_CANDIDATES);
    memcrew_begin(&s.crew, idv_pledge_join_crew(s.p));
    struct event e = {&s, 4000, r0_comes};
    will(&e);
    run_until(&s, 30 * 1000);
    offer(&s, IDV_FROM_MDNS, "late.example.com");
    assert_true(there(&s, "late.example.com"));
    assert_true(s.crew.done); /* and grasp was better all the time */
}

static void too_many_configured(void **state)
{
    const char *many[IDV_MAX_CANDIDATES + 2] = {0};
    char names[IDV_MAX_CANDIDATES + 1][32];
    (void)state;
    SCENE(s, 1);
    for (int i = 0; i <= IDV_MAX_CANDIDATES; i++) {
        snprintf(names[i], sizeof(names[i]), "c%d.example.com", i);
        many[i] = names[i];
    }
    s.dev.conf.registrars = many;
    s.dev.conf.trust = s.dev.trust;
    FAILS(IDV_E_LIMIT, "registrars",
          idv_pledge_new(&s.dev.conf, &pki.env.env, &s.p));
}

static void no_offers_at_all(void **state)
{
    (void)state;
    SCENE(s, 1);
    begin(&s);
    struct idv_offer o = offer_of(IDV_FROM_MDNS, "");
    FAILS(IDV_E_ARG, "offer", idv_pledge_offer(s.p, &o));
    o = offer_of(IDV_FROM_MDNS, "a b");
    FAILS(IDV_E_ARG, "offer", idv_pledge_offer(s.p, &o));
    o = offer_of(IDV_FROM_MDNS, "a/b");
    FAILS(IDV_E_ARG, "offer", idv_pledge_offer(s.p, &o));
    o = offer_of(IDV_FROM_MDNS, "a\n");
    FAILS(IDV_E_ARG, "offer", idv_pledge_offer(s.p, &o));
    o = offer_of(IDV_FROM_MDNS, "a");
    o.port = 0;
    FAILS(IDV_E_ARG, "offer", idv_pledge_offer(s.p, &o));
    o = offer_of(IDV_FROM_MDNS, "a");
    strcpy(o.path, "/path");
    FAILS(IDV_E_ARG, "path", idv_pledge_offer(s.p, &o));
    o = offer_of(IDV_FROM_CLOUD, "a");
    strcpy(o.path, "path");
    FAILS(IDV_E_ARG, "path", idv_pledge_offer(s.p, &o));
    o = offer_of((enum idv_origin)9, "a");
    FAILS(IDV_E_ARG, "offer", idv_pledge_offer(s.p, &o));
    memset(o.host, 'a', sizeof(o.host));
    o.origin = IDV_FROM_MDNS;
    FAILS(IDV_E_ARG, "offer", idv_pledge_offer(s.p, &o));
    assert_int_equal(count(&s), 1);
}

/* --- patience ------------------------------------------------------------- */

/* tries are limited, and nobody came */
static void patience(void **state)
{
    (void)state;
    SCENE(s, 1);
    s.list[0] = NULL;
    s.dev.conf.attempts = 1;
    s.dev.conf.patience_s = 60;
    begin(&s);
    memcrew_run(&s.crew);
    assert_true(s.crew.done);
    assert_int_equal(s.crew.rc, IDV_E_ARG);
    assert_int_equal(s.crew.now_ms, 60 * 1000);
}

static void patience_rewarded(void **state)
{
    (void)state;
    SCENE(s, 1);
    s.list[0] = NULL;
    s.dev.conf.attempts = 1;
    s.dev.conf.patience_s = 60;
    struct event e = {&s, 59 * 1000, r0_comes};
    will(&e);
    begin(&s);
    memcrew_run(&s.crew);
    assert_int_equal(s.crew.rc, IDV_OK);
}

/* it is counted from the beginning: who fails late ends it at once */
static void patience_ends(void **state)
{
    (void)state;
    SCENE(s, 1);
    s.list[0] = NULL;
    s.dev.conf.attempts = 1;
    s.dev.conf.patience_s = 60;
    s.ends[0].reg = NULL;
    struct event e = {&s, 40 * 1000, r0_comes};
    will(&e);
    begin(&s);
    memcrew_run(&s.crew);
    assert_int_equal(s.crew.rc, IDV_E_NET);
    assert_in_range(s.crew.now_ms, 60 * 1000, 61 * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listening),
        cmocka_unit_test(all_failed_and_one_comes),
        cmocka_unit_test(preferred),
        cmocka_unit_test(gone_in_use),
        cmocka_unit_test(gone_by_one_way),
        cmocka_unit_test(again),
        cmocka_unit_test(flooded),
        cmocka_unit_test(after_the_flood),
        cmocka_unit_test(too_many_configured),
        cmocka_unit_test(no_offers_at_all),
        cmocka_unit_test(patience),
        cmocka_unit_test(patience_rewarded),
        cmocka_unit_test(patience_ends),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
