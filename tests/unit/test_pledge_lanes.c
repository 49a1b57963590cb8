/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge among many registrars: when it begins with whom, whom it gives up
 * and who wins. */
#include "tests/unit/lanes.h"

/* --- when ----------------------------------------------------------------- */

static void refused(struct fakereg *r, struct idv_voucher *v)
{
    (void)r;
    v->nonce[0] ^= 1;
}

static void silent(struct scene *s, size_t i)
{
    s->ends[i].answer_ms = MEMCREW_NEVER;
}

/* R-P-11: different ones are begun 3 s apart, though lanes are free */
static void begun_apart(void **state)
{
    (void)state;
    SCENE(s, 3);
    for (size_t i = 0; i < 3; i++)
        silent(&s, i);
    begin(&s);
    run_until(&s, 7000);
    assert_int_equal(s.crew.n_begun, 3);
    begun(&s, 0, "r0.example.com", 0);
    begun(&s, 1, "r1.example.com", 3000);
    begun(&s, 2, "r2.example.com", 6000);
    assert_int_equal(s.crew.at_once, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(s.crew.begun[i].lane, i);
}

/* the seconds between the connections to one host */
static size_t pauses_of(const struct scene *s, const char *host, int64_t *out,
                        size_t max)
{
    size_t n = 0;
    int64_t last = -1;
    for (size_t i = 0; i < s->crew.n_begun && n < max; i++) {
        const struct memcrew_begun *b = &s->crew.begun[i];
        if (strcmp(b->host, host) != 0)
            continue;
        if (last >= 0)
            out[n++] = (b->at_ms - last) / 1000;
        last = b->at_ms;
    }
    return n;
}

/* R-P-9, R-P-10: from 5 s doubled to an hour, whatever others do */
static void back_off(void **state)
{
    int64_t pauses[16];
    (void)state;
    SCENE(s, 2);
    s.ends[0].reg = NULL;
    s.ends[0].connect_ms = 0;
    s.ends[1].reg = NULL;
    s.ends[1].connect_ms = 0;
    begin(&s);
    run_until(&s, 8 * 3600 * 1000);
    for (int i = 0; i < 2; i++) {
        const size_t n = pauses_of(&s, s.names[i], pauses, 16);
        int64_t want = 5;
        assert_true(n > 12);
        for (size_t k = 0; k < n; k++) {
            assert_in_range(pauses[k], want, want + 3);
            want = want * 2 < 3600 ? want * 2 : 3600;
        }
    }
    assert_false(s.crew.done);
}

/* R-P-6, R-P-9: another link, and all begins anew */
static void back_off_ends_with_the_link(void **state)
{
    struct idv_pledge_snapshot now;
    (void)state;
    SCENE(s, 1);
    s.ends[0].reg = NULL;
    begin(&s);
    run_until(&s, 3600 * 1000);
    snapshot(&s, &now);
    assert_true(now.candidates[0].tries > 8);
    assert_true(now.candidates[0].due_s > 60);
    idv_pledge_link_up(s.p);
    snapshot(&s, &now);
    assert_int_equal(now.candidates[0].tries, 0);
    assert_int_equal(now.candidates[0].due_s, 0);
}

/* the wall clock leaps back and forth by years: nothing is done otherwise */
static void clock_leaps(void **state)
{
    struct memcrew_begun seen[2][256];
    size_t n[2];
    (void)state;
    for (int leaps = 0; leaps < 2; leaps++) {
        SCENE(s, 2);
        s.ends[0].reg = NULL;
        s.regs[1].tweak = refused;
        begin(&s);
        for (int i = 1; i <= 60; i++) {
            run_until(&s, i * 10000);
            if (leaps)
                pki.env.now = PKI_NOW + (i % 2 ? -1 : 1) * 300 * PKI_DAY;
        }
        n[leaps] = s.crew.n_begun;
        memcpy(seen[leaps], s.crew.begun, sizeof(seen[leaps]));
    }
    assert_true(n[0] > 10);
    assert_int_equal(n[0], n[1]);
    for (size_t i = 0; i < n[0]; i++)
        assert_int_equal(seen[0][i].at_ms, seen[1][i].at_ms);
}

/* --- nonces --------------------------------------------------------------- */

/* R-P-12: side by side and one after the other, never twice the same */
static void nonces_differ(void **state)
{
    const char *all[64];
    size_t n = 0;
    (void)state;
    SCENE(s, 5);
    for (size_t i = 0; i < 5; i++) {
        s.regs[i].tweak = refused;
        s.ends[i].answer_ms = 4000;
    }
    begin(&s);
    run_until(&s, 100 * 1000);
    assert_int_equal(s.crew.at_once, 3);
    for (size_t i = 0; i < 5; i++) {
        assert_in_range(s.regs[i].n_nonces, 2, 12);
        for (int k = 0; k < s.regs[i].n_nonces; k++)
            all[n++] = s.regs[i].nonces[k];
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n; k++)
            assert_string_not_equal(all[i], all[k]);
    }
}

