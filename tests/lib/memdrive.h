/* SPDX-License-Identifier: Apache-2.0 */
/* Drives a client machine without a network, as a real driver would. */
#ifndef TESTS_MEMDRIVE_H
#define TESTS_MEMDRIVE_H

#include <idevid/machine.h>

/*
 * What is at the other end. connect fills peer (chain up-reffed) or fails;
 * exchange answers or fails: a failure is told to the machine as LOST, and
 * what is asked on a broken connection is LOST too. wait may be NULL.
 */
struct memdrive {
    idv_rc (*connect)(void *arg, const struct idv_connect *c,
                      struct idv_peer *peer);
    idv_rc (*exchange)(void *arg, struct idv_msg *req, struct idv_msg *reply);
    void (*wait)(void *arg, int seconds, bool close);
    void *arg;
    int max_steps; /* 0: 10000; the test fails beyond */

    /* how it ended */
    idv_rc rc;
    char note[IDV_NOTE_MAX];
    int steps;
    int64_t now_ms; /* the machine's clock: moved by waits alone */
};

/*
 * Runs the machine until it is done; the test fails (cmocka) when it breaks a
 * rule: an exchange without a connection, a first exchange other than was
 * announced, a step that fails.
 */
void memdrive_run(struct memdrive *d, struct idv_machine machine);

#endif
