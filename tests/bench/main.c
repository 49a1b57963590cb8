/* SPDX-License-Identifier: Apache-2.0 */
/* bench: the commands that bench.sh gives. */
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

/* what is run under callgrind */
static int ops(unsigned group, unsigned i, long n)
{
    struct contestant c;

    if (group >= bench_group_count || i >= GROUP_MAX ||
        bench_groups[group].c[i].name == NULL)
        return bench_fail("no such contestant");
    c = bench_groups[group].c[i];
    if (!c.open(&c))
        return 0;
    while (n-- > 0)
        if (!c.op(&c))
            return 0;
    return 1;
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

static int usage(void)
{
    fprintf(stderr, "usage: bench keys | run | ops GROUP CONTESTANT N\n"
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
    else if (strcmp(verb, "ops") == 0 && argc == 5)
        ok = ops((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]),
                 atol(argv[4]));
    else if (strcmp(verb, "join") == 0 && argc == 3)
        ok = join(&o, argv[2]);
    else
        ok = usage();
    return ok ? 0 : BENCH_ERROR;
}
