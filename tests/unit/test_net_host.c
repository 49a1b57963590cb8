/* SPDX-License-Identifier: Apache-2.0 */
/* One server that is several: who is asked for is who answers, or nobody. */
#include "tests/unit/codec.h"

#include <semaphore.h>
#include <stdatomic.h>

#include "tests/lib/nettest.h"

static struct pki pki;
static atomic_bool bolt_fails;
static sem_t both; /* with it bolt's request waits for another one */

static char acme[] = "acme", bolt[] = "bolt";

/* says who it is */
static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    (void)told;
    *next = IDV_NEXT_REPLY;
    if (self == bolt && bolt_fails)
        sem_wait(&both);
    return idv_msg_reply(&call->reply, 200, "text/plain", idv_str(self));
}

static const struct idv_service service = {serve, acme};
static const char *const own[] = {"acme.example", NULL}, *const names[] = {
                                                             "bolt.example",
                                                             "bolt.test", NULL};

static idv_rc commit(void *self)
{
    return self == bolt && bolt_fails ? idv_fail(IDV_E_IO, "bolt: disk full")
                                      : IDV_OK;
}

static struct idv_server_host host;
static STACK_OF(X509) * bolt_chain;

static void start(struct nt_server *s)
{
    bolt_chain = pki_stack(pki.masa_server.cert, NULL);
    host = (struct idv_server_host){.names = names,
                                    .label = "tenant=bolt",
                                    .key = pki.masa_server.key,
                                    .chain = bolt_chain,
                                    .service = {serve, bolt},
                                    .commit = commit,
                                    .self = bolt};
    s->hosts = &host;
    s->hosts_n = 1;
    s->names = own;
    s->commit = commit;
    nt_server_start(s, &pki, &service);
    if (!s->port)
        fail_msg("%s", s->note);
}

static void stop(struct nt_server *s)
{
    nt_server_stop(s);
    assert_int_equal(s->rc, IDV_OK);
    idv_certs_free(bolt_chain);
}

/* the status; *body is what was said */
static int ask(struct nt_client *c, const char *name, struct idv_buf *r)
{
    char text[128];
    snprintf(text, sizeof(text), "GET /x HTTP/1.1\r\nHost: %s\r\n\r\n", name);
    return nt_say(c, text) ? nt_hear(c, r, false) : 0;
}

static bool says(const struct idv_buf *r, const char *who)
{
    const char *body = strstr((const char *)r->p, "\r\n\r\n");
    return body && strcmp(body + 4, who) == 0;
}

static bool shows(const struct nt_client *c, const struct pki_id *id)
{
    IDV_AUTO_PTR(X509) peer = SSL_get1_peer_certificate(c->ssl);
    return peer && X509_cmp(peer, id->cert) == 0;
}

/* R-M-33: certificate and service are those of the name in the handshake */
static void test_names(void **state)
{
    static const struct {
        const char *sni, *host;
        bool bolt;
    } rows[] = {{"bolt.example", "bolt.example", true},
                {"bolt.test", "bolt.example", true},
                {"BOLT.Example", "bolt.EXAMPLE:9443", true},
                {"bolt.example", "bolt.example.", true},
                {"acme.example", "acme.example", false},
                {NULL, "127.0.0.1:1", false},
                {NULL, "[::1]:1", false},
                {"bolt.example.org", "nobody", false},
                {"xbolt.example", "", false}};
    struct nt_server s = {0};
    IDV_AUTO(buf) r = {0};
    (void)state;
    start(&s);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct nt_client c;
        assert_true(nt_connect_to(&c, s.port, rows[i].sni));
        assert_true(
            shows(&c, rows[i].bolt ? &pki.masa_server : &pki.registrar));
        assert_int_equal(ask(&c, rows[i].host, &r), 200);
        if (!says(&r, rows[i].bolt ? bolt : acme))
            fail_msg("%s, %s", rows[i].sni ? rows[i].sni : "-", rows[i].host);
        nt_close(&c);
    }
    stop(&s);
}

/* R-M-33: nobody is answered by another than his connection is with, not on a
 * kept one either */
