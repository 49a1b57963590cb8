/* SPDX-License-Identifier: Apache-2.0 */
/* The interfaces of this machine, as they come and go (rtnetlink). */
#ifndef IDEVID_NET_LINKS_H
#define IDEVID_NET_LINKS_H

#include <net/if.h>
#include <netinet/in.h>

#include <idevid/buf.h>

#define IDVI_LINKS_MAX 32
#define IDVI_LINK_ADDRESSES 8

struct idvi_link {
    unsigned index;
    char name[IF_NAMESIZE];
    bool running; /* up, with carrier, multicast, no loopback */
    bool local6;  /* has an IPv6 link-local address that may be used */
    bool other;   /* has an address of another kind that may be used */
    /* the first ones that may be used, IPv4 as ::ffff:192.0.2.1; none that is
     * temporary or deprecated */
    struct in6_addr at[IDVI_LINK_ADDRESSES];
    size_t at_n;
};

struct idvi_links_table {
    struct idvi_link at[IDVI_LINKS_MAX];
    size_t n;
};

struct idvi_links {
    int fd; /* becomes readable when something changed */
    struct idvi_links_table now;
};

/*
 * Called for each interface that is not as it was (but for which addresses it
 * has). was NULL: it is new (what
 * the first look finds is); is NULL: it is gone.
 */
typedef void idvi_link_changed(void *arg, const struct idvi_link *was,
                               const struct idvi_link *is);

/* IDV_E_NET: netlink cannot be had. */
idv_rc idvi_links_open(struct idvi_links *l) IDV_CHECKED;
void idvi_links_close(struct idvi_links *l);
/* Looks at everything anew. */
idv_rc idvi_links_look(struct idvi_links *l, idvi_link_changed *changed,
                       void *arg) IDV_CHECKED;
/* The same if there was an event. */
idv_rc idvi_links_ready(struct idvi_links *l, idvi_link_changed *changed,
                        void *arg) IDV_CHECKED;

/* Takes a piece of what the kernel answers (RTM_NEWLINK, RTM_NEWADDR; others
 * are passed over) into t; true when it is the last one. */
bool idvi_links_take(struct idvi_links_table *t, struct idv_bytes answer);

#endif
