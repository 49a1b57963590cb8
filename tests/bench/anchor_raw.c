/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of a sealed anchor: the same commands as those of profile owner, in
 * the same order, by ESYS; no files, nothing is judged, and what need not be in
 * a session is not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_tctildr.h>

#include "tpm/nvpolicy.h"

#include "tests/bench/anchor.h"

#define COUNTER 0x01800A50
#define ANCHOR 0x01800A51
#define ROOT_KEY 0x81000001
#define NO_SESSION ESYS_TR_NONE, ESYS_TR_NONE
#define NO_SESSIONS ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE
#define PASSWORD ESYS_TR_PASSWORD, NO_SESSION

static struct {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    ESYS_TR root, counter, anchor, hmac, policy;
    uint8_t counter_name[IDVI_NV_NAME];
    TPM2B_DIGEST legs[2];
} raw;

static int done(TSS2_RC rc, const char *what)
{
    if (rc == TSS2_RC_SUCCESS)
        return 1;
    fprintf(stderr, "bench: %s: 0x%x\n", what, rc);
    return 0;
}
#define RAW(call) done(call, #call)

static int start(TPM2_SE type)
{
    const TPMT_SYM_DEF none = {.algorithm = TPM2_ALG_NULL};
    const bool hmac = type == TPM2_SE_HMAC;
    ESYS_TR *session = hmac ? &raw.hmac : &raw.policy;

    return RAW(Esys_StartAuthSession(raw.esys, hmac ? raw.root : ESYS_TR_NONE,
                                     ESYS_TR_NONE, NO_SESSIONS, NULL, type,
                                     &none, TPM2_ALG_SHA256, session)) &&
           RAW(Esys_TRSess_SetAttributes(
               raw.esys, *session, hmac ? TPMA_SESSION_CONTINUESESSION : 0,
               TPMA_SESSION_CONTINUESESSION));
}

static int look(ESYS_TR index)
{
    TPM2B_NV_PUBLIC *pub = NULL;
    TPM2B_NAME *name = NULL;
    int ok = RAW(Esys_NV_ReadPublic(raw.esys, index, NO_SESSIONS, &pub, &name));

    Esys_Free(pub);
    Esys_Free(name);
    return ok;
}

static int read_index(ESYS_TR index, uint16_t n, uint8_t *out)
{
    TPM2B_MAX_NV_BUFFER *data = NULL;
    int ok = RAW(Esys_NV_Read(raw.esys, index, index, raw.hmac, NO_SESSION, n,
                              0, &data)) &&
             data->size == n;

    if (ok)
        memcpy(out, data->buffer, n);
    Esys_Free(data);
    return ok;
}

/* and the session ends with it */
static int read_last(ESYS_TR index, uint16_t n, uint8_t *out)
{
    return RAW(Esys_TRSess_SetAttributes(raw.esys, raw.hmac, 0,
                                         TPMA_SESSION_CONTINUESESSION)) &&
           read_index(index, n, out);
}

static int increment(void)
{
    return RAW(
        Esys_NV_Increment(raw.esys, ESYS_TR_RH_OWNER, raw.counter, PASSWORD));
}

static int define(uint32_t index, uint32_t attributes, uint16_t size,
                  const TPM2B_DIGEST *policy, ESYS_TR *out)
{
    const TPM2B_AUTH empty = {.size = 0};
    const TPM2B_NV_PUBLIC pub = {.nvPublic = {.nvIndex = index,
                                              .nameAlg = TPM2_ALG_SHA256,
                                              .attributes = attributes,
                                              .authPolicy = *policy,
                                              .dataSize = size}};

    return RAW(Esys_NV_DefineSpace(raw.esys, ESYS_TR_RH_OWNER, PASSWORD, &empty,
                                   &pub, out));
}

/* --- before and after ----------------------------------------------------- */

int raw_anchor_open(void)
{
    const TPM2B_DIGEST none = {.size = 0};
    TPM2B_NAME *name = NULL;
    int ok = RAW(Tss2_TctiLdr_Initialize(getenv("HWKEY_TCTI"), &raw.tcti)) &&
             RAW(Esys_Initialize(&raw.esys, raw.tcti, NULL)) &&
             RAW(Esys_TR_FromTPMPublic(raw.esys, ROOT_KEY, NO_SESSIONS,
                                       &raw.root)) &&
             define(COUNTER, 0x02060012, 8, &none, &raw.counter) &&
             increment() &&
             RAW(Esys_TR_GetName(raw.esys, raw.counter, &name)) &&
             name->size == sizeof(raw.counter_name);

    if (ok)
        memcpy(raw.counter_name, name->name, name->size);
    Esys_Free(name);
    return ok;
}

