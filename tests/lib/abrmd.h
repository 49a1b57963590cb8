/* SPDX-License-Identifier: Apache-2.0 */
/* A software TPM of a test's own behind its resource manager: swtpm, a message
 * bus and tpm2-abrmd. */
#ifndef TESTS_ABRMD_H
#define TESTS_ABRMD_H

#include "tests/lib/swtpm.h"

struct abrmd {
    struct swtpm tpm; /* its tcti and lock are those past the manager */
    char tcti[32];    /* what hwkey takes: "tabrmd:bus_type=session" */
    pid_t bus, manager;
};

/* True when all that it takes is installed; tests that need it skip()
 * otherwise. */
bool abrmd_here(void);

/* Starts all three, says in DBUS_SESSION_BUS_ADDRESS where the bus is, and
 * waits until the TPM answers. 0, or -1 with a line on stderr. They end with
 * the calling thread's process, however that ends. */
int abrmd_start(struct abrmd *a);

/* The same with the TPM of swtpm_start_vendor. */
int abrmd_start_vendor(struct abrmd *a, const char *ca);

/* The manager off and on again: whoever was connected has lost the line and
 * what was loaded. */
int abrmd_cycle(struct abrmd *a);

/* Ends them, by pid, and removes their directory. */
void abrmd_stop(struct abrmd *a);

#endif
