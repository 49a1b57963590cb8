/* SPDX-License-Identifier: Apache-2.0 */
/* A worker, from outside: begun, given jobs, heard, ended. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "factory_worker.h"

#define DISMISS_MS 10000

extern char **environ;

/* --- what it is begun with -------------------------------------------------
 */

static idv_rc put_option(char ***argv, const char *name, const char *value)
{
    if (!value || !*value)
        return IDV_OK;
    IDV_TRY(idv_list_add(argv, idv_str(name)));
    return idv_list_add(argv, idv_str(value));
}

static idv_rc arguments(const struct worker_conf *c, char ***argv)
{
    static const char *const fixed[] = {"idevid-factory", "provision"};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
        IDV_TRY(idv_list_add(argv, idv_str(fixed[i])));
    IDV_TRY(idv_list_add(argv, idv_str(c->dir)));
    IDV_TRY(idv_list_add(argv, idv_str("--json")));
    IDV_TRY(idv_list_add(argv, idv_str("--worker")));
    IDV_TRY(put_option(argv, "--conf", c->conf_path));
    IDV_TRY(put_option(argv, "--order", c->order));
    IDV_TRY(put_option(argv, "--operator", c->operator_));
    for (const char *const *p = c->pass; p && *p; p++)
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

/* --- its beginning ---------------------------------------------------------
 */

static idv_rc pipe_new(int out[2])
{
    if (pipe(out) != 0)
        return idv_fail(IDV_E_IO, "pipe: %s", strerror(errno));
    fcntl(out[0], F_SETFD, FD_CLOEXEC);
    fcntl(out[1], F_SETFD, FD_CLOEXEC);
    return IDV_OK;
}

static void pipe_close(int both[2])
{
    close(both[0]);
    close(both[1]);
}

static idv_rc pipes(int in[2], int out[2])
{
    IDV_TRY(pipe_new(in));
    idv_rc rc = pipe_new(out);
    if (rc != IDV_OK)
        pipe_close(in);
    return rc;
}

static idv_rc spawn(char **argv, char **env, struct worker *w)
{
    posix_spawn_file_actions_t act;
    int in[2], out[2];
    IDV_TRY(pipes(in, out));
    posix_spawn_file_actions_init(&act);
    posix_spawn_file_actions_adddup2(&act, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&act, out[1], STDOUT_FILENO);
    const int err =
        posix_spawn(&w->pid, "/proc/self/exe", &act, NULL, argv, env);
    posix_spawn_file_actions_destroy(&act);
    close(in[0]);
    close(out[1]);
    w->in = in[1];
    w->out = out[0];
    if (!err)
        return IDV_OK;
    close(w->in);
    close(w->out);
    w->pid = 0;
    return idv_fail(IDV_E_IO, "a worker: %s", strerror(err));
}

static idv_rc keep(struct idv_buf *to, const char *text)
{
    idv_buf_clear(to);
    return idv_buf_put(to, idv_bytes(text, strlen(text) + 1));
}

static idv_rc begin(struct worker *w, const struct worker_conf *c)
{
    char **argv = NULL, **env = NULL;
    idv_rc rc = keep(&w->module, fixture_text(&w->fixture, FIXTURE_MODULE));
    if (rc == IDV_OK)
        rc = keep(&w->pins, fixture_text(&w->fixture, FIXTURE_PIN_FILE));
    if (rc == IDV_OK)
        rc = arguments(c, &argv);
    if (rc == IDV_OK)
        rc = environment(&w->fixture, &env);
    if (rc == IDV_OK)
        rc = spawn(argv, env, w);
    idv_list_free(argv);
    idv_list_free(env);
    w->line.n = 0;
    w->line.max = WORKER_LINE_MAX;
    return rc;
}

/* --- its jobs --------------------------------------------------------------
 */

bool worker_fits(const struct worker *w, const struct fixture *f)
{
    return w->pid && !w->busy &&
           strcmp((const char *)w->module.p, fixture_text(f, FIXTURE_MODULE)) ==
               0 &&
           strcmp((const char *)w->pins.p, fixture_text(f, FIXTURE_PIN_FILE)) ==
               0;
}

static idv_rc job_text(const struct worker *w, struct idv_buf *out)
{
    static const enum fixture_column told[] = {FIXTURE_NAME, FIXTURE_DEVICE,
                                               FIXTURE_TCTI, FIXTURE_SERIAL,
                                               FIXTURE_POWER_CYCLE};
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++)
        IDV_TRY(tool_put_text(o, fixture_name(told[i]),
                              fixture_text(&w->fixture, told[i])));
    if (w->asked)
        IDV_TRY(idv_json_set(o, WORKER_ASKED, idv_json_new_bool(true)));
    IDV_TRY(idv_json_dump(o, false, out));
    return idv_buf_put(out, idv_str("\n"));
}