int raw_anchor_close(void)
{
    int ok = RAW(Esys_NV_UndefineSpace(raw.esys, ESYS_TR_RH_OWNER, raw.counter,
                                       PASSWORD));

    Esys_Finalize(&raw.esys);
    Tss2_TctiLdr_Finalize(&raw.tcti);
    return ok;
}

/* --- imprint -------------------------------------------------------------- */

static int clock_of(void)
{
    TPMS_TIME_INFO *info = NULL;
    int ok = RAW(Esys_ReadClock(raw.esys, NO_SESSIONS, &info));

    Esys_Free(info);
    return ok;
}

static void legs(const uint8_t record[IDV_RECORD_SIZE], TPM2B_DIGEST *policy)
{
    uint8_t leg[2][IDVI_DIGEST] = {{0}};
    size_t i;

    idvi_policy_nv(leg[0], raw.counter_name, idv_bytes(record + 8, 8), 0,
                   TPM2_EO_EQ);
    SHA256(record, IDV_RECORD_SIZE, leg[1]);
    policy->size = IDVI_DIGEST;
    idvi_policy_or(policy->buffer, (const uint8_t(*)[IDVI_DIGEST])leg, 2);
    for (i = 0; i < 2; i++) {
        raw.legs[i].size = IDVI_DIGEST;
        memcpy(raw.legs[i].buffer, leg[i], IDVI_DIGEST);
    }
}

static int fulfil(const uint8_t record[IDV_RECORD_SIZE])
{
    const TPML_DIGEST branches = {2, {raw.legs[0], raw.legs[1]}};
    TPM2B_OPERAND operand = {.size = 8};

    memcpy(operand.buffer, record + 8, 8);
    return start(TPM2_SE_POLICY) &&
           RAW(Esys_PolicyNV(raw.esys, raw.counter, raw.counter, raw.policy,
                             PASSWORD, &operand, 0, TPM2_EO_EQ)) &&
           RAW(Esys_PolicyOR(raw.esys, raw.policy, NO_SESSIONS, &branches));
}

static int seal(const uint8_t record[IDV_RECORD_SIZE])
{
    TPM2B_MAX_NV_BUFFER data = {.size = IDV_RECORD_SIZE};

    memcpy(data.buffer, record, IDV_RECORD_SIZE);
    return fulfil(record) &&
           RAW(Esys_NV_Write(raw.esys, raw.anchor, raw.anchor, raw.policy,
                             NO_SESSION, &data, 0)) &&
           fulfil(record) &&
           RAW(Esys_NV_WriteLock(raw.esys, raw.anchor, raw.anchor, raw.policy,
                                 NO_SESSION)) &&
           increment();
}

int raw_anchor_imprint(void)
{
    uint8_t record[IDV_RECORD_SIZE] = "IDTA", back[IDV_RECORD_SIZE];
    TPM2B_DIGEST policy;

    /* the look stands for that at the place that is still free */
    if (!look(raw.counter) || !start(TPM2_SE_HMAC) ||
        !read_index(raw.counter, 8, record + 8) || !clock_of())
        return 0;
    legs(record, &policy);
    return define(ANCHOR, 0x02063008, IDV_RECORD_SIZE, &policy, &raw.anchor) &&
           seal(record) && read_index(raw.counter, 8, back) &&
           read_last(raw.anchor, IDV_RECORD_SIZE, back);
}

/* --- the rest of its life ------------------------------------------------- */

int raw_anchor_check(void)
{
    uint8_t back[IDV_RECORD_SIZE];

    return look(raw.counter) && look(raw.anchor) && start(TPM2_SE_HMAC) &&
           read_index(raw.counter, 8, back) &&
           read_last(raw.anchor, IDV_RECORD_SIZE, back);
}

int raw_anchor_reset(void)
{
    return increment() && look(raw.anchor) &&
           RAW(Esys_NV_UndefineSpace(raw.esys, ESYS_TR_RH_OWNER, raw.anchor,
                                     PASSWORD));
}
