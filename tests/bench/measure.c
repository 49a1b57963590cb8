/* SPDX-License-Identifier: Apache-2.0 */
/* Interleaved rounds in one process; the clock, the counters. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/bench.h"
#include "tests/bench/count.h"

#define ROUNDS 5
#define WARM_UP 2

double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

double bench_median(double *v, unsigned n)
{
    qsort(v, n, sizeof(*v), by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* --- calls --- */

/* what a module has that is in use, or will be, in this process */
static void *exported(const char *variable, const char *name)
{
    char path[1024];
    const char *value = getenv(variable);
    void *dl;

    if (value == NULL)
        return NULL;
    snprintf(path, sizeof(path), "%.*s", (int)strcspn(value, ":"), value);
    dl = dlopen(path, RTLD_NOW);
    return dl != NULL ? dlsym(dl, name) : NULL;
}

static count_fn *counter(const char *variable, const char *name)
{
    count_fn *count;

    *(void **)(void *)&count = exported(variable, name);
    return count;
}

uint64_t bench_calls(void)
{
    static count_fn *p11, *tpm;

    if (p11 == NULL)
        p11 = counter("HWKEY_PKCS11_MODULE", "bench_count");
    if (tpm == NULL)
        tpm = counter("TCTICOUNT", "bench_count");
    return (p11 != NULL ? p11() : 0) + (tpm != NULL ? tpm() : 0);
}

uint64_t bench_bytes(void)
{
    static count_fn *p11;

    if (p11 == NULL)
        p11 = counter("HWKEY_PKCS11_MODULE", "bench_bytes");
    return p11 != NULL ? p11() : 0;
}

uint32_t bench_code(uint64_t i)
{
    static code_fn *tpm;

    if (tpm == NULL)
        *(void **)(void *)&tpm = exported("TCTICOUNT", "bench_code");
    return tpm != NULL ? tpm(i) : 0;
}

/* --- rounds --- */

struct sums {
    double rate[ROUNDS], ratio[ROUNDS];
};

/* One contestant's part of a round: operations a second, negative: failed. */
static double slice(struct contestant *c, double seconds)
{
    uint64_t ops = 0;
    double start = bench_now(), passed;

    do {
        if (!c->op(c))
            return -1;
        ops++;
        passed = bench_now() - start;
    } while (passed < seconds);
    return (double)ops / passed;
}

static int prepare(struct group *g)
{
    unsigned i, k;

    for (i = 0; i < GROUP_MAX && g->c[i].name != NULL; i++) {
        if (!g->c[i].open(&g->c[i]))
            return 0;
        for (k = 0; k < WARM_UP; k++)
            if (!g->c[i].op(&g->c[i]))
                return 0;
    }
    return 1;
}

int bench_rounds(const struct options *o, struct group *g,
                 struct result out[GROUP_MAX])
{
    struct sums sums[GROUP_MAX] = {0};
    unsigned i, r;

    if (!prepare(g))
        return 0;
    for (r = 0; r < ROUNDS; r++)
        for (i = 0; i < GROUP_MAX && g->c[i].name != NULL; i++) {
            double rate = slice(&g->c[i], o->seconds / ROUNDS);

            if (rate < 0)
                return 0;
            sums[i].rate[r] = rate;
            sums[i].ratio[r] = rate / sums[0].rate[r];
        }
    for (i = 0; i < GROUP_MAX && g->c[i].name != NULL; i++) {
        out[i].per_s = bench_median(sums[i].rate, ROUNDS);
        out[i].ratio = bench_median(sums[i].ratio, ROUNDS);
    }
    return 1;
}
