/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded before the C library: each change of a file or directory below
 * FSCUT_DIR is a call as in cut.h, FSCUT_PLAN the plan. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "tests/lib/cut.h"

#define SHOW __attribute__((visibility("default")))

static struct cut cut;
static const char *below;

__attribute__((constructor)) static void begin(void)
{
    const char *plan = getenv("FSCUT_PLAN");

    below = getenv("FSCUT_DIR");
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
