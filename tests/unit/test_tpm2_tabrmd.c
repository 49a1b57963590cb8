/* SPDX-License-Identifier: Apache-2.0 */
/* The way to tpm2-abrmd, with a bus and a manager that say anything. */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <tss2/tss2_tpm2_types.h>

#include "provider/device/tpm2_tcti_bus.h"
#include "provider/device/tpm2_tcti_tabrmd.h"
#include "tests/lib/hwk_test.h"

static int listening;
static char address[64];

/* --- a bus --- */

struct script {
    const char *ok, *agree; /* answers to who asks to be let in */
    uint8_t answer[256];    /* to all that is called */
    size_t n;
    unsigned fds; /* how many come with it */
    int manager;  /* the other end of the first of them */
    pthread_t self;
};

static size_t text_field(uint8_t *p, uint8_t code, char type, const char *text)
{
    uint32_t n = (uint32_t)strlen(text);
    p[0] = code;
    p[1] = 1;
    p[2] = (uint8_t)type;
    memcpy(p + 4, &n, 4);
    memcpy(p + 8, text, n);
    return (8 + n + 1 + 7) & ~7u;
}

/* appends a message of that type in answer to serial; name is an error's */
static void say(struct script *s, uint8_t type, uint32_t serial,
                const char *name)
{
    const uint16_t one = 1;
    uint8_t *m = s->answer + s->n, *p = m + 16;
    uint32_t size, body = 8;
    m[0] = *(const uint8_t *)&one ? 'l' : 'B';
    m[1] = type;
    m[3] = 1;
    memcpy(m + 4, &body, 4);
    p += text_field(p, 7, 's', ":1.0");
    memcpy(p, (const uint8_t[]){8, 1, 'g', 0, 1, 't', 0, 0}, 8);
    p += 8;
    memcpy(p, (const uint8_t[]){5, 1, 'u', 0}, 4);
    memcpy(p + 4, &serial, 4);
    p += 8;
    if (name)
        p += text_field(p, 4, 's', name);
    size = (uint32_t)(p - m - 16);
    memcpy(m + 12, &size, 4);
    s->n += 16 + size + body;
}

static void reset(struct script *s)
{
    *s = (struct script){.ok = "OK 0123456789abcdef\r\n",
                         .agree = "AGREE_UNIX_FD\r\n",
                         .fds = 1,
                         .manager = -1};
    say(s, 2, 1, NULL); /* to Hello */
    say(s, 4, 7, NULL); /* a signal */
    say(s, 2, 2, NULL);
}

static void read_line(int fd)
{
    char c = 0;
    while (c != '\n' && read(fd, &c, 1) == 1)
        continue;
}

static void send_answer(int fd, const struct script *s, const int *fds)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(3 * sizeof(int))];
    } control = {.room = {0}};
    struct iovec v = {(uint8_t *)(uintptr_t)s->answer, s->n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    if (s->fds) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(s->fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(s->fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, s->fds * sizeof(int));
    }
    if (s->n)
        (void)!sendmsg(fd, &m, MSG_NOSIGNAL);
}

