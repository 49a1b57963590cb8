/* SPDX-License-Identifier: Apache-2.0 */
/* Keys written out: what op_encoder*.c share. */
#ifndef HWK_OP_ENCODER_H
#define HWK_OP_ENCODER_H

#include "provider/op.h"

struct hwk_encoder {
    struct hwk_core *core;
    OSSL_PARAM *params; /* how software keys are encrypted */
};

/* what every encoder's table has besides DOES_SELECTION and ENCODE */
OSSL_FUNC_encoder_newctx_fn hwk_encoder_new;
OSSL_FUNC_encoder_freectx_fn hwk_encoder_free;
OSSL_FUNC_encoder_settable_ctx_params_fn hwk_encoder_settable;
OSSL_FUNC_encoder_set_ctx_params_fn hwk_encoder_set_params;
#define HWK_ENCODER(F)                                                         \
    F(NEWCTX, hwk_encoder_new), F(FREECTX, hwk_encoder_free),                  \
        F(SETTABLE_CTX_PARAMS, hwk_encoder_settable),                          \
        F(SET_CTX_PARAMS, hwk_encoder_set_params)

/* Does an encoder of these halves want that selection? */
bool hwk_encoder_does(const struct hwk_core *core, int selection, bool private,
                      bool public);

/* Writes n bytes, or a text, to out. */
int hwk_encoder_put(struct hwk_core *core, OSSL_CORE_BIO *out, const void *p,
                    size_t n);
int hwk_encoder_text(struct hwk_core *core, OSSL_CORE_BIO *out,
                     const char *text);

/* What the encoders of the private context make of the public half, or of a
 * software key. Selection as libcrypto has it. */
struct hwk_form {
    const char *type, *structure; /* structure may be NULL */
    OSSL_PASSPHRASE_CALLBACK *cb; /* to encrypt with */
    void *arg;
};
int hwk_encoder_soft(struct hwk_encoder *e, OSSL_CORE_BIO *out,
                     struct hwk_key *key, int selection,
                     const struct hwk_form *form);

#endif
