/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of the administrator that are run when something has happened. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* close_range */
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <idevid/text.h>

#include "hooks.h"
#include "tool.h"

#define WRITABLE_BY_OTHERS (S_IWGRP | S_IWOTH)

/* --- which ---------------------------------------------------------------- */

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);
    return n >= e && strcmp(name + n - e, end) == 0;
}

static int is_named_so(const struct dirent *e)
{
    const char *name = e->d_name;
    return name[0] != '.' && !ends_in(name, "~") && !ends_in(name, ".bak") &&
           !strstr(name, ".dpkg-") && !strstr(name, ".rpm");
}

static idv_rc check_owner(const struct stat *st, const char *path)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return idv_fail(IDV_E_REJECT, "%s: belongs to user %u, not to root",
                        path, (unsigned)st->st_uid);
    if (st->st_mode & WRITABLE_BY_OTHERS)
        return idv_fail(IDV_E_REJECT, "%s: its group or others may write to it",
                        path);
    return IDV_OK;
}

static idv_rc check_file(const char *path, bool *executable)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return idv_fail(IDV_E_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return idv_fail(IDV_E_REJECT, "%s: is no regular file", path);
    *executable = (st.st_mode & S_IXUSR) != 0;
    return *executable ? check_owner(&st, path) : IDV_OK;
}

/* --- one ------------------------------------------------------------------ */

/* in the child: nothing but the three descriptors, signals as they come */
static void become(char *path, char *const *environment)
{
    char *const argv[] = {path, NULL};
    sigset_t none;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (setpgid(0, 0) != 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        _exit(126);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execve(path, argv, environment);
    _exit(127);
}

/* Has it ended within its time? */
static bool wait_for(int pidfd, int seconds)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    const int64_t end = tool_ms() + (int64_t)seconds * 1000;
    for (;;) {
        const int64_t left = end - tool_ms();
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        if (n > 0)
            return true;
        if (n == 0 || errno != EINTR)
            return false;
    }
}

static idv_rc judge_end(const char *path, bool in_time, int status)
{
    if (!in_time)
        return idv_fail(IDV_E_TIMEOUT, "%s: took too long and was ended", path);
    if (WIFSIGNALED(status))
        return idv_fail(IDV_E_IO, "%s: ended by signal %d", path,
                        WTERMSIG(status));
    if (WEXITSTATUS(status) == 127)
        return idv_fail(IDV_E_IO, "%s: cannot be run, or ended with 127", path);
    if (WEXITSTATUS(status) != 0)
        return idv_fail(IDV_E_IO, "%s: ended with %d", path,
                        WEXITSTATUS(status));
    return IDV_OK;
}

static idv_rc run_one(char *path, int seconds, char *const *environment)
{
    int status = 0;
    bool executable;
    IDV_TRY(check_file(path, &executable));
    if (!executable)
        return IDV_OK;
    fflush(NULL);
    const pid_t pid = fork();
    if (pid < 0)
        return idv_fail(IDV_E_IO, "%s: fork: %s", path, strerror(errno));
    if (pid == 0)
        become(path, environment);
    setpgid(pid, pid); /* whoever of the two comes first */
    const int pidfd = pidfd_open(pid, 0);
    const bool in_time = pidfd >= 0 && wait_for(pidfd, seconds);
    if (!in_time)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pidfd >= 0)
        close(pidfd);
    return judge_end(path, in_time, status);
}

/* --- all ------------------------------------------------------------------ */

static bool run_named(const struct idv_env *env, const char *dir,
                      const char *name, int seconds, char *const *environment)
{
    char path[1024];
    idv_rc rc = IDV_E_LIMIT;
    if (snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path))
        rc = run_one(path, seconds, environment);
    if (rc == IDV_OK) {
        idv_log(env, IDV_LOG_INFO, "hook", "program=%s", idv_log_value(name));
        return true;
    }
    idv_log(env, IDV_LOG_ERROR, "hook-failed", "program=%s reason=%s",
            idv_log_value(name), idv_log_value(idv_note()));
    idv_note_clear();
    return false;
}

static bool trusted_directory(const struct idv_env *env, const char *dir)
{
    struct stat st;
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return false; /* there are none */
    if (check_owner(&st, dir) == IDV_OK)
        return true;
    idv_log(env, IDV_LOG_ERROR, "hooks-refused", "reason=%s",
            idv_log_value(idv_note()));
    idv_note_clear();
    return false;
}

int tool_hooks_run(const struct idv_env *env, const char *dir, int seconds,
                   char *const *environment)
{
    struct dirent **names = NULL;
    int failed = 0;
    if (!dir || !trusted_directory(env, dir))
        return 0;
    const int n = scandir(dir, &names, is_named_so, alphasort);
    for (int i = 0; i < n; i++) {
        if (!run_named(env, dir, names[i]->d_name, seconds, environment))
            failed++;
        free(names[i]);
    }
    free(names);
    return failed;
}
