/* SPDX-License-Identifier: Apache-2.0 */
/* One line per contestant for people, one JSON object for programs. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/json.h>

#include "tests/bench/bench.h"

#define REMARK_MAX 96

void report_head(void)
{
    printf("%-44s %9s %9s %6s %7s %8s\n", "", "per s", "ms", "ratio", "calls",
           "KiB");
}

static void print_row(const char *name, const struct result *r,
                      const char *remark)
{
    printf("%-44s %9.1f %9.3f ", name, r->per_s, 1000 / r->per_s);
    if (r->ratio >= 0)
        printf("%6.2f ", r->ratio);
    else
        printf("%6s ", "-");
    printf("%7.2f %8ld  %s\n", r->calls, r->peak_kib, remark);
    fflush(stdout);
}

static void write_json(const struct options *o, const char *name,
                       const struct result *r, const char *more)
{
    FILE *f = o->json != NULL ? fopen(o->json, "a") : NULL;

    if (f == NULL)
        return;
    fprintf(f, "{\"name\":\"%s\",\"per-second\":%.3f,\"ms\":%.4f", name,
            r->per_s, 1000 / r->per_s);
    if (r->ratio >= 0)
        fprintf(f, ",\"ratio\":%.4f", r->ratio);
    fprintf(f, ",\"device-calls\":%.3f,\"peak-kib\":%ld", r->calls,
            r->peak_kib);
    if (r->instructions >= 0)
        fprintf(f, ",\"instructions\":%.0f,\"more-instructions\":%.0f",
                r->instructions, r->more_instructions);
    fprintf(f, "%s}\n", more);
    fclose(f);
}

static void instructions(const struct result *r, bool floor,
                         char out[REMARK_MAX])
{
    double base = r->instructions - r->more_instructions;

    if (r->instructions < 0)
        out[0] = 0;
    else if (floor || base < 0)
        snprintf(out, REMARK_MAX, "%.0f instructions", r->instructions);
    else
        snprintf(out, REMARK_MAX, "%.0f instructions, %+.0f (%+.1f %%)",
                 r->instructions, r->more_instructions,
                 100 * r->more_instructions / base);
}

void report_group(const struct options *o, const struct group *g,
                  const struct result r[GROUP_MAX])
{
    char name[128], remark[REMARK_MAX];
    unsigned i;

    for (i = 0; i < GROUP_MAX && g->c[i].name != NULL; i++) {
        snprintf(name, sizeof(name), "%s: %s", g->name, g->c[i].name);
        instructions(&r[i], i == 0, remark);
        print_row(name, &r[i], remark);
        write_json(o, name, &r[i], "");
    }
}

void report_promise(const struct options *o, const char *where,
                    const char *name, const char *unit, double figure,
                    double limit, bool at_least)
{
    bool met = at_least ? figure >= limit : figure <= limit;
    FILE *f = o->json != NULL ? fopen(o->json, "a") : NULL;

    printf("%-52s %12.2f ", name, figure);
    if (limit == PROMISE_NONE)
        printf("%8s %-9s\n", "-", unit);
    else
        printf("%8.2f %-9s %s\n", limit, unit, met ? "met" : "MISSED");
    fflush(stdout);
    if (f == NULL)
        return;
    fprintf(f, "{\"target\":\"%s, %s\",\"unit\":\"%s\",\"figure\":%.2f", name,
            where, unit, figure);
    if (limit != PROMISE_NONE)
        fprintf(f, ",\"limit\":%.2f,\"met\":%s", limit, met ? "true" : "false");
    fputs("}\n", f);
    fclose(f);
}

static int64_t number(const struct idv_json *v, const char *name)
{
    int64_t n = 0;

    if (idv_json_int(idv_json_get(v, name), name, &n) != IDV_OK)
        return 0;
    return n;
}

int report_join(const struct options *o, const char *name, const char *text)
{
    IDV_AUTO_PTR(idv_json) v = NULL;
    char remark[REMARK_MAX], more[REMARK_MAX];
    struct result r = {.ratio = -1, .instructions = -1};
    int64_t tpm, p11, signatures;

    if (idv_json_parse(idv_str(text), strlen(text), &v) != IDV_OK ||
        number(v, "ms") == 0)
        return bench_fail("not what a join prints");
    tpm = number(v, "tpm-commands");
    p11 = number(v, "pkcs11-calls");
    signatures = number(v, "signatures");
    r.per_s = 1000.0 / (double)number(v, "ms");
    r.calls = (double)(tpm + p11);
    r.peak_kib = (long)number(v, "peak-kib");
    snprintf(remark, sizeof(remark),
             "%lld TPM commands, %lld PKCS#11 calls, %lld signatures",
             (long long)tpm, (long long)p11, (long long)signatures);
    snprintf(more, sizeof(more),
             ",\"tpm-commands\":%lld,\"pkcs11-calls\":%lld,"
             "\"signatures\":%lld",
             (long long)tpm, (long long)p11, (long long)signatures);
    print_row(name, &r, remark);
    write_json(o, name, &r, more);
    return 1;
}
