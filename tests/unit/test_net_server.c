/* SPDX-License-Identifier: Apache-2.0 */
/* The server against clients that behave, and what it fails with. */
#include "config.h"

#include "tests/unit/net_service.h"

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
    /* RFC 9110 section 15.5.6 */
    assert_true(nt_say(&c, "GET /other-verb HTTP/1.1\r\nHost: x\r\n\r\n"
                           "POST /other-verb HTTP/1.1\r\nHost: x\r\n"
                           "Content-Length: 0\r\n\r\n"));
    assert_int_equal(nt_hear(&c, &r, false), 405);
    assert_non_null(strstr((char *)r.p, "Allow: POST\r\n"));
    assert_int_equal(nt_hear(&c, &r, false), 405);
    assert_non_null(strstr((char *)r.p, "Allow: GET, HEAD\r\n"));
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

static int devices_failed; /* told of */

static void device_failed(void *self)
{
    (void)self;
    __atomic_add_fetch(&devices_failed, 1, __ATOMIC_SEQ_CST);
}

static void test_failures_stay_inside(void **state)
{
    struct nt_server s = {.device_failed = device_failed};
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
    assert_int_equal(devices_failed, 1); /* of /fail */
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

/* --- TLS ------------------------------------------------------------------ */

static void test_tls_versions(void **state) /* R-M-2, R-R-4: 1.1 is refused */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_connection),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_authorization),
        cmocka_unit_test(test_failures_stay_inside),
        cmocka_unit_test(test_pipelining_and_close),
        cmocka_unit_test(test_tls_versions),
        cmocka_unit_test(test_any_chain),
    };
    return cmocka_run_group_tests_name("net-server", tests, setup, teardown);
}
