/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar: every answer of a MASA, two at a time, a store that fails. */
#include "tests/lib/stores.h"
#include "tests/unit/registrar.h"

/* --- what the MASA says --------------------------------------------------- */

/* The pledge comes again and gets its voucher by the same signed request. */
static void recovers(struct fixture *f)
{
    IDV_AUTO(buf) asked = {0};
    idv_buf_move(&asked, &f->w.upstream.body);
    f->w.link = WORLD_LINK_MASA;
    refused(f, 202, "masa-later");
    f->w.pki.env.now += 3600;
    assert_int_equal(post(f), 200);
    assert_true(idv_bytes_eq(idv_view(&asked), idv_view(&f->w.upstream.body)));
    assert_int_equal(world_events(&f->w), 1);
}

static void masa_lost(void **state) /* 10.1 step 10, RT-5 */
{
    struct fixture *f = *state;
    f->w.link = WORLD_LINK_LOST;
    assert_int_equal(post(f), 202);
    assert_true(world_why(&f->w, "masa-lost"));
    assert_int_equal(f->w.reply.retry_after, 30);
    recovers(f);
}

static void masa_waits(void **state)
{
    struct fixture *f = *state;
    world_can(&f->w, 202, "", "");
    f->w.canned.retry_after = 17;
    assert_int_equal(post(f), 202);
    assert_true(world_why(&f->w, "masa-pending"));
    assert_int_equal(f->w.reply.retry_after, 17);
    recovers(f);
}

static void masa_down(void **state)
{
    struct fixture *f = *state;
    world_can(&f->w, 500, "text/html", "<html>");
    assert_int_equal(post(f), 202);
    assert_true(world_why(&f->w, "masa-down"));
    recovers(f);
}

/* too many requests of ours is no end of it */
static void masa_busy(void **state)
{
    struct fixture *f = *state;
    world_can(&f->w, 429, "text/plain", "too many requests");
    f->w.canned.retry_after = 40;
    assert_int_equal(post(f), 202);
    assert_true(world_why(&f->w, "masa-busy"));
    assert_int_equal(f->w.reply.retry_after, 40);
    recovers(f);
}

static void masa_unauthorized(void **state) /* R-R-20 */
{
    struct fixture *f = *state;
    world_can(&f->w, 401, "text/plain", "who are you");
    assert_int_equal(post(f), 503);
    assert_non_null(strstr(f->w.log, "masa-trouble"));
    recovers(f);
}

static void masa_refuses(void **state)
{
    static const int statuses[] = {403, 404, 406, 415};
    struct fixture *f = *state;
    for (size_t i = 0; i < 4; i++) {
        idv_voucher_free(&f->pvr);
        idv_buf_clear(&f->sealed);
        pki_request(&f->w.pki, &f->pvr, &f->sealed);
        world_can(&f->w, statuses[i], "text/plain", "no such device\nmore");
        f->w.upstreams = 0;
        assert_int_equal(post(f), statuses[i]);
        assert_true(world_why(&f->w, "masa-refused"));
        assert_true(says(f, "no such device\n") && !says(f, "more"));
        f->w.link = WORLD_LINK_MASA;
        assert_int_equal(post(f), statuses[i]); /* the same outcome */
        assert_true(says(f, "no such device\n"));
        assert_int_equal(f->w.upstreams, 1);
    }
}

static void masa_refuses_rudely(void **state)
{
    struct fixture *f = *state;
    world_can(&f->w, 403, "text/html", "\x01\x02\xff");
    assert_int_equal(post(f), 403);
    assert_true(says(f, "refused by the manufacturer"));
}

