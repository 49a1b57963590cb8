/* SPDX-License-Identifier: Apache-2.0 */
/* The driver against servers that behave and servers that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <idevid/auto.h>

#include "tests/lib/nettest.h"

static struct pki pki;
static struct pki_env client_env;

#define OK2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct idv_drive_conf conf(void)
{
    return (struct idv_drive_conf){
        .env = &client_env.env, .connect_s = 10, .exchange_s = 10};
}

static idv_rc drive(struct nt_machine *m, const struct idv_drive_conf *c)
{
    struct idv_machine machine = nt_machine(m);
    idv_note_clear();
    return idv_drive(&machine, c);
}

/* one POST of "hello" against a script; the raw server is left for looking */
static idv_rc post(struct nt_raw *r, struct nt_machine *m,
                   const struct nt_step *steps, const struct idv_drive_conf *c)
{
    struct idv_drive_conf usual = conf();
    nt_raw_start(r, &pki.registrar, pki.tls_chain, steps);
    nt_machine_init(m, r->port);
    m->connect.key = pki.idevid.key;
    STACK_OF(X509) *chain = pki_stack(pki.idevid.cert, pki.maker_ca.cert);
    m->connect.chain = chain;
    nt_machine_add(m, IDV_POST, "/first", "hello");
    idv_rc rc = drive(m, c ? c : &usual);
    nt_raw_stop(r);
    idv_certs_free(chain);
    return rc;
}

static void done(struct nt_raw *r, struct nt_machine *m)
{
    nt_raw_free(r);
    nt_machine_free(m);
}

static void heard(const struct nt_raw *r, const char *text)
{
    if (r->heard.n && strstr((char *)r->heard.p, text))
        return;
    fail_msg("not heard: %s in: %s", text,
             r->heard.p ? (char *)r->heard.p : "");
}

/* R-P-16 */
static void test_first_post(void **state)
{
    static const struct nt_step steps[] = {
        {.what = NT_ACCEPT},
        {.what = NT_READ},
        {.what = NT_SEND,
         .text = "HTTP/1.1 202 Accepted\r\nContent-Type: text/plain\r\n"
                 "Retry-After: 7\r\nLocation: /later\r\nContent-Length: 0\r\n"
                 "\r\n"},
        {.what = NT_HANG},
        {.what = NT_END}};
    struct nt_raw r = {0};
    struct nt_machine m;
    (void)state;
    assert_int_equal(post(&r, &m, steps, NULL), IDV_OK);
    assert_int_equal(m.at, 1);
    assert_int_equal(m.reply[0].status, 202);
    assert_int_equal(m.reply[0].retry_after, 7);
    assert_string_equal(m.reply[0].location, "/later");
    assert_string_equal(m.reply[0].media, "text/plain");
    heard(&r, "POST /first HTTP/1.1\r\n");
    heard(&r, "Transfer-Encoding: chunked\r\n");
    heard(&r, "\r\nhello\r\n0\r\n");
    heard(&r, "Accept: text/plain\r\n");
    assert_null(strstr((char *)r.heard.p, "Expect"));
    assert_null(strstr((char *)r.heard.p, "User-Agent"));
    /* both ends know the same binding and each other's chains */
    assert_int_equal(m.peer.binding_n, 32);
    assert_memory_equal(m.peer.binding, r.binding, 32);
    assert_string_equal(m.peer.address, "127.0.0.1");
    assert_int_equal(sk_X509_num(m.peer.chain), 2);
    assert_true(X509_cmp(sk_X509_value(m.peer.chain, 0), pki.registrar.cert) ==
                0);
    assert_int_equal(sk_X509_num(r.shown), 2);
    assert_true(X509_cmp(sk_X509_value(r.shown, 0), pki.idevid.cert) == 0);
    assert_string_equal(r.sni, "");
    done(&r, &m);
}

/* 411: the same bytes with a length, on the same connection */
static void length_wanted(const char *refusal)
{
    const struct nt_step steps[] = {{.what = NT_ACCEPT},
                                    {.what = NT_READ},
                                    {.what = NT_SEND, .text = refusal},
                                    {.what = NT_READ},
                                    {.what = NT_SEND, .text = OK2},
                                    {.what = NT_HANG},
                                    {.what = NT_END}};
    struct nt_raw r = {0};
    struct nt_machine m;
    assert_int_equal(post(&r, &m, steps, NULL), IDV_OK);
    assert_int_equal(r.accepted, 1);
    assert_int_equal(m.reply[0].status, 200);
    heard(&r, "Content-Length: 5\r\n");
    heard(&r, "\r\n\r\nhello");
    done(&r, &m);
}

