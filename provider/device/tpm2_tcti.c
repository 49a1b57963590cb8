/* SPDX-License-Identifier: Apache-2.0 */
/* Our TCTI around the real one: counts, resubmits, opens and closes. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <tss2/tss2_tctildr.h>

#include "provider/backend.h"
#include "provider/device/tpm2_tcti.h"
#include "provider/device/tpm2_tcti_tabrmd.h"

#define MAGIC 0x68776b6579746370ull
#define HEADER 10
#define ASKED 14 /* a command of a code and one handle */
#define RESUBMIT_MS 10000
#define POLL_HANDLES 4

struct hwk_tpm_tcti {
    TSS2_TCTI_CONTEXT_COMMON_V2 common; /* first: ESYS sees only this */
    TSS2_TCTI_CONTEXT *real;            /* NULL while closed */
    char *name;
    bool tabrmd;   /* real is that of tpm2_tcti_tabrmd.h */
    bool pending;  /* a command was sent and its response not yet taken */
    bool answered; /* the response to asked is there, see the header */
    uint8_t asked[ASKED];
    TSS2_RC answer;        /* from the fault hook, instead of the real one */
    hwk_tpm_room_fn *room; /* NULL: nobody makes room */
    void *room_arg;
    size_t command_size, response_size;
    uint8_t command[TPM2_MAX_COMMAND_SIZE];
    uint8_t response[TPM2_MAX_RESPONSE_SIZE];
};

static hwk_tpm_fault_fn *fault;
static void *fault_arg;

