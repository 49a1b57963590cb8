/* SPDX-License-Identifier: Apache-2.0 */
/* Policy commands and their parameters as key files have them. */
#include <string.h>

#include <openssl/crypto.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_rule.h"
#include "provider/err.h"

/* --- rules --- */

void hwk_tpm_rule_clear(struct hwk_tpm_rule *rule)
{
    for (size_t i = 0; i < rule->n; i++)
        OPENSSL_free(rule->steps[i].params);
    OPENSSL_free(rule->steps);
    OPENSSL_free(rule->name);
    memset(rule, 0, sizeof(*rule));
}

void hwk_tpm_rules_clear(struct hwk_tpm_rules *rules)
{
    for (size_t i = 0; i < rules->n; i++)
        hwk_tpm_rule_clear(&rules->list[i]);
    OPENSSL_free(rules->list);
    memset(rules, 0, sizeof(*rules));
}

int hwk_tpm_rules_take(struct hwk_tpm_rules *rules, struct hwk_tpm_rule *rule)
{
    struct hwk_tpm_rule *list;
    if (rules->n >= HWK_TPM_RULES_MAX)
        return hwk_raise(HWK_R_FORMAT, "policy: more than %d alternatives",
                         HWK_TPM_RULES_MAX);
    list = OPENSSL_realloc(rules->list, (rules->n + 1) * sizeof(*list));
    if (!list)
        return hwk_raise(HWK_R_MEMORY, "policy");
    rules->list = list;
    list[rules->n++] = *rule;
    memset(rule, 0, sizeof(*rule));
    return 1;
}

/* --- the parts of parameters: each reads or writes one --- */

struct bytes {
    uint8_t *p;
    size_t n, at;
};

struct part {
    TSS2_RC (*get)(struct bytes *in, struct hwk_tpm_term *term);
    TSS2_RC (*put)(struct bytes *out, const struct hwk_tpm_term *term);
};

#define PART(name, type, member)                                               \
    static TSS2_RC get_##name(struct bytes *in, struct hwk_tpm_term *term)     \
    {                                                                          \
        return Tss2_MU_##type##_Unmarshal(in->p, in->n, &in->at,               \
                                          &term->member);                      \
    }                                                                          \
    static TSS2_RC put_##name(struct bytes *out,                               \
                              const struct hwk_tpm_term *term)                 \
    {                                                                          \
        return Tss2_MU_##type##_Marshal(BY(term->member), out->p, out->n,      \
                                        &out->at);                             \
    }

#define BY(x) &(x)
PART(name, TPM2B_NAME, name)
PART(ref, TPM2B_NONCE, ref)
PART(digest, TPM2B_DIGEST, digest)
PART(operand, TPM2B_OPERAND, operand)
#undef BY
#define BY(x) (x)
PART(handle, UINT32, handle)
PART(offset, UINT16, offset)
PART(op, UINT16, op)
PART(command, UINT32, command)
PART(locality, UINT8, locality)
#undef BY

/* a list longer than max: the library would print that it is */
static bool too_long(const uint8_t *p, size_t n, UINT32 max)
{
    return n < 4 || p[0] || p[1] || p[2] || p[3] > max;
}

/* the same of the bitmaps in it */
static bool too_wide(const uint8_t *p, size_t n)
{
    unsigned count = p[3];
    for (p += 4, n -= 4; count > 0; count--) {
        if (n < 3 || p[2] > TPM2_PCR_SELECT_MAX || n < 3u + p[2])
            return true;
        n -= 3u + p[2];
        p += 3u + p[2];
    }
    return false;
}

static TSS2_RC get_pcrs(struct bytes *in, struct hwk_tpm_term *term)
{
    const uint8_t *p = in->p + in->at;
    size_t n = in->n - in->at;
    if (too_long(p, n, TPM2_NUM_PCR_BANKS) || too_wide(p, n))
        return TSS2_MU_RC_BAD_VALUE;
    return Tss2_MU_TPML_PCR_SELECTION_Unmarshal(in->p, in->n, &in->at,
                                                &term->pcrs);
}

static TSS2_RC put_pcrs(struct bytes *out, const struct hwk_tpm_term *term)
{
    return Tss2_MU_TPML_PCR_SELECTION_Marshal(&term->pcrs, out->p, out->n,
                                              &out->at);
}

static TSS2_RC get_branches(struct bytes *in, struct hwk_tpm_term *term)
{
    if (too_long(in->p + in->at, in->n - in->at, 8))
        return TSS2_MU_RC_BAD_VALUE;
    return Tss2_MU_TPML_DIGEST_Unmarshal(in->p, in->n, &in->at,
                                         &term->branches);
}

