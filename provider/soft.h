/* SPDX-License-Identifier: Apache-2.0 */
/* Keys without a device: the default provider's, in the private context. */
#ifndef HWK_SOFT_H
#define HWK_SOFT_H

#include "provider/core.h"
#include "provider/key.h"

/*
 * By load order or by property query ("?provider=hwkey") libcrypto hands us
 * keys that have nothing to do with a device: it makes them here, imports them,
 * signs with them. Such a key is key->software: its soft, of the default
 * provider in the private context, is all there is of it, and whatever is asked
 * of it is asked of that one, so that it behaves as it would without us. What
 * key->pub says of it is a copy, and empty when it is none of our kinds.
 *
 * Functions give 1, or 0 with what is on the error queue.
 */

/* Takes soft, a key of kind's type, also on failure. NULL with a reason. */
struct hwk_key *hwk_soft_wrap(struct hwk_core *core, const struct hwk_pub *kind,
                              EVP_PKEY *soft, bool with_private);
/* Is there a private half among the values of a key? libcrypto asks for one
 * also where there is none, as of a peer's key in key agreement. */
bool hwk_soft_private(const OSSL_PARAM params[]);
/* Fills an empty key with whatever the default provider takes. */
int hwk_soft_import(struct hwk_key *key, int selection,
                    const OSSL_PARAM params[]);
int hwk_soft_export(struct hwk_key *key, int selection, OSSL_CALLBACK *cb,
                    void *arg);
struct hwk_key *hwk_soft_dup(struct hwk_key *key, int selection);
int hwk_soft_match(struct hwk_key *a, struct hwk_key *b, int selection);
int hwk_soft_validate(struct hwk_key *key, int selection, int checktype);
int hwk_soft_get_params(struct hwk_key *key, OSSL_PARAM params[]);
/* Changes a key without a device, which becomes a software key by that. */
int hwk_soft_set_params(struct hwk_key *key, const OSSL_PARAM params[]);

/* A context of the default provider for the key (its public half, when it is
 * a device's). NULL with HWK_R_DELEGATE. */
EVP_PKEY_CTX *hwk_soft_ctx(struct hwk_key *key);
/* Sets what libcrypto gave a context of ours to set; params may be NULL. */
int hwk_soft_ctx_set(EVP_PKEY_CTX *ctx, const OSSL_PARAM params[]);

#endif
