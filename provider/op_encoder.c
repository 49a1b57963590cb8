/* SPDX-License-Identifier: Apache-2.0 */
/* A private key written to a file: the file that stands for it, or a software
 * key as the default provider writes it. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "provider/keyfile.h"
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

static int put_line(struct hwk_core *core, OSSL_CORE_BIO *out, const char *what,
                    const char *label)
{
    return hwk_encoder_text(core, out, "-----") &&
           hwk_encoder_text(core, out, what) &&
           hwk_encoder_text(core, out, label) &&
           hwk_encoder_text(core, out, "-----\n");
}

static int put_pem(struct hwk_core *core, OSSL_CORE_BIO *out,
                   const struct hwk_keyfile *file)
{
    const char *label = hwk_keyfile_label(file->kind);
    char line[LINE / 3 * 4 + 2];
    size_t at;

    if (!put_line(core, out, "BEGIN ", label))
        return 0;
    for (at = 0; at < file->n; at += LINE) {
        size_t left = file->n - at;
        int len = EVP_EncodeBlock((unsigned char *)line, file->der + at,
                                  left > LINE ? LINE : (int)left);

        line[len] = '\n';
        line[len + 1] = 0;
        if (!hwk_encoder_text(core, out, line))
            return 0;
    }
    return put_line(core, out, "END ", label);
}

/* the file of a URI, which finds the key on its device */
static int wrap(struct hwk_key *key, struct hwk_keyfile *file)
{
    file->kind = HWK_FILE_URI;
    file->n = HWK_WRAPPER_MAX;
    file->der = OPENSSL_malloc(file->n);
    if (file->der == NULL)
        return hwk_raise(HWK_R_MEMORY, "encoder");
    if (hwk_wrapper_build(key->uri, file->der, &file->n))
        return 1;
    OPENSSL_free(file->der);
    return 0;
}

/* A key that is in a file of its own is written as that again, also in DER; a
 * URI in PEM only. */
static int put_file(struct hwk_core *core, OSSL_CORE_BIO *out,
                    struct hwk_key *key, bool pem)
{
    struct hwk_keyfile file = {.kind = HWK_FILE_TSS2};
    int ok;

    if (!core->cfg.wrapper_files)
        return hwk_raise(HWK_R_PRIVATE, "%s: wrapper-files is off",
                         hwk_key_name(key));
    if (!hwk_key_blob(key, &file.der, &file.n))
        return 0;
    if (file.der == NULL && !pem)
        return hwk_raise(HWK_R_PRIVATE,
                         "%s: a private key never leaves its device",
                         hwk_key_name(key));
    if (file.der == NULL && !wrap(key, &file))
        return 0;
    ok = pem ? put_pem(core, out, &file)
             : hwk_encoder_put(core, out, file.der, file.n);
    OPENSSL_free(file.der);
    return ok;
}

static int encode(struct hwk_encoder *e, OSSL_CORE_BIO *out,
                  struct hwk_key *key, int selection,
                  const struct hwk_form *form, bool pem)
{
    if (key == NULL || !key->has_private)
        return hwk_raise(HWK_R_KEY, "no file can stand for that key");
    return key->software ? hwk_encoder_soft(e, out, key, selection, form)
                         : put_file(e->core, out, key, pem);
}

#define FORM(name, text, pem)                                                  \
    static int encode_##name(void *ctx, OSSL_CORE_BIO *out,                    \
                             const void *keydata, const OSSL_PARAM abstract[], \
                             int selection, OSSL_PASSPHRASE_CALLBACK *cb,      \
                             void *arg)                                        \
    {                                                                          \
        union {                                                                \
            const void *c;                                                     \
            struct hwk_key *p;                                                 \
        } key = {abstract == NULL ? keydata : NULL};                           \
        const struct hwk_form form = {text, "PrivateKeyInfo", cb, arg};        \
                                                                               \
        return encode(ctx, out, key.p, selection, &form, pem);                 \
    }
FORM(pem, "PEM", true)
FORM(der, "DER", false)

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_ENCODER_##name, (void (*)(void))(fn)                         \
    }
const OSSL_DISPATCH hwk_encoder[] = {
    HWK_ENCODER(F),
    F(DOES_SELECTION, does_selection),
    F(ENCODE, encode_pem),
    {0, NULL},
};

const OSSL_DISPATCH hwk_encoder_der[] = {
    HWK_ENCODER(F),
    F(DOES_SELECTION, does_selection),
    F(ENCODE, encode_der),
    {0, NULL},
};
