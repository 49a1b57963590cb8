/* SPDX-License-Identifier: Apache-2.0 */
/* Profile "owner": written, locked, fused, capped. */
#include <string.h>

#include <openssl/sha.h>

#include "trust/owner.h"

static const struct hwk_nv_by by_owner = {.handle = IDVI_RH_OWNER};

/* the first leg: what must hold while the index is written and locked */
struct key {
    uint8_t legs[2][IDVI_DIGEST];
    struct hwk_policy_step steps[3];
    struct hwk_nv_by by;
};

static void fulfil(const struct idvi_owner *o,
                   const struct idv_anchor_memo *memo, struct key *k)
{
    size_t n = 0;
    memset(k->steps, 0, sizeof(k->steps));
    if (memo->pcrs)
        k->steps[n++] = (struct hwk_policy_step){.code = IDVI_CC_POLICY_PCR,
                                                 .pcrs = memo->pcrs};
    k->steps[n++] = (struct hwk_policy_step){.code = IDVI_CC_POLICY_NV,
                                             .handle = o->count_at,
                                             .op = IDVI_EO_EQ,
                                             .operand = {memo->record + 8, 8}};
    k->steps[n++] = (struct hwk_policy_step){
        .code = IDVI_CC_POLICY_OR,
        .branches = {{k->legs[0], IDVI_DIGEST}, {k->legs[1], IDVI_DIGEST}},
        .branches_n = 2};
    k->by = (struct hwk_nv_by){.steps = k->steps, .n = n};
}

/* An index that was fulfilled no more will not be again: the PCRs changed. */
static idv_rc refused(idv_rc rc, int why)
{
    return rc != IDV_OK && why == HWK_R_POLICY
               ? idv_fail_within(IDV_E_REJECT, "anchor")
               : rc;
}

static idv_rc write_record(struct idvi_owner *o, struct hwk_nv *nv,
                           const struct key *k,
                           const struct idv_anchor_memo *memo)
{
    int why;
    idv_rc rc =
        idvi_nv_write(o->dev, nv, &k->by,
                      idv_bytes(memo->record, sizeof(memo->record)), &why);
    nv->attributes |= IDVI_NV_WRITTEN;
    return refused(rc, why);
}

static idv_rc lock(struct idvi_owner *o, struct hwk_nv *nv, const struct key *k)
{
    int why;
    idv_rc rc = idvi_nv_lock(o->dev, nv, &k->by, &why);
    return refused(rc, why);
}

/* What is extended by the record's hash ends every session that has fulfilled
 * a policy over that PCR, kept by whom it may be. */
static idv_rc cap(struct idvi_owner *o, const struct idv_anchor_memo *memo)
{
    uint8_t hash[32];
    unsigned pcr = 0;
    if (!o->cap)
        return IDV_OK;
    while (!(o->cap >> pcr & 1))
        pcr++;
    SHA256(memo->record, sizeof(memo->record), hash);
    return idvi_nv_pcr_extend(o->dev, pcr, hash, NULL);
}

idv_rc idvi_owner_seal(struct idvi_owner *o, const struct idvi_owner_state *s,
                       const struct idv_anchor_memo *memo)
{
    const struct hwk_nv counter = idvi_owner_counter(o);
    struct key k;
    struct hwk_nv nv = idvi_owner_anchor(o, memo, k.legs);
    fulfil(o, memo, &k);
    if (s)
        nv = s->anchor;
    if (!(nv.attributes & IDVI_NV_WRITTEN))
        IDV_TRY(write_record(o, &nv, &k, memo));
    if (!(nv.attributes & IDVI_NV_WRITELOCKED))
        IDV_TRY(lock(o, &nv, &k));
    if (!s || s->value == memo->generation)
        IDV_TRY(idvi_nv_increment(o->dev, &counter, &by_owner, NULL));
    return cap(o, memo);
}
