/* SPDX-License-Identifier: Apache-2.0 */
/* The one symbol that hwkey.so shows. */
#include "provider/device.h"

OSSL_provider_init_fn OSSL_provider_init;

__attribute__((visibility("default"))) int
OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                   const OSSL_DISPATCH **out, void **ctx)
{
    return hwk_provider_init(handle, in, out, ctx);
}