static void masa_nonsense(void **state) /* lessons: upstream status x body */
{
    static const struct {
        int status;
        const char *media, *body, *why;
    } rows[] = {
        {200, IDV_MEDIA_VOUCHER_CMS, "", "masa-not-a-voucher"},
        {200, "text/html", "<html>", "masa-not-a-voucher"},
        {200, "", "x", "masa-not-a-voucher"},
        {400, "text/plain", "no", "masa-status"},
        {204, "", "", "masa-status"},
        {302, "", "", "masa-status"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        world_can(&f->w, rows[i].status, rows[i].media, rows[i].body);
        assert_int_equal(post(f), 502);
        assert_true(world_why(&f->w, rows[i].why));
        f->w.pki.env.now += 3600;
    }
    f->w.link = WORLD_LINK_MASA;
    assert_int_equal(post(f), 200);
}

static void odd_voucher(void **state) /* R-R-8; 10.1 step 11 */
{
    struct fixture *f = *state;
    world_can(&f->w, 200, IDV_MEDIA_VOUCHER_CMS, "opaque");
    assert_int_equal(post(f), 502); /* unless that is allowed */
    assert_true(world_why(&f->w, "masa-unreadable"));
    f->w.reg_conf.unreadable = true;
    world_configure(&f->w);
    f->w.pki.env.now += 3600;
    assert_int_equal(post(f), 200);
    assert_true(says(f, "opaque"));
    assert_non_null(strstr(f->w.log, "voucher-odd what=unreadable"));
    assert_non_null(strstr(f->w.log, "reduced-security "
                                     "mode=unreadable-vouchers device="));
}

static void odd_pin(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    IDV_AUTO(buf) sealed = {0};
    pki_voucher(&f->w.pki, &f->pvr, f->w.pki.rogue_ca.cert, &v);
    pki_seal(&v, &f->w.pki.masa, NULL, false, &sealed);
    world_can(&f->w, 200, IDV_MEDIA_VOUCHER_CMS, "");
    idv_buf_move(&f->w.canned.body, &sealed);
    assert_int_equal(post(f), 200);
    assert_non_null(strstr(f->w.log, "voucher-odd what=pin"));
}

/* --- two at a time, and a store that fails -------------------------------- */

static void open_call(struct fixture *f, struct idv_call *call)
{
    idv_call_init(call, &f->w.pledge);
    call->req.verb = IDV_POST;
    strcpy(call->req.path, VOUCHER);
    strcpy(call->req.media, IDV_MEDIA_VOUCHER_CMS);
    OK(idv_buf_put(&call->req.body, idv_view(&f->sealed)));
}

static void interleaved(void **state) /* R-R-31: one question at a time */
{
    struct fixture *f = *state;
    struct idv_service s = idv_registrar_service(f->w.reg);
    struct idv_call first;
    struct idv_told told;
    enum idv_next next;
    memset(&told, 0, sizeof(told));
    open_call(f, &first);
    OK(s.serve(s.self, &first, NULL, &next));
    assert_int_equal(next, IDV_NEXT_UPSTREAM);
    refused(f, 202, "masa-asked"); /* the same pledge, impatient */
    world_upstream(&f->w, &first.up, &told);
    OK(s.serve(s.self, &first, &told, &next));
    assert_int_equal(next, IDV_NEXT_REPLY);
    assert_int_equal(first.reply.status, 200);
    assert_int_equal(post(f), 200);
    assert_true(
        idv_bytes_eq(idv_view(&first.reply.body), idv_view(&f->w.reply.body)));
    assert_int_equal(f->w.upstreams, 1);
    idv_told_free(&told);
    idv_call_free(&first);
}

/* R-R-31: the MASA takes its time. The first to ask is told to come again, and
 * what the MASA says in the end is kept for it. */
static void slow_masa(void **state)
{
    struct fixture *f = *state;
    struct idv_service s = idv_registrar_service(f->w.reg);
    struct idv_call first;
    struct idv_told told = {.kind = IDV_TOLD_ELAPSED};
    enum idv_next next;
    open_call(f, &first);
    OK(s.serve(s.self, &first, NULL, &next));
    OK(s.serve(s.self, &first, &told, &next));
    assert_int_equal(next, IDV_NEXT_REPLY);
    assert_int_equal(first.reply.status, 202);
    assert_true(first.reply.retry_after > 0);
    assert_true(world_why(&f->w, "masa-slow"));
    refused(f, 202, "masa-asked");
    world_upstream(&f->w, &first.up, &told);
    OK(s.serve(s.self, &first, &told, &next));
    assert_int_equal(world_state(&f->w), IDV_SESSION_VOUCHER_SENT);
    assert_int_equal(post(f), 200);
    assert_int_equal(f->w.upstreams, 1);
    idv_told_free(&told);
    idv_call_free(&first);
}

/* ... or it is lost after all: the next to come asks again */
static void slow_and_lost(void **state)
{
    struct fixture *f = *state;
    struct idv_service s = idv_registrar_service(f->w.reg);
    struct idv_call first;
    struct idv_told told = {.kind = IDV_TOLD_ELAPSED};
    enum idv_next next;
    open_call(f, &first);
    OK(s.serve(s.self, &first, NULL, &next));
    OK(s.serve(s.self, &first, &told, &next));
    told = (struct idv_told){.kind = IDV_TOLD_LOST, .rc = IDV_E_TIMEOUT};
    OK(s.serve(s.self, &first, &told, &next));
    assert_int_equal(next, IDV_NEXT_REPLY);
    assert_true(world_why(&f->w, "masa-lost"));
    idv_call_free(&first);
    f->w.pki.env.now += 3600;
    assert_int_equal(post(f), 200);
    assert_int_equal(f->w.upstreams, 1);
}

static void two_pledges(void **state)
{
    struct fixture *f = *state;
    struct idv_service s = idv_registrar_service(f->w.reg);
    struct idv_call calls[2];
    struct idv_told told;
    enum idv_next next;
    memset(&told, 0, sizeof(told));
    for (int i = 0; i < 2; i++) {
        idv_voucher_free(&f->pvr);
        idv_buf_clear(&f->sealed);
        pki_request(&f->w.pki, &f->pvr, &f->sealed);
        open_call(f, &calls[i]);
        OK(s.serve(s.self, &calls[i], NULL, &next));
        assert_int_equal(next, IDV_NEXT_UPSTREAM);
    }
    for (int i = 0; i < 2; i++) {
        world_upstream(&f->w, &calls[i].up, &told);
        OK(s.serve(s.self, &calls[i], &told, &next));
        assert_int_equal(calls[i].reply.status, 200);
        assert_null(strstr(f->w.log, "voucher-odd"));
    }
    assert_int_equal(world_events(&f->w), 2);
    idv_told_free(&told);
    idv_call_free(&calls[0]);
    idv_call_free(&calls[1]);
}

/* The call that asked has ended without what it asked for: the next one does
 * not wait for anybody. */
static void abandoned(void **state)
{
    struct fixture *f = *state;
    struct idv_service s = idv_registrar_service(f->w.reg);
    struct idv_call call;
    enum idv_next next;
    open_call(f, &call);
    OK(s.serve(s.self, &call, NULL, &next));
    idv_call_free(&call);
    assert_int_equal(post(f), 200);
    assert_int_equal(f->w.upstreams, 1);
}

/* ... and so where its answer could not be stored */
static void answer_lost(void **state)
{
    struct fixture *f = *state;
    struct idv_service s = idv_registrar_service(f->w.reg);
    struct idv_call call;
    struct idv_told told;
    enum idv_next next;
    memset(&told, 0, sizeof(told));
    open_call(f, &call);
    OK(s.serve(s.self, &call, NULL, &next));
    world_upstream(&f->w, &call.up, &told);
    f->w.calls = 0;
    f->w.fail = 1;
    assert_int_equal(s.serve(s.self, &call, &told, &next), IDV_E_IO);
    f->w.fail = 0;
    idv_told_free(&told);
    idv_call_free(&call);
    assert_int_equal(post(f), 200);
    assert_int_equal(f->w.upstreams, 2);
    assert_int_equal(world_events(&f->w), 1); /* the same request */
}

/* Whatever store call fails, in the MASA or here: no voucher is given that is
 * not on record, and the pledge that comes again gets it. */
static void store_fails(void **state)
{
    struct fixture *f = *state;
    int n, reached = 0;
    for (n = 1; !reached; n++) {
        idv_voucher_free(&f->pvr);
        idv_buf_clear(&f->sealed);
        pki_request(&f->w.pki, &f->pvr, &f->sealed);
        int before = world_events(&f->w);
        f->w.calls = 0;
        f->w.fail = (n + 1) / 2;
        f->w.after = n % 2;
        int status = post(f);
        reached = f->w.calls < f->w.fail;
        assert_int_equal(status == 200, reached);
        assert_true(reached || status == -IDV_E_IO || status == 202);
        f->w.fail = 0;
        f->w.pki.env.now += 3600;
        assert_int_equal(post(f), 200);
        assert_int_equal(world_state(&f->w), IDV_SESSION_VOUCHER_SENT);
        assert_int_equal(world_events(&f->w), before + 1);
    }
    assert_true(n > 15);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(masa_lost),           T(masa_waits),
        T(masa_down),           T(masa_busy),
        T(masa_unauthorized),   T(masa_refuses),
        T(masa_refuses_rudely), T(masa_nonsense),
        T(odd_voucher),         T(odd_pin),
        T(interleaved),         T(two_pledges),
        T(abandoned),           T(answer_lost),
        T(slow_masa),           T(slow_and_lost),
        T(store_fails),
    };
    return STORES_RUN(tests);
}