/* --- one of ten ----------------------------------------------------------- */

static void no_pin(struct fakereg *r, struct idv_voucher *v)
{
    (void)r;
    idv_buf_clear(&v->pinned_domain_cert);
}

static bool garbage(struct fakereg *r, const char *word, bool after,
                    const struct idv_msg *req, struct idv_msg *reply)
{
    static const char text[] = "{\"ietf-voucher:voucher\":{}}";
    (void)r, (void)req;
    if (after || strcmp(word, "rv") != 0)
        return false;
    OK(idv_msg_reply(reply, 200, IDV_MEDIA_VOUCHER_CMS, idv_str(text)));
    return true;
}

static bool not_found(struct fakereg *r, const char *word, bool after,
                      const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "rv") != 0)
        return false;
    OK(idv_msg_refuse(reply, 404, "who are you"));
    return true;
}

static bool to_itself(struct fakereg *r, const char *word, bool after,
                      const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r;
    if (after || strcmp(word, "rv") != 0)
        return false;
    OK(idv_msg_refuse(reply, 307, "there"));
    snprintf(reply->location, sizeof(reply->location), "%s", req->path);
    return true;
}

static bool unauthorized(struct fakereg *r, const char *word, bool after,
                         const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "rv") != 0)
        return false;
    OK(idv_msg_refuse(reply, 401, "password?"));
    return true;
}

/* R-P-8, R-P-18, R-P-44, R-P-48, R-P-49, R-S-24: nine fail, each in another
 * way; the tenth is the one */
static void one_of_ten(void **state)
{
    (void)state;
    SCENE(s, 10);
    s.ends[0].reg = NULL;
    s.ends[1].connect_ms = MEMCREW_NEVER;
    silent(&s, 2);
    s.regs[3].hook = garbage;
    s.regs[4].hook = not_found;
    s.regs[5].hook = to_itself;
    s.regs[6].chain = pki.rogue_chain;
    s.regs[7].tweak = no_pin;
    s.regs[8].hook = unauthorized;
    s.regs[8].signer = &pki.rogue_masa;
    join(&s);
    /* nobody is tried a second time before the last had its turn */
    assert_true(s.crew.n_begun >= 10);
    assert_true(s.crew.now_ms < 60 * 1000);
    assert_string_equal(s.regs[9].log, "C? rv vs+ ca at en C+ es+");
    assert_string_equal(s.regs[6].log, "C? rv vs-");
    assert_string_equal(s.regs[7].log, "C? rv vs-");
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(s.regs[i].certificates, 0);
    assert_true(idv_cert_eq(idv_trust_pin(s.dev.trust), pki.domain_ca.cert));
}

/* --- no progress ---------------------------------------------------------- */

/* R-P-14, R-P-97: a lane is given up after 5 s, that which has stalled for the
 * longest, because another one is due */
static void the_stalled_make_room(void **state)
{
    (void)state;
    SCENE(s, 5);
    for (size_t i = 0; i < 4; i++)
        silent(&s, i);
    join(&s);
    begun(&s, 3, "r3.example.com", 9010);
    assert_int_equal(s.crew.begun[3].lane, 0);
    begun(&s, 4, "r4.example.com", 12010);
    assert_int_equal(s.crew.begun[4].lane, 1);
    assert_int_equal(s.crew.at_once, 3);
}

/* R-P-14: one lane only is handed on the same way */
static void the_only_lane_makes_room(void **state)
{
    (void)state;
    SCENE(s, 2);
    s.dev.conf.lanes = 1;
    silent(&s, 0);
    join(&s);
    assert_int_equal(s.crew.at_once, 1);
    assert_true(s.crew.begun[1].at_ms <= 5100);
}

