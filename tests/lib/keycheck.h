/* SPDX-License-Identifier: Apache-2.0 */
/* Is a key of ours, seen from outside, like one of the default provider? */
#ifndef KEYCHECK_H
#define KEYCHECK_H

#include "tests/lib/hwk_test.h"

/* The public half as a key of the default provider in w. */
EVP_PKEY *default_twin(struct world *w, EVP_PKEY *key);

/* Fails the running test when a parameter, its size, or what an answer without
 * or with too small a buffer is, differs from the twin's; or the names, the
 * SubjectPublicKeyInfo, comparisons and copies. */
void check_like_default(struct world *w, EVP_PKEY *key);

#endif
