/* SPDX-License-Identifier: Apache-2.0 */
/* A key as libcrypto holds it: counted, on a device or not. */
#ifndef HWK_KEY_H
#define HWK_KEY_H

#include <openssl/evp.h>

#include "provider/backend.h"

struct hwk_core;

struct hwk_key {
    atomic_int refs;
    struct hwk_core *core; /* lent: outlives its keys */
    struct hwk_pub pub;
    bool has_public, has_private;
    bool software;  /* nothing but soft: see soft.h */
    unsigned flags; /* HWK_FOUND_* */
    enum hwk_md md; /* mandatory digest */
    struct hwk_limits limits;
    char *uri;                    /* "" when it came without */
    struct hwk_device_slot *slot; /* NULL: a public key only */
    hwk_ref *ref;                 /* NULL: no private half on a device */
    atomic_uint bare; /* digests (1 << md) with which the device knows no OAEP;
                         bit 0: it takes no PKCS#1 off */
    atomic_uint refused;  /* by the device, the last kind of RSA signature that
                             it then made with padding from here (sign.c) */
    _Atomic(void *) soft; /* EVP_PKEY * in the private context: of the public
                             half, made on first need, or all there is */
};

/* A key of what a backend found; takes found->ref. with_private false leaves
 * the private half out (and the ref with the caller). NULL on failure. */
struct hwk_key *hwk_key_new(struct hwk_core *core, struct hwk_device_slot *slot,
                            struct hwk_found *found, bool with_private);
/* A public key without a device. */
struct hwk_key *hwk_key_public(struct hwk_core *core,
                               const struct hwk_pub *pub);
/* An empty one, to be filled by import. */
struct hwk_key *hwk_key_empty(struct hwk_core *core, enum hwk_key_type type);
/* The same of the type of kind, also where a type has one curve, or is for PSS
 * only. */
struct hwk_key *hwk_key_of(struct hwk_core *core, const struct hwk_pub *kind);
/* What from is, to is from now on; to was empty. Takes from. */
void hwk_key_move(struct hwk_key *to, struct hwk_key *from);
struct hwk_key *hwk_key_up(struct hwk_key *key);
void hwk_key_free(struct hwk_key *key); /* NULL is fine */

/* Signs on the device. Shapes as in backend.h. A padding that the device does
 * not make is made here, if it signs bare numbers with that key. */
int hwk_key_sign(struct hwk_key *key, const struct hwk_mech *mech,
                 const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n);

/* Decrypts and derives on the device, in the same way. A padding that the
 * device or the key does not do: HWK_R_UNSUPPORTED or HWK_R_PADDING. */
int hwk_key_decrypt(struct hwk_key *key, const struct hwk_mech *mech,
                    const uint8_t *in, size_t n, uint8_t *out, size_t *out_n);
int hwk_key_derive(struct hwk_key *key, const uint8_t *peer, size_t n,
                   uint8_t *out, size_t *out_n);

/* What to call it in messages: its URI, if it has one. */
const char *hwk_key_name(const struct hwk_key *key);

/* The key file that the key is in, OPENSSL_malloc'ed in *der; NULL: it is on
 * the device, and its URI stands for it. 1, or 0 with a reason. */
int hwk_key_blob(struct hwk_key *key, uint8_t **der, size_t *n);

/* The public half (all of a software key, the parameters of one that has no
 * half yet) as a key of the default provider in the private context, lent for
 * the life of key. NULL with HWK_R_DELEGATE. */
EVP_PKEY *hwk_key_soft(struct hwk_key *key);

#endif
