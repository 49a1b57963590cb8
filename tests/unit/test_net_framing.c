/* SPDX-License-Identifier: Apache-2.0 */
/* The server against requests with two readings, none, or no end. */
#include "config.h"

#include "tests/unit/net_service.h"

/* --- framing -------------------------------------------------------------- */

/* refused, not served, and the connection is over */
static void misframed(uint16_t port, const char *text)
{
    struct nt_client c;
    int before = served;
    assert_true(nt_connect(&c, port, NULL));
    assert_true(nt_say(&c, text));
    int status = nt_hear(&c, NULL, false);
    if (status < 400 || status >= 500 || served != before)
        fail_msg("%d for %s", status, text);
    assert_int_equal(nt_hear(&c, NULL, false), 0);
    assert_int_equal(served, before);
    nt_close(&c);
}

#define INNER "GET /inner HTTP/1.1\r\nHost: x\r\n\r\n"

static void test_smuggling(void **state)
{
    static const char *const texts[] = {
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n"
        "\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        "Content-Length: 4\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
        "Content-Length: 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
        "Content-Length: 36\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4, 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\n"
        "Content-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 36\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\n Content-Length: 36\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "-1\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "zz\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET / HTTP/0.1\r\nHost: x\r\n\r\n",
        "GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    struct nt_server s = {0};
    (void)state;
    nt_server_start(&s, &pki, &service);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        char text[512];
        snprintf(text, sizeof(text), "%s%s", texts[i], INNER);
        misframed(s.port, text);
    }
    assert_int_equal(nt_get(s.port, "/still"), 200);
    nt_server_stop(&s);
}

static int post_of(uint16_t port, size_t n, bool chunked)
{
    struct nt_client c;
    char *body = malloc(n + 1), head[128];
    assert_non_null(body);
    memset(body, 'x', n);
    body[n] = 0;
    if (chunked)
        snprintf(head, sizeof(head),
                 "POST / HTTP/1.1\r\nHost: x\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
                 n);
    else
        snprintf(head, sizeof(head),
                 "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                 n);
    assert_true(nt_connect(&c, port, NULL));
    int status = 0;
    assert_true(nt_say(&c, head));
    (void)nt_say(&c, body); /* may be refused in the middle */
    if (chunked)
        (void)nt_say(&c, "\r\n0\r\n\r\n");
    status = nt_hear(&c, NULL, false);
    nt_close(&c);
    free(body);
    return status;
}

static int turned; /* told of, and not served */

static void turned_away(void *self, const struct idv_peer *peer)
{
    (void)self;
    if (strcmp(peer->address, "127.0.0.1") == 0)
        __atomic_add_fetch(&turned, 1, __ATOMIC_SEQ_CST);
}

static void test_body_cap(void **state)
{
    struct nt_server s = {.conf.max_body = 5000, .turned_away = turned_away};
    (void)state;
    nt_server_start(&s, &pki, &service);
    for (int chunked = 0; chunked < 2; chunked++) {
        assert_int_equal(post_of(s.port, 0, chunked), 200);
        assert_int_equal(post_of(s.port, 5000, chunked), 200);
        turned = 0;
        assert_int_equal(post_of(s.port, 5001, chunked), 413);
        assert_int_equal(turned, 1);
    }
    misframed(s.port, "GET / HTTP/1.1\r\n\r\n");
    misframed(s.port, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                      "gzip, chunked\r\n\r\n" INNER);
    assert_int_equal(turned, 3);
    nt_server_stop(&s);
}

/* says it all before it looks for the answer; with an endless body until it is
 * cut off: what it got rid of, and the answer */
static size_t flood(struct nt_client *c, const char *head, size_t total,
                    int *status)
{
    static char part[8 + 65536 + 3] = "010000\r\n";
    size_t sent = 0;
    memset(part + 8, 'x', 65536);
    memcpy(part + 8 + 65536, "\r\n", 3);
    assert_true(nt_say(c, head));
    *status = 0;
    while (sent < total && nt_say(c, part)) {
        sent += sizeof(part) - 1;
        if (total == SIZE_MAX && !*status && sent > 3 << 20)
            *status = nt_hear(c, NULL, false);
    }
    if (!*status)
        *status = nt_hear(c, NULL, false);
    return sent;
}

#define CHUNKS                                                                 \
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
#define HUGE "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"

/* the answer to a body far over the cap is not lost to a reset */
static void test_far_over_cap(void **state)
{
    static const char *const heads[] = {CHUNKS, HUGE};
    struct nt_server s = {0};
    struct nt_client c;
    int status;
    (void)state;
    nt_server_start(&s, &pki, &service);
    int before = served;
    for (int i = 0; i < 10; i++) {
        assert_true(nt_connect(&c, s.port, NULL));
        size_t n = flood(&c, heads[i % 2], 3 << 20, &status);
        assert_true(n >= 3 << 20);
        assert_int_equal(status, 413);
        nt_close(&c);
    }
    for (int i = 0; i < 2; i++) {
        assert_true(nt_connect(&c, s.port, NULL));
        size_t n = flood(&c, heads[i], SIZE_MAX, &status);
        assert_int_equal(status, 413);
        assert_true(n < 64 << 20); /* with the buffers of two kernels */
        nt_close(&c);
    }
    assert_int_equal(served, before);
    assert_int_equal(nt_get(s.port, "/still"), 200);
    nt_server_stop(&s);
}

/* those that stay after their last reply do not pile up */
static void test_stay_after_close(void **state)
{
    enum { MANY = 100 };
    struct nt_server s = {.conf.max_per_address = 4};
    struct nt_client c[MANY];
    (void)state;
    nt_server_start(&s, &pki, &service);
    for (int i = 0; i < MANY; i++) {
        assert_true(nt_connect(&c[i], s.port, NULL));
        assert_true(nt_say(&c[i], "GET /close HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_int_equal(nt_hear(&c[i], NULL, false), 200);
        assert_true(nt_ended(&c[i]));
    }
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
    for (int i = 0; i < MANY; i++)
        nt_close(&c[i]);
}

static void test_long_texts(void **state)
{
    struct nt_server s = {0};
    struct nt_client c;
    char text[20000], part[18000];
    (void)state;
    nt_server_start(&s, &pki, &service);
    memset(part, 'a', sizeof(part));
    part[300] = 0;
    snprintf(text, sizeof(text), "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", part);
    misframed(s.port, text);
    snprintf(text, sizeof(text),
             "GET / HTTP/1.1\r\nHost: x\r\nAccept: %s\r\n\r\n", part);
    misframed(s.port, text);
    snprintf(text, sizeof(text),
             "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\n"
             "Content-Length: 0\r\n\r\n",
             part);
    misframed(s.port, text);
    memset(part, 'a', sizeof(part));
    part[sizeof(part) - 1] = 0;
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n",
             part);
    assert_true(nt_connect(&c, s.port, NULL));
    (void)nt_say(&c, text);
    assert_int_equal(nt_hear(&c, NULL, false), 400);
    nt_close(&c);
    nt_server_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smuggling),
        cmocka_unit_test(test_body_cap),
        cmocka_unit_test(test_far_over_cap),
        cmocka_unit_test(test_stay_after_close),
        cmocka_unit_test(test_long_texts),
    };
    return cmocka_run_group_tests_name("net-framing", tests, setup, teardown);
}
