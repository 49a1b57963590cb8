/* SPDX-License-Identifier: Apache-2.0 */
/* bench: the commands that bench.sh gives. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"

static int run(const struct options *o)
{
    struct result(*all)[GROUP_MAX] = calloc(bench_group_count, sizeof(*all));
    unsigned i;
    int ok = all != NULL;

    report_head();
    for (i = 0; all != NULL && i < bench_group_count; i++)
        if (bench_group(o, &bench_groups[i], i, all[i]))
            report_group(o, &bench_groups[i], all[i]);
        else
            ok = bench_fail(bench_groups[i].name);
    if (ok)
        report_targets(o, all);
    free(all);
    return ok;
}

struct work {
    struct contestant c;
    long n;
    int ok;
};

static void *do_work(void *arg)
{
    struct work *w = arg;

    w->ok = w->c.open(&w->c);
    while (w->ok && w->n-- > 0)
        w->ok = w->c.op(&w->c);
    return NULL;
}

/* what is run under callgrind */
static int ops(unsigned group, unsigned i, long n)
{
    struct work w = {.n = n};
    pthread_t thread;

    if (group >= bench_group_count || i >= GROUP_MAX ||
        bench_groups[group].c[i].name == NULL)
        return bench_fail("no such contestant");
    w.c = bench_groups[group].c[i];
    if (!w.c.in_thread)
        do_work(&w);
    else if (pthread_create(&thread, NULL, do_work, &w) != 0 ||
             pthread_join(thread, NULL) != 0)
        return bench_fail("no thread");
    return w.ok;
}

static int keys(void)
{
    return hwkey_make(TOKEN, P256) && hwkey_make(TOKEN, RSA2048) &&
           hwkey_make(TOKEN, ED25519) && hwkey_make(TPM, P256) &&
           hwkey_make(TPM, RSA2048) && parse_make(P256) && parse_make(RSA2048);
}

static int join(const struct options *o, const char *name)
{
    static char text[65536];
    size_t n = fread(text, 1, sizeof(text) - 1, stdin);

    text[n] = 0;
    return report_join(o, name, text);
}

/* a figure that bench.sh came to; "-": nothing is promised of it; ">=N": at
 * least that */
static int promise(const struct options *o, char **argv)
{
    bool at_least = strncmp(argv[4], ">=", 2) == 0;
    const char *text = argv[4] + (at_least ? 2 : 0);
    double limit = strcmp(text, "-") == 0 ? PROMISE_NONE : atof(text);

    report_promise(o, argv[1], argv[0], argv[2], atof(argv[3]), limit,
                   at_least);
    return 1;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: bench keys | run | ops GROUP CONTESTANT N\n"
            "       bench tpm | anchor WHERE\n"
            "       bench desk\n"
            "       bench promise NAME WHERE UNIT FIGURE LIMIT|>=LIMIT|-\n"
            "       bench anchor-times WHERE\n"
            "       bench voucher REGISTRAR KEY CHAIN ANCHORS DIR\n"
            "       bench nothing\n"
            "       bench join NAME <SUMMARY\n");
    return 0;
}

int main(int argc, char **argv)
{
    static char self[1024];
    const char *seconds = getenv("BENCH_SECONDS");
    struct options o = {.seconds =
                            seconds != NULL && *seconds ? atof(seconds) : 1,
                        .json = getenv("BENCH_JSON"),
                        .self = self};
    const char *verb = argc > 1 ? argv[1] : "";
    int ok;

    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        snprintf(self, sizeof(self), "%s", argv[0]);
    if (o.json != NULL && *o.json == 0)
        o.json = NULL;
    if (strcmp(verb, "keys") == 0)
        ok = keys();
    else if (strcmp(verb, "run") == 0)
        ok = run(&o);
    else if (strcmp(verb, "tpm") == 0 && argc == 3)
        ok = bench_tpm(&o, argv[2], strstr(argv[2], "abrmd") != NULL);
    else if (strcmp(verb, "anchor") == 0 && argc == 3)
        ok = bench_anchor(&o, argv[2], strstr(argv[2], "abrmd") != NULL);
    else if (strcmp(verb, "anchor-times") == 0 && argc == 3)
        ok = bench_anchor_times(&o, argv[2]);
    else if (strcmp(verb, "desk") == 0 && argc == 2)
        ok = bench_desk(&o);
    else if (strcmp(verb, "promise") == 0 && argc == 7)
        ok = promise(&o, argv + 2);
    else if (strcmp(verb, "ops") == 0 && argc == 5)
        ok = ops((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]),
                 atol(argv[4]));
    else if (strcmp(verb, "voucher") == 0 && argc == 7)
        ok = bench_voucher(argv + 2);
    else if (strcmp(verb, "nothing") == 0)
        ok = 1;
    else if (strcmp(verb, "join") == 0 && argc == 3)
        ok = join(&o, argv[2]);
    else
        ok = usage();
    return ok ? 0 : BENCH_ERROR;
}
