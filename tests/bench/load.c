/* SPDX-License-Identifier: Apache-2.0 */
/* What it takes until there is a provider, and until there is a key. */
#include <stdlib.h>

#include "tests/bench/bench.h"

int load_nothing(struct contestant *c)
{
    (void)c;
    return 1;
}

int load_provider(struct contestant *c)
{
    return hwkey_context(c->with) != NULL;
}

int load_open(struct contestant *c)
{
    c->state = hwkey_context(HWKEY);
    return c->state != NULL;
}

int load_key(struct contestant *c)
{
    return hwkey_open(c->state, hwkey_uri(c->device, c->alg)) != NULL;
}

/* from nothing and back */
int load_unload(struct contestant *c)
{
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
    const char *modules = getenv("BENCH_MODULES");
    OSSL_PROVIDER *def, *own;
    int ok;

    (void)c;
    OSSL_PROVIDER_set_default_search_path(libctx, modules);
    def = OSSL_PROVIDER_load(libctx, "default");
    own = OSSL_PROVIDER_load(libctx, "hwkey");
    ok = (def != NULL && own != NULL) || bench_fail("no provider");
    OSSL_PROVIDER_unload(own);
    OSSL_PROVIDER_unload(def);
    OSSL_LIB_CTX_free(libctx);
    return ok;
}

int open_close(struct contestant *c)
{
    EVP_PKEY *key = key_of(c->state, c);

    EVP_PKEY_free(key);
    return key != NULL;
}
