/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts of a line: at which call to its device a worker, or the device's power,
 * is gone. A plan is a file of one line,
 *
 *   NUMBER before | NUMBER after | NUMBER power COMMAND | NUMBER erase
 *
 * for the call with that number, from 1, of a process to that device: SIGKILL
 * before it or after it, or COMMAND instead of it; erase counts the objects
 * that a token has destroyed, and strikes after. It strikes once: the file is
 * then called PLAN.struck. The plan "1 count" writes to PLAN.count how many
 * there were.
 */
#ifndef TESTS_CUT_H
#define TESTS_CUT_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cut {
    char plan[512], how[16], command[512];
    unsigned long at, calls; /* at 0: no plan */
};

static inline void cut_read(struct cut *c, const char *plan)
{
    FILE *f = fopen(plan, "re");

    c->at = c->calls = 0;
    snprintf(c->plan, sizeof(c->plan), "%s", plan);
    if (f == NULL)
        return;
    if (fscanf(f, "%lu %15s %511[^\n]", &c->at, c->how, c->command) < 2)
        c->at = 0;
    fclose(f);
}

/* It is its turn now, and nobody's later. */
static inline int cut_strikes(struct cut *c, const char *how)
{
    char struck[sizeof(c->plan) + 8];

    if (c->at == 0 || c->calls != c->at || strcmp(c->how, how) != 0)
        return 0;
    c->at = 0;
    snprintf(struck, sizeof(struck), "%s.struck", c->plan);
    return rename(c->plan, struck) == 0;
}

static inline void cut_count(const struct cut *c)
{
    char path[sizeof(c->plan) + 8];
    FILE *f;

    if (c->at == 0 || strcmp(c->how, "count") != 0)
        return;
    snprintf(path, sizeof(path), "%s.count", c->plan);
    f = fopen(path, "we");
    if (f == NULL)
        abort();
    fprintf(f, "%lu\n", c->calls);
    fclose(f);
}

static inline void cut_before(struct cut *c)
{
    c->calls++;
    cut_count(c);
    if (cut_strikes(c, "before"))
        kill(getpid(), SIGKILL);
    if (cut_strikes(c, "power") && system(c->command) != 0)
        abort();
}

static inline void cut_after(struct cut *c)
{
    if (cut_strikes(c, "after"))
        kill(getpid(), SIGKILL);
}

#endif
