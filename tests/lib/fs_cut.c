/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded before the C library: each change of a file or directory below
 * FSCUT_DIR is a call as in cut.h, FSCUT_PLAN the plan. With FSCUT_DATA what a
 * database does to its files is, too: sync, each time that it waits for the
 * disk; write, each write as well. Then a plan may come later, too, and counts
 * from there. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "tests/lib/cut.h"

#define SHOW __attribute__((visibility("default")))

static struct cut cut;
static const char *below;
static const char *data; /* NULL: not */

__attribute__((constructor)) static void begin(void)
{
    const char *plan = getenv("FSCUT_PLAN");

    below = getenv("FSCUT_DIR");
    data = getenv("FSCUT_DATA");
    if (plan != NULL && below != NULL)
        cut_read(&cut, plan);
}

static int ours(const char *path)
{
    return below != NULL && strncmp(path, below, strlen(below)) == 0;
}

static int ours_by_fd(int fd)
{
    char link[64], path[512];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = 0;
    return ours(path);
}

/* The real NAME with its arguments, between the two places for a cut. */
#define CHANGE(name, is_ours, parameters, arguments)                           \
    SHOW int name parameters                                                   \
    {                                                                          \
        int(*real) parameters;                                                 \
        const int counts = is_ours;                                            \
        int rc;                                                                \
                                                                               \
        *(void **)(void *)&real = dlsym(RTLD_NEXT, #name);                     \
        if (counts)                                                            \
            cut_before(&cut);                                                  \
        rc = real arguments;                                                   \
        if (counts)                                                            \
            cut_after(&cut);                                                   \
        return rc;                                                             \
    }
CHANGE(rename, ours(to), (const char *from, const char *to), (from, to))
CHANGE(link, ours(to), (const char *from, const char *to), (from, to))
CHANGE(unlink, ours(path), (const char *path), (path))
CHANGE(unlinkat, ours_by_fd(at), (int at, const char *path, int flags),
       (at, path, flags))
CHANGE(mkdir, ours(path), (const char *path, mode_t mode), (path, mode))
CHANGE(fsync, ours_by_fd(fd), (int fd), (fd))

/* a change of data, which a plan that has come meanwhile may be about */
static int data_of(int fd, int writes)
{
    if (data == NULL || getenv("FSCUT_PLAN") == NULL ||
        (writes && strcmp(data, "write") != 0) || !ours_by_fd(fd))
        return 0;
    if (cut.at == 0)
        cut_read(&cut, getenv("FSCUT_PLAN"));
    return 1;
}

CHANGE(fdatasync, data_of(fd, 0), (int fd), (fd))

SHOW ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    ssize_t (*real)(int, const void *, size_t, off64_t);
    const int counts = data_of(fd, 1);
    ssize_t done;

    *(void **)(void *)&real = dlsym(RTLD_NEXT, "pwrite64");
    if (counts)
        cut_before(&cut);
    done = real(fd, p, n, at);
    if (counts)
        cut_after(&cut);
    return done;
}
