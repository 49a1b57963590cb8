/* SPDX-License-Identifier: Apache-2.0 */
/* Processes beside the workers: begun, begun again, ended. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/server_int.h"

#define LIVED_MS 10000 /* one that lived so long ended of something new */
#define BACKOFF_MAX_MS 60000

/* only the supervisor keeps what is listened on */
static void close_sockets(const struct idvi_sockets *s)
{
    for (size_t i = 0; i < s->slots * s->n; i++)
        close(s->fd[i]);
    if (s->admin >= 0)
        close(s->admin);
}

static void reset_signals(const struct idvi_asides *s)
{
    static const int normal[] = {SIGTERM, SIGCHLD};
    static const int ignored[] = {SIGINT, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < 2; i++)
        signal(normal[i], SIG_DFL);
    for (size_t i = 0; i < 3; i++)
        signal(ignored[i], SIG_IGN);
    sigprocmask(SIG_SETMASK, s->mask, NULL);
}

static _Noreturn void be_aside(const struct idvi_asides *s,
                               const struct idv_server_aside *what,
                               pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_NAME, what->name);
    reset_signals(s);
    if (getppid() != parent)
        _exit(0);
    close_sockets(s->sockets);
    idv_note_clear();
    idv_rc rc = what->run(what->arg, s->sockets->bound, s->sockets->n);
    if (rc != IDV_OK)
        idv_log_failure(s->conf->env, what->name, rc);
    _exit(rc == IDV_OK ? 0 : 1);
}

static void retry_later(struct idvi_aside *a)
{
    a->retry_at = idv_ticks_ms() + a->backoff_ms;
    a->backoff_ms = a->backoff_ms ? a->backoff_ms * 2 : 500;
    if (a->backoff_ms > BACKOFF_MAX_MS)
        a->backoff_ms = BACKOFF_MAX_MS;
}

static void begin(const struct idvi_asides *s, size_t i)
{
    struct idvi_aside *a = &s->at[i];
    pid_t self = getpid();
    a->since = idv_ticks_ms();
    a->pid = fork();
    if (a->pid == 0)
        be_aside(s, &s->conf->asides[i], self);
    if (a->pid > 0)
        return;
    a->pid = 0;
    idv_log(s->conf->env, IDV_LOG_ERROR, "aside-failed", "name=%s reason=%s",
            s->conf->asides[i].name, idv_log_value(strerror(errno)));
    retry_later(a);
}

static bool is_missing(const struct idvi_asides *s, size_t i)
{
    const struct idv_server_aside *what = &s->conf->asides[i];
    return !s->stopping && !s->at[i].pid &&
           (!what->wanted || what->wanted(what->arg));
}

void idvi_asides_begin(struct idvi_asides *s)
{
    int64_t now = idv_ticks_ms();
    for (size_t i = 0; i < s->conf->asides_n; i++) {
        if (is_missing(s, i) && now >= s->at[i].retry_at)
            begin(s, i);
    }
}

int64_t idvi_asides_due(const struct idvi_asides *s)
{
    int64_t at = INT64_MAX;
    for (size_t i = 0; i < s->conf->asides_n; i++) {
        if (is_missing(s, i) && s->at[i].retry_at < at)
            at = s->at[i].retry_at;
    }
    return at;
}

static void ended(const struct idvi_asides *s, size_t i, int status)
{
    struct idvi_aside *a = &s->at[i];
    bool renewed = a->retry_at < 0;
    a->pid = 0;
    a->retry_at = 0;
    if (s->stopping || renewed)
        return;
    idv_log(s->conf->env, IDV_LOG_WARN, "aside-ended", "name=%s %s=%d",
            s->conf->asides[i].name, WIFSIGNALED(status) ? "signal" : "status",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    if (idv_ticks_ms() - a->since > LIVED_MS)
        a->backoff_ms = 0;
    retry_later(a);
}

void idvi_asides_reap(struct idvi_asides *s)
{
    for (size_t i = 0; i < s->conf->asides_n; i++) {
        int status;
        pid_t pid = s->at[i].pid;
        if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid)
            ended(s, i, status);
    }
}

void idvi_asides_renew(struct idvi_asides *s)
{
    for (size_t i = 0; i < s->conf->asides_n; i++) {
        if (!s->at[i].pid)
            continue;
        s->at[i].retry_at = -1; /* not of itself */
        kill(s->at[i].pid, SIGTERM);
    }
}

void idvi_asides_stop(struct idvi_asides *s, int signal)
{
    s->stopping = true;
    for (size_t i = 0; i < s->conf->asides_n; i++) {
        if (s->at[i].pid)
            kill(s->at[i].pid, signal);
    }
}

bool idvi_asides_left(const struct idvi_asides *s)
{
    for (size_t i = 0; i < s->conf->asides_n; i++) {
        if (s->at[i].pid)
            return true;
    }
    return false;
}

idv_rc idvi_asides_init(struct idvi_asides *s)
{
    size_t n = s->conf->asides_n;
    s->at = calloc(n ? n : 1, sizeof(*s->at));
    return s->at ? IDV_OK : idv_fail(IDV_E_NOMEM, "out of memory");
}

void idvi_asides_free(struct idvi_asides *s)
{
    free(s->at);
    s->at = NULL;
}
