/* SPDX-License-Identifier: Apache-2.0 */
/* Several lanes over real connections in one thread, and a driver that sleeps
 * while all just wait. */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE /* ppoll is defined here */
#include "tests/unit/codec.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "tests/lib/fakereg.h"
#include "tests/lib/nettest.h"

static struct pki pki;
static struct pki_env pledge_env;

#define OK2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* --- a pledge among servers of flesh -------------------------------------- */

struct scene {
    struct fakereg reg;
    struct fakedev dev;
    struct nt_server good;
    struct nt_raw bad[2];
    char where[3][64];
    const char *list[4];
};

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    struct scene *s = self;
    (void)told;
    *next = IDV_NEXT_REPLY;
    return fakereg_exchange(&s->reg, &call->req, &call->reply);
}

static void scene_init(struct scene *s, const struct nt_step *bad)
{
    const struct idv_service service = {serve, s};
    memset(s, 0, sizeof(*s));
    pki_env_init(&pledge_env);
    fakereg_init(&s->reg, &pki);
    fakedev_init(&s->dev, &pki);
    nt_server_start(&s->good, &pki, &service);
    for (int i = 0; i < 2; i++)
        nt_raw_start(&s->bad[i], &pki.rogue, pki.rogue_chain, bad);
    for (int i = 0; i < 3; i++) {
        snprintf(s->where[i], sizeof(s->where[i]), "127.0.0.1:%u",
                 i < 2 ? s->bad[i].port : s->good.port);
        s->list[i] = s->where[i];
    }
    s->dev.conf.registrars = s->list;
    s->dev.conf.attempts = 0;
    s->dev.conf.pace.spacing_s = -1;
}

static void scene_free(struct scene *s)
{
    for (int i = 0; i < 2; i++) {
        nt_raw_stop(&s->bad[i]);
        nt_raw_free(&s->bad[i]);
    }
    nt_server_stop(&s->good);
    fakereg_free(&s->reg);
    fakedev_free(&s->dev);
}

static idv_rc join(struct scene *s, const struct idv_drive_conf *conf)
{
    struct idv_pledge *p = NULL;
    s->dev.conf.trust = s->dev.trust;
    OK(idv_pledge_new(&s->dev.conf, &pledge_env.env, &p));
    const struct idv_crew crew = idv_pledge_join_crew(p);
    idv_rc rc = idv_drive_crew(&crew, conf);
    idv_pledge_free(p);
    return rc;
}

/* R-P-11, R-P-97: two that never answer, in TLS and after the request, and one
 * that does: their connections are ended when it has won */
static void beside_silent_ones(void **state)
{
    static const struct nt_step shake[] = {{.what = NT_SILENT},
                                           {.what = NT_END}};
    static const struct nt_step hang[] = {{.what = NT_ACCEPT},
                                          {.what = NT_READ},
                                          {.what = NT_HANG},
                                          {.what = NT_END}};
    const struct nt_step *const kinds[] = {shake, hang};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct scene s;
        struct idv_drive_conf conf = {
            .env = &pledge_env.env, .stall_s = 60, .connect_s = 60};
        scene_init(&s, kinds[i]);
        OK(join(&s, &conf));
        assert_int_equal(fakedev_state(&s.dev), IDV_TRUST_ENROLLED);
        assert_memory_equal(s.dev.events, "connect connect connect", 23);
        scene_free(&s); /* waits until they see the end of theirs */
    }
}

/* R-P-14, R-P-97: with one lane only each is given up for the next */
static void one_after_the_other(void **state)
{
    static const struct nt_step hang[] = {{.what = NT_ACCEPT},
                                          {.what = NT_READ},
                                          {.what = NT_HANG},
                                          {.what = NT_END}};
    struct scene s;
    struct idv_drive_conf conf = {.env = &pledge_env.env, .stall_s = 1};
    (void)state;
    scene_init(&s, hang);
    s.dev.conf.lanes = 1;
    OK(join(&s, &conf));
    assert_non_null(strstr(s.dev.events, "failed connect"));
    scene_free(&s);
}

