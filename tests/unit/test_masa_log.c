/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA: the same again, the log and who may read it, a store that fails. */
#include "tests/lib/stores.h"
#include "tests/unit/masa.h"

/* --- the same again, and the log ------------------------------------------ */

static void idempotent(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) first = {0};
    seal(f);
    assert_int_equal(send(f), 200);
    idv_buf_move(&first, &f->w.reply.body);
    f->w.pki.env.now += 3600;
    assert_int_equal(send(f), 200);
    assert_true(idv_bytes_eq(idv_view(&first), idv_view(&f->w.reply.body)));
    assert_int_equal(world_events(&f->w), 1);
    f->w.pki.env.now += PKI_DAY; /* its time is over: a new one, a new event */
    assert_int_equal(send(f), 200);
    assert_false(idv_bytes_eq(idv_view(&first), idv_view(&f->w.reply.body)));
    assert_int_equal(world_events(&f->w), 2);
}

static void log_for_owner(void **state) /* R-M-20, R-M-25, R-M-26 */
{
    struct fixture *f = *state;
    struct idv_audit_log log = {0};
    seal(f);
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 404);
    assert_true(world_why(&f->w, "never-owner"));
    assert_int_equal(send(f), 200);
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 200);
    assert_string_equal(f->w.reply.media, "application/json");
    assert_int_equal(idv_audit_log_from_json(idv_view(&f->w.reply.body), &log),
                     IDV_OK);
    assert_int_equal(log.n, 1);
    assert_string_equal(log.events[0].nonce, f->pvr.nonce);
    assert_int_equal(log.events[0].assertion, IDV_ASSERT_PROXIMITY);
    assert_true(log.events[0].date == PKI_NOW);
    idv_audit_log_free(&log);
}

static void log_not_for_others(void **state) /* R-M-25 */
{
    struct fixture *f = *state;
    seal(f);
    assert_int_equal(send(f), 200);
    seal_by(f, &f->w.pki.rogue, f->w.pki.rogue_chain);
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 404);
    assert_true(world_why(&f->w, "never-owner"));
}

static void log_by_name_only(void **state)
{
    struct fixture *f = *state;
    seal(f);
    assert_int_equal(send(f), 200);
    seal_by_namesake(f);
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 404);
    assert_true(world_why(&f->w, "never-owner"));
    assert_int_equal(send(f), 200); /* logged, as for everybody */
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 200);
}

static void log_with_null_nonce(void **state) /* R-M-26 */
{
    struct fixture *f = *state;
    drop_nonce(f);
    know_domain(f, true, false);
    seal(f);
    assert_int_equal(send(f), 200);
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 200);
    assert_non_null(strstr((char *)f->w.reply.body.p, "\"nonce\":null"));
}

static void floods_not(void **state) /* R-M-34 */
{
    struct fixture *f = *state;
    f->w.maker.policy.device_hourly = 2;
    world_configure(&f->w);
    for (int i = 0; i < 3; i++) {
        f->rvr.created_on = PKI_NOW - i; /* other bytes each time */
        seal_by(f, &f->w.pki.rogue, f->w.pki.rogue_chain);
        assert_int_equal(send(f), i < 2 ? 200 : 503);
    }
    assert_true(world_why(&f->w, "rate"));
    assert_true(f->w.reply.retry_after > 0);
    assert_int_equal(world_events(&f->w), 2);
    f->w.log[0] = 0;
    seal(f); /* who can prove proximity is served all the same */
    assert_int_equal(send(f), 200);
}

static void long_log_fits(void **state) /* R-M-26, R-S-14 */
{
    struct fixture *f = *state;
    struct idv_masa_store s = idv_db_masa_store(f->w.masa_db);
    struct idv_masa_issue i = {.device_id = 1, .date = 1, .repeat_until = 2};
    struct idv_audit_log log = {0};
    bool fresh;
    strcpy(i.domain_id, "YW5vdGhlciBkb21haW4=");
    strcpy(i.nonce, "bm9uY2Vub25jZW5vbmNlbm9uY2U=");
    i.assertion = IDV_ASSERT_LOGGED;
    for (unsigned n = 0; n < 1100; n++) {
        memcpy(i.rvr_sha256, &n, sizeof(n));
        pki_must(s.issue_add(s.self, &i, &fresh), "add");
    }
    seal(f);
    assert_int_equal(send(f), 200);
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 200);
    assert_int_equal(idv_audit_log_from_json(idv_view(&f->w.reply.body), &log),
                     IDV_OK);
    assert_true(log.n > 100);
    assert_int_equal(log.n + log.arbitrary, 1101);
    assert_int_equal(log.events[log.n - 1].assertion, IDV_ASSERT_PROXIMITY);
    idv_audit_log_free(&log);
}

/* The store fails at each call in turn, before or after doing its work: no
 * voucher is answered that is not in the log. */
static void store_fails(void **state) /* R-M-20 */
{
    struct fixture *f = *state;
    int n;
    seal(f);
    for (n = 1;; n++) {
        f->w.calls = 0;
        f->w.fail = n;
        f->w.after = n % 2;
        int before = world_events(&f->w);
        int status = send(f);
        if (f->w.calls < n)
            break;
        assert_int_equal(status, -IDV_E_IO);
        assert_int_equal(f->w.reply.body.n, 0);
        assert_true(world_events(&f->w) - before <= (f->w.after ? 1 : 0));
    }
    assert_true(n > 3);
    f->w.fail = 0;
    assert_int_equal(send(f), 200);
    assert_int_equal(world_events(&f->w), 1);
}

static void bad_configuration(void **state)
{
    struct fixture *f = *state;
    struct idv_masa *m = NULL;
    f->w.signer.key = f->w.pki.rogue.key;
    assert_int_equal(idv_masa_new(&f->w.masa_conf, &f->w.pki.env.env, &m),
                     IDV_E_ARG);
    idv_note_clear();
    f->w.masa_conf.n_makers = 0;
    assert_int_equal(idv_masa_new(&f->w.masa_conf, &f->w.pki.env.env, &m),
                     IDV_E_ARG);
    idv_note_clear();
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(idempotent),         T(log_for_owner),       T(log_by_name_only),
        T(log_not_for_others), T(log_with_null_nonce), T(floods_not),
        T(long_log_fits),      T(store_fails),         T(bad_configuration),
    };
    return STORES_RUN(tests);
}
