/* SPDX-License-Identifier: Apache-2.0 */
/* Worker processes: started, killed, replaced, drained. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <idevid/auto.h>

#include "tests/lib/nettest.h"

static struct pki pki;

/* --- a supervised server in a process of its own -------------------------- */

enum what { READY, STARTED, RELOADED, SETTLED, SERVED, RETURNED };
struct event {
    enum what what;
    int a, b;
    char note[200];
};

/* shared with the server and its workers */
struct shared {
    int fail_makes;  /* so many times */
    int fail_reload; /* while set */
    int tell_served; /* while set */
};

struct super {
    pid_t pid;
    int events[2], stop[2], alive[2];
    uint16_t port;
    struct shared *shared;
    pid_t worker[2];
};

static void emit(const struct super *s, enum what what, int a, int b,
                 const char *note)
{
    struct event e = {.what = what, .a = a, .b = b};
    snprintf(e.note, sizeof(e.note), "%s", note);
    if (write(s->events[1], &e, sizeof(e)) != (ssize_t)sizeof(e))
        abort();
}

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    struct super *s = self;
    char text[32];
    (void)told;
    *next = IDV_NEXT_REPLY;
    if (s->shared->tell_served)
        emit(s, SERVED, (int)getpid(), 0, "");
    snprintf(text, sizeof(text), "pid %d", (int)getpid());
    return idv_msg_reply(&call->reply, 200, "text/plain", idv_str(text));
}

static idv_rc make(void *arg, struct idv_server_worker *w)
{
    struct super *s = arg;
    if (__atomic_sub_fetch(&s->shared->fail_makes, 1, __ATOMIC_SEQ_CST) >= 0)
        return idv_fail(IDV_E_DEVICE, "token: not there");
    w->key = pki.registrar.key;
    w->chain = pki.tls_chain;
    w->service = (struct idv_service){serve, s};
    return IDV_OK;
}

static idv_rc reload(void *arg)
{
    struct super *s = arg;
    emit(s, RELOADED, 0, 0, "");
    if (s->shared->fail_reload)
        return idv_fail(IDV_E_FORMAT, "registrar.ini:3: unknown key");
    return IDV_OK;
}

static void reloaded(void *arg)
{
    emit(arg, SETTLED, 0, 0, "");
}

static void ready(void *arg, const struct idv_server_bound *bound, size_t n)
{
    emit(arg, READY, bound[0].port, (int)n, bound[0].host);
}

static void started(void *arg, unsigned slot, int pid)
{
    emit(arg, STARTED, (int)slot, pid, "");
}

static _Noreturn void be_server(struct super *s)
{
    static const char *const where[] = {"127.0.0.1:0", NULL};
    struct idv_server_conf conf = {.name = "server",
                                   .env = &pki.env.env,
                                   .listen = where,
                                   .workers = 2,
                                   .drain_s = 5,
                                   .stop_fd = s->stop[0],
                                   .make = make,
                                   .reload = reload,
                                   .reloaded = reloaded,
                                   .ready = ready,
                                   .started = started,
                                   .arg = s};
    close(s->stop[1]);
    close(s->alive[0]);
    idv_note_clear();
    idv_rc rc = idv_server_run(&conf);
    emit(s, RETURNED, (int)rc, 0, idv_note());
    _exit(0);
}

static void start(struct super *s, int fail_makes)
{
    memset(s, 0, sizeof(*s));
    s->shared = mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s->shared != MAP_FAILED);
    s->shared->fail_makes = fail_makes;
    assert_int_equal(pipe(s->events), 0);
    assert_int_equal(pipe(s->stop), 0);
    assert_int_equal(pipe(s->alive), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0)
        be_server(s);
    close(s->alive[1]);
    close(s->stop[0]);
}

static struct event next(struct super *s)
{
    struct event e;
    assert_int_equal(read(s->events[0], &e, sizeof(e)), sizeof(e));
    return e;
}

/* the next event, which is of this kind */
static struct event expect(struct super *s, enum what what)
{
    struct event e = next(s);
    if (e.what != what)
        fail_msg("event %d (%d, %d, %s) instead of %d", e.what, e.a, e.b,
                 e.note, what);
    if (what == STARTED)
        s->worker[e.a] = e.b;
    return e;
}

