/* SPDX-License-Identifier: Apache-2.0 */
/* The server against clients that behave and clients that do not. */
#include "config.h"

#include <grp.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <poll.h>

#include <idevid/auto.h>

#include "tests/lib/nettest.h"

static struct pki pki;
static struct pki_env client_env;
static int served; /* requests that reached the service; read when idle */

/* --- a service that tells what it sees ------------------------------------ */

static idv_rc tell_peer(const struct idv_call *call, struct idv_msg *reply)
{
    IDV_AUTO(buf) text = {0};
    const struct idv_peer *p = call->peer;
    IDV_TRY(idv_hex_from_bytes(idv_bytes(p->binding, p->binding_n), &text));
    IDV_TRY(idv_buf_putf(
        &text, " %s %llu %d %s", p->address, (unsigned long long)p->connection,
        p->chain ? sk_X509_num(p->chain) : 0,
        p->chain ? idv_cert_subject(sk_X509_value(p->chain, 0)) : "nobody"));
    return idv_msg_reply(reply, 200, "text/plain", idv_view(&text));
}

static int deaf = -1; /* listens, and that is all */
static uint16_t deaf_port;

static idv_rc ask_deaf(struct idv_upstream *up)
{
    strcpy(up->url.host, "127.0.0.1");
    up->url.port = deaf_port;
    strcpy(up->msg.path, "/");
    up->timeout_s = 600;
    return IDV_OK;
}

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    const char *path = call->req.path;
    (void)self;
    __atomic_add_fetch(&served, 1, __ATOMIC_SEQ_CST);
    *next = IDV_NEXT_REPLY;
    if (told)
        return idv_msg_refuse(&call->reply, 502, "nobody there");
    if (strcmp(path, "/wait") == 0) {
        *next = IDV_NEXT_UPSTREAM;
        return ask_deaf(&call->up);
    }
    if (strcmp(path, "/peer") == 0)
        return tell_peer(call, &call->reply);
    if (strcmp(path, "/fail") == 0)
        return idv_fail(IDV_E_DEVICE, "token: wrong PIN");
    if (strcmp(path, "/nothing") == 0)
        return IDV_OK;
    if (strcmp(path, "/pending") == 0) {
        call->reply.retry_after = 7;
        strcpy(call->reply.location, "/later");
        return idv_msg_refuse(&call->reply, 202, "wait");
    }
    if (strcmp(path, "/empty") == 0)
        return idv_msg_reply(&call->reply, 204, "", idv_str(NULL));
    call->close = strcmp(path, "/close") == 0;
    return idv_msg_reply(&call->reply, 200, "text/plain",
                         call->req.verb == IDV_POST ? idv_view(&call->req.body)
                                                    : idv_str(call->req.path));
}

static const struct idv_service service = {serve, NULL};

/* --- behaving ------------------------------------------------------------- */

static void test_one_connection(void **state)
{
    struct nt_server s = {0};
    struct nt_machine m;
    struct idv_drive_conf c = {.env = &client_env.env};
    IDV_AUTO(buf) want = {0};
    (void)state;
    nt_server_start(&s, &pki, &service);
    nt_machine_init(&m, s.port);
    STACK_OF(X509) *chain = pki_stack(pki.idevid.cert, pki.maker_ca.cert);
    m.connect.key = pki.idevid.key;
    m.connect.chain = chain;
    nt_machine_add(&m, IDV_POST, "/echo", "hello");
    nt_machine_add(&m, IDV_GET, "/peer", NULL);
    nt_machine_add(&m, IDV_POST, "/pending", "");
    nt_machine_add(&m, IDV_GET, "/empty", NULL);
    nt_machine_add(&m, IDV_GET, "/peer", NULL);
    struct idv_machine machine = nt_machine(&m);
    assert_int_equal(idv_drive(&machine, &c), IDV_OK);
    assert_int_equal(m.at, 5);
    assert_string_equal((char *)m.reply[0].body.p, "hello");
    assert_int_equal(
        idv_hex_from_bytes(idv_bytes(m.peer.binding, m.peer.binding_n), &want),
        IDV_OK);
    assert_int_equal(want.n, 64);
    assert_memory_equal(m.reply[1].body.p, want.p, 64);
    assert_memory_equal(m.reply[1].body.p + 64, " 127.0.0.1 ", 11);
    assert_non_null(strstr((char *)m.reply[1].body.p, " 2 "));
    assert_non_null(strstr((char *)m.reply[1].body.p, PKI_SERIAL));
    assert_int_equal(m.reply[2].status, 202);
    assert_int_equal(m.reply[2].retry_after, 7);
    assert_string_equal(m.reply[2].location, "/later");
    assert_int_equal(m.reply[3].status, 204);
    /* the same connection, and so the same words */
    assert_string_equal((char *)m.reply[4].body.p, (char *)m.reply[1].body.p);
    nt_machine_free(&m);
    idv_certs_free(chain);
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
}

