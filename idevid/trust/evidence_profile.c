/* SPDX-License-Identifier: Apache-2.0 */
/* What each profile's indices must be, and what they were made for. */
#include <string.h>

#include <openssl/sha.h>

#include "trust/evidence_priv.h"

/* Anchor: sealed, that is written and locked for ever. Counter: once counted.
 */
#define OWNER_ANCHOR                                                           \
    (IDVI_NV_POLICYWRITE | IDVI_NV_AUTHREAD | IDVI_NV_OWNERREAD |              \
     IDVI_NV_WRITEDEFINE | IDVI_NV_WRITEALL | IDVI_NV_NO_DA |                  \
     IDVI_NV_WRITTEN | IDVI_NV_WRITELOCKED)
#define OWNER_COUNTER                                                          \
    (IDVI_NV_COUNTER | IDVI_NV_OWNERWRITE | IDVI_NV_OWNERREAD |                \
     IDVI_NV_AUTHREAD | IDVI_NV_NO_DA | IDVI_NV_WRITTEN)

static idv_rc compare(struct idvi_proof *p, const struct hwk_nv *nv,
                      const uint8_t want[static IDVI_DIGEST])
{
    if (nv->policy_n != IDVI_DIGEST ||
        memcmp(nv->policy, want, IDVI_DIGEST) != 0)
        return idvi_evidence_refuse(p, IDV_EVIDENCE_OTHER_POLICY,
                                    "the anchor was made for another record, "
                                    "generation, counter or gate");
    return IDV_OK;
}

/* PolicyOR of what lets it be written, and of the record itself: a digest that
 * no policy command ever gives. */
static idv_rc owner_policy(struct idvi_proof *p,
                           struct idv_evidence_statement *s)
{
    uint8_t legs[2][IDVI_DIGEST] = {{0}}, want[IDVI_DIGEST];
    struct idv_bytes record = p->anchor.contents;
    if (p->counter_nv.policy_n != 0)
        return idvi_evidence_refuse(p, IDV_EVIDENCE_OTHER_POLICY,
                                    "the counter has a policy, and should have "
                                    "none");
    if (p->e->gated)
        idvi_policy_pcr(legs[0], p->e->gate_pcrs, p->e->gate_digest);
    idvi_policy_nv(legs[0], p->counter_nv.name, idv_bytes(record.p + 8, 8), 0,
                   IDVI_EO_EQ);
    SHA256(record.p, record.n, legs[1]);
    idvi_policy_or(want, legs, 2);
    IDV_TRY(compare(p, &p->anchor_nv, want));
    idvi_evidence_say(s, "the anchor was made for this record, at this "
                         "generation of this counter, and for nothing else");
    return IDV_OK;
}

static const struct idvi_evidence_profile profiles[] = {
    {
        .name = "owner",
        .anchor = 0x01800a01,
        .counter = 0x01800a00,
        .anchor_attributes = OWNER_ANCHOR,
        .counter_attributes = OWNER_COUNTER,
        .policy = owner_policy,
    },
};

const struct idvi_evidence_profile *idvi_evidence_profile(const char *name)
{
    for (size_t i = 0; i < sizeof(profiles) / sizeof(*profiles); i++) {
        if (strcmp(profiles[i].name, name) == 0)
            return &profiles[i];
    }
    return NULL;
}
