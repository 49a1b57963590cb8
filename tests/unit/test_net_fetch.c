/* SPDX-License-Identifier: Apache-2.0 */
/* Documents from servers that are not ours: what bounds them. */
#include "codec.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <idevid/limits.h>

#include "net/fetch.h"

/* --- a server that answers by the path ------------------------------------ */

static struct {
    int listening;
    unsigned port, served;
    pthread_t thread;
} t;

static void say(int fd, const char *text)
{
    const size_t n = strlen(text);
    assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
}

static void send_10_mb(int fd, bool announced)
{
    static uint8_t zeros[64 * 1024];
    say(fd, announced ? "HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n"
                      : "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 160; i++) {
        if (send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) <= 0)
            return;
    }
}

static void wait_for_end(int fd)
{
    char c;
    while (recv(fd, &c, 1, 0) > 0)
        ;
}

static void redirect(int fd, const char *to)
{
    char text[256];
    snprintf(text, sizeof(text),
             "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n"
             "Connection: close\r\n\r\n",
             to);
    say(fd, text);
}

static void answer(int fd, const char *request)
{
    static const struct {
        const char *path, *text;
    } row[] = {
        {"/good ", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"},
        {"/none ", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"},
        {"/204 ", "HTTP/1.1 204 No Content\r\n\r\n"},
        {"/short ", "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nbody"},
        {"/odd ", "220 smtp.example.org ESMTP\r\n"},
        {"/empty ", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}};
    const char *path = request + 4; /* behind "GET " */
    t.served++;
    for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
        if (strncmp(path, row[i].path, strlen(row[i].path)) == 0)
            say(fd, row[i].text);
    }
    if (strncmp(path, "/long ", 6) == 0 || strncmp(path, "/told ", 6) == 0)
        send_10_mb(fd, path[1] == 't');
    if (strncmp(path, "/hang ", 6) == 0)
        wait_for_end(fd);
    if (strncmp(path, "/once ", 6) == 0)
        redirect(fd, "/good");
    if (strncmp(path, "/loop ", 6) == 0)
        redirect(fd, "/loop");
    if (strncmp(path, "/file ", 6) == 0)
        redirect(fd, "file:///etc/passwd");
}

static void *serve(void *arg)
{
    (void)arg;
    for (;;) {
        char request[4096];
        const int fd = accept(t.listening, NULL, NULL);
        if (fd < 0)
            return NULL;
        const ssize_t n = recv(fd, request, sizeof(request) - 1, 0);
        if (n > 4) {
            request[n] = 0;
            answer(fd, request);
        }
        close(fd);
    }
}

static int setup(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    (void)state;
    t.listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(t.listening >= 0);
    assert_int_equal(bind(t.listening, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(t.listening, 8), 0);
    assert_int_equal(getsockname(t.listening, (struct sockaddr *)&a, &n), 0);
    t.port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&t.thread, NULL, serve, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    shutdown(t.listening, SHUT_RDWR);
    pthread_join(t.thread, NULL);
    close(t.listening);
    return 0;
}

static idv_rc get(const char *path, int timeout_ms, struct idv_buf *out)
{
    char url[128];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", t.port, path);
    return idv_fetch(&(struct idv_fetch){.url = url,
                                         .insecure_http = true,
                                         .max = 1000,
                                         .timeout_ms = timeout_ms},
                     out);
}

/* --- what is fetched ------------------------------------------------------ */

static void whole(void **state)
{
    (void)state;
    IDV_AUTO(buf) out = {0};
    OK(idv_buf_puts(&out, "some"));
    OK(get("/good", 0, &out));
    assert_string_equal((char *)out.p, "somebody");
    OK(get("/once", 0, &out));
    assert_string_equal((char *)out.p, "somebodybody");
    OK(get("/empty", 0, &out));
    assert_int_equal(out.n, 12);
}

/* Environments of a line are full of proxies. */
static void nothing_from_the_environment(void **state)
{
    (void)state;
    IDV_AUTO(buf) out = {0};
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    OK(get("/good", 0, &out));
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

static void statuses(void **state)
{
    (void)state;
    IDV_AUTO(buf) out = {0};
    FAILS(IDV_E_REJECT, "404 (it has none)", get("/none", 0, &out));
    FAILS(IDV_E_REJECT, "204", get("/204", 0, &out));
    assert_int_equal(out.n, 0);
}

static void bounded(void **state)
{
    (void)state;
    IDV_AUTO(buf) out = {0};
    FAILS(IDV_E_LIMIT, "more than 1000 bytes", get("/long", 0, &out));
    FAILS(IDV_E_LIMIT, "more than 1000 bytes", get("/told", 0, &out));
    FAILS(IDV_E_TIMEOUT, "no answer in time", get("/hang", 200, &out));
    FAILS(IDV_E_NET, "cut short", get("/short", 0, &out));
    FAILS(IDV_E_FORMAT, "not HTTP", get("/odd", 0, &out));
    assert_int_equal(out.n, 0);
}

static void redirections(void **state)
{
    (void)state;
    IDV_AUTO(buf) out = {0};
    const unsigned before = t.served;
    FAILS(IDV_E_NET, "redirections", get("/loop", 0, &out));
    assert_int_equal(t.served - before, 4);
    FAILS(IDV_E_REJECT, "another protocol", get("/file", 0, &out));
    assert_int_equal(out.n, 0);
}

static idv_rc plainly(const char *url, bool insecure, struct idv_buf *out)
{
    return idv_fetch(&(struct idv_fetch){.url = url, .insecure_http = insecure},
                     out);
}

static void only_https(void **state)
{
    (void)state;
    char url[64];
    IDV_AUTO(buf) out = {0};
    const unsigned before = t.served;
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/good", t.port);
    FAILS(IDV_E_ARG, "only https:", plainly(url, false, &out));
    FAILS(IDV_E_ARG, "no https: URL", plainly("file:///dev/null", true, &out));
    FAILS(IDV_E_ARG, "no https: URL", plainly("127.0.0.1/x", true, &out));
    FAILS(IDV_E_ARG, "no https: URL", plainly("", true, &out));
    assert_int_equal(t.served, before);
}

static void anchors_that_are_none(void **state)
{
    (void)state;
    char url[64];
    IDV_AUTO(buf) out = {0};
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/good", t.port);
    const struct idv_fetch what = {.url = url, .anchors = "/dev/null"};
    FAILS(IDV_E_ARG, "/dev/null", idv_fetch(&what, &out));
}

/* R-M-5: where somebody else says the URL, and it leads to us */
static void public_only(void **state)
{
    static const struct {
        const char *text;
        bool is;
    } rows[] = {
        {"127.0.0.1", false},      {"10.1.2.3", false},
        {"172.16.0.1", false},     {"172.32.0.1", true},
        {"192.168.1.1", false},    {"169.254.169.254", false},
        {"100.64.0.1", false},     {"0.0.0.0", false},
        {"224.0.0.1", false},      {"255.255.255.255", false},
        {"8.8.8.8", true},         {"::1", false},
        {"fe80::1", false},        {"fd00::1", false},
        {"::ffff:8.8.8.8", false}, {"64:ff9b::a00:1", false},
        {"2002:a00:1::1", false},  {"2001::1", false},
        {"2606:4700::1", true},
    };
    char url[64];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct sockaddr_in six_is_not = {.sin_family = AF_INET};
        struct sockaddr_in6 six = {.sin6_family = AF_INET6};
        const bool v4 =
            inet_pton(AF_INET, rows[i].text, &six_is_not.sin_addr) == 1;
        assert_true(v4 ||
                    inet_pton(AF_INET6, rows[i].text, &six.sin6_addr) == 1);
        const struct sockaddr *a =
            v4 ? (const void *)&six_is_not : (const void *)&six;
        assert_true(idvi_fetch_public(a) == rows[i].is);
    }
    IDV_AUTO(buf) out = {0};
    const unsigned before = t.served;
    snprintf(url, sizeof(url), "http://localhost:%u/ok", t.port);
    const struct idv_fetch what = {
        .url = url, .insecure_http = true, .public_only = true};
    FAILS(IDV_E_NET, "not public", idv_fetch(&what, &out));
    assert_int_equal(t.served, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(nothing_from_the_environment),
        cmocka_unit_test(statuses),
        cmocka_unit_test(bounded),
        cmocka_unit_test(redirections),
        cmocka_unit_test(only_https),
        cmocka_unit_test(public_only),
        cmocka_unit_test(anchors_that_are_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
