/* SPDX-License-Identifier: Apache-2.0 */
/* As much of D-Bus as it takes to ask a service for a socket. */
#ifndef HWK_TPM2_TCTI_BUS_H
#define HWK_TPM2_TCTI_BUS_H

#include <stdbool.h>

/*
 * GLib starts threads for D-Bus, which do not exist in the child of a fork that
 * then waits for them for ever, and shares one connection among all users in a
 * process. The libraries without threads, sd-bus and libdbus, give out the
 * descriptors only that the body of a message names; tpm2-abrmd's names none.
 * Here a connection lasts for one call, and there are no threads.
 *
 * Sources: D-Bus Specification 0.40, "Message Protocol" and "Authentication
 * Protocol".
 */

/* A method without arguments that is answered with one file descriptor; what
 * else the answer says is of no use here. */
struct hwk_bus_call {
    bool session; /* the bus of the session, not that of the system */
    const char *service, *path, *interface, *member;
};

/* Whether the bus is one that hwk_bus_socket can speak to: a unix socket. */
bool hwk_bus_plain(bool session);

/* Calls; a service that is not running is started by the bus. Gives the
 * descriptor that was answered, which is the caller's and closed by exec, or
 * -1 with HWK_R_NO_DEVICE on the error queue. Gives up after 25 seconds. */
int hwk_bus_socket(const struct hwk_bus_call *call);

#endif