static void test_methods(void **state)
{
    struct nt_server s = {0};
    struct nt_client c;
    IDV_AUTO(buf) r = {0};
    (void)state;
    nt_server_start(&s, &pki, &service);
    assert_true(nt_connect(&c, s.port, NULL));
    assert_true(nt_say(&c, "HEAD /head HTTP/1.1\r\nHost: x\r\n\r\n"
                           "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(nt_hear(&c, &r, true), 200);
    assert_non_null(strstr((char *)r.p, "Content-Length: 5\r\n"));
    assert_int_equal(nt_hear(&c, &r, false), 200);
    assert_non_null(strstr((char *)r.p, " 0 nobody"));
    assert_non_null(strstr((char *)r.p, "Content-Type: text/plain\r\n"));
    nt_close(&c);
    static const char *const others[] = {"PUT",     "DELETE",  "TRACE",
                                         "CONNECT", "OPTIONS", "FOO"};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        char text[64];
        int before = served;
        snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: x\r\n\r\n",
                 others[i]);
        assert_true(nt_connect(&c, s.port, NULL));
        assert_true(nt_say(&c, text));
        assert_true(nt_hear(&c, NULL, false) >= 400);
        assert_int_equal(served, before);
        nt_close(&c);
    }
    nt_server_stop(&s);
}

/* one Authorization, or none; two have two readings, behind a proxy */
static void test_authorization(void **state)
{
    static const struct {
        const char *fields;
        int status;
    } rows[] = {
        {"Authorization: Basic YTpi\r\n", 200},
        {"Authorization: Basic YTpi\r\nauthorization: Basic YTpj\r\n", 400},
    };
    struct nt_server s = {0};
    struct nt_client c;
    char text[1200];
    (void)state;
    nt_server_start(&s, &pki, &service);
    for (size_t i = 0; i <= sizeof(rows) / sizeof(*rows); i++) {
        const bool last = i == sizeof(rows) / sizeof(*rows);
        int n = snprintf(text, sizeof(text), "GET /a HTTP/1.1\r\nHost: x\r\n");
        if (last) /* longer than a name and a password are */
            snprintf(text + n, sizeof(text) - (size_t)n,
                     "Authorization: Basic %0600d\r\n\r\n", 0);
        else
            snprintf(text + n, sizeof(text) - (size_t)n, "%s\r\n",
                     rows[i].fields);
        assert_true(nt_connect(&c, s.port, NULL));
        assert_true(nt_say(&c, text));
        assert_int_equal(nt_hear(&c, NULL, false), last ? 400 : rows[i].status);
        nt_close(&c);
    }
    nt_server_stop(&s);
}

static void test_failures_stay_inside(void **state)
{
    struct nt_server s = {0};
    struct nt_client c;
    IDV_AUTO(buf) r = {0};
    (void)state;
    nt_server_start(&s, &pki, &service);
    static const struct {
        const char *path;
        int status;
    } rows[] = {{"/fail", 503}, {"/nothing", 500}};
    for (size_t i = 0; i < 2; i++) {
        char text[64];
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
                 rows[i].path);
        assert_true(nt_connect(&c, s.port, NULL));
        assert_true(nt_say(&c, text));
        assert_int_equal(nt_hear(&c, &r, false), rows[i].status);
        assert_null(strstr((char *)r.p, "PIN"));
        assert_int_equal(strstr((char *)r.p, "Retry-After: ") != NULL,
                         rows[i].status == 503);
        assert_true(nt_ended(&c));
        nt_close(&c);
    }
    assert_int_equal(nt_get(s.port, "/still"), 200);
    nt_server_stop(&s);
}

