/* SPDX-License-Identifier: Apache-2.0 */
/* Making keys: what is wanted, where, and then the device; without a place, the
 * default provider, as for any software key. */
#include <string.h>

#include <openssl/core_names.h>

#include "provider/op_gen.h"
#include "provider/soft.h"

/* takes soft */
static int soft_begin(struct hwk_gen *gen, EVP_PKEY_CTX *soft)
{
    EVP_PKEY_CTX_free(gen->soft);
    gen->soft = soft;
    return (soft != NULL &&
            (gen->params_only ? EVP_PKEY_paramgen_init(soft)
                              : EVP_PKEY_keygen_init(soft)) > 0) ||
           hwk_raise(HWK_R_DELEGATE, "key generation does not begin");
}

static int soft_of_type(struct hwk_gen *gen)
{
    OSSL_LIB_CTX *libctx = hwk_core_soft(gen->core);
    const char *type = hwk_pub_type_name(&gen->kind);

    return libctx != NULL &&
           soft_begin(gen, EVP_PKEY_CTX_new_from_name(libctx, type, NULL));
}

struct hwk_gen *hwk_gen_new(struct hwk_core *core, const struct hwk_pub *kind,
                            int selection, const OSSL_PARAM params[])
{
    struct hwk_gen *gen = OPENSSL_zalloc(sizeof(*gen));

    if (gen == NULL) {
        hwk_raise(HWK_R_MEMORY, "key generation");
        return NULL;
    }
    gen->core = core;
    gen->kind = *kind;
    gen->spec.type = kind->type;
    gen->spec.curve = kind->curve;
    gen->spec.pss = kind->pss;
    gen->spec.bits = 2048;
    gen->spec.usage =
        kind->type == HWK_KEY_X ? HWK_USAGE_DERIVE : HWK_USAGE_SIGN;
    gen->params_only = (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0;
    if (soft_of_type(gen) && hwk_gen_set_params(gen, params))
        return gen;
    hwk_gen_free(gen);
    return NULL;
}

void hwk_gen_free(void *ctx)
{
    struct hwk_gen *gen = ctx;

    if (gen == NULL)
        return;
    if (gen->uri != NULL)
        OPENSSL_clear_free(gen->uri, strlen(gen->uri));
    OPENSSL_free(gen->file);
    hwk_gen_tpm_free(gen);
    EVP_PKEY_CTX_free(gen->soft);
    OPENSSL_free(gen);
}

int hwk_gen_template(void *ctx, void *template)
{
    struct hwk_gen *gen = ctx;
    struct hwk_key *key = template;

    if (!hwk_pub_same_type(&key->pub, &gen->kind))
        return hwk_raise(HWK_R_KEY, "a template of another type");
    gen->spec.curve = key->pub.curve;
    gen->spec.pss = key->pub.pss;
    if (gen->spec.type == HWK_KEY_EC && gen->spec.curve == NULL &&
        !hwk_gen_unfit(gen, HWK_R_PARAM, "template: not a curve of ours"))
        return 0;
    return soft_begin(gen, hwk_soft_ctx(key));
}

/* --- the making --- */

static struct hwk_key *make_on(struct hwk_gen *gen, const struct hwk_uri *uri,
                               struct hwk_device_slot *slot)
{
    struct hwk_pin_ask ask = {&gen->core->cfg, uri, NULL};
    const struct hwk_backend *t;
    struct hwk_found found;
    struct hwk_key *key;

    if (gen->spec.from != NULL && !gen->core->cfg.allow_import) {
        hwk_raise(HWK_R_PRIVATE, "import: the provider's section of "
                                 "openssl.cnf does not allow-import");
        return NULL;
    }
    t = hwk_slot_table(slot);
    memset(&found, 0, sizeof(found));
    if (t->make == NULL) {
        hwk_raise(HWK_R_UNSUPPORTED, "%s makes no keys", t->name);
        return NULL;
    }
    hwk_mark();
    if (!hwk_settle(
            t->make(hwk_slot_state(slot), uri, &gen->spec, &ask, &found)))
        return NULL;
    key = hwk_key_new(gen->core, slot, &found, true);
    if (found.ref != NULL)
        t->release(hwk_slot_state(slot), found.ref);
    return key;
}

static struct hwk_key *make(struct hwk_gen *gen, const struct hwk_uri *uri)
{
    struct hwk_device_slot *slot =
        hwk_registry_use(gen->core->registry, uri->scheme);
    struct hwk_key *key;

    if (slot == NULL)
        return NULL;
    key = make_on(gen, uri, slot);
    hwk_slot_give(slot);
    return key;
}

static struct hwk_key *make_at_uri(struct hwk_gen *gen)
{
    struct hwk_key *key = NULL;
    struct hwk_uri uri;

    if (gen->unfit != 0) {
        hwk_raise(gen->unfit, "%s", gen->unfit_text);
        return NULL;
    }
    if (gen->spec.type == HWK_KEY_EC && gen->spec.curve == NULL)
        gen->spec.curve = hwk_curve_by_bits(256);
    if (hwk_uri_parse(gen->uri != NULL ? gen->uri : "tpm2:", &uri) &&
        hwk_gen_tpm_settle(gen, &uri))
        key = make(gen, &uri);
    hwk_uri_clear(&uri);
    return key;
}

static struct hwk_key *import(struct hwk_gen *gen, struct hwk_private *priv)
{
    struct hwk_key *key;

    if (priv == NULL)
        return NULL;
    gen->spec.from = priv;
    gen->spec.curve = priv->pub.curve;
    key = make_at_uri(gen);
    gen->spec.from = NULL;
    hwk_private_free(priv);
    return key;
}

static struct hwk_key *import_file(struct hwk_gen *gen)
{
    struct hwk_pub of = {
        .type = gen->spec.type, .curve = gen->spec.curve, .pss = gen->spec.pss};
    OSSL_LIB_CTX *soft = hwk_core_soft(gen->core);

    return soft == NULL
               ? NULL
               : import(gen, hwk_private_from_file(soft, &of, gen->file));
}

/* --- in software --- */

/* the application's callback, with what the default provider tells of */
static int progress(EVP_PKEY_CTX *soft)
{
    const struct hwk_gen *gen = EVP_PKEY_CTX_get_app_data(soft);
    int potential = EVP_PKEY_CTX_get_keygen_info(soft, 0);
    int iteration = EVP_PKEY_CTX_get_keygen_info(soft, 1);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_GEN_PARAM_POTENTIAL, &potential),
        OSSL_PARAM_construct_int(OSSL_GEN_PARAM_ITERATION, &iteration),
        OSSL_PARAM_construct_end()};

    return gen->cb(params, gen->cb_arg);
}

