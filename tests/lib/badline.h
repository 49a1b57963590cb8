/* SPDX-License-Identifier: Apache-2.0 */
/* A bad line: passes bytes between a client and a server on this machine until
 * something happens to it. */
#ifndef TESTS_BADLINE_H
#define TESTS_BADLINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum badline_fault {
    BADLINE_GOOD,
    BADLINE_CLOSE, /* ends in both directions, in order */
    BADLINE_RESET, /* ends without a word */
    BADLINE_STALL, /* stays open, and no byte comes any more */
    BADLINE_FLIP,  /* a bit of the byte is turned, all else goes on */
    BADLINE_DRIP,  /* from there on a byte now and then */
    BADLINE_STRIKE /* on_strike is called, then as CLOSE */
};

/*
 * The fault comes after "at" bytes of the server have been passed on, counted
 * over all connections; once, unless it lasts: then nobody gets through later.
 */
struct badline {
    uint16_t port, server; /* the line's own, and where it leads */
    enum badline_fault fault;
    size_t at;
    bool lasts;
    void (*on_strike)(void *arg);
    void *arg;

    atomic_size_t passed; /* bytes of the server so far */
    atomic_bool struck;
    atomic_int connections;
    int listener, stop[2];
    pthread_t thread;
};
void badline_start(struct badline *l, uint16_t server);
void badline_stop(struct badline *l); /* and joins */

#endif
