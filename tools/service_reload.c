/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: a configuration is tried in a process of its own, and taken over
 * when keys, certificates, makers and database are in order there. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service.h"

#define LIMIT_S 60 /* a token that hangs */

struct word {
    idv_rc rc;
    char note[IDV_NOTE_MAX];
};

/* devices must not be opened in the process that forks the workers */
static _Noreturn void try_apart(const struct service *s, int fd)
{
    struct word w = {.rc = IDV_OK};
    alarm(LIMIT_S);
    idv_note_clear();
    w.rc = service_probe(s);
    snprintf(w.note, sizeof(w.note), "%s", idv_note());
    _exit(write(fd, &w, sizeof(w)) == (ssize_t)sizeof(w) ? 0 : 1);
}

static idv_rc hear(int fd, pid_t pid)
{
    struct word w = {.rc = IDV_E_STATE};
    ssize_t n = read(fd, &w, sizeof(w));
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (n != (ssize_t)sizeof(w))
        return idv_fail(IDV_E_STATE, "trying the configuration did not end");
    w.note[sizeof(w.note) - 1] = 0;
    return w.rc == IDV_OK ? IDV_OK : idv_fail(w.rc, "%s", w.note);
}

static idv_rc probe(const struct service *s)
{
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) != 0)
        return idv_fail(IDV_E_IO, "pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        try_apart(s, fd[1]);
    close(fd[1]);
    idv_rc rc = pid > 0 ? hear(fd[0], pid)
                        : idv_fail(IDV_E_IO, "fork: %s", strerror(errno));
    close(fd[0]);
    return rc;
}

/* The program's structure is filled in place: it is known by its address. */
static idv_rc take(struct service *s, const void *next)
{
    struct tool *t = s->tool;
    memcpy(t->conf, next, s->conf_size);
    return t->configure ? t->configure(t) : IDV_OK;
}

static idv_rc try_new(struct service *s, void *next, const void *before)
{
    idv_rc rc = take(s, next);
    if (rc == IDV_OK)
        rc = probe(s);
    if (rc == IDV_OK)
        return IDV_OK;
    if (take(s, before) != IDV_OK)
        return idv_fail_within(rc, "and the one before cannot be used again");
    return rc;
}

idv_rc service_reload(void *service)
{
    struct service *s = service;
    struct tool *t = s->tool;
    void *next = calloc(1, s->conf_size), *before = malloc(s->conf_size);
    idv_rc rc =
        next && before ? IDV_OK : idv_fail(IDV_E_NOMEM, "out of memory");
    if (rc == IDV_OK) {
        memcpy(before, t->conf, s->conf_size);
        rc = tool_read_conf(t, next);
    }
    if (rc == IDV_OK) {
        rc = try_new(s, next, before);
        void *old = rc == IDV_OK ? before : next;
        if (rc != IDV_OK || s->kept) /* the first: sockets have its names */
            idv_conf_free(t->conf_table, old);
        else {
            s->kept = before;
            before = NULL;
        }
    }
    free(next);
    free(before);
    return rc;
}
