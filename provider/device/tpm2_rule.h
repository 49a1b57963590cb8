/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be satisfied before a key may be used: policy commands. */
#ifndef HWK_TPM2_RULE_H
#define HWK_TPM2_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tss2/tss2_tpm2_types.h>

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

#endif
