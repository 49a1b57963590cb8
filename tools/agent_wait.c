/* SPDX-License-Identifier: Apache-2.0 */
/* The agent sleeps: until a moment, a signal, or a change by somebody else. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "notify.h"

static idv_rc failed(const char *what)
{
    return idv_fail(IDV_E_IO, "%s: %s", what, strerror(errno));
}

static void our_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

idv_rc agent_wait_open(struct agent_wait *w, const char *directory)
{
    sigset_t set;
    our_signals(&set);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return failed("sigprocmask");
    w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    w->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->signals < 0 || w->timer < 0)
        return failed("signalfd, timerfd");
    const int64_t us = tool_watchdog_us();
    w->watchdog_ms = us ? (int)(us / 2000 > 1 ? us / 2000 : 1) : -1;
    return agent_wait_files(w, directory);
}

void agent_wait_close(struct agent_wait *w)
{
    int *all[] = {&w->signals, &w->timer, &w->files};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        if (*all[i] >= 0)
            close(*all[i]);
        *all[i] = -1;
    }
}

void agent_wait_child(void)
{
    sigset_t set;
    our_signals(&set);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

idv_rc agent_wait_files(struct agent_wait *w, const char *directory)
{
    if (w->files >= 0)
        close(w->files);
    w->files = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->files < 0 ||
        inotify_add_watch(w->files, directory, IN_MOVED_TO | IN_DELETE) < 0)
        return failed(directory);
    return IDV_OK;
}

idv_rc agent_wait_until(struct agent_wait *w, int64_t at)
{
    const struct itimerspec when = {.it_value = {.tv_sec = at > 0 ? at : 0}};
    const int how = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
    if (timerfd_settime(w->timer, at > 0 ? how : 0, &when, NULL) != 0)
        return failed("timerfd");
    return IDV_OK;
}

static bool drain(int fd)
{
    char events[4096];
    bool any = false;
    while (read(fd, events, sizeof(events)) > 0)
        any = true;
    return any;
}

void agent_wait_forget(struct agent_wait *w)
{
    drain(w->files);
}

static void read_signals(const struct agent_wait *w, struct agent_woken *out)
{
    struct signalfd_siginfo s;
    while (read(w->signals, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
        if (s.ssi_signo == SIGHUP)
            out->reload = true;
        else
            out->stop = true;
    }
}

/* ECANCELED: the clock was set, which is as good a reason to look */
static bool read_timer(const struct agent_wait *w)
{
    uint64_t times;
    return read(w->timer, &times, sizeof(times)) > 0 || errno == ECANCELED;
}

idv_rc agent_wait(struct agent_wait *w, int news, struct agent_woken *out)
{
    struct pollfd p[] = {
        {.fd = w->signals, .events = POLLIN},
        {.fd = w->timer, .events = POLLIN},
        {.fd = w->files, .events = POLLIN},
        {.fd = news, .events = POLLIN},
    };
    *out = (struct agent_woken){.stop = false};
    while (poll(p, 4, w->watchdog_ms) < 0) {
        if (errno != EINTR)
            return failed("poll");
    }
    if (w->watchdog_ms >= 0)
        tool_notify("WATCHDOG=1");
    if (p[0].revents)
        read_signals(w, out);
    out->due = p[1].revents && read_timer(w);
    out->changed = p[2].revents && drain(w->files);
    out->news = p[3].revents != 0;
    return IDV_OK;
}
