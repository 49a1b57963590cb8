/* SPDX-License-Identifier: Apache-2.0 */
/* A place where a pledge may ask for a voucher, and how it was heard of. */
#ifndef IDEVID_OFFER_H
#define IDEVID_OFFER_H

#include <stdbool.h>
#include <stdint.h>

/* Where an offer comes from, the preferred first (RFC 8995 section 4.1 and
 * appendix A). */
enum idv_origin {
    IDV_FROM_CONFIG, /* the administrator named it */
    IDV_FROM_GRASP,  /* DULL M_FLOOD, objective AN_Proxy */
    IDV_FROM_MDNS,   /* _brski-proxy._tcp.local, _brski-registrar._tcp.local */
    IDV_FROM_DNSSD,  /* _brski-registrar._tcp.<domain>, unicast DNS */
    IDV_FROM_CLOUD,  /* the maker's, built in or configured */
};

struct idv_offer {
    enum idv_origin origin;
    char host[256]; /* name or literal, with its zone if link-local */
    uint16_t port;
    char path[256]; /* cloud: the path of its URI; else "" */
    bool gone;      /* taken back: it is no longer there */
};

/* "config", "grasp", "mdns", "dns-sd", "cloud"; "unknown" for another value.
 * Never NULL. */
const char *idv_origin_name(enum idv_origin origin);

#endif
