/* SPDX-License-Identifier: Apache-2.0 */
/* The provider with the PKCS#11 module made of memory (p11_soft.h). */
#ifndef SOFT_TOKEN_H
#define SOFT_TOKEN_H

#include <p11-kit/pkcs11.h>

#include "tests/lib/hwk_test.h"
#include "tests/lib/p11_soft.h"

extern const struct p11soft *soft;
extern CK_FUNCTION_LIST *soft_f; /* the module itself, as others call it */
extern struct world soft_w;

/* Group setup: loads the module, names it to the provider and opens soft_w. */
int soft_begin(void **state);
int soft_end(void **state);
/* Setup of each: nothing goes wrong, nothing is counted, no error queued. */
int soft_each(void **state);

/* Tells the module a printf-like line, which must make sense. */
void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A key at uri, which must be there; and one that is made. */
EVP_PKEY *soft_key(const char *uri);
EVP_PKEY *soft_make(const char *type, const char *uri); /* "P-256", "RSA" */

/* Signs with key in soft_w and verifies with the default provider; success
 * must leave no error behind. */
int soft_signs(EVP_PKEY *key);

/* A session of somebody else in the process. */
CK_SESSION_HANDLE soft_foreign(CK_SLOT_ID slot);

#endif
