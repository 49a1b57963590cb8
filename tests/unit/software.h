/* SPDX-License-Identifier: Apache-2.0 */
/* Software keys of every kind, as the default provider has them by itself, and
 * their copies in an order of providers. */
#ifndef SOFTWARE_H
#define SOFTWARE_H

#include <openssl/params.h>

#include "tests/unit/orders.h"

/* the default provider and nothing else: what it should be */
static OSSL_LIB_CTX *plain;
static OSSL_PROVIDER *plain_default;

static const struct kind {
    const char *name, *type, *group;
    const char *md; /* signs; "" by itself */
    bool explicit, restricted, agrees, decrypts;
} kinds[] = {
    {"EC", "EC", "P-256", "SHA256", false, false, true, false},
    {"EC k1", "EC", "secp256k1", "SHA384", false, false, true, false},
    {"EC spelt out", "EC", "P-256", "SHA256", true, false, true, false},
    {"EC of no curve of ours", "EC", "secp112r1", "SHA1", false, false, true,
     false},
    {"RSA", "RSA", NULL, "RIPEMD160", false, false, false, true},
    {"RSA-PSS", "RSA-PSS", NULL, "SHA512", false, false, false, false},
    {"RSA-PSS SHA-256", "RSA-PSS", NULL, "SHA256", false, true, false, false},
    {"ED25519", "ED25519", NULL, "", false, false, false, false},
    {"ED448", "ED448", NULL, "", false, false, false, false},
    {"X25519", "X25519", NULL, NULL, false, false, true, false},
    {"X448", "X448", NULL, NULL, false, false, true, false},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static EVP_PKEY *model[KINDS]; /* of each kind, in plain */

static int set(EVP_PKEY_CTX *ctx, const char *name, const char *value)
{
    return EVP_PKEY_CTX_ctrl_str(ctx, name, value) > 0;
}

static int set_up(EVP_PKEY_CTX *ctx, const struct kind *k)
{
    if (k->group != NULL && !set(ctx, "group", k->group))
        return 0;
    if (k->explicit && !set(ctx, "encoding", "explicit"))
        return 0;
    if (strncmp(k->type, "RSA", 3) == 0 && !set(ctx, "rsa_keygen_bits", "1024"))
        return 0;
    return !k->restricted || (set(ctx, "rsa_pss_keygen_md", "SHA256") &&
                              set(ctx, "rsa_pss_keygen_mgf1_md", "SHA256") &&
                              set(ctx, "rsa_pss_keygen_saltlen", "32"));
}

static inline EVP_PKEY *generate(OSSL_LIB_CTX *libctx, const struct kind *k)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(libctx, k->type, NULL);
    EVP_PKEY *key = NULL;

    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_true(set_up(ctx, k));
    if (EVP_PKEY_generate(ctx, &key) <= 0)
        fail_msg("%s: no key", k->name);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static inline EVP_PKEY *from(OSSL_LIB_CTX *libctx, const EVP_PKEY *key,
                             int what)
{
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(libctx, EVP_PKEY_get0_type_name(key), NULL);
    OSSL_PARAM *values = NULL;
    EVP_PKEY *copy = NULL;

    assert_int_equal(EVP_PKEY_todata(key, what, &values), 1);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &copy, what, values), 1);
    OSSL_PARAM_free(values);
    EVP_PKEY_CTX_free(ctx);
    return copy;
}

/* the model's copy in the world */
static inline EVP_PKEY *here(size_t i)
{
    return from(w.libctx, model[i], EVP_PKEY_KEYPAIR);
}

static int make_models(void **state)
{
    size_t i;

    plain = OSSL_LIB_CTX_new();
    plain_default = OSSL_PROVIDER_load(plain, "default");
    for (i = 0; i < KINDS; i++)
        model[i] = generate(plain, &kinds[i]);
    return device_begin(state);
}

static int drop_models(void **state)
{
    size_t i;

    for (i = 0; i < KINDS; i++)
        EVP_PKEY_free(model[i]);
    OSSL_PROVIDER_unload(plain_default);
    OSSL_LIB_CTX_free(plain);
    return device_end(state);
}

#endif
