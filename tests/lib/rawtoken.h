/* SPDX-License-Identifier: Apache-2.0 */
/* The tests' module behind the provider's back: what is in a token, and objects
 * as no program of ours would leave them. */
#ifndef RAWTOKEN_H
#define RAWTOKEN_H

#include <p11-kit/pkcs11.h>

#include "tests/lib/hwk_test.h"
#include "tests/lib/p11_soft.h"

#define RAW_PIN "1234"

extern const struct p11soft *raw_soft;
extern CK_FUNCTION_LIST *raw_f;
extern CK_BBOOL raw_yes, raw_no;

#define TELL(line) assert_true(raw_soft->tell(line))

/* Loads the module, initialises it with these lines, and names it to the
 * provider. False when it cannot be loaded. */
bool raw_begin(const char *const lines[]);

/* A read/write session, logged in unless pin is NULL; raw_leave logs out and
 * closes it. */
CK_SESSION_HANDLE raw_enter(CK_SLOT_ID slot, const char *pin);
void raw_leave(CK_SESSION_HANDLE s);
/* The same without logging out the provider. */
void raw_close(CK_SESSION_HANDLE s);

/* How many objects of the class (of any: -1UL) there are with that label
 * (NULL: any). The first is put in *h unless that is NULL. */
unsigned raw_count(CK_SESSION_HANDLE s, CK_OBJECT_CLASS class,
                   const char *label, CK_OBJECT_HANDLE *h);
bool raw_flag(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ATTRIBUTE_TYPE type);
/* Removes everything. */
void raw_wipe(CK_SESSION_HANDLE s);

/* An EC P-256 pair; label and id NULL: without. */
void raw_pair(CK_SESSION_HANDLE s, const char *label, const char *id);
void raw_cert(CK_SESSION_HANDLE s, const char *label, const char *id,
              bool hidden, const uint8_t *der, size_t n);

#endif
