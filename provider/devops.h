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

#endif
