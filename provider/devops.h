/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of device.h's table. */
#ifndef HWK_DEVOPS_H
#define HWK_DEVOPS_H

#include "provider/backend.h"

struct hwk_device {
    struct hwk_device_slot *slot;
    const struct hwk_config *cfg;
    struct hwk_pin_source prompt;
    void *dev; /* the row's own */
};

extern const struct hwk_nv_ops hwk_nv_ops_table;
extern const struct hwk_devid_ops hwk_devid_ops_table;

#define HWK_NONCE_MAX 64

/* Copies what a row gave; *room is that on entry. 1, or 0 with a reason. */
int hwk_hand_over(const uint8_t *from, size_t n, uint8_t *to, size_t *room);

#endif
