/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that measure: one for the times of a group, one per contestant for
 * calls and memory, one per operation that is the first of its process only
 * once, one under callgrind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define COLD_ROUNDS 5
#define SOME_OPS 10

/* what a child says through its pipe */
struct report {
    struct result r[GROUP_MAX];
    double seconds;
};
typedef int job_fn(const struct options *o, struct group *g, unsigned i,
                   struct report *out);

/* TPM commands are counted from here on; time does not matter */
static void count_commands(void)
{
    const char *tcti = getenv("TCTICOUNT");

    if (tcti != NULL)
        setenv("HWKEY_TCTI", tcti, 1);
}

static void be_child(job_fn *job, const struct options *o,
                     const struct group *g, unsigned i, int fd)
{
    struct group mine = *g;
    struct report out = {0};
    unsigned k;
    int ok;

    for (k = 0; k < GROUP_MAX; k++)
        mine.c[k].message = g->message;
    if (g->delay_ms != NULL) {
        setenv("TCTICOUNT_DELAY_MS", g->delay_ms, 1);
        count_commands();
    }
    ok = job(o, &mine, i, &out) &&
         write(fd, &out, sizeof(out)) == (ssize_t)sizeof(out);

    fflush(NULL);
    _exit(ok ? 0 : BENCH_ERROR);
}

/* Runs job in a process of its own, which has used nothing yet. */
static int in_child(job_fn *job, const struct options *o, const struct group *g,
                    unsigned i, struct report *out, long *peak_kib)
{
    struct rusage usage;
    int fds[2], status = 0;
    ssize_t n;
    pid_t pid;

    fflush(NULL);
    if (pipe(fds) != 0)
        return 0;
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        be_child(job, o, g, i, fds[1]);
    }
    close(fds[1]);
    n = pid > 0 ? read(fds[0], out, sizeof(*out)) : -1;
    close(fds[0]);
    if (pid <= 0 || wait4(pid, &status, 0, &usage) != pid || status != 0)
        return 0;
    if (peak_kib != NULL)
        *peak_kib = usage.ru_maxrss;
    return n == (ssize_t)sizeof(*out);
}

/* --- jobs --- */

static int do_rounds(const struct options *o, struct group *g, unsigned i,
                     struct report *out)
{
    (void)i;
    return bench_rounds(o, g, out->r);
}

static int do_some(const struct options *o, struct group *g, unsigned i,
                   struct report *out)
{
    struct contestant *c = &g->c[i];
    uint64_t calls, bytes;
    int k;

    (void)o;
    count_commands();
    if (!c->open(c) || !c->op(c))
        return 0;
    calls = bench_calls();
    bytes = bench_bytes();
    for (k = 0; k < SOME_OPS; k++)
        if (!c->op(c))
            return 0;
    out->r[i].calls = (double)(bench_calls() - calls) / SOME_OPS;
    out->r[i].bytes = (double)(bench_bytes() - bytes) / SOME_OPS;
    return 1;
}

static int do_first(const struct options *o, struct group *g, unsigned i,
                    struct report *out)
{
    struct contestant *c = &g->c[i];
    double start;
    uint64_t calls;

    (void)o;
    count_commands();
    if (!c->open(c))
        return 0;
    calls = bench_calls();
    start = bench_now();
    if (!c->op(c))
        return 0;
    out->seconds = bench_now() - start;
    out->r[i].calls = (double)(bench_calls() - calls);
    return 1;
}

/* --- groups --- */

static int cold_group(const struct options *o, const struct group *g,
                      struct result out[GROUP_MAX])
{
    double seconds[GROUP_MAX][COLD_ROUNDS], ratio[GROUP_MAX][COLD_ROUNDS];
    struct report report;
    unsigned i, r;

    for (r = 0; r < COLD_ROUNDS; r++)
        for (i = 0; i < GROUP_MAX && g->c[i].name != NULL; i++) {
            if (!in_child(do_first, o, g, i, &report, &out[i].peak_kib))
                return 0;
            seconds[i][r] = report.seconds;
            ratio[i][r] = seconds[0][r] / seconds[i][r];
            out[i].calls = report.r[i].calls;
        }
    for (i = 0; i < GROUP_MAX && g->c[i].name != NULL; i++) {
        out[i].per_s = 1 / bench_median(seconds[i], COLD_ROUNDS);
        out[i].ratio = bench_median(ratio[i], COLD_ROUNDS);
    }
    return 1;
}

static int warm_group(const struct options *o, const struct group *g,
                      struct result out[GROUP_MAX])
{
    struct report report;
    unsigned i;

    if (!in_child(do_rounds, o, g, 0, &report, NULL))
        return 0;
    memcpy(out, report.r, sizeof(report.r));
    for (i = 0; i < GROUP_MAX && g->c[i].name != NULL; i++) {
        if (!in_child(do_some, o, g, i, &report, &out[i].peak_kib))
            return 0;
        out[i].calls = report.r[i].calls;
        out[i].bytes = report.r[i].bytes;
    }
    return 1;
}

int bench_calls_of(const struct options *o, const struct contestant *c,
                   bool first, double *calls)
{
    struct group g = {.name = c->name, .c = {*c}};
    struct report report;

    if (!in_child(first ? do_first : do_some, o, &g, 0, &report, NULL))
        return 0;
    *calls = report.r[0].calls;
    return 1;
}

int bench_group(const struct options *o, const struct group *g, unsigned index,
                struct result out[GROUP_MAX])
{
    unsigned i;

    memset(out, 0, GROUP_MAX * sizeof(*out));
    if (!(g->cold ? cold_group(o, g, out) : warm_group(o, g, out)))
        return 0;
    for (i = 0; i < GROUP_MAX && g->c[i].name != NULL; i++) {
        /* what a TPM takes is not counted in instructions of this process */
        out[i].instructions = g->counts > 0 && g->c[i].device != TPM
                                  ? bench_instructions(o, index, i)
                                  : -1;
        out[i].more_instructions =
            out[i].instructions >= 0 ? out[i].instructions - out[0].instructions
                                     : 0;
    }
    return 1;
}

/* --- instructions --- */

#ifdef __SANITIZE_ADDRESS__
double bench_instructions(const struct options *o, unsigned group, unsigned c)
{
    (void)o;
    (void)group;
    (void)c;
    return -1;
}
#else

/* of a whole process that does n operations */
static double collected(const struct options *o, unsigned group, unsigned c,
                        int n)
{
    char command[1024], line[256];
    double found = -1;
    FILE *p;

    snprintf(command, sizeof(command),
             "valgrind --tool=callgrind --callgrind-out-file=/dev/null '%s' "
             "ops %u %u %d 2>&1",
             o->self, group, c, n);
    p = popen(command, "r");
    while (p != NULL && fgets(line, sizeof(line), p) != NULL) {
        const char *at = strstr(line, "Collected : ");

        if (at != NULL)
            found = atof(at + strlen("Collected : "));
    }
    if (p != NULL && pclose(p) != 0)
        found = -1;
    return found;
}

double bench_instructions(const struct options *o, unsigned group, unsigned c)
{
    int more = o->seconds < 1 ? 5 : (int)bench_groups[group].counts;
    int few = more / 5 + 1, many = few + more;
    double a = collected(o, group, c, few);
    double b = a > 0 ? collected(o, group, c, many) : -1;

    return b > a ? (b - a) / (many - few) : -1;
}
#endif
