/* SPDX-License-Identifier: Apache-2.0 */
/* A reverse proxy in front: what it says is believed of it alone, and of each
 * request alone. */
#include "config.h"

#include <grp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/front.h"

/* --- one connection of the proxy, many clients ---------------------------- */

static char *field(const char *format, const char *a, const char *b)
{
    char *out = NULL;
    if (strcmp(format, "chain") == 0)
        assert_true(asprintf(&out,
                             "Client-Cert: :%s:\r\n"
                             "Client-Cert-Chain: :%s:\r\n",
                             a, b) > 0);
    else if (strcmp(format, "rfc") == 0)
        assert_true(asprintf(&out, "client-cert: :%s:\r\n", a) > 0);
    else
        assert_true(asprintf(&out, "X-SSL-Client-Cert: %s\r\n", a) > 0);
    return out;
}

/* R-R-6: who asks is judged for each request, not for the connection */
static void test_each_request(void **state)
{
    static const struct {
        enum idv_front_form form;
        const char *format;
    } forms[] = {{IDV_FRONT_CLIENT_CERT, "rfc"},
                 {IDV_FRONT_ESCAPED_PEM, "pem"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct nt_server s = {0};
        struct nt_client c;
        bool pem = forms[i].form == IDV_FRONT_ESCAPED_PEM;
        char *one = field(forms[i].format, pem ? device_pem : device, NULL);
        char *two = field(forms[i].format, pem ? other_pem : other, NULL);
        front_start(&s, forms[i].form);
        assert_true(nt_tcp(&c, s.front_port));
        for (int round = 0; round < 2; round++) {
            assert_int_equal(ask_on(&c, "192.0.2.1", one), 200);
            expect("\r\n\r\n192.0.2.1 0 1 1 ");
            expect(idv_cert_subject(pki.idevid.cert));
            assert_int_equal(ask_on(&c, "2001:db8::2", two), 200);
            expect("\r\n\r\n2001:db8::2 0 1 1 ");
            expect(idv_cert_subject(pki.registrar.cert));
            assert_int_equal(ask_on(&c, "192.0.2.3", ""), 200);
            expect("\r\n\r\n192.0.2.3 0 1 0 nobody");
        }
        nt_close(&c);
        nt_server_stop(&s);
        free(one);
        free(two);
    }
}

static void test_chain(void **state)
{
    struct nt_server s = {0};
    char *both = field("chain", device, issuer);
    (void)state;
    front_start(&s, IDV_FRONT_CLIENT_CERT);
    assert_int_equal(ask(&s, "192.0.2.1", both), 200);
    expect("192.0.2.1 0 1 2 ");
    nt_server_stop(&s);
    free(both);
}

/* the last of them is what the proxy added; the rest anybody may have sent */
static void test_address(void **state)
{
    static const struct {
        const char *from, *more, *want;
    } rows[] = {
        {"198.51.100.7, 203.0.113.9, 192.0.2.1", "", "\r\n\r\n192.0.2.1 "},
        {"203.0.113.9", "X-Forwarded-For: 192.0.2.7\r\n", "\r\n\r\n192.0.2.7 "},
        {"nonsense,::1", "", "\r\n\r\n::1 "},
        {NULL, "", NULL},
        {"", "", NULL},
        {"192.0.2.1,", "", NULL},
        {"192.0.2.1:443", "", NULL},
        {"[::1]", "", NULL},
        {"localhost", "", NULL},
        {"192.0.2.1 192.0.2.2", "", NULL},
        {"192.0.2.1", "\t192.0.2.2\r\n", NULL}, /* a folded line */
        {"1111111111222222222233333333334444444444555555555566666666667777", "",
         NULL},
    };
    struct nt_server s = {0};
    (void)state;
    front_start(&s, IDV_FRONT_CLIENT_CERT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int before = served;
        assert_int_equal(ask(&s, rows[i].from, rows[i].more),
                         rows[i].want ? 200 : 400);
        assert_int_equal(served, before + (rows[i].want != NULL));
        expect(rows[i].want ? rows[i].want : "X-Forwarded-For");
    }
    nt_server_stop(&s);
}

/* one behind the other, each with its own words */
static void test_pipelined(void **state)
{
    struct nt_server s = {0};
    struct nt_client c;
    IDV_AUTO(buf) text = {.max = IDV_MAX_FILE};
    (void)state;
    front_start(&s, IDV_FRONT_CLIENT_CERT);
    assert_int_equal(
        idv_buf_putf(&text,
                     "GET /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ::1\r\n"
                     "Client-Cert: :%s:\r\n\r\n"
                     "GET /b HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ::2\r\n"
                     "\r\n"
                     "GET /c HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ::3\r\n"
                     "Client-Cert: :%s:\r\n\r\n",
                     device, other),
        IDV_OK);
    assert_true(nt_tcp(&c, s.front_port));
    assert_true(nt_say(&c, (char *)text.p));
    static const char *const want[] = {
        "\r\n\r\n::1 0 1 1 ", "\r\n\r\n::2 0 1 0 nobody", "\r\n\r\n::3 0 1 1 "};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(nt_hear(&c, &said, false), 200);
        assert_int_equal(idv_buf_put(&said, idv_bytes("", 1)), IDV_OK);
        expect(want[i]);
    }
    expect(idv_cert_subject(pki.registrar.cert));
    nt_close(&c);
    nt_server_stop(&s);
}

