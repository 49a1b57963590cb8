/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a client machine over real connections (libcurl, OpenSSL). */
#ifndef IDEVID_DRIVE_H
#define IDEVID_DRIVE_H

#include <poll.h>

#include <idevid/env.h>
#include <idevid/machine.h>

/*
 * Other descriptors that the driver waits for beside its connections, and what
 * is to be done when they are ready: between steps, so that a machine may be
 * offered what came. Afterwards NEWS is told to all who wait for it.
 */
struct idv_watch {
    /* fills at most max of out (fd and events), returns how many */
    size_t (*fds)(void *self, struct pollfd *out, size_t max);
    /* milliseconds until ready() is to be called though no descriptor is
     * ready; -1 never, 0 at once; NULL: never */
    int (*timeout_ms)(void *self);
    /* fds: what fds() gave, with revents. Another value than IDV_OK ends the
     * drive with it. */
    idv_rc (*ready)(void *self, const struct pollfd *fds, size_t n);
    void *self;
};
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
    const struct idv_watch *watch; /* NULL: none */
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
