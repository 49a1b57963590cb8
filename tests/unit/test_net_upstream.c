/* SPDX-License-Identifier: Apache-2.0 */
/* A service that must ask elsewhere before it can answer. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <idevid/auto.h>

#include "tests/lib/nettest.h"

static struct pki pki;

/* --- a service that passes on what it is given ---------------------------- */

struct relay {
    uint16_t port;
    const char *host;
    const STACK_OF(X509) * anchors;
    EVP_PKEY *key;
    const STACK_OF(X509) * chain;
    bool login, digest;
    int timeout_s, patience_ms;
    bool stays;     /* when its patience ends */
    int outcome[2]; /* a byte for each told */
};

static idv_rc ask(struct relay *r, struct idv_call *call)
{
    struct idv_upstream *up = &call->up;
    strcpy(up->url.host, r->host);
    up->url.port = r->port;
    up->msg.verb = IDV_POST;
    strcpy(up->msg.path, "/masa");
    strcpy(up->msg.media, "text/plain");
    idv_buf_move(&up->msg.body, &call->req.body);
    up->anchors = r->anchors;
    up->key = r->key;
    up->chain = r->chain;
    up->timeout_s = r->timeout_s;
    up->patience_ms = r->patience_ms;
    up->user = r->login ? "us" : NULL;
    up->password = r->login ? "them" : NULL;
    up->digest = r->digest;
    return IDV_OK;
}

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    struct relay *r = self;
    char text[IDV_NOTE_MAX + 64];
    if (!told) {
        *next = IDV_NEXT_UPSTREAM;
        return ask(r, call);
    }
    assert_int_equal(write(r->outcome[1], "", 1), 1);
    *next = IDV_NEXT_REPLY;
    if (told->kind == IDV_TOLD_ELAPSED) {
        *next = r->stays ? IDV_NEXT_UPSTREAM : IDV_NEXT_REPLY;
        call->reply.retry_after = 7;
        return idv_msg_reply(&call->reply, 202, "text/plain", idv_str("wait"));
    }
    if (told->kind == IDV_TOLD_REPLY)
        return idv_msg_reply(&call->reply, told->msg.status, told->msg.media,
                             idv_view(&told->msg.body));
    snprintf(text, sizeof(text), "%s %s", idv_rc_name(told->rc), told->note);
    return idv_msg_reply(&call->reply, 502, "text/plain", idv_str(text));
}

static void relay_init(struct relay *r)
{
    *r = (struct relay){.host = "localhost",
                        .anchors = pki.anchors,
                        .key = pki.registrar.key,
                        .chain = pki.tls_chain,
                        .timeout_s = 10};
    assert_int_equal(pipe(r->outcome), 0);
}

static void relay_free(struct relay *r)
{
    close(r->outcome[0]);
    close(r->outcome[1]);
}

#define POST "POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
#define OK3 "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"

/* one request through to a raw server that has id and does steps */
static int through(struct relay *r, const struct pki_id *id,
                   const struct nt_step *steps, struct nt_raw *raw,
                   struct idv_buf *reply)
{
    struct idv_service service = {serve, r};
    struct nt_server s = {0};
    struct nt_client c;
    nt_raw_start(raw, id, NULL, steps);
    if (!r->port)
        r->port = raw->port;
    nt_server_start(&s, &pki, &service);
    assert_true(nt_connect(&c, s.port, NULL));
    assert_true(nt_say(&c, POST));
    int status = nt_hear(&c, reply, false);
    nt_close(&c);
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
    return status;
}

static const struct nt_step answer[] = {{.what = NT_ACCEPT},
                                        {.what = NT_READ},
                                        {.what = NT_SEND, .text = OK3},
                                        {.what = NT_HANG},
                                        {.what = NT_END}};

static void test_ok(void **state)
{
    struct relay r;
    struct nt_raw raw = {0};
    IDV_AUTO(buf) reply = {0};
    (void)state;
    relay_init(&r);
    assert_int_equal(through(&r, &pki.masa_server, answer, &raw, &reply), 200);
    nt_raw_stop(&raw);
    assert_non_null(strstr((char *)reply.p, "\r\n\r\nyes"));
    assert_non_null(strstr((char *)raw.heard.p, "POST /masa HTTP/1.1\r\n"));
    assert_non_null(strstr((char *)raw.heard.p, "Content-Length: 5\r\n"));
    assert_non_null(strstr((char *)raw.heard.p, "\r\n\r\nhello"));
    assert_string_equal(raw.sni, "localhost"); /* R-R-18 */
    assert_true(X509_cmp(sk_X509_value(raw.shown, 0), pki.registrar.cert) == 0);
    assert_int_equal(sk_X509_num(raw.shown), 2);
    nt_raw_free(&raw);
    relay_free(&r);
}

/* R-R-19 */
static void test_basic(void **state)
{
    struct relay r;
    struct nt_raw raw = {0};
    (void)state;
    relay_init(&r);
    r.login = true;
    assert_int_equal(through(&r, &pki.masa_server, answer, &raw, NULL), 200);
    nt_raw_stop(&raw);
    assert_non_null(
        strstr((char *)raw.heard.p, "Authorization: Basic dXM6dGhlbQ==\r\n"));
    nt_raw_free(&raw);
    relay_free(&r);
}

