/* SPDX-License-Identifier: Apache-2.0 */
/* What each profile's indices must be, and what they were made for. */
#include <string.h>

#include <openssl/sha.h>

#include <idevid/approval.h>

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

static bool policy_is(const struct hwk_nv *nv,
                      const uint8_t want[static IDVI_DIGEST])
{
    return nv->policy_n == IDVI_DIGEST &&
           memcmp(nv->policy, want, IDVI_DIGEST) == 0;
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
    if (!policy_is(&p->anchor_nv, want))
        return idvi_evidence_refuse(p, IDV_EVIDENCE_OTHER_POLICY,
                                    "the anchor was made for another record, "
                                    "generation, counter or gate");
    idvi_evidence_say(s, "the anchor was made for this record, at this "
                         "generation of this counter, and for nothing else");
    return IDV_OK;
}

static idv_rc no_approval_key(struct idv_evidence_statement *s)
{
    s->standing = IDV_EVIDENCE_NOT_ASKED;
    idvi_evidence_say(s, "who approved the anchor was not checked: the maker's "
                         "approval key and the serial number were not given");
    return IDV_OK;
}

/* Both have the maker's guard: the TPM lets in what that key signed for this
 * device, at a value that the counter has once in its life. */
static idv_rc platform_policy(struct idvi_proof *p,
                              struct idv_evidence_statement *s)
{
    const struct idv_evidence_policy *known = p->policy;
    struct idv_approval_guard guard;
    struct idv_approval_ref ref;
    if (!known->approval_key || !known->serial_number)
        return no_approval_key(s);
    IDV_TRY(idv_approval_ref(known->serial_number, &ref));
    IDV_TRY(idv_approval_guard(known->approval_key, &ref, &guard));
    if (!policy_is(&p->anchor_nv, guard.policy) ||
        !policy_is(&p->counter_nv, guard.policy))
        return idvi_evidence_refuse(
            p, IDV_EVIDENCE_OTHER_POLICY,
            "the %s is not under the maker's approval key for '%.64s'",
            policy_is(&p->anchor_nv, guard.policy) ? "counter" : "anchor",
            known->serial_number);
    idvi_evidence_say(s,
                      "the TPM let this record be written only because the "
                      "maker's approval key signed it for '%.64s'",
                      known->serial_number);
    return IDV_OK;
}

static const struct idvi_evidence_profile profiles[] = {
    {
        .name = "owner",
        .anchor = IDV_ANCHOR_TPM2_INDEX,
        .counter = IDV_ANCHOR_TPM2_COUNTER,
        .anchor_attributes = OWNER_ANCHOR,
        .counter_attributes = OWNER_COUNTER,
        .policy = owner_policy,
    },
    {
        .name = "platform",
        .anchor = IDV_ANCHOR_PLATFORM_INDEX,
        .counter = IDV_ANCHOR_PLATFORM_COUNTER,
        .anchor_attributes = IDV_PLATFORM_ANCHOR_ATTRIBUTES | IDV_NV_WRITTEN,
        .counter_attributes = IDV_PLATFORM_COUNTER_ATTRIBUTES,
        .policy = platform_policy,
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