/* another reload, the one before may be over or not */
static void expect_another(struct super *s)
{
    struct event e = next(s);
    if (e.what == SETTLED)
        e = next(s);
    assert_int_equal(e.what, RELOADED);
}

static void start_well(struct super *s)
{
    start(s, 0);
    expect(s, STARTED);
    expect(s, STARTED);
    s->port = (uint16_t)expect(s, READY).a;
    assert_true(s->worker[0] > 0 && s->worker[1] > 0);
}

/* by closing: no process of it is left when this returns */
static void finish(struct super *s)
{
    char c;
    int status;
    close(s->stop[1]);
    assert_int_equal(read(s->alive[0], &c, 1), 0);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    close(s->alive[0]);
    close(s->events[0]);
    close(s->events[1]);
    munmap(s->shared, sizeof(*s->shared));
}

static pid_t answering(struct nt_client *c)
{
    IDV_AUTO(buf) r = {0};
    if (!nt_say(c, "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n") ||
        nt_hear(c, &r, false) != 200)
        return 0;
    return atoi(strstr((char *)r.p, "\r\n\r\npid ") + 8);
}

/* --- cases ---------------------------------------------------------------- */

static void test_both_serve(void **state)
{
    struct super s;
    bool seen[2] = {false, false};
    (void)state;
    start_well(&s);
    for (int i = 0; i < 200 && !(seen[0] && seen[1]); i++) {
        struct nt_client c;
        assert_true(nt_connect(&c, s.port, NULL));
        pid_t pid = answering(&c);
        assert_true(pid == s.worker[0] || pid == s.worker[1]);
        seen[pid == s.worker[1]] = true;
        nt_close(&c);
    }
    assert_true(seen[0] && seen[1]);
    kill(s.pid, SIGTERM);
    assert_int_equal(expect(&s, RETURNED).a, IDV_OK);
    finish(&s);
    assert_int_equal(kill(s.worker[0], 0), -1);
    assert_int_equal(kill(s.worker[1], 0), -1);
}

/* no connection is refused: those of the dead worker's socket wait */
static void test_killed(void **state)
{
    struct super s;
    (void)state;
    start_well(&s);
    for (int round = 0; round < 3; round++) {
        pid_t old = s.worker[1];
        kill(old, SIGKILL);
        struct event e = expect(&s, STARTED);
        assert_int_equal(e.a, 1);
        assert_int_not_equal(e.b, old);
        for (int i = 0; i < 20; i++)
            assert_int_equal(nt_get(s.port, "/"), 200);
    }
    finish(&s);
}

static void test_restart_fails_for_a_while(void **state)
{
    struct super s;
    (void)state;
    start_well(&s);
    s.shared->fail_makes = 2;
    kill(s.worker[0], SIGKILL);
    assert_int_equal(expect(&s, STARTED).a, 0);
    assert_true(s.shared->fail_makes < 0);
    assert_int_equal(nt_get(s.port, "/"), 200);
    finish(&s);
}

static void test_first_start_fails(void **state)
{
    struct super s;
    (void)state;
    start(&s, 1);
    struct event e = next(&s);
    while (e.what == STARTED)
        e = next(&s);
    assert_int_equal(e.what, RETURNED);
    assert_int_equal(e.a, IDV_E_DEVICE);
    assert_string_equal(e.note, "token: not there");
    finish(&s);
}

/* each attempt may be one of the few that a token grants for its PIN */
static void test_makes_one_by_one(void **state)
{
    struct super s;
    (void)state;
    start(&s, 5);
    assert_int_equal(next(&s).what, RETURNED);
    assert_int_equal(s.shared->fail_makes, 4);
    finish(&s);
    start_well(&s);
    s.shared->fail_makes = 5;
    kill(s.pid, SIGHUP);
    expect(&s, RELOADED);
    while (__atomic_load_n(&s.shared->fail_makes, __ATOMIC_SEQ_CST) > 4)
        assert_int_equal(nt_get(s.port, "/"), 200);
    kill(s.pid, SIGHUP); /* has been tried out: another reload, another try */
    expect_another(&s);
    while (__atomic_load_n(&s.shared->fail_makes, __ATOMIC_SEQ_CST) > 3)
        assert_int_equal(nt_get(s.port, "/"), 200);
    assert_int_equal(nt_get(s.port, "/"), 200);
    assert_int_equal(s.shared->fail_makes, 3);
    finish(&s);
}

