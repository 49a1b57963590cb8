/* SPDX-License-Identifier: Apache-2.0 */
/* Worker processes: started, restarted with back-off, replaced, drained. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/server_int.h"

#define LIVED_MS 10000 /* a worker that lived so long died of something new */
#define BACKOFF_MAX_MS 10000
#define GRACE_MS 2000 /* beyond draining, before SIGKILL */

enum state { NONE, STARTING, READY, DRAINING };

struct proc {
    pid_t pid;
    int pipe; /* from the worker: how making it went */
    enum state state;
    int64_t since;
    unsigned reloads; /* how many there had been when it was forked */
};

/* A slot has its sockets and one process, two while it is being replaced. */
struct slot {
    struct proc now, next, old;
    int64_t retry_at; /* when now is NONE */
    int backoff_ms;
    bool stale; /* reloaded since its process was forked */
};

struct super {
    const struct idv_server_conf *conf;
    const struct idvi_sockets *sockets;
    struct slot *slot;
    size_t n;
    int signals; /* signalfd */
    unsigned reloads;
    sigset_t before;
    bool announced, stopping, reloading;
    idv_rc failed; /* the first start did */
    int64_t kill_at;
    struct idvi_asides asides;
};

/* what a worker writes once */
struct word {
    idv_rc rc;
    char note[IDV_NOTE_MAX];
};

/* --- in the worker -------------------------------------------------------- */

static void write_word(int fd, idv_rc rc)
{
    struct word w = {.rc = rc};
    snprintf(w.note, sizeof(w.note), "%s", idv_note());
    if (write(fd, &w, sizeof(w)) != (ssize_t)sizeof(w))
        idv_note_clear(); /* nobody listens any more */
    close(fd);
}

static void on_started(void *arg)
{
    int *fd = arg;
    write_word(*fd, IDV_OK);
    *fd = -1;
}

static void reset_signals(const struct super *s)
{
    struct sigaction normal = {.sa_handler = SIG_DFL};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &normal, NULL);
    sigaction(SIGCHLD, &normal, NULL);
    sigaction(SIGINT, &ignore, NULL); /* the terminal's: ours says SIGTERM */
    sigaction(SIGHUP, &ignore, NULL);
    sigprocmask(SIG_SETMASK, &s->before, NULL);
}

static void close_pipes(const struct super *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct proc *p[] = {&s->slot[i].now, &s->slot[i].next,
                                  &s->slot[i].old};
        for (size_t k = 0; k < 3; k++) {
            if (p[k]->pid && p[k]->pipe >= 0)
                close(p[k]->pipe);
        }
    }
}

/* a fork must not run what the program registered for its own end */
static _Noreturn void be_worker(struct super *s, size_t slot, int fd,
                                pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    close(s->signals);
    close_pipes(s);
    reset_signals(s);
    if (getppid() != parent)
        _exit(0);
    idv_note_clear();
    idv_rc rc = idvi_worker_run(s->conf, s->sockets, slot, on_started, &fd);
    if (rc != IDV_OK && fd >= 0)
        write_word(fd, rc);
    _exit(rc == IDV_OK ? 0 : 1);
}

/* --- in the supervisor ---------------------------------------------------- */

static idv_rc start(struct super *s, size_t slot, struct proc *p)
{
    int fd[2];
    pid_t self = getpid();
    if (pipe2(fd, O_CLOEXEC) != 0)
        return idv_fail(IDV_E_IO, "pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        close(fd[0]);
        be_worker(s, slot, fd[1], self);
    }
    close(fd[1]);
    if (pid < 0) {
        close(fd[0]);
        return idv_fail(IDV_E_IO, "fork: %s", strerror(errno));
    }
    *p = (struct proc){pid, fd[0], STARTING, idv_ticks_ms(), s->reloads};
    return IDV_OK;
}

static void forget(struct proc *p)
{
    if (p->pid && p->pipe >= 0)
        close(p->pipe);
    *p = (struct proc){.pipe = -1};
}

