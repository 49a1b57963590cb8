/* SPDX-License-Identifier: Apache-2.0 */
/* The server against clients that are slow, or too many. */
#include "config.h"

#include <netinet/in.h>
#include <sys/resource.h>

#include "tests/unit/net_service.h"

/* --- deadlines and limits ------------------------------------------------- */

/* sends text byte by byte, each when nothing came back for a while; the
 * number of bytes until the server had enough, 0 if it never had */
static size_t drip(struct nt_client *c, const char *text)
{
    for (size_t i = 0; text[i]; i++) {
        struct pollfd p = {c->fd, POLLIN, 0};
        if (c->ssl ? SSL_write(c->ssl, text + i, 1) <= 0
                   : send(c->fd, text + i, 1, MSG_NOSIGNAL) <= 0)
            return i + 1;
        if (poll(&p, 1, 100) > 0)
            return i + 1;
    }
    return 0;
}

#define DRIP                                                                   \
    "POST / HTTP/1.1\r\nHost: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* R-R-67: handshake, header, body, idle */
static void test_deadlines(void **state)
{
    struct nt_server s = {.conf.request_s = 1, .conf.idle_s = 1};
    struct nt_client silent, shaken, header, body, idle;
    (void)state;
    nt_server_start(&s, &pki, &service);
    assert_true(nt_tcp(&silent, s.port));
    assert_true(nt_connect(&shaken, s.port, NULL));
    assert_true(nt_connect(&header, s.port, NULL));
    assert_true(nt_connect(&body, s.port, NULL));
    assert_true(nt_connect(&idle, s.port, NULL));
    assert_true(nt_say(&idle, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(nt_hear(&idle, NULL, false), 200);
    assert_true(nt_say(&body, "POST / HTTP/1.1\r\nHost: x\r\n"
                              "Content-Length: 100\r\n\r\n"));
    int before = served;
    size_t n = drip(&header, DRIP);
    assert_true(n > 0 && n < 40);
    assert_true(drip(&body, DRIP) > 0);
    char c;
    assert_true(recv(silent.fd, &c, 1, 0) <= 0);
    assert_false(nt_ended(&shaken));
    assert_true(nt_ended(&idle)); /* idleness ends politely */
    assert_int_equal(served, before);
    nt_close(&silent);
    nt_close(&shaken);
    nt_close(&header);
    nt_close(&body);
    nt_close(&idle);
    assert_int_equal(nt_get(s.port, "/still"), 200);
    nt_server_stop(&s);
}

/* bytes in the idle time begin a request with a deadline of its own */
static void test_drip_after_idle(void **state)
{
    struct nt_server s = {.conf.request_s = 1, .conf.idle_s = 60};
    struct nt_client c;
    (void)state;
    nt_server_start(&s, &pki, &service);
    assert_true(nt_connect(&c, s.port, NULL));
    assert_true(nt_say(&c, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(nt_hear(&c, NULL, false), 200);
    size_t n = drip(&c, DRIP);
    assert_true(n > 0 && n < 40);
    nt_close(&c);
    nt_server_stop(&s);
}

/* a client that does not take its replies is let go */
static void test_reply_not_taken(void **state)
{
    struct nt_server s = {.conf.request_s = 1};
    struct nt_client c;
    int small = 4096;
    char *text = malloc(61000);
    (void)state;
    assert_non_null(text);
    nt_server_start(&s, &pki, &service);
    assert_true(nt_tcp(&c, s.port));
    setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    assert_true(nt_handshake(&c, NULL));
    int n = sprintf(text, "POST / HTTP/1.1\r\nHost: x\r\n"
                          "Content-Length: 60000\r\n\r\n");
    memset(text + n, 'x', 60000);
    text[n + 60000] = 0;
    for (int i = 0; i < 1000 && nt_say(&c, text); i++)
        ; /* ends when the server has gone: not before its buffers are full */
    assert_int_equal(nt_get(s.port, "/still"), 200);
    nt_close(&c);
    free(text);
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
}

/* --- too many ------------------------------------------------------------- */

/* a connection that is at work until deaf_ends() */
static void at_work(struct nt_client *c, uint16_t port)
{
    int before = __atomic_load_n(&served, __ATOMIC_SEQ_CST);
    assert_true(nt_connect(c, port, NULL));
    assert_true(nt_say(c, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
    while (__atomic_load_n(&served, __ATOMIC_SEQ_CST) == before)
        poll(NULL, 0, 1);
}

static int deaf = -1;

static void deaf_begins(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    deaf = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(deaf, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(deaf, 8), 0);
    assert_int_equal(getsockname(deaf, (struct sockaddr *)&a, &n), 0);
    deaf_port = ntohs(a.sin_port);
}

/* one request goes on */
static void deaf_ends(void)
{
    int fd = accept(deaf, NULL, NULL);
    assert_true(fd >= 0);
    close(fd);
}

/* R-S-13, R-R-67: those at work are not disturbed, more wait */
static void test_connection_cap(void **state)
{
    struct nt_server s = {.conf.max_connections = 3, .conf.idle_s = 600};
    struct nt_client held[3], next;
    (void)state;
    deaf_begins();
    nt_server_start(&s, &pki, &service);
    for (int i = 0; i < 3; i++)
        at_work(&held[i], s.port);
    assert_true(nt_tcp(&next, s.port)); /* the backlog takes it */
    struct timeval moment = {.tv_usec = 300000}, long_enough = {.tv_sec = 20};
    setsockopt(next.fd, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment));
    assert_false(nt_handshake(&next, NULL)); /* nobody answers */
    setsockopt(next.fd, SOL_SOCKET, SO_RCVTIMEO, &long_enough,
               sizeof(long_enough));
    deaf_ends(); /* the first is idle then, and gives way */
    assert_int_equal(nt_hear(&held[0], NULL, false), 502);
    assert_int_equal(SSL_connect(next.ssl), 1);
    nt_close(&next);
    for (int i = 0; i < 3; i++)
        nt_close(&held[i]);
    nt_server_stop(&s);
    close(deaf);
}

/* R-S-13, R-R-67 */
static void test_address_cap(void **state)
{
    struct nt_server s = {.conf.max_per_address = 2};
    struct nt_client a, b, c;
    (void)state;
    deaf_begins();
    nt_server_start(&s, &pki, &service);
    at_work(&a, s.port);
    at_work(&b, s.port);
    assert_false(nt_connect(&c, s.port, NULL));
    nt_close(&c);
    deaf_ends();
    assert_int_equal(nt_hear(&a, NULL, false), 502);
    nt_close(&a);
    int status;
    do /* until the server has seen it */
        status = nt_get(s.port, "/again");
    while (status == 0);
    assert_int_equal(status, 200);
    nt_close(&b);
    nt_server_stop(&s);
    close(deaf);
}

/* idle sockets give way to whoever of their address does something */
static void test_idle_gives_way(void **state)
{
    static const struct {
        unsigned connections, of_address;
    } caps[] = {{0, 4}, {4, 0}};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct nt_server s = {.conf.max_connections = caps[k].connections,
                              .conf.max_per_address = caps[k].of_address,
                              .conf.request_s = 600};
        struct nt_client idle[12];
        nt_server_start(&s, &pki, &service);
        for (size_t i = 0; i < 12; i++)
            assert_true(nt_tcp(&idle[i], s.port));
        assert_int_equal(nt_get(s.port, "/honest"), 200);
        for (size_t i = 0; i < 12; i++)
            nt_close(&idle[i]);
        nt_server_stop(&s);
    }
}

/* R-R-67: of one certificate */
static void test_client_rate(void **state)
{
    struct nt_server s = {.conf.max_per_minute = 2};
    struct nt_client c;
    IDV_AUTO(buf) r = {0};
    int status = 0, asked = 0, before = served;
    (void)state;
    nt_server_start(&s, &pki, &service);
    for (; asked < 5 && status != 429; asked++) { /* (a minute may end) */
        assert_true(nt_connect(&c, s.port, &pki.idevid));
        assert_true(nt_say(&c, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"));
        status = nt_hear(&c, &r, false);
        nt_close(&c);
    }
    assert_int_equal(status, 429);
    assert_non_null(strstr((char *)r.p, "Retry-After: 60\r\n"));
    assert_int_equal(served - before, asked - 1);
    assert_int_equal(nt_get(s.port, "/stranger"), 200);
    nt_server_stop(&s);
}

static atomic_bool said_so;

static void watch_for_failure(void *ctx, enum idv_level level, const char *line)
{
    (void)ctx;
    (void)level;
    if (strstr(line, "accept-failed"))
        atomic_store(&said_so, true);
}

/* no descriptor is left: it waits, and goes on when there is one */
static void test_no_descriptors(void **state)
{
    struct nt_server s = {0};
    struct nt_client c;
    struct rlimit limit, less;
    int fds[256], n = 0;
    void (*before)(void *, enum idv_level, const char *) = pki.env.env.log;
    (void)state;
    pki.env.env.log = watch_for_failure;
    nt_server_start(&s, &pki, &service);
    assert_int_equal(nt_get(s.port, "/before"), 200);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    less = limit;
    less.rlim_cur = 200;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
    while (n < 256 && (fds[n] = dup(0)) >= 0)
        n++;
    assert_true(n > 0 && n < 256);
    close(fds[--n]);
    assert_true(nt_tcp(&c, s.port)); /* takes the last one */
    while (!atomic_load(&said_so))
        poll(NULL, 0, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (n > 0)
        close(fds[--n]);
    assert_true(nt_handshake(&c, NULL));
    assert_true(nt_say(&c, "GET /after HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(nt_hear(&c, NULL, false), 200);
    nt_close(&c);
    nt_server_stop(&s);
    pki.env.env.log = before;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_drip_after_idle),
        cmocka_unit_test(test_reply_not_taken),
        cmocka_unit_test(test_connection_cap),
        cmocka_unit_test(test_address_cap),
        cmocka_unit_test(test_idle_gives_way),
        cmocka_unit_test(test_client_rate),
        cmocka_unit_test(test_no_descriptors),
    };
    return cmocka_run_group_tests_name("net-limits", tests, setup, teardown);
}
