/* SPDX-License-Identifier: Apache-2.0 */
/* Replies from hostile servers, line by line; texts of requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <idevid/auto.h>

#include "net/http.h"
#include "net/http_reply.h"
#include "tests/lib/pki.h"

static struct pki_env env;

static int retry(const char *text)
{
    return idvi_retry_after(&env.env, idv_str(text));
}

/* R-S-11 */
static void test_retry_after(void **state)
{
    (void)state;
    pki_env_init(&env); /* 2026-11-22T00:00:00Z, trusted */
    assert_int_equal(retry("0"), 0);
    assert_int_equal(retry(" 120\r\n"), 120);
    assert_int_equal(retry("99999999999999999999999"), IDVI_RETRY_MAX);
    assert_int_equal(retry("Sun, 22 Nov 2026 00:01:30 GMT"), 90);
    assert_int_equal(retry("Sunday, 22-Nov-26 00:01:30 GMT"), 90);
    assert_int_equal(retry("Sun Nov 22 00:01:30 2026"), 90);
    assert_int_equal(retry("Sat, 21 Nov 2026 23:59:00 GMT"), 0);
    assert_int_equal(retry("Sun, 22 Nov 2099 00:00:00 GMT"), IDVI_RETRY_MAX);
    static const char *const bad[] = {"",    " ",    "-1",  "+5",   "1.5",
                                      "5 5", "soon", "1e9", "0x10", "\x01"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(retry(bad[i]), -1);
    env.trusted = false; /* without a clock a date says only: later */
    assert_int_equal(retry("Sun, 22 Nov 2026 00:01:30 GMT"), IDVI_RETRY_DATE);
    assert_int_equal(retry("Sat, 21 Nov 2020 23:59:00 GMT"), IDVI_RETRY_DATE);
    assert_int_equal(retry("30"), 30);
}

static idv_rc lines(struct idvi_reply *r, const char *const *line)
{
    idv_rc rc = IDV_OK;
    idv_note_clear();
    idvi_reply_init(r, &env.env);
    for (; *line && rc == IDV_OK; line++)
        rc = idvi_reply_header(r, idv_str(*line));
    return rc;
}

static void test_fields(void **state)
{
    static const char *const good[] = {"HTTP/1.1 100 Continue\r\n",
                                       "Content-Type: image/png\r\n",
                                       "\r\n",
                                       "HTTP/1.1 202 Accepted\r\n",
                                       "CONTENT-TYPE: \t text/plain \r\n",
                                       "Content-Type: text/plain\r\n",
                                       "Retry-After: 5\r\n",
                                       "location: /x\r\n",
                                       "no colon\r\n",
                                       ": no name\r\n",
                                       "\r\n",
                                       NULL};
    struct idvi_reply r;
    (void)state;
    assert_int_equal(lines(&r, good), IDV_OK);
    assert_int_equal(r.msg.status, 202);
    assert_string_equal(r.msg.media, "text/plain");
    assert_string_equal(r.msg.location, "/x");
    assert_int_equal(r.msg.retry_after, 5);
    assert_true(idvi_reply_whole(&r, true));
    assert_false(idvi_reply_whole(&r, false)); /* no length */
    idvi_reply_free(&r);
}

/* R-P-18, R-P-94 */
static void test_refusals(void **state)
{
    static char media[200] = "Content-Type: ";
    static char location[IDV_MAX_URL + 40] = "Location: /";
    static char huge[IDVI_MAX_HEADER + 2];
    memset(media + 14, 'a', sizeof(media) - 15);
    memset(location + 11, 'a', sizeof(location) - 12);
    memset(huge, 'a', sizeof(huge) - 1);
    const char *const cases[][4] = {
        {"HTTP/1.1 200 OK", media, NULL},
        {"HTTP/1.1 200 OK", location, NULL},
        {"HTTP/1.1 200 OK", huge, NULL},
        {"HTTP/1.1 200 OK", "Location: a\x7f", NULL},
        {"HTTP/1.1 200 OK", "Location: a\xc3\xa4", NULL},
        {"HTTP/1.1 200 OK", "Content-Type: a/b", "Content-Type: c/d", NULL},
    };
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct idvi_reply r;
        assert_int_equal(lines(&r, cases[i]),
                         i < 3 ? IDV_E_LIMIT : IDV_E_FORMAT);
        idvi_reply_free(&r);
    }
}

/* R-P-94 */
static void test_body(void **state)
{
    struct idvi_reply r;
    static const uint8_t part[4096];
    (void)state;
    idv_note_clear();
    idvi_reply_init(&r, NULL);
    for (int i = 0; i < 16; i++)
        assert_int_equal(idvi_reply_body(&r, idv_bytes(part, sizeof(part))),
                         IDV_OK);
    assert_int_equal(idvi_reply_body(&r, idv_bytes(part, 1)), IDV_E_LIMIT);
    assert_int_equal(r.msg.body.n, IDV_MAX_BODY);
    idvi_reply_free(&r);
}

