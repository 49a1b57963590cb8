/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that somebody signs: PolicySigned and PolicyAuthorize. */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_call.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_satisfy_int.h"
#include "provider/device/tpm2_signer.h"

const struct hwk_tpm_signer *hwk_tpm_step_signer(struct hwk_tpm_run *run)
{
    struct hwk_tpm_policies *p = hwk_tpm_policies(run->tpm);
    return p ? p->signer : NULL;
}

static TSS2_RC load_key(struct hwk_tpm_run *run, const TPM2B_PUBLIC *pub,
                        TPM2_HANDLE *out)
{
    struct hwk_tpm_call call;
    TPM2B_PUBLIC sized = *pub;
    sized.size = 0;
    if (!hwk_tpm_mark(run->tpm))
        return TSS2_ESYS_RC_IO_ERROR;
    hwk_tpm_call_start(&call, TPM2_CC_LoadExternal, NULL, 0, false);
    call.makes = true;
    hwk_tpm_call_put(&call, UINT16, 0); /* no private half */
    hwk_tpm_call_put(&call, TPM2B_PUBLIC, &sized);
    hwk_tpm_call_put(&call, UINT32, TPM2_RH_OWNER);
    hwk_tpm_call_run(run->tpm, &call);
    *out = call.made;
    return call.rc;
}

static void unload_key(struct hwk_tpm_run *run, TPM2_HANDLE key)
{
    if (hwk_tpm_tcti_flush(run->tpm->tcti, key) != TSS2_RC_SUCCESS)
        run->tpm->broken = true;
}

/* what is signed: data, then the reference */
static int signature(struct hwk_tpm_run *run, const struct hwk_tpm_term *t,
                     const uint8_t *data, size_t n, TPMT_SIGNATURE *sig,
                     TPM2B_DIGEST *hash)
{
    uint8_t all[sizeof(TPM2B_DIGEST) + sizeof(TPM2B_NONCE)];
    memcpy(all, data, n);
    memcpy(all + n, t->ref.buffer, t->ref.size);
    n += t->ref.size;
    *sig = t->sig;
    if (hwk_tpm_signer_has(hwk_tpm_step_signer(run), &t->pub) &&
        !hwk_tpm_signer_sign(hwk_tpm_step_signer(run), &t->pub, all, n, sig))
        return 0;
    return hwk_tpm_hash(sig->signature.any.hashAlg, all, n, hash)
               ? 1
               : hwk_raise(HWK_R_DIGEST, "policy: a signature with hash 0x%04x",
                           sig->signature.any.hashAlg);
}

enum hwk_tpm_outcome hwk_tpm_step_signed(struct hwk_tpm_run *run,
                                         const struct hwk_tpm_term *t)
{
    static const uint8_t never_expires[4];
    TPM2_HANDLE handles[2] = {0, run->handle};
    struct hwk_tpm_call call;
    TPM2B_DIGEST hash;
    TPMT_SIGNATURE sig;
    if (!signature(run, t, never_expires, sizeof(never_expires), &sig, &hash))
        return HWK_TPM_RAISED;
    TSS2_RC rc = load_key(run, &t->pub, &handles[0]);
    if (rc != TSS2_RC_SUCCESS)
        return hwk_tpm_step_outcome(run, t, rc);
    hwk_tpm_call_start(&call, TPM2_CC_PolicySigned, handles, 2, false);
    hwk_tpm_call_put(&call, UINT16, 0); /* nonceTPM */
    hwk_tpm_call_put(&call, UINT16, 0); /* cpHashA */
    hwk_tpm_call_put(&call, TPM2B_NONCE, &t->ref);
    hwk_tpm_call_put(&call, UINT32, 0); /* expiration */
    hwk_tpm_call_put(&call, TPMT_SIGNATURE, &sig);
    rc = hwk_tpm_call_run(run->tpm, &call);
    unload_key(run, handles[0]);
    return hwk_tpm_step_outcome(run, t, rc);
}

/* --- approved policies --- */

