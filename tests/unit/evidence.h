/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence on paper, and what a verifier says of it. */
#ifndef TESTS_EVIDENCE_H
#define TESTS_EVIDENCE_H

#include "tests/unit/codec.h"

#include "tests/lib/paper.h"

static struct paper_pki pki; /* P-256, the certificate says it by EKU */
static uint8_t nonce[32];

static inline int evidence_setup(void **state)
{
    (void)state;
    memset(nonce, 0x5e, sizeof(nonce));
    paper_pki_make(&pki, "P-256", PAPER_EKU);
    return 0;
}

static inline int evidence_teardown(void **state)
{
    (void)state;
    paper_pki_free(&pki);
    return 0;
}

static inline void idv_auto_evidence(struct idv_evidence *e)
{
    idv_evidence_free(e);
}

static inline struct idv_evidence_policy policy_of(const struct paper_pki *p)
{
    return (struct idv_evidence_policy){
        .nonce = idv_bytes(nonce, sizeof(nonce)),
        .anchors = p->anchors,
        .check_time = true,
        .now = PAPER_NOW,
    };
}

/* What becomes of it, with a note that is the report's text. */
static inline enum idv_evidence_verdict
verdict_under(const struct paper *p, const struct idv_evidence_policy *policy,
              struct idv_evidence_report *r)
{
    IDV_AUTO(evidence) e = {0};
    paper_evidence(p, &e);
    memset(r, 0, sizeof(*r));
    idv_note_clear();
    idv_rc rc = idv_evidence_verify(&e, policy, r);
    assert_int_equal(rc,
                     r->verdict == IDV_EVIDENCE_SOUND ? IDV_OK : IDV_E_REJECT);
    assert_int_equal(*idv_note() == 0, rc == IDV_OK);
    return r->verdict;
}

static inline enum idv_evidence_verdict verdict(const struct paper *p,
                                                struct idv_evidence_report *r)
{
    struct idv_evidence_policy policy = policy_of(p->pki);
    return verdict_under(p, &policy, r);
}

#endif
