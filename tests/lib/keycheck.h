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

/* The algorithm identifier of a signature by digest (NULL: the default one, ""
 * for none) and PSS salt (NO_PSS: as it comes) is the twin's, as far as the
 * twin makes one; and certificates and requests that the key signs are taken
 * by the default provider. */
void check_algorithm(struct world *w, EVP_PKEY *key, const char *md, int pss);

#endif