static TSS2_RC current_digest(struct hwk_tpm_run *run)
{
    struct hwk_tpm_call call;
    if (run->digest.size == 0)
        run->digest = run->guard->given;
    if (run->digest.size > 0)
        return TSS2_RC_SUCCESS;
    hwk_tpm_call_start(&call, TPM2_CC_PolicyGetDigest, &run->handle, 1, false);
    hwk_tpm_call_run(run->tpm, &call);
    hwk_tpm_call_get(&call, TPM2B_DIGEST, &run->digest);
    return call.rc;
}

static TSS2_RC verify(struct hwk_tpm_run *run, TPM2_HANDLE key,
                      const TPM2B_DIGEST *hash, const TPMT_SIGNATURE *sig,
                      TPMT_TK_VERIFIED *ticket)
{
    struct hwk_tpm_call call;
    hwk_tpm_call_start(&call, TPM2_CC_VerifySignature, &key, 1, false);
    hwk_tpm_call_put(&call, TPM2B_DIGEST, hash);
    hwk_tpm_call_put(&call, TPMT_SIGNATURE, sig);
    hwk_tpm_call_run(run->tpm, &call);
    hwk_tpm_call_get(&call, TPMT_TK_VERIFIED, ticket);
    return call.rc;
}

static bool approved(const struct hwk_tpm_approval *a,
                     const TPM2B_DIGEST *policy, const TPM2B_NAME *name)
{
    return a->policy.size > 0 && a->policy.size == policy->size &&
           memcmp(a->policy.buffer, policy->buffer, policy->size) == 0 &&
           a->name.size == name->size &&
           memcmp(a->name.name, name->name, name->size) == 0;
}

/* has the TPM check the signature of the policy so far */
static enum hwk_tpm_outcome approve(struct hwk_tpm_run *run,
                                    const struct hwk_tpm_term *t,
                                    const TPM2B_NAME *name)
{
    struct hwk_tpm_approval *a = &run->guard->approval;
    TPM2B_DIGEST hash;
    TPMT_SIGNATURE sig;
    TPM2_HANDLE key;
    if (approved(a, &run->digest, name))
        return HWK_TPM_SATISFIED;
    a->policy.size = 0;
    if (!signature(run, t, run->digest.buffer, run->digest.size, &sig, &hash))
        return HWK_TPM_RAISED;
    TSS2_RC rc = load_key(run, &t->pub, &key);
    if (rc == TSS2_RC_SUCCESS) {
        rc = verify(run, key, &hash, &sig, &a->ticket);
        unload_key(run, key);
    }
    if (rc == TSS2_RC_SUCCESS) {
        a->policy = run->digest;
        a->name = *name;
    }
    return hwk_tpm_step_outcome(run, t, rc);
}

enum hwk_tpm_outcome hwk_tpm_step_authorize(struct hwk_tpm_run *run,
                                            const struct hwk_tpm_term *t)
{
    struct hwk_tpm_approval *a = &run->guard->approval;
    struct hwk_tpm_call call;
    TPM2B_NAME name;
    TSS2_RC rc = current_digest(run);
    if (rc != TSS2_RC_SUCCESS)
        return hwk_tpm_step_outcome(run, t, rc);
    if (!hwk_tpm_public_name(&t->pub, &name))
        return HWK_TPM_RAISED;
    enum hwk_tpm_outcome o = approve(run, t, &name);
    if (o != HWK_TPM_SATISFIED)
        return o;
    hwk_tpm_call_start(&call, TPM2_CC_PolicyAuthorize, &run->handle, 1, false);
    hwk_tpm_call_put(&call, TPM2B_DIGEST, &run->digest);
    hwk_tpm_call_put(&call, TPM2B_NONCE, &t->ref);
    hwk_tpm_call_put(&call, TPM2B_NAME, &name);
    hwk_tpm_call_put(&call, TPMT_TK_VERIFIED, &a->ticket);
    rc = hwk_tpm_call_run(run->tpm, &call);
    if (rc != TSS2_RC_SUCCESS)
        a->policy.size = 0; /* the hierarchy was cleared: a new ticket next */
    return hwk_tpm_step_outcome(run, t, rc);
}
