/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several servers comes first (RFC 2782). */
#ifndef IDEVID_NET_DNSSD_ORDER_H
#define IDEVID_NET_DNSSD_ORDER_H

#include <idevid/env.h>

#define IDVI_SERVERS_MAX 8

struct idvi_server {
    char host[256];
    uint16_t priority, weight, port;
};

/* Lower priorities first; among equal ones by lot, in proportion to their
 * weights. order[i] becomes the number of the one at place i. */
void idvi_servers_order(const struct idvi_server *servers, size_t n,
                        const struct idv_env *env,
                        size_t order[static IDVI_SERVERS_MAX]);

#endif
