/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of policy commands as key files have them, the command's code
 * before them: read or refused with a reason, and written the same again. */
#include <string.h>

#include <openssl/err.h>

#include "provider/device/tpm2_rule_text.h"
#include "provider/err.h"
#include "tests/fuzz/fuzz.h"

static void write_and_read(const struct hwk_tpm_term *term)
{
    struct hwk_tpm_rule rule = {.n = 0};
    struct hwk_tpm_term again;
    char text[200];
    PROMISE(hwk_tpm_rule_add(&rule, term));
    PROMISE(hwk_tpm_term_from(&rule.steps[0], &again));
    PROMISE(hwk_tpm_rule_add(&rule, &again));
    PROMISE(rule.steps[0].n == rule.steps[1].n);
    PROMISE(rule.steps[0].n == 0 ||
            memcmp(rule.steps[0].params, rule.steps[1].params,
                   rule.steps[0].n) == 0);
    hwk_tpm_term_text(term, text, sizeof(text));
    PROMISE(strlen(text) < sizeof(text));
    hwk_tpm_rule_clear(&rule);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t params[4096];
    struct hwk_tpm_step step = {.params = params};
    struct hwk_tpm_term term;
    TPM2B_DIGEST digest;
    if (n < 4 || n - 4 > sizeof(params))
        return 0;
    step.code = (TPM2_CC)data[0] << 24 | (TPM2_CC)data[1] << 16 |
                (TPM2_CC)data[2] << 8 | data[3];
    step.n = n - 4;
    memcpy(params, data + 4, step.n);
    ERR_clear_error();
    if (!hwk_tpm_term_from(&step, &term)) {
        PROMISE(hwk_err_is(HWK_R_FORMAT) || hwk_err_is(HWK_R_UNSUPPORTED));
        return 0;
    }
    PROMISE(ERR_peek_error() == 0);
    write_and_read(&term);
    hwk_tpm_policy_zero(TPM2_ALG_SHA256, &digest);
    if (hwk_tpm_term_extend(TPM2_ALG_SHA256, &term, &digest))
        PROMISE(digest.size == 0 || digest.size == 32);
    ERR_clear_error();
    return 0;
}