static void *bus(void *arg)
{
    struct script *s = arg;
    int fd = accept(listening, NULL, NULL), pair[2];
    (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    const int fds[3] = {pair[0], pair[0], pair[0]};
    read_line(fd);
    (void)!send(fd, s->ok, strlen(s->ok), MSG_NOSIGNAL);
    read_line(fd);
    (void)!send(fd, s->agree, strlen(s->agree), MSG_NOSIGNAL);
    read_line(fd); /* BEGIN */
    send_answer(fd, s, fds);
    shutdown(fd, SHUT_WR);
    for (char buf[64]; read(fd, buf, sizeof(buf)) > 0;)
        continue;
    close(fd);
    close(pair[0]);
    s->manager = pair[1];
    return NULL;
}

static int ask(struct script *s)
{
    static const struct hwk_bus_call call = {true, "a.b", "/a/b", "a.b.C", "D"};
    assert_int_equal(pthread_create(&s->self, NULL, bus, s), 0);
    int fd = hwk_bus_socket(&call);
    pthread_join(s->self, NULL);
    return fd;
}

/* --- a bus that says anything --- */

static unsigned open_files(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void a_socket(void **state)
{
    struct script s;
    char c = 0;
    (void)state;
    reset(&s);
    int fd = ask(&s);
    assert_true(fd >= 0);
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(write(s.manager, "x", 1), 1);
    assert_int_equal(read(fd, &c, 1), 1);
    assert_int_equal(c, 'x');
    close(fd);
    close(s.manager);
}

static void refused(struct script *s, const char *why)
{
    assert_int_equal(ask(s), -1);
    const char *text = "";
    ERR_peek_last_error_data(&text, NULL);
    if (!strstr(text, why))
        fail_msg("%s: %s", why, text);
    assert_int_equal(hwk_reason(), HWK_R_NO_DEVICE);
    close(s->manager);
}

static void refusals(void **state)
{
    struct script s;
    (void)state;
    reset(&s);
    s.ok = "REJECTED EXTERNAL\r\n";
    refused(&s, "does not let us in");
    reset(&s);
    s.agree = "ERROR\r\n";
    refused(&s, "does not let us in");
    reset(&s);
    s.n = 0;
    say(&s, 3, 2, "com.intel.tss2.Tabrmd.Error.MaxConnections");
    refused(&s, "Error.MaxConnections");
    for (unsigned fds = 0; fds < 4; fds++) {
        reset(&s);
        s.fds = fds;
        if (fds != 1)
            refused(&s, "without a socket");
    }
    setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus", 1);
    const struct hwk_bus_call call = {true, "a.b", "/a/b", "a.b.C", "D"};
    assert_int_equal(hwk_bus_socket(&call), -1);
    assert_int_equal(hwk_reason(), HWK_R_NO_DEVICE);
    setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
}

static void cut(void **state)
{
    struct script s;
    unsigned before = open_files();
    (void)state;
    reset(&s);
    for (size_t n = 0, all = s.n; n < all; n++) {
        reset(&s);
        s.n = n;
        if (!n)
            s.fds = 0;
        refused(&s, "no answer");
    }
    assert_int_equal(open_files(), before);
}

/* whatever it comes to, it ends, and nothing is left open */
static void spoilt(void **state)
{
    static const uint8_t wrong[] = {0xff, 0, 1, 4, 9, 0x80, 's'};
    unsigned before = open_files();
    struct script s;
    size_t taken = 0;
    (void)state;
    reset(&s);
    for (size_t i = 0, all = s.n; i < all; i++)
        for (size_t k = 0; k < sizeof(wrong); k++) {
            reset(&s);
            s.answer[i] = wrong[k];
            int fd = ask(&s);
            taken += fd >= 0;
            if (fd >= 0)
                close(fd);
            else
                assert_int_equal(hwk_reason(), HWK_R_NO_DEVICE);
            close(s.manager);
        }
    assert_int_equal(open_files(), before);
    assert_true(taken > 0);
}

/* --- what it is called --- */

static void addresses(void **state)
{
    static const struct {
        const char *text;
        bool plain;
    } t[] = {
        {"unix:path=/a", true},
        {"unix:path=/a%20b,guid=12", true},
        {"unix:abstract=/tmp/x,guid=12;tcp:host=a", true},
        {"unix:path=/a%2", false},
        {"unix:path=/a%2g", false},
        {"unix:path=", false},
        {"unix:tmpdir=/tmp", false},
        {"tcp:host=localhost,port=1", false},
        {"autolaunch:", false},
        {"", false},
        {"unix:path=/"
         "0123456789012345678901234567890123456789012345678901234567890123456"
         "78901234567890123456789012345678901234567890",
         false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
        setenv("DBUS_SESSION_BUS_ADDRESS", t[i].text, 1);
        if (hwk_bus_plain(true) != t[i].plain)
            fail_msg("%s", t[i].text);
    }
    unsetenv("DBUS_SESSION_BUS_ADDRESS");
    unsetenv("XDG_RUNTIME_DIR");
    assert_false(hwk_bus_plain(true));
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    assert_true(hwk_bus_plain(true));
    unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
    assert_true(hwk_bus_plain(false));
    setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
}

static void names(void **state)
{
    static const char *const ours[] = {
        "tabrmd",
        "tabrmd:",
        "tabrmd:bus_type=session",
        "tabrmd:bus_name=a.b,bus_type=system",
        "libtss2-tcti-tabrmd.so:bus_type=session",
        "libtss2-tcti-tabrmd.so.0",
    };
    static const char *const others[] = {
        "",
        "tabrm",
        "tabrmds:",
        "swtpm:path=/a",
        "tabrmd:bus_type=else",
        "tabrmd:bus_type=",
        "tabrmd:bus_type",
        "tabrmd:bus_name=",
        "tabrmd:path=/a/long/one",
        "/a/count.so:tabrmd:bus_type=session",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
        if (!hwk_tpm_tabrmd_is(ours[i]))
            fail_msg("%s", ours[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (hwk_tpm_tabrmd_is(others[i]))
            fail_msg("%s", others[i]);
}

/* --- a manager that says anything --- */

static TSS2_TCTI_CONTEXT *tcti(struct script *s)
{
    TSS2_TCTI_CONTEXT *ctx = NULL;
    reset(s);
    assert_int_equal(pthread_create(&s->self, NULL, bus, s), 0);
    assert_int_equal(hwk_tpm_tabrmd_open("tabrmd:bus_type=session", &ctx), 0);
    pthread_join(s->self, NULL);
    return ctx;
}

static const uint8_t command[12] = {0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x45};

/* what is received of these n bytes, after which the manager is gone */
static TSS2_RC received(const uint8_t *answer, size_t n, size_t *room,
                        uint8_t *out)
{
    struct script s;
    TSS2_TCTI_CONTEXT *ctx = tcti(&s);
    uint8_t got[12];
    assert_int_equal(Tss2_Tcti_Transmit(ctx, sizeof(command), command), 0);
    assert_int_equal(read(s.manager, got, 12), 12);
    assert_memory_equal(got, command, 12);
    assert_int_equal(Tss2_Tcti_Transmit(ctx, sizeof(command), command),
                     TSS2_TCTI_RC_BAD_SEQUENCE);
    assert_int_equal(Tss2_Tcti_Receive(ctx, room, out, 0),
                     TSS2_TCTI_RC_TRY_AGAIN);
    assert_int_equal(write(s.manager, answer, n), n);
    close(s.manager);
    TSS2_RC rc = Tss2_Tcti_Receive(ctx, room, out, TSS2_TCTI_TIMEOUT_BLOCK);
    hwk_tpm_tabrmd_close(&ctx);
    assert_null(ctx);
    return rc;
}

static void manager(void **state)
{
    uint8_t answer[16] = {0x80, 1, 0, 0, 0, 14, 0, 0, 0, 0, 1, 2, 3, 4};
    uint8_t out[64];
    size_t n;
    (void)state;
    for (size_t cut_at = 0; cut_at <= 14; cut_at++) {
        n = sizeof(out);
        assert_int_equal(received(answer, cut_at, &n, out),
                         cut_at == 14 ? TSS2_RC_SUCCESS
                                      : TSS2_TCTI_RC_IO_ERROR);
    }
    assert_int_equal(n, 14);
    assert_memory_equal(out, answer, 14);
    n = 13;
    assert_int_equal(received(answer, 14, &n, out),
                     TSS2_TCTI_RC_INSUFFICIENT_BUFFER);
    assert_int_equal(n, 14);
    for (unsigned i = 0; i < 3; i++) {
        answer[2] = i == 0;
        answer[4] = i == 1 ? 0x20 : 0;
        answer[5] = i == 2 ? 9 : 0;
        n = sizeof(out);
        assert_int_equal(received(answer, 14, &n, out),
                         TSS2_TCTI_RC_MALFORMED_RESPONSE);
    }
}

static int begin(void **state)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    socklen_t n = sizeof(to.sun_path);
    (void)state;
    listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* a name that the kernel makes */
    if (bind(listening, (struct sockaddr *)&to, sizeof(sa_family_t)) ||
        listen(listening, 5) ||
        getsockname(listening, (struct sockaddr *)&to, &n))
        return -1;
    int len = (int)(n - sizeof(sa_family_t)) - 1;
    snprintf(address, sizeof(address), "unix:abstract=%.*s", len,
             to.sun_path + 1);
    return setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
}

static int end(void **state)
{
    (void)state;
    return close(listening);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket),  cmocka_unit_test(refusals),
        cmocka_unit_test(cut),       cmocka_unit_test(spoilt),
        cmocka_unit_test(addresses), cmocka_unit_test(names),
        cmocka_unit_test(manager),
    };
    patience(120);
    return cmocka_run_group_tests(tests, begin, end);
}