static TSS2_RC put_branches(struct bytes *out, const struct hwk_tpm_term *term)
{
    return Tss2_MU_TPML_DIGEST_Marshal(&term->branches, out->p, out->n,
                                       &out->at);
}

/* size 0 would be no key; the library does not say so */
static TSS2_RC get_pub(struct bytes *in, struct hwk_tpm_term *term)
{
    term->pub.size = 0;
    TSS2_RC rc =
        Tss2_MU_TPM2B_PUBLIC_Unmarshal(in->p, in->n, &in->at, &term->pub);
    return rc == TSS2_RC_SUCCESS && term->pub.size == 0
               ? (TSS2_RC)TSS2_MU_RC_BAD_VALUE
               : rc;
}

static TSS2_RC put_pub(struct bytes *out, const struct hwk_tpm_term *term)
{
    TPM2B_PUBLIC pub = term->pub;
    pub.size = 0; /* have it computed */
    return Tss2_MU_TPM2B_PUBLIC_Marshal(&pub, out->p, out->n, &out->at);
}

static TSS2_RC get_sig(struct bytes *in, struct hwk_tpm_term *term)
{
    term->sig.sigAlg = TPM2_ALG_NULL;
    if (in->at == in->n)
        return TSS2_RC_SUCCESS;
    return Tss2_MU_TPMT_SIGNATURE_Unmarshal(in->p, in->n, &in->at, &term->sig);
}

static TSS2_RC put_sig(struct bytes *out, const struct hwk_tpm_term *term)
{
    return Tss2_MU_TPMT_SIGNATURE_Marshal(&term->sig, out->p, out->n, &out->at);
}

#define P(name)                                                                \
    {                                                                          \
        get_##name, put_##name                                                 \
    }
static const struct format {
    TPM2_CC code;
    const char *name;
    struct part parts[5];
} formats[] = {
    {TPM2_CC_PolicyPCR, "PolicyPCR", {P(digest), P(pcrs)}},
    {TPM2_CC_PolicyAuthValue, "PolicyAuthValue", {{NULL, NULL}}},
    {TPM2_CC_PolicyPassword, "PolicyPassword", {{NULL, NULL}}},
    {TPM2_CC_PolicyPhysicalPresence, "PolicyPhysicalPresence", {{NULL, NULL}}},
    {TPM2_CC_PolicySecret, "PolicySecret", {P(handle), P(name), P(ref)}},
    {TPM2_CC_PolicySigned, "PolicySigned", {P(pub), P(ref), P(sig)}},
    {TPM2_CC_PolicyAuthorize, "PolicyAuthorize", {P(pub), P(ref), P(sig)}},
    {TPM2_CC_PolicyCommandCode, "PolicyCommandCode", {P(command)}},
    {TPM2_CC_PolicyCpHash, "PolicyCpHash", {P(digest)}},
    {TPM2_CC_PolicyOR, "PolicyOR", {P(branches)}},
    {TPM2_CC_PolicyCounterTimer,
     "PolicyCounterTimer",
     {P(operand), P(offset), P(op)}},
    {TPM2_CC_PolicyLocality, "PolicyLocality", {P(locality)}},
    {TPM2_CC_PolicyNV,
     "PolicyNV",
     {P(handle), P(name), P(operand), P(offset), P(op)}},
};
#undef P
#define PARTS (sizeof(formats[0].parts) / sizeof(formats[0].parts[0]))

static const struct format *format_of(TPM2_CC code)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        if (formats[i].code == code)
            return &formats[i];
    return NULL;
}

const char *hwk_tpm_step_name(TPM2_CC code)
{
    const struct format *f = format_of(code);
    return f ? f->name : "a command";
}

/* --- reading --- */

/* as the first tools wrote it: the selection, then the digest without size */
static bool old_pcr(const struct hwk_tpm_step *step, struct hwk_tpm_term *out)
{
    struct bytes in = {step->params, step->n, 0};
    if (get_pcrs(&in, out) != TSS2_RC_SUCCESS ||
        in.n - in.at > sizeof(out->digest.buffer))
        return false;
    out->digest.size = (UINT16)(in.n - in.at);
    memcpy(out->digest.buffer, in.p + in.at, in.n - in.at);
    return true;
}

/* the same for the clock: no size before the operand */
static bool old_timer(const struct hwk_tpm_step *step, struct hwk_tpm_term *out)
{
    size_t n = step->n < 4 ? 0 : step->n - 4;
    const uint8_t *p = step->params + n;
    if (n == 0 || n > sizeof(out->operand.buffer))
        return false;
    out->operand.size = (UINT16)n;
    memcpy(out->operand.buffer, step->params, n);
    out->offset = (UINT16)(p[0] << 8 | p[1]);
    out->op = (TPM2_EO)(p[2] << 8 | p[3]);
    return true;
}

