/* SPDX-License-Identifier: Apache-2.0 */
/* What a reverse proxy says in a way that is not ours, or that two could read
 * in two ways: nobody is served. */
#include "config.h"

#include "tests/unit/front.h"

/* --- what is no certificate ----------------------------------------------- */

static void refused(const struct nt_server *s, const char *fields,
                    const char *why)
{
    const int before = served, away = turned;
    int status = ask(s, "192.0.2.1", fields);
    if (status != 400 || served != before)
        fail_msg("%d for %.200s", status, fields);
    expect(why);
    assert_int_equal(turned, away + 1);
}

/* format has one %s, or two */
static void refused_with(const struct nt_server *s, const char *format,
                         const char *a, const char *b, const char *why)
{
    size_t room = strlen(format) + 2 * (strlen(a) + strlen(b)) + 1;
    char *text = malloc(room), *to = text;
    const char *with[] = {a, b, a, b};
    size_t k = 0;
    for (; *format; format++) {
        if (*format == '@')
            to += sprintf(to, "%s", with[k++]);
        else
            *to++ = *format;
    }
    *to = 0;
    refused(s, text, why);
    free(text);
}

static void test_broken_rfc9440(void **state)
{
    static const struct {
        const char *format, *why;
    } rows[] = {
        {"Client-Cert: :@:\r\nX-SSL-Client-Cert: x\r\n", "not from this proxy"},
        {"X-SSL-Client-Cert: @\r\n", "not from this proxy"},
        {"Client-Cert: :@:\r\nClient-Cert: :@:\r\n", "more than one"},
        {"Client-Cert: :@:, :@:\r\n", "Client-Cert: "},
        {"Client-Cert: :@@:\r\n", "Client-Cert: "},
        {"Client-Cert:\r\n", "Client-Cert: not :base64:"},
        {"Client-Cert: ::\r\n", "not :base64:"},
        {"Client-Cert: @\r\n", "not :base64:"},
        {"Client-Cert: :@\r\n", "not :base64:"},
        {"Client-Cert: :@:;a=1\r\n", "not :base64:"},
        {"Client-Cert: :@=:\r\n", "Client-Cert: "},
        {"Client-Cert: : @:\r\n", "Client-Cert: "},
        {"Client-Cert: :@:\r\n :@:\r\n", "Client-Cert: "},
        {"Client-Cert: :AAAA:\r\n", "Client-Cert: "},
        {"Client-Cert: :MAA=:\r\n", "Client-Cert: "},
        {"Client-Cert-Chain: :@:\r\n", "without Client-Cert"},
        {"Client-Cert: :@:\r\nClient-Cert-Chain:\r\n", "not :base64:"},
        {"Client-Cert: :@:\r\nClient-Cert-Chain: :@:,\r\n", "not :base64:"},
        {"Client-Cert: :@:\r\nClient-Cert-Chain: x\r\n", "not :base64:"},
        {"Client-Cert: :@:\r\nClient-Cert-Chain: :@:\r\n"
         "Client-Cert-Chain: :@:\r\n",
         "more than one"},
    };
    struct nt_server s = {0};
    (void)state;
    front_start(&s, IDV_FRONT_CLIENT_CERT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        refused_with(&s, rows[i].format, device, other, rows[i].why);
    char *cut = strdup(device);
    cut[strlen(cut) / 8 * 4] = 0; /* whole groups of base64, half of it */
    refused_with(&s, "Client-Cert: :@:\r\n", cut, "", "Client-Cert: ");
    nt_server_stop(&s);
    free(cut);
}

static void test_broken_pem(void **state)
{
    static const struct {
        const char *format, *why;
    } rows[] = {
        {"Client-Cert: x\r\nX-SSL-Client-Cert: @\r\n", "not from this proxy"},
        {"Client-Cert-Chain: x\r\n", "not from this proxy"},
        {"X-SSL-Client-Cert: @\r\nX-SSL-Client-Cert: @\r\n", "more than one"},
        {"X-SSL-Client-Cert: @@\r\n", "X-SSL-Client-Cert: "},
        {"X-SSL-Client-Cert:\r\n", "not one PEM certificate"},
        {"X-SSL-Client-Cert: x@\r\n", "not one PEM certificate"},
        {"X-SSL-Client-Cert: @x\r\n", "not one PEM certificate"},
        {"X-SSL-Client-Cert: @%0A\r\n", "not one PEM certificate"},
        {"X-SSL-Client-Cert: @%00\r\n", "not one PEM certificate"},
        {"X-SSL-Client-Cert: @%\r\n", "broken escape"},
        {"X-SSL-Client-Cert: @%4\r\n", "broken escape"},
        {"X-SSL-Client-Cert: @%xx\r\n", "broken escape"},
        {"X-SSL-Client-Cert: -----BEGIN%20CERTIFICATE-----%0A"
         "-----END%20CERTIFICATE-----%0A\r\n",
         "X-SSL-Client-Cert: "},
        {"X-SSL-Client-Cert: -----BEGIN%20CERTIFICATE-----%0AMAA=%0A"
         "-----END%20CERTIFICATE-----%0A\r\n",
         "X-SSL-Client-Cert: "},
        {"X-SSL-Client-Cert: (null)\r\n", "not one PEM certificate"},
    };
    struct nt_server s = {0};
    (void)state;
    front_start(&s, IDV_FRONT_ESCAPED_PEM);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        refused_with(&s, rows[i].format, device_pem, other_pem, rows[i].why);
    char *cut = strdup(device_pem);
    cut[strlen(cut) / 2] = 0;
    refused_with(&s, "X-SSL-Client-Cert: @\r\n", cut, "", "X-SSL-Client-Cert");
    nt_server_stop(&s);
    free(cut);
}

/* a certificate that is too large, more of them than a chain has, more header
 * than there is room for */
static void test_too_long(void **state)
{
    struct nt_server s = {0};
    IDV_AUTO(buf) text = {.max = IDV_MAX_FILE};
    char *much = malloc(120 * 1024 + 1);
    (void)state;
    memset(much, 'A', 120 * 1024);
    much[120 * 1024] = 0;
    front_start(&s, IDV_FRONT_CLIENT_CERT);
    much[32 * 1024] = 0;
    refused_with(&s, "Client-Cert: :@:\r\n", much, "", "Client-Cert: ");
    much[32 * 1024] = 'A';
    assert_int_equal(idv_buf_putf(&text, "Client-Cert: :%s:\r\n", device),
                     IDV_OK);
    for (int i = 0; i < IDV_MAX_CHAIN; i++)
        assert_int_equal(idv_buf_putf(&text, "%s:%s:",
                                      i ? ", " : "Client-Cert-Chain: ", issuer),
                         IDV_OK);
    assert_int_equal(idv_buf_putf(&text, "\r\n"), IDV_OK);
    refused(&s, (char *)text.p, "more than");
    struct nt_client c;
    const int before = served;
    assert_true(nt_tcp(&c, s.front_port));
    (void)ask_on(&c, "192.0.2.1", ""); /* it is one that works */
    assert_int_equal(served, before + 1);
    assert_true(nt_say(&c, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: "));
    (void)!nt_say(&c, much);
    assert_int_equal(nt_hear(&c, NULL, false), 400);
    assert_int_equal(served, before + 1);
    nt_close(&c);
    nt_server_stop(&s);
    free(much);
}

/* --- framing -------------------------------------------------------------- */

#define INNER "GET /inner HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ::1\r\n\r\n"

/* R-S-13: nothing that two could read in two ways, behind a proxy least */
static void test_smuggling(void **state)
{
    static const char *const texts[] = {
        "Transfer-Encoding: xchunked\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
        "Transfer-Encoding:\r\n chunked, x\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Client Cert: x\r\n\r\n",
        "Host: y\r\n\r\n",
    };
    struct nt_server s = {0};
    (void)state;
    front_start(&s, IDV_FRONT_CLIENT_CERT);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct nt_client c;
        char text[512];
        const int before = served;
        snprintf(text, sizeof(text),
                 "POST / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ::1\r\n%s%s",
                 texts[i], INNER);
        assert_true(nt_tcp(&c, s.front_port));
        assert_true(nt_say(&c, text));
        int status = nt_hear(&c, NULL, false);
        if (status < 400 || status >= 500)
            fail_msg("%d for %s", status, texts[i]);
        assert_int_equal(nt_hear(&c, NULL, false), 0);
        assert_int_equal(served, before);
        nt_close(&c);
    }
    nt_server_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken_rfc9440),
        cmocka_unit_test(test_broken_pem),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_smuggling),
    };
    return cmocka_run_group_tests_name("net-front-broken", tests, front_setup,
                                       front_teardown);
}
