/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's context: calls up into libcrypto, the private context, the
 * configuration and the devices. */
#ifndef HWK_CORE_H
#define HWK_CORE_H

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/evp.h>

#include "provider/backend.h"

struct hwk_core {
    const OSSL_CORE_HANDLE *handle;
    OSSL_FUNC_core_get_params_fn *get_params;
    OSSL_FUNC_core_get_libctx_fn *get_libctx;
    OSSL_FUNC_BIO_gets_fn *bio_gets;
    OSSL_FUNC_BIO_read_ex_fn *bio_read_ex;
    OSSL_FUNC_BIO_write_ex_fn *bio_write_ex;
    struct hwk_config cfg;
    struct hwk_registry *registry;
    OSSL_PROVIDER *under; /* "default" of the application, held active */
    _Atomic(OSSL_LIB_CTX *) soft;
    OSSL_PROVIDER *soft_default;
    _Atomic(EVP_MD *) md[HWK_MD_COUNT];
};

/* NULL with a reason. */
struct hwk_core *hwk_core_new(const OSSL_CORE_HANDLE *handle,
                              const OSSL_DISPATCH *in);
void hwk_core_free(struct hwk_core *core);

/* A library context of our own with the default provider and nothing of the
 * application's: for hashing, verifying, and whatever is not the device's.
 * Made on first need. NULL with HWK_R_DELEGATE. */
OSSL_LIB_CTX *hwk_core_soft(struct hwk_core *core);

/* A digest of that context, fetched once and lent. */
EVP_MD *hwk_core_md(struct hwk_core *core, enum hwk_md md);

/* Has the process begun to exit? hwk_exit_watch makes sure that it is noticed
 * before whatever registered its own handler earlier runs. */
bool hwk_exiting(void);
void hwk_exit_watch(void);

/* OSSL_PASSPHRASE_CALLBACK as a PIN source; arg is a struct hwk_passphrase. */
struct hwk_passphrase {
    OSSL_PASSPHRASE_CALLBACK *cb;
    void *arg;
};
int hwk_passphrase_get(void *arg, const char *what, char *out, size_t max,
                       size_t *n);

#endif
