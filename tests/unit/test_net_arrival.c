/* SPDX-License-Identifier: Apache-2.0 */
/* A reply cut at every byte, in every order in which its bytes and the end of
 * its connection can arrive: when they are read never decides. */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <idevid/auto.h>

#include "tests/lib/nettest.h"

static struct pki pki;
static struct pki_env client_env;

enum arrival {
    TOGETHER, /* all and the end are there before the first byte is read */
    APART,    /* the end comes when all the data has been used */
    BYTES,    /* a byte, then nothing, then a byte */
    RECORDS,  /* a byte in each record */
    ARRIVALS
};

/* --- curl reads by recv, the other end of these tests by read ------------- */

static enum arrival arrival;
static atomic_bool sent;       /* the request has been taken: the reply comes */
static int used[2] = {-1, -1}; /* a byte: the data has been used */
static bool again;

__attribute__((visibility("default"))) ssize_t recv(int fd, void *to, size_t n,
                                                    int flags)
{
    static ssize_t (*real)(int, void *, size_t, int);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "recv");
    if (!sent)
        return real(fd, to, n, flags);
    if (arrival == TOGETHER) {
        struct pollfd p = {fd, POLLRDHUP, 0};
        poll(&p, 1, NT_LIMIT_S * 1000);
    }
    if (arrival == BYTES && (again = !again)) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t got = real(fd, to, arrival == BYTES && n ? 1 : n, flags);
    int left = 1;
    if (got > 0 && arrival == APART && ioctl(fd, FIONREAD, &left) == 0 &&
        left == 0)
        (void)!write(used[1], "", 1);
    return got;
}

/* --- one cut, one arrival ------------------------------------------------- */

static bool whole(const char *text, enum nt_do end)
{
    const struct nt_step steps[] = {
        {.what = NT_ACCEPT},
        {.what = NT_READ},
        {.what = NT_FLAG},
        {.what = arrival == RECORDS ? NT_SPLIT : NT_SEND, .text = text},
        {.what = arrival == APART && *text ? NT_GATE : NT_PASS},
        {.what = end},
        {.what = NT_END}};
    struct idv_drive_conf c = {.env = &client_env.env};
    struct nt_raw r = {.sent = &sent, .quiet = true};
    struct nt_machine m;
    sent = again = false;
    assert_int_equal(pipe(used), 0);
    r.gate_fd = used[0];
    nt_raw_start(&r, &pki.registrar, pki.tls_chain, steps);
    nt_machine_init(&m, r.port);
    nt_machine_add(&m, IDV_POST, "/first", "hello");
    struct idv_machine machine = nt_machine(&m);
    idv_note_clear();
    idv_rc rc = idv_drive(&machine, &c);
    sent = false;
    close(used[1]);
    nt_raw_stop(&r);
    close(used[0]);
    assert_int_equal(rc == IDV_OK, m.at == 1);
    assert_int_equal(rc == IDV_OK, m.lost == IDV_OK);
    nt_raw_free(&r);
    nt_machine_free(&m);
    return rc == IDV_OK;
}

/* enough bytes of text are an answer and fewer are none, except that from the
 * open-th byte on a goodbye makes it one (0: never) */
static void cuts(const char *text, size_t enough, size_t open)
{
    size_t n = strlen(text);
    char part[256];
    assert_true(n < sizeof(part));
    for (size_t i = 0; i <= n; i++) {
        snprintf(part, i + 1, "%s", text);
        for (int bye = 0; bye < 2; bye++) {
            bool want = open ? bye && i >= open : i >= enough;
            if (whole(part, bye ? NT_BYE : NT_DROP) != want)
                fail_msg("%s after '%s' arriving as %d: %s",
                         bye ? "goodbye" : "no goodbye", part, arrival,
                         want ? "lost" : "accepted");
        }
    }
}

#define HEAD "HTTP/1.1 200 OK\r\n"

static void test_length(void **state)
{
    static const char text[] = HEAD "X-Y: \r\nContent-Length: 2\r\n\r\nok";
    (void)state;
    for (arrival = 0; arrival < ARRIVALS; arrival++)
        cuts(text, sizeof(text) - 1, 0);
}

/* after the empty chunk only the very last LF does not matter to curl */
static void test_chunks(void **state)
{
    static const char text[] =
        HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    (void)state;
    for (arrival = 0; arrival < ARRIVALS; arrival++)
        cuts(text, sizeof(text) - 2, 0);
}

static void test_no_length(void **state)
{
    (void)state;
    for (arrival = 0; arrival < ARRIVALS; arrival++)
        cuts(HEAD "\r\nok", 0, sizeof(HEAD "\r\n") - 1);
}

/* a coding is no framing: only a goodbye says that this is all */
static void test_identity(void **state)
{
    static const char head[] = HEAD "Transfer-Encoding: identity\r\n\r\n";
    char text[80];
    (void)state;
    snprintf(text, sizeof(text), "%sok", head);
    for (arrival = 0; arrival < ARRIVALS; arrival++)
        cuts(text, 0, sizeof(head) - 1);
}

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    pki_env_init(&client_env);
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
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_no_length),
        cmocka_unit_test(test_identity),
    };
    return cmocka_run_group_tests_name("net-arrival", tests, setup, teardown);
}
