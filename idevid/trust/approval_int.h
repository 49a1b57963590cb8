/* SPDX-License-Identifier: Apache-2.0 */
/* What approvals and the anchor that needs them have in common. */
#ifndef IDEVID_TRUST_APPROVAL_INT_H
#define IDEVID_TRUST_APPROVAL_INT_H

#include <idevid/approval.h>

#include "tpm/nvpolicy.h"

/* As a TPM's counter has it, and as PolicyNV compares it. */
void idvi_approval_counter(uint64_t value, uint8_t out[static 8]);
/* What the counter is when the step of a generation is due. */
uint64_t idvi_approval_value(enum idv_approval_step step, uint64_t generation);
/* An index with this guard, its Name included. */
void idvi_approval_index(const struct idv_approval_guard *guard, uint32_t index,
                         uint32_t attributes, uint16_t size,
                         struct hwk_nv *out);

/* As idv_approval_verify; the write only if it is still to come, since it is
 * for the Name that the anchor had then. */
idv_rc idvi_approval_verify(const struct idv_approval *a,
                            const struct idv_approval_request *r,
                            const struct idv_record *record, EVP_PKEY *key,
                            const struct idv_approval_ref *ref,
                            bool to_write) IDV_CHECKED;

#endif
