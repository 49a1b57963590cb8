/* SPDX-License-Identifier: Apache-2.0 */
/* From a parsed policy to the commands that satisfy it. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_rule_text.h"
#include "provider/err.h"

static int copy_rule(const struct hwk_tpm_rule *from, struct hwk_tpm_rule *out)
{
    struct hwk_tpm_term term;
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < from->n; i++)
        if (!hwk_tpm_term_from(&from->steps[i], &term) ||
            !hwk_tpm_rule_add(out, &term)) {
            hwk_tpm_rule_clear(out);
            return 0;
        }
    return 1;
}

/* adds copies of all of from to out; the digest is from's */
static int copy_all(const struct hwk_tpm_rules *from, struct hwk_tpm_rules *out)
{
    struct hwk_tpm_rule rule;
    out->policy = from->policy;
    for (size_t i = 0; i < from->n; i++) {
        if (!copy_rule(&from->list[i], &rule))
            return 0;
        if (!hwk_tpm_rules_take(out, &rule)) {
            hwk_tpm_rule_clear(&rule);
            return 0;
        }
    }
    return 1;
}

/* one more step for all */
static int append(struct hwk_tpm_rules *to, TPMI_ALG_HASH alg,
                  const struct hwk_tpm_term *term)
{
    for (size_t i = 0; i < to->n; i++)
        if (!hwk_tpm_rule_add(&to->list[i], term))
            return 0;
    return hwk_tpm_term_extend(alg, term, &to->policy);
}

/* the values of the PCRs make the digest; all of them or none */
static int pcr_digest(const struct hwk_tpm_policy *node, TPMI_ALG_HASH alg,
                      struct hwk_tpm_term *term)
{
    const TPMS_PCR_SELECTION *s = &term->pcrs.pcrSelections[0];
    uint8_t all[HWK_TPM_PCRS * sizeof(TPMU_HA)];
    size_t n = 0, open = 0;
    for (unsigned i = 0; i < HWK_TPM_PCRS; i++) {
        if (!(s->pcrSelect[i / 8] & 1u << i % 8))
            continue;
        open += node->value[i].size == 0;
        memcpy(all + n, node->value[i].buffer, node->value[i].size);
        n += node->value[i].size;
    }
    if (open > 0)
        return n == 0 ? 1
                      : hwk_raise(HWK_R_FORMAT, "policy: values for all of the "
                                                "PCRs in pcr(), or for none");
    return hwk_tpm_hash(alg, all, n, &term->digest)
               ? 1
               : hwk_raise(HWK_R_DIGEST, "policy: no digest 0x%04x", alg);
}

static int expand(const struct hwk_tpm_policy *node, TPMI_ALG_HASH alg,
                  struct hwk_tpm_rules *to);

static int expand_term(const struct hwk_tpm_policy *node, TPMI_ALG_HASH alg,
                       struct hwk_tpm_rules *to)
{
    struct hwk_tpm_term term = *node->term;
    return (term.code != TPM2_CC_PolicyPCR || pcr_digest(node, alg, &term)) &&
           append(to, alg, &term);
}

/* each branch from where to is, then the PolicyOR that joins them again */
static int expand_any(const struct hwk_tpm_policy *node, TPMI_ALG_HASH alg,
                      struct hwk_tpm_rules *to)
{
    struct hwk_tpm_rules all = {.n = 0}, one;
    struct hwk_tpm_term joined = {.code = TPM2_CC_PolicyOR};
    int ok = 1;
    for (const struct hwk_tpm_policy *b = node->first; ok && b; b = b->next) {
        memset(&one, 0, sizeof(one));
        ok = copy_all(to, &one) && expand(b, alg, &one);
        if (ok && one.policy.size == 0)
            ok = hwk_raise(HWK_R_FORMAT, "policy: in a branch of '|' the "
                                         "values of PCRs must be given");
        if (ok && joined.branches.count >= 8)
            ok = hwk_raise(HWK_R_FORMAT, "policy: more than 8 branches beside "
                                         "each other; put some in parentheses");
        if (ok)
            joined.branches.digests[joined.branches.count++] = one.policy;
        ok = ok && copy_all(&one, &all);
        hwk_tpm_rules_clear(&one);
    }
    ok = ok && append(&all, alg, &joined);
    hwk_tpm_rules_clear(ok ? to : &all);
    if (ok)
        *to = all;
    return ok;
}

static int expand(const struct hwk_tpm_policy *node, TPMI_ALG_HASH alg,
                  struct hwk_tpm_rules *to)
{
    if (node->kind == HWK_TPM_TERM)
        return expand_term(node, alg, to);
    if (node->kind == HWK_TPM_ANY)
        return expand_any(node, alg, to);
    for (const struct hwk_tpm_policy *b = node->first; b; b = b->next)
        if (!expand(b, alg, to))
            return 0;
    return 1;
}

int hwk_tpm_policy_compile(const struct hwk_tpm_policy *policy,
                           TPMI_ALG_HASH alg, struct hwk_tpm_rules *out)
{
    struct hwk_tpm_rules rules = {.n = 0};
    struct hwk_tpm_rule empty = {.n = 0};
    hwk_tpm_policy_zero(alg, &rules.policy);
    if (rules.policy.size == 0)
        return hwk_raise(HWK_R_DIGEST, "policy: no digest 0x%04x", alg);
    if (!hwk_tpm_rules_take(&rules, &empty) || !expand(policy, alg, &rules)) {
        hwk_tpm_rules_clear(&rules);
        return 0;
    }
    *out = rules;
    return 1;
}