/* R-R-19: asked first, then the body with a proof; never the password */
static void test_digest(void **state)
{
    static const struct nt_step steps[] = {
        {.what = NT_ACCEPT},
        {.what = NT_READ},
        {.what = NT_SEND,
         .text = "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"m\", "
                 "nonce=\"n1\", qop=\"auth\", algorithm=SHA-256\r\n"
                 "Content-Length: 4\r\n\r\nwho?"},
        {.what = NT_READ},
        {.what = NT_SEND, .text = OK3},
        {.what = NT_HANG},
        {.what = NT_END}};
    struct relay r;
    struct nt_raw raw = {0};
    IDV_AUTO(buf) reply = {0};
    (void)state;
    relay_init(&r);
    r.login = r.digest = true;
    assert_int_equal(through(&r, &pki.masa_server, steps, &raw, &reply), 200);
    nt_raw_stop(&raw);
    assert_non_null(strstr((char *)reply.p, "\r\n\r\nyes"));
    const char *heard = (char *)raw.heard.p;
    assert_non_null(strstr(heard, "Authorization: Digest username=\"us\""));
    assert_non_null(strstr(heard, "\r\n\r\nhello"));
    assert_null(strstr(heard, "Basic"));
    assert_null(strstr(heard, "them"));
    nt_raw_free(&raw);
    relay_free(&r);
}

/* refused in the handshake: the body never leaves, nor a password */
static void not_trusted(const struct pki_id *id, const char *host,
                        const STACK_OF(X509) * anchors)
{
    struct relay r;
    struct nt_raw raw = {0};
    IDV_AUTO(buf) reply = {0};
    relay_init(&r);
    r.host = host;
    r.anchors = anchors;
    r.login = true;
    assert_int_equal(through(&r, id, answer, &raw, &reply), 502);
    nt_raw_stop(&raw);
    if (!strstr((char *)reply.p, "refused upstream") ||
        !strstr((char *)reply.p, "certificate"))
        fail_msg("%s", (char *)reply.p);
    assert_int_equal(raw.heard.n, 0);
    nt_raw_free(&raw);
    relay_free(&r);
}

static void test_certificates(void **state) /* R-R-18 */
{
    struct idv_cert_spec spec = {.kind = IDV_CERT_REGISTRAR,
                                 .common_name = "localhost"};
    static const char *const other[] = {"other.example.com", NULL};
    STACK_OF(X509) *domain = pki_stack(pki.domain_ca.cert, NULL);
    STACK_OF(X509) *none = sk_X509_new_null();
    (void)state;
    struct pki_id by_name = pki_issue(&pki, "P-256", &spec, &pki.maker_root);
    spec.kind = IDV_CERT_SERVER;
    spec.names = other;
    struct pki_id foreign = pki_issue(&pki, "P-256", &spec, &pki.maker_root);
    spec.not_before = PKI_NOW - 2 * PKI_DAY;
    spec.not_after = PKI_NOW - PKI_DAY;
    static const char *const right[] = {"localhost", NULL};
    spec.names = right;
    struct pki_id expired = pki_issue(&pki, "P-256", &spec, &pki.maker_root);
    not_trusted(&pki.masa_server, "localhost", domain);
    not_trusted(&pki.masa_server, "localhost", none);
    not_trusted(&pki.rogue_masa, "localhost", pki.anchors);
    not_trusted(&by_name, "localhost", pki.anchors);
    not_trusted(&foreign, "localhost", pki.anchors);
    not_trusted(&foreign, "127.0.0.1", pki.anchors);
    not_trusted(&expired, "localhost", pki.anchors);
    pki_id_free(&by_name);
    pki_id_free(&foreign);
    pki_id_free(&expired);
    idv_certs_free(domain);
    idv_certs_free(none);
}

/* the status through a MASA whose certificate has these names */
static int named(const char *const *names, const char **sni)
{
    static char said[256];
    struct idv_cert_spec spec = {
        .kind = IDV_CERT_SERVER, .common_name = "localhost", .names = names};
    struct pki_id id = pki_issue(&pki, "P-256", &spec, &pki.maker_root);
    struct relay r;
    struct nt_raw raw = {0};
    relay_init(&r);
    int status = through(&r, &id, answer, &raw, NULL);
    nt_raw_stop(&raw);
    strcpy(said, raw.sni); /* (none of a handshake that was broken off) */
    *sni = said;
    if (status != 200)
        assert_int_equal(raw.heard.n, 0);
    nt_raw_free(&raw);
    relay_free(&r);
    pki_id_free(&id);
    return status;
}

