/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of a key that is being made. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/tpm2_facts.h"
#include "provider/device/tpm2_newpolicy.h"
#include "provider/device/tpm2_policy.h"

static int bare_digest(const char *text, TPM2B_PUBLIC *pub)
{
    TPM2B_DIGEST *policy = &pub->publicArea.authPolicy;
    size_t n = 0, want = hwk_md_size(hwk_tpm_md(pub->publicArea.nameAlg));
    if (!OPENSSL_hexstr2buf_ex(policy->buffer, sizeof(policy->buffer), &n, text,
                               0) ||
        n != want)
        return hwk_raise(HWK_R_PARAM,
                         "policy: not the %zu hexadecimal digits of a digest "
                         "as long as the one that names the key",
                         2 * want);
    policy->size = (UINT16)n;
    return 1;
}

static int compiled(struct hwk_tpm *tpm, const char *text, TPM2B_PUBLIC *pub,
                    struct hwk_tpm_rules *rules)
{
    struct hwk_tpm_policy *policy = hwk_tpm_policy_parse(text);
    int ok = policy && hwk_tpm_policy_fill(tpm, policy) &&
             hwk_tpm_policy_compile(policy, pub->publicArea.nameAlg, rules);
    hwk_tpm_policy_free(policy);
    if (!ok)
        return 0;
    if (rules->policy.size == 0)
        return hwk_raise(HWK_R_PARAM, "policy: its digest is not known");
    pub->publicArea.authPolicy = rules->policy;
    return 1;
}

int hwk_tpm_newpolicy(struct hwk_tpm *tpm, const char *text, TPM2B_PUBLIC *pub,
                      struct hwk_tpm_rules *rules)
{
    if (!text)
        return 1;
    return strspn(text, "0123456789abcdefABCDEF") == strlen(text)
               ? bare_digest(text, pub)
               : compiled(tpm, text, pub, rules);
}

void hwk_tpm_newpolicy_take(struct hwk_tpm_rules *rules,
                            struct hwk_tpm_keyfile *file)
{
    if (rules->n == 0)
        return;
    file->policy = rules->list[0];
    file->alternatives_n = rules->n - 1;
    memmove(rules->list, rules->list + 1,
            file->alternatives_n * sizeof(*rules->list));
    if (file->alternatives_n > 0)
        file->alternatives = rules->list;
    else
        OPENSSL_free(rules->list);
    memset(rules, 0, sizeof(*rules));
}
