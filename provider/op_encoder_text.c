/* SPDX-License-Identifier: Apache-2.0 */
/* Keys as text, for people: where a private half is, and the public one. */
#include <openssl/core_names.h>

#include "provider/op_encoder.h"

#define LINE 256

static int line(struct hwk_core *core, OSSL_CORE_BIO *out, const char *name,
                const char *value)
{
    return hwk_encoder_text(core, out, name) &&
           hwk_encoder_text(core, out, ": ") &&
           hwk_encoder_text(core, out, value) &&
           hwk_encoder_text(core, out, "\n");
}

static const char *uses(const struct hwk_key *key)
{
    bool sign =
        (key->flags & HWK_FOUND_NO_SIGN) == 0 && key->pub.type != HWK_KEY_X;
    bool other = (key->flags & HWK_FOUND_DECRYPT) != 0;
    bool rsa = key->pub.type == HWK_KEY_RSA;

    if (sign && other)
        return rsa ? "sign, decrypt" : "sign, agree on keys";
    if (sign)
        return "sign";
    return rsa ? "decrypt" : "agree on keys";
}

static int put_private(struct hwk_core *core, OSSL_CORE_BIO *out,
                       const struct hwk_key *key)
{
    char what[64], text[LINE];

    hwk_pub_describe(&key->pub, what, sizeof(what));
    snprintf(text, sizeof(text), "%s in a device (%s)", what,
             hwk_slot_table(key->slot)->name);
    return line(core, out, "Private-Key", text) &&
           (*key->uri == 0 || line(core, out, "URI", key->uri)) &&
           line(core, out, "Use", uses(key)) &&
           (key->md == HWK_MD_NONE ||
            line(core, out, "Digest", hwk_md_name(key->md)));
}

static int encode(void *ctx, OSSL_CORE_BIO *out, const void *keydata,
                  const OSSL_PARAM abstract[], int selection,
                  OSSL_PASSPHRASE_CALLBACK *cb, void *arg)
{
    union {
        const void *c;
        struct hwk_key *p;
    } key = {keydata};
    const struct hwk_form form = {"TEXT", NULL, cb, arg};
    bool private = (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
    struct hwk_encoder *e = ctx;

    if (key.p == NULL || abstract != NULL)
        return hwk_raise(HWK_R_ARGUMENT, "no key of ours");
    if (private && !key.p->has_private)
        return hwk_raise(HWK_R_KEY, "there is no private key");
    if (key.p->software)
        return hwk_encoder_soft(e, out, key.p, selection, &form);
    if (private && !put_private(e->core, out, key.p))
        return 0;
    selection &= ~OSSL_KEYMGMT_SELECT_PRIVATE_KEY;
    if (private)
        selection |= OSSL_KEYMGMT_SELECT_PUBLIC_KEY;
    return hwk_encoder_soft(e, out, key.p, selection, &form);
}

static int does_selection(void *core, int selection)
{
    return hwk_encoder_does(core, selection, true, true);
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_ENCODER_##name, (void (*)(void))(fn)                         \
    }
const OSSL_DISPATCH hwk_encoder_as_text[] = {
    HWK_ENCODER(F),
    F(DOES_SELECTION, does_selection),
    F(ENCODE, encode),
    {0, NULL},
};
