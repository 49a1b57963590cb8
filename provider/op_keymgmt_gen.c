/* SPDX-License-Identifier: Apache-2.0 */
/* Making keys on a device: what is wanted, where, and then the device. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "provider/op.h"

struct hwk_gen {
    struct hwk_core *core;
    struct hwk_spec spec;
    char *uri; /* may hold a PIN: wiped */
    bool params_only;
};

struct hwk_gen *hwk_gen_new(struct hwk_core *core, enum hwk_key_type type,
                            int selection)
{
    struct hwk_gen *gen = OPENSSL_zalloc(sizeof(*gen));

    if (gen == NULL) {
        hwk_raise(HWK_R_MEMORY, "key generation");
        return NULL;
    }
    gen->core = core;
    gen->spec.type = type;
    gen->spec.bits = 2048;
    gen->spec.usage = HWK_USAGE_SIGN;
    gen->params_only = (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0;
    return gen;
}

static void wipe_uri(struct hwk_gen *gen)
{
    if (gen->uri != NULL)
        OPENSSL_clear_free(gen->uri, strlen(gen->uri));
    gen->uri = NULL;
}

void hwk_gen_free(void *ctx)
{
    struct hwk_gen *gen = ctx;

    if (gen == NULL)
        return;
    wipe_uri(gen);
    OPENSSL_free(gen);
}

int hwk_gen_template(void *ctx, void *template)
{
    struct hwk_gen *gen = ctx;
    const struct hwk_key *key = template;

    if (key->pub.type != gen->spec.type)
        return 0;
    gen->spec.curve = key->pub.curve;
    return 1;
}

/* --- parameters --- */

static int set_group(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    const struct hwk_curve *curve;

    if (p->data_type != OSSL_PARAM_UTF8_STRING ||
        (curve = hwk_curve_by_name(p->data)) == NULL ||
        curve->type != gen->spec.type)
        return hwk_raise(HWK_R_PARAM, "group: not a curve of ours");
    gen->spec.curve = curve;
    return 1;
}

static int set_bits(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    size_t bits;

    if (!OSSL_PARAM_get_size_t(p, &bits) || bits < 1024 ||
        bits > 8 * HWK_RSA_MAX)
        return hwk_raise(HWK_R_PARAM, "bits: not between 1024 and %d",
                         8 * HWK_RSA_MAX);
    gen->spec.bits = (unsigned)bits;
    return 1;
}

static int set_exponent(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    uint64_t e;

    (void)gen;
    if (!OSSL_PARAM_get_uint64(p, &e) || e != 65537)
        return hwk_raise(HWK_R_PARAM, "e: only 65537");
    return 1;
}

static int set_uri(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    wipe_uri(gen);
    return OSSL_PARAM_get_utf8_string(p, &gen->uri, HWK_URI_MAX) ||
           hwk_raise(HWK_R_PARAM, "uri: not a string of a URI's length");
}

static int set_usage(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    static const char *const names[] = {"", "sign", "decrypt", "idevid"};
    int i;

    for (i = 1; i <= HWK_USAGE_IDEVID; i++) {
        if (p->data_type == OSSL_PARAM_UTF8_STRING &&
            strcmp(p->data, names[i]) == 0) {
            gen->spec.usage = (enum hwk_usage)i;
            return 1;
        }
    }
    return hwk_raise(HWK_R_PARAM, "usage: none of sign, decrypt, idevid");
}

int hwk_gen_set_params(void *ctx, const OSSL_PARAM params[])
{
    static const struct {
        const char *name;
        int (*set)(struct hwk_gen *gen, const OSSL_PARAM *p);
    } known[] = {
        {OSSL_PKEY_PARAM_GROUP_NAME, set_group},
        {OSSL_PKEY_PARAM_RSA_BITS, set_bits},
        {OSSL_PKEY_PARAM_RSA_E, set_exponent},
        {HWK_PARAM_KEY_URI, set_uri},
        {HWK_PARAM_KEY_USAGE, set_usage},
    };
    size_t i;

    for (i = 0; params != NULL && i < sizeof(known) / sizeof(known[0]); i++) {
        const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, known[i].name);

        if (p != NULL && !known[i].set(ctx, p))
            return 0;
    }
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

    if (key != NULL)
        key->pub.curve = gen->spec.curve;
    return key;
}

void *hwk_gen_run(void *ctx, OSSL_CALLBACK *cb, void *arg)
{
    struct hwk_gen *gen = ctx;
    struct hwk_key *key = NULL;
    struct hwk_uri uri;

    (void)cb;
    (void)arg;
    if (gen->spec.type == HWK_KEY_EC && gen->spec.curve == NULL)
        gen->spec.curve = hwk_curve_by_bits(256);
    if (gen->params_only)
        return only_params(gen);
    if (gen->uri == NULL) {
        hwk_raise(HWK_R_PARAM, "uri: say where the key is to be made");
        return NULL;
    }
    if (hwk_uri_parse(gen->uri, &uri))
        key = make(gen, &uri);
    hwk_uri_clear(&uri);
    return key;
}
