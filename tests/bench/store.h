/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs that measure a store share: how they are told, what time
 * it is, and where their figures go. */
#ifndef BENCH_STORE_H
#define BENCH_STORE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <idevid/err.h>

/* $BENCH_JSON, a line for each figure; NULL: nobody wants them */
static FILE *json;

static inline void json_open(void)
{
    const char *file = getenv("BENCH_JSON");
    json = file && *file ? fopen(file, "a") : NULL;
}

static inline void json_close(void)
{
    if (json)
        fclose(json);
    json = NULL;
}

/* $BENCH_ROWS, or so many */
static inline uint64_t rows_asked(uint64_t otherwise)
{
    const char *rows = getenv("BENCH_ROWS");
    return rows && *rows ? strtoull(rows, NULL, 10) : otherwise;
}

/* What is measured works, or nothing is. */
static inline void must(idv_rc rc, const char *what)
{
    if (rc == IDV_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
            idv_note());
    exit(1);
}

static inline double now(clockid_t clock) /* seconds */
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The one of which so many of 100 are not larger; sorts v. */
static inline double part_of(double *v, size_t n, unsigned of_100)
{
    qsort(v, n, sizeof(*v), by_size);
    return v[n * of_100 / 100];
}

static inline double median(double *v, size_t n)
{
    return part_of(v, n, 50);
}

#endif