/* R-P-20 */
static void test_411(void **state)
{
    (void)state;
    length_wanted("HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\n\r\n");
    length_wanted("HTTP/1.1 501 No chunks\r\nContent-Length: 0\r\n\r\n");
}

/* 411 and a close: never a second connection behind the machine's back */
static void test_411_close(void **state)
{
    static const struct nt_step steps[] = {
        {.what = NT_ACCEPT},
        {.what = NT_READ},
        {.what = NT_SEND,
         .text = "HTTP/1.1 411 Length Required\r\nConnection: close\r\n"
                 "Content-Length: 0\r\n\r\n"},
        {.what = NT_BYE},
        {.what = NT_END}};
    struct nt_raw r = {0};
    struct nt_machine m;
    (void)state;
    assert_int_equal(post(&r, &m, steps, NULL), IDV_E_NET);
    assert_int_equal(r.accepted, 1);
    assert_non_null(strstr(m.note, "closed by the other end"));
    done(&r, &m);
}

/* a reply whose connection then goes away: LOST, not a new connection */
static void second_post(enum nt_do end)
{
    const struct nt_step steps[] = {{.what = NT_ACCEPT},
                                    {.what = NT_READ},
                                    {.what = NT_SEND, .text = OK2},
                                    {.what = end},
                                    {.what = NT_END}};
    struct nt_raw r = {0};
    struct nt_machine m;
    struct idv_drive_conf c = conf();
    nt_raw_start(&r, &pki.registrar, pki.tls_chain, steps);
    nt_machine_init(&m, r.port);
    nt_machine_add(&m, IDV_POST, "/first", "one");
    nt_machine_add(&m, IDV_POST, "/second", "two");
    assert_int_equal(drive(&m, &c), IDV_E_NET);
    nt_raw_stop(&r);
    assert_int_equal(r.accepted, 1);
    assert_int_equal(m.at, 1);
    assert_int_equal(m.lost, IDV_E_NET);
    done(&r, &m);
}

/* R-P-20, R-P-21 */
static void test_no_second_connection(void **state)
{
    (void)state;
    second_post(NT_BYE);
    second_post(NT_DROP);
}

static void expect_lost(const char *sent, enum nt_do then, idv_rc rc,
                        const char *note)
{
    const struct nt_step steps[] = {{.what = NT_ACCEPT},
                                    {.what = NT_READ},
                                    {.what = NT_SEND, .text = sent},
                                    {.what = then},
                                    {.what = NT_END}};
    struct nt_raw r = {0};
    struct nt_machine m;
    idv_rc got = post(&r, &m, steps, NULL);
    if (got != rc || !strstr(m.note, note) || m.at != 0)
        fail_msg("'%s': %s: %s", sent, idv_rc_name(got), m.note);
    assert_int_equal(m.lost, rc);
    assert_int_equal(r.accepted, 1);
    assert_non_null(strstr(m.note, "registrar 127.0.0.1:"));
    done(&r, &m);
}