static void test_pipelining_and_close(void **state)
{
    struct nt_server s = {0};
    struct nt_client c;
    (void)state;
    nt_server_start(&s, &pki, &service);
    assert_true(nt_connect(&c, s.port, NULL));
    assert_true(nt_say(&c, "POST /a HTTP/1.1\r\nHost: x\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n"
                           "5\r\nhello\r\n0\r\n\r\n"
                           "GET /b HTTP/1.1\r\nHost: x\r\n\r\n"
                           "GET /close HTTP/1.1\r\nHost: x\r\n\r\n"
                           "GET /never HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(nt_hear(&c, NULL, false), 200);
    assert_int_equal(nt_hear(&c, NULL, false), 200);
    assert_int_equal(nt_hear(&c, NULL, false), 200);
    assert_int_equal(nt_hear(&c, NULL, false), 0);
    assert_true(nt_ended(&c)); /* with close_notify */
    nt_close(&c);
    assert_true(nt_connect(&c, s.port, NULL));
    assert_true(nt_say(&c, "GET /old HTTP/1.0\r\n\r\n"));
    assert_int_equal(nt_hear(&c, NULL, false), 200);
    assert_true(nt_ended(&c));
    nt_close(&c);
    nt_server_stop(&s);
}

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

/* no descriptor is left: it waits, and goes on when there is one */
static void test_no_descriptors(void **state)
{
    struct nt_server s = {0};
    struct nt_client c;
    struct rlimit limit, less;
    int fds[256], n = 0;
    (void)state;
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
    while (!strstr(pki.env.last, "accept-failed"))
        poll(NULL, 0, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (n > 0)
        close(fds[--n]);
    assert_true(nt_handshake(&c, NULL));
    assert_true(nt_say(&c, "GET /after HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(nt_hear(&c, NULL, false), 200);
    nt_close(&c);
    nt_server_stop(&s);
}

/* --- TLS ------------------------------------------------------------------ */

static void test_tls_versions(void **state) /* R-M-2 */
{
    struct nt_server s = {0};
    (void)state;
    nt_server_start(&s, &pki, &service);
    static const int versions[] = {TLS1_1_VERSION, TLS1_2_VERSION,
                                   TLS1_3_VERSION};
    for (size_t i = 0; i < 3; i++) {
        struct nt_client c;
        assert_true(nt_tcp(&c, s.port));
        c.ctx = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_security_level(c.ctx, 0);
        SSL_CTX_set_min_proto_version(c.ctx, versions[i]);
        SSL_CTX_set_max_proto_version(c.ctx, versions[i]);
        c.ssl = SSL_new(c.ctx);
        SSL_set_fd(c.ssl, c.fd);
        assert_int_equal(SSL_connect(c.ssl) == 1, i > 0);
        if (i > 0) {
            assert_true(nt_say(&c, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"));
            assert_int_equal(nt_hear(&c, NULL, false), 200);
            assert_false(SSL_SESSION_has_ticket(SSL_get0_session(c.ssl)));
            assert_false(SSL_session_reused(c.ssl));
        }
        if (i == 1) { /* renegotiation */
            SSL_renegotiate(c.ssl);
            assert_int_not_equal(SSL_do_handshake(c.ssl), 1);
        }
        nt_close(&c);
    }
    nt_server_stop(&s);
}

/* any chain passes the handshake: the service judges it */
static void test_any_chain(void **state)
{
    struct nt_server s = {0};
    struct nt_client c;
    IDV_AUTO(buf) r = {0};
    (void)state;
    nt_server_start(&s, &pki, &service);
    assert_true(nt_connect(&c, s.port, &pki.rogue_idevid));
    assert_true(nt_say(&c, "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(nt_hear(&c, &r, false), 200);
    assert_non_null(strstr((char *)r.p, " 1 "));
    nt_close(&c);
    nt_server_stop(&s);
}

/* --- beginning and end ---------------------------------------------------- */

static void refused_to_listen(const char *where, idv_rc rc, const char *note)
{
    const char *const listen[] = {where, NULL};
    struct nt_server s = {.conf.listen = listen};
    nt_server_start(&s, &pki, &service);
    nt_server_stop(&s);
    assert_int_equal(s.rc, rc);
    if (!strstr(s.note, note))
        fail_msg("%s: %s", where, s.note);
}

static void test_listen(void **state)
{
    struct nt_server s = {0};
    char where[64], note[128];
    (void)state;
    nt_server_start(&s, &pki, &service);
    snprintf(where, sizeof(where), "127.0.0.1:%u", s.port);
    snprintf(note, sizeof(note),
             "server: cannot listen on %s: Address already in use", where);
    refused_to_listen(where, IDV_E_NET, note);
    assert_int_equal(nt_get(s.port, "/still"), 200);
    nt_server_stop(&s);
    refused_to_listen("8443", IDV_E_ARG, "not host:port");
    refused_to_listen("::1:8443", IDV_E_ARG, "not host:port");
    refused_to_listen("127.0.0.1:70000", IDV_E_ARG, "port");
    refused_to_listen("127.0.0.1:x", IDV_E_ARG, "port");
    refused_to_listen("no.such.name.invalid:1", IDV_E_ARG, "cannot listen");
}

/* a server on host and a drive to it; skipped where there is no such host */
static void over_v6(const char *host)
{
    char where[96], field[120];
    const char *const listen[] = {where, NULL};
    struct nt_server s = {.conf.listen = listen};
    struct idv_drive_conf c = {.env = &client_env.env};
    struct nt_machine m;
    snprintf(where, sizeof(where), "[%s]:0", host);
    nt_server_start(&s, &pki, &service);
    if (!s.port) {
        nt_server_stop(&s);
        assert_int_equal(s.rc, IDV_E_NET);
        skip();
    }
    nt_machine_init(&m, s.port);
    strcpy(m.connect.host, host);
    nt_machine_add(&m, IDV_POST, "/echo", "hello");
    nt_machine_add(&m, IDV_GET, "/peer", NULL);
    struct idv_machine machine = nt_machine(&m);
    idv_note_clear();
    if (idv_drive(&machine, &c) != IDV_OK)
        fail_msg("%s: %s", host, m.note);
    assert_string_equal((char *)m.reply[0].body.p, "hello");
    assert_string_equal(m.peer.address, host);
    snprintf(field, sizeof(field), " %s ", host);
    assert_non_null(strstr((char *)m.reply[1].body.p, field));
    nt_machine_free(&m);
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
}

static void test_v6(void **state)
{
    (void)state;
    over_v6("::1");
}

/* a link-local address of this machine, with its zone */
static void test_v6_zone(void **state)
{
    struct ifaddrs *all = NULL;
    char host[64] = "";
    (void)state;
    assert_int_equal(getifaddrs(&all), 0);
    for (const struct ifaddrs *i = all; i && !host[0]; i = i->ifa_next) {
        const struct sockaddr_in6 *a = (const void *)i->ifa_addr;
        if (a && a->sin6_family == AF_INET6 &&
            IN6_IS_ADDR_LINKLOCAL(&a->sin6_addr) &&
            getnameinfo((const void *)a, sizeof(*a), host, sizeof(host), NULL,
                        0, NI_NUMERICHOST) != 0)
            host[0] = 0;
    }
    freeifaddrs(all);
    if (!host[0])
        skip();
    assert_non_null(strchr(host, '%'));
    over_v6(host);
}

static void test_inherited(void **state)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct nt_server s = {.conf.inherited = &fd, .conf.inherited_n = 1};
    const char *const none[] = {NULL};
    (void)state;
    assert_int_equal(listen(fd, 8), 0);
    s.conf.listen = none;
    nt_server_start(&s, &pki, &service);
    assert_int_equal(nt_get(s.port, "/in"), 200);
    nt_server_stop(&s);
    assert_int_equal(close(fd), 0); /* still ours */
}

static void test_stop_with_idle(void **state)
{
    struct nt_server s = {0};
    struct nt_client idle, silent;
    (void)state;
    nt_server_start(&s, &pki, &service);
    assert_true(nt_connect(&idle, s.port, NULL));
    assert_true(nt_say(&idle, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(nt_hear(&idle, NULL, false), 200);
    assert_true(nt_tcp(&silent, s.port));
    s.conf.drain_s = 1;
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
    assert_true(nt_ended(&idle));
    nt_close(&idle);
    nt_close(&silent);
}

/* --- the admin socket ----------------------------------------------------- */

static idv_rc admin(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    (void)self;
    (void)told;
    *next = IDV_NEXT_REPLY;
    return idv_msg_reply(&call->reply, 200, "application/json",
                         call->req.body.n ? idv_view(&call->req.body)
                                          : idv_str(call->peer->address));
}

/* asks as that user; the status, or that there was no answer */
static int admin_as(const char *path, uid_t uid, gid_t gid)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct idv_msg req, reply;
        idv_msg_init(&req);
        idv_msg_init(&reply);
        if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
            setresuid(uid, uid, uid) != 0)
            _exit(1);
        strcpy(req.path, "/list");
        if (idv_admin_exchange(path, &req, NT_LIMIT_S, &reply) != IDV_OK)
            _exit(2);
        _exit(reply.status / 100 * 10 + reply.status % 100);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_admin_for_whom(void **state)
{
    struct nt_server s = {.admin = {admin, NULL}};
    char dir[] = "/tmp/idevid-admin.XXXXXX", path[64];
    struct stat st;
    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can be somebody else */
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    snprintf(path, sizeof(path), "%s/admin.sock", dir);
    s.conf.admin_path = path;
    s.conf.admin_gid = 54321;
    nt_server_start(&s, &pki, &service);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_equal(st.st_gid, 54321);
    assert_int_equal(admin_as(path, 0, 0), 20);
    assert_int_equal(admin_as(path, 65534, 54321), 20);
    assert_int_equal(admin_as(path, 65534, 65534), 2);
    /* not by the file's mode alone */
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(admin_as(path, 65534, 65534), 43);
    nt_server_stop(&s);
    rmdir(dir);
}

static void test_admin(void **state)
{
    char dir[] = "/tmp/idevid-net-XXXXXX", path[64], who[32];
    struct nt_server s = {.admin = {admin, NULL}};
    struct idv_msg req, reply;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/admin.sock", dir);
    snprintf(who, sizeof(who), "unix:uid=%u", (unsigned)getuid());
    s.conf.admin_path = path;
    idv_msg_init(&req);
    idv_msg_init(&reply);
    strcpy(req.path, "/status");
    assert_int_equal(idv_admin_exchange(path, &req, 5, &reply), IDV_E_NET);
    assert_non_null(strstr(idv_note(), "admin socket"));
    idv_note_clear();
    nt_server_start(&s, &pki, &service);
    assert_int_equal(idv_admin_exchange(path, &req, 5, &reply), IDV_OK);
    assert_int_equal(reply.status, 200);
    assert_string_equal((char *)reply.body.p, who);
    req.verb = IDV_POST;
    assert_int_equal(idv_buf_puts(&req.body, "{}"), IDV_OK);
    assert_int_equal(idv_admin_exchange(path, &req, 5, &reply), IDV_OK);
    assert_string_equal((char *)reply.body.p, "{}");
    struct nt_server second = {.conf.admin_path = path};
    nt_server_start(&second, &pki, &service);
    nt_server_stop(&second);
    assert_int_equal(second.rc, IDV_E_NET);
    assert_non_null(strstr(second.note, "in use"));
    nt_server_stop(&s);
    assert_int_equal(access(path, F_OK), -1);
    idv_msg_free(&req);
    idv_msg_free(&reply);
    rmdir(dir);
}

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    pki_env_init(&client_env);
    signal(SIGPIPE, SIG_IGN); /* of the raw clients */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_connection),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_authorization),
        cmocka_unit_test(test_failures_stay_inside),
        cmocka_unit_test(test_pipelining_and_close),
        cmocka_unit_test(test_smuggling),
        cmocka_unit_test(test_body_cap),
        cmocka_unit_test(test_far_over_cap),
        cmocka_unit_test(test_stay_after_close),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_drip_after_idle),
        cmocka_unit_test(test_reply_not_taken),
        cmocka_unit_test(test_connection_cap),
        cmocka_unit_test(test_address_cap),
        cmocka_unit_test(test_idle_gives_way),
        cmocka_unit_test(test_client_rate),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_tls_versions),
        cmocka_unit_test(test_any_chain),
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_v6),
        cmocka_unit_test(test_v6_zone),
        cmocka_unit_test(test_inherited),
        cmocka_unit_test(test_stop_with_idle),
        cmocka_unit_test(test_admin),
        cmocka_unit_test(test_admin_for_whom),
    };
    return cmocka_run_group_tests_name("net-server", tests, setup, teardown);
}
