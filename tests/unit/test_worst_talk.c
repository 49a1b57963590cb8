/* SPDX-License-Identifier: Apache-2.0 */
/* A pledge and registrars that say anything but what they should. */
#include "config.h"

#include "tests/unit/worst.h"

#include <sys/resource.h>
#include <sys/wait.h>

/* A join that must come to nothing, and what it took. */
struct outcome {
    idv_rc rc;
    enum idv_trust_state state;
    bool sealed;
    long grown; /* kilobytes of memory at the most, beyond those at first */
    char note[IDV_NOTE_MAX];
};

static struct outcome join_here(struct worst *w)
{
    struct outcome o;
    struct rusage before, after;
    memset(&o, 0, sizeof(o));
    getrusage(RUSAGE_SELF, &before);
    o.rc = worst_join(w);
    getrusage(RUSAGE_SELF, &after);
    o.state = fakedev_state(&w->dev);
    o.sealed = w->dev.anchor.found;
    o.grown = after.ru_maxrss - before.ru_maxrss;
    memcpy(o.note, w->note, sizeof(o.note));
    return o;
}

/* in a process of its own, so that its memory can be told; there the port of
 * the other end is not open */
static struct outcome join_apart(struct worst *w, int listener)
{
    struct outcome o;
    int news[2], status = 0;
    if (SANITIZED)
        return join_here(w);
    assert_int_equal(pipe(news), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(listener);
        o = join_here(w);
        _exit(write(news[1], &o, sizeof(o)) != sizeof(o));
    }
    close(news[1]);
    assert_int_equal(read(news[0], &o, sizeof(o)), sizeof(o));
    close(news[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return o;
}

/* joins, with this at the other end */
static struct outcome against(struct worst *w, struct nt_raw *r,
                              const struct nt_step *steps)
{
    nt_raw_start(r, &pki.registrar, pki.tls_chain, steps);
    worst_to(w, r->port);
    struct outcome o = join_apart(w, r->listener);
    struct nt_client nobody;
    nt_tcp(&nobody, r->port); /* should it wait for another one */
    nt_close(&nobody);
    nt_raw_stop(r);
    assert_int_equal(o.state, IDV_TRUST_NONE);
    assert_false(o.sealed);
    assert_true(o.note[0]);
    if (o.grown > MOST_KB)
        fail_msg("%ld KiB: %s", o.grown, o.note);
    return o;
}

/* The same answer to each voucher-request: begin, then times more. A lost
 * connection is made once again, so there are two. */
static int patience_s = 20;

static struct outcome answered(const char *begin, const char *more, int times)
{
    const struct nt_step steps[] = {
        {.what = NT_ACCEPT},
        {.what = NT_READ},
        {.what = NT_SEND, .text = begin},
        {.what = NT_FILL, .text = more, .count = times},
        {.what = NT_ACCEPT},
        {.what = NT_LEAVE},
        {.what = NT_READ},
        {.what = NT_SEND, .text = begin},
        {.what = NT_FILL, .text = more, .count = times},
        {.what = NT_BYE},
        {.what = NT_END}};
    struct nt_raw r = {0};
    WORST_DEVICE(w);
    w.conf.exchange_s = patience_s;
    struct outcome o = against(&w, &r, steps);
    nt_raw_free(&r);
    return o;
}

static void named(idv_rc rc, const char *note, struct outcome o)
{
    if (o.rc != rc || !strstr(o.note, note))
        fail_msg("%s, not '%s': %s", idv_rc_name(o.rc), note, o.note);
}

#define HTTP "HTTP/1.1 200 OK\r\n"
#define VOUCHER "Content-Type: application/voucher-cms+json\r\n"

/* R-P-18, R-P-50: each is refused by its own name, and nothing is left of it */
static void nonsense(void **state)
{
    static const struct {
        const char *text;
        idv_rc rc;
        const char *note;
    } rows[] = {
        {"\x16\x03\x01\x02", IDV_E_FORMAT, "not HTTP"},
        {"SSH-2.0-OpenSSH_9.2\r\n", IDV_E_FORMAT, "not HTTP"},
        {"<html>It works!</html>\r\n\r\n", IDV_E_FORMAT, "not HTTP"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", IDV_E_FORMAT, "not HTTP"},
        {"HTTP/1.1 999 \r\nContent-Length: 0\r\n\r\n", IDV_E_NET, "999"},
        {HTTP "Content-Length: 0\r\n\r\n", IDV_E_REJECT, "media type"},
        {HTTP VOUCHER "Content-Length: 0\r\n\r\n", IDV_E_REJECT, "CMS"},
        {HTTP "Content-Type: text/html\r\nContent-Length: 2\r\n\r\nok",
         IDV_E_REJECT, "media type"},
        {HTTP VOUCHER VOUCHER "Content-Length: 2\r\n\r\nok", IDV_E_REJECT,
         "CMS"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        named(rows[i].rc, rows[i].note, answered(rows[i].text, "", 0));
}

/* R-P-18: lengths that contradict each other, or nothing that is there */
static void lengths(void **state)
{
    static const struct {
        const char *text;
        idv_rc rc;
        const char *note;
    } rows[] = {
        {"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", IDV_E_FORMAT,
         "another Content-Length"},
        {"Content-Length: -1\r\n\r\nok", IDV_E_FORMAT, "Content-Length"},
        {"Content-Length: 18446744073709551618\r\n\r\nok", IDV_E_FORMAT,
         "not a number"},
        {"Content-Length: 0x2\r\n\r\nok", IDV_E_FORMAT, "not a number"},
        {"Content-Length: 9\r\n\r\nok", IDV_E_NET, "cut short"},
        {"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n5\r\nhel",
         IDV_E_NET, "cut short"},
        {"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\nok",
         IDV_E_NET, "hexadecimal"},
        {"Transfer-Encoding: chunked\r\n\r\n-2\r\nok\r\n", IDV_E_NET,
         "hexadecimal"},
        {"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n", IDV_E_NET,
         "Encoding"},
        {"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x01",
         IDV_E_REJECT, "CMS"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[512];
        snprintf(text, sizeof(text), "%s%s", HTTP VOUCHER, rows[i].text);
        named(rows[i].rc, rows[i].note, answered(text, "", 0));
    }
}

/* R-P-94: gigabytes of whatever may come without end; memory is bounded */
static void gigabytes(void **state)
{
    static char part[16001], line[16001];
    static const struct {
        const char *begin, *more;
        idv_rc rc;
        const char *note;
    } rows[] = {
        {HTTP VOUCHER "\r\n", part, IDV_E_LIMIT, "body over"},
        {HTTP VOUCHER "Content-Length: 4294967296\r\n\r\n", part, IDV_E_LIMIT,
         "body over"},
        {HTTP VOUCHER "Transfer-Encoding: chunked\r\n\r\n3e78\r\n", line,
         IDV_E_LIMIT, "body over"},
        {HTTP VOUCHER "Transfer-Encoding: chunked\r\n\r\n1;", part,
         IDV_E_TIMEOUT, "no answer within 2 s"},
        {HTTP VOUCHER "Transfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n",
         IDV_E_LIMIT, "header over"},
        {HTTP, "X: 0123456789abcdef0123456789abcdef0123456789abcdef\r\n",
         IDV_E_LIMIT, "header over"},
        {HTTP "X: ", part, IDV_E_LIMIT, "too long"},
        {"HTTP/1.1 200 ", part, IDV_E_LIMIT, "too long"},
        {part, part, IDV_E_FORMAT, "not HTTP"},
        {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
         IDV_E_LIMIT, "header over"},
        {"HTTP/1.1 103 Early\r\n\r\n",
         "HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n", IDV_E_LIMIT, "header over"},
        {"\r\n", "\r\n\r\n\r\n\r\n", IDV_E_FORMAT, "not HTTP"},
    };
    (void)state;
    memset(part, '0', sizeof(part) - 1);
    memset(line, '0', sizeof(line) - 1);
    memcpy(line + 16000 - 8, "\r\n3e78\r\n", 8); /* goes on at each turn */
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        /* an extension of a chunk is skipped: time alone ends it */
        patience_s = rows[i].rc == IDV_E_TIMEOUT ? 2 : 20;
        named(rows[i].rc, rows[i].note,
              answered(rows[i].begin, rows[i].more, 1 << 17));
    }
    patience_s = 20;
}

/* R-P-19, R-S-24: who asks for a password gets none, and no second request */
static void passwords(void **state)
{
    static const char *const ways[] = {
        "Basic realm=\"enrol\"",
        "Digest realm=\"r\", nonce=\"0\", qop=\"auth\"",
        "Negotiate",
        "NTLM",
        "Bearer",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "HTTP/1.1 %d Who\r\n%s-Authenticate: %s\r\n"
                 "Content-Length: 0\r\n\r\n",
                 i % 2 ? 407 : 401, i % 2 ? "Proxy" : "WWW", ways[i]);
        const struct nt_step steps[] = {
            {.what = NT_ACCEPT}, {.what = NT_LEAVE},
            {.what = NT_READ},   {.what = NT_SEND, .text = text},
            {.what = NT_HANG},   {.what = NT_END}};
        struct nt_raw r = {0};
        WORST_DEVICE(w);
        named(IDV_E_REJECT, i % 2 ? "407" : "401", against(&w, &r, steps));
        const char *heard = (const char *)r.heard.p;
        assert_null(strcasestr(heard, "Authorization"));
        assert_null(strstr(strstr(heard, "POST ") + 1, "POST "));
        nt_raw_free(&r);
    }
}

/* R-P-28: what forms of vouchers will do is said to whom one is asked of */
static void what_is_accepted(void **state)
{
    static const struct nt_step steps[] = {{.what = NT_ACCEPT},
                                           {.what = NT_LEAVE},
                                           {.what = NT_READ},
                                           {.what = NT_BYE},
                                           {.what = NT_END}};
    struct nt_raw r = {0};
    WORST_DEVICE(w);
    (void)state;
    against(&w, &r, steps);
    assert_non_null(strstr((const char *)r.heard.p,
                           "\r\nAccept: application/voucher-cms+json"));
    nt_raw_free(&r);
}

/* R-P-15: a registrar whose best is TLS 1.1 hears not one byte of a request */
static void old_tls(void **state)
{
    static const struct nt_step steps[] = {{.what = NT_ACCEPT},
                                           {.what = NT_LEAVE},
                                           {.what = NT_READ},
                                           {.what = NT_END}};
    static const int versions[] = {TLS1_2_VERSION, TLS1_1_VERSION,
                                   TLS1_VERSION};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct nt_raw r = {.max_version = versions[i], .weak = true};
        WORST_DEVICE(w);
        against(&w, &r, steps);
        assert_int_equal(r.heard.n > 0, i == 0);
        nt_raw_free(&r);
    }
}

/* no other certificate may come in the middle of a connection */
static void renegotiation(void **state)
{
    static const struct nt_step steps[] = {{.what = NT_ACCEPT},
                                           {.what = NT_LEAVE},
                                           {.what = NT_READ},
                                           {.what = NT_AGAIN},
                                           {.what = NT_SEND, .text = HTTP},
                                           {.what = NT_BYE},
                                           {.what = NT_END}};
    struct nt_raw r = {.max_version = TLS1_2_VERSION};
    WORST_DEVICE(w);
    (void)state;
    against(&w, &r, steps);
    assert_int_equal(r.accepted, 1);
    assert_false(r.again);
    nt_raw_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonsense),         cmocka_unit_test(lengths),
        cmocka_unit_test(gigabytes),        cmocka_unit_test(passwords),
        cmocka_unit_test(what_is_accepted), cmocka_unit_test(old_tls),
        cmocka_unit_test(renegotiation),
    };
    return cmocka_run_group_tests_name("worst-talk", tests, worst_setup,
                                       worst_teardown);
}
