/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-device show: the trust anchor, as the device alone tells it. */
#ifndef TOOL_DEVICE_ANCHOR_H
#define TOOL_DEVICE_ANCHOR_H

#include "tool.h"

/* Prints what is kept at uri (NULL: where the profile has it), and with what
 * profile; into root where that is not NULL. */
idv_rc device_anchor(const struct tool *t, struct idv_device *dev,
                     const char *uri, struct idv_json *root) IDV_CHECKED;

#endif
