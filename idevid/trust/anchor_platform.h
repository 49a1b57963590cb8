/* SPDX-License-Identifier: Apache-2.0 */
/* Counter and anchor that a factory made: found, checked, authorised. */
#ifndef IDEVID_TRUST_ANCHOR_PLATFORM_H
#define IDEVID_TRUST_ANCHOR_PLATFORM_H

#include "key/nv.h"
#include "trust/approval_int.h"

/* What the TPM has, its sessions vouching for it. */
struct idvi_platform_seen {
    struct hwk_nv anchor, counter;
    bool written; /* the anchor: record is what it has */
    uint8_t record[IDV_RECORD_SIZE];
    uint64_t value; /* of the counter; 0: never incremented */
};

struct idvi_platform {
    struct idv_device *dev; /* borrowed */
    uint32_t anchor, counter;
    struct idv_buf key; /* SubjectPublicKeyInfo of the approval key */
    EVP_PKEY *verifier; /* the same */
    struct idv_approval_ref ref;
    struct idv_approval_guard guard;
    bool approved; /* approval is of our key; for this record: */
    struct idv_approval approval;
    struct idv_record record;
    struct idvi_platform_seen last; /* what was found when it was looked for */
    bool looked;
};
/* Fills p by conf. IDV_E_ARG: no key or one that no TPM takes, no serial. */
idv_rc idvi_platform_init(struct idvi_platform *p, struct idv_device *dev,
                          const struct idv_anchor_conf *conf) IDV_CHECKED;
void idvi_platform_free(struct idvi_platform *p);

/*
 * Both indices, read last in their turn or not, exactly as a factory makes them
 * for this key and device. IDV_E_REJECT: one is missing, has other attributes
 * or another policy, or (the counter) was never incremented; said which and
 * what that means.
 */
idv_rc idvi_platform_look(struct idvi_platform *p, bool last,
                          struct idvi_platform_seen *out) IDV_CHECKED;
/* The same where it was looked before: their Names are known, and proved by
 * reading; looks anew where that fails. */
idv_rc idvi_platform_look_again(struct idvi_platform *p,
                                struct idvi_platform_seen *out) IDV_CHECKED;
/* The last in its turn, after the record was written over what s says. */
idv_rc idvi_platform_look_back(struct idvi_platform *p,
                               const struct idvi_platform_seen *s,
                               struct idvi_platform_seen *out) IDV_CHECKED;
/* One index: *found false, or IDV_E_REJECT when it is not as it should be but
 * for WRITTEN. */
idv_rc idvi_platform_index(struct idvi_platform *p, bool counter, bool *found,
                           struct hwk_nv *out) IDV_CHECKED;

/* The step by the approval: NV_Write of the record, or NV_Increment. */
idv_rc idvi_platform_step(struct idvi_platform *p,
                          const struct idvi_platform_seen *seen,
                          enum idv_approval_step step) IDV_CHECKED;

#endif
