/* SPDX-License-Identifier: Apache-2.0 */
/* A key to be made: what was said of it so far. */
#ifndef HWK_OP_GEN_H
#define HWK_OP_GEN_H

#include <openssl/params.h>

#include "provider/op.h"

/*
 * Only at the end is it known whether a device is to make the key (it has a
 * uri) or the default provider (it has none, as any software key). So both
 * follow what is said: the one in spec, where what no device does is noted in
 * unfit, the other in soft, which may refuse at once.
 */
struct hwk_gen {
    struct hwk_core *core;
    struct hwk_spec spec;
    struct hwk_pub kind; /* of an empty key of this type */
    char *uri;           /* may hold a PIN: wiped */
    char *file;          /* import */
    bool params_only;
    const char *device_said; /* a parameter that only devices know; lent */
    int unfit;               /* 0, or why no device makes such a key */
    char unfit_text[80];
    EVP_PKEY_CTX *soft; /* the same in the private context */
    OSSL_CALLBACK *cb;  /* progress */
    void *cb_arg;
};

/* A device makes no such key: an error at once where it is known that one is to
 * (0 then), at the end otherwise (1). */
int hwk_gen_unfit(struct hwk_gen *gen, int reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* what of a key on a device, of every type, can be set */
#define HWK_GEN_SETTABLE                                                       \
    OSSL_PARAM_utf8_string(HWK_PARAM_KEY_URI, NULL, 0),                        \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_USAGE, NULL, 0),                  \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_TOKEN, NULL, 0),                  \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_EXTRACTABLE, NULL, 0),            \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_SENSITIVE, NULL, 0),              \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_ALWAYS_AUTH, NULL, 0),            \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_IMPORT, NULL, 0)

#endif
