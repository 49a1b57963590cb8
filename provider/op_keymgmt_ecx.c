/* SPDX-License-Identifier: Apache-2.0 */
/* Key managements "ED25519", "ED448", "X25519" and "X448": one curve each. */
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "provider/op_gen.h"
#include "provider/soft.h"

static void *of_curve(void *core, const char *name)
{
    const struct hwk_curve *curve = hwk_curve_by_name(name);
    struct hwk_key *key = hwk_key_empty(core, curve->type);

    if (key != NULL)
        key->pub.curve = curve;
    return key;
}

static void *ed25519_new(void *core)
{
    return of_curve(core, "ED25519");
}

static void *ed448_new(void *core)
{
    return of_curve(core, "ED448");
}

static void *x25519_new(void *core)
{
    return of_curve(core, "X25519");
}

static void *x448_new(void *core)
{
    return of_curve(core, "X448");
}

static void *gen_of_curve(void *core, const char *name, int selection,
                          const OSSL_PARAM params[])
{
    const struct hwk_curve *curve = hwk_curve_by_name(name);
    struct hwk_pub kind = {.type = curve->type, .curve = curve};

    return hwk_gen_new(core, &kind, selection, params);
}

static void *ed25519_gen(void *core, int selection, const OSSL_PARAM params[])
{
    return gen_of_curve(core, "ED25519", selection, params);
}

static void *ed448_gen(void *core, int selection, const OSSL_PARAM params[])
{
    return gen_of_curve(core, "ED448", selection, params);
}

static void *x25519_gen(void *core, int selection, const OSSL_PARAM params[])
{
    return gen_of_curve(core, "X25519", selection, params);
}

static void *x448_gen(void *core, int selection, const OSSL_PARAM params[])
{
    return gen_of_curve(core, "X448", selection, params);
}

static int set_octets(OSSL_PARAM params[], const char *name,
                      const struct hwk_pub *pub)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

    return p == NULL ||
           OSSL_PARAM_set_octet_string(p, pub->point, pub->point_len);
}

static int ecx_get_params(void *keydata, OSSL_PARAM params[])
{
    struct hwk_key *key = keydata;

    if (key->software)
        return hwk_soft_get_params(key, params);
    if (!hwk_keymgmt_common_params(key, params))
        return 0;
    if (key->has_public &&
        (!set_octets(params, OSSL_PKEY_PARAM_PUB_KEY, &key->pub) ||
         (key->pub.type == HWK_KEY_X &&
          !set_octets(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, &key->pub))))
        return 0;
    return hwk_keymgmt_soft_params(key, params);
}

/* of private halves only those of software keys come or go */
#define HALVES                                                                 \
    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),                 \
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, NULL, 0)
#define COMMON                                                                 \
    OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),                                \
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),                   \
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL), HALVES

static const OSSL_PARAM *ed_gettable(void *core)
{
    static const OSSL_PARAM list[] = {
        COMMON,
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        OSSL_PARAM_END};

    (void)core;
    return list;
}

static const OSSL_PARAM *x_gettable(void *core)
{
    static const OSSL_PARAM list[] = {
        COMMON,
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_END};

    (void)core;
    return list;
}

static const OSSL_PARAM *x_settable(void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_PROPERTIES, NULL, 0),
        OSSL_PARAM_END};

    (void)core;
    return list;
}

static const OSSL_PARAM *ecx_types(int selection)
{
    static const OSSL_PARAM list[] = {HALVES, OSSL_PARAM_END};

    (void)selection;
    return list;
}

static const OSSL_PARAM *ecx_gen_settable(void *gen, void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        HWK_GEN_SETTABLE, OSSL_PARAM_END};

    (void)gen;
    (void)core;
    return list;
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_KEYMGMT_##name, (void (*)(void))(fn)                         \
    }
#define TABLE(name, new, gen, gettable, ...)                                   \
    const OSSL_DISPATCH name[] = {F(NEW, new),                                 \
                                  F(FREE, hwk_keymgmt_free),                   \
                                  F(LOAD, hwk_keymgmt_load),                   \
                                  F(HAS, hwk_keymgmt_has),                     \
                                  F(MATCH, hwk_keymgmt_match),                 \
                                  F(VALIDATE, hwk_keymgmt_validate),           \
                                  F(IMPORT, hwk_keymgmt_import),               \
                                  F(IMPORT_TYPES, ecx_types),                  \
                                  F(EXPORT, hwk_keymgmt_export),               \
                                  F(EXPORT_TYPES, ecx_types),                  \
                                  F(DUP, hwk_keymgmt_dup),                     \
                                  F(GET_PARAMS, ecx_get_params),               \
                                  F(GETTABLE_PARAMS, gettable),                \
                                  F(GEN_INIT, gen),                            \
                                  HWK_GEN(F, ecx_gen_settable),                \
                                  __VA_ARGS__{0, NULL}}
#define SETS                                                                   \
    F(SET_PARAMS, hwk_keymgmt_set_params), F(SETTABLE_PARAMS, x_settable),

TABLE(hwk_keymgmt_ed25519, ed25519_new, ed25519_gen, ed_gettable);
TABLE(hwk_keymgmt_ed448, ed448_new, ed448_gen, ed_gettable);
TABLE(hwk_keymgmt_x25519, x25519_new, x25519_gen, x_gettable, SETS);
TABLE(hwk_keymgmt_x448, x448_new, x448_gen, x_gettable, SETS);