/* --- asks of a script ----------------------------------------------------- */

struct script {
    struct idv_connect to[2];
    size_t lanes;
    char log[256];
    bool alone; /* lane 1 is, once it is connected */
};

static idv_rc script_step(void *self, size_t lane, struct idv_told *told,
                          struct idv_ask *ask)
{
    static const char letters[] = "SCRELNT";
    struct script *s = self;
    const size_t n = strlen(s->log);
    snprintf(s->log + n, sizeof(s->log) - n, "%c%zu ", letters[told->kind],
             lane);
    assert_true(told->at_ms > 0);
    switch (told->kind) {
    case IDV_TOLD_START:
        ask->kind = IDV_ASK_CONNECT;
        ask->connect = s->to[lane];
        idv_msg_init(&ask->connect.first);
        strcpy(ask->connect.first.path, "/x");
        break;
    case IDV_TOLD_CONNECTED:
        ask->kind = IDV_ASK_EXCHANGE;
        strcpy(ask->msg.path, "/x");
        ask->alone = s->alone && lane == 1;
        break;
    default:
        ask->kind = IDV_ASK_DONE;
        ask->rc = told->rc;
        strcpy(ask->note, told->note);
    }
    return IDV_OK;
}

static struct idv_connect to(const struct nt_raw *r)
{
    struct idv_connect c = {.host = "127.0.0.1", .port = r->port};
    return c;
}

/* alone: the other lane hears nothing any more, and its server the end at once,
 * without which this one would not get its answer */
static void alone(void **state)
{
    static const struct nt_step other[] = {
        {.what = NT_SILENT}, {.what = NT_FLAG}, {.what = NT_END}};
    static const struct nt_step good[] = {
        {.what = NT_ACCEPT}, {.what = NT_READ},
        {.what = NT_GATE},   {.what = NT_SEND, .text = OK2},
        {.what = NT_HANG},   {.what = NT_END}};
    int ended[2];
    volatile int flag = 0;
    struct idv_drive_conf conf = {.env = &pledge_env.env};
    (void)state;
    assert_int_equal(pipe2(ended, O_CLOEXEC), 0);
    struct nt_raw r[2] = {{.tell_fd = ended[1], .flag = &flag},
                          {.gate_fd = ended[0]}};
    nt_raw_start(&r[0], &pki.registrar, pki.tls_chain, other);
    nt_raw_start(&r[1], &pki.registrar, pki.tls_chain, good);
    struct script s = {.to = {to(&r[0]), to(&r[1])}, .alone = true};
    const struct idv_crew crew = {script_step, 2, &s};
    OK(idv_drive_crew(&crew, &conf));
    assert_string_equal(s.log, "S0 S1 C1 R1 ");
    for (int i = 0; i < 2; i++) {
        nt_raw_stop(&r[i]);
        nt_raw_free(&r[i]);
        close(ended[i]);
    }
}

static void lanes_out_of_bounds(void **state)
{
    const struct idv_crew none = {script_step, 0, NULL};
    const struct idv_crew many = {script_step, IDV_MAX_LANES + 1, NULL};
    struct idv_drive_conf conf = {.env = &pledge_env.env};
    (void)state;
    FAILS(IDV_E_ARG, "lanes", idv_drive_crew(&none, &conf));
    FAILS(IDV_E_ARG, "lanes", idv_drive_crew(&many, &conf));
}

/* --- at rest -------------------------------------------------------------- */

/* in the place of the C library's: how long was it to sleep */
static atomic_int limited, unlimited;

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *limit,
          const sigset_t *mask);
int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *limit,
          const sigset_t *mask)
{
    struct timespec copy = limit ? *limit : (struct timespec){0};
    atomic_fetch_add(limit ? &limited : &unlimited, 1);
    return (int)syscall(SYS_ppoll, fds, n, limit ? &copy : NULL, mask,
                        (size_t)_NSIG / 8);
}

