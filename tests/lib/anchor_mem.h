/* SPDX-License-Identifier: Apache-2.0 */
/* A device that keeps the anchor record in memory and fails when told to. */
#ifndef TESTS_ANCHOR_MEM_H
#define TESTS_ANCHOR_MEM_H

#include <idevid/trust.h>

struct anchor_mem {
    enum idv_anchor_found found;
    uint8_t record[IDV_RECORD_SIZE];
    uint64_t counter; /* 0: it has none; else it is the generation */
    bool half;        /* a write is not sealed, and fails */
    bool stuck;       /* what is half written can be sealed no more */
    int finished;     /* calls of finish */
    uint32_t resets;  /* the reset count it has */
    int calls;        /* so far */
    int fail_at;      /* the call (from 1) that fails; 0 none */
    bool after;       /* it fails after it has taken effect */
    bool dead;        /* every call from fail_at on fails */
    /* renamed once the record is written: a disk that fails just then */
    const char *from, *to;
};
/* a is borrowed: it outlives what is opened with it, as a device does */
struct idv_anchor anchor_mem(struct anchor_mem *a);

#endif
