/* SPDX-License-Identifier: Apache-2.0 */
/* The maker's trust anchors for vouchers: a file that the device vouches for.
 */
#ifndef TOOL_MAKERS_H
#define TOOL_MAKERS_H

#include "state.h"

/*
 * Loads the file of [idevid] anchors and lets the device, which s has open,
 * judge it: IDV_E_REJECT for another one than it was made with, and, with
 * maker-anchors = required, when it was made with none. Otherwise that is said
 * in the log.
 */
idv_rc tool_makers(const struct state *s, STACK_OF(X509) * *out) IDV_CHECKED;

#endif
