/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds of devices have in common in keeping the record. */
#ifndef IDEVID_TRUST_ANCHOR_H
#define IDEVID_TRUST_ANCHOR_H

#include <idevid/trust.h>

struct idvi_anchor {
    struct idv_device *dev; /* borrowed */
    char uri[512];
};

/* The object as a whole: at most one more byte than a record is returned, so
 * that a longer one is seen to be wrong. */
idv_rc idvi_anchor_read(void *self, bool *found,
                        struct idv_buf *record) IDV_CHECKED;
/* New and locked. What a cut write left is cleared away first; a record that
 * is there is not: IDV_E_STATE. */
idv_rc idvi_anchor_write(void *self, struct idv_bytes record) IDV_CHECKED;
idv_rc idvi_anchor_reset(void *self) IDV_CHECKED;
void idvi_anchor_close(void *self);

const struct idv_anchor_ops *
idvi_anchor_tpm2(const struct idv_device_info *info);
const struct idv_anchor_ops *
idvi_anchor_p11(const struct idv_device_info *info);

#endif
