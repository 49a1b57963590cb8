/* SPDX-License-Identifier: Apache-2.0 */
/* What caches are told, and when nothing is sent because they have it. */
#include "config.h"

#include "tests/unit/net_service.h"

#define DATE "Sun, 09 Sep 2001 01:46:40 GMT" /* 1000000000 */

static const char *const anywhere[] = {"127.0.0.1:0", NULL};

/* /other/... has other bytes */
static idv_rc serve_kept(void *self, struct idv_call *call,
                         struct idv_told *told, enum idv_next *next)
{
    struct idv_msg *m = &call->reply;
    const char *path = call->req.path;
    if (strcmp(path, "/plain") == 0)
        return service.serve(self, call, told, next);
    *next = IDV_NEXT_REPLY;
    m->max_age = 60;
    if (strstr(path, "stale"))
        m->stale = 100;
    if (strstr(path, "dated"))
        m->modified = 1000000000;
    if (strcmp(path, "/none") == 0)
        return idv_msg_refuse(m, 404, "none");
    return idv_msg_reply(m, 200, "text/plain",
                         idv_str(strstr(path, "other") ? "other" : "bytes"));
}

static const struct idv_service keeper = {serve_kept, NULL};
static struct nt_server server;

static int begin(void **state)
{
    setup(state);
    server = (struct nt_server){.public = keeper};
    server.conf.public = anywhere;
    nt_server_start(&server, &pki, &keeper);
    return 0;
}

static int end(void **state)
{
    nt_server_stop(&server);
    assert_int_equal(server.rc, IDV_OK);
    return teardown(state);
}

static bool is_whole(const struct idv_buf *text, bool head)
{
    const char *end = text->n ? strstr((char *)text->p, "\r\n\r\n") : NULL;
    const char *n = end ? strstr((char *)text->p, "Content-Length: ") : NULL;
    const size_t body = n && n < end && !head ? strtoul(n + 16, NULL, 10) : 0;
    return end && text->n >= (size_t)(end + 4 - (char *)text->p) + body;
}

/* the status; the head of the reply, and its body, in text */
static int ask(const char *verb, const char *path, const char *more,
               struct idv_buf *text)
{
    IDV_AUTO(buf) request = {0};
    struct nt_client c;
    char piece[512];
    pki_must(idv_buf_putf(&request, "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", verb,
                          path, more),
             "request");
    idv_buf_clear(text);
    assert_true(nt_tcp(&c, server.public_port));
    assert_true(nt_say(&c, (char *)request.p));
    while (!is_whole(text, strcmp(verb, "HEAD") == 0)) {
        const ssize_t n = recv(c.fd, piece, sizeof(piece), 0);
        assert_true(n > 0);
        pki_must(idv_buf_put(text, idv_bytes(piece, (size_t)n)), "reply");
    }
    nt_close(&c);
    return atoi((char *)text->p + 9);
}

static bool has(const struct idv_buf *text, const char *part)
{
    return strstr((const char *)text->p, part) != NULL;
}

/* the ETag of what is at path, in its quotes */
static void tag_of(const char *path, char out[static 64])
{
    IDV_AUTO(buf) r = {0};
    assert_int_equal(ask("GET", path, "", &r), 200);
    const char *at = strstr((char *)r.p, "ETag: ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "ETag: %40s", out), 1);
    assert_true(out[0] == '"' && out[strlen(out) - 1] == '"');
}

/* --- what is said --------------------------------------------------------- */

static void said(void **state)
{
    IDV_AUTO(buf) r = {0};
    (void)state;
    assert_int_equal(ask("GET", "/kept", "", &r), 200);
    assert_true(has(&r, "Cache-Control: max-age=60\r\n"));
    assert_true(has(&r, "ETag: \"") && has(&r, "\r\n\r\nbytes"));
    assert_false(has(&r, "Last-Modified"));
    assert_int_equal(ask("GET", "/stale/dated", "", &r), 200);
    assert_true(has(&r, "max-age=60, stale-if-error=100\r\n"));
    assert_true(has(&r, "Last-Modified: " DATE "\r\n"));
    assert_int_equal(ask("HEAD", "/dated", "", &r), 200);
    assert_true(has(&r, "ETag: \"") && has(&r, "Content-Length: 5\r\n"));
    assert_false(has(&r, "bytes"));
}

/* of what may not be kept, of a refusal, and of what was posted */
static void not_said(void **state)
{
    static const char *const rows[][2] = {
        {"GET", "/plain"}, {"GET", "/none"}, {"POST", "/dated"}};
    IDV_AUTO(buf) r = {0};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        (void)ask(rows[i][0], rows[i][1],
                  "Content-Length: 0\r\nIf-None-Match: *\r\n"
                  "If-Modified-Since: " DATE "\r\n",
                  &r);
        assert_false(has(&r, "ETag") || has(&r, "Last-Modified"));
        assert_false(has(&r, " 304 "));
    }
}

