/* SPDX-License-Identifier: Apache-2.0 */
/* Key management "EC". */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "provider/op_gen.h"
#include "provider/soft.h"

static void *ec_new(void *core)
{
    return hwk_key_empty(core, HWK_KEY_EC);
}

/* Others have these names, too, and libcrypto 3.0 tries the default provider's
 * before ours. A name that nobody else has would save that, some 6000
 * instructions a signature, but not do: libcrypto would look for our key
 * management without having looked for the default provider's, and its cache
 * then gives ours to whoever makes or reads a software key. */
static const char *ec_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : "ECDH";
}

static int set_utf8(OSSL_PARAM params[], const char *name, const char *value)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

    return p == NULL || OSSL_PARAM_set_utf8_string(p, value);
}

static int set_octets(OSSL_PARAM params[], const char *name, const uint8_t *v,
                      size_t n)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

    return p == NULL || OSSL_PARAM_set_octet_string(p, v, n);
}

static int ec_get_params(void *keydata, OSSL_PARAM params[])
{
    struct hwk_key *key = keydata;
    const struct hwk_pub *pub = &key->pub;

    if (key->software)
        return hwk_soft_get_params(key, params);
    if (!hwk_keymgmt_common_params(key, params))
        return 0;
    if (pub->curve != NULL &&
        (!set_utf8(params, OSSL_PKEY_PARAM_GROUP_NAME, pub->curve->name) ||
         !set_utf8(params, OSSL_PKEY_PARAM_EC_ENCODING,
                   OSSL_PKEY_EC_ENCODING_GROUP) ||
         !set_utf8(params, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                   OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED)))
        return 0;
    if (key->has_public &&
        (!set_octets(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, pub->point,
                     pub->point_len) ||
         !set_octets(params, OSSL_PKEY_PARAM_PUB_KEY, pub->point,
                     pub->point_len)))
        return 0;
    return hwk_keymgmt_soft_params(key, params);
}

static const OSSL_PARAM *ec_gettable(void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL,
                               0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_FIELD_TYPE, NULL, 0),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, NULL),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_PRIV_KEY, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_PUB_X, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_PUB_Y, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_P, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_A, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_B, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_ORDER, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_COFACTOR, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_EC_GENERATOR, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_EC_SEED, NULL, 0),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_EC_CHAR2_M, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_CHAR2_TYPE, NULL, 0),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_EC_CHAR2_TP_BASIS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_EC_CHAR2_PP_K1, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_EC_CHAR2_PP_K2, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_EC_CHAR2_PP_K3, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_USE_COFACTOR_ECDH, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, NULL),
        OSSL_PARAM_END};

    (void)core;
    return list;
}

static const OSSL_PARAM *ec_settable(void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_USE_COFACTOR_ECDH, NULL),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL,
                               0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_EC_SEED, NULL, 0),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_GROUP_CHECK_TYPE, NULL, 0),
        OSSL_PARAM_END};

    (void)core;
    return list;
}

/* what makes a group, by its name or spelt out; as the default provider */
#define GROUP                                                                  \
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),               \
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING, NULL, 0),          \
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,     \
                               NULL, 0),                                       \
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_FIELD_TYPE, NULL, 0),        \
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_P, NULL, 0),                          \
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_A, NULL, 0),                          \
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_B, NULL, 0),                          \
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_EC_GENERATOR, NULL, 0),        \
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_ORDER, NULL, 0),                      \
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_COFACTOR, NULL, 0),                   \
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_EC_SEED, NULL, 0),             \
        OSSL_PARAM_int(OSSL_PKEY_PARAM_USE_COFACTOR_ECDH, NULL)

/* of private halves only those of software keys come or go */
static const OSSL_PARAM *ec_types(int selection)
{
    static const OSSL_PARAM list[] = {
        GROUP, OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_PRIV_KEY, NULL, 0),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, NULL),
        OSSL_PARAM_END};

    (void)selection;
    return list;
}

static const OSSL_PARAM *ec_gen_settable(void *gen, void *core)
{
    static const OSSL_PARAM list[] = {
        GROUP, HWK_GEN_SETTABLE, HWK_GEN_TPM_SETTABLE_DIGEST, OSSL_PARAM_END};

    (void)gen;
    (void)core;
    return list;
}

static void *ec_gen_init(void *core, int selection, const OSSL_PARAM params[])
{
    static const struct hwk_pub kind = {.type = HWK_KEY_EC};

    return hwk_gen_new(core, &kind, selection, params);
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_KEYMGMT_##name, (void (*)(void))(fn)                         \
    }
const OSSL_DISPATCH hwk_keymgmt_ec[] = {
    F(NEW, ec_new),
    F(FREE, hwk_keymgmt_free),
    F(LOAD, hwk_keymgmt_load),
    F(HAS, hwk_keymgmt_has),
    F(MATCH, hwk_keymgmt_match),
    F(VALIDATE, hwk_keymgmt_validate),
    F(IMPORT, hwk_keymgmt_import),
    F(IMPORT_TYPES, ec_types),
    F(EXPORT, hwk_keymgmt_export),
    F(EXPORT_TYPES, ec_types),
    F(DUP, hwk_keymgmt_dup),
    F(GET_PARAMS, ec_get_params),
    F(GETTABLE_PARAMS, ec_gettable),
    F(SET_PARAMS, hwk_keymgmt_set_params),
    F(SETTABLE_PARAMS, ec_settable),
    F(QUERY_OPERATION_NAME, ec_operation),
    F(GEN_INIT, ec_gen_init),
    HWK_GEN(F, ec_gen_settable),
    {0, NULL},
};
