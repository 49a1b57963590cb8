/* SPDX-License-Identifier: Apache-2.0 */
/* Why a step of a policy was refused, in words. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <tss2/tss2_rc.h>

#include "provider/device/tpm2_facts.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_satisfy_int.h"

void hwk_tpm_why(struct hwk_tpm_run *run, const char *fmt, ...)
{
    size_t n = strlen(run->why);
    va_list args;
    va_start(args, fmt);
    vsnprintf(run->why + n, sizeof(run->why) - n, fmt, args);
    va_end(args);
}

static void why_hex(struct hwk_tpm_run *run, const BYTE *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hwk_tpm_why(run, "%02x", p[i]);
}

static bool selects(const TPMS_PCR_SELECTION *s, unsigned pcr)
{
    return pcr < 8u * s->sizeofSelect && s->pcrSelect[pcr / 8] & 1u << pcr % 8;
}

static bool same(const TPM2B_DIGEST *a, const TPM2B_DIGEST *b)
{
    return a->size == b->size && memcmp(a->buffer, b->buffer, a->size) == 0;
}

/* the place in the configured text where the values of these PCRs stand */
static const struct hwk_tpm_policy *written(const struct hwk_tpm_policy *p,
                                            const struct hwk_tpm_term *t,
                                            TPMI_ALG_HASH alg)
{
    const TPMS_PCR_SELECTION *s = &t->pcrs.pcrSelections[0];
    for (; p; p = p->next) {
        const struct hwk_tpm_policy *in = written(p->first, t, alg);
        if (in)
            return in;
        if (!p->term || p->term->code != TPM2_CC_PolicyPCR ||
            memcmp(&p->term->pcrs, &t->pcrs, sizeof(t->pcrs)) != 0)
            continue;
        uint8_t all[HWK_TPM_PCRS * sizeof(TPMU_HA)];
        TPM2B_DIGEST d;
        size_t n = 0;
        for (unsigned pcr = 0; pcr < HWK_TPM_PCRS; pcr++)
            if (selects(s, pcr)) {
                memcpy(all + n, p->value[pcr].buffer, p->value[pcr].size);
                n += p->value[pcr].size;
            }
        if (hwk_tpm_hash(alg, all, n, &d) && same(&d, &t->digest))
            return p;
    }
    return NULL;
}

/* the values that differ where those wanted are known, else all of them */
static void why_bank(struct hwk_tpm_run *run, const TPMS_PCR_SELECTION *s,
                     const struct hwk_tpm_policy *wanted)
{
    TPM2B_DIGEST now[HWK_TPM_PCRS];
    if (hwk_tpm_pcr_read(run->tpm, s, now) != TSS2_RC_SUCCESS)
        return;
    for (unsigned pcr = 0; pcr < HWK_TPM_PCRS; pcr++) {
        if (!selects(s, pcr) ||
            (wanted && same(&now[pcr], &wanted->value[pcr])))
            continue;
        hwk_tpm_why(run, "; PCR %u is ", pcr);
        why_hex(run, now[pcr].buffer, now[pcr].size);
        if (!wanted)
            continue;
        hwk_tpm_why(run, ", wanted ");
        why_hex(run, wanted->value[pcr].buffer, wanted->value[pcr].size);
    }
}

static void why_pcr(struct hwk_tpm_run *run, const struct hwk_tpm_term *t)
{
    const struct hwk_tpm_policy *wanted =
        t->pcrs.count == 1 ? written(run->guard->text, t, run->guard->alg)
                           : NULL;
    TPM2B_DIGEST now;
    hwk_tpm_why(run, "the PCRs are not as wanted");
    if (!wanted && t->digest.size > 0 &&
        hwk_tpm_pcr_digest(run->tpm, &t->pcrs, run->guard->alg, &now) ==
            TSS2_RC_SUCCESS) {
        hwk_tpm_why(run, ": their digest is ");
        why_hex(run, now.buffer, now.size);
        hwk_tpm_why(run, ", wanted ");
        why_hex(run, t->digest.buffer, t->digest.size);
    }
    for (UINT32 i = 0; i < t->pcrs.count; i++)
        why_bank(run, &t->pcrs.pcrSelections[i], wanted);
}

static void why_nv(struct hwk_tpm_run *run, const struct hwk_tpm_term *t,
                   TSS2_RC rc)
{
    TPM2B_MAX_NV_BUFFER now;
    if (hwk_tpm_rc_is(rc, TPM2_RC_HANDLE))
        hwk_tpm_why(run, "there is no such index");
    else if (hwk_tpm_rc_is(rc, TPM2_RC_NV_UNINITIALIZED))
        hwk_tpm_why(run, "it was not written yet");
    else if (hwk_tpm_rc_is(rc, TPM2_RC_NV_LOCKED))
        hwk_tpm_why(run, "it is locked against reading until the TPM is reset");
    else if (!hwk_tpm_rc_is(rc, TPM2_RC_POLICY))
        hwk_tpm_why(run, "%s (0x%x)", Tss2_RC_Decode(rc), rc);
    else if (hwk_tpm_nv_peek(run->tpm, t->handle,
                             run->guard->owner_reads == t->handle, t->offset,
                             t->operand.size, &now) == TSS2_RC_SUCCESS) {
        hwk_tpm_why(run, "it holds ");
        why_hex(run, now.buffer, now.size < 64 ? now.size : 64);
    } else {
        hwk_tpm_why(run, "it holds something else");
    }
}

/* in plain words where there are some */
static const char *words(TPM2_CC code, TSS2_RC rc)
{
    if (code == TPM2_CC_PolicyOR)
        return "what was satisfied is none of its branches";
    if (code == TPM2_CC_PolicySecret &&
        hwk_tpm_reason(rc) == HWK_R_PIN_INCORRECT)
        return "its authorization value was refused; pin-source.NAME in the "
               "configuration gives it";
    if ((code == TPM2_CC_PolicySigned || code == TPM2_CC_PolicyAuthorize) &&
        hwk_tpm_rc_is(rc, TPM2_RC_SIGNATURE))
        return code == TPM2_CC_PolicySigned
                   ? "the signature is not good"
                   : "the signature is not one of this policy";
    if (code == TPM2_CC_PolicyCounterTimer && hwk_tpm_rc_is(rc, TPM2_RC_POLICY))
        return "the TPM's clock or counters are not so";
    if (hwk_tpm_rc_is(rc, TPM2_RC_HANDLE))
        return "there is no such object";
    return NULL;
}

void hwk_tpm_step_why(struct hwk_tpm_run *run, const struct hwk_tpm_term *term,
                      TSS2_RC rc)
{
    char text[256];
    const char *plain = words(term->code, rc);
    hwk_tpm_term_text(term, text, sizeof(text));
    hwk_tpm_why(run, "%s: ", text);
    if (term->code == TPM2_CC_PolicyPCR && hwk_tpm_rc_is(rc, TPM2_RC_VALUE))
        why_pcr(run, term);
    else if (term->code == TPM2_CC_PolicyNV)
        why_nv(run, term, rc);
    else if (plain)
        hwk_tpm_why(run, "%s", plain);
    else
        hwk_tpm_why(run, "%s (0x%x)", Tss2_RC_Decode(rc), rc);
}
