/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker processes of a server know of each other, in memory that
 * they share: how many connections each has, from where, and who asks how
 * often. Nothing waits for anything: a worker may be killed at any time. */
#ifndef IDEVID_NET_BOARD_H
#define IDEVID_NET_BOARD_H

#include <stdint.h>
#include <sys/socket.h>

#include <idevid/env.h>

struct idv_board;

/* Made before the workers are forked. IDV_E_NOMEM. */
idv_rc idv_board_new(const struct idv_env *env,
                     struct idv_board **out) IDV_CHECKED;
void idv_board_free(struct idv_board *b);

struct idv_board_sum {
    unsigned workers; /* that there should be */
    unsigned ready;   /* that serve */
    unsigned connections;
    unsigned busy; /* requests that are not answered yet */
};
void idv_board_sum(const struct idv_board *b, struct idv_board_sum *out);

/* --- for the server ------------------------------------------------------- */

void idvi_board_expect(struct idv_board *b, unsigned workers);
/* A row of this process, -1: none is left (it counts alone then). */
int idvi_board_enter(struct idv_board *b, int pid);
void idvi_board_leave(struct idv_board *b, int pid); /* it has ended */
void idvi_board_ready(struct idv_board *b, int row);
void idvi_board_live(struct idv_board *b, int row, unsigned connections);
void idvi_board_busy(struct idv_board *b, int row, unsigned requests);

/*
 * Where a connection comes from: an IPv4 address, a /64 of IPv6 (all of it is
 * one customer's), or one link-local address.
 */
uint64_t idvi_board_origin(const struct sockaddr *a);
/* One connection more, or less; of how many now, over all workers. It may say
 * more than there are where many origins connect, never less. */
unsigned idvi_board_add(struct idv_board *b, int row, uint64_t origin);
void idvi_board_remove(struct idv_board *b, int row, uint64_t origin);

/* One request more of a client; how many in this minute, over all workers
 * (may say more, as above). */
unsigned idvi_board_asked(struct idv_board *b, const uint8_t client[32],
                          int64_t now_ms);

#endif
