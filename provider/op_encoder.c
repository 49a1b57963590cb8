/* SPDX-License-Identifier: Apache-2.0 */
/* A private key written to a file: the file that stands for it. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "provider/op_encoder.h"

#define LINE 48 /* bytes in 64 characters */

void *hwk_encoder_new(void *core)
{
    return core;
}

void hwk_encoder_free(void *core)
{
    (void)core;
}

static int does_selection(void *core, int selection)
{
    return ((struct hwk_core *)core)->cfg.wrapper_files &&
           (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
}

int hwk_encoder_put(struct hwk_core *core, OSSL_CORE_BIO *out, const void *p,
                    size_t n)
{
    size_t done;

    return core->bio_write_ex(out, p, n, &done) && done == n;
}

int hwk_encoder_text(struct hwk_core *core, OSSL_CORE_BIO *out,
                     const char *text)
{
    return hwk_encoder_put(core, out, text, strlen(text));
}

static int put_pem(struct hwk_core *core, OSSL_CORE_BIO *out,
                   const uint8_t *der, size_t n)
{
    char line[LINE / 3 * 4 + 2];
    size_t at;

    if (!hwk_encoder_text(core, out, "-----BEGIN HWKEY URI-----\n"))
        return 0;
    for (at = 0; at < n; at += LINE) {
        int len = EVP_EncodeBlock((unsigned char *)line, der + at,
                                  n - at > LINE ? LINE : (int)(n - at));

        line[len] = '\n';
        line[len + 1] = 0;
        if (!hwk_encoder_text(core, out, line))
            return 0;
    }
    return hwk_encoder_text(core, out, "-----END HWKEY URI-----\n");
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
    F(NEWCTX, hwk_encoder_new),
    F(FREECTX, hwk_encoder_free),
    F(DOES_SELECTION, does_selection),
    F(ENCODE, encode),
    {0, NULL},
};
