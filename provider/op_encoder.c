/* SPDX-License-Identifier: Apache-2.0 */
/* A private key written to a file: the file that stands for it, or a software
 * key as the default provider writes it. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "provider/op_encoder.h"

#define LINE 48 /* bytes in 64 characters */

void *hwk_encoder_new(void *core)
{
    struct hwk_encoder *e = OPENSSL_zalloc(sizeof(*e));

    if (e == NULL)
        hwk_raise(HWK_R_MEMORY, "encoder");
    else
        e->core = core;
    return e;
}

void hwk_encoder_free(void *ctx)
{
    struct hwk_encoder *e = ctx;

    if (e == NULL)
        return;
    OSSL_PARAM_free(e->params);
    OPENSSL_free(e);
}

/* a property query for the cipher is the application's, not one of the private
 * context */
const OSSL_PARAM *hwk_encoder_settable(void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_utf8_string(OSSL_ENCODER_PARAM_CIPHER, NULL, 0),
        OSSL_PARAM_int(OSSL_ENCODER_PARAM_SAVE_PARAMETERS, NULL),
        OSSL_PARAM_END};

    (void)core;
    return list;
}

int hwk_encoder_set_params(void *ctx, const OSSL_PARAM params[])
{
    const OSSL_PARAM *known = hwk_encoder_settable(NULL), *p;
    struct hwk_encoder *e = ctx;
    OSSL_PARAM some[3], *all, *copy;
    size_t n = 0;

    for (; known->key != NULL; known++)
        if ((p = OSSL_PARAM_locate_const(params, known->key)) != NULL)
            some[n++] = *p;
    if (n == 0)
        return 1;
    some[n] = OSSL_PARAM_construct_end();
    all = OSSL_PARAM_merge(e->params, some);
    copy = all != NULL ? OSSL_PARAM_dup(all) : NULL;
    OSSL_PARAM_free(all);
    if (copy == NULL)
        return hwk_raise(HWK_R_MEMORY, "encoder");
    OSSL_PARAM_free(e->params);
    e->params = copy;
    return 1;
}

/* Without the default provider nobody else writes software keys. */
static int does_selection(void *ctx, int selection)
{
    const struct hwk_core *core = ctx;

    return (core->cfg.wrapper_files || core->under == NULL) &&
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
    union {
        const void *c;
        struct hwk_key *p;
    } key = {keydata};
    const struct hwk_form form = {"PEM", "PrivateKeyInfo", cb, arg};
    struct hwk_encoder *e = ctx;
    uint8_t der[HWK_WRAPPER_MAX];
    size_t n = sizeof(der);

    if (key.p == NULL || abstract != NULL || !key.p->has_private)
        return hwk_raise(HWK_R_KEY, "no file can stand for that key");
    if (key.p->software)
        return hwk_encoder_soft(e, out, key.p, selection, &form);
    if (!e->core->cfg.wrapper_files)
        return hwk_raise(HWK_R_PRIVATE, "%s: wrapper-files is off", key.p->uri);
    return hwk_wrapper_build(key.p->uri, der, &n) &&
           put_pem(e->core, out, der, n);
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_ENCODER_##name, (void (*)(void))(fn)                         \
    }
const OSSL_DISPATCH hwk_encoder[] = {
    HWK_ENCODER(F),
    F(DOES_SELECTION, does_selection),
    F(ENCODE, encode),
    {0, NULL},
};