void hwk_tpm_set_fault(hwk_tpm_fault_fn *fn, void *arg)
{
    fault = fn;
    fault_arg = arg;
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static TPM2_CC command_code(const struct hwk_tpm_tcti *t)
{
    return get32(t->command + 6);
}

void hwk_tpm_tcti_when_full(struct hwk_tpm_tcti *t, hwk_tpm_room_fn *fn,
                            void *arg)
{
    t->room = fn;
    t->room_arg = arg;
}

TSS2_RC hwk_tpm_tcti_open(struct hwk_tpm_tcti *t)
{
    t->answered = false;
    if (t->real)
        return TSS2_RC_SUCCESS;
    t->tabrmd = hwk_tpm_tabrmd_is(t->name);
    return t->tabrmd ? hwk_tpm_tabrmd_open(t->name, &t->real)
                     : Tss2_TctiLdr_Initialize(t->name, &t->real);
}

bool hwk_tpm_tcti_is_open(const struct hwk_tpm_tcti *t)
{
    return t->real;
}

/* nobody asked anything: what there is to read is the end */
bool hwk_tpm_tcti_is_dead(const struct hwk_tpm_tcti *t)
{
    TSS2_TCTI_POLL_HANDLE h[POLL_HANDLES];
    size_t n = 0;
    if (!t->real || t->pending ||
        Tss2_Tcti_GetPollHandles(t->real, NULL, &n) != TSS2_RC_SUCCESS ||
        n == 0 || n > POLL_HANDLES ||
        Tss2_Tcti_GetPollHandles(t->real, h, &n) != TSS2_RC_SUCCESS)
        return false;
    for (size_t i = 0; i < n; i++)
        h[i].events = POLLIN;
    return poll(h, n, 0) > 0;
}

void hwk_tpm_tcti_park(struct hwk_tpm_tcti *t)
{
    if (t->tabrmd)
        hwk_tpm_tabrmd_close(&t->real);
    else
        Tss2_TctiLdr_Finalize(&t->real);
    t->real = NULL;
    t->pending = false;
}

static TSS2_RC submit(struct hwk_tpm_tcti *t)
{
    TSS2_RC rc = hwk_tpm_tcti_open(t);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    hwk_count(tpm_commands);
    if (command_code(t) == TPM2_CC_StartAuthSession)
        hwk_count(tpm_sessions);
    rc = Tss2_Tcti_Transmit(t->real, t->command_size, t->command);
    t->pending = rc == TSS2_RC_SUCCESS;
    return rc;
}

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *ctx, size_t size, const uint8_t *p)
{
    struct hwk_tpm_tcti *t = (struct hwk_tpm_tcti *)ctx;
    if (size < HEADER || size > sizeof(t->command))
        return TSS2_TCTI_RC_BAD_VALUE;
    bool again_the_same =
        t->answered && size == ASKED && memcmp(p, t->asked, ASKED) == 0;
    t->answered = false;
    if (again_the_same)
        return TSS2_RC_SUCCESS;
    memcpy(t->command, p, size);
    t->command_size = size;
    t->response_size = 0;
    t->answer = fault ? fault(fault_arg, false, command_code(t)) : 0;
    if ((t->answer & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER)
        return t->answer;
    return t->answer ? TSS2_RC_SUCCESS : submit(t);
}

/* the TPM did not execute the command and asks to hear it again */
static bool again(TSS2_RC rc)
{
    return rc == TPM2_RC_RETRY || rc == TPM2_RC_YIELDED ||
           rc == TPM2_RC_TESTING;
}

/* a response that carries nothing but rc */
static void invent(struct hwk_tpm_tcti *t, TSS2_RC rc)
{
    const uint8_t r[HEADER] = {0x80,
                               0x01,
                               0,
                               0,
                               0,
                               HEADER,
                               (uint8_t)(rc >> 24),
                               (uint8_t)(rc >> 16),
                               (uint8_t)(rc >> 8),
                               (uint8_t)rc};
    memcpy(t->response, r, HEADER);
    t->response_size = HEADER;
}

/* as long as it says; with sessions where the command had some; an error is
 * nothing but a header */
static bool well_formed(const struct hwk_tpm_tcti *t, size_t n)
{
    const uint8_t *p = t->response;
    if (n < HEADER || get32(p + 2) != n)
        return false;
    return get32(p + 6) == TPM2_RC_SUCCESS ? memcmp(p, t->command, 2) == 0
                                           : n == HEADER;
}

/* one response, or what the tests want instead */
static TSS2_RC take_one(struct hwk_tpm_tcti *t, int32_t timeout)
{
    size_t n = sizeof(t->response);
    TSS2_RC rc = t->answer;
    t->answer = TSS2_RC_SUCCESS;
    if (rc != TSS2_RC_SUCCESS) {
        invent(t, rc);
        return TSS2_RC_SUCCESS;
    }
    if (!t->pending)
        return TSS2_TCTI_RC_BAD_SEQUENCE;
    rc = Tss2_Tcti_Receive(t->real, &n, t->response, timeout);
    if (rc == TSS2_TCTI_RC_INSUFFICIENT_BUFFER)
        return TSS2_TCTI_RC_MALFORMED_RESPONSE;
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    t->pending = false;
    if (!well_formed(t, n))
        return TSS2_TCTI_RC_MALFORMED_RESPONSE;
    t->response_size = n;
    rc = fault ? fault(fault_arg, true, command_code(t)) : TSS2_RC_SUCCESS;
    if ((rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER)
        return rc;
    if (rc != TSS2_RC_SUCCESS)
        invent(t, rc);
    return TSS2_RC_SUCCESS;
}

/* the TPM, or who manages it, has no slot left for an object */
static bool is_full(TSS2_RC rc)
{
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK, code = rc & ~TSS2_RC_LAYER_MASK;
    return (layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER ||
            layer == TSS2_RESMGR_RC_LAYER) &&
           (code == TPM2_RC_OBJECT_MEMORY || code == TPM2_RC_MEMORY);
}

/* others' commands are sent while this one waits to be sent again */
static bool make_room(struct hwk_tpm_tcti *t, TSS2_RC rc)
{
    uint8_t kept[TPM2_MAX_COMMAND_SIZE];
    size_t n = t->command_size;
    hwk_tpm_room_fn *room = t->room;
    if (!room)
        return false;
    memcpy(kept, t->command, n);
    t->room = NULL;
    bool made = room(t->room_arg);
    t->room = room;
    memcpy(t->command, kept, n);
    OPENSSL_cleanse(kept, n);
    t->command_size = n;
    t->answered = false;
    invent(t, rc);
    return made;
}

/* takes a response, sending the command again as often as it takes */
static TSS2_RC take(struct hwk_tpm_tcti *t, int32_t timeout)
{
    int pause = 1, waited = 0;
    for (;;) {
        TSS2_RC rc = take_one(t, timeout);
        if (rc != TSS2_RC_SUCCESS)
            return rc;
        rc = get32(t->response + 6);
        if (again(rc) && waited < RESUBMIT_MS) {
            poll(NULL, 0, pause);
            waited += pause;
            pause = pause < 100 ? pause * 2 : 100;
        } else if (!is_full(rc) || !make_room(t, rc)) {
            return TSS2_RC_SUCCESS;
        }
        if ((rc = submit(t)) != TSS2_RC_SUCCESS)
            return rc;
    }
}

static TSS2_RC fetch(struct hwk_tpm_tcti *t, int32_t timeout)
{
    if (t->response_size)
        return TSS2_RC_SUCCESS;
    TSS2_RC rc = take(t, timeout);
    if (rc == TSS2_RC_SUCCESS)
        OPENSSL_cleanse(t->command + HEADER, t->command_size - HEADER);
    return rc;
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *ctx, size_t *size, uint8_t *p,
                       int32_t timeout)
{
    struct hwk_tpm_tcti *t = (struct hwk_tpm_tcti *)ctx;
    if (!size)
        return TSS2_TCTI_RC_BAD_REFERENCE;
    TSS2_RC rc = fetch(t, timeout);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    size_t room = *size;
    *size = t->response_size;
    if (!p)
        return TSS2_RC_SUCCESS;
    if (room < t->response_size)
        return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    memcpy(p, t->response, t->response_size);
    OPENSSL_cleanse(t->response, t->response_size);
    t->response_size = 0;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC cancel(TSS2_TCTI_CONTEXT *ctx)
{
    struct hwk_tpm_tcti *t = (struct hwk_tpm_tcti *)ctx;
    return t->pending ? Tss2_Tcti_Cancel(t->real)
                      : (TSS2_RC)TSS2_TCTI_RC_BAD_SEQUENCE;
}

static TSS2_RC set_locality(TSS2_TCTI_CONTEXT *ctx, uint8_t locality)
{
    struct hwk_tpm_tcti *t = (struct hwk_tpm_tcti *)ctx;
    TSS2_RC rc = hwk_tpm_tcti_open(t);
    return rc ? rc : Tss2_Tcti_SetLocality(t->real, locality);
}

/* the owner frees it, whatever ESYS thinks of its TCTI */
static void finalize(TSS2_TCTI_CONTEXT *ctx)
{
    (void)ctx;
}

struct hwk_tpm_tcti *hwk_tpm_tcti_new(const char *name)
{
    struct hwk_tpm_tcti *t = OPENSSL_zalloc(sizeof(*t));
    if (!t || !(t->name = strdup(name))) {
        OPENSSL_free(t);
        return NULL;
    }
    t->common.v1 = (TSS2_TCTI_CONTEXT_COMMON_V1){
        .magic = MAGIC,
        .version = 2,
        .transmit = transmit,
        .receive = receive,
        .finalize = finalize,
        .cancel = cancel,
        .setLocality = set_locality,
    };
    return t;
}

void hwk_tpm_tcti_free(struct hwk_tpm_tcti *t)
{
    if (!t)
        return;
    hwk_tpm_tcti_park(t);
    free(t->name);
    OPENSSL_clear_free(t, sizeof(*t));
}

TSS2_TCTI_CONTEXT *hwk_tpm_tcti_context(struct hwk_tpm_tcti *t)
{
    return (TSS2_TCTI_CONTEXT *)t;
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

TSS2_RC hwk_tpm_tcti_ask(struct hwk_tpm_tcti *t, TPM2_CC command,
                         TPM2_HANDLE handle)
{
    uint8_t bytes[ASKED] = {0x80, 0x01, 0, 0, 0, ASKED};
    put32(bytes + 6, command);
    put32(bytes + 10, handle);
    TSS2_RC rc = transmit((TSS2_TCTI_CONTEXT *)t, ASKED, bytes);
    if (rc == TSS2_RC_SUCCESS)
        rc = fetch(t, TSS2_TCTI_TIMEOUT_BLOCK);
    if (rc == TSS2_RC_SUCCESS)
        rc = get32(t->response + 6);
    t->answered = rc == TSS2_RC_SUCCESS;
    memcpy(t->asked, bytes, ASKED);
    return rc;
}

TSS2_RC hwk_tpm_tcti_flush(struct hwk_tpm_tcti *t, TPM2_HANDLE handle)
{
    TSS2_RC rc = hwk_tpm_tcti_ask(t, TPM2_CC_FlushContext, handle);
    t->answered = false;
    return rc;
}

const uint8_t *hwk_tpm_tcti_last(const struct hwk_tpm_tcti *t, size_t *n)
{
    *n = t->response_size;
    return t->response;
}
