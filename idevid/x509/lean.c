/* SPDX-License-Identifier: Apache-2.0 */
/* libcrypto's default provider, with few kinds of keys, decoders and encoders:
 * all of them are gone through for each public key that comes, and that is
 * dear. */
#include <pthread.h>
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "x509/x509.h"

#define NAME "idevid-lean"
#define ROWS 32

/* as long as the process */
static struct lean {
    OSSL_LIB_CTX *ctx;
    OSSL_FUNC_provider_query_operation_fn *query; /* the default provider's */
    OSSL_DISPATCH dispatch[ROWS];
} all, keyless;
static OSSL_ALGORITHM kinds[ROWS], decoders[ROWS], encoders[ROWS]; /* of all */
static OSSL_LIB_CTX *whole; /* where the default provider is */

/* --- which ---------------------------------------------------------------- */

/* what devices and their peers have, and what TLS agrees on keys with */
static bool is_used(const OSSL_ALGORITHM *a)
{
    static const char *const names[] = {"RSA",  "RSA-PSS", "EC",    "X25519",
                                        "X448", "ED25519", "ED448", "HMAC"};
    const size_t n = strcspn(a->algorithm_names, ":");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == n &&
            strncmp(a->algorithm_names, names[i], n) == 0)
            return true;
    }
    return false;
}

static bool is_spki(const OSSL_ALGORITHM *a)
{
    return is_used(a) &&
           strstr(a->property_definition, "structure=SubjectPublicKeyInfo") &&
           !strstr(a->property_definition, "output=pem");
}

static void choose(const OSSL_ALGORITHM *from, OSSL_ALGORITHM to[ROWS],
                   bool (*wanted)(const OSSL_ALGORITHM *a))
{
    size_t n = 0;
    for (; from && from->algorithm_names && n < ROWS - 1; from++) {
        if (wanted(from))
            to[n++] = *from;
    }
}

static const OSSL_ALGORITHM *query_all(void *p, int operation, int *no_cache)
{
    switch (operation) {
    case OSSL_OP_KEYMGMT:
        return kinds;
    case OSSL_OP_DECODER:
        return decoders;
    case OSSL_OP_ENCODER:
        return encoders;
    default:
        return all.query(p, operation, no_cache);
    }
}

/* a context's kinds of keys are gone through for each key, known or not */
static const OSSL_ALGORITHM *query_keyless(void *p, int operation,
                                           int *no_cache)
{
    return operation == OSSL_OP_DIGEST ? keyless.query(p, operation, no_cache)
                                       : NULL;
}

/* --- two providers -------------------------------------------------------- */

/* everything else is the default provider's, in a context of its own */
static bool take_dispatch(struct lean *l, const OSSL_DISPATCH *d,
                          OSSL_FUNC_provider_query_operation_fn *own)
{
    size_t n = 0;
    for (; d && d->function_id && n < ROWS - 1; d++) {
        if (d->function_id == OSSL_FUNC_PROVIDER_TEARDOWN)
            continue;
        l->dispatch[n] = *d;
        if (d->function_id == OSSL_FUNC_PROVIDER_QUERY_OPERATION) {
            l->query = OSSL_FUNC_provider_query_operation(d);
            l->dispatch[n].function = (void (*)(void))own;
        }
        n++;
    }
    return l->query != NULL;
}

static int start(struct lean *l, OSSL_FUNC_provider_query_operation_fn *own,
                 const OSSL_DISPATCH **out, void **provctx)
{
    OSSL_PROVIDER *p = OSSL_PROVIDER_load(whole, "default");
    if (!p || !take_dispatch(l, OSSL_PROVIDER_get0_dispatch(p), own))
        return 0;
    *provctx = OSSL_PROVIDER_get0_provider_ctx(p);
    *out = l->dispatch;
    return 1;
}

static int start_all(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
                     const OSSL_DISPATCH **out, void **provctx)
{
    (void)core;
    (void)in;
    int no_cache = 0;
    if (!start(&all, query_all, out, provctx))
        return 0;
    choose(all.query(*provctx, OSSL_OP_KEYMGMT, &no_cache), kinds, is_used);
    choose(all.query(*provctx, OSSL_OP_DECODER, &no_cache), decoders, is_spki);
    choose(all.query(*provctx, OSSL_OP_ENCODER, &no_cache), encoders, is_spki);
    return 1;
}

static int start_keyless(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
                         const OSSL_DISPATCH **out, void **provctx)
{
    (void)core;
    (void)in;
    return start(&keyless, query_keyless, out, provctx);
}

/* --- contexts ------------------------------------------------------------- */

/* without: libcrypto's own, slower, and no other difference */
static void make(struct lean *l, OSSL_provider_init_fn *init)
{
    OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();
    if (ctx && OSSL_PROVIDER_add_builtin(ctx, NAME, init) == 1 &&
        OSSL_PROVIDER_load(ctx, NAME))
        l->ctx = ctx;
    else
        OSSL_LIB_CTX_free(ctx);
}

/* Who runs libcrypto without its default provider, or with FIPS, means all that
 * it does. */
static bool may(void)
{
    return !EVP_default_properties_is_fips_enabled(NULL) &&
           OSSL_PROVIDER_available(NULL, "default") == 1;
}

static void make_both(void)
{
    ERR_set_mark();
    whole = may() ? OSSL_LIB_CTX_new() : NULL;
    if (whole) {
        make(&all, start_all);
        make(&keyless, start_keyless);
    }
    ERR_pop_to_mark();
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

OSSL_LIB_CTX *idv_lean_context(void)
{
    pthread_once(&once, make_both);
    return all.ctx;
}

OSSL_LIB_CTX *idvi_keyless_context(void)
{
    pthread_once(&once, make_both);
    return keyless.ctx;
}
