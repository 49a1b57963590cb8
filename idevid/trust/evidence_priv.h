/* SPDX-License-Identifier: Apache-2.0 */
/* How evidence is judged: statement by statement, up to the first refusal. */
#ifndef IDEVID_TRUST_EVIDENCE_PRIV_H
#define IDEVID_TRUST_EVIDENCE_PRIV_H

#include <idevid/auto.h>
#include <idevid/evidence.h>

#include "tpm/attest.h"
#include "tpm/nvpolicy.h"

struct idvi_proof;

/* What is expected of the indices of a profile that can prove itself. */
struct idvi_evidence_profile {
    const char *name;
    uint32_t anchor, counter;                       /* where they are */
    uint32_t anchor_attributes, counter_attributes; /* sealed; counting */
    /* the fact IDV_EVIDENCE_POLICY */
    idv_rc (*policy)(struct idvi_proof *p, struct idv_evidence_statement *s);
};
/* NULL: none of that name */
const struct idvi_evidence_profile *idvi_evidence_profile(const char *name);

struct idvi_proof {
    const struct idv_evidence *e;
    const struct idv_evidence_policy *policy;
    const struct idvi_evidence_profile *profile;
    struct idv_evidence_report report;
    struct idv_evidence_statement *at; /* in report: looked at now */
    /* what the parts say; IDV_EVIDENCE_FORM fills them */
    X509 *leaf; /* in e */
    struct idvi_tpm_public signer;
    struct idvi_attest anchor, counter;
    struct hwk_nv anchor_nv, counter_nv;
};

/* Sets the verdict, where p is at, and the note; IDV_E_REJECT. */
idv_rc idvi_evidence_refuse(struct idvi_proof *p, enum idv_evidence_verdict v,
                            const char *fmt, ...) IDV_CHECKED IDV_PRINTF(3, 4);
/* The sentence of what holds. */
void idvi_evidence_say(struct idv_evidence_statement *s, const char *fmt, ...)
    IDV_PRINTF(2, 3);

/* --- statements on the signer (evidence_signer.c) --- */

typedef idv_rc idvi_evidence_check(struct idvi_proof *p,
                                   struct idv_evidence_statement *s);
idvi_evidence_check idvi_evidence_key, idvi_evidence_kind,
    idvi_evidence_certified, idvi_evidence_chain, idvi_evidence_signed;

/* --- on the indices (evidence_index.c) --- */

idvi_evidence_check idvi_evidence_fresh, idvi_evidence_names,
    idvi_evidence_places, idvi_evidence_whole, idvi_evidence_locked,
    idvi_evidence_record, idvi_evidence_fused, idvi_evidence_boot,
    idvi_evidence_pin;

#endif