/* --- who is no proxy ------------------------------------------------------ */

static bool is_heard(const char *const *proxies)
{
    struct nt_server s = {.conf.front.proxies = proxies};
    struct nt_client c;
    logged[0] = 0;
    front_start(&s, IDV_FRONT_CLIENT_CERT);
    assert_true(nt_tcp(&c, s.front_port));
    const int before = served;
    int status = ask_on(&c, "192.0.2.1", "");
    nt_close(&c);
    nt_server_stop(&s);
    if (status == 200)
        return true;
    assert_true(status == 0 || status == 403);
    assert_int_equal(served, before);
    if (!strstr(logged, "front-refused peer=127.0.0.1"))
        fail_msg("%s: %d, %s", proxies[0], status, logged);
    return false;
}

static void test_networks(void **state)
{
    static const struct {
        const char *net;
        bool heard;
    } rows[] = {
        {"127.0.0.1", true},
        {"127.0.0.0/8", true},
        {"127.0.0.1/32", true},
        {"0.0.0.0/0", true},
        {"127.0.0.0/31", true},
        {"::ffff:127.0.0.1", true},
        {"::ffff:127.0.0.0/104", true},
        {"::/0", true},
        {"127.0.0.2/31", false},
        {"127.0.0.2", false},
        {"126.0.0.0/8", false},
        {"128.0.0.0/1", false},
        {"::1", false},
        {"2001:db8::/32", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *const one[] = {rows[i].net, NULL};
        const char *const two[] = {"192.0.2.0/24", rows[i].net, NULL};
        if (is_heard(one) != rows[i].heard || is_heard(two) != rows[i].heard)
            fail_msg("%s", rows[i].net);
    }
}

static void test_check(void **state)
{
    static const struct {
        const char *listen, *proxy, *note;
    } rows[] = {
        {"127.0.0.1:0", NULL, "on 127.0.0.1:0 no proxy is trusted"},
        {"unix:here", NULL, "'unix:here' is not unix:/PATH"},
        {"127.0.0.1:0", "localhost", "'localhost' is not an address"},
        {"127.0.0.1:0", "127.0.0.1/33", "network"},
        {"127.0.0.1:0", "::1/129", "network"},
        {"127.0.0.1:0", "127.0.0.1/", "network"},
        {"127.0.0.1:0", "127.0.0.1/-1", "network"},
        {"127.0.0.1:0", "/8", "'/8' is not an address"},
        {"127.0.0.1:0", "127.0.0.256", "is not an address"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *const listen[] = {rows[i].listen, NULL};
        const char *const proxies[] = {rows[i].proxy, NULL};
        struct idv_server_front f = {.listen = listen, .proxies = proxies};
        idv_note_clear();
        assert_int_equal(idv_server_front_check(&f), IDV_E_ARG);
        if (!strstr(idv_note(), rows[i].note))
            fail_msg("%s", idv_note());
    }
    idv_note_clear();
}

/* R-R-6: with a TLS connection of one's own such a field means nothing */
static void test_client_says_so(void **state)
{
    struct nt_server s = {0};
    struct nt_client c;
    char *rfc = field("rfc", device, NULL);
    (void)state;
    front_start(&s, IDV_FRONT_CLIENT_CERT);
    logged[0] = 0;
    assert_true(nt_connect(&c, s.port, NULL));
    assert_int_equal(ask_on(&c, "192.0.2.1", rfc), 200);
    expect("\r\n\r\n127.0.0.1 32 0 0 nobody");
    nt_close(&c);
    assert_non_null(
        strstr(logged, "front-ignored peer=127.0.0.1 field=Client-Cert"));
    assert_true(nt_connect(&c, s.port, &pki.rogue_idevid));
    assert_int_equal(ask_on(&c, "192.0.2.1", rfc), 200);
    expect("\r\n\r\n127.0.0.1 32 0 1 ");
    expect(idv_cert_subject(pki.rogue_idevid.cert));
    nt_close(&c);
    /* nor is plain HTTP heard there */
    assert_true(nt_tcp(&c, s.port));
    assert_int_equal(ask_on(&c, "192.0.2.1", rfc), 0);
    nt_close(&c);
    nt_server_stop(&s);
    free(rfc);
}

/* the status of one request on a unix socket as that user */
static int asks_as(const char *path, uid_t uid, gid_t gid)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct nt_client c;
        if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
            setresuid(uid, uid, uid) != 0 || !nt_unix(&c, path))
            _exit(1);
        _exit(ask_on(&c, "192.0.2.1", "") / 10);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_unix(void **state)
{
    char dir[] = "/tmp/idevid-front.XXXXXX", where[64];
    const char *const listen[] = {where, NULL};
    const char *const none[] = {NULL};
    struct nt_server s = {
        .conf = {.listen = none, .front = {.listen = listen, .gid = 54321}}};
    struct nt_client c;
    struct stat st;
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    snprintf(where, sizeof(where), "unix:%s/front", dir);
    if (geteuid() != 0)
        s.conf.front.gid = 0;
    front_start(&s, IDV_FRONT_CLIENT_CERT);
    assert_true(nt_unix(&c, where + 5));
    assert_int_equal(ask_on(&c, "192.0.2.1", ""), 200);
    nt_close(&c);
    if (geteuid() == 0) {
        assert_int_equal(stat(where + 5, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0660);
        assert_int_equal(asks_as(where + 5, 65534, 54321), 20);
        assert_int_equal(asks_as(where + 5, 65534, 65534), 1);
        assert_int_equal(chmod(where + 5, 0666), 0); /* not by mode alone */
        assert_int_equal(asks_as(where + 5, 65534, 65534), 40);
    }
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
    assert_int_equal(access(where + 5, F_OK), -1);
    rmdir(dir);
}

/* --- limits --------------------------------------------------------------- */

static int deaf = -1; /* listens, and that is all */

static void deaf_begins(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    deaf = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(deaf, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(deaf, 8), 0);
    assert_int_equal(getsockname(deaf, (struct sockaddr *)&a, &n), 0);
    deaf_port = ntohs(a.sin_port);
}

/* somebody of that address whose request is being served */
static int at_work(struct nt_client *c, const struct nt_server *s,
                   const char *from)
{
    char text[128];
    snprintf(text, sizeof(text),
             "GET /wait HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\n\r\n",
             from);
    assert_true(nt_tcp(c, s->front_port));
    assert_true(nt_say(c, text));
    int fd = accept(deaf, NULL, NULL);
    assert_true(fd >= 0);
    return fd;
}

/* R-S-13: of the address that the proxy says, not of the proxy's */
static void test_of_one_address(void **state)
{
    struct nt_server s = {.conf.max_per_address = 2};
    struct nt_client a, b;
    (void)state;
    deaf_begins();
    front_start(&s, IDV_FRONT_CLIENT_CERT);
    int one = at_work(&a, &s, "192.0.2.1"), two = at_work(&b, &s, "192.0.2.1");
    assert_int_equal(ask(&s, "192.0.2.1", ""), 429);
    expect("Retry-After: 1\r\n");
    assert_int_equal(ask(&s, "192.0.2.2", ""), 200);
    close(one);
    assert_int_equal(nt_hear(&a, NULL, false), 502);
    assert_int_equal(ask(&s, "192.0.2.1", ""), 200);
    close(two);
    assert_int_equal(nt_hear(&b, NULL, false), 502);
    nt_close(&a);
    nt_close(&b);
    nt_server_stop(&s);
    close(deaf);
}

/* R-R-67: of one certificate, by whatever address */
static void test_of_one_certificate(void **state)
{
    struct nt_server s = {.conf.max_per_minute = 2};
    char *one = field("rfc", device, NULL), *two = field("rfc", other, NULL);
    int status = 0;
    (void)state;
    front_start(&s, IDV_FRONT_CLIENT_CERT);
    for (int i = 0; i < 5 && status != 429; i++) /* (a minute may end) */
        status = ask(&s, i & 1 ? "192.0.2.1" : "192.0.2.2", one);
    assert_int_equal(status, 429);
    assert_int_equal(ask(&s, "192.0.2.1", two), 200);
    nt_server_stop(&s);
    free(one);
    free(two);
}

/* what is in progress is answered before it ends */
static void test_stop_while_serving(void **state)
{
    struct nt_server s = {.conf.drain_s = NT_LIMIT_S};
    struct nt_client c, idle;
    (void)state;
    deaf_begins();
    front_start(&s, IDV_FRONT_CLIENT_CERT);
    assert_true(nt_connect(&idle, s.port, NULL));
    assert_int_equal(ask_on(&idle, NULL, ""), 200);
    int fd = at_work(&c, &s, "192.0.2.1");
    close(s.stop[1]);
    s.stop[1] = dup(0);
    assert_true(nt_ended(&idle)); /* it is stopping */
    nt_close(&idle);
    close(fd);
    assert_int_equal(nt_hear(&c, &said, false), 502);
    assert_int_equal(idv_buf_put(&said, idv_bytes("", 1)), IDV_OK);
    expect("Connection: close\r\n");
    nt_close(&c);
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
    close(deaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_request),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_client_says_so),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_of_one_address),
        cmocka_unit_test(test_of_one_certificate),
        cmocka_unit_test(test_stop_while_serving),
    };
    return cmocka_run_group_tests_name("net-front", tests, front_setup,
                                       front_teardown);
}
