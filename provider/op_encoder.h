/* SPDX-License-Identifier: Apache-2.0 */
/* Keys written out: what op_encoder*.c share. */
#ifndef HWK_OP_ENCODER_H
#define HWK_OP_ENCODER_H

#include "provider/op.h"

/* An encoder's context is the provider's. */
OSSL_FUNC_encoder_newctx_fn hwk_encoder_new;
OSSL_FUNC_encoder_freectx_fn hwk_encoder_free;

/* Does an encoder of these halves want that selection? */
bool hwk_encoder_does(const struct hwk_core *core, int selection, bool private,
                      bool public);

/* Writes n bytes, or a text, to out. */
int hwk_encoder_put(struct hwk_core *core, OSSL_CORE_BIO *out, const void *p,
                    size_t n);
int hwk_encoder_text(struct hwk_core *core, OSSL_CORE_BIO *out,
                     const char *text);

/* What the encoders of the private context make of the public half. Selection
 * as libcrypto has it, structure may be NULL. */
int hwk_encoder_soft(struct hwk_core *core, OSSL_CORE_BIO *out,
                     struct hwk_key *key, int selection, const char *type,
                     const char *structure);

#endif
