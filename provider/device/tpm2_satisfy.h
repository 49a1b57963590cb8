/* SPDX-License-Identifier: Apache-2.0 */
/* Policies of keys, satisfied when the keys are used. */
#ifndef HWK_TPM2_SATISFY_H
#define HWK_TPM2_SATISFY_H

#include "provider/device/tpm2_key.h"

/*
 * What guards a key. Where the ways to satisfy its policy come from, in this
 * order: policy.HANDLE of the configuration, the key file, one of the few
 * policies that are known by their digest (auth, secret of a hierarchy), policy
 * of the configuration. NULL stands for a key whose auth value is enough, and
 * known when it has a policy besides.
 */
struct hwk_tpm_guard;

/* Between begin and end. Files that the configuration names are read. 1 with
 * *out, or 0 with a reason: HWK_R_CONFIG, HWK_R_KEY when only its policy lets
 * the key be used and nobody says what that is. */
int hwk_tpm_guard_new(struct hwk_tpm *tpm, const struct hwk_tpm_key *key,
                      struct hwk_tpm_guard **out);
void hwk_tpm_guard_free(struct hwk_tpm_guard *guard); /* NULL is fine */

/* Asks for the auth values of hierarchies that the policy wants, where they are
 * set and no pin-source.NAME has them: to be called for a key just opened, not
 * between begin and end; prompt may be NULL. One command, when there are such.
 * Never fails: what is missing shows when the key is used. */
void hwk_tpm_guard_ask(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                       const struct hwk_pin_source *prompt);

/*
 * use->session: a policy session in which the policy is satisfied for the
 * command that use names, with use->tr. Commands: one a step (PolicySecret,
 * PolicyNV, PolicyPCR ... each one; PolicySigned three, PolicyAuthorize three
 * more the first time), and StartAuthSession where no session is kept. Of
 * several ways that which did last time comes first; ways that cannot do
 * (another command, no signature) cost nothing, others what it takes to be
 * refused. A session lost in between is made anew once. 1, or 0 with HWK_R_KEY
 * and a text that says of each way what it lacks. hwk_tpm_again comes after the
 * command.
 */
int hwk_tpm_guard_open(struct hwk_tpm *tpm, const struct hwk_tpm_key *key,
                       struct hwk_tpm_use *use);

/* Whether the way that was satisfied proves the key's auth value. */
bool hwk_tpm_guard_auth(const struct hwk_tpm_guard *guard);

/* Raises why the command gave rc although the policy was satisfied, and
 * returns true; false when that has nothing to do with the policy. */
bool hwk_tpm_guard_blame(struct hwk_tpm *tpm, const struct hwk_tpm_key *key,
                         TSS2_RC rc);

/* Frees what is kept for policies. */
void hwk_tpm_policies_free(struct hwk_tpm *tpm);

#endif
