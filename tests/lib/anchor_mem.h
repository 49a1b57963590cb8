/* SPDX-License-Identifier: Apache-2.0 */
/* A device that keeps the anchor record in memory and fails when told to. */
#ifndef TESTS_ANCHOR_MEM_H
#define TESTS_ANCHOR_MEM_H

#include <idevid/trust.h>

struct anchor_mem {
    bool found;
    uint8_t record[256];
    size_t n;
    int calls;   /* so far */
    int fail_at; /* the call (from 1) that fails; 0 none */
    bool after;  /* it fails after it has taken effect */
    bool dead;   /* every call from fail_at on fails */
    /* renamed once the record is written: a disk that fails just then */
    const char *from, *to;
};
/* a is borrowed: it outlives what is opened with it, as a device does */
struct idv_anchor anchor_mem(struct anchor_mem *a);

#endif