/* its name where the C library is told to count */
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *limit,
                const sigset_t *mask, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *limit,
                const sigset_t *mask, size_t size)
{
    assert_true(n <= size / sizeof(*fds));
    return ppoll(fds, n, limit, mask);
}

static volatile int stop;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

static idv_rc rest_step(void *self, size_t lane, struct idv_told *told,
                        struct idv_ask *ask)
{
    int *steps = self;
    (void)lane;
    (*steps)++;
    ask->kind = told->kind == IDV_TOLD_NEWS ? IDV_ASK_DONE : IDV_ASK_WAIT;
    ask->seconds = IDV_FOREVER;
    ask->news = true;
    return IDV_OK;
}

struct sleeper {
    pid_t tid;
    pthread_t thread;
    int polls; /* of the watch */
    int pipe[2];
};

static size_t rest_fds(void *self, struct pollfd *out, size_t max)
{
    struct sleeper *s = self;
    assert_true(max >= 1);
    s->polls++;
    out[0] = (struct pollfd){.fd = s->pipe[0], .events = POLLIN};
    return 1;
}

static idv_rc rest_ready(void *self, const struct pollfd *fds, size_t n)
{
    struct sleeper *s = self;
    char c;
    assert_int_equal(n, 1);
    if (fds[0].revents & POLLIN)
        assert_int_equal(read(s->pipe[0], &c, 1), 1);
    return IDV_OK;
}

/* once the thread is asleep in its poll, where that can be seen */
static void *wake(void *arg)
{
    struct sleeper *s = arg;
    char path[64], text[512] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%d/wchan", s->tid);
    while (!strstr(text, "poll")) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
        text[n > 0 ? n : 0] = 0;
        if (fd < 0 || n <= 0 || strcmp(text, "0") == 0)
            strcpy(text, "poll"); /* cannot be seen here */
        close(fd);
    }
    if (s->pipe[1] >= 0)
        assert_int_equal(write(s->pipe[1], "x", 1), 1);
    else
        pthread_kill(s->thread, SIGUSR1);
    return NULL;
}

static idv_rc rest(struct sleeper *s, const struct idv_drive_conf *conf,
                   int *steps)
{
    pthread_t waker;
    const struct idv_crew crew = {rest_step, 3, steps};
    s->tid = gettid();
    s->thread = pthread_self();
    assert_int_equal(pthread_create(&waker, NULL, wake, s), 0);
    idv_rc rc = idv_drive_crew(&crew, conf);
    pthread_join(waker, NULL);
    return rc;
}

/* asleep until a descriptor of the watch wakes it: no poll but that one */
static void asleep_until_news(void **state)
{
    struct sleeper s = {0};
    int steps = 0;
    const struct idv_watch watch = {rest_fds, NULL, rest_ready, &s};
    struct idv_drive_conf conf = {
        .env = &pledge_env.env, .watch = &watch, .stop = &stop};
    (void)state;
    stop = 0;
    assert_int_equal(pipe2(s.pipe, O_CLOEXEC), 0);
    limited = unlimited = 0;
    OK(rest(&s, &conf, &steps));
    assert_int_equal(s.polls, 1);
    assert_int_equal(limited, 0);
    assert_int_equal(unlimited, 1);
    assert_int_equal(steps, 4);
    close(s.pipe[0]);
    close(s.pipe[1]);
}

/* a signal ends the sleep, whenever it comes */
static void asleep_until_a_signal(void **state)
{
    struct sigaction sa = {.sa_handler = on_signal}, before;
    struct sleeper s = {.pipe = {-1, -1}};
    struct idv_drive_conf conf = {.env = &pledge_env.env, .stop = &stop};
    (void)state;
    sigaction(SIGUSR1, &sa, &before);
    for (int i = 0; i < 200; i++) {
        int steps = 0;
        stop = 0;
        assert_int_equal(rest(&s, &conf, &steps), IDV_E_STATE);
        assert_string_equal(idv_note(), "stopped");
        assert_int_equal(steps, 3);
    }
    sigaction(SIGUSR1, &before, NULL);
    idv_note_clear();
}

