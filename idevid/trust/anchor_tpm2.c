/* SPDX-License-Identifier: Apache-2.0 */
/* The record in a TPM: an NV index that is written once and locked. */
#include "trust/anchor.h"

/* The owner hierarchy can undefine the index and define it anew: a changed
 * certificate on disk is noticed, a whole new imprint by root is not. */
static const struct idv_anchor_ops ops = {
    .read = idvi_anchor_read,
    .write = idvi_anchor_write,
    .reset = idvi_anchor_reset,
    .close = idvi_anchor_close,
    .assurance = "detect",
};

const struct idv_anchor_ops *
idvi_anchor_tpm2(const struct idv_device_info *info)
{
    (void)info;
    return &ops;
}
