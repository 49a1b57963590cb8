/* SPDX-License-Identifier: Apache-2.0 */
/* Policies as text: parsed or refused with a reason, and every way to satisfy
 * one leads to the same digest. */
#include <string.h>

#include <openssl/err.h>

#include "provider/device/tpm2_rule_text.h"
#include "provider/err.h"
#include "tests/fuzz/fuzz.h"

static void same_end(const struct hwk_tpm_rules *rules, TPMI_ALG_HASH alg)
{
    char text[300];
    TPM2B_DIGEST d;
    PROMISE(rules->n > 0 && rules->n <= HWK_TPM_RULES_MAX);
    for (size_t i = 0; i < rules->n; i++) {
        PROMISE(rules->list[i].n <= HWK_TPM_RULE_STEPS);
        PROMISE(hwk_tpm_rule_digest(alg, &rules->list[i], &d));
        PROMISE(d.size == rules->policy.size);
        PROMISE(memcmp(d.buffer, rules->policy.buffer, d.size) == 0);
        hwk_tpm_rule_text(&rules->list[i], text, sizeof(text));
        PROMISE(strlen(text) < sizeof(text));
    }
}

static void compile(const struct hwk_tpm_policy *policy, TPMI_ALG_HASH alg)
{
    struct hwk_tpm_rules rules;
    ERR_clear_error();
    if (!hwk_tpm_policy_compile(policy, alg, &rules)) {
        PROMISE(hwk_err_is(HWK_R_FORMAT));
        return;
    }
    PROMISE(ERR_peek_error() == 0);
    same_end(&rules, alg);
    hwk_tpm_rules_clear(&rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char text[HWK_TPM_POLICY_TEXT_MAX + 2];
    if (n == 0 || n >= sizeof(text) ||
        memchr(data, '/', n)) /* no files of others */
        return 0;
    memcpy(text, data, n);
    text[n] = 0;
    ERR_clear_error();
    struct hwk_tpm_policy *policy = hwk_tpm_policy_parse(text);
    if (!policy) {
        PROMISE(hwk_err_is(HWK_R_FORMAT) || hwk_err_is(HWK_R_FILE));
        return 0;
    }
    PROMISE(ERR_peek_error() == 0);
    compile(policy, TPM2_ALG_SHA256);
    compile(policy, TPM2_ALG_SHA512);
    hwk_tpm_policy_free(policy);
    return 0;
}
