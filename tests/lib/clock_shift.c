/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded, it puts the clock of a program CLOCK_SHIFT seconds ahead. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

static time_t shift(void)
{
    const char *s = getenv("CLOCK_SHIFT");
    return s ? (time_t)strtoll(s, NULL, 10) : 0;
}

SEEN int clock_gettime(clockid_t id, struct timespec *t)
{
    if (syscall(SYS_clock_gettime, id, t) != 0)
        return -1;
    if (id == CLOCK_REALTIME)
        t->tv_sec += shift();
    return 0;
}

SEEN time_t time(time_t *out)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_REALTIME, &t);
    if (out)
        *out = t.tv_sec;
    return t.tv_sec;
}

SEEN int gettimeofday(struct timeval *tv, void *zone)
{
    struct timespec t = {0};
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &t);
    tv->tv_sec = t.tv_sec;
    tv->tv_usec = t.tv_nsec / 1000;
    return 0;
}