/* by its bytes, wherever they are */
static void named(void **state)
{
    char a[64], b[64], other[64];
    (void)state;
    tag_of("/kept", a);
    tag_of("/dated", b);
    tag_of("/other", other);
    assert_string_equal(a, b);
    assert_string_not_equal(a, other);
}

/* --- what is there already ------------------------------------------------ */

static void by_tag(void **state)
{
    static const struct {
        const char *before, *after; /* of the tag; after NULL: without */
        int status;
    } rows[] = {
        {"If-None-Match: ", "", 304},
        {"If-None-Match: W/", "", 304},
        {"if-none-match: \"a\", W/\"b,c\" ,\t", "", 304},
        {"If-None-Match: \"x\"\r\nIf-None-Match: ", "", 304},
        {"If-None-Match: *", NULL, 304},
        {"If-None-Match: \"x", "\"", 200},
        {"If-None-Match: \"\"", NULL, 200},
        {"If-None-Match: ", NULL, 200},
        {"If-None-Match: \"", "", 200}, /* "" and no comma */
        {"If-None-Match: x, ", "", 200},
        {"If-None-Match: \"never closed", NULL, 200},
        /* a date does not count beside */
        {"If-None-Match: \"x\"\r\nIf-Modified-Since: " DATE, NULL, 200},
        {"If-Modified-Since: Sat, 08 Sep 2001 01:46:40 GMT\r\n"
         "If-None-Match: ",
         "", 304},
    };
    IDV_AUTO(buf) r = {0};
    char tag[64], more[256];
    (void)state;
    tag_of("/dated", tag);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        snprintf(more, sizeof(more), "%s%s%s\r\n", rows[i].before,
                 rows[i].after ? tag : "", rows[i].after ? rows[i].after : "");
        const int status = ask("GET", "/dated", more, &r);
        if (status != rows[i].status)
            print_error("%s", more);
        assert_int_equal(status, rows[i].status);
    }
}

static void by_date(void **state)
{
    static const struct {
        const char *path, *date;
        int status;
    } rows[] = {
        {"/dated", DATE, 304},
        {"/dated", "Sun, 09 Sep 2001 01:46:41 GMT", 304},
        {"/dated", "Sunday, 09-Sep-01 01:46:40 GMT", 304},
        {"/dated", "Sun Sep  9 01:46:40 2001", 304},
        {"/dated", "Sun, 09 Sep 2001 01:46:39 GMT", 200},
        {"/dated", "yesterday", 200},
        {"/dated", "", 200},
        {"/kept", DATE, 200}, /* nobody knows */
    };
    IDV_AUTO(buf) r = {0};
    char more[128];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        snprintf(more, sizeof(more), "If-Modified-Since: %s\r\n", rows[i].date);
        assert_int_equal(ask("GET", rows[i].path, more, &r), rows[i].status);
    }
}

/* no body, and all that is said of what is there */
static void unchanged(void **state)
{
    IDV_AUTO(buf) r = {0};
    (void)state;
    assert_int_equal(ask("GET", "/stale/dated", "If-None-Match: *\r\n", &r),
                     304);
    assert_true(has(&r, "ETag: \"") && has(&r, "Cache-Control: max-age=60"));
    assert_true(has(&r, "Last-Modified: " DATE) && has(&r, "\r\nDate: "));
    assert_false(has(&r, "bytes") || has(&r, "Content-Type"));
    assert_false(has(&r, "Content-Length: 5"));
    assert_int_equal(ask("HEAD", "/kept", "If-None-Match: *\r\n", &r), 304);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(said),    cmocka_unit_test(not_said),
        cmocka_unit_test(named),   cmocka_unit_test(by_tag),
        cmocka_unit_test(by_date), cmocka_unit_test(unchanged),
    };
    return cmocka_run_group_tests_name("net-kept", tests, begin, end);
}
