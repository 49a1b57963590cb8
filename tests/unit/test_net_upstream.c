/* SPDX-License-Identifier: Apache-2.0 */
/* A service that must ask elsewhere before it can answer: whom it trusts there,
 * what it sends, and what comes of it. */
#include "tests/unit/relay.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ok),     cmocka_unit_test(test_basic),
        cmocka_unit_test(test_digest), cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_failures),
        cmocka_unit_test(test_kept),
    };
    return cmocka_run_group_tests_name("net-upstream", tests, relay_setup,
                                       relay_teardown);
}
