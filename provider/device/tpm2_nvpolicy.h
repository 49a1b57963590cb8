/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of an NV index, given in steps, satisfied for one command. */
#ifndef HWK_TPM2_NVPOLICY_H
#define HWK_TPM2_NVPOLICY_H

#include "provider/device/tpm2_nvindex.h"
#include "provider/device/tpm2_satisfy_int.h"

struct hwk_tpm_nv_policy {
    struct hwk_tpm_rule rule; /* n 0: none */
    const struct hwk_tpm_rule *way;
    struct hwk_tpm_guard guard;
    bool open; /* it is about the command's parameters: these are not encrypted,
                  for that alters what is hashed */
};

/* Reads device.h's steps, for an index with the hash alg. 1, or 0 with
 * HWK_R_ARGUMENT, HWK_R_FORMAT, HWK_R_KEY, HWK_R_UNSUPPORTED, or HWK_R_POLICY
 * when what PolicyAuthorize is said to approve is not what comes before it. */
int hwk_tpm_nv_policy_from(const struct hwk_policy_step *steps, size_t n,
                           TPMI_ALG_HASH alg, struct hwk_tpm_nv_policy *out);
void hwk_tpm_nv_policy_clear(struct hwk_tpm_nv_policy *policy);

/* Satisfies it for the command code on ix, in a salted session, which is the
 * authorization of what comes next: *session. secret as for
 * hwk_tpm_authorize. 1, or 0 with HWK_R_POLICY or HWK_R_AUTH (a PolicySecret)
 * and what was refused. */
int hwk_tpm_nv_policy_open(struct hwk_tpm_index *ix,
                           struct hwk_tpm_nv_policy *policy, TPM2_CC code,
                           unsigned secret, ESYS_TR *session);

#endif
