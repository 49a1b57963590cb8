/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the domain's name server for registrars (RFC 6763, RFC 8995 app. B). */
#ifndef IDEVID_NET_DNSSD_H
#define IDEVID_NET_DNSSD_H

#include <poll.h>

#include <idevid/env.h>

#include "net/book.h"

#define IDVI_DNSSD_FIRST_MS (4 * 1000)   /* pause after the first asking */
#define IDVI_DNSSD_MOST_MS (3600 * 1000) /* it doubles up to this */
#define IDVI_DNSSD_KEEP_S (24 * 3600)    /* a TTL counts up to this */

struct idvi_dnssd_round;
struct idvi_dnssd {
    const struct idv_env *env;
    struct idvi_book *book;
    char *const *domains;           /* borrowed; NULL: resolv.conf's */
    const char *name_servers;       /* borrowed; NULL: resolv.conf's */
    struct idvi_dnssd_round *round; /* NULL: between two */
    int64_t due_ms, pause_ms;
};

/* False: this library has it not. */
bool idvi_dnssd_built(void);
/* IDV_E_ARG: name servers that are none. */
idv_rc idvi_dnssd_init(struct idvi_dnssd *s) IDV_CHECKED;
void idvi_dnssd_free(struct idvi_dnssd *s); /* tells nothing */
/* Asks at once, and then from the shortest pause on. */
void idvi_dnssd_anew(struct idvi_dnssd *s, int64_t now_ms);
size_t idvi_dnssd_fds(const struct idvi_dnssd *s, struct pollfd *out,
                      size_t max);
int64_t idvi_dnssd_due(const struct idvi_dnssd *s, int64_t now_ms);
/*
 * Does what is due. A round asks for the instances of the service, then where
 * they are, then for addresses; offers are told when all of it is there, the
 * preferred first (RFC 2782). What a round does not find is gone when every
 * question was answered, else when its TTL is over.
 */
void idvi_dnssd_ready(struct idvi_dnssd *s, const struct pollfd *fds, size_t n,
                      int64_t now_ms);

#endif
