/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target defines, and how it says that a promise broke. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* At how many places an input is cut and, twice as many, turned in a replay:
 * 256, unless the target says otherwise because it is slow, which no long run
 * heeds. */
extern size_t fuzz_places;

#define PROMISE(what)                                                          \
    do {                                                                       \
        if (!(what)) {                                                         \
            fprintf(stderr, "broken promise: %s\n", #what);                    \
            abort();                                                           \
        }                                                                      \
    } while (0)

#endif
