/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many devices: a process for each fixture that has one. A device hangs, a TPM
 * takes minutes for an RSA key, a cable is pulled: whatever happens in a
 * worker, the others and the book go on.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "factory_batch.h"
#include "factory_fixtures.h"
#include "factory_progress.h"

#define JOBS_MAX 256
#define SEAL_EVERY 50 /* devices */
#define LINE_MAX_BYTES 65536

extern char **environ;

struct worker {
    pid_t pid;
    int out; /* its standard output; -1: no worker */
    struct fixture fixture;
    struct idv_buf line;
    int64_t tries;
    bool ended;  /* told its end: done, kept or failed */
    bool failed; /* and that was failed */
};

struct crew {
    struct line *l;
    const struct batch *b;
    struct fixtures fixtures;
    struct worker *workers;
    struct progress progress;
    bool more;       /* fixtures may have another */
    uint64_t sealed; /* devices when the book was signed last */
};

/* --- a worker begins -------------------------------------------------------
 */

static idv_rc put_option(char ***argv, const char *name, const char *value)
{
    if (!value || !*value)
        return IDV_OK;
    IDV_TRY(idv_list_add(argv, idv_str(name)));
    return idv_list_add(argv, idv_str(value));
}

static idv_rc arguments(const struct crew *c, const struct fixture *f,
                        char ***argv)
{
    IDV_TRY(idv_list_add(argv, idv_str("idevid-factory")));
    IDV_TRY(idv_list_add(argv, idv_str("provision")));
    IDV_TRY(idv_list_add(argv, idv_str(c->b->dir)));
    IDV_TRY(idv_list_add(argv, idv_str("--json")));
    IDV_TRY(idv_list_add(argv, idv_str("--worker")));
    IDV_TRY(put_option(argv, "--conf", c->b->conf_path));
    IDV_TRY(put_option(argv, "--order", c->b->order));
    IDV_TRY(put_option(argv, "--operator", c->b->operator_));
    IDV_TRY(put_option(argv, "--fixture", fixture_text(f, FIXTURE_NAME)));
    IDV_TRY(put_option(argv, "--device", fixture_text(f, FIXTURE_DEVICE)));
    IDV_TRY(put_option(argv, "--serial", fixture_text(f, FIXTURE_SERIAL)));
    IDV_TRY(put_option(argv, "--power-cycle",
                       fixture_text(f, FIXTURE_POWER_CYCLE)));
    for (const char *const *p = c->b->pass; p && *p; p++)
        IDV_TRY(idv_list_add(argv, idv_str(*p)));
    return IDV_OK;
}

static idv_rc variable(char ***env, const char *name, const char *value)
{
    IDV_AUTO(buf) text = {0};
    if (!*value)
        return IDV_OK;
    IDV_TRY(idv_buf_putf(&text, "%s=%s", name, value));
    return idv_list_add(env, idv_view(&text));
}

/* The fixture's variables first: of two with one name the first one counts. */
static idv_rc environment(const struct fixture *f, char ***env)
{
    IDV_TRY(variable(env, "HWKEY_TCTI", fixture_text(f, FIXTURE_TCTI)));
    IDV_TRY(
        variable(env, "HWKEY_PKCS11_MODULE", fixture_text(f, FIXTURE_MODULE)));
    IDV_TRY(variable(env, "HWKEY_PIN_FILE", fixture_text(f, FIXTURE_PIN_FILE)));
    const size_t n = idv_list_count(*env);
    for (char **e = environ; *e; e++) {
        bool hidden = false;
        for (size_t i = 0; i < n && !hidden; i++) {
            const size_t name = strcspn((*env)[i], "=") + 1;
            hidden = strncmp(*e, (*env)[i], name) == 0;
        }
        if (!hidden)
            IDV_TRY(idv_list_add(env, idv_str(*e)));
    }
    return IDV_OK;
}

