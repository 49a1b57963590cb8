/* SPDX-License-Identifier: Apache-2.0 */
/* While a service waits for an answer from elsewhere: clients that leave, or
 * are answered before; and the end of the server. */
#include "tests/unit/relay.h"

/* --- while the answer is awaited ------------------------------------------ */

struct held {
    struct relay r;
    struct nt_raw raw;
    struct nt_server s;
    struct idv_service service;
    struct nt_client c;
    int asked[2], gate[2];
};

static void expect_byte(int fd)
{
    char c;
    assert_int_equal(read(fd, &c, 1), 1);
}

/* a client waits; its request is at the upstream, which waits for the gate */
static void hold(struct held *h)
{
    static const struct nt_step steps[] = {{.what = NT_ACCEPT},
                                           {.what = NT_READ},
                                           {.what = NT_FLAG},
                                           {.what = NT_GATE},
                                           {.what = NT_SEND, .text = OK3},
                                           {.what = NT_HANG},
                                           {.what = NT_END}};
    assert_int_equal(pipe(h->asked), 0);
    assert_int_equal(pipe(h->gate), 0);
    int patience_ms = h->r.patience_ms;
    bool stays = h->r.stays;
    relay_init(&h->r);
    h->r.patience_ms = patience_ms;
    h->r.stays = stays;
    h->raw.tell_fd = h->asked[1];
    h->raw.gate_fd = h->gate[0];
    nt_raw_start(&h->raw, &pki.masa_server, NULL, steps);
    h->r.port = h->raw.port;
    h->service = (struct idv_service){serve, &h->r};
    nt_server_start(&h->s, &pki, &h->service);
    assert_true(nt_connect(&h->c, h->s.port, NULL));
    assert_true(nt_say(&h->c, POST));
    expect_byte(h->asked[0]);
}

static void open_gate(struct held *h)
{
    assert_int_equal(write(h->gate[1], "", 1), 1);
}

static void let_go(struct held *h)
{
    nt_raw_stop(&h->raw);
    nt_raw_free(&h->raw);
    relay_free(&h->r);
    for (int i = 0; i < 2; i++) {
        close(h->asked[i]);
        close(h->gate[i]);
    }
}

static void test_client_gone(void **state)
{
    struct held h = {0};
    (void)state;
    hold(&h);
    nt_close(&h.c);
    open_gate(&h);
    expect_byte(h.r.outcome[0]); /* the service hears of it all the same */
    nt_server_stop(&h.s);
    assert_int_equal(h.s.rc, IDV_OK);
    let_go(&h);
}

/* R-R-67: so many requests to MASAs at once, and no more */
static void test_too_many(void **state)
{
    struct held h = {.s.conf.max_upstream = 1};
    struct nt_client c;
    IDV_AUTO(buf) reply = {0};
    (void)state;
    hold(&h);
    assert_true(nt_connect(&c, h.s.port, NULL));
    assert_true(nt_say(&c, POST));
    assert_int_equal(nt_hear(&c, &reply, false), 502);
    assert_non_null(strstr((char *)reply.p, "limit upstream"));
    nt_close(&c);
    open_gate(&h);
    assert_int_equal(nt_hear(&h.c, NULL, false), 200);
    nt_close(&h.c);
    nt_server_stop(&h.s);
    let_go(&h);
}

/* stopping waits for the answer, and says that the connection ends */
static void test_drain(void **state)
{
    struct held h = {.s.conf.drain_s = 10};
    IDV_AUTO(buf) reply = {0};
    (void)state;
    hold(&h);
    close(h.s.stop[1]);
    h.s.stop[1] = -1;
    open_gate(&h);
    assert_int_equal(nt_hear(&h.c, &reply, false), 200);
    nt_server_stop(&h.s);
    assert_int_equal(h.s.rc, IDV_OK);
    nt_close(&h.c);
    let_go(&h);
}

/* stopping does not wait for ever */
static void test_drain_limit(void **state)
{
    struct held h = {.s.conf.drain_s = 1};
    (void)state;
    hold(&h);
    nt_server_stop(&h.s);
    assert_int_equal(h.s.rc, IDV_OK);
    assert_int_equal(nt_hear(&h.c, NULL, false), 0);
    nt_close(&h.c);
    open_gate(&h);
    let_go(&h);
}

/* --- whoever asked is answered before ------------------------------------- */

/* 202; the connection goes on, and so does the upstream, to its end */
static void test_early(void **state)
{
    struct held h = {.r.patience_ms = 10};
    IDV_AUTO(buf) reply = {0};
    (void)state;
    hold(&h);
    assert_int_equal(nt_hear(&h.c, &reply, false), 202);
    assert_non_null(strstr((char *)reply.p, "Retry-After: 7\r\n"));
    assert_null(strstr((char *)reply.p, "Connection: close"));
    expect_byte(h.r.outcome[0]);
    open_gate(&h);
    expect_byte(h.r.outcome[0]); /* REPLY, which is nobody's */
    nt_server_stop(&h.s);
    assert_int_equal(h.s.rc, IDV_OK);
    assert_int_equal(nt_hear(&h.c, NULL, false), 0);
    nt_close(&h.c);
    let_go(&h);
}

/* after the answer the client leaves, and the server is told to stop */
static void test_early_drain(void **state)
{
    struct held h = {.r.patience_ms = 10, .s.conf.drain_s = 10};
    (void)state;
    hold(&h);
    assert_int_equal(nt_hear(&h.c, NULL, false), 202);
    expect_byte(h.r.outcome[0]);
    nt_close(&h.c);
    close(h.s.stop[1]);
    h.s.stop[1] = -1;
    open_gate(&h);
    expect_byte(h.r.outcome[0]);
    nt_server_stop(&h.s);
    assert_int_equal(h.s.rc, IDV_OK);
    let_go(&h);
}

/* a server that stops does not wait for ever for what nobody waits for */
static void test_early_limit(void **state)
{
    struct held h = {.r.patience_ms = 10, .s.conf.drain_s = 1};
    (void)state;
    hold(&h);
    assert_int_equal(nt_hear(&h.c, NULL, false), 202);
    nt_close(&h.c);
    nt_server_stop(&h.s);
    assert_int_equal(h.s.rc, IDV_OK);
    open_gate(&h);
    let_go(&h);
}

/* a service may go on waiting; it is told once */
static void test_stays(void **state)
{
    struct held h = {.r = {.patience_ms = 10, .stays = true}};
    IDV_AUTO(buf) reply = {0};
    (void)state;
    hold(&h);
    expect_byte(h.r.outcome[0]);
    open_gate(&h);
    assert_int_equal(nt_hear(&h.c, &reply, false), 200);
    assert_null(strstr((char *)reply.p, "Retry-After"));
    expect_byte(h.r.outcome[0]);
    nt_close(&h.c);
    nt_server_stop(&h.s);
    let_go(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_gone), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_drain),       cmocka_unit_test(test_drain_limit),
        cmocka_unit_test(test_early),       cmocka_unit_test(test_early_drain),
        cmocka_unit_test(test_early_limit), cmocka_unit_test(test_stays),
    };
    return cmocka_run_group_tests_name("net-upstream-wait", tests, relay_setup,
                                       relay_teardown);
}
