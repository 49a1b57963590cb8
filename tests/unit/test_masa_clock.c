/* SPDX-License-Identifier: Apache-2.0 */
/* A MASA whose clock went back: it is noticed, and the log stays in order. */
#include "tests/lib/stores.h"
#include "tests/unit/masa.h"

/* one request of its own at this time */
static int ask_at(struct fixture *f, int64_t now)
{
    static unsigned n;
    f->w.pki.env.now = now;
    f->rvr.created_on = now;
    snprintf(f->rvr.nonce, sizeof(f->rvr.nonce), "nonce-%u", ++n);
    idv_buf_clear(&f->rvr.prior_signed);
    seal(f);
    return send(f);
}

static void configure(struct fixture *f, int64_t back_s)
{
    idv_masa_free(f->w.masa);
    f->w.masa_conf.back_s = back_s;
    pki_must(idv_masa_new(&f->w.masa_conf, &f->w.pki.env.env, &f->w.masa),
             "masa");
}

/* no entry is dated before the last one, but by as much as clocks differ */
static void test_back(void **state)
{
    struct fixture *f = *state;
    const int64_t now = f->w.pki.env.now;
    assert_int_equal(ask_at(f, now), 200);
    OK(idv_masa_check(f->w.masa));
    assert_int_equal(ask_at(f, now - 300), 200);
    assert_int_equal(ask_at(f, now), 200);
    assert_int_equal(ask_at(f, now - 301), 503);
    assert_true(world_why(&f->w, "clock"));
    assert_int_equal(f->w.reply.retry_after, 60);
    assert_int_equal(world_events(&f->w), 3);
    FAILS(IDV_E_STATE, "clock: 301 s before the log's last entry",
          idv_masa_check(f->w.masa));
    assert_int_equal(ask_at(f, now + 1), 200);
    OK(idv_masa_check(f->w.masa));
}

/* what was issued is given again all the same */
static void test_repeat(void **state)
{
    struct fixture *f = *state;
    const int64_t now = f->w.pki.env.now;
    assert_int_equal(ask_at(f, now), 200);
    IDV_AUTO(buf) first = {0};
    OK(idv_buf_put(&first, idv_view(&f->w.reply.body)));
    f->w.pki.env.now = now - 400;
    assert_int_equal(send(f), 200);
    assert_true(idv_bytes_eq(idv_view(&first), idv_view(&f->w.reply.body)));
}

/* a last entry of a machine that was ahead can be lived with */
static void test_configured(void **state)
{
    struct fixture *f = *state;
    const int64_t now = f->w.pki.env.now;
    assert_int_equal(ask_at(f, now + PKI_DAY), 200);
    assert_int_equal(ask_at(f, now), 503);
    configure(f, 2 * PKI_DAY);
    assert_int_equal(ask_at(f, now), 200);
}

/* without a clock that is trusted nothing can be said */
static void test_untrusted(void **state)
{
    struct fixture *f = *state;
    const int64_t now = f->w.pki.env.now;
    assert_int_equal(ask_at(f, now), 200);
    f->w.pki.env.trusted = false;
    assert_int_equal(ask_at(f, now - PKI_DAY), 200);
    OK(idv_masa_check(f->w.masa));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(test_back),
        T(test_repeat),
        T(test_configured),
        T(test_untrusted),
    };
    return STORES_RUN(tests);
}
