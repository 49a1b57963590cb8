/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profile "owner": a counter and an index that are the TPM owner's. The
 * counter's value G is the generation. The index can be written, whole, while
 * the counter is G: authPolicy = PolicyOR([PolicyPCR] PolicyNV(counter = G),
 * SHA-256(record)); no policy session ever gets to the second leg, which is
 * there so that policy, and with it the Name, commit to the record. Written,
 * it is locked for good, and the counter moved on to G + 1: the fuse. One more
 * step of the counter ends the record.
 */
#ifndef IDEVID_TRUST_OWNER_H
#define IDEVID_TRUST_OWNER_H

#include <idevid/trust.h>

#include "key/nv.h"
#include "tpm/nvpolicy.h"

#define IDVI_OWNER_COUNTER                                                     \
    (IDVI_NV_COUNTER | IDVI_NV_OWNERWRITE | IDVI_NV_OWNERREAD |                \
     IDVI_NV_AUTHREAD | IDVI_NV_NO_DA)
#define IDVI_OWNER_ANCHOR                                                      \
    (IDVI_NV_POLICYWRITE | IDVI_NV_AUTHREAD | IDVI_NV_OWNERREAD |              \
     IDVI_NV_WRITEDEFINE | IDVI_NV_WRITEALL | IDVI_NV_NO_DA)

struct idvi_owner {
    struct idv_device *dev;       /* borrowed */
    uint32_t anchor_at, count_at; /* NV indices */
    uint32_t cap, gate;           /* as in struct idv_anchor_conf */
    /* what the last look found: that there was one, a counter that counts, any
     * index in its place, a record it had ended */
    bool looked, counts, occupied, ended;
};

/* What the TPM has at both places. */
struct idvi_owner_state {
    bool counter_there, anchor_there;
    struct hwk_nv counter, anchor;
    uint64_t value; /* of the counter; 0: never incremented */
    bool written;   /* the anchor; then record is there */
    uint8_t record[IDV_RECORD_SIZE];
};

/*
 * Reads both, in one salted session that proves them: four commands, and those
 * of the session. last: nothing else is done in this turn. IDV_E_REJECT:
 * somebody else's index, attributes that are not ours, a counter that is none.
 */
idv_rc idvi_owner_look(struct idvi_owner *o, bool last,
                       struct idvi_owner_state *out) IDV_CHECKED;
/* The same within a turn where it was looked before: a counter that was there
 * has only one Name, which reading it proves, and one that was not is made. Who
 * finds it otherwise than that looks anew. */
idv_rc idvi_owner_look_again(struct idvi_owner *o,
                             struct idvi_owner_state *out) IDV_CHECKED;
/* The counter's value, just incremented. */
idv_rc idvi_owner_count(struct idvi_owner *o,
                        struct idvi_owner_state *s) IDV_CHECKED;
/* The same of what was just sealed: where both are known, two commands do. Any
 * other Name than those is found out by the session. */
idv_rc idvi_owner_look_back(struct idvi_owner *o,
                            const struct idv_anchor_memo *memo,
                            struct idvi_owner_state *out) IDV_CHECKED;
/*
 * What it amounts to. The policy is recomputed when memo is that of the record
 * (its gate is in there); NULL is fine. IDV_E_REJECT: no counter, or one that
 * is behind; not locked; made for another record, generation or gate.
 */
idv_rc idvi_owner_judge(struct idvi_owner *o, const struct idvi_owner_state *s,
                        const struct idv_anchor_memo *memo,
                        struct idv_anchor_seen *out) IDV_CHECKED;

/* The counter once it was incremented, Name included: there is only one way it
 * can be. */
struct hwk_nv idvi_owner_counter(const struct idvi_owner *o);

/* The index for memo->record and its policy; legs are the two of it. */
struct hwk_nv idvi_owner_anchor(const struct idvi_owner *o,
                                const struct idv_anchor_memo *memo,
                                uint8_t legs[static 2][IDVI_DIGEST]);

/* Writes, locks and fuses, from where s says (NULL: the index was just
 * defined), and caps. */
idv_rc idvi_owner_seal(struct idvi_owner *o, const struct idvi_owner_state *s,
                       const struct idv_anchor_memo *memo) IDV_CHECKED;

#endif
