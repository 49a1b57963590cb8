/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of what is in a token share: the tests' own module with two
 * tokens, of which each case finds the first one empty. */
#ifndef RAW_USE_H
#define RAW_USE_H

#include <string.h>

#include <openssl/params.h>

#include "tests/lib/rawtoken.h"

#define TOKEN "pkcs11:token=one"
#define PIN "?pin-value=" RAW_PIN
#define MAY_STAY __attribute__((unused))

static struct world w;

static bool begin_with(const char *const slots[])
{
    return raw_begin(slots) && world_open(&w, "dh");
}

MAY_STAY static int begin(void **state)
{
    static const char *const slots[] = {
        "slot 1 label=one serial=0001 pin=" RAW_PIN,
        "slot 2 label=two serial=0002 pin=" RAW_PIN, NULL};

    (void)state;
    return begin_with(slots) ? 0 : -1;
}

MAY_STAY static int end(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

/* a provider that may have logged in before */
MAY_STAY static int each(void **state)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);

    (void)state;
    TELL("forget");
    raw_wipe(s);
    raw_close(s);
    ERR_clear_error();
    return 0;
}

/* and one that has not */
MAY_STAY static int each_anew(void **state)
{
    CK_SESSION_HANDLE s;

    (void)state;
    world_close(&w);
    s = raw_enter(1, RAW_PIN);
    raw_wipe(s);
    raw_leave(s);
    ERR_clear_error();
    prompts = 0;
    return world_open(&w, "dh") ? 0 : -1;
}

/* The values of key and more, as a program would give them to fromdata; uri and
 * usage NULL: without. */
MAY_STAY static EVP_PKEY *fromdata(const EVP_PKEY *key, const char *uri,
                                   const char *usage)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(
        w.libctx, EVP_PKEY_get0_type_name(key), "provider=hwkey");
    OSSL_PARAM *values = NULL, *all, more[3], *p = more;
    EVP_PKEY *out = NULL;

    if (uri != NULL)
        *p++ =
            OSSL_PARAM_construct_utf8_string("uri", (char *)(uintptr_t)uri, 0);
    if (usage != NULL)
        *p++ = OSSL_PARAM_construct_utf8_string("usage",
                                                (char *)(uintptr_t)usage, 0);
    *p = OSSL_PARAM_construct_end();
    assert_true(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &values));
    all = OSSL_PARAM_merge(values, more);
    if (EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &out, EVP_PKEY_KEYPAIR, all) <= 0)
        out = NULL;
    OSSL_PARAM_free(values);
    OPENSSL_free(all);
    EVP_PKEY_CTX_free(ctx);
    return out;
}

#endif
