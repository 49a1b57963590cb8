/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be satisfied before a key may be used: policy commands. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/tpm2_rule.h"

void hwk_tpm_rule_clear(struct hwk_tpm_rule *rule)
{
    for (size_t i = 0; i < rule->n; i++)
        OPENSSL_free(rule->steps[i].params);
    OPENSSL_free(rule->steps);
    OPENSSL_free(rule->name);
    memset(rule, 0, sizeof(*rule));
}
