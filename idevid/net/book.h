/* SPDX-License-Identifier: Apache-2.0 */
/* What is on offer at present, so that each offer is told once. */
#ifndef IDEVID_NET_BOOK_H
#define IDEVID_NET_BOOK_H

#include <stddef.h>

#include <idevid/offer.h>

#define IDVI_BOOK_ORIGIN 20 /* offers of one origin */
#define IDVI_NEVER INT64_MAX

struct idvi_entry {
    struct idv_offer offer;
    unsigned link;    /* the interface's index, 0: none in particular */
    int64_t until_ms; /* how long it is good, in ticks */
    uint64_t heard;   /* when, by the book's own count */
    bool seen;        /* since idvi_book_begin */
};

struct idvi_book {
    struct idvi_entry at[3 * IDVI_BOOK_ORIGIN]; /* as they were told */
    size_t n;
    uint64_t count;
    void (*tell)(void *arg, const struct idv_offer *offer);
    void *arg;
};

/* Heard of offer: tells it if it is new, else keeps it until until_ms. What of
 * its origin has not been heard of for longest makes room, and is told to be
 * gone: the next flood brings it back, if it is true. */
void idvi_book_put(struct idvi_book *b, const struct idv_offer *offer,
                   unsigned link, int64_t until_ms);
/* What of that origin is not put between begin and end is gone, if its time is
 * over at now_ms (IDVI_NEVER: in any case). */
void idvi_book_begin(struct idvi_book *b, enum idv_origin origin);
void idvi_book_end(struct idvi_book *b, enum idv_origin origin, int64_t now_ms);
/* The origin's offers of an interface are gone. */
void idvi_book_drop_link(struct idvi_book *b, enum idv_origin origin,
                         unsigned link);
/* When the time of the first one of that origin is over; IDVI_NEVER. */
int64_t idvi_book_due(const struct idvi_book *b, enum idv_origin origin);

#endif
