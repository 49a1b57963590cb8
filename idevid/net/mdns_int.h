/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of mDNS: the thread, what it browses, what it resolves. */
#ifndef IDEVID_NET_MDNS_INT_H
#define IDEVID_NET_MDNS_INT_H

#include <pthread.h>

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-common/domain.h>
#include <avahi-common/simple-watch.h>

#include "net/mdns.h"

#define MDNS_ITEMS IDVI_BOOK_ORIGIN
#define MDNS_PAUSE_MS 1000              /* before avahi is tried again */
#define MDNS_PAUSE_MOST_MS (300 * 1000) /* it doubles up to this */
#define MDNS_RETRY_S 5                  /* before a name is resolved again */
#define MDNS_RETRY_MOST_S 3600

#define MDNS_DOMAIN "local"

/* An address of an instance: of one family, over one protocol. */
struct mdns_slot {
    struct mdns_item *item;
    AvahiProtocol family;
    AvahiServiceResolver *resolver;
    AvahiTimeout *again; /* it failed: when to try the next time */
    int pause_s;
    bool found;
    struct idv_offer offer;
};

/* An instance of a service, on one interface by one protocol. */
struct mdns_item {
    struct idvi_mdns *m; /* NULL: free */
    AvahiIfIndex interface;
    AvahiProtocol protocol;
    char name[AVAHI_LABEL_MAX], type[64];
    struct mdns_slot slots[2];
};

struct idvi_mdns {
    /* set once */
    pthread_t thread;
    AvahiSimplePoll *poll;
    int news; /* eventfd */
    char **interfaces;
    bool registrars;

    /* said by the owner */
    int stop, anew; /* atomic */

    /* the thread's own */
    AvahiClient *client;
    AvahiServiceBrowser *browsers[2];
    struct mdns_item items[MDNS_ITEMS];
    unsigned unsettled; /* browsers that have not told all they know */
    bool broken;
    int pause_ms;

    /* both, under the lock */
    pthread_mutex_t lock;
    struct idv_offer offers[MDNS_ITEMS];
    size_t n;
    bool settled, up, ended, abandoned;
    char why[96];    /* avahi is not there because */
    bool said, told; /* owner's: what the log said last */
};

/* Browses from now on; forgets it all. */
void idvi_mdns_browse(struct idvi_mdns *m, AvahiClient *client);
void idvi_mdns_forget(struct idvi_mdns *m);
/* Begins to resolve an instance; ends that. */
void idvi_mdns_resolve(struct mdns_item *item);
void idvi_mdns_drop(struct mdns_item *item);
/* Shows the owner what there is now. */
void idvi_mdns_publish(struct idvi_mdns *m);

#endif
