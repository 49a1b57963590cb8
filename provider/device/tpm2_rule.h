/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be satisfied before a key may be used: policy commands. */
#ifndef HWK_TPM2_RULE_H
#define HWK_TPM2_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tss2/tss2_tpm2_types.h>

#define HWK_TPM_RULE_STEPS 64 /* at most, in a rule */
#define HWK_TPM_RULES_MAX 257 /* for a key: a policy and its alternatives */

/* A policy command and its parameters, marshalled as in key files. */
struct hwk_tpm_step {
    TPM2_CC code;
    uint8_t *params; /* OPENSSL_malloc'ed; NULL when n is 0 */
    size_t n;
};

/* A sequence of them. name is NULL but for alternatives of a key file. */
struct hwk_tpm_rule {
    char *name;
    struct hwk_tpm_step *steps; /* OPENSSL_malloc'ed; n 0: no rule */
    size_t n;
};

/* Frees what the struct holds; the struct itself stays, empty. */
void hwk_tpm_rule_clear(struct hwk_tpm_rule *rule);

/* Ways to use a key: one of them has to be satisfied, all lead to policy
 * (size 0: not known). */
struct hwk_tpm_rules {
    struct hwk_tpm_rule *list; /* OPENSSL_malloc'ed */
    size_t n;
    TPM2B_DIGEST policy;
};
void hwk_tpm_rules_clear(struct hwk_tpm_rules *rules);
/* Takes rule (empty afterwards), which becomes the last one. 1, or 0 with a
 * reason: more than HWK_TPM_RULES_MAX, no memory. */
int hwk_tpm_rules_take(struct hwk_tpm_rules *rules, struct hwk_tpm_rule *rule);

/*
 * A step in parts. What the published format of key files (draft-bottomley-
 * tpm2-keys) has in params, in this order:
 *
 *   PolicyPCR           TPM2B_DIGEST digest (empty: as the PCRs are when it is
 *                       used), TPML_PCR_SELECTION pcrs; older files have pcrs
 *                       and the bare digest behind it, which is read too
 *   PolicyAuthValue, PolicyPassword, PolicyPhysicalPresence: nothing
 *   PolicySecret        TPM_HANDLE handle (0: look for name), TPM2B_NAME name,
 *                       TPM2B_NONCE ref
 *   PolicySigned, PolicyAuthorize: TPM2B_PUBLIC pub, TPM2B_NONCE ref,
 *                       TPMT_SIGNATURE sig (algorithm NULL, or nothing at all:
 *                       to be made when it is used)
 *   PolicyCommandCode   TPM_CC command
 *   PolicyCpHash        TPM2B_DIGEST digest, of which the format says nothing
 *   PolicyOR            TPML_DIGEST branches
 *   PolicyCounterTimer  TPM2B_OPERAND operand, UINT16 offset, TPM_EO op
 *   PolicyLocality      TPMA_LOCALITY locality
 *   PolicyNV            on which the format says nothing: TPM_HANDLE handle,
 *                       TPM2B_NAME name (empty: not known), then as
 *                       PolicyCounterTimer
 */
struct hwk_tpm_term {
    TPM2_CC code;
    TPM2_HANDLE handle;
    TPM2B_NAME name;
    TPM2B_NONCE ref;
    TPML_PCR_SELECTION pcrs;
    TPM2B_DIGEST digest;
    TPM2B_PUBLIC pub;
    TPMT_SIGNATURE sig;
    TPM2B_OPERAND operand;
    UINT16 offset;
    TPM2_EO op;
    TPML_DIGEST branches;
    TPM2_CC command;
    TPMA_LOCALITY locality;
};

/* Reads a step, which may come from anybody: every size is checked, nothing
 * may follow. 1, or 0 with HWK_R_FORMAT, HWK_R_UNSUPPORTED for other commands;
 * *out is then of no use. */
int hwk_tpm_term_from(const struct hwk_tpm_step *step,
                      struct hwk_tpm_term *out);
/* Writes one and adds it to rule. 1, or 0 with a reason. */
int hwk_tpm_rule_add(struct hwk_tpm_rule *rule,
                     const struct hwk_tpm_term *term);

/* "PolicyNV" and so on; "a command" for what is none of these. */
const char *hwk_tpm_step_name(TPM2_CC code);

/* The Name of a public area; 0 raises HWK_R_UNSUPPORTED (its hash). */
int hwk_tpm_public_name(const TPM2B_PUBLIC *pub, TPM2B_NAME *out);

/*
 * The policy digest after term, from *digest before it (all zero in a fresh
 * session), as sessions with the hash alg have it; alg is SHA-256, SHA-384 or
 * SHA-512. Size 0 stands for a digest that is not known (a PCR's value is not
 * given, a Name not known), before and after. 1, or 0 with a reason.
 */
int hwk_tpm_term_extend(TPMI_ALG_HASH alg, const struct hwk_tpm_term *term,
                        TPM2B_DIGEST *digest);
/* The same for a whole rule from the start. */
int hwk_tpm_rule_digest(TPMI_ALG_HASH alg, const struct hwk_tpm_rule *rule,
                        TPM2B_DIGEST *out);
/* Where a fresh session starts: size of alg, all zero; size 0 for another. */
void hwk_tpm_policy_zero(TPMI_ALG_HASH alg, TPM2B_DIGEST *out);

#endif
