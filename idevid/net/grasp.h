/* SPDX-License-Identifier: Apache-2.0 */
/* What GRASP (RFC 8990) tells a device that knows nobody: floods on the link.
 */
#ifndef IDEVID_NET_GRASP_H
#define IDEVID_NET_GRASP_H

#include <netinet/in.h>

#include <idevid/buf.h>

#define IDVI_GRASP_PORT 7017
#define IDVI_GRASP_GROUP "ff02::13" /* ALL_GRASP_NEIGHBORS */
#define IDVI_GRASP_MAX 2048         /* bytes of a message, RFC 8990 2.5.3 */
#define IDVI_FLOOD_MAX 8            /* locators read of one flood */

/* False: this library has it not. */
bool idvi_grasp_built(void);

/* A flood that offers join proxies (RFC 8995 section 4.1.1). */
struct idvi_flood {
    uint32_t session;
    struct in6_addr initiator;
    uint32_t ttl_ms; /* 0: for ever, says the sender */
    size_t n;
    struct {
        struct in6_addr address; /* link-local */
        uint16_t port;           /* TCP */
    } at[IDVI_FLOOD_MAX];
};

/*
 * Reads one datagram: an M_FLOOD, at its bounds. Of its pairs of objective and
 * locator those count that say AN_Proxy, synchronisation, loop count 1, a form
 * of the protocol that is ours, and TCP at a link-local IPv6 address; others
 * are passed over, and so is what comes after IDVI_FLOOD_MAX of them. Pairs may
 * stand in the message or in one list more. IDV_E_FORMAT: not CBOR, not such a
 * message; IDV_E_LIMIT: larger or deeper than the bounds; IDV_E_REJECT: nothing
 * in it is for us. out is untouched then.
 */
idv_rc idvi_flood_from_bytes(struct idv_bytes datagram,
                             struct idvi_flood *out) IDV_CHECKED;

#endif
