/* SPDX-License-Identifier: Apache-2.0 */
/* What the two counting modules have in common. */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H

#include <stdint.h>

/* Exported as bench_count by p11count.so (Cryptoki functions called) and by
 * tcticount.so (commands sent to the TPM), of this process; as bench_bytes by
 * p11count.so: what the token was given to sign or to hash. */
typedef uint64_t count_fn(void);

/* Exported as bench_code by tcticount.so: TPM_CC of the i-th command, from 0,
 * of the last BENCH_CODES; BENCH_HMAC is set as well where a session for
 * authorizations by HMAC is started. */
typedef uint32_t code_fn(uint64_t i);
#define BENCH_CODES 4096
#define BENCH_HMAC 0x80000000u

#endif
