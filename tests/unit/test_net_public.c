/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker does for those who need no TLS, and without being asked. */
#include "config.h"

#include <errno.h>

#include "tests/unit/net_service.h"

static const char *const anywhere[] = {"127.0.0.1:0", NULL};

/* --- plain HTTP for anybody ----------------------------------------------- */

static void begin(struct nt_server *s)
{
    s->conf.public = anywhere;
    s->public = service;
    nt_server_start(s, &pki, &service);
    assert_true(s->public_port && s->public_port != s->port);
}

/* one request a connection, of whoever it is */
static void test_public(void **state)
{
    struct nt_server s = {0};
    struct nt_client c;
    IDV_AUTO(buf) r = {0};
    (void)state;
    begin(&s);
    assert_true(nt_tcp(&c, s.public_port));
    assert_true(nt_say(&c, "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n"
                           "GET /never HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(nt_hear(&c, &r, false), 200);
    assert_non_null(strstr((char *)r.p, "Connection: close\r\n"));
    assert_non_null(strstr((char *)r.p, " public 0 0 nobody"));
    assert_int_equal(nt_hear(&c, NULL, false), 0);
    nt_close(&c);
    assert_true(nt_tcp(&c, s.public_port)); /* framing is the same there */
    assert_true(nt_say(&c, "GET / HTTP/1.1\r\n\r\n"));
    assert_int_equal(nt_hear(&c, NULL, false), 400);
    nt_close(&c);
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
}

static bool is_open(const struct nt_client *c)
{
    struct pollfd p = {c->fd, POLLIN, 0};
    return poll(&p, 1, 0) == 0;
}

/* of those that hold a connection, and do nothing, the oldest gives way */
static void test_public_crowd(void **state)
{
    enum { MOST = 64 };
    struct nt_server s = {0};
    struct nt_client idle[MOST], c;
    char byte;
    (void)state;
    begin(&s);
    for (int i = 0; i < MOST; i++)
        assert_true(nt_tcp(&idle[i], s.public_port));
    assert_true(nt_tcp(&c, s.public_port));
    assert_true(nt_say(&c, "GET /one HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(nt_hear(&c, NULL, false), 200);
    nt_close(&c);
    ssize_t n = recv(idle[0].fd, &byte, 1, 0);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
    for (int i = 1; i < MOST; i++)
        assert_true(is_open(&idle[i]));
    for (int i = 0; i < MOST; i++)
        nt_close(&idle[i]);
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
}

/* --- ticks ---------------------------------------------------------------- */

static int ticked[2]; /* a byte each time */
static idv_rc tick_fails;
static int told_of_device;

static idv_rc tick(void *self)
{
    (void)self;
    assert_int_equal(write(ticked[1], "", 1), 1);
    return tick_fails == IDV_OK ? IDV_OK : idv_fail(tick_fails, "tick: no");
}

static void device_failed(void *self)
{
    (void)self;
    __atomic_add_fetch(&told_of_device, 1, __ATOMIC_SEQ_CST);
}

/* so many ticks; how often a device was told of */
static int ticks(idv_rc fails, int n)
{
    struct nt_server s = {
        .tick = tick, .tick_ms = 2, .device_failed = device_failed};
    char c;
    tick_fails = fails;
    told_of_device = 0;
    assert_int_equal(pipe(ticked), 0);
    nt_server_start(&s, &pki, &service);
    for (int i = 0; i < n; i++)
        assert_int_equal(read(ticked[0], &c, 1), 1);
    assert_int_equal(nt_get(s.port, "/still"), 200);
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
    close(ticked[0]);
    close(ticked[1]);
    return told_of_device;
}

/* again and again, also when it fails; a device that failed is told of */
static void test_ticks(void **state)
{
    (void)state;
    assert_int_equal(ticks(IDV_OK, 5), 0);
    assert_null(strstr(pki.env.last, "tick-failed"));
    assert_int_equal(ticks(IDV_E_IO, 5), 0);
    assert_true(ticks(IDV_E_DEVICE, 5) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public),
        cmocka_unit_test(test_public_crowd),
        cmocka_unit_test(test_ticks),
    };
    return cmocka_run_group_tests_name("net-public", tests, setup, teardown);
}
