/* SPDX-License-Identifier: Apache-2.0 */
/* An NV index between begin and end: opened, read. */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_bad.h"
#include "provider/device/tpm2_call.h"
#include "provider/device/tpm2_caps.h"
#include "provider/device/tpm2_nvpublic.h"
#include "provider/device/tpm2_policy.h"

#define RESPONSE_HEADER 10
#define NONE3 ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE

static int no(const struct hwk_tpm_index *ix, int reason, const char *why)
{
    return hwk_raise(reason, "TPM %s: NV index 0x%08x %s", ix->tpm->name,
                     ix->pub.nvIndex, why);
}

int hwk_tpm_index_open(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                       struct hwk_tpm_index *ix)
{
    TPM2B_NV_PUBLIC pub;
    size_t n, at = RESPONSE_HEADER;
    memset(&pub, 0, sizeof(pub));
    memset(ix, 0, sizeof(*ix));
    ix->tpm = tpm;
    ix->tr = ESYS_TR_NONE;
    ix->generation = tpm->generation;
    ix->pub.nvIndex = handle;
    TSS2_RC rc = hwk_tpm_tcti_ask(tpm->tcti, TPM2_CC_NV_ReadPublic, handle);
    if (hwk_tpm_rc_is(rc, TPM2_RC_HANDLE))
        return no(ix, HWK_R_NOT_FOUND, "does not exist");
    if (!hwk_tpm_check(tpm, rc, "NV_ReadPublic", handle))
        return 0;
    const uint8_t *p = hwk_tpm_tcti_last(tpm->tcti, &n);
    rc = Tss2_MU_TPM2B_NV_PUBLIC_Unmarshal(p, n, &at, &pub);
    if (rc == TSS2_RC_SUCCESS && pub.nvPublic.nvIndex != handle)
        return no(ix, HWK_R_TPM, "was asked for, another came back");
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TR_FromTPMPublic(tpm->esys, handle, NONE3, &ix->tr);
    if (!hwk_tpm_check(tpm, rc, "NV_ReadPublic", handle))
        return 0;
    ix->pub = pub.nvPublic;
    return 1;
}

void hwk_tpm_index_close(struct hwk_tpm_index *ix)
{
    if (ix->tr != ESYS_TR_NONE && ix->tpm->esys &&
        ix->generation == ix->tpm->generation)
        Esys_TR_Close(ix->tpm->esys, &ix->tr);
    ix->tr = ESYS_TR_NONE;
}

/* --- who reads --- */

#define BOTH (TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD)

bool hwk_tpm_index_harmless(const struct hwk_tpm_index *ix)
{
    TPMA_NV a = ix->pub.attributes;
    return (a & TPMA_NV_NO_DA) || !(a & TPMA_NV_AUTHREAD);
}

/* has the owner a value? asked where it spares a wrong try of the index's */
static int owner_is_open(struct hwk_tpm *tpm, bool *open)
{
    struct hwk_tpm_properties var;
    if (!hwk_tpm_properties(tpm, TPM2_PT_VAR, &var))
        return 0;
    *open = !(hwk_tpm_property(&var, TPM2_PT_PERMANENT) &
              TPMA_PERMANENT_OWNERAUTHSET);
    return 1;
}

static int find_reader(const struct hwk_tpm_index *ix,
                       const struct hwk_secret *auth, ESYS_TR *reader)
{
    TPMA_NV a = ix->pub.attributes;
    bool by_owner = !(a & TPMA_NV_AUTHREAD);
    if (!auth && !hwk_tpm_index_harmless(ix) && (a & BOTH) == BOTH &&
        !owner_is_open(ix->tpm, &by_owner))
        return 0;
    if (!by_owner)
        *reader = ix->tr;
    else if (a & TPMA_NV_OWNERREAD)
        *reader = ESYS_TR_RH_OWNER;
    else
        *reader = ESYS_TR_RH_PLATFORM;
    return 1;
}

/* what its attributes say before the TPM has to */
static int readable(const struct hwk_tpm_index *ix)
{
    TPMA_NV a = ix->pub.attributes;
    if (!(a & TPMA_NV_WRITTEN))
        return no(ix, HWK_R_NOT_FOUND, "was never written");
    if (a & TPMA_NV_READLOCKED)
        return no(ix, HWK_R_UNSUPPORTED,
                  "is locked against reading until the TPM is started again");
    if (!(a & (BOTH | TPMA_NV_PPREAD)))
        return no(ix, HWK_R_UNSUPPORTED,
                  a & TPMA_NV_POLICYREAD ? "can be read by its policy only"
                                         : "can be read by nobody");
    return 1;
}

/* --- reading --- */

static int refused(const struct hwk_tpm_index *ix,
                   const struct hwk_secret *auth)
{
    return auth ? no(ix, HWK_R_PIN_INCORRECT,
                     "refused the authorization value that was given")
                : no(ix, HWK_R_PIN_MISSING,
                     "is read with an authorization value: give it with ?pass, "
                     "pin-source or pin-value in the URI");
}