static void end_proc(struct proc *p)
{
    if (p->pid && p->state != DRAINING) {
        kill(p->pid, SIGTERM);
        p->state = DRAINING;
        p->since = idv_ticks_ms();
    }
}

static void stop_all(struct super *s)
{
    s->stopping = true;
    s->kill_at = idv_ticks_ms() + s->conf->drain_s * 1000 + GRACE_MS;
    for (size_t i = 0; i < s->n; i++) {
        end_proc(&s->slot[i].now);
        end_proc(&s->slot[i].next);
        end_proc(&s->slot[i].old);
    }
    idvi_asides_stop(&s->asides, SIGTERM);
}

static void kill_all(struct super *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct slot *t = &s->slot[i];
        if (t->now.pid)
            kill(t->now.pid, SIGKILL);
        if (t->next.pid)
            kill(t->next.pid, SIGKILL);
        if (t->old.pid)
            kill(t->old.pid, SIGKILL);
    }
    idvi_asides_stop(&s->asides, SIGKILL);
}

static void announce(struct super *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->slot[i].now.state != READY)
            return;
    }
    if (!s->announced && s->conf->ready)
        s->conf->ready(s->conf->arg, s->sockets->bound,
                       s->sockets->n + s->sockets->monitor.n +
                           s->sockets->public.n + s->sockets->front.n);
    s->announced = true;
}

static void retry_later(struct slot *t)
{
    t->retry_at = idv_ticks_ms() + t->backoff_ms;
    t->backoff_ms = t->backoff_ms ? t->backoff_ms * 2 : 100;
    if (t->backoff_ms > BACKOFF_MAX_MS)
        t->backoff_ms = BACKOFF_MAX_MS;
}

static void log_word(const struct super *s, size_t slot, const struct word *w)
{
    idv_log(s->conf->env, IDV_LOG_ERROR, "worker-failed",
            "slot=%zu class=%s reason=%s", slot, idv_rc_name(w->rc),
            idv_log_value(w->note));
}

static void stay(struct super *s)
{
    for (size_t i = 0; i < s->n; i++)
        s->slot[i].stale = false;
}

/* the worker of p is made, or says why not (it ends by itself then) */
static void hear(struct super *s, size_t slot, struct proc *p)
{
    struct slot *t = &s->slot[slot];
    struct word w = {.rc = IDV_E_STATE};
    ssize_t n = read(p->pipe, &w, sizeof(w));
    close(p->pipe);
    p->pipe = -1;
    if (n != (ssize_t)sizeof(w))
        snprintf(w.note, sizeof(w.note), "worker ended before it was made");
    w.note[sizeof(w.note) - 1] = 0;
    if (w.rc != IDV_OK) {
        if (p == &t->next && p->reloads == s->reloads)
            stay(s); /* the others would fare no better */
        if (s->announced)
            log_word(s, slot, &w);
        else if (s->failed == IDV_OK && !s->stopping)
            s->failed = idv_fail(w.rc, "%s", w.note);
        return;
    }
    if (p->state == STARTING)
        p->state = READY;
    if (s->conf->started)
        s->conf->started(s->conf->arg, (unsigned)slot, p->pid);
    if (p == &t->next) { /* it has taken over */
        end_proc(&t->now);
        t->old = t->now;
        t->now = t->next;
        t->next = (struct proc){.pipe = -1};
    }
    announce(s);
}

static void ended(struct super *s, pid_t pid, int status)
{
    idvi_board_leave(s->conf->board, (int)pid);
    for (size_t i = 0; i < s->n; i++) {
        struct slot *t = &s->slot[i];
        if (t->old.pid == pid)
            forget(&t->old);
        if (t->next.pid == pid) {
            if (t->next.pipe >= 0)
                hear(s, i, &t->next);
            forget(&t->next);
        }
        if (t->now.pid != pid)
            continue;
        if (t->now.pipe >= 0)
            hear(s, i, &t->now);
        if (!s->stopping)
            idv_log(s->conf->env, IDV_LOG_ERROR, "worker-ended",
                    "slot=%zu pid=%d %s=%d", i, (int)pid,
                    WIFSIGNALED(status) ? "signal" : "status",
                    WIFSIGNALED(status) ? WTERMSIG(status)
                                        : WEXITSTATUS(status));
        if (idv_ticks_ms() - t->now.since > LIVED_MS)
            t->backoff_ms = 0;
        forget(&t->now);
        retry_later(t);
    }
}

