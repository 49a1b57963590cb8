/* SPDX-License-Identifier: Apache-2.0 */
/* A provider "bare" with key managements EC and RSA and ECDSA signatures, which
 * hold nothing and go straight to the token, as the floor does. What it costs
 * more than the floor is libcrypto's, and any provider's. */
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>

#include "tests/bench/bench.h"

#define F(operation, name, fn)                                                 \
    {                                                                          \
        OSSL_FUNC_##operation##_##name, (void (*)(void))(fn)                   \
    }

static int nothing; /* the one object there is, of every kind */

static void *any_new(void *provider)
{
    (void)provider;
    return &nothing;
}

static void any_free(void *object)
{
    (void)object;
}

/* --- keys --- */

static int has(const void *key, int selection)
{
    (void)key;
    (void)selection;
    return 1;
}

static int import(void *key, int selection, const OSSL_PARAM params[])
{
    (void)key;
    (void)selection;
    (void)params;
    return 1;
}

static const OSSL_PARAM *import_types(int selection)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_END};

    (void)selection;
    return list;
}

static const char *operation_name(int operation)
{
    (void)operation;
    return "ECDSA";
}

static const OSSL_DISPATCH keys[] = {
    F(KEYMGMT, NEW, any_new),
    F(KEYMGMT, FREE, any_free),
    F(KEYMGMT, HAS, has),
    F(KEYMGMT, IMPORT, import),
    F(KEYMGMT, IMPORT_TYPES, import_types),
    F(KEYMGMT, QUERY_OPERATION_NAME, operation_name),
    {0, NULL},
};

/* --- signatures --- */

static void *signature_new(void *provider, const char *propq)
{
    (void)propq;
    return any_new(provider);
}

static int digest_sign_init(void *ctx, const char *md, void *key,
                            const OSSL_PARAM params[])
{
    (void)ctx;
    (void)md;
    (void)key;
    (void)params;
    return 1;
}

static int digest_sign(void *ctx, unsigned char *sig, size_t *n, size_t room,
                       const unsigned char *message, size_t message_n)
{
    (void)ctx;
    *n = room;
    return raw_token_signature(P256, message, message_n, sig, n);
}

static const OSSL_DISPATCH ecdsa[] = {
    F(SIGNATURE, NEWCTX, signature_new),
    F(SIGNATURE, FREECTX, any_free),
    F(SIGNATURE, DIGEST_SIGN_INIT, digest_sign_init),
    F(SIGNATURE, DIGEST_SIGN, digest_sign),
    {0, NULL},
};

/* --- a decoder that never finds anything --- */

static int of_private_keys(void *provider, int selection)
{
    (void)provider;
    return selection == 0 || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
}

static int decode(void *ctx, OSSL_CORE_BIO *in, int selection,
                  OSSL_CALLBACK *cb, void *arg, OSSL_PASSPHRASE_CALLBACK *pw,
                  void *pw_arg)
{
    (void)ctx;
    (void)in;
    (void)selection;
    (void)cb;
    (void)arg;
    (void)pw;
    (void)pw_arg;
    return 1;
}

static const OSSL_DISPATCH decoder[] = {
    F(DECODER, NEWCTX, any_new),
    F(DECODER, FREECTX, any_free),
    F(DECODER, DOES_SELECTION, of_private_keys),
    F(DECODER, DECODE, decode),
    {0, NULL},
};

/* --- the provider --- */

#define ROW(name, table)                                                       \
    {                                                                          \
        name, "provider=bare", table, NULL                                     \
    }

static int everything;

static const OSSL_ALGORITHM *query_all(int operation)
{
    static const OSSL_ALGORITHM keymgmts[] = {
        ROW("EC:id-ecPublicKey:1.2.840.10045.2.1", keys),
        ROW("RSA:rsaEncryption:1.2.840.113549.1.1.1", keys),
        ROW("RSA-PSS:RSASSA-PSS:1.2.840.113549.1.1.10", keys),
        ROW("ED25519:1.3.101.112", keys),
        ROW("ED448:1.3.101.113", keys),
        ROW("X25519:1.3.101.110", keys),
        ROW("X448:1.3.101.111", keys),
        {NULL, NULL, NULL, NULL}};
    static const OSSL_ALGORITHM decoders[] = {
        {"PVK", "provider=bare,input=pem", decoder, NULL},
        {NULL, NULL, NULL, NULL}};

    return operation == OSSL_OP_KEYMGMT   ? keymgmts
           : operation == OSSL_OP_DECODER ? decoders
                                          : NULL;
}

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM keymgmts[] = {
        ROW("EC:id-ecPublicKey:1.2.840.10045.2.1", keys),
        ROW("RSA:rsaEncryption:1.2.840.113549.1.1.1", keys),
        {NULL, NULL, NULL, NULL}};
    static const OSSL_ALGORITHM signatures[] = {ROW("ECDSA", ecdsa),
                                                {NULL, NULL, NULL, NULL}};

    (void)provider;
    *no_cache = 0;
    if (everything)
        return query_all(operation);
    return operation == OSSL_OP_KEYMGMT     ? keymgmts
           : operation == OSSL_OP_SIGNATURE ? signatures
                                            : NULL;
}

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                const OSSL_DISPATCH **out, void **provider)
{
    static const OSSL_DISPATCH functions[] = {
        F(PROVIDER, QUERY_OPERATION, query), {0, NULL}};

    (void)handle;
    (void)in;
    *out = functions;
    *provider = &nothing;
    return 1;
}

int bare_load(OSSL_LIB_CTX *libctx, bool all)
{
    everything = all;
    return OSSL_PROVIDER_add_builtin(libctx, "bare", init) &&
           OSSL_PROVIDER_load(libctx, "bare") != NULL;
}

EVP_PKEY *bare_key(OSSL_LIB_CTX *libctx)
{
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(libctx, "EC", "provider=bare");
    char group[] = "P-256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_end()};
    EVP_PKEY *key = NULL;

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) <= 0)
        bench_fail("no bare key");
    EVP_PKEY_CTX_free(ctx);
    return key;
}
