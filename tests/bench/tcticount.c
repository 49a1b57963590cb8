/* SPDX-License-Identifier: Apache-2.0 */
/* A TCTI before another one, which is its configuration: counts commands,
 * remembers which they were, and makes each take TCTICOUNT_DELAY_MS longer, as
 * a real TPM does. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tss2/tss2_tcti.h>
#include <tss2/tss2_tctildr.h>

#include "tests/bench/count.h"

#define SHOW __attribute__((visibility("default")))
#define MAGIC 0x62656e6368746370ull

struct counting {
    TSS2_TCTI_CONTEXT_COMMON_V2 common; /* first: this is what others see */
    TSS2_TCTI_CONTEXT *real;
    struct timespec delay;
};

static atomic_uint_least64_t commands;
static uint32_t codes[BENCH_CODES];

SHOW count_fn bench_count;
uint64_t bench_count(void)
{
    return commands;
}

SHOW code_fn bench_code;
uint32_t bench_code(uint64_t i)
{
    return codes[i % BENCH_CODES];
}

static uint32_t get(const uint8_t *p, size_t n)
{
    uint32_t v = 0;

    while (n-- > 0)
        v = v << 8 | *p++;
    return v;
}

/* is it a StartAuthSession for an HMAC session? After the header two handles,
 * a nonce and a salt, then the type */
static bool starts_hmac(size_t n, const uint8_t *p)
{
    size_t at = 18, i;

    for (i = 0; i < 2 && at + 2 <= n; i++)
        at += 2 + get(p + at, 2);
    return at < n && p[at] == TPM2_SE_HMAC;
}

static void note(size_t n, const uint8_t *p)
{
    uint32_t code = n >= 10 ? get(p + 6, 4) : 0;

    if (code == TPM2_CC_StartAuthSession && starts_hmac(n, p))
        code |= BENCH_HMAC;
    codes[commands++ % BENCH_CODES] = code;
}

static TSS2_TCTI_CONTEXT *real_of(TSS2_TCTI_CONTEXT *ctx)
{
    return ((struct counting *)ctx)->real;
}

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *ctx, size_t n, const uint8_t *p)
{
    note(n, p);
    nanosleep(&((struct counting *)ctx)->delay, NULL);
    return Tss2_Tcti_Transmit(real_of(ctx), n, p);
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *ctx, size_t *n, uint8_t *p,
                       int32_t timeout)
{
    return Tss2_Tcti_Receive(real_of(ctx), n, p, timeout);
}

static void finalize(TSS2_TCTI_CONTEXT *ctx)
{
    Tss2_TctiLdr_Finalize(&((struct counting *)ctx)->real);
}

static TSS2_RC cancel(TSS2_TCTI_CONTEXT *ctx)
{
    return Tss2_Tcti_Cancel(real_of(ctx));
}

static TSS2_RC poll_handles(TSS2_TCTI_CONTEXT *ctx, TSS2_TCTI_POLL_HANDLE *out,
                            size_t *n)
{
    return Tss2_Tcti_GetPollHandles(real_of(ctx), out, n);
}

static TSS2_RC set_locality(TSS2_TCTI_CONTEXT *ctx, uint8_t locality)
{
    return Tss2_Tcti_SetLocality(real_of(ctx), locality);
}

static TSS2_RC make_sticky(TSS2_TCTI_CONTEXT *ctx, TPM2_HANDLE *handle,
                           uint8_t sticky)
{
    return Tss2_Tcti_MakeSticky(real_of(ctx), handle, sticky);
}

/* what is behind is loaded once, not with each connection */
static void keep_loaded(const char *real)
{
    static void *kept;
    char name[64];

    snprintf(name, sizeof(name), "libtss2-tcti-%.*s.so.0",
             (int)strcspn(real, ":"), real);
    if (kept == NULL)
        kept = dlopen(name, RTLD_NOW | RTLD_LOCAL);
}

static TSS2_RC init(TSS2_TCTI_CONTEXT *ctx, size_t *n, const char *real)
{
    struct counting *c = (struct counting *)ctx;
    const char *delay = getenv("TCTICOUNT_DELAY_MS");

    if (c == NULL) {
        *n = sizeof(*c);
        return TSS2_RC_SUCCESS;
    }
    *c = (struct counting){.common = {{MAGIC, 2, transmit, receive, finalize,
                                       cancel, poll_handles, set_locality},
                                      make_sticky}};
    keep_loaded(real);
    if (delay != NULL)
        c->delay.tv_nsec = atol(delay) % 1000 * 1000000;
    return Tss2_TctiLdr_Initialize(real, &c->real);
}

SHOW const TSS2_TCTI_INFO *Tss2_Tcti_Info(void);
const TSS2_TCTI_INFO *Tss2_Tcti_Info(void)
{
    static const TSS2_TCTI_INFO info = {
        .version = 2,
        .name = "count",
        .description = "counts the commands of another TCTI",
        .config_help = "the other TCTI, as NAME:CONFIGURATION",
        .init = init};

    return &info;
}
