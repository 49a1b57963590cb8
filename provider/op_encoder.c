/* SPDX-License-Identifier: Apache-2.0 */
/* A private key written to a file: the file that stands for it. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "provider/op.h"

#define LINE 48 /* bytes in 64 characters */

static void *encoder_new(void *core)
{
    return core;
}

static void encoder_free(void *core)
{
    (void)core;
}

static int does_selection(void *core, int selection)
{
    (void)core;
    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
}

static int put(struct hwk_core *core, OSSL_CORE_BIO *out, const char *text)
{
    size_t n;

    return core->bio_write_ex(out, text, strlen(text), &n) && n == strlen(text);
}

static int put_pem(struct hwk_core *core, OSSL_CORE_BIO *out,
                   const uint8_t *der, size_t n)
{
    char line[LINE / 3 * 4 + 2];
    size_t at;

    if (!put(core, out, "-----BEGIN HWKEY URI-----\n"))
        return 0;
    for (at = 0; at < n; at += LINE) {
        int len = EVP_EncodeBlock((unsigned char *)line, der + at,
                                  n - at > LINE ? LINE : (int)(n - at));

        line[len] = '\n';
        line[len + 1] = 0;
        if (!put(core, out, line))
            return 0;
    }
    return put(core, out, "-----END HWKEY URI-----\n");
}

static int encode(void *ctx, OSSL_CORE_BIO *out, const void *keydata,
                  const OSSL_PARAM abstract[], int selection,
                  OSSL_PASSPHRASE_CALLBACK *cb, void *arg)
{
    const struct hwk_key *key = keydata;
    uint8_t der[HWK_WRAPPER_MAX];
    size_t n = sizeof(der);

    (void)selection;
    (void)cb;
    (void)arg;
    if (key == NULL || abstract != NULL || !key->has_private ||
        key->uri == NULL)
        return hwk_raise(HWK_R_KEY, "no file can stand for that key");
    return hwk_wrapper_build(key->uri, der, &n) && put_pem(ctx, out, der, n);
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_ENCODER_##name, (void (*)(void))(fn)                         \
    }
const OSSL_DISPATCH hwk_encoder[] = {
    F(NEWCTX, encoder_new),
    F(FREECTX, encoder_free),
    F(DOES_SELECTION, does_selection),
    F(ENCODE, encode),
    {0, NULL},
};