static int take(const struct hwk_tpm_index *ix, const TPM2B_MAX_NV_BUFFER *got,
                uint8_t *out, size_t n)
{
    if (got->size != n)
        return no(ix, HWK_R_TPM, "gave less than was asked for");
    memcpy(out, got->buffer, n);
    return 1;
}

/* what an auth value guards is a secret */
static int read_command(struct hwk_tpm_index *ix, ESYS_TR reader,
                        const struct hwk_secret *auth, size_t n, size_t offset,
                        TPM2B_MAX_NV_BUFFER **got, TSS2_RC *rc)
{
    unsigned secret = auth ? HWK_TPM_SECRET_BACK : HWK_TPM_NO_SECRET;
    ESYS_TR session;
    do {
        if (!hwk_tpm_authorize(ix->tpm, reader, auth, secret, &session))
            return 0;
        *rc = Esys_NV_Read(ix->tpm->esys, reader, ix->tr, session, ESYS_TR_NONE,
                           ESYS_TR_NONE, (UINT16)n, (UINT16)offset, got);
    } while (hwk_tpm_again(ix->tpm, *rc));
    return 1;
}

/* whose value is asked for: ESYS knows it too, and makes a library context to
 * say so. Of a hash that nobody here computes, the handle has to do. */
static int reader_name(const struct hwk_tpm_index *ix, ESYS_TR reader,
                       TPM2B_NAME *out)
{
    TPM2_HANDLE handle = reader == ix->tr             ? ix->pub.nvIndex
                         : reader == ESYS_TR_RH_OWNER ? TPM2_RH_OWNER
                                                      : TPM2_RH_PLATFORM;
    if (reader == ix->tr && hwk_tpm_md(ix->pub.nameAlg) != HWK_MD_NONE)
        return hwk_tpm_nv_name(&ix->pub, out);
    *out = hwk_tpm_handle_name(handle);
    return 1;
}

static int read_piece(struct hwk_tpm_index *ix, ESYS_TR reader,
                      const struct hwk_secret *auth, uint8_t *out, size_t n,
                      size_t offset)
{
    TPM2B_MAX_NV_BUFFER *got = NULL;
    TPM2B_NAME name;
    TSS2_RC rc;
    if (!reader_name(ix, reader, &name))
        return 0;
    int ok = hwk_tpm_bad_is(ix->tpm, &name, auth) ? refused(ix, auth) : 1;
    if (ok && (ok = read_command(ix, reader, auth, n, offset, &got, &rc))) {
        bool wrong =
            rc != TSS2_RC_SUCCESS && hwk_tpm_reason(rc) == HWK_R_PIN_INCORRECT;
        if (wrong)
            hwk_tpm_bad_add(ix->tpm, &name, auth);
        ok = wrong ? refused(ix, auth)
                   : hwk_tpm_check(ix->tpm, rc, "NV_Read", ix->pub.nvIndex) &&
                         take(ix, got, out, n);
    }
    Esys_Free(got);
    return ok;
}

/* Most TPMs take that much, and who reads one certificate need not ask. */
#define WORTH_A_TRY 1024

/* what nobody guards, past ESYS, which would print that it is too much */
static bool read_at_once(struct hwk_tpm_index *ix, ESYS_TR reader, uint8_t *out)
{
    const TPM2_HANDLE handles[] = {ix->pub.nvIndex, ix->pub.nvIndex};
    size_t size = ix->pub.dataSize;
    TPM2B_MAX_NV_BUFFER got;
    struct hwk_tpm_call call;
    if (reader != ix->tr || !hwk_tpm_index_harmless(ix) ||
        !hwk_tpm_plain(ix->tpm, NULL))
        return false;
    hwk_tpm_call_start(&call, TPM2_CC_NV_Read, handles, 2, true);
    hwk_tpm_call_put(&call, UINT16, (UINT16)size);
    hwk_tpm_call_put(&call, UINT16, 0);
    hwk_tpm_call_run(ix->tpm, &call);
    got.size = 0;
    hwk_tpm_call_get(&call, TPM2B_MAX_NV_BUFFER, &got);
    if (call.rc != TSS2_RC_SUCCESS || got.size != size)
        return false;
    memcpy(out, got.buffer, size);
    hwk_tpm_nv_took(ix->tpm, size);
    return true;
}

static bool may_be_taken(const struct hwk_tpm *tpm, size_t size)
{
    return tpm->nv_chunk == 0 && size > tpm->nv_took && size > 512 &&
           size <= WORTH_A_TRY;
}

int hwk_tpm_index_read(struct hwk_tpm_index *ix, const struct hwk_secret *auth,
                       uint8_t *out)
{
    size_t size = ix->pub.dataSize, most;
    ESYS_TR reader;
    if (!readable(ix) || !find_reader(ix, auth, &reader))
        return 0;
    if (!auth && may_be_taken(ix->tpm, size) && read_at_once(ix, reader, out))
        return 1;
    if (!hwk_tpm_nv_most(ix->tpm, size, &most))
        return 0;
    for (size_t at = 0, n; at < size; at += n) {
        n = size - at < most ? size - at : most;
        if (!read_piece(ix, reader, auth, out + at, n, at))
            return 0;
    }
    return 1;
}
