/* SPDX-License-Identifier: Apache-2.0 */
/* A TCTI before another one: PLAN,NAME:CONFIGURATION. See cut.h. */
#include <stdint.h>

#include <tss2/tss2_tcti.h>
#include <tss2/tss2_tctildr.h>

#include "tests/lib/cut.h"

#define SHOW __attribute__((visibility("default")))
#define MAGIC 0x7475632d69746374ull

struct cutting {
    TSS2_TCTI_CONTEXT_COMMON_V2 common; /* first: this is what others see */
    TSS2_TCTI_CONTEXT *real;
};

/* of this process and a device's plan, however often it connects: a worker
 * has one device after another */
static struct cut cut;

static TSS2_TCTI_CONTEXT *real_of(TSS2_TCTI_CONTEXT *ctx)
{
    return ((struct cutting *)ctx)->real;
}

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *ctx, size_t n, const uint8_t *p)
{
    cut_before(&cut);
    return Tss2_Tcti_Transmit(real_of(ctx), n, p);
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *ctx, size_t *n, uint8_t *p,
                       int32_t timeout)
{
    TSS2_RC rc = Tss2_Tcti_Receive(real_of(ctx), n, p, timeout);

    cut_after(&cut);
    return rc;
}

static void finalize(TSS2_TCTI_CONTEXT *ctx)
{
    Tss2_TctiLdr_Finalize(&((struct cutting *)ctx)->real);
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

static TSS2_RC init(TSS2_TCTI_CONTEXT *ctx, size_t *n, const char *conf)
{
    struct cutting *c = (struct cutting *)ctx;
    const char *real = conf != NULL ? strchr(conf, ',') : NULL;
    char plan[sizeof(cut.plan)];

    if (c == NULL) {
        *n = sizeof(*c);
        return TSS2_RC_SUCCESS;
    }
    if (real == NULL)
        return TSS2_TCTI_RC_BAD_VALUE;
    *c = (struct cutting){.common = {{MAGIC, 2, transmit, receive, finalize,
                                      cancel, poll_handles, set_locality},
                                     make_sticky}};
    snprintf(plan, sizeof(plan), "%.*s", (int)(real - conf), conf);
    if (strcmp(cut.plan, plan) != 0)
        cut_read(&cut, plan);
    return Tss2_TctiLdr_Initialize(real + 1, &c->real);
}

SHOW const TSS2_TCTI_INFO *Tss2_Tcti_Info(void);
const TSS2_TCTI_INFO *Tss2_Tcti_Info(void)
{
    static const TSS2_TCTI_INFO info = {
        .version = 2,
        .name = "cut",
        .description = "ends the process, or the TPM, at one command",
        .config_help = "the plan's file, a comma, the other TCTI",
        .init = init};

    return &info;
}
