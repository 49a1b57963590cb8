/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a client machine over real connections (libcurl, OpenSSL). */
#ifndef IDEVID_DRIVE_H
#define IDEVID_DRIVE_H

#include <idevid/env.h>
#include <idevid/machine.h>

struct idv_drive_conf {
    const struct idv_env *env;
    int connect_s;  /* TCP and TLS handshake; 0: 10 */
    int exchange_s; /* request to whole reply; 0: 60 */
    int stall_s;    /* without a byte of progress; 0: 5 (RFC 8995 5.1) */
    /* set from a signal handler or thread: end at the next opportunity
     * (IDV_E_STATE) */
    const volatile int *stop;
    /* for tests: replaces waiting; may be NULL */
    idv_rc (*wait)(void *arg, int seconds);
    void *wait_arg;
};

/*
 * Steps the machine until it is DONE and returns its rc, its note noted. All
 * exchanges between one CONNECT and the next use one TLS connection, never a
 * second: if it breaks the machine is told LOST. TLS 1.2 or 1.3; no
 * redirects, no HTTP authentication, no proxy, no cookies, bodies bounded by
 * IDV_MAX_BODY.
 */
idv_rc idv_drive(const struct idv_machine *machine,
                 const struct idv_drive_conf *conf) IDV_CHECKED;

#endif
