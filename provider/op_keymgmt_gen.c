/* SPDX-License-Identifier: Apache-2.0 */
/* Making keys on a device: what is wanted, where, and then the device. */
#include <string.h>

#include "provider/op_gen.h"

struct hwk_gen *hwk_gen_new(struct hwk_core *core, const struct hwk_pub *kind,
                            int selection, const OSSL_PARAM params[])
{
    struct hwk_gen *gen = OPENSSL_zalloc(sizeof(*gen));

    if (gen == NULL) {
        hwk_raise(HWK_R_MEMORY, "key generation");
        return NULL;
    }
    gen->core = core;
    gen->spec.type = kind->type;
    gen->spec.curve = kind->curve;
    gen->spec.pss = kind->pss;
    gen->spec.bits = 2048;
    gen->spec.usage =
        kind->type == HWK_KEY_X ? HWK_USAGE_DERIVE : HWK_USAGE_SIGN;
    gen->params_only = (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0;
    if (hwk_gen_set_params(gen, params))
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
    OPENSSL_free(gen);
}

int hwk_gen_template(void *ctx, void *template)
{
    struct hwk_gen *gen = ctx;
    const struct hwk_key *key = template;

    if (key->pub.type != gen->spec.type)
        return 0;
    gen->spec.curve = key->pub.curve;
    gen->spec.pss = key->pub.pss;
    return 1;
}

/* --- the making --- */

static struct hwk_key *make(struct hwk_gen *gen, const struct hwk_uri *uri)
{
    struct hwk_device_slot *slot =
        hwk_registry_use(gen->core->registry, uri->scheme);
    struct hwk_pin_ask ask = {&gen->core->cfg, uri, NULL};
    const struct hwk_backend *t;
    struct hwk_found found;
    struct hwk_key *key;

    if (slot == NULL)
        return NULL;
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

static struct hwk_key *only_params(struct hwk_gen *gen)
{
    struct hwk_key *key = hwk_key_empty(gen->core, gen->spec.type);

    if (key != NULL) {
        key->pub.curve = gen->spec.curve;
        key->pub.pss = gen->spec.pss;
    }
    return key;
}

static struct hwk_key *make_at_uri(struct hwk_gen *gen)
{
    struct hwk_key *key = NULL;
    struct hwk_uri uri;

    if (gen->uri == NULL) {
        hwk_raise(HWK_R_PARAM, "uri: say where the key is to be made");
        return NULL;
    }
    if (hwk_uri_parse(gen->uri, &uri))
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

void *hwk_gen_run(void *ctx, OSSL_CALLBACK *cb, void *arg)
{
    struct hwk_gen *gen = ctx;

    (void)cb;
    (void)arg;
    if (gen->file != NULL && !gen->params_only)
        return import_file(gen);
    if (gen->spec.type == HWK_KEY_EC && gen->spec.curve == NULL)
        gen->spec.curve = hwk_curve_by_bits(256);
    return gen->params_only ? only_params(gen) : make_at_uri(gen);
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
