/* SPDX-License-Identifier: Apache-2.0 */
/* Telling the service manager how it goes (sd_notify's protocol). */
#ifndef TOOL_NOTIFY_H
#define TOOL_NOTIFY_H

#include <stdint.h>

/* One datagram to NOTIFY_SOCKET, if there is one: "READY=1", "STATUS=...",
 * several of them with line ends between. Nobody listening is no failure. */
void tool_notify(const char *state);

/* "RELOADING=1" with the time, as systemd wants it; "READY=1" ends it. */
void tool_notify_reloading(void);

/* Microseconds within which the manager wants to hear "WATCHDOG=1" of this
 * process; 0: it does not. */
int64_t tool_watchdog_us(void);

#endif
