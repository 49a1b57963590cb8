/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the announcements: what there is to say. */
#ifndef IDEVID_NET_ANNOUNCE_INT_H
#define IDEVID_NET_ANNOUNCE_INT_H

#include "net/announce.h"
#include "net/links.h"

#define IDVI_NOTICES_MAX 64

/* One thing to say on one link. */
struct idvi_notice {
    unsigned link;
    char interface[IF_NAMESIZE];
    unsigned as;        /* REGISTRAR, PROXY or EST */
    struct in6_addr at; /* IPv4 as ::ffff:192.0.2.1 */
    uint16_t port;
};
struct idvi_notices {
    struct idvi_notice at[IDVI_NOTICES_MAX];
    size_t n;
};
bool idvi_notices_same(const struct idvi_notices *a,
                       const struct idvi_notices *b);

/* For GRASP: of each link, port and kind the first address that will do. */
void idvi_announce_plan_grasp(const struct idv_announce *a,
                              const struct idvi_links_table *links,
                              const struct idv_server_bound *bound, size_t n,
                              struct idvi_notices *out);
/* For mDNS: of each link, port and kind one by IPv4 and one by IPv6; address
 * says which, avahi knows it. */
void idvi_announce_plan_mdns(const struct idv_announce *a,
                             const struct idvi_links_table *links,
                             const struct idv_server_bound *bound, size_t n,
                             struct idvi_notices *out);

/* When to flood next, after one at last_ms: when the period is over, or for
 * something that has changed, at most once a second. */
int64_t idvi_announce_next_ms(int64_t last_ms, int64_t now_ms, int period_s,
                              bool changed);

/* How long a flood holds: as what it is, three periods and a half of an EST
 * server (RFC 8994 section 6.2.5.1), three of others (RFC 8995 figures 10 and
 * 12). */
uint32_t idvi_announce_ttl_ms(unsigned as, int period_s);

/* Appends the M_FLOOD of a notice, whose address is its initiator, too. */
idv_rc idvi_flood_to_bytes(const struct idvi_notice *notice, uint32_t session,
                           uint32_t ttl_ms, struct idv_buf *out) IDV_CHECKED;

#endif
