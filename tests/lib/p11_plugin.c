/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of an application that uses a key of a token, and leaves. */
#include <stdbool.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/store.h>

#include "tests/lib/p11_plugin.h"

static OSSL_LIB_CTX *libctx;
static OSSL_PROVIDER *provider[2];
static EVP_PKEY *key;

#define SHOW __attribute__((visibility("default")))

static bool load(const char *order, const char *dir)
{
    size_t i;

    if (OSSL_PROVIDER_set_default_search_path(libctx, dir) != 1)
        return false;
    for (i = 0; i < 2 && order[i] != 0; i++) {
        provider[i] =
            OSSL_PROVIDER_load(libctx, order[i] == 'h' ? "hwkey" : "default");
        if (provider[i] == NULL)
            return false;
    }
    return true;
}

static EVP_PKEY *open_key(const char *uri)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open_ex(uri, libctx, "provider=hwkey",
                                               NULL, NULL, NULL, NULL, NULL);
    OSSL_STORE_INFO *info = NULL;
    EVP_PKEY *k = NULL;

    if (store == NULL)
        return NULL;
    OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
    while (info == NULL && !OSSL_STORE_eof(store))
        info = OSSL_STORE_load(store);
    if (info != NULL)
        k = OSSL_STORE_INFO_get1_PKEY(info);
    OSSL_STORE_INFO_free(info);
    OSSL_STORE_close(store);
    return k;
}

SHOW plugin_sign_fn plugin_sign;
int plugin_sign(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t sig[512];
    size_t n = sizeof(sig);
    int ok = key != NULL &&
             EVP_DigestSignInit_ex(ctx, NULL, "SHA256", libctx, NULL, key,
                                   NULL) == 1 &&
             EVP_DigestSign(ctx, sig, &n, (const uint8_t *)"x", 1) == 1;

    EVP_MD_CTX_free(ctx);
    return ok;
}

SHOW plugin_make_fn plugin_make;
int plugin_make(const char *dir, const char *uri)
{
    EVP_PKEY_CTX *ctx;
    char group[] = "P-256";
    union { /* OSSL_PARAM wants what it does not write */
        const char *c;
        char *p;
    } at = {uri};
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("uri", at.p, 0),
                           OSSL_PARAM_construct_utf8_string("group", group, 0),
                           OSSL_PARAM_construct_end()};
    int ok;

    if (!load("dh", dir))
        return 0;
    ctx = EVP_PKEY_CTX_new_from_name(libctx, "EC", "provider=hwkey");
    ok = ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 &&
         EVP_PKEY_CTX_set_params(ctx, params) == 1 &&
         EVP_PKEY_generate(ctx, &key) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

SHOW plugin_begin_fn plugin_begin;
int plugin_begin(const char *order, const char *dir, const char *uri,
                 int own_context)
{
    libctx = own_context ? OSSL_LIB_CTX_new() : NULL;
    if (!load(order, dir))
        return 0;
    key = open_key(uri);
    return plugin_sign();
}

SHOW plugin_end_fn plugin_free_key, plugin_unload;
void plugin_free_key(void)
{
    EVP_PKEY_free(key);
    key = NULL;
}

void plugin_unload(void)
{
    OSSL_PROVIDER_unload(provider[1]);
    OSSL_PROVIDER_unload(provider[0]);
    memset(provider, 0, sizeof(provider));
    if (key != NULL) /* which must not outlive its context */
        return;
    OSSL_LIB_CTX_free(libctx);
    libctx = NULL;
}
