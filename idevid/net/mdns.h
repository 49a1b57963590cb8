/* SPDX-License-Identifier: Apache-2.0 */
/* Services of the local link, as avahi hears of them (RFC 8995 appendix B). */
#ifndef IDEVID_NET_MDNS_H
#define IDEVID_NET_MDNS_H

#include <idevid/env.h>

#include "net/book.h"

/*
 * Every call into libavahi-client may block for as long as D-Bus or the daemon
 * hang, so all of them are made by one thread. It never logs nor tells: what
 * it knows is taken from it by idvi_mdns_ready.
 */
struct idvi_mdns;

/* False: this library has it not. */
bool idvi_mdns_built(void);
/* interfaces: NULL for all, borrowed. registrars: they too, not only proxies.
 */
idv_rc idvi_mdns_new(char *const *interfaces, bool registrars,
                     struct idvi_mdns **out) IDV_CHECKED;
/* Waits a second at most; a thread that hangs then ends alone. */
void idvi_mdns_free(struct idvi_mdns *m);
/* Readable when there is news. */
int idvi_mdns_fd(const struct idvi_mdns *m);
/* Puts what there is in the book, and says in the log whether avahi is there
 * when that has changed. */
void idvi_mdns_ready(struct idvi_mdns *m, const struct idv_env *env,
                     struct idvi_book *book);
/* A link came up: what was given up for a while is tried now. */
void idvi_mdns_anew(struct idvi_mdns *m);

#endif
