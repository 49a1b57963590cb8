/* SPDX-License-Identifier: Apache-2.0 */
/* What the project promises of tokens, against what came out. Calls and
 * instructions only: times are the machine's. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/bench.h"

static const struct result (*results)[GROUP_MAX];

static const struct result *of(const char *group, const char *contestant)
{
    static const struct result unknown = {.instructions = -1};
    unsigned i, k;

    for (i = 0; i < bench_group_count; i++)
        for (k = 0; k < GROUP_MAX && bench_groups[i].c[k].name != NULL; k++)
            if (strcmp(bench_groups[i].name, group) == 0 &&
                strcmp(bench_groups[i].c[k].name, contestant) == 0)
                return &results[i][k];
    return &unknown;
}

static double instructions(const char *group, const char *contestant)
{
    double n = of(group, contestant)->instructions;

    return n > 0 ? n : NAN;
}

/* --- figures; NAN: not measured --- */

#define EC "sign P-256, token"
#define LARGE "sign RSA-2048, token, 1 MiB"
#define TLS "TLS 1.3, P-256 server key"

static double calls_ec(void)
{
    return of(EC, "hwkey")->calls;
}

static double calls_rsa(void)
{
    return of("sign RSA-2048, token", "hwkey")->calls;
}

static double calls_ed(void)
{
    return of("sign ED25519, token", "hwkey")->calls;
}

static double calls_open(void)
{
    return of("first key by URI, token", "hwkey")->calls;
}

static double calls_large(void)
{
    return of(LARGE, "hwkey")->calls;
}

/* a DigestInfo of SHA-256 is 51 bytes */
static double bytes_large(void)
{
    return of(LARGE, "hwkey")->bytes;
}

static double over_raw(const char *contestant)
{
    return instructions(EC, contestant) - instructions(EC, "raw C_Sign");
}

static double sign_once_over(void)
{
    return over_raw("hwkey");
}

/* how other providers were measured, of which the best needs 22.3 thousand */
static double sign_once_others(void)
{
    return instructions(EC, "hwkey") -
           instructions(EC, "raw C_Sign in a thread");
}

static double sign_once_own(void)
{
    return instructions(EC, "hwkey") - instructions(EC, "bare");
}

static double sign_again_over(void)
{
    return over_raw("hwkey, context again");
}

static double sign_kept_over(void)
{
    return over_raw("hwkey, context kept");
}

/* The floor is the handshake in software, with C_Sign where the key signs. */
static double tls_floor(const char *signer)
{
    return instructions(TLS, "software") + instructions(EC, signer) -
           instructions(EC, "software");
}

static double tls_over(void)
{
    return 100 * (instructions(TLS, "token") / tls_floor("raw C_Sign") - 1);
}

/* one certificate is parsed in a handshake */
static double tls_own(void)
{
    double floor = tls_floor("bare") +
                   instructions("d2i_X509, EC", "bare, all types") -
                   instructions("d2i_X509, EC", "default");

    return 100 * (instructions(TLS, "token") / floor - 1);
}

static double percent(const char *group, const char *base)
{
    return 100 * (instructions(group, "hwkey") / instructions(group, base) - 1);
}

static double parse_ec(void)
{
    return percent("d2i_X509, EC", "default");
}

static double parse_ec_own(void)
{
    return percent("d2i_X509, EC", "bare");
}

static double parse_ec_all(void)
{
    return percent("d2i_X509, EC", "bare, all types");
}

static double parse_rsa(void)
{
    return percent("d2i_X509, RSA", "default");
}

static double parse_rsa_own(void)
{
    return percent("d2i_X509, RSA", "bare");
}

static double parse_rsa_all(void)
{
    return percent("d2i_X509, RSA", "bare, all types");
}

static const struct {
    const char *name, *unit;
    double (*figure)(void);
    double limit;
} targets[] = {
    {"signature, P-256", "calls", calls_ec, 2},
    {"signature, RSA-2048", "calls", calls_rsa, 2},
    {"signature, ED25519", "calls", calls_ed, 2},
    {"signature of 1 MiB, RSA-2048", "calls", calls_large, 2},
    {"  what the token is given of it", "bytes", bytes_large, 51},
    {"first key by URI, two slots", "calls", calls_open, 18},
    {"signature, P-256, over raw C_Sign", "instr.", sign_once_over, 8000},
    {"  over a bare provider", "instr.", sign_once_own, 0},
    {"  over raw in a thread", "instr.", sign_once_others, 22300},
    {"  over raw, context begun again", "instr.", sign_again_over, 8000},
    {"  over raw, context kept", "instr.", sign_kept_over, 0},
    {"TLS 1.3, P-256 server key, over the floor", "%", tls_over, 2},
    {"  over the floor with a bare provider", "%", tls_own, 1},
    {"d2i_X509, EC, over default alone", "%", parse_ec, 18},
    {"  over bare key managements", "%", parse_ec_own, 3},
    {"  over a bare provider of as many types", "%", parse_ec_all, 1},
    {"d2i_X509, RSA, over default alone", "%", parse_rsa, 18},
    {"  over bare key managements", "%", parse_rsa_own, 3},
    {"  over a bare provider of as many types", "%", parse_rsa_all, 1},
};
#define TARGETS (sizeof(targets) / sizeof(targets[0]))

static void write_json(const struct options *o, size_t i, double figure)
{
    FILE *f = o->json != NULL ? fopen(o->json, "a") : NULL;

    if (f == NULL)
        return;
    fprintf(f, "{\"target\":\"%s\",\"unit\":\"%s\",\"limit\":%.0f",
            targets[i].name + strspn(targets[i].name, " "), targets[i].unit,
            targets[i].limit);
    if (!isnan(figure))
        fprintf(f, ",\"figure\":%.2f,\"met\":%s", figure,
                figure <= targets[i].limit ? "true" : "false");
    fputs("}\n", f);
    fclose(f);
}

void report_targets(const struct options *o,
                    const struct result all[][GROUP_MAX])
{
    size_t i;

    results = all;
    printf("\n%-52s %12s %8s\n", "targets", "measured", "at most");
    for (i = 0; i < TARGETS; i++) {
        double figure = targets[i].figure();

        printf("%-52s ", targets[i].name);
        if (isnan(figure))
            printf("%12s %8.0f %-7s not measured\n", "-", targets[i].limit,
                   targets[i].unit);
        else
            printf("%12.2f %8.0f %-7s %s\n", figure, targets[i].limit,
                   targets[i].unit,
                   figure <= targets[i].limit ? "met" : "MISSED");
        write_json(o, i, figure);
    }
    printf("\n");
    fflush(stdout);
}
