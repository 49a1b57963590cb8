/* SPDX-License-Identifier: Apache-2.0 */
/* What "make check" does some of, and "make check-long" all: its programs find
 * IDEVID_LONG=1 in the environment. */
#ifndef TESTS_LONG_H
#define TESTS_LONG_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* all of it? */
static inline bool long_run(void)
{
    const char *s = getenv("IDEVID_LONG");
    return s && *s && strcmp(s, "0") != 0;
}

/* Does it fall to this process? With IDEVID_SHARE=K/N in the environment to the
 * K-th of N from 0 on, each of which does every N-th; without to the only one.
 */
static inline bool long_share(size_t number)
{
    const char *s = getenv("IDEVID_SHARE");
    unsigned k, n;
    return !s || sscanf(s, "%u/%u", &k, &n) != 2 || n == 0 || number % n == k;
}

/* Is it the turn of one of so many? Every one in a long run, else one in each
 * so many from the first call on; *turn counts the calls, from anywhere. */
static inline bool long_turn(unsigned *turn, unsigned many)
{
    return (*turn)++ % many == 0 || long_run();
}

#endif
