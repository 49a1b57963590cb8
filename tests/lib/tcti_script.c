/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM that answers as it was told, instead of what tctildr would load. */
#include "config.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tss2/tss2_tcti.h>
#include <tss2/tss2_tctildr.h>
#include <tss2/tss2_tpm2_types.h>

#include "tests/lib/tcti_script.h"

#define MAGIC 0x736372697074ull
#define HEAD 6
#define ENTRIES 512

struct scripted {
    TSS2_TCTI_CONTEXT_COMMON_V2 common; /* first: this is what others see */
    TSS2_TCTI_CONTEXT *real;            /* while recording */
    uint32_t code;
};

static const uint8_t *script;
static size_t script_n;
static bool used[ENTRIES];
static bool asked;
static FILE *out;

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

/* --- the script --- */

void script_play(const uint8_t *s, size_t n)
{
    script = s;
    script_n = n;
    memset(used, 0, sizeof(used));
    asked = false;
}

bool script_asked(void)
{
    return asked;
}

/* the first for code that is not used yet; what the script is cut in ends
 * where it does */
static const uint8_t *next(uint32_t code, size_t *n)
{
    const uint8_t *p = script;
    size_t left = script_n;

    for (size_t i = 0; i < ENTRIES && left >= HEAD; i++) {
        size_t len = (size_t)p[4] << 8 | p[5];
        if (len > left - HEAD)
            len = left - HEAD;
        if (get32(p) == code && !used[i]) {
            used[i] = true;
            *n = len;
            return p + HEAD;
        }
        p += HEAD + len;
        left -= HEAD + len;
    }
    return NULL;
}

const uint8_t *script_argument(size_t *n)
{
    return next(0, n);
}

static void put(uint32_t code, const uint8_t *p, size_t n)
{
    const uint8_t head[HEAD] = {(uint8_t)(code >> 24), (uint8_t)(code >> 16),
                                (uint8_t)(code >> 8),  (uint8_t)code,
                                (uint8_t)(n >> 8),     (uint8_t)n};
    fwrite(head, 1, HEAD, out);
    fwrite(p, 1, n, out);
}

int script_record(const uint8_t *first, size_t n)
{
    const char *path = getenv("SCRIPT_OUT");
    if (path == NULL || getenv("SCRIPT_TCTI") == NULL)
        return 0;
    out = fopen(path, "wb");
    if (out == NULL)
        abort();
    fwrite(first, 1, n, out);
    return 1;
}

void script_end(void)
{
    if (out != NULL)
        fclose(out);
    out = NULL;
}

/* --- the TCTI --- */

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *ctx, size_t n, const uint8_t *p)
{
    struct scripted *s = (struct scripted *)ctx;
    s->code = n >= 10 ? get32(p + 6) : 0;
    return s->real != NULL ? Tss2_Tcti_Transmit(s->real, n, p)
                           : TSS2_RC_SUCCESS;
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *ctx, size_t *n, uint8_t *p,
                       int32_t timeout)
{
    struct scripted *s = (struct scripted *)ctx;
    size_t len;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    if (s->real != NULL) {
        rc = Tss2_Tcti_Receive(s->real, n, p, timeout);
        if (rc == TSS2_RC_SUCCESS && out != NULL)
            put(s->code, p, *n);
        return rc;
    }
    const uint8_t *answer = next(s->code, &len);
    if (answer == NULL)
        return TSS2_TCTI_RC_IO_ERROR;
    if (len > *n)
        return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    memcpy(p, answer, *n = len);
    return rc;
}

static TSS2_RC cancel(TSS2_TCTI_CONTEXT *ctx)
{
    (void)ctx;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC set_locality(TSS2_TCTI_CONTEXT *ctx, uint8_t locality)
{
    (void)ctx;
    (void)locality;
    return TSS2_RC_SUCCESS;
}

/* the function of that name that is not this program's */
static void *other(const char *name)
{
    void *lib = dlopen("libtss2-tctildr.so.0", RTLD_NOW);
    void *fn = lib != NULL ? dlsym(lib, name) : NULL;
    if (fn == NULL)
        abort();
    return fn;
}

static void finalize(TSS2_TCTI_CONTEXT *ctx)
{
    (void)ctx;
}

TSS2_RC Tss2_TctiLdr_Initialize(const char *name, TSS2_TCTI_CONTEXT **ctx)
{
    struct scripted *s = calloc(1, sizeof(*s));
    TSS2_RC rc = TSS2_RC_SUCCESS;
    union {
        void *p;
        TSS2_RC (*fn)(const char *, TSS2_TCTI_CONTEXT **);
    } real;

    (void)name;
    asked = true;
    if (s == NULL)
        return TSS2_TCTI_RC_MEMORY;
    s->common.v1 = (TSS2_TCTI_CONTEXT_COMMON_V1){.magic = MAGIC,
                                                 .version = 2,
                                                 .transmit = transmit,
                                                 .receive = receive,
                                                 .finalize = finalize,
                                                 .cancel = cancel,
                                                 .setLocality = set_locality};
    if (out != NULL) {
        real.p = other("Tss2_TctiLdr_Initialize");
        rc = real.fn(getenv("SCRIPT_TCTI"), &s->real);
    }
    *ctx = (TSS2_TCTI_CONTEXT *)s;
    return rc;
}

void Tss2_TctiLdr_Finalize(TSS2_TCTI_CONTEXT **ctx)
{
    struct scripted *s;
    union {
        void *p;
        void (*fn)(TSS2_TCTI_CONTEXT **);
    } real;

    if (ctx == NULL || *ctx == NULL)
        return;
    s = (struct scripted *)*ctx;
    if (s->real != NULL) {
        real.p = other("Tss2_TctiLdr_Finalize");
        real.fn(&s->real);
    }
    free(s);
    *ctx = NULL;
}
