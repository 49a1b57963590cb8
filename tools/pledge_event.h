/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from a change of what the device belongs to. */
#ifndef TOOL_PLEDGE_EVENT_H
#define TOOL_PLEDGE_EVENT_H

#include "state.h"

/* Files for other programs, then the hooks: "enrolled", "renewed", "reset",
 * "crl" (others than before).
 * What goes wrong with a hook is logged and is no failure. */
idv_rc pledge_event(const struct state *s, const char *event) IDV_CHECKED;
/* [enroll] output becomes what the device has now, all at once; nothing is
 * touched if it is so already. Not enrolled: it goes. */
idv_rc pledge_output(const struct state *s) IDV_CHECKED;

#endif
