/* SPDX-License-Identifier: Apache-2.0 */
/* How a TPM is set up: what its users have to know of it. */
#include "key/nv.h"

idv_rc idv_tpm_facts(struct idv_device *dev, struct idv_tpm_facts *out)
{
    struct hwk_tpm_facts f = {0};
    IDV_TRY(idvi_nv_facts(dev, HWK_FACTS_STATE | HWK_FACTS_CLOCK, &f, NULL));
    *out = (struct idv_tpm_facts){
        .owner_value_set = f.owner_auth_set,
        .lockout_value_set = f.lockout_auth_set,
        .in_lockout = f.in_lockout,
        .platform_enabled = f.platform_enabled,
        .reset_count = f.reset_count,
        .failures = f.lockout_counter,
        .max_failures = f.max_tries,
        .recovery_s = f.recovery_s,
    };
    return IDV_OK;
}
