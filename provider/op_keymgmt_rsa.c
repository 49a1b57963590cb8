/* SPDX-License-Identifier: Apache-2.0 */
/* Key managements "RSA" and "RSA-PSS". */
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "provider/op.h"

static void *rsa_new(void *core)
{
    return hwk_key_empty(core, HWK_KEY_RSA);
}

static void *pss_new(void *core)
{
    struct hwk_key *key = hwk_key_empty(core, HWK_KEY_RSA);

    if (key != NULL)
        key->pub.pss.only = true;
    return key;
}

static const char *rsa_operation(int operation)
{
    (void)operation;
    return "RSA";
}

static int rsa_get_params(void *keydata, OSSL_PARAM params[])
{
    return hwk_keymgmt_common_params(keydata, params) &&
           hwk_keymgmt_soft_params(keydata, params);
}

static const OSSL_PARAM *rsa_gettable(void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
        OSSL_PARAM_END};

    (void)core;
    return list;
}

static const OSSL_PARAM *rsa_types(int selection)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0), OSSL_PARAM_END};

    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? NULL : list;
}

static const OSSL_PARAM *pss_types(int selection)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_RSA_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_RSA_MGF1_DIGEST, NULL, 0),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_RSA_PSS_SALTLEN, NULL),
        OSSL_PARAM_END};

    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? NULL : list;
}

static void *rsa_gen_init(void *core, int selection, const OSSL_PARAM params[])
{
    static const struct hwk_pub kind = {.type = HWK_KEY_RSA};

    return hwk_gen_new(core, &kind, selection, params);
}

static void *pss_gen_init(void *core, int selection, const OSSL_PARAM params[])
{
    static const struct hwk_pub kind = {.type = HWK_KEY_RSA,
                                        .pss = {.only = true}};

    return hwk_gen_new(core, &kind, selection, params);
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_KEYMGMT_##name, (void (*)(void))(fn)                         \
    }
#define COMMON                                                                 \
    F(FREE, hwk_keymgmt_free), F(LOAD, hwk_keymgmt_load),                      \
        F(HAS, hwk_keymgmt_has), F(MATCH, hwk_keymgmt_match),                  \
        F(VALIDATE, hwk_keymgmt_validate), F(IMPORT, hwk_keymgmt_import),      \
        F(EXPORT, hwk_keymgmt_export), F(DUP, hwk_keymgmt_dup),                \
        F(GET_PARAMS, rsa_get_params), F(GETTABLE_PARAMS, rsa_gettable),       \
        F(QUERY_OPERATION_NAME, rsa_operation)

const OSSL_DISPATCH hwk_keymgmt_rsa[] = {
    F(NEW, rsa_new),
    COMMON,
    F(IMPORT_TYPES, rsa_types),
    F(EXPORT_TYPES, rsa_types),
    F(GEN_INIT, rsa_gen_init),
    HWK_GEN(F),
    {0, NULL},
};

const OSSL_DISPATCH hwk_keymgmt_rsapss[] = {
    F(NEW, pss_new),
    COMMON,
    F(IMPORT_TYPES, pss_types),
    F(EXPORT_TYPES, pss_types),
    F(GEN_INIT, pss_gen_init),
    HWK_GEN(F),
    {0, NULL},
};