/* R-R-18: by a DNS-ID of exactly the name that it was asked for by */
static void test_names(void **state)
{
    static const struct {
        const char *name, *more;
        int status;
    } rows[] = {
        {"localhost", NULL, 200},
        {"LocalHost", NULL, 200},
        {"other.example.com", "localhost", 200},
        {"localhost.example.com", NULL, 502},
        {"alocalhost", NULL, 502},
        {"localhos", NULL, 502},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *const names[] = {rows[i].name, rows[i].more, NULL};
        const char *sni;
        int status = named(names, &sni);
        if (status != rows[i].status)
            fail_msg("%s: %d", rows[i].name, status);
        assert_string_equal(sni, status == 200 ? "localhost" : "");
    }
}

static void fails(struct relay *r, const struct nt_step *steps,
                  const char *words)
{
    struct nt_raw raw = {0};
    IDV_AUTO(buf) reply = {0};
    int status = through(r, &pki.masa_server, steps, &raw, &reply);
    nt_raw_stop(&raw);
    if (status != 502 || !strstr((char *)reply.p, words))
        fail_msg("%d %s for %s", status, (char *)reply.p, words);
    nt_raw_free(&raw);
    relay_free(r);
}

static void test_failures(void **state)
{
    static const struct nt_step nothing[] = {{.what = NT_END}};
    static const struct nt_step hang[] = {
        {.what = NT_ACCEPT}, {.what = NT_HANG}, {.what = NT_END}};
    static const struct nt_step silent[] = {{.what = NT_SILENT},
                                            {.what = NT_END}};
    static const struct nt_step drop[] = {{.what = NT_ACCEPT},
                                          {.what = NT_READ},
                                          {.what = NT_DROP},
                                          {.what = NT_END}};
    static const struct nt_step garbage[] = {
        {.what = NT_ACCEPT},
        {.what = NT_READ},
        {.what = NT_SEND, .text = "nonsense\r\n\r\n"},
        {.what = NT_BYE},
        {.what = NT_END}};
    static const struct nt_step cut[] = {
        {.what = NT_ACCEPT},
        {.what = NT_READ},
        {.what = NT_SEND, .text = "HTTP/1.1 200 OK\r\n\r\nwhole?"},
        {.what = NT_DROP},
        {.what = NT_END}};
    static const struct nt_step flood[] = {
        {.what = NT_ACCEPT},
        {.what = NT_READ},
        {.what = NT_SEND, .text = "HTTP/1.1 200 OK\r\n\r\n"},
        {.what = NT_FILL, .text = "0123456789abcdef", .count = 5000},
        {.what = NT_BYE},
        {.what = NT_END}};
    struct relay r;
    (void)state;
    relay_init(&r);
    r.port = 1;
    fails(&r, nothing, "network upstream localhost:1: connection refused");
    relay_init(&r);
    r.timeout_s = 1;
    fails(&r, hang, "timeout upstream");
    relay_init(&r);
    r.timeout_s = 1;
    fails(&r, silent, "timeout upstream");
    relay_init(&r);
    fails(&r, drop, "closed without an answer");
    relay_init(&r);
    fails(&r, garbage, "not HTTP");
    relay_init(&r);
    fails(&r, cut, "answer cut short");
    relay_init(&r);
    fails(&r, flood, "limit upstream");
    relay_init(&r);
    r.host = "no.such.name.invalid";
    fails(&r, nothing, "name not found");
}

/* two requests, one upstream connection; a redirect is just an answer */
static void test_kept(void **state)
{
    static const struct nt_step steps[] = {
        {.what = NT_ACCEPT},
        {.what = NT_READ},
        {.what = NT_SEND, .text = OK3},
        {.what = NT_READ},
        {.what = NT_SEND,
         .text = "HTTP/1.1 307 No\r\nLocation: https://localhost:1/\r\n"
                 "Content-Length: 0\r\n\r\n"},
        {.what = NT_HANG},
        {.what = NT_END}};
    struct relay r;
    struct nt_raw raw = {0};
    struct nt_server s = {0};
    struct nt_client c;
    (void)state;
    relay_init(&r);
    struct idv_service service = {serve, &r};
    nt_raw_start(&raw, &pki.masa_server, NULL, steps);
    r.port = raw.port;
    nt_server_start(&s, &pki, &service);
    assert_true(nt_connect(&c, s.port, NULL));
    assert_true(nt_say(&c, POST POST));
    assert_int_equal(nt_hear(&c, NULL, false), 200);
    assert_int_equal(nt_hear(&c, NULL, false), 307);
    nt_close(&c);
    nt_server_stop(&s);
    nt_raw_stop(&raw);
    assert_int_equal(raw.accepted, 1);
    nt_raw_free(&raw);
    relay_free(&r);
}

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

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    signal(SIGPIPE, SIG_IGN);
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
        cmocka_unit_test(test_ok),          cmocka_unit_test(test_basic),
        cmocka_unit_test(test_digest),      cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_names),       cmocka_unit_test(test_failures),
        cmocka_unit_test(test_kept),        cmocka_unit_test(test_client_gone),
        cmocka_unit_test(test_too_many),    cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_limit), cmocka_unit_test(test_early),
        cmocka_unit_test(test_early_drain), cmocka_unit_test(test_early_limit),
        cmocka_unit_test(test_stays),
    };
    return cmocka_run_group_tests_name("net-upstream", tests, setup, teardown);
}
