/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of a key that is being made. */
#ifndef HWK_TPM2_NEWPOLICY_H
#define HWK_TPM2_NEWPOLICY_H

#include "provider/device/tpm2_conn.h"
#include "provider/device/tpm2_keyfile.h"

/*
 * text is a policy as tpm2_rule_text.h has it, what it leaves open being read
 * from the TPM now, or its digest in hex, or NULL: none. The digest goes into
 * pub, the ways to satisfy it into *rules (none when only the digest is known).
 * Between begin and end. 1, or 0 with a reason, HWK_R_PARAM for a digest that
 * is not as long as pub's nameAlg has it.
 */
int hwk_tpm_newpolicy(struct hwk_tpm *tpm, const char *text, TPM2B_PUBLIC *pub,
                      struct hwk_tpm_rules *rules);

/* Into the key file: the first is its policy, the others are alternatives. */
void hwk_tpm_newpolicy_take(struct hwk_tpm_rules *rules,
                            struct hwk_tpm_keyfile *file);

#endif
