/* SPDX-License-Identifier: Apache-2.0 */
/* bench: the groups, and the commands that bench.sh gives. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define RAW_TOKEN(type)                                                        \
    {                                                                          \
        .name = "raw C_Sign", .open = raw_token_open, .op = raw_token_sign,    \
        .device = TOKEN, .alg = type                                           \
    }
#define RAW_TPM(type)                                                          \
    {                                                                          \
        .name = "raw Esys_Sign", .open = raw_tpm_open, .op = raw_tpm_sign,     \
        .device = TPM, .alg = type                                             \
    }
#define SIGN(where, type)                                                      \
    {                                                                          \
        .name = "hwkey", .open = hwkey_sign_open, .op = hwkey_sign,            \
        .device = where, .alg = type, .hwkey = true                            \
    }
#define KEPT(where, type)                                                      \
    {                                                                          \
        .name = "hwkey, context kept", .open = hwkey_kept_open,                \
        .op = hwkey_kept_sign, .device = where, .alg = type, .hwkey = true     \
    }
#define TLS(text, where, type, with)                                           \
    {                                                                          \
        .name = text, .open = tls_open, .op = tls_handshake, .device = where,  \
        .alg = type, .hwkey = with                                             \
    }
#define PARSE(text, type, with)                                                \
    {                                                                          \
        .name = text, .open = parse_open, .op = parse_cert, .alg = type,       \
        .hwkey = with                                                          \
    }
#define PROVIDER(text, with)                                                   \
    {                                                                          \
        .name = text, .open = load_nothing, .op = load_provider, .hwkey = with \
    }
#define LOAD(where)                                                            \
    {                                                                          \
        .name = "hwkey", .open = load_open, .op = load_key, .device = where,   \
        .hwkey = true                                                          \
    }

const struct group bench_groups[] = {
    {.name = "sign P-256, token",
     .c = {RAW_TOKEN(P256), SIGN(TOKEN, P256), KEPT(TOKEN, P256)},
     .counts = true},
    {.name = "sign RSA-2048, token",
     .c = {RAW_TOKEN(RSA2048), SIGN(TOKEN, RSA2048)}},
    {.name = "sign P-256, TPM",
     .c = {RAW_TPM(P256), SIGN(TPM, P256), KEPT(TPM, P256)}},
    {.name = "sign P-256, TPM, +5 ms a command",
     .c = {RAW_TPM(P256), SIGN(TPM, P256)},
     .delay_ms = "5"},
    {.name = "sign RSA-2048, TPM", .c = {RAW_TPM(RSA2048), SIGN(TPM, RSA2048)}},
    {.name = "TLS 1.3, P-256 server key",
     .c = {TLS("software", SOFTWARE, P256, false),
           TLS("token", TOKEN, P256, true), TLS("TPM", TPM, P256, true)}},
    {.name = "TLS 1.3, RSA-2048 server key",
     .c = {TLS("software", SOFTWARE, RSA2048, false),
           TLS("token", TOKEN, RSA2048, true), TLS("TPM", TPM, RSA2048, true)}},
    {.name = "d2i_X509, EC",
     .c = {PARSE("default", P256, false), PARSE("default, hwkey", P256, true)},
     .counts = true},
    {.name = "d2i_X509, RSA",
     .c = {PARSE("default", RSA2048, false),
           PARSE("default, hwkey", RSA2048, true)},
     .counts = true},
    {.name = "providers loaded",
     .c = {PROVIDER("default", false), PROVIDER("default, hwkey", true)},
     .cold = true},
    {.name = "first key by URI, token",
     .c = {{.name = "raw Cryptoki",
            .open = load_nothing,
            .op = raw_token_load,
            .device = TOKEN},
           LOAD(TOKEN)},
     .cold = true},
    {.name = "first key by URI, TPM",
     .c = {{.name = "raw ESYS",
            .open = load_nothing,
            .op = raw_tpm_load,
            .device = TPM},
           LOAD(TPM)},
     .cold = true},
};
const unsigned bench_group_count =
    sizeof(bench_groups) / sizeof(bench_groups[0]);

static int run(const struct options *o)
{
    struct result r[GROUP_MAX];
    unsigned i;
    int ok = 1;

    report_head();
    for (i = 0; i < bench_group_count; i++)
        if (bench_group(o, &bench_groups[i], i, r))
            report_group(o, &bench_groups[i], r);
        else
            ok = bench_fail(bench_groups[i].name);
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
           hwkey_make(TPM, P256) && hwkey_make(TPM, RSA2048) &&
           parse_make(P256) && parse_make(RSA2048);
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
