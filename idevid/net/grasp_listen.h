/* SPDX-License-Identifier: Apache-2.0 */
/* Listens for floods on the links (RFC 8990 section 2.5.2, "DULL"). */
#ifndef IDEVID_NET_GRASP_LISTEN_H
#define IDEVID_NET_GRASP_LISTEN_H

#include <idevid/env.h>

#include "net/book.h"
#include "net/grasp.h"
#include "net/links.h"

/* how long a flood is good: what its sender says, between these */
#define IDVI_FLOOD_LEAST_MS (10 * 1000)
#define IDVI_FLOOD_MOST_MS (3600 * 1000)

struct idvi_grasp {
    const struct idv_env *env;
    struct idvi_book *book; /* borrowed: where offers go */
    int fd;                 /* -1: no interface to listen on */
    unsigned joined[IDVI_LINKS_MAX];
    char names[IDVI_LINKS_MAX][IF_NAMESIZE];
    size_t n;
};

void idvi_grasp_init(struct idvi_grasp *g, const struct idv_env *env,
                     struct idvi_book *book);
void idvi_grasp_free(struct idvi_grasp *g); /* tells nothing */
/* The interface may be listened on, or no more. What cannot be had is logged.
 * Leaving takes its offers back. */
void idvi_grasp_join(struct idvi_grasp *g, const struct idvi_link *link);
void idvi_grasp_leave(struct idvi_grasp *g, unsigned index);
/* Reads what has come and takes back what is over. */
void idvi_grasp_ready(struct idvi_grasp *g, int64_t now_ms);

/* One datagram from source, to destination, by an interface. */
void idvi_grasp_heard(struct idvi_grasp *g, struct idv_bytes datagram,
                      const struct in6_addr *source, unsigned link,
                      int64_t now_ms);

#endif