/* R-P-14: with nobody else to go to there is time */
static void the_only_one_may_take_its_time(void **state)
{
    (void)state;
    SCENE(s, 1);
    s.ends[0].answer_ms = 20000;
    begin(&s);
    run_until(&s, 19000);
    assert_int_equal(s.crew.n_begun, 1);
    assert_string_equal(s.regs[0].log, "C?");
    run_until(&s, 21000);
    assert_string_equal(s.regs[0].log, "C? rv");
    assert_int_equal(fakedev_state(&s.dev), IDV_TRUST_IMPRINTED);
}

/* R-P-94: another byte again and again is no answer either */
static void dripping(void **state)
{
    (void)state;
    SCENE(s, 1);
    silent(&s, 0);
    s.ends[0].drips = true;
    begin(&s);
    run_until(&s, 200 * 1000);
    assert_true(s.crew.n_begun > 2);
    assert_int_equal(fakedev_state(&s.dev), IDV_TRUST_NONE);
}

/* --- who wins ------------------------------------------------------------- */

/* R-P-8, R-P-65: the first valid voucher imprints, and its lane goes on alone;
 * that others are on the way is no error */
static void the_first_voucher_wins(void **state)
{
    (void)state;
    SCENE(s, 3);
    for (size_t i = 0; i < 3; i++) {
        s.ends[i].answer_ms = 9000 - (int64_t)i * 4000;
        s.dev.conf.attempts = 1;
    }
    s.crew.stall_s = 20;
    join(&s);
    assert_int_equal(s.crew.at_once, 3);
    assert_string_equal(s.regs[2].log, "C? rv vs+ ca at en C+ es+");
    assert_string_equal(s.regs[0].log, "C?");
    assert_string_equal(s.regs[1].log, "C?");
    const struct idv_enrollment *e = idv_trust_enrollment(s.dev.trust);
    assert_string_equal(e->registrar, "https://r2.example.com");
}

static bool no_certificate(struct fakereg *r, const char *word, bool after,
                           const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "en") != 0)
        return false;
    OK(idv_msg_refuse(reply, 500, "no"));
    return true;
}

/* R-P-49, R-P-65: imprinted but not enrolled, and alone: others of the domain
 * are asked, strangers get nothing */
static void enrolled_by_another_of_the_domain(void **state)
{
    (void)state;
    SCENE(s, 3);
    s.regs[0].hook = no_certificate;
    s.regs[1].chain = pki.rogue_chain;
    s.ends[1].connect_ms = s.ends[2].connect_ms = 6000;
    s.dev.conf.attempts = 3;
    join(&s);
    assert_non_null(strstr(s.regs[0].log, "C? rv vs+ ca at en es-"));
    assert_null(strstr(s.regs[1].log, "rv"));
    assert_null(strstr(s.regs[1].log, "en"));
    assert_string_equal(s.regs[2].log, "C= ca at en C+ es+");
}

/* one lane from the beginning, when it is imprinted already */
static void imprinted_before(void **state)
{
    (void)state;
    SCENE(s, 2);
    s.regs[0].hook = no_certificate;
    s.dev.conf.attempts = 1;
    s.list[1] = NULL;
    begin(&s);
    memcrew_run(&s.crew);
    assert_int_not_equal(s.crew.rc, IDV_OK);
    assert_int_equal(fakedev_state(&s.dev), IDV_TRUST_IMPRINTED);
    SCENE(t, 2);
    fakedev_free(&t.dev);
    t.dev = s.dev;
    t.dev.conf.registrars = t.list;
    t.dev.conf.key_arg = t.dev.conf.progress_arg = &t.dev;
    fakedev_init(&s.dev, &pki);
    join(&t);
    assert_int_equal(t.crew.at_once, 1);
    assert_string_equal(t.regs[0].log, "C= ca at en C+ es+");
}

/* --- told to wait --------------------------------------------------------- */

/* R-P-29, R-P-30: a registrar that has not decided holds up nobody; it gets the
 * same request again, when it wanted it, never later than in 60 s */
static void parked(void **state)
{
    struct idv_pledge_snapshot now;
    (void)state;
    SCENE(s, 5);
    for (size_t i = 0; i < 4; i++) {
        s.regs[i].pending = 1000;
        s.regs[i].retry_after = 500;
    }
    s.regs[4].tweak = refused;
    begin(&s);
    run_until(&s, 130 * 1000);
    snapshot(&s, &now);
    assert_int_equal(now.n, 5);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(s.regs[i].n_nonces, 3);
        assert_int_equal(s.regs[i].same_pvr, 2);
        assert_string_equal(s.regs[i].nonces[0], s.regs[i].nonces[2]);
        assert_true(now.candidates[i].pending);
        assert_int_equal(now.candidates[i].tries, 0);
    }
    assert_true(s.regs[4].n_nonces >= 4);
    assert_string_not_equal(s.regs[4].nonces[0], s.regs[4].nonces[1]);
    s.regs[0].pending = 0;
    run_until(&s, 200 * 1000);
    assert_true(s.crew.done);
    assert_int_equal(s.crew.rc, IDV_OK);
}

