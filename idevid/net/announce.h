/* SPDX-License-Identifier: Apache-2.0 */
/* A registrar makes itself known on its links, as one and as a join proxy of
 * theirs. */
#ifndef IDEVID_NET_ANNOUNCE_H
#define IDEVID_NET_ANNOUNCE_H

#include <idevid/env.h>

#include "net/server.h"

enum { /* as what, each a bit */
       IDV_ANNOUNCE_REGISTRAR = 1,
       IDV_ANNOUNCE_PROXY = 2,
       IDV_ANNOUNCE_EST = 4, /* by GRASP only */
};

#define IDV_ANNOUNCE_LEAST_S 60 /* RFC 8995 section 4.3 */

struct idv_announce {
    const struct idv_env *env;
    char *const *interfaces; /* by name; those that come later, too */
    unsigned grasp, mdns;    /* as what */
    int period_s;            /* between floods, never under a minute */
};

/* False: this build has no avahi. */
bool idv_announce_mdns_built(void);

/*
 * Each of these is the life of a process of its own (struct idv_server_aside)
 * and returns when it cannot go on. What is announced is where bound is reached
 * on a link: at its address, or for a wildcard at the link's. Links and
 * addresses are followed as they come and go. Nothing that others send has any
 * effect.
 *
 * GRASP floods (RFC 8990) to UDP port 7017 of each interface's neighbours:
 * AN_join_registrar (RFC 8995 section 4.3) with an IPv6 address that is not
 * link-local, loop count 255; AN_Proxy (section 4.1.1) with a link-local one,
 * loop count 1; SRV.est (RFC 8994 section 6.2.5.1) where a registrar is. At
 * once when something has changed, and each period. SIGTERM takes them back (a
 * flood that lives one millisecond) and ends it.
 */
idv_rc idv_announce_grasp(void *announce, const struct idv_server_bound *bound,
                          size_t n) IDV_CHECKED;
/* The services _brski-registrar._tcp and _brski-proxy._tcp, by avahi, whose
 * they are only as long as the process lives. Waits for avahi where it is not
 * there yet, or no more. */
idv_rc idv_announce_mdns(void *announce, const struct idv_server_bound *bound,
                         size_t n) IDV_CHECKED;

#endif