/* what was announced is counted here, whatever curl thinks of the end */
static void test_whole(void **state)
{
    static const struct {
        const char *const line[4];
        const char *body;
        bool dropped, goodbye; /* is it whole after such an end? */
    } cases[] = {
        {{"HTTP/1.1 200 OK", "Content-Length: 4"}, "full", false, false},
        {{"HTTP/1.1 200 OK", "Content-Length: 4", ""}, "full", true, true},
        {{"HTTP/1.1 200 OK", "Content-Length: 5", ""}, "full", false, false},
        {{"HTTP/1.1 200 OK", "Content-Length: 0", ""}, "", true, true},
        {{"HTTP/1.1 200 OK", ""}, "full", false, true},
        {{"HTTP/1.1 204 None", ""}, "", true, true},
        {{"HTTP/1.1 204 None"}, "", false, false},
        {{"HTTP/1.1 100 On", ""}, "", false, false},
        {{"HTTP/1.1 200 OK", "Transfer-Encoding: chunked", ""},
         "x",
         true,
         true},
        {{"HTTP/1.1 200 OK", "Transfer-Encoding: identity", ""},
         "x",
         false,
         true},
        {{"HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked", ""},
         "x",
         false,
         true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct idvi_reply r;
        assert_int_equal(lines(&r, cases[i].line), IDV_OK);
        assert_int_equal(idvi_reply_body(&r, idv_str(cases[i].body)), IDV_OK);
        assert_int_equal(idvi_reply_whole(&r, false), cases[i].dropped);
        assert_int_equal(idvi_reply_whole(&r, true), cases[i].goodbye);
        idvi_reply_free(&r);
    }
}

static void test_lengths(void **state)
{
    static const char *const bad[] = {
        "Content-Length:",      "Content-Length: -1",
        "Content-Length: 1 1",  "Content-Length: 0x1",
        "Content-Length: 1, 1", "Content-Length: 1234567890123456789"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *const line[] = {"HTTP/1.1 200 OK", bad[i], NULL};
        struct idvi_reply r;
        assert_int_equal(lines(&r, line), IDV_E_FORMAT);
        idvi_reply_free(&r);
    }
    const char *const two[] = {"HTTP/1.1 200 OK", "Content-Length: 1",
                               "Content-Length: 2", NULL};
    struct idvi_reply r;
    assert_int_equal(lines(&r, two), IDV_E_FORMAT);
    idvi_reply_free(&r);
}

/* --- what requests say ---------------------------------------------------- */

static void url_is(const char *host, uint16_t port, const char *path,
                   const char *url, const char *field)
{
    struct curl_slist *list = NULL;
    IDV_AUTO(buf) text = {0};
    struct idv_msg m;
    idv_msg_init(&m);
    idv_note_clear();
    assert_int_equal(idvi_http_url(host, port, path, &text), IDV_OK);
    assert_string_equal((char *)text.p, url);
    assert_int_equal(idvi_http_headers(host, port, &m, false, &list), IDV_OK);
    assert_string_equal(list->data, field);
    assert_string_equal(list->next->data, "Accept:");
    curl_slist_free_all(list);
}

static void test_urls(void **state)
{
    (void)state;
    url_is("registrar.example", 443, "/x", "https://registrar.example:443/x",
           "Host: registrar.example");
    url_is("192.0.2.1", 8443, "/", "https://192.0.2.1:8443/",
           "Host: 192.0.2.1:8443");
    url_is("2001:db8::1", 443, "/", "https://[2001:db8::1]:443/",
           "Host: [2001:db8::1]");
    /* the zone is for this end only */
    url_is("fe80::1%eth0.5", 8443, "/", "https://[fe80::1%25eth0.5]:8443/",
           "Host: [fe80::1]:8443");
}

static void test_bad_urls(void **state)
{
    static const char *const hosts[] = {"",       "a b",    "a/b",  "a@b",
                                        "a\r\nb", "a%eth0", "::1%", "::1%a/b",
                                        "::g",    "[::1]",  "a#b"};
    static const char *const paths[] = {"",     "x",       "/a b", "/a?b",
                                        "/a#b", "/a\r\nb", "/\x80"};
    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        IDV_AUTO(buf) text = {0};
        idv_note_clear();
        assert_int_equal(idvi_http_url(hosts[i], 1, "/", &text), IDV_E_ARG);
    }
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        IDV_AUTO(buf) text = {0};
        idv_note_clear();
        assert_int_equal(idvi_http_url("a", 1, paths[i], &text), IDV_E_ARG);
    }
}

static void test_no_injection(void **state)
{
    struct curl_slist *list = NULL;
    struct idv_msg m;
    (void)state;
    idv_note_clear();
    idv_msg_init(&m);
    strcpy(m.accept, "a/b\r\nX: y");
    assert_int_equal(idvi_http_headers("a", 1, &m, false, &list), IDV_E_ARG);
    assert_null(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retry_after),  cmocka_unit_test(test_fields),
        cmocka_unit_test(test_refusals),     cmocka_unit_test(test_body),
        cmocka_unit_test(test_whole),        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_urls),         cmocka_unit_test(test_bad_urls),
        cmocka_unit_test(test_no_injection),
    };
    return cmocka_run_group_tests_name("net-reply", tests, NULL, NULL);
}
