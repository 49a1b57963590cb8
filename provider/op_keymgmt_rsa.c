/* SPDX-License-Identifier: Apache-2.0 */
/* Key managements "RSA" and "RSA-PSS". */
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "provider/op_gen.h"
#include "provider/soft.h"

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
    const struct hwk_key *key = keydata;

    if (key->software)
        return hwk_soft_get_params(keydata, params);
    return hwk_keymgmt_common_params(keydata, params) &&
           hwk_keymgmt_soft_params(keydata, params);
}

#define BN(name) OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_##name, NULL, 0)
#define FACTORS(i) BN(FACTOR##i), BN(EXPONENT##i)
/* of private halves only those of software keys come or go */
#define VALUES                                                                 \
    BN(N), BN(E), BN(D), FACTORS(1), FACTORS(2), FACTORS(3), FACTORS(4),       \
        FACTORS(5), FACTORS(6), FACTORS(7), FACTORS(8), FACTORS(9),            \
        FACTORS(10), BN(COEFFICIENT1), BN(COEFFICIENT2), BN(COEFFICIENT3),     \
        BN(COEFFICIENT4), BN(COEFFICIENT5), BN(COEFFICIENT6),                  \
        BN(COEFFICIENT7), BN(COEFFICIENT8), BN(COEFFICIENT9)
#define PSS                                                                    \
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_RSA_DIGEST, NULL, 0),               \
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_RSA_MGF1_DIGEST, NULL, 0),      \
        OSSL_PARAM_int(OSSL_PKEY_PARAM_RSA_PSS_SALTLEN, NULL)

static const OSSL_PARAM *rsa_gettable(void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        VALUES,
        OSSL_PARAM_END};

    (void)core;
    return list;
}

static const OSSL_PARAM *rsa_types(int selection)
{
    static const OSSL_PARAM list[] = {VALUES, OSSL_PARAM_END};

    (void)selection;
    return list;
}

static const OSSL_PARAM *pss_types(int selection)
{
    static const OSSL_PARAM list[] = {VALUES, PSS, OSSL_PARAM_END};

    (void)selection;
    return list;
}

#define RSA_GEN                                                                \
    OSSL_PARAM_size_t(OSSL_PKEY_PARAM_RSA_BITS, NULL),                         \
        OSSL_PARAM_size_t(OSSL_PKEY_PARAM_RSA_PRIMES, NULL), BN(E),            \
        HWK_GEN_SETTABLE

static const OSSL_PARAM *rsa_gen_settable(void *gen, void *core)
{
    static const OSSL_PARAM list[] = {RSA_GEN, HWK_GEN_TPM_SETTABLE_DIGEST,
                                      OSSL_PARAM_END};

    (void)gen;
    (void)core;
    return list;
}

static const OSSL_PARAM *pss_gen_settable(void *gen, void *core)
{
    static const OSSL_PARAM list[] = {RSA_GEN, PSS, HWK_GEN_TPM_SETTABLE,
                                      OSSL_PARAM_END};

    (void)gen;
    (void)core;
    return list;
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
    HWK_GEN(F, rsa_gen_settable),
    {0, NULL},
};

const OSSL_DISPATCH hwk_keymgmt_rsapss[] = {
    F(NEW, pss_new),
    COMMON,
    F(IMPORT_TYPES, pss_types),
    F(EXPORT_TYPES, pss_types),
    F(GEN_INIT, pss_gen_init),
    HWK_GEN(F, pss_gen_settable),
    {0, NULL},
};