/* nobody could ever wake it: said, not slept */
static void nobody_to_wake_it(void **state)
{
    int steps = 0;
    const struct idv_crew crew = {rest_step, 2, &steps};
    struct idv_drive_conf conf = {.env = &pledge_env.env};
    (void)state;
    FAILS(IDV_E_STATE, "news", idv_drive_crew(&crew, &conf));
}

static idv_rc no_luck(void *self, const struct pollfd *fds, size_t n)
{
    (void)self, (void)fds, (void)n;
    return idv_fail(IDV_E_NET, "the watch failed");
}

static size_t no_fds(void *self, struct pollfd *out, size_t max)
{
    (void)self, (void)out, (void)max;
    return 0;
}

static int at_once(void *self)
{
    (void)self;
    return 0;
}

static void a_watch_that_fails(void **state)
{
    int steps = 0;
    const struct idv_crew crew = {rest_step, 2, &steps};
    const struct idv_watch watch = {no_fds, at_once, no_luck, NULL};
    struct idv_drive_conf conf = {.env = &pledge_env.env, .watch = &watch};
    (void)state;
    FAILS(IDV_E_NET, "the watch failed", idv_drive_crew(&crew, &conf));
}

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    pki_env_init(&pledge_env);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

/* --- addresses ------------------------------------------------------------ */

/* looks a name up, then connects to one address for another name */
struct seeker {
    uint16_t port;
    const STACK_OF(X509) * chain;
    bool found, connected;
};

static void seek(const struct idv_told *told, struct seeker *k,
                 struct idv_ask *ask)
{
    for (size_t i = 0; i < told->addresses.n; i++)
        k->found |= strcmp(told->addresses.list[i], "127.0.0.1") == 0;
    ask->kind = IDV_ASK_CONNECT;
    strcpy(ask->connect.host, "registrar.example.com");
    strcpy(ask->connect.address, "127.0.0.1");
    ask->connect.port = k->port;
    ask->connect.sni = true;
    ask->connect.key = pki.idevid.key;
    ask->connect.chain = k->chain;
    strcpy(ask->connect.first.path, "/x");
}

static idv_rc seeker_step(void *self, struct idv_told *told,
                          struct idv_ask *ask)
{
    struct seeker *k = self;
    idv_msg_init(&ask->msg);
    idv_msg_init(&ask->connect.first);
    if (told->kind == IDV_TOLD_START) {
        ask->kind = IDV_ASK_LOOKUP;
        strcpy(ask->connect.host, "localhost");
        ask->connect.port = k->port;
    } else if (told->kind == IDV_TOLD_ADDRESSES) {
        seek(told, k, ask);
    } else {
        k->connected = told->kind == IDV_TOLD_CONNECTED;
        if (!k->connected)
            print_error("%s\n", told->note);
        ask->kind = IDV_ASK_DONE;
    }
    return IDV_OK;
}

static void one_address_of_a_name(void **state)
{
    static const struct nt_step none[] = {{.what = NT_END}};
    struct scene s;
    (void)state;
    scene_init(&s, none);
    const struct idv_drive_conf conf = {.env = &pledge_env.env};
    struct seeker k = {.port = s.good.port, .chain = s.dev.chain};
    const struct idv_machine machine = {seeker_step, &k};
    OK(idv_drive(&machine, &conf));
    assert_true(k.found);
    assert_true(k.connected);
    scene_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_silent_ones),
        cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(alone),
        cmocka_unit_test(lanes_out_of_bounds),
        cmocka_unit_test(one_address_of_a_name),
        cmocka_unit_test(asleep_until_news),
        cmocka_unit_test(asleep_until_a_signal),
        cmocka_unit_test(nobody_to_wake_it),
        cmocka_unit_test(a_watch_that_fails),
    };
    return cmocka_run_group_tests_name("net-crew", tests, setup, teardown);
}
