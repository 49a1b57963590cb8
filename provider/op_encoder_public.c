/* SPDX-License-Identifier: Apache-2.0 */
/* Public halves and software keys written out, by the encoders of the private
 * context; and the private halves of devices, which are refused: they never
 * leave. */
#include <openssl/core_names.h>
#include <openssl/encoder.h>

#include "provider/op_encoder.h"

int hwk_encoder_soft(struct hwk_encoder *e, OSSL_CORE_BIO *out,
                     struct hwk_key *key, int selection,
                     const struct hwk_form *form)
{
    EVP_PKEY *soft = hwk_key_soft(key);
    OSSL_ENCODER_CTX *ctx = NULL;
    unsigned char *p = NULL;
    size_t n = 0;
    int ok;

    if (soft != NULL)
        ctx = OSSL_ENCODER_CTX_new_for_pkey(soft, selection, form->type,
                                            form->structure, NULL);
    ok = ctx != NULL &&
         (e->params == NULL || OSSL_ENCODER_CTX_set_params(ctx, e->params)) &&
         (form->cb == NULL ||
          OSSL_ENCODER_CTX_set_passphrase_cb(ctx, form->cb, form->arg)) &&
         OSSL_ENCODER_to_data(ctx, &p, &n) &&
         hwk_encoder_put(e->core, out, p, n);
    OSSL_ENCODER_CTX_free(ctx);
    OPENSSL_clear_free(p, n);
    return ok || hwk_raise(HWK_R_DELEGATE, "the key: no such form");
}

#define PRIVATE OSSL_KEYMGMT_SELECT_PRIVATE_KEY
#define PUBLIC OSSL_KEYMGMT_SELECT_PUBLIC_KEY

static int encode(struct hwk_encoder *e, OSSL_CORE_BIO *out,
                  const void *keydata, int selection,
                  const struct hwk_form *form)
{
    union {
        const void *c;
        struct hwk_key *p;
    } key = {keydata};

    if (key.p == NULL)
        return hwk_raise(HWK_R_ARGUMENT, "no key of ours");
    if ((selection & PRIVATE) != 0 && !key.p->software)
        return hwk_raise(HWK_R_PRIVATE,
                         "%s: a private key never leaves its "
                         "device",
                         hwk_key_name(key.p));
    return hwk_encoder_soft(e, out, key.p, selection, form);
}

/* As the default provider sees it, the first half that is asked for decides;
 * where it is at hand it writes our public halves, too (provider.c). */
bool hwk_encoder_does(const struct hwk_core *core, int selection, bool private,
                      bool public)
{
    if ((selection & PRIVATE) != 0)
        return private;
    return public && core->under == NULL &&
           (selection == 0 || (selection & PUBLIC) != 0);
}

static int public_only(void *core, int selection)
{
    return hwk_encoder_does(core, selection, false, true);
}

static int private_only(void *core, int selection)
{
    return hwk_encoder_does(core, selection, true, false);
}

static int any_half(void *core, int selection)
{
    return hwk_encoder_does(core, selection, true, true);
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_ENCODER_##name, (void (*)(void))(fn)                         \
    }
#define FORM(name, does, ...)                                                  \
    static int encode_##name(void *ctx, OSSL_CORE_BIO *out, const void *key,   \
                             const OSSL_PARAM abstract[], int selection,       \
                             OSSL_PASSPHRASE_CALLBACK *cb, void *arg)          \
    {                                                                          \
        const struct hwk_form form = {__VA_ARGS__, cb, arg};                   \
                                                                               \
        return encode(ctx, out, abstract == NULL ? key : NULL, selection,      \
                      &form);                                                  \
    }                                                                          \
    const OSSL_DISPATCH hwk_encoder_##name[] = {                               \
        HWK_ENCODER(F),                                                        \
        F(DOES_SELECTION, does),                                               \
        F(ENCODE, encode_##name),                                              \
        {0, NULL},                                                             \
    }

FORM(spki_der, public_only, "DER", "SubjectPublicKeyInfo");
FORM(spki_pem, public_only, "PEM", "SubjectPublicKeyInfo");
FORM(encrypted_der, private_only, "DER", "EncryptedPrivateKeyInfo");
FORM(encrypted_pem, private_only, "PEM", "EncryptedPrivateKeyInfo");
FORM(type_der, any_half, "DER", "type-specific");
FORM(type_pem, any_half, "PEM", "type-specific");
FORM(pkcs1_der, any_half, "DER", "pkcs1");
FORM(pkcs1_pem, any_half, "PEM", "pkcs1");
FORM(blob, public_only, "blob", NULL);
