/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a client machine over real connections (libcurl, OpenSSL). */
#ifndef IDEVID_DRIVE_H
#define IDEVID_DRIVE_H

#include <idevid/env.h>
#include <idevid/machine.h>
#include <idevid/watch.h>

#define IDV_MAX_WATCHED 32 /* descriptors of a watch */

struct idv_drive_conf {
    const struct idv_env *env;
    int connect_s;  /* TCP and TLS handshake; 0: 10 */
    int exchange_s; /* request to whole reply; 0: 60 */
    int stall_s;    /* without a byte of progress; 0: 5 (RFC 8995 5.1) */
    /* Set by a signal's handler: end at the next opportunity (IDV_E_STATE). The
     * driver sleeps until something happens, which a signal to its thread is;
     * another thread sets it and then sends one (or wakes by a watch). */
    const volatile int *stop;
    /* Waited for beside the connections; its ready() is called between steps,
     * so that a machine may be offered what came, then NEWS is told to all who
     * wait for it. What ready() fails with ends the drive. NULL: none. */
    const struct idv_watch *watch;
    /* for tests: replaces waiting; may be NULL */
    idv_rc (*wait)(void *arg, int seconds);
    void *wait_arg;
};

/*
 * Steps the machine until it is DONE and returns its rc, its note noted. All
 * exchanges of a lane between one CONNECT and the next use one TLS connection,
 * never a second: if it breaks the machine is told LOST. TLS 1.2 or 1.3; no
 * redirects, no HTTP authentication, no proxy, no cookies, bodies bounded by
 * IDV_MAX_BODY. While all only wait it sleeps: nothing is polled. IDV_E_STATE
 * also when all wait for news and there is neither watch nor stop.
 */
idv_rc idv_drive(const struct idv_machine *machine,
                 const struct idv_drive_conf *conf) IDV_CHECKED;
/* The same with all lanes of a crew in one thread. A connection is never shared
 * by two lanes. */
idv_rc idv_drive_crew(const struct idv_crew *crew,
                      const struct idv_drive_conf *conf) IDV_CHECKED;

#endif