/* only our own: other children of the program are not ours to reap */
static void reap(struct super *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct slot *t = &s->slot[i];
        pid_t pids[] = {t->now.pid, t->next.pid, t->old.pid};
        for (size_t k = 0; k < 3; k++) {
            int status;
            if (pids[k] > 0 && waitpid(pids[k], &status, WNOHANG) == pids[k])
                ended(s, pids[k], status);
        }
    }
    idvi_asides_reap(&s->asides);
}

static void reload(struct super *s)
{
    idv_note_clear();
    idv_rc rc = s->conf->reload ? s->conf->reload(s->conf->arg) : IDV_OK;
    for (size_t i = 0; i < s->n && rc == IDV_OK; i++)
        s->slot[i].stale = true;
    s->reloads++;
    s->reloading = true;
    if (rc != IDV_OK)
        idv_log_failure(s->conf->env, "reload-failed", rc);
    else {
        idvi_asides_renew(&s->asides);
        idv_log(s->conf->env, IDV_LOG_INFO, "reload", "workers=%zu", s->n);
    }
}

static void on_signals(struct super *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            reap(s);
        else if (info.ssi_signo == SIGHUP && !s->stopping)
            reload(s);
        else if (info.ssi_signo != SIGHUP && !s->stopping)
            stop_all(s);
    }
}

/* A wrong PIN is to be tried by one worker, not by every one: at first, and
 * after a reload, they are made one after another. */
static bool one_is_made(const struct super *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct slot *t = &s->slot[i];
        if ((t->now.pid && t->now.state == STARTING) || t->next.pid)
            return true;
    }
    return false;
}

static bool is_missing(const struct super *s, const struct slot *t)
{
    return !t->now.pid && (s->announced || !one_is_made(s));
}

/* workers that are missing, and those that a reload made stale */
static idv_rc start_due(struct super *s)
{
    int64_t now = idv_ticks_ms();
    for (size_t i = 0; i < s->n; i++) {
        struct slot *t = &s->slot[i];
        bool missing = is_missing(s, t) && now >= t->retry_at;
        bool replace =
            t->stale && t->now.state == READY && !t->old.pid && !one_is_made(s);
        if (!missing && !replace)
            continue;
        t->stale = false;
        IDV_TRY(start(s, i, missing ? &t->now : &t->next));
    }
    return IDV_OK;
}

static int64_t old_until(const struct super *s, const struct slot *t)
{
    return t->old.since + s->conf->drain_s * 1000 + GRACE_MS;
}

/* one that does not drain, because a device call hangs */
static void kill_overdue(struct super *s)
{
    int64_t now = idv_ticks_ms();
    for (size_t i = 0; i < s->n; i++) {
        const struct slot *t = &s->slot[i];
        if (t->old.pid && now >= old_until(s, t))
            kill(t->old.pid, SIGKILL);
    }
    if (s->stopping && now >= s->kill_at)
        kill_all(s);
}

/* milliseconds until something is due; -1: nothing */
static int until_due(const struct super *s)
{
    int64_t now = idv_ticks_ms(), at = s->stopping ? s->kill_at : INT64_MAX;
    for (size_t i = 0; i < s->n && !s->stopping; i++) {
        const struct slot *t = &s->slot[i];
        if (is_missing(s, t) && t->retry_at < at)
            at = t->retry_at;
        if (t->old.pid && old_until(s, t) < at)
            at = old_until(s, t);
    }
    if (s->announced && idvi_asides_due(&s->asides) < at)
        at = idvi_asides_due(&s->asides);
    if (at == INT64_MAX)
        return -1;
    return at <= now ? 0 : (int)(at - now);
}

static bool any_left(const struct super *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->slot[i].now.pid || s->slot[i].next.pid || s->slot[i].old.pid)
            return true;
    }
    return idvi_asides_left(&s->asides);
}

