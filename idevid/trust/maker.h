/* SPDX-License-Identifier: Apache-2.0 */
/* Where each kind of device keeps what stands for the maker's anchors. */
#ifndef IDEVID_TRUST_MAKER_H
#define IDEVID_TRUST_MAKER_H

#include <idevid/maker.h>

struct idvi_maker_seen {
    bool found;
    uint8_t raw[IDV_MAKER_SIZE];
    char where[96];
};

/* IDV_E_REJECT: what is there is not what write leaves. */
idv_rc idvi_maker_tpm_read(struct idv_device *dev, uint32_t index,
                           struct idvi_maker_seen *out) IDV_CHECKED;
/* Also completes one that was cut. */
idv_rc idvi_maker_tpm_write(struct idv_device *dev, uint32_t index,
                            const uint8_t raw[static IDV_MAKER_SIZE],
                            bool by_platform) IDV_CHECKED;

idv_rc idvi_maker_token_read(struct idv_device *dev,
                             struct idvi_maker_seen *out) IDV_CHECKED;
idv_rc idvi_maker_token_write(struct idv_device *dev,
                              const uint8_t raw[static IDV_MAKER_SIZE],
                              bool by_so) IDV_CHECKED;

#endif
