/* SPDX-License-Identifier: Apache-2.0 */
/* Children of a fork that sign, and their parent, who looks at what they
 * write and how they end. */
#ifndef CHILDREN_H
#define CHILDREN_H

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/hwk_test.h"

/* asked by LeakSanitizer: what the parent's threads hold looks lost in a child
 */
static int is_child;
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return is_child;
}

/* A child signs, and its parent, whose libcrypto no thread has left in the
 * middle of something, verifies. */
static inline int signs_to(struct world *w, EVP_PKEY *key, int fd)
{
    uint8_t sig[1024];
    size_t n = sign_msg(w, key, "SHA256", NO_PSS, "child", 5, sig, sizeof(sig));

    return n > 0 && write(fd, sig, n) == (ssize_t)n;
}

static inline int verified_from(EVP_PKEY *key, int fd)
{
    uint8_t sig[1024];
    ssize_t n = read(fd, sig, sizeof(sig));

    return n > 0 &&
           verify_msg(key, "SHA256", NO_PSS, "child", 5, sig, (size_t)n);
}

struct child {
    pid_t pid;
    int fd; /* what it writes */
};

static struct child spawn(int (*run)(int fd))
{
    struct child c;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    fflush(NULL);
    c.pid = fork();
    if (c.pid == 0) {
        is_child = 1;
        signal(SIGSEGV, SIG_DFL); /* cmocka would go on with the next test */
        close(fds[0]);
        _exit(run(fds[1]));
    }
    assert_true(c.pid > 0);
    close(fds[1]);
    c.fd = fds[0];
    return c;
}

static int status_of(struct child *c)
{
    int status = -1;

    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    close(c->fd);
    return status;
}

#define assert_ended_well(c)                                                   \
    do {                                                                       \
        int status_ = status_of(c);                                            \
        assert_true(WIFEXITED(status_) && WEXITSTATUS(status_) == 0);          \
    } while (0)

#define assert_killed(c)                                                       \
    do {                                                                       \
        int status_ = status_of(c);                                            \
        assert_true(WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL);     \
    } while (0)

#endif
