/* SPDX-License-Identifier: Apache-2.0 */
/* A pledge, a registrar and a MASA in one process, and what may happen to the
 * messages between them. */
#ifndef TESTS_TALK_H
#define TESTS_TALK_H

#include "tests/lib/fakereg.h"
#include "tests/lib/world.h"

/* Every time a message is on its way is a hop, counted from 1 in a run. */
enum talk_leg {
    TALK_CONNECT, /* pledge to registrar: the handshake; no body */
    TALK_REQUEST, /* pledge to registrar */
    TALK_UP,      /* registrar to MASA */
    TALK_DOWN,    /* MASA to registrar */
    TALK_REPLY,   /* registrar to pledge */
};

enum talk_fault {
    TALK_FINE,
    TALK_LOSE,      /* it never arrives; the connection is gone */
    TALK_TRUNCATE,  /* only the first at bytes of the body arrive */
    TALK_FLIP,      /* a bit of the byte at offset at changes */
    TALK_DUPLICATE, /* a request arrives twice; the second answer counts */
    TALK_REPLAY,    /* what was on this hop in the recorded run comes instead */
};

#define TALK_HOPS 64

struct talk_tape {
    enum talk_leg leg;
    char path[256]; /* of the exchange it belongs to */
    struct idv_msg msg;
};

struct talk {
    struct world *world;
    struct fakedev dev;
    enum talk_fault fault;
    int at_hop;
    size_t at;
    bool record;
    int masa_away; /* so many waits until the MASA is there again */

    int hops; /* of the last run */
    bool struck;
    struct talk_tape tape[TALK_HOPS]; /* of the recorded run */
    int taped;

    struct idv_peer server; /* what the registrar sees of us */
    uint64_t connections;
    bool open;
    struct memdrive drive;
};

/* A device of world's maker in factory state. */
void talk_init(struct talk *t, struct world *w);
void talk_free(struct talk *t);

/*
 * One join with the fault set. Afterwards the test fails unless: the state is
 * the same after a restart; what is pinned is the domain's CA; an LDevID is
 * for a key of the device; each voucher that left the MASA is in its log.
 */
idv_rc talk_run(struct talk *t);
/* A run without faults, which must end enrolled. */
void talk_run_clean(struct talk *t);

#endif