static idv_rc spawn(char **argv, char **env, struct worker *w)
{
    posix_spawn_file_actions_t act;
    int fd[2];
    if (pipe(fd) != 0)
        return idv_fail(IDV_E_IO, "pipe: %s", strerror(errno));
    fcntl(fd[0], F_SETFD, FD_CLOEXEC);
    fcntl(fd[1], F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_init(&act);
    posix_spawn_file_actions_adddup2(&act, fd[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&act, STDIN_FILENO, "/dev/null", O_RDONLY,
                                     0);
    const int err =
        posix_spawn(&w->pid, "/proc/self/exe", &act, NULL, argv, env);
    posix_spawn_file_actions_destroy(&act);
    close(fd[1]);
    if (err) {
        close(fd[0]);
        return idv_fail(IDV_E_IO, "a worker: %s", strerror(err));
    }
    w->out = fd[0];
    return IDV_OK;
}

static idv_rc begin(struct crew *c, struct worker *w)
{
    char **argv = NULL, **env = NULL;
    idv_rc rc = arguments(c, &w->fixture, &argv);
    if (rc == IDV_OK)
        rc = environment(&w->fixture, &env);
    if (rc == IDV_OK)
        rc = spawn(argv, env, w);
    idv_list_free(argv);
    idv_list_free(env);
    if (rc != IDV_OK)
        return rc;
    w->tries++;
    w->ended = w->failed = false;
    w->line.n = 0;
    w->line.max = LINE_MAX_BYTES;
    c->progress.running++;
    return IDV_OK;
}

/* --- what it says -----------------------------------------------------------
 */

/* An end that will be tried again is none yet. */
static bool goes_on(const struct crew *c, const struct worker *w)
{
    return w->tries <= c->b->retries;
}

static void take_line(struct crew *c, struct worker *w, struct idv_bytes line)
{
    IDV_AUTO_PTR(idv_json) e = NULL;
    if (!line.n || idv_json_parse(line, LINE_MAX_BYTES, &e) != IDV_OK) {
        idv_note_clear();
        return;
    }
    if (c->l->t->json) {
        fwrite(line.p, 1, line.n, stdout);
        putchar('\n');
        fflush(stdout);
    }
    const char *event = idv_json_text(idv_json_get(e, "event"));
    const char *why = idv_json_text(idv_json_get(e, "why"));
    if (!event)
        return;
    w->failed = strcmp(event, "failed") == 0;
    w->ended |=
        w->failed || strcmp(event, "done") == 0 || strcmp(event, "kept") == 0;
    /* only what the device did is worth another try */
    if (w->failed && (!why || strcmp(why, "device") != 0))
        w->tries = c->b->retries + 1;
    if (!w->failed || !goes_on(c, w))
        progress_event(&c->progress, e);
}

static void take_bytes(struct crew *c, struct worker *w)
{
    uint8_t some[4096];
    const ssize_t n = read(w->out, some, sizeof(some));
    if (n <= 0 || idv_buf_put(&w->line, idv_bytes(some, (size_t)n)) != IDV_OK) {
        idv_note_clear();
        close(w->out);
        w->out = -1;
        return;
    }
    uint8_t *end;
    while ((end = memchr(w->line.p, '\n', w->line.n))) {
        const size_t len = (size_t)(end - w->line.p);
        take_line(c, w, idv_bytes(w->line.p, len));
        memmove(w->line.p, end + 1, w->line.n - len - 1);
        w->line.n -= len + 1;
    }
}

static void seal_some(struct crew *c)
{
    const uint64_t now = c->progress.done + c->progress.failed;
    if (now - c->sealed < SEAL_EVERY)
        return;
    line_seal(c->l);
    c->sealed = now;
}

/* It is gone: another try, or the next device. */
static void end(struct crew *c, struct worker *w)
{
    int status = 0;
    char how[80];
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    w->pid = 0;
    c->progress.running--;
    const bool again = (!w->ended || w->failed) && goes_on(c, w);
    if (again && begin(c, w) == IDV_OK)
        return;
    idv_note_clear();
    if (!w->ended) {
        if (WIFSIGNALED(status))
            snprintf(how, sizeof(how), "its worker was ended by signal %d",
                     WTERMSIG(status));
        else
            snprintf(how, sizeof(how), "its worker ended with %d",
                     WEXITSTATUS(status));
        progress_died(&c->progress, fixture_text(&w->fixture, FIXTURE_NAME),
                      how);
    }
    fixture_free(&w->fixture);
    seal_some(c);
}

/* --- all of them ------------------------------------------------------------
 */

static idv_rc next_device(struct crew *c, struct worker *w)
{
    memset(&w->fixture, 0, sizeof(w->fixture));
    IDV_TRY(fixtures_next(&c->fixtures, &c->more, &w->fixture));
    if (!c->more)
        return IDV_OK;
    w->tries = 0;
    idv_rc rc = begin(c, w);
    if (rc != IDV_OK)
        fixture_free(&w->fixture);
    return rc;
}

static struct worker *free_place(struct crew *c)
{
    for (int64_t i = 0; i < c->b->jobs; i++) {
        if (!c->workers[i].pid)
            return &c->workers[i];
    }
    return NULL;
}

/* Waits until a worker says something, or, while there is a place for it, the
 * fixtures have another line. */
static idv_rc listen_once(struct crew *c)
{
    struct pollfd fds[JOBS_MAX + 1];
    struct worker *of[JOBS_MAX];
    struct worker *spare = c->more ? free_place(c) : NULL;
    nfds_t n = 0;
    for (int64_t i = 0; i < c->b->jobs; i++) {
        if (c->workers[i].pid) {
            of[n] = &c->workers[i];
            fds[n] = (struct pollfd){.fd = of[n]->out, .events = POLLIN};
            n++;
        }
    }
    if (spare)
        fds[n] =
            (struct pollfd){.fd = fileno(c->fixtures.file), .events = POLLIN};
    if (poll(fds, n + (spare ? 1 : 0), 1000) < 0 && errno != EINTR)
        return idv_fail(IDV_E_IO, "poll: %s", strerror(errno));
    for (nfds_t i = 0; i < n; i++) {
        if (fds[i].revents)
            take_bytes(c, of[i]);
        if (of[i]->out < 0)
            end(c, of[i]);
    }
    return spare && fds[n].revents ? next_device(c, spare) : IDV_OK;
}

static idv_rc work(struct crew *c)
{
    while (c->more || c->progress.running) {
        IDV_TRY(listen_once(c));
        progress_draw(&c->progress);
    }
    return IDV_OK;
}

/* What was begun is brought to its end, whatever stops us. */
static void let_end(struct crew *c)
{
    c->more = false;
    while (c->progress.running) {
        if (listen_once(c) != IDV_OK)
            break;
    }
}

static idv_rc run(struct crew *c)
{
    idv_rc rc = work(c);
    if (rc != IDV_OK)
        let_end(c);
    progress_end(&c->progress);
    line_seal(c->l);
    if (rc != IDV_OK || !c->progress.failed)
        return rc;
    return idv_fail(IDV_E_REJECT, "%llu devices failed",
                    (unsigned long long)c->progress.failed);
}

/* A file is read through before anything is begun: what is wrong in it is told
 * at once, and how many devices there are is known. 0: they come as they come.
 */
static idv_rc count_devices(const char *path, uint64_t *out)
{
    struct fixtures f;
    struct stat st;
    bool more = true;
    *out = 0;
    if (strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return IDV_OK;
    IDV_TRY(fixtures_open(path, &f));
    idv_rc rc = IDV_OK;
    while (rc == IDV_OK && more) {
        struct fixture one = {0};
        rc = fixtures_next(&f, &more, &one);
        *out += rc == IDV_OK && more;
        fixture_free(&one);
    }
    fixtures_close(&f);
    return rc;
}

idv_rc batch_run(struct line *l, const struct batch *b)
{
    struct crew c = {.l = l, .b = b, .more = true};
    uint64_t total;
    if (b->jobs < 1 || b->jobs > JOBS_MAX)
        return idv_fail(IDV_E_ARG, "--jobs: 1 to %d", JOBS_MAX);
    IDV_TRY(count_devices(b->fixtures, &total));
    IDV_TRY(fixtures_open(b->fixtures, &c.fixtures));
    c.workers = calloc((size_t)b->jobs, sizeof(*c.workers));
    if (!c.workers) {
        fixtures_close(&c.fixtures);
        return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    progress_begin(&c.progress, l->t, b->order, total);
    idv_rc rc = run(&c);
    for (int64_t i = 0; i < b->jobs; i++)
        idv_buf_free(&c.workers[i].line);
    free(c.workers);
    fixtures_close(&c.fixtures);
    return rc;
}
