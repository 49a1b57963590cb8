/* SPDX-License-Identifier: Apache-2.0 */
/* The record in a PKCS#11 token: a data object that cannot be modified. */
#include <string.h>

#include "trust/anchor.h"

static const struct idv_anchor_ops hardware = {
    .read = idvi_anchor_read,
    .write = idvi_anchor_write,
    .reset = idvi_anchor_reset,
    .close = idvi_anchor_close,
    .assurance = "detect",
};

/* files of the same user: who can change the certificate can change these */
static const struct idv_anchor_ops software = {
    .read = idvi_anchor_read,
    .write = idvi_anchor_write,
    .reset = idvi_anchor_reset,
    .close = idvi_anchor_close,
    .assurance = "none",
};

const struct idv_anchor_ops *idvi_anchor_p11(const struct idv_device_info *info)
{
    bool soft =
        strstr(info->maker, "SoftHSM") || strstr(info->model, "SoftHSM");
    return soft ? &software : &hardware;
}