/* R-P-21: who shows another certificate meanwhile gets another request */
static void parked_and_another_came(void **state)
{
    (void)state;
    SCENE(s, 2);
    s.dev.conf.lanes = 1;
    for (size_t i = 0; i < 2; i++) {
        s.regs[i].pending = 1000;
        s.regs[i].retry_after = 30;
    }
    begin(&s);
    run_until(&s, 20 * 1000);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(s.regs[i].log, "C? rv");
        s.regs[i].chain = pki.rogue_chain;
    }
    run_until(&s, 40 * 1000);
    for (size_t i = 0; i < 2; i++) {
        assert_non_null(strstr(s.regs[i].log, "C? rv C? C? rv"));
        assert_int_equal(s.regs[i].same_pvr, 0);
        assert_string_not_equal(s.regs[i].nonces[0], s.regs[i].nonces[1]);
    }
}

static bool undecided(struct fakereg *r, const char *word, bool after,
                      const struct idv_msg *req, struct idv_msg *reply)
{
    (void)word, (void)req;
    if (after)
        return false;
    OK(idv_msg_refuse(reply, 202, "ask again"));
    reply->retry_after = r->retry_after;
    return true;
}

/* R-P-31: four days, then it is a failure like any other */
static void four_days(void **state)
{
    struct idv_pledge_snapshot now;
    (void)state;
    SCENE(s, 1);
    s.regs[0].hook = undecided;
    s.regs[0].retry_after = 3600;
    begin(&s);
    run_until(&s, (int64_t)IDV_MAX_PENDING * 1000 - 120 * 1000);
    snapshot(&s, &now);
    assert_int_equal(now.candidates[0].tries, 0);
    assert_string_equal(now.lanes[0].stage, "pending");
    assert_int_equal(s.crew.n_begun, 1);
    run_until(&s, (int64_t)IDV_MAX_PENDING * 1000 + 120 * 1000);
    snapshot(&s, &now);
    assert_int_equal(now.candidates[0].tries, 1);
    assert_int_equal(now.candidates[0].last, IDV_E_TIMEOUT);
    assert_int_equal(s.crew.n_begun, 2);
}

/* --- ends ----------------------------------------------------------------- */

/* tries that are limited end with how the last one ended */
static void limited(void **state)
{
    (void)state;
    SCENE(s, 4);
    for (size_t i = 0; i < 4; i++)
        s.regs[i].hook = not_found;
    s.dev.conf.attempts = 2;
    begin(&s);
    memcrew_run(&s.crew);
    assert_true(s.crew.done);
    assert_int_equal(s.crew.rc, IDV_E_REJECT);
    assert_int_equal(s.crew.n_begun, 8);
}

static void too_many_lanes(void **state)
{
    (void)state;
    SCENE(s, 1);
    s.dev.conf.trust = s.dev.trust;
    s.dev.conf.lanes = IDV_MAX_LANES + 1;
    FAILS(IDV_E_ARG, "lanes", idv_pledge_new(&s.dev.conf, &pki.env.env, &s.p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begun_apart),
        cmocka_unit_test(back_off),
        cmocka_unit_test(back_off_ends_with_the_link),
        cmocka_unit_test(clock_leaps),
        cmocka_unit_test(nonces_differ),
        cmocka_unit_test(one_of_ten),
        cmocka_unit_test(the_stalled_make_room),
        cmocka_unit_test(the_only_lane_makes_room),
        cmocka_unit_test(the_only_one_may_take_its_time),
        cmocka_unit_test(dripping),
        cmocka_unit_test(the_first_voucher_wins),
        cmocka_unit_test(enrolled_by_another_of_the_domain),
        cmocka_unit_test(imprinted_before),
        cmocka_unit_test(parked),
        cmocka_unit_test(parked_and_another_came),
        cmocka_unit_test(four_days),
        cmocka_unit_test(limited),
        cmocka_unit_test(too_many_lanes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
