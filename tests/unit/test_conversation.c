/* SPDX-License-Identifier: Apache-2.0 */
/* The whole conversation of pledge, registrar and MASA: every message lost,
 * cut, spoilt, doubled, replayed; every store and device call failing. */
#include "tests/unit/codec.h"

#include "tests/lib/long.h"
#include "tests/lib/talk.h"

/* A world for several runs, as making one takes time; anew now and then, so
 * that logs stay short. */
static struct world world;
static int runs;

static void fresh_world(void)
{
    if (runs++ % 64)
        return;
    if (runs > 1)
        world_free(&world);
    world_make(&world);
    world.reg_conf.device_hourly = 1000000;
    world_configure(&world);
}

static int teardown(void **state)
{
    (void)state;
    if (runs)
        world_free(&world);
    return 0;
}

#define TALK(t)                                                                \
    fresh_world();                                                             \
    __attribute__((cleanup(talk_free))) struct talk t;                         \
    talk_init(&t, &world)

/* all offsets when there is time, else so many of them */
static size_t stride(size_t n, size_t samples)
{
    return long_run() || n <= samples ? 1 : n / samples;
}

/* the hops of a clean run, with their sizes */
static int hops(struct talk_tape *tape)
{
    TALK(t);
    t.record = true;
    talk_run_clean(&t);
    for (int i = 0; i < t.taped; i++) {
        tape[i] = t.tape[i];
        tape[i].msg.body.p = NULL; /* only n is of use */
    }
    return t.hops;
}

static void the_whole_way(void **state)
{
    struct talk_tape tape[TALK_HOPS];
    int legs[5] = {0};
    (void)state;
    const int n = hops(tape);
    for (int i = 0; i < n; i++)
        legs[tape[i].leg]++;
    assert_int_equal(legs[TALK_CONNECT], 2);
    assert_int_equal(legs[TALK_REQUEST], 6);
    assert_int_equal(legs[TALK_REPLY], 6);
    assert_int_equal(legs[TALK_UP], 2); /* voucher and audit log */
    assert_int_equal(legs[TALK_DOWN], 2);
}

/* PT-2; R-P-28: the same in JWS, which a registrar and a MASA answer as they
 * are asked */
static void the_whole_way_in_jws(void **state)
{
    (void)state;
    TALK(t);
    t.dev.conf.media = IDV_MEDIA_VOUCHER_JWS;
    t.record = true;
    talk_run_clean(&t);
    int requests = 0, vouchers = 0;
    for (int i = 0; i < t.taped; i++) {
        const struct idv_msg *m = &t.tape[i].msg;
        if (!strstr(m->media, "voucher"))
            continue;
        assert_string_equal(m->media, IDV_MEDIA_VOUCHER_JWS);
        assert_string_equal(idv_envelope_guess(idv_view(&m->body)), m->media);
        requests += t.tape[i].leg == TALK_REQUEST || t.tape[i].leg == TALK_UP;
        vouchers += t.tape[i].leg == TALK_DOWN || t.tape[i].leg == TALK_REPLY;
        if (t.tape[i].leg == TALK_REQUEST)
            assert_string_equal(m->accept, IDV_MEDIA_VOUCHER_JWS
                                ", " IDV_MEDIA_VOUCHER_CMS);
    }
    assert_int_equal(requests, 3); /* two, and one for the audit log */
    assert_int_equal(vouchers, 2);
}

/* One fault, then a clean run. A history that reads well and is not the
 * device's own shuts it out: somebody has to look at that, and start anew. */
static void strike(enum talk_fault fault, int hop, size_t at)
{
    TALK(t);
    t.fault = fault;
    t.at_hop = hop;
    t.at = at;
    talk_run(&t);
    assert_true(t.struck);
    if (fault == TALK_FLIP && world_state(&world) == IDV_SESSION_LOG_BAD)
        OK(idv_trust_reset(t.dev.trust));
    talk_run_clean(&t);
}

/* R-P-18 */
static void each_message_lost(void **state)
{
    struct talk_tape tape[TALK_HOPS];
    (void)state;
    const int n = hops(tape);
    for (int hop = 1; hop <= n; hop++)
        strike(TALK_LOSE, hop, 0);
}

static void each_message_doubled(void **state)
{
    struct talk_tape tape[TALK_HOPS];
    (void)state;
    const int n = hops(tape);
    for (int hop = 1; hop <= n; hop++) {
        if (tape[hop - 1].leg == TALK_REQUEST || tape[hop - 1].leg == TALK_UP)
            strike(TALK_DUPLICATE, hop, 0);
    }
}