static void test_misdirected(void **state)
{
    static const struct {
        const char *sni, *host;
    } rows[] = {{"bolt.example", "acme.example"},
                {"bolt.example", "127.0.0.1"},
                {"bolt.example", "nobody"},
                {"acme.example", "bolt.example"},
                {NULL, "bolt.test"}};
    struct nt_server s = {0};
    IDV_AUTO(buf) r = {0};
    (void)state;
    start(&s);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct nt_client c;
        const char *good = rows[i].sni ? rows[i].sni : "127.0.0.1";
        assert_true(nt_connect_to(&c, s.port, rows[i].sni));
        assert_int_equal(ask(&c, good, &r), 200);
        assert_int_equal(ask(&c, rows[i].host, &r), 421);
        assert_false(says(&r, bolt) || says(&r, acme));
        assert_true(nt_ended(&c));
        nt_close(&c);
    }
    struct nt_client c;
    assert_true(nt_connect_to(&c, s.port, "bolt.example"));
    assert_true(nt_say(&c, "GET http://acme.example/x HTTP/1.1\r\n"
                           "Host: bolt.example\r\n\r\n"));
    assert_int_equal(nt_hear(&c, NULL, false), 421);
    nt_close(&c);
    stop(&s);
}

/* without a name in the request the connection's counts */
static void test_old_http(void **state)
{
    struct nt_server s = {0};
    struct nt_client c;
    IDV_AUTO(buf) r = {0};
    (void)state;
    start(&s);
    assert_true(nt_connect_to(&c, s.port, "bolt.example"));
    assert_true(nt_say(&c, "GET /x HTTP/1.0\r\n\r\n"));
    assert_int_equal(nt_hear(&c, &r, false), 200);
    assert_true(says(&r, bolt));
    nt_close(&c);
    stop(&s);
}

/* R-M-33: where others are refused they are so before a certificate is shown */
static void test_names_only(void **state)
{
    static const char *const bad[] = {"nobody.example", "bolt.example.org",
                                      NULL};
    struct nt_server s = {.names_only = true};
    struct nt_client c;
    (void)state;
    start(&s);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) /* NULL: none */ {
        assert_false(nt_connect_to(&c, s.port, bad[i]));
        nt_close(&c);
    }
    assert_true(nt_connect_to(&c, s.port, "acme.example"));
    assert_int_equal(ask(&c, "acme.example", NULL), 200);
    assert_int_equal(ask(&c, "nobody.example", NULL), 421);
    nt_close(&c);
    assert_true(nt_connect_to(&c, s.port, "bolt.test"));
    assert_int_equal(ask(&c, "bolt.test", NULL), 200);
    nt_close(&c);
    stop(&s);
}

/* from a front there is Host alone */
static void test_front(void **state)
{
    static const char *const listen[] = {"127.0.0.1:0", NULL},
                             *const proxies[] = {"127.0.0.1", NULL};
    struct nt_server s = {.conf.front = {.listen = listen, .proxies = proxies},
                          .names_only = true};
    IDV_AUTO(buf) r = {0};
    (void)state;
    start(&s);
    for (int i = 0; i < 3; i++) {
        static const char *const who[] = {"bolt.test", "acme.example", "other"};
        struct nt_client c;
        char text[128];
        assert_true(nt_tcp(&c, s.front_port));
        snprintf(text, sizeof(text),
                 "GET /x HTTP/1.1\r\nHost: %s\r\n"
                 "X-Forwarded-For: 192.0.2.1\r\n\r\n",
                 who[i]);
        assert_true(nt_say(&c, text));
        assert_int_equal(nt_hear(&c, &r, false), i < 2 ? 200 : 421);
        assert_int_equal(says(&r, bolt), i == 0);
        assert_int_equal(says(&r, acme), i == 1);
        nt_close(&c);
    }
    stop(&s);
}

/* R-M-33: who cannot commit is alone with that */
static void test_commit(void **state)
{
    struct nt_server s = {0};
    struct nt_client a, b;
    (void)state;
    start(&s);
    assert_true(nt_connect_to(&a, s.port, "acme.example"));
    assert_true(nt_connect_to(&b, s.port, "bolt.test"));
    bolt_fails = true;
    assert_true(nt_say(&b, "GET /x HTTP/1.1\r\nHost: bolt.test\r\n\r\n"));
    assert_true(nt_say(&a, "GET /x HTTP/1.1\r\nHost: acme.example\r\n\r\n"));
    assert_int_equal(sem_post(&both), 0);
    assert_int_equal(nt_hear(&b, NULL, false), 503);
    assert_int_equal(nt_hear(&a, NULL, false), 200);
    bolt_fails = false;
    nt_close(&a);
    nt_close(&b);
    stop(&s);
}

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    return sem_init(&both, 0, 0);
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
        cmocka_unit_test(test_names),    cmocka_unit_test(test_misdirected),
        cmocka_unit_test(test_old_http), cmocka_unit_test(test_names_only),
        cmocka_unit_test(test_front),    cmocka_unit_test(test_commit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