/* the last reload is over when nobody serves by what was before it: one that
 * drains still answers to whom it has a connection */
static void settle(struct super *s)
{
    for (size_t i = 0; i < s->n && s->reloading; i++) {
        const struct slot *t = &s->slot[i];
        if (t->stale || t->next.pid || t->old.pid || t->now.state != READY)
            return;
    }
    if (s->reloading && s->conf->reloaded)
        s->conf->reloaded(s->conf->arg);
    s->reloading = false;
}

/* signals, the stop descriptor, and the pipes of those being made */
static idv_rc wait_for_news(struct super *s, struct pollfd *p)
{
    size_t n = 2;
    p[0] = (struct pollfd){s->signals, POLLIN, 0};
    p[1] = (struct pollfd){-1, POLLIN, 0};
    if (s->conf->stop_fd > 0 && !s->stopping)
        p[1].fd = s->conf->stop_fd;
    for (size_t i = 0; i < s->n; i++) {
        p[n++] = (struct pollfd){s->slot[i].now.pid ? s->slot[i].now.pipe : -1,
                                 POLLIN, 0};
        p[n++] = (struct pollfd){
            s->slot[i].next.pid ? s->slot[i].next.pipe : -1, POLLIN, 0};
    }
    if (poll(p, n, until_due(s)) < 0 && errno != EINTR)
        return idv_fail(IDV_E_IO, "poll: %s", strerror(errno));
    return IDV_OK;
}

static idv_rc turn(struct super *s, struct pollfd *p)
{
    if (!s->stopping)
        IDV_TRY(start_due(s));
    settle(s);
    if (s->announced)
        idvi_asides_begin(&s->asides);
    IDV_TRY(wait_for_news(s, p));
    for (size_t i = 0; i < s->n; i++) {
        if (p[3 + 2 * i].revents)
            hear(s, i, &s->slot[i].next);
        if (p[2 + 2 * i].revents)
            hear(s, i, &s->slot[i].now);
    }
    if (p[1].revents && !s->stopping)
        stop_all(s);
    if (p[0].revents)
        on_signals(s);
    if (s->failed != IDV_OK && !s->stopping)
        stop_all(s);
    kill_overdue(s);
    return IDV_OK;
}

static idv_rc run(struct super *s)
{
    struct pollfd *p = calloc(2 + 2 * s->n, sizeof(*p));
    idv_rc rc = p ? IDV_OK : idv_fail(IDV_E_NOMEM, "out of memory");
    while (rc == IDV_OK && !(s->stopping && !any_left(s)))
        rc = turn(s, p);
    free(p);
    if (rc == IDV_OK)
        return s->failed;
    kill_all(s); /* cannot watch them any more */
    while (any_left(s))
        reap(s);
    return rc;
}

idv_rc idvi_supervise(const struct idv_server_conf *conf,
                      const struct idvi_sockets *sockets)
{
    struct super s = {.conf = conf, .sockets = sockets, .n = sockets->slots};
    s.asides = (struct idvi_asides){
        .conf = conf, .sockets = sockets, .mask = &s.before};
    IDV_TRY(idvi_asides_init(&s.asides));
    sigset_t mine;
    sigemptyset(&mine);
    sigaddset(&mine, SIGTERM);
    sigaddset(&mine, SIGINT);
    sigaddset(&mine, SIGHUP);
    sigaddset(&mine, SIGCHLD);
    s.slot = calloc(s.n, sizeof(*s.slot));
    if (!s.slot) {
        idvi_asides_free(&s.asides);
        return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    pthread_sigmask(SIG_BLOCK, &mine, &s.before);
    s.signals = signalfd(-1, &mine, SFD_NONBLOCK | SFD_CLOEXEC);
    idv_rc rc = s.signals >= 0
                    ? run(&s)
                    : idv_fail(IDV_E_IO, "signalfd: %s", strerror(errno));
    if (s.signals >= 0)
        close(s.signals);
    pthread_sigmask(SIG_SETMASK, &s.before, NULL);
    free(s.slot);
    idvi_asides_free(&s.asides);
    return rc;
}
