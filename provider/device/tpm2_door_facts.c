/* SPDX-License-Identifier: Apache-2.0 */
/* What decisions kept in a TPM depend on besides: PCRs, its clock, its
 * protection against guessing. */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_call.h"
#include "provider/device/tpm2_caps.h"
#include "provider/device/tpm2_door.h"
#include "provider/device/tpm2_facts.h"
#include "provider/device/tpm2_policy.h"

static size_t count(uint32_t bits)
{
    size_t n = 0;
    for (; bits != 0; bits &= bits - 1)
        n++;
    return n;
}

/* of PCRs that all have a value; 1, or 0 with a reason */
static int digest_of(struct hwk_tpm *tpm, uint32_t pcrs, TPM2B_DIGEST *out)
{
    TPMS_PCR_SELECTION s = {.hash = TPM2_ALG_SHA256, .sizeofSelect = 3};
    TPM2B_DIGEST value[HWK_TPM_PCRS];
    uint8_t all[HWK_TPM_PCRS * TPM2_SHA256_DIGEST_SIZE];
    size_t n = 0;
    for (size_t i = 0; i < 3; i++)
        s.pcrSelect[i] = (BYTE)(pcrs >> 8 * i);
    if (!hwk_tpm_check(tpm, hwk_tpm_pcr_read(tpm, &s, value), "PCR_Read", 0))
        return 0;
    for (unsigned pcr = 0; pcr < HWK_TPM_PCRS; pcr++)
        if (value[pcr].size == TPM2_SHA256_DIGEST_SIZE) {
            memcpy(all + n, value[pcr].buffer, value[pcr].size);
            n += value[pcr].size;
        }
    if (n != count(pcrs) * TPM2_SHA256_DIGEST_SIZE)
        return hwk_raise(HWK_R_UNSUPPORTED,
                         "TPM %s: not all of the PCRs 0x%06x have a SHA-256 "
                         "value",
                         tpm->name, pcrs);
    return hwk_tpm_hash(TPM2_ALG_SHA256, all, n, out)
               ? 1
               : hwk_raise(HWK_R_DIGEST, "SHA-256");
}

int hwk_tpm_door_pcr_read(void *state, uint32_t pcrs, uint8_t out[32])
{
    TPM2B_DIGEST digest;
    if (!hwk_tpm_begin(state))
        return 0;
    int ok = digest_of(state, pcrs, &digest);
    hwk_tpm_end(state);
    if (ok)
        memcpy(out, digest.buffer, TPM2_SHA256_DIGEST_SIZE);
    return ok;
}

int hwk_tpm_door_pcr_extend(void *state, unsigned pcr, const uint8_t digest[32])
{
    struct hwk_tpm_call call;
    TPML_DIGEST_VALUES values = {.count = 1};
    values.digests[0].hashAlg = TPM2_ALG_SHA256;
    memcpy(values.digests[0].digest.sha256, digest, TPM2_SHA256_DIGEST_SIZE);
    if (!hwk_tpm_begin(state))
        return 0;
    hwk_tpm_call_start(&call, TPM2_CC_PCR_Extend, &pcr, 1, true);
    hwk_tpm_call_put(&call, TPML_DIGEST_VALUES, &values);
    int ok =
        hwk_tpm_check(state, hwk_tpm_call_run(state, &call), "PCR_Extend", 0);
    hwk_tpm_end(state);
    return ok;
}

static int read_clock(struct hwk_tpm *tpm, struct hwk_tpm_facts *out)
{
    struct hwk_tpm_call call;
    TPMS_TIME_INFO time;
    memset(&time, 0, sizeof(time));
    hwk_tpm_call_start(&call, TPM2_CC_ReadClock, NULL, 0, false);
    hwk_tpm_call_run(tpm, &call);
    hwk_tpm_call_get(&call, TPMS_TIME_INFO, &time);
    out->reset_count = time.clockInfo.resetCount;
    out->restart_count = time.clockInfo.restartCount;
    return hwk_tpm_check(tpm, call.rc, "ReadClock", 0);
}

static bool is_configured(const struct hwk_tpm *tpm, const char *setting)
{
    return tpm->cfg && hwk_config_get(tpm->cfg, setting);
}

static int read_state(struct hwk_tpm *tpm, struct hwk_tpm_facts *out)
{
    struct hwk_tpm_properties var;
    if (!hwk_tpm_properties(tpm, TPM2_PT_VAR, &var))
        return 0;
    UINT32 now = hwk_tpm_property(&var, TPM2_PT_PERMANENT);
    out->owner_auth_set = now & TPMA_PERMANENT_OWNERAUTHSET;
    out->lockout_auth_set = now & TPMA_PERMANENT_LOCKOUTAUTHSET;
    out->in_lockout = now & TPMA_PERMANENT_INLOCKOUT;
    out->platform_enabled = hwk_tpm_property(&var, TPM2_PT_STARTUP_CLEAR) &
                            TPMA_STARTUP_CLEAR_PHENABLE;
    out->lockout_counter = hwk_tpm_property(&var, TPM2_PT_LOCKOUT_COUNTER);
    out->max_tries = hwk_tpm_property(&var, TPM2_PT_MAX_AUTH_FAIL);
    out->recovery_s = hwk_tpm_property(&var, TPM2_PT_LOCKOUT_INTERVAL);
    out->lockout_recovery_s = hwk_tpm_property(&var, TPM2_PT_LOCKOUT_RECOVERY);
    out->owner_auth_known = is_configured(tpm, "pin-source.owner");
    out->lockout_auth_known = is_configured(tpm, "pin-source.lockout");
    return 1;
}

int hwk_tpm_door_facts(void *state, unsigned what, struct hwk_tpm_facts *out)
{
    struct hwk_tpm_facts facts = {0};
    if (!hwk_tpm_begin(state))
        return 0;
    int ok = (!(what & HWK_FACTS_STATE) || read_state(state, &facts)) &&
             (!(what & HWK_FACTS_CLOCK) || read_clock(state, &facts));
    hwk_tpm_end(state);
    if (ok)
        *out = facts;
    return ok;
}