/* R-P-18 */
static void test_bad_answers(void **state)
{
    (void)state;
    expect_lost("", NT_BYE, IDV_E_NET, "without an answer");
    expect_lost("", NT_DROP, IDV_E_NET, "without an answer");
    expect_lost("HTTP/1.1 200 OK\r\nX-Y: ", NT_BYE, IDV_E_NET, "cut short");
    expect_lost("SSH-2.0-nonsense\r\n\r\n", NT_BYE, IDV_E_FORMAT, "not HTTP");
    expect_lost("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", NT_BYE,
                IDV_E_NET, "cut short");
    expect_lost("HTTP/1.1 200 OK\r\n\r\nno length, no goodbye", NT_DROP,
                IDV_E_NET, "cut short");
    expect_lost("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", NT_BYE,
                IDV_E_FORMAT, "not HTTP");
    expect_lost("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                NT_BYE, IDV_E_NET, "");
    expect_lost("HTTP/1.1 200 OK\r\nLocation: /a\r\nLocation: /b\r\n\r\n",
                NT_BYE, IDV_E_FORMAT, "two of Location");
    expect_lost("HTTP/1.1 200 OK\r\nContent-Type: a\x01z\r\n\r\n", NT_BYE,
                IDV_E_FORMAT, "plain text");
    expect_lost("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n", NT_BYE,
                IDV_E_NET, "");
}

static void fill(const char *head, const char *text, int count, int limit)
{
    const struct nt_step steps[] = {
        {.what = NT_ACCEPT},
        {.what = NT_READ},
        {.what = NT_SEND, .text = head},
        {.what = NT_FILL, .text = text, .count = count},
        {.what = NT_BYE},
        {.what = NT_END}};
    struct nt_raw r = {0};
    struct nt_machine m;
    idv_rc rc = post(&r, &m, steps, NULL);
    assert_int_equal(rc, limit ? IDV_E_LIMIT : IDV_OK);
    if (!limit)
        assert_int_equal(m.reply[0].body.n, IDV_MAX_BODY);
    done(&r, &m);
}

/* R-P-94: 65536 bytes are taken, one more is not; endless headers are not */
static void test_caps(void **state)
{
    static const char part[] = "0123456789abcdef";
    (void)state;
    fill("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n", part, 4096, 0);
    fill("HTTP/1.1 200 OK\r\n\r\n", part, 4096, 0);
    fill("HTTP/1.1 200 OK\r\n\r\nx", part, 4096, 1);
    fill("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\nx", part, 4096, 1);
    fill("HTTP/1.1 200 OK\r\n", "X-Y: 0123456789abcdef0123456789abcdef\r\n",
         100000, 1);
    fill("HTTP/1.1 200 OK\r\nLocation: /\r\nX-Y: ", part, 8000, 1);
}

static void test_redirect_not_followed(void **state)
{
    static const struct nt_step steps[] = {
        {.what = NT_ACCEPT},
        {.what = NT_READ},
        {.what = NT_SEND,
         .text = "HTTP/1.1 307 Elsewhere\r\nContent-Length: 0\r\n"
                 "Location: https://other.example:8443/x\r\n"
                 "WWW-Authenticate: Basic realm=x\r\n\r\n"},
        {.what = NT_HANG},
        {.what = NT_END}};
    struct nt_raw r = {0};
    struct nt_machine m;
    (void)state;
    assert_int_equal(post(&r, &m, steps, NULL), IDV_OK);
    assert_int_equal(m.reply[0].status, 307);
    assert_string_equal(m.reply[0].location, "https://other.example:8443/x");
    assert_int_equal(r.accepted, 1);
    done(&r, &m);
}

static void test_interim_reply(void **state)
{
    static const struct nt_step steps[] = {
        {.what = NT_ACCEPT},
        {.what = NT_READ},
        {.what = NT_SEND,
         .text = "HTTP/1.1 103 Early\r\nContent-Type: image/png\r\n\r\n" OK2},
        {.what = NT_HANG},
        {.what = NT_END}};
    struct nt_raw r = {0};
    struct nt_machine m;
    (void)state;
    assert_int_equal(post(&r, &m, steps, NULL), IDV_OK);
    assert_int_equal(m.reply[0].status, 200);
    assert_string_equal(m.reply[0].media, "");
    done(&r, &m);
}

/* R-P-94 */
static void test_deadlines(void **state)
{
    static const struct nt_step silent[] = {{.what = NT_SILENT},
                                            {.what = NT_END}};
    static const struct nt_step late[] = {{.what = NT_ACCEPT},
                                          {.what = NT_READ},
                                          {.what = NT_HANG},
                                          {.what = NT_END}};
    struct idv_drive_conf c = conf();
    struct nt_raw r = {0};
    struct nt_machine m;
    (void)state;
    c.connect_s = 1;
    assert_int_equal(post(&r, &m, silent, &c), IDV_E_TIMEOUT);
    assert_non_null(strstr(m.note, "no connection within 1 s"));
    done(&r, &m);
    c = conf();
    c.stall_s = 1;
    assert_int_equal(post(&r, &m, late, &c), IDV_E_TIMEOUT);
    assert_non_null(strstr(m.note, "no progress for 1 s"));
    done(&r, &m);
    c = conf();
    c.exchange_s = 1;
    assert_int_equal(post(&r, &m, late, &c), IDV_E_TIMEOUT);
    assert_non_null(strstr(m.note, "no answer within 1 s"));
    done(&r, &m);
}

static idv_rc refuse(void *ctx, const STACK_OF(X509) * chain)
{
    *(int *)ctx = sk_X509_num(chain);
    return idv_fail(IDV_E_REJECT, "chain: not my domain");
}

static idv_rc agree(void *ctx, const STACK_OF(X509) * chain)
{
    *(int *)ctx = sk_X509_num(chain);
    return IDV_OK;
}

static void test_verify(void **state)
{
    static const struct nt_step steps[] = {{.what = NT_ACCEPT},
                                           {.what = NT_READ},
                                           {.what = NT_SEND, .text = OK2},
                                           {.what = NT_HANG},
                                           {.what = NT_END}};
    struct idv_drive_conf c = conf();
    (void)state;
    for (int good = 0; good < 2; good++) {
        struct nt_raw r = {0};
        struct nt_machine m;
        int seen = 0;
        nt_raw_start(&r, &pki.registrar, pki.tls_chain, steps);
        nt_machine_init(&m, r.port);
        m.connect.verify = good ? agree : refuse;
        m.connect.verify_ctx = &seen;
        nt_machine_add(&m, IDV_POST, "/first", "secret");
        assert_int_equal(drive(&m, &c), good ? IDV_OK : IDV_E_REJECT);
        nt_raw_stop(&r);
        assert_int_equal(seen, 2);
        assert_int_equal(r.heard.n > 0, good);
        if (!good)
            assert_non_null(strstr(m.note, "not my domain"));
        assert_int_equal(m.peer.connection != 0, good);
        done(&r, &m);
    }
}

/* the machine does not like the peer: not a byte of the request is sent */
static void test_refused_by_machine(void **state)
{
    static const struct nt_step steps[] = {
        {.what = NT_ACCEPT}, {.what = NT_HANG}, {.what = NT_END}};
    struct idv_drive_conf c = conf();
    struct nt_raw r = {0};
    struct nt_machine m;
    (void)state;
    nt_raw_start(&r, &pki.registrar, pki.tls_chain, steps);
    nt_machine_init(&m, r.port);
    m.refuse = true;
    nt_machine_add(&m, IDV_POST, "/first", "secret");
    assert_int_equal(drive(&m, &c), IDV_OK);
    nt_raw_stop(&r);
    assert_int_equal(r.heard.n, 0);
    assert_int_equal(sk_X509_num(m.peer.chain), 2);
    done(&r, &m);
}

/* R-P-22 */
static void test_sni(void **state)
{
    static const struct nt_step steps[] = {{.what = NT_ACCEPT},
                                           {.what = NT_READ},
                                           {.what = NT_SEND, .text = OK2},
                                           {.what = NT_HANG},
                                           {.what = NT_END}};
    struct idv_drive_conf c = conf();
    (void)state;
    for (int sni = 0; sni < 2; sni++) {
        struct nt_raw r = {0};
        struct nt_machine m;
        nt_raw_start(&r, &pki.registrar, pki.tls_chain, steps);
        nt_machine_init(&m, r.port);
        strcpy(m.connect.host, "localhost");
        m.connect.sni = sni;
        nt_machine_add(&m, IDV_GET, "/first", NULL);
        assert_int_equal(drive(&m, &c), IDV_OK);
        nt_raw_stop(&r);
        assert_string_equal(r.sni, sni ? "localhost" : "");
        heard(&r, "GET /first HTTP/1.1\r\n");
        heard(&r, "Host: localhost:");
        done(&r, &m);
    }
}

static void test_tls12(void **state)
{
    static const struct nt_step steps[] = {{.what = NT_ACCEPT},
                                           {.what = NT_READ},
                                           {.what = NT_SEND, .text = OK2},
                                           {.what = NT_HANG},
                                           {.what = NT_END}};
    struct nt_raw r = {.max_version = TLS1_2_VERSION};
    struct nt_machine m;
    (void)state;
    assert_int_equal(post(&r, &m, steps, NULL), IDV_OK);
    assert_int_equal(m.peer.binding_n, 12); /* tls-unique */
    assert_memory_equal(m.peer.binding, r.binding, 12);
    assert_true(X509_cmp(sk_X509_value(r.shown, 0), pki.idevid.cert) == 0);
    done(&r, &m);
}

/* without the extended master secret nothing binds */
static void test_tls12_unbound(void **state)
{
    static const struct nt_step steps[] = {{.what = NT_ACCEPT},
                                           {.what = NT_READ},
                                           {.what = NT_SEND, .text = OK2},
                                           {.what = NT_HANG},
                                           {.what = NT_END}};
    struct nt_raw r = {.max_version = TLS1_2_VERSION, .no_ems = true};
    struct nt_machine m;
    (void)state;
    assert_int_equal(post(&r, &m, steps, NULL), IDV_OK);
    assert_int_equal(m.peer.binding_n, 0);
    done(&r, &m);
}

static void test_no_listener(void **state)
{
    struct idv_drive_conf c = conf();
    struct nt_raw r = {0};
    struct nt_machine m;
    static const struct nt_step steps[] = {{.what = NT_END}};
    (void)state;
    nt_raw_start(&r, &pki.registrar, pki.tls_chain, steps);
    nt_raw_stop(&r);
    nt_machine_init(&m, r.port);
    nt_machine_add(&m, IDV_POST, "/first", "x");
    char want[64];
    snprintf(want, sizeof(want), "registrar 127.0.0.1:%u: connection refused",
             r.port);
    assert_int_equal(drive(&m, &c), IDV_E_NET);
    assert_string_equal(m.note, want);
    assert_string_equal(idv_note(), want);
    done(&r, &m);
    nt_machine_init(&m, 1);
    strcpy(m.connect.host, "no\r\nhost");
    nt_machine_add(&m, IDV_POST, "/first", "x");
    assert_int_equal(drive(&m, &c), IDV_E_ARG);
    nt_machine_free(&m);
}

static void test_proxy_ignored(void **state)
{
    static const struct nt_step steps[] = {{.what = NT_ACCEPT},
                                           {.what = NT_READ},
                                           {.what = NT_SEND, .text = OK2},
                                           {.what = NT_HANG},
                                           {.what = NT_END}};
    struct nt_raw r = {0};
    struct nt_machine m;
    (void)state;
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    idv_rc rc = post(&r, &m, steps, NULL);
    unsetenv("https_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(rc, IDV_OK);
    done(&r, &m);
}

/* the stop flag ends the wait for an answer; the machine is not asked */
static void test_stop(void **state)
{
    static const struct nt_step steps[] = {{.what = NT_ACCEPT},
                                           {.what = NT_READ},
                                           {.what = NT_FLAG},
                                           {.what = NT_HANG},
                                           {.what = NT_END}};
    volatile int stop = 0;
    struct idv_drive_conf c = conf();
    struct nt_raw r = {.flag = &stop};
    struct nt_machine m;
    (void)state;
    c.stop = &stop;
    assert_int_equal(post(&r, &m, steps, &c), IDV_E_STATE);
    assert_int_equal(m.at, 0);
    assert_int_equal(m.lost, IDV_OK);
    done(&r, &m);
}

struct waiter {
    int rounds, waited;
};

static idv_rc wait_step(void *self, struct idv_told *told, struct idv_ask *ask)
{
    struct waiter *w = self;
    ask->kind = told->kind == IDV_TOLD_START || w->rounds < 3 ? IDV_ASK_WAIT
                                                              : IDV_ASK_DONE;
    ask->seconds = 60;
    w->rounds++;
    return IDV_OK;
}

static idv_rc no_wait(void *arg, int seconds)
{
    *(int *)arg += seconds;
    return IDV_OK;
}

static void test_wait(void **state)
{
    struct waiter w = {0};
    struct idv_machine machine = {wait_step, &w};
    struct idv_drive_conf c = conf();
    (void)state;
    c.wait = no_wait;
    c.wait_arg = &w.waited;
    assert_int_equal(idv_drive(&machine, &c), IDV_OK);
    assert_int_equal(w.waited, 180);
}

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    pki_env_init(&client_env);
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
        cmocka_unit_test(test_first_post),
        cmocka_unit_test(test_411),
        cmocka_unit_test(test_411_close),
        cmocka_unit_test(test_no_second_connection),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_redirect_not_followed),
        cmocka_unit_test(test_interim_reply),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_refused_by_machine),
        cmocka_unit_test(test_sni),
        cmocka_unit_test(test_tls12),
        cmocka_unit_test(test_tls12_unbound),
        cmocka_unit_test(test_no_listener),
        cmocka_unit_test(test_proxy_ignored),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_wait),
    };
    return cmocka_run_group_tests_name("net-drive", tests, setup, teardown);
}