static idv_rc write_all(int fd, struct idv_bytes text)
{
    while (text.n) {
        const ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return idv_fail(IDV_E_IO, "a worker: %s", strerror(errno));
        text = idv_bytes(text.p + n, text.n - (size_t)n);
    }
    return IDV_OK;
}

/* One that is gone since it said that it was ready is told by its output. */
idv_rc worker_give(struct worker *w, const struct worker_conf *c)
{
    IDV_AUTO(buf) job = {0};
    const bool older = *idv_note();
    IDV_TRY(job_text(w, &job));
    w->waited = w->pid;
    if (!w->waited)
        IDV_TRY(begin(w, c));
    w->busy = true;
    w->taken = w->ended = w->failed = false;
    w->tries++;
    if (write_all(w->in, idv_view(&job)) != IDV_OK && !older)
        idv_note_clear();
    return IDV_OK;
}

bool worker_missed(const struct worker *w)
{
    return w->busy && w->waited && !w->taken;
}

/* --- what it says ----------------------------------------------------------
 */

bool worker_hear(struct worker *w)
{
    uint8_t some[4096];
    const ssize_t n = read(w->out, some, sizeof(some));
    if (n < 0 && errno == EINTR)
        return true;
    if (n > 0 && idv_buf_put(&w->line, idv_bytes(some, (size_t)n)) == IDV_OK)
        return true;
    if (n > 0) { /* a line without an end: nobody of ours */
        idv_note_clear();
        kill(w->pid, SIGKILL);
    }
    return false;
}

bool worker_line(struct worker *w, struct idv_buf *line)
{
    uint8_t *end = w->line.n ? memchr(w->line.p, '\n', w->line.n) : NULL;
    idv_buf_clear(line);
    if (!end)
        return false;
    const size_t len = (size_t)(end - w->line.p);
    const bool kept = idv_buf_put(line, idv_bytes(w->line.p, len)) == IDV_OK;
    if (!kept)
        idv_note_clear();
    memmove(w->line.p, end + 1, w->line.n - len - 1);
    w->line.n -= len + 1;
    return kept;
}

/* --- its end ---------------------------------------------------------------
 */

int worker_reap(struct worker *w)
{
    int status = 0;
    if (w->in >= 0)
        close(w->in);
    close(w->out);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    w->pid = 0;
    w->in = w->out = -1;
    return status;
}

/* until its output ends; false: it does not */
static bool drained(int fd)
{
    const int64_t until = tool_ms() + DISMISS_MS;
    char some[512];
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        const int64_t left = until - tool_ms();
        if (left <= 0)
            return false;
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        const ssize_t n = read(fd, some, sizeof(some));
        if (n == 0 || (n < 0 && errno != EINTR))
            return true;
    }
}

void worker_dismiss(struct worker *w)
{
    if (!w->pid)
        return;
    close(w->in);
    w->in = -1;
    if (!drained(w->out))
        kill(w->pid, SIGKILL);
    worker_reap(w);
}

void worker_free(struct worker *w)
{
    worker_dismiss(w);
    fixture_free(&w->fixture);
    idv_buf_free(&w->module);
    idv_buf_free(&w->pins);
    idv_buf_free(&w->line);
}
