/* SPDX-License-Identifier: Apache-2.0 */
/* Policies as people write them. */
#ifndef HWK_TPM2_RULE_TEXT_H
#define HWK_TPM2_RULE_TEXT_H

#include "provider/device/tpm2_rule.h"

#define HWK_TPM_POLICY_TEXT_MAX 8192
#define HWK_TPM_PCRS 24

/*
 * policy    = branch *( "|" branch )          2 to 8 branches, one will do
 * branch    = term *( "&" term )              all of them, in this order
 * term      = "(" policy ")" / condition
 * condition = "auth"                          the key's own authorization value
 *           / "pcr(" bank ":" pcr *( "," pcr ) ")"
 *           / "secret(" object [ref] ")"      whose authorization value is
 * known / "signed(" file [ref] [sig] ")" / "authorize(" file [ref] [sig] ")"
 * what stands before it is signed / "nv(" handle op value [",offset=" number]
 * ")" / "code(" ( "sign" / "decrypt" / "derive" / number ) ")" bank      =
 * "sha1" / "sha256" / "sha384" / "sha512" pcr       = number [ "=" hex ]
 * without a value: as it is now object    = "owner" / "endorsement" /
 * "platform" / "lockout" / handle ref       = ",ref=" hex sig       = ",sig="
 * file op        = "==" / "!=" / ">" / "<" / ">=" / "<=" (without sign) /
 * "bitset" / "bitclear" value     = hex / "count:" decimal          8 bytes, as
 * a counter has them handle    = "0x" 8 hex digits
 *
 * Blanks may stand between any two. A file is a path without ',' and ')'.
 */

enum hwk_tpm_node_kind { HWK_TPM_TERM = 1, HWK_TPM_ALL, HWK_TPM_ANY };

/* A parsed policy. */
struct hwk_tpm_policy {
    enum hwk_tpm_node_kind kind;
    struct hwk_tpm_policy *next;      /* beside this one */
    struct hwk_tpm_policy *first;     /* ALL, ANY: of two or more */
    struct hwk_tpm_term *term;        /* TERM */
    TPM2B_DIGEST value[HWK_TPM_PCRS]; /* of term's PCRs; size 0: as it is */
};

/* Parses text whole and reads the files that it names. NULL with HWK_R_FORMAT
 * that says where and what, HWK_R_FILE ... */
struct hwk_tpm_policy *hwk_tpm_policy_parse(const char *text);
void hwk_tpm_policy_free(struct hwk_tpm_policy *policy); /* NULL is fine */

/*
 * The ways to satisfy policy in sessions with the hash alg, an alternative for
 * each choice of branches, and the digest that they lead to. Pure: names and
 * PCRs that are not known stay open, which makes the digest unknown; that is
 * refused within branches, since PolicyOR lists digests. 1, or 0 with a reason.
 */
int hwk_tpm_policy_compile(const struct hwk_tpm_policy *policy,
                           TPMI_ALG_HASH alg, struct hwk_tpm_rules *out);

/* A step in a few words, as above where that is possible: for messages. */
void hwk_tpm_term_text(const struct hwk_tpm_term *term, char *out, size_t max);
/* All of a rule, " & " between, without its PolicyOR; cut to what fits. */
void hwk_tpm_rule_text(const struct hwk_tpm_rule *rule, char *out, size_t max);

#endif
