/* SPDX-License-Identifier: Apache-2.0 */
/* Policy digests, computed as the TPM does (TPM 2.0 Library, Part 3, 23). */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_rule.h"
#include "provider/err.h"

/* what is hashed: a digest, a command code and, at most, 8 digests, a list of
 * PCRs or the content of a comparison */
struct input {
    uint8_t p[1024];
    size_t n;
    TSS2_RC rc;
};

static void put(struct input *in, const void *p, size_t n)
{
    if (n > sizeof(in->p) - in->n)
        in->rc = TSS2_MU_RC_INSUFFICIENT_BUFFER;
    if (in->rc == TSS2_RC_SUCCESS && n > 0) {
        memcpy(in->p + in->n, p, n);
        in->n += n;
    }
}

static void put16(struct input *in, UINT16 v)
{
    put(in, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put32(struct input *in, UINT32 v)
{
    put16(in, (UINT16)(v >> 16));
    put16(in, (UINT16)v);
}

static int hash(TPMI_ALG_HASH alg, const struct input *in, TPM2B_DIGEST *out)
{
    return in->rc == TSS2_RC_SUCCESS && hwk_tpm_hash(alg, in->p, in->n, out)
               ? 1
               : hwk_raise(HWK_R_DIGEST, "policy: no digest 0x%04x", alg);
}

void hwk_tpm_policy_zero(TPMI_ALG_HASH alg, TPM2B_DIGEST *out)
{
    memset(out, 0, sizeof(*out));
    if (alg == TPM2_ALG_SHA256 || alg == TPM2_ALG_SHA384 ||
        alg == TPM2_ALG_SHA512)
        out->size = (UINT16)hwk_md_size(hwk_tpm_md(alg));
}

static struct input start(const TPM2B_DIGEST *from, TPM2_CC code)
{
    struct input in = {.n = 0};
    put(&in, from->buffer, from->size);
    put32(&in, code);
    return in;
}

/* PolicyUpdate() of Part 3: a name, then a reference */
static int update(TPMI_ALG_HASH alg, TPM2_CC code, const TPM2B_NAME *name,
                  const TPM2B_NONCE *ref, TPM2B_DIGEST *digest)
{
    struct input in = start(digest, code);
    if (name->size == 0) {
        digest->size = 0;
        return 1;
    }
    put(&in, name->name, name->size);
    if (!hash(alg, &in, digest))
        return 0;
    in.n = 0;
    put(&in, digest->buffer, digest->size);
    put(&in, ref->buffer, ref->size);
    return hash(alg, &in, digest);
}

static int compared(TPMI_ALG_HASH alg, const struct hwk_tpm_term *t,
                    TPM2B_DIGEST *digest)
{
    struct input in = {.n = 0};
    TPM2B_DIGEST args;
    put(&in, t->operand.buffer, t->operand.size);
    put16(&in, t->offset);
    put16(&in, t->op);
    if (!hash(alg, &in, &args))
        return 0;
    in = start(digest, t->code);
    put(&in, args.buffer, args.size);
    if (t->code == TPM2_CC_PolicyNV && t->name.size == 0) {
        digest->size = 0;
        return 1;
    }
    if (t->code == TPM2_CC_PolicyNV)
        put(&in, t->name.name, t->name.size);
    return hash(alg, &in, digest);
}

static int pcrs(TPMI_ALG_HASH alg, const struct hwk_tpm_term *t,
                TPM2B_DIGEST *digest)
{
    struct input in = start(digest, t->code);
    if (t->digest.size == 0) {
        digest->size = 0;
        return 1;
    }
    in.rc =
        Tss2_MU_TPML_PCR_SELECTION_Marshal(&t->pcrs, in.p, sizeof(in.p), &in.n);
    put(&in, t->digest.buffer, t->digest.size);
    return hash(alg, &in, digest);
}

/* what ends up in the digest alone, whatever was before */
static int or_of(TPMI_ALG_HASH alg, const struct hwk_tpm_term *t,
                 TPM2B_DIGEST *digest)
{
    TPM2B_DIGEST zero;
    hwk_tpm_policy_zero(alg, &zero);
    struct input in = start(&zero, t->code);
    for (UINT32 i = 0; i < t->branches.count; i++)
        put(&in, t->branches.digests[i].buffer, t->branches.digests[i].size);
    return hash(alg, &in, digest);
}

static int authorized(TPMI_ALG_HASH alg, const struct hwk_tpm_term *t,
                      TPM2B_DIGEST *digest)
{
    TPM2B_NAME name;
    hwk_tpm_policy_zero(alg, digest);
    return hwk_tpm_public_name(&t->pub, &name) &&
           update(alg, t->code, &name, &t->ref, digest);
}

static int signed_by(TPMI_ALG_HASH alg, const struct hwk_tpm_term *t,
                     TPM2B_DIGEST *digest)
{
    TPM2B_NAME name;
    return hwk_tpm_public_name(&t->pub, &name) &&
           update(alg, t->code, &name, &t->ref, digest);
}

/* a permanent entity (a hierarchy) is its own name */
static int secret(TPMI_ALG_HASH alg, const struct hwk_tpm_term *t,
                  TPM2B_DIGEST *digest)
{
    TPM2B_NAME name = t->name;
    size_t at = 0;
    if (name.size == 0 && t->handle >> 24 == TPM2_HT_PERMANENT) {
        Tss2_MU_UINT32_Marshal(t->handle, name.name, sizeof(name.name), &at);
        name.size = (UINT16)at;
    }
    return update(alg, t->code, &name, &t->ref, digest);
}

static int plain(TPMI_ALG_HASH alg, const struct hwk_tpm_term *t,
                 TPM2B_DIGEST *digest)
{
    TPM2_CC code =
        t->code == TPM2_CC_PolicyPassword ? TPM2_CC_PolicyAuthValue : t->code;
    struct input in = start(digest, code);
    if (code == TPM2_CC_PolicyCommandCode)
        put32(&in, t->command);
    else if (code == TPM2_CC_PolicyCpHash)
        put(&in, t->digest.buffer, t->digest.size);
    else if (code == TPM2_CC_PolicyLocality)
        put(&in, &t->locality, 1);
    return hash(alg, &in, digest);
}

int hwk_tpm_term_extend(TPMI_ALG_HASH alg, const struct hwk_tpm_term *term,
                        TPM2B_DIGEST *digest)
{
    switch (term->code) {
    case TPM2_CC_PolicyOR:
        return or_of(alg, term, digest);
    case TPM2_CC_PolicyAuthorize:
        return authorized(alg, term, digest);
    default:
        if (digest->size == 0)
            return 1;
    }
    switch (term->code) {
    case TPM2_CC_PolicyPCR:
        return pcrs(alg, term, digest);
    case TPM2_CC_PolicySecret:
        return secret(alg, term, digest);
    case TPM2_CC_PolicySigned:
        return signed_by(alg, term, digest);
    case TPM2_CC_PolicyNV:
    case TPM2_CC_PolicyCounterTimer:
        return compared(alg, term, digest);
    default:
        return plain(alg, term, digest);
    }
}

int hwk_tpm_rule_digest(TPMI_ALG_HASH alg, const struct hwk_tpm_rule *rule,
                        TPM2B_DIGEST *out)
{
    struct hwk_tpm_term term;
    hwk_tpm_policy_zero(alg, out);
    if (out->size == 0)
        return hwk_raise(HWK_R_DIGEST, "policy: no digest 0x%04x", alg);
    for (size_t i = 0; i < rule->n; i++)
        if (!hwk_tpm_term_from(&rule->steps[i], &term) ||
            !hwk_tpm_term_extend(alg, &term, out))
            return 0;
    return 1;
}

int hwk_tpm_public_name(const TPM2B_PUBLIC *pub, TPM2B_NAME *out)
{
    struct input in = {.n = 0};
    TPM2B_DIGEST digest;
    TPMI_ALG_HASH alg = pub->publicArea.nameAlg;
    in.rc = Tss2_MU_TPMT_PUBLIC_Marshal(&pub->publicArea, in.p, sizeof(in.p),
                                        &in.n);
    if (in.rc != TSS2_RC_SUCCESS || !hwk_tpm_hash(alg, in.p, in.n, &digest))
        return hwk_raise(HWK_R_UNSUPPORTED,
                         "no Name of a key with the hash 0x%04x", alg);
    out->name[0] = (BYTE)(alg >> 8);
    out->name[1] = (BYTE)alg;
    memcpy(out->name + 2, digest.buffer, digest.size);
    out->size = (UINT16)(2 + digest.size);
    return 1;
}
