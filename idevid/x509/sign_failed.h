/* SPDX-License-Identifier: Apache-2.0 */
/* Whose fault it is that nothing was signed. */
#ifndef IDVI_SIGN_FAILED_H
#define IDVI_SIGN_FAILED_H

#include <string.h>

#include <openssl/provider.h>

#include <idevid/err.h>

/* "WHAT: not signed": IDV_E_DEVICE when the key lives in one, else
 * IDV_E_CRYPTO. Compiled into devices and services, which are linked apart. */
static inline idv_rc idvi_sign_failed(const EVP_PKEY *key, const char *what)
{
    const OSSL_PROVIDER *provider = EVP_PKEY_get0_provider(key);
    const char *name = provider ? OSSL_PROVIDER_get0_name(provider) : "";
    return idv_fail(strcmp(name, "hwkey") == 0 ? IDV_E_DEVICE : IDV_E_CRYPTO,
                    "%s: not signed", what);
}

#endif
