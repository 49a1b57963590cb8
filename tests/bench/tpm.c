/* SPDX-License-Identifier: Apache-2.0 */
/* What the project promises of TPMs, against what came out: commands of one
 * operation, and what is left of ESYS's rate when a command takes its time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/bench.h"

struct row {
    struct contestant c;
    bool first; /* the very first operation */
    double limit, limit_managed;
};

#define CONTESTANT(text, opening, once, type, beside)                          \
    .name = text, .open = opening, .op = once, .device = TPM, .alg = type,     \
    .with = beside
#define AT_FIRST(limit, ...)                                                   \
    {                                                                          \
        {__VA_ARGS__}, true, limit, limit                                      \
    }
#define EACH(limit, ...)                                                       \
    {                                                                          \
        {__VA_ARGS__}, false, limit, limit                                     \
    }
#define FIRST_MANAGED(limit, ...)                                              \
    {                                                                          \
        {__VA_ARGS__}, true, PROMISE_NONE, limit                               \
    }
#define EACH_MANAGED(limit, ...)                                               \
    {                                                                          \
        {__VA_ARGS__}, false, PROMISE_NONE, limit                              \
    }

static const struct row rows[] = {
    EACH(0, CONTESTANT("load and unload the provider", load_nothing,
                       load_unload, P256, HWKEY)),
    AT_FIRST(1, CONTESTANT("open a handle, the first time", load_open,
                           open_close, P256, HWKEY)),
    EACH(1, CONTESTANT("open a handle and close it", load_open, open_close,
                       P256, HWKEY)),
    AT_FIRST(3,
             CONTESTANT("open a key file and close it, the first time",
                        load_open, open_close, P256, HWKEY),
             .uri = "key.tss"),
    EACH(3,
         CONTESTANT("open a key file and close it", load_open, open_close, P256,
                    HWKEY),
         .uri = "key.tss"),
    EACH(PROMISE_NONE,
         CONTESTANT("open a key file of a hierarchy and close it", load_open,
                    open_close, P256, HWKEY),
         .uri = "made.tss"),
    EACH(1, CONTESTANT("sign, P-256", sign_open, sign_once, P256, HWKEY)),
    EACH(1, CONTESTANT("sign, RSA-2048", sign_open, sign_once, RSA2048, HWKEY)),
    EACH(1,
         CONTESTANT("sign, P-256 of a key file", sign_open, sign_once, P256,
                    HWKEY),
         .uri = "key.tss"),
    EACH(
        2,
        CONTESTANT("sign, restricted P-256", sign_open, sign_once, P256, HWKEY),
        .uri = "tpm2:handle=0x81020003"),
    EACH_MANAGED(1,
                 CONTESTANT("sign, P-256 with an authorization value",
                            sign_open, sign_once, P256, HWKEY),
                 .uri = "tpm2:handle=0x81020004?pin-value=" BENCH_PIN),
    FIRST_MANAGED(4,
                  CONTESTANT("sign, two PolicyNV, the first time", sign_open,
                             sign_once, P256, HWKEY),
                  .uri = "policy.tss"),
    EACH_MANAGED(
        3, CONTESTANT("sign, two PolicyNV", sign_open, sign_once, P256, HWKEY),
        .uri = "policy.tss"),
    EACH(1, CONTESTANT("TLS 1.3, P-256, default loaded first", tls_open,
                       tls_handshake, P256, HWKEY)),
    EACH(1, CONTESTANT("TLS 1.3, P-256, hwkey loaded first", tls_open,
                       tls_handshake, P256, HWKEY_FIRST)),
    EACH(1, CONTESTANT("TLS 1.3, RSA-2048, default loaded first", tls_open,
                       tls_handshake, RSA2048, HWKEY)),
    EACH(1, CONTESTANT("certificate request, P-256", sign_open, csr_sign, P256,
                       HWKEY)),
    EACH(1, CONTESTANT("CMS, P-256", cms_open, cms_sign, P256, HWKEY)),
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* against ESYS by itself, each command taking 5 ms more */
static int rate(const struct options *o, const char *where, const char *name,
                enum alg alg)
{
    const struct group g = {
        .name = name,
        .c = {{CONTESTANT("raw Esys_Sign", raw_tpm_open, raw_tpm_sign, alg,
                          NOTHING)},
              {CONTESTANT("hwkey", sign_open, sign_once, alg, HWKEY)}},
        .delay_ms = "5"};
    struct result out[GROUP_MAX];
    struct options longer = *o;

    longer.seconds *= 4; /* few commands fit into a second */
    if (!bench_group(&longer, &g, 0, out))
        return 0;
    report_promise(o, where, name, "of ESYS's", out[1].ratio, 0.95, true);
    return 1;
}

int bench_tpm(const struct options *o, const char *where, bool managed)
{
    double calls;
    int ok = 1;
    size_t i;

    printf("TPM, %-47s %12s %8s\n", where, "measured", "promised");
    for (i = 0; i < ROWS; i++) {
        const struct row *r = &rows[i];

        if (bench_calls_of(o, &r->c, r->first, &calls))
            report_promise(o, where, r->c.name, "commands", calls,
                           managed ? r->limit_managed : r->limit, false);
        else
            ok = bench_fail(r->c.name);
    }
    ok = rate(o, where, "rate at 5 ms a command, P-256", P256) &&
         rate(o, where, "rate at 5 ms a command, RSA-2048", RSA2048) && ok;
    printf("\n");
    return ok;
}