static struct hwk_key *make_soft(struct hwk_gen *gen)
{
    EVP_PKEY *soft = NULL;

    if (gen->cb != NULL) {
        EVP_PKEY_CTX_set_app_data(gen->soft, gen);
        EVP_PKEY_CTX_set_cb(gen->soft, progress);
    }
    if (EVP_PKEY_generate(gen->soft, &soft) <= 0) {
        hwk_raise(HWK_R_DELEGATE, "no key generated");
        return NULL;
    }
    if (!gen->params_only || gen->kind.type == HWK_KEY_EC)
        return hwk_soft_wrap(gen->core, &gen->kind, soft, !gen->params_only);
    EVP_PKEY_free(soft); /* a type with one curve has no parameters */
    return hwk_key_of(gen->core, &gen->kind);
}

void *hwk_gen_run(void *ctx, OSSL_CALLBACK *cb, void *arg)
{
    struct hwk_gen *gen = ctx;

    gen->cb = cb;
    gen->cb_arg = arg;
    if (gen->params_only)
        return make_soft(gen);
    if (gen->uri != NULL || gen->spec.tpm.said != NULL)
        return gen->file != NULL ? import_file(gen) : make_at_uri(gen);
    if (gen->device_said == NULL)
        return make_soft(gen);
    hwk_raise(HWK_R_PARAM, "uri: say where the key with '%s' is to be made",
              gen->device_said);
    return NULL;
}

int hwk_gen_import(struct hwk_key *into, const OSSL_PARAM params[])
{
    struct hwk_gen *gen =
        hwk_gen_new(into->core, &into->pub, OSSL_KEYMGMT_SELECT_ALL, params);
    OSSL_LIB_CTX *soft = hwk_core_soft(into->core);
    struct hwk_key *key = NULL;

    if (gen != NULL && soft != NULL)
        key = import(gen, hwk_private_from_params(soft, &into->pub, params));
    hwk_gen_free(gen);
    if (key == NULL)
        return 0;
    hwk_key_move(into, key);
    return 1;
}
