/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the lanes of a crew without a network, on a clock of its own. */
#ifndef TESTS_MEMCREW_H
#define TESTS_MEMCREW_H

#include <idevid/machine.h>

#include "tests/lib/fakereg.h"

#define MEMCREW_NEVER INT64_MAX

/* Who is at a host, or at an address. */
struct memcrew_end {
    const char *host;
    struct fakereg *reg; /* NULL: the connection is refused */
    int64_t connect_ms;  /* how long it takes; MEMCREW_NEVER: no answer */
    int64_t answer_ms;
    bool drips; /* never an answer, but always another byte of it */
};

struct memcrew_begun {
    int64_t at_ms;
    size_t lane;
    char host[256];
};

struct memcrew {
    const struct memcrew_end *ends;
    size_t n_ends;
    const char *const *addresses; /* of each name; NULL: none is known */
    int lookups;
    int exchange_s; /* 0: 60 */
    int stall_s;    /* 0: 5 */
    /* What happens beside: when next (MEMCREW_NEVER: nothing more), and that it
     * does; NEWS is told then. NULL ok. */
    int64_t (*next)(void *arg);
    void (*act)(void *arg);
    void *arg;
    int64_t until_ms; /* it is looked at then; 0: to its end */

    int64_t now_ms;
    int steps;
    bool done; /* by DONE: rc and note */
    bool rest; /* nothing will ever happen by itself */
    idv_rc rc;
    char note[IDV_NOTE_MAX];
    struct memcrew_begun begun[256]; /* each CONNECT */
    size_t n_begun;
    size_t at_once; /* connections open at a time, at most */

    struct memcrew_lane *lanes; /* between runs */
    struct idv_crew crew;
};

/*
 * Begins or goes on until done, rest or until_ms. The test fails (cmocka) when
 * the machine breaks a rule, or a lane is told something after another one was
 * alone.
 */
void memcrew_begin(struct memcrew *m, struct idv_crew crew);
void memcrew_run(struct memcrew *m);
void memcrew_end(struct memcrew *m);

#endif