static void at_each_byte(enum talk_fault fault, size_t samples)
{
    struct talk_tape tape[TALK_HOPS];
    const int n = hops(tape);
    for (int hop = 1; hop <= n; hop++) {
        const size_t size = tape[hop - 1].msg.body.n;
        for (size_t at = 0; at < size; at += stride(size, samples))
            strike(fault, hop, at);
        if (size > samples)
            strike(fault, hop, size - 1);
    }
}

/* R-P-18 */
static void each_message_cut(void **state)
{
    (void)state;
    at_each_byte(TALK_TRUNCATE, 8);
}

/* R-P-18 */
static void each_message_spoilt(void **state)
{
    (void)state;
    at_each_byte(TALK_FLIP, 8);
}

/* R-S-2, R-S-3: what was said in an earlier life of the device comes again */
static void each_message_replayed(void **state)
{
    struct talk_tape tape[TALK_HOPS];
    (void)state;
    const int n = hops(tape);
    for (int hop = 1; hop <= n; hop++) {
        TALK(t);
        t.record = true;
        talk_run_clean(&t);
        t.record = false;
        OK(idv_trust_reset(t.dev.trust));
        t.fault = TALK_REPLAY;
        t.at_hop = hop;
        talk_run(&t);
        assert_true(t.struck);
        talk_run_clean(&t);
    }
}

/* --- things that fail ----------------------------------------------------- */

static void each_store_call_failing(void **state)
{
    (void)state;
    int calls = 0;
    for (int after = 0; after < 2; after++) {
        for (int at = 1; at <= (calls ? calls : 1); at++) {
            TALK(t);
            if (!calls) {
                world.calls = 0;
                talk_run_clean(&t);
                calls = world.calls;
                OK(idv_trust_reset(t.dev.trust));
            }
            world.calls = 0;
            world.fail = at;
            world.after = after;
            talk_run(&t);
            assert_true(world.calls >= at);
            talk_run_clean(&t);
        }
    }
    assert_true(calls > 10);
}

static void each_anchor_call_failing(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        for (int at = 1; at <= 4; at++) {
            TALK(t);
            t.dev.anchor.after = variant & 1;
            t.dev.anchor.dead = variant & 2;
            t.dev.anchor.calls = 0;
            t.dev.anchor.fail_at = at;
            talk_run(&t);
            talk_run_clean(&t);
        }
    }
}

static void the_key_maker_failing(void **state)
{
    (void)state;
    TALK(t);
    t.dev.keys_fail = true;
    assert_int_equal(talk_run(&t), IDV_E_DEVICE);
    assert_int_equal(fakedev_state(&t.dev), IDV_TRUST_IMPRINTED);
    talk_run_clean(&t);
}

/* RT-5: the registrar asks for patience, and gets it */
static void a_masa_that_is_away(void **state)
{
    (void)state;
    TALK(t);
    world.link = WORLD_LINK_LOST;
    t.masa_away = 3;
    OK(talk_run(&t));
    assert_int_equal(t.masa_away, 0);
    assert_int_equal(fakedev_state(&t.dev), IDV_TRUST_ENROLLED);
}

/* R-P-67: the registrar renews what it issued, over any fault */
static void renewed(void **state)
{
    (void)state;
    for (int hop = 0; hop <= 7; hop++) {
        TALK(t);
        talk_run_clean(&t);
        t.dev.renew = true;
        t.fault = TALK_LOSE;
        t.at_hop = hop;
        talk_run(&t);
        assert_int_equal(fakedev_state(&t.dev), IDV_TRUST_ENROLLED);
        talk_run_clean(&t);
        assert_int_equal(t.dev.keys_made, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_way),
        cmocka_unit_test(the_whole_way_in_jws),
        cmocka_unit_test(each_message_lost),
        cmocka_unit_test(each_message_doubled),
        cmocka_unit_test(each_message_cut),
        cmocka_unit_test(each_message_spoilt),
        cmocka_unit_test(each_message_replayed),
        cmocka_unit_test(each_store_call_failing),
        cmocka_unit_test(each_anchor_call_failing),
        cmocka_unit_test(the_key_maker_failing),
        cmocka_unit_test(a_masa_that_is_away),
        cmocka_unit_test(renewed),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