static bool read_parts(const struct format *f, const struct hwk_tpm_step *step,
                       struct hwk_tpm_term *out)
{
    struct bytes in = {step->params, step->n, 0};
    for (size_t i = 0; i < PARTS && f->parts[i].get; i++)
        if (f->parts[i].get(&in, out) != TSS2_RC_SUCCESS)
            return false;
    return in.at == in.n;
}

static bool read_any(const struct format *f, const struct hwk_tpm_step *step,
                     struct hwk_tpm_term *out)
{
    if (read_parts(f, step, out))
        return true;
    if (f->code == TPM2_CC_PolicyPCR)
        return old_pcr(step, out);
    return f->code == TPM2_CC_PolicyCounterTimer && old_timer(step, out);
}

/* values that no TPM would take */
static const char *nonsense(const struct hwk_tpm_term *t)
{
    size_t some = 0;
    for (UINT32 i = 0; i < t->pcrs.count; i++)
        for (unsigned j = 0; j < t->pcrs.pcrSelections[i].sizeofSelect; j++)
            some += t->pcrs.pcrSelections[i].pcrSelect[j];
    if (t->code == TPM2_CC_PolicyPCR && some == 0)
        return "selects no PCR";
    if (t->code == TPM2_CC_PolicyOR &&
        (t->branches.count < 2 || t->branches.count > 8))
        return "has not 2 to 8 branches";
    if (t->code == TPM2_CC_PolicyCpHash && t->digest.size == 0)
        return "has no digest";
    if (t->code == TPM2_CC_PolicyNV && t->handle >> 24 != TPM2_HT_NV_INDEX)
        return "names no NV index";
    if ((t->code == TPM2_CC_PolicyNV ||
         t->code == TPM2_CC_PolicyCounterTimer) &&
        t->op > TPM2_EO_BITCLEAR)
        return "has an operation that there is not";
    if (t->code == TPM2_CC_PolicySecret && t->handle == 0 && t->name.size == 0)
        return "names no object";
    return NULL;
}

int hwk_tpm_term_from(const struct hwk_tpm_step *step, struct hwk_tpm_term *out)
{
    const struct format *f = format_of(step->code);
    struct hwk_tpm_step full = *step;
    uint8_t none[1] = {0};
    memset(out, 0, sizeof(*out));
    if (step->n == 0)
        full.params = none;
    if (!f)
        return hwk_raise(HWK_R_UNSUPPORTED, "policy: command 0x%x is not known",
                         step->code);
    out->code = step->code;
    out->sig.sigAlg = TPM2_ALG_NULL;
    if (!read_any(f, &full, out))
        return hwk_raise(HWK_R_FORMAT,
                         "policy: %zu bytes that are no parameters of %s",
                         step->n, f->name);
    const char *why = nonsense(out);
    return why ? hwk_raise(HWK_R_FORMAT, "policy: %s %s", f->name, why) : 1;
}

/* --- writing --- */

static int append(struct hwk_tpm_rule *rule, TPM2_CC code, const uint8_t *p,
                  size_t n)
{
    struct hwk_tpm_step *steps =
        OPENSSL_realloc(rule->steps, (rule->n + 1) * sizeof(*steps));
    if (!steps)
        return hwk_raise(HWK_R_MEMORY, "policy");
    rule->steps = steps;
    steps += rule->n;
    *steps = (struct hwk_tpm_step){.code = code, .n = n};
    if (n > 0 && !(steps->params = OPENSSL_memdup(p, n)))
        return hwk_raise(HWK_R_MEMORY, "policy");
    rule->n++;
    return 1;
}

int hwk_tpm_rule_add(struct hwk_tpm_rule *rule, const struct hwk_tpm_term *term)
{
    uint8_t room[sizeof(*term)];
    struct bytes out = {room, sizeof(room), 0};
    const struct format *f = format_of(term->code);
    TSS2_RC rc = TSS2_RC_SUCCESS;
    if (rule->n >= HWK_TPM_RULE_STEPS)
        return hwk_raise(HWK_R_FORMAT, "policy: more than %d steps",
                         HWK_TPM_RULE_STEPS);
    for (size_t i = 0; f && i < PARTS && f->parts[i].put; i++)
        if (rc == TSS2_RC_SUCCESS)
            rc = f->parts[i].put(&out, term);
    if (!f || rc != TSS2_RC_SUCCESS)
        return hwk_raise(HWK_R_FORMAT, "policy: %s cannot be written",
                         hwk_tpm_step_name(term->code));
    return append(rule, term->code, room, out.at);
}
