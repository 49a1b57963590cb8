/* SPDX-License-Identifier: Apache-2.0 */
/* What the two counting modules have in common. */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H

#include <stdint.h>

/* Exported as bench_count by p11count.so (Cryptoki functions called) and by
 * tcticount.so (commands sent to the TPM), of this process; as bench_bytes by
 * p11count.so: what the token was given to sign or to hash. */
typedef uint64_t count_fn(void);

#endif
