/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of every type in a token, made through Cryptoki and not by us. */
#ifndef KEYMAKER_H
#define KEYMAKER_H

#include <p11-kit/pkcs11.h>

#include "tests/lib/hwk_test.h"
#include "tests/lib/p11_soft.h"

struct maker {
    CK_FUNCTION_LIST *f;
    const struct p11soft *soft; /* NULL: not that module */
    CK_SESSION_HANDLE s;        /* read/write, logged in with PIN 1234 */
    char dir[256];              /* of a SoftHSM2 */
};

/* The tests' own module, or a SoftHSM2 with a token of its own ("hwkey"), and
 * named to the provider. False: there is none. */
bool maker_soft(struct maker *m);
bool maker_softhsm(struct maker *m);
void maker_end(struct maker *m);

struct made {
    CK_OBJECT_HANDLE pub, priv;
};

/* A pair on that curve, RSA-2048 when it is NULL; id and label may be NULL.
 * allowed[n] becomes CKA_ALLOWED_MECHANISMS of the private key. */
CK_RV maker_pair(struct maker *m, const struct hwk_curve *curve, const char *id,
                 const char *label, const CK_MECHANISM_TYPE *allowed, size_t n,
                 struct made *out);
CK_OBJECT_HANDLE maker_cert(struct maker *m, const char *id, const char *label,
                            X509 *x);
/* An attribute of an object, set. */
CK_RV maker_set(struct maker *m, CK_OBJECT_HANDLE h, CK_ATTRIBUTE_TYPE type,
                const void *p, size_t n);
/* Everything in the token removed. */
void maker_wipe(struct maker *m);

#endif
