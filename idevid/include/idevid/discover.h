/* SPDX-License-Identifier: Apache-2.0 */
/* Finds join proxies and registrars: GRASP, mDNS and unicast DNS-SD. */
#ifndef IDEVID_DISCOVER_H
#define IDEVID_DISCOVER_H

#include <idevid/env.h>
#include <idevid/offer.h>
#include <idevid/watch.h>

enum idv_discover_method {
    IDV_DISCOVER_GRASP = 1 << 0, /* RFC 8995 section 4.1.1 */
    IDV_DISCOVER_MDNS = 1 << 1,  /* RFC 8995 appendix B, RFC 6762, by avahi */
    IDV_DISCOVER_DNSSD = 1 << 2, /* RFC 8995 appendix B, RFC 6763 section 11 */
    IDV_DISCOVER_ALL = (1 << 3) - 1,
};

struct idv_discovery;
struct idv_discovery_conf {
    const struct idv_env *env; /* borrowed */
    unsigned methods;          /* of idv_discover_method; 0: all of them */

    /* Names of the only interfaces for GRASP and mDNS, NULL-ended; NULL: all
     * that are up, can do multicast and are no loopback. Copied. */
    const char *const *interfaces;
    /* Domains to ask for registrars, NULL-ended, at most four; NULL: those
     * that resolv.conf has, as it is at each asking. Copied. */
    const char *const *domains;
    /* Name servers, "192.0.2.1,[2001:db8::1]:5353"; NULL: those that
     * resolv.conf has. Copied. */
    const char *name_servers;
    bool registrars; /* mDNS: _brski-registrar._tcp beside _brski-proxy._tcp */

    /*
     * An offer, or one taken back. Of one origin each is told once, however
     * often it is heard of. Called from ready only, never from within itself;
     * may not free the discovery.
     */
    void (*offer)(void *arg, const struct idv_offer *offer);
    /* An interface has become usable: who backed off may try again. May be
     * NULL. */
    void (*link_up)(void *arg, const char *interface);
    void *arg;
};

/* The methods that this library was built with. */
unsigned idv_discovery_methods(void);

/*
 * Begins to look by all methods at once, and goes on until freed. What cannot
 * be had now (no avahi, no IPv6, no name server) is logged, holds nothing up
 * and is tried again, at intervals that double to an hour, or to five minutes
 * for avahi, and begin anew when a link comes up. Nothing is woken when nothing
 * happens.
 *
 * Offers by GRASP and mDNS have addresses, link-local ones with their zone.
 * GRASP listens on an interface once it has a usable link-local address
 * (RFC 4862). All is bounded: 20 offers per origin, an old one making room.
 * Nothing that is heard is to be trusted.
 *
 * IDV_E_ARG: no callback, a method not built in, a domain or name server that
 * is none; IDV_E_NET: no netlink.
 */
idv_rc idv_discovery_new(const struct idv_discovery_conf *conf,
                         struct idv_discovery **out) IDV_CHECKED;
/* Ends all that runs; a second at most if D-Bus hangs. */
void idv_discovery_free(struct idv_discovery *d);
/* To be waited on (at most 24 descriptors); lives as long as the discovery. */
const struct idv_watch *idv_discovery_watch(struct idv_discovery *d);

#endif