static void test_reload(void **state)
{
    struct super s;
    struct nt_client c;
    (void)state;
    start_well(&s);
    pid_t old[2] = {s.worker[0], s.worker[1]};
    assert_true(nt_connect(&c, s.port, NULL));
    pid_t mine = answering(&c);
    assert_true(mine == old[0] || mine == old[1]);
    kill(s.pid, SIGHUP);
    expect(&s, RELOADED);
    expect(&s, STARTED);
    expect(&s, STARTED);
    expect(&s, SETTLED);
    assert_true(s.worker[0] != old[0] && s.worker[1] != old[1]);
    assert_true(nt_ended(&c)); /* idle: said goodbye */
    nt_close(&c);
    for (int i = 0; i < 20; i++) {
        assert_true(nt_connect(&c, s.port, NULL));
        pid_t now = answering(&c);
        assert_true(now == s.worker[0] || now == s.worker[1]);
        nt_close(&c);
    }
    finish(&s);
}

/* It is not over while one of before has somebody to answer: of what is asked
 * afterwards nothing is answered by it. */
static void test_reload_waits(void **state)
{
    struct super s;
    struct nt_client c;
    (void)state;
    start_well(&s);
    pid_t old[2] = {s.worker[0], s.worker[1]};
    assert_true(nt_connect(&c, s.port, NULL));
    pid_t mine = answering(&c);
    const int slot = mine == old[1];
    assert_int_equal(mine, old[slot]);
    assert_true(nt_say(&c, "GET /pid HTTP/1.1\r\nHo"));
    kill(s.pid, SIGHUP);
    expect(&s, RELOADED);
    expect(&s, STARTED);
    expect(&s, STARTED);
    kill(s.pid, SIGHUP); /* it has looked whether it is over since */
    expect(&s, RELOADED);
    assert_int_equal(expect(&s, STARTED).a, !slot);
    s.shared->tell_served = 1;
    assert_true(nt_say(&c, "st: x\r\n\r\n"));
    assert_int_equal(expect(&s, SERVED).a, mine);
    assert_int_equal(nt_hear(&c, NULL, false), 200);
    assert_true(nt_ended(&c));
    assert_int_equal(expect(&s, STARTED).a, slot);
    expect(&s, SETTLED);
    nt_close(&c);
    finish(&s);
}

static void test_reload_refused(void **state)
{
    struct super s;
    struct nt_client c;
    (void)state;
    start_well(&s);
    assert_true(nt_connect(&c, s.port, NULL));
    pid_t mine = answering(&c);
    s.shared->fail_reload = 1;
    kill(s.pid, SIGHUP);
    expect(&s, RELOADED);
    expect(&s, SETTLED);
    assert_int_equal(answering(&c), mine);
    s.shared->fail_reload = 0;
    s.shared->fail_makes = 2; /* the new ones cannot be made: the old stay */
    kill(s.pid, SIGHUP);
    expect(&s, RELOADED);
    kill(s.pid, SIGHUP); /* heard after the two have failed or while */
    expect_another(&s);
    assert_int_equal(answering(&c), mine);
    nt_close(&c);
    finish(&s);
}

/* the supervisor is killed: its workers do not stay behind */
static void test_supervisor_killed(void **state)
{
    struct super s;
    char c;
    (void)state;
    start_well(&s);
    kill(s.pid, SIGKILL);
    assert_int_equal(read(s.alive[0], &c, 1), 0);
    finish(&s);
}

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    signal(SIGPIPE, SIG_IGN);
    alarm(120); /* a fault: nothing else limits waiting for an event */
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
        cmocka_unit_test(test_both_serve),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_restart_fails_for_a_while),
        cmocka_unit_test(test_first_start_fails),
        cmocka_unit_test(test_makes_one_by_one),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_reload_waits),
        cmocka_unit_test(test_reload_refused),
        cmocka_unit_test(test_supervisor_killed),
    };
    return cmocka_run_group_tests_name("net-workers", tests, setup, teardown);
}
