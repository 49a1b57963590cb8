/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's door: what it is called and which operations it has. */
#include "config.h"

#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/store.h>

#include "provider/op.h"

#define PROPS "provider=hwkey"
#define ROW(name, props, table)                                                \
    {                                                                          \
        name, PROPS props, table, "hwkey " name                                \
    }
#define END                                                                    \
    {                                                                          \
        NULL, NULL, NULL, NULL                                                 \
    }

#define EC "EC:id-ecPublicKey:1.2.840.10045.2.1"
#define RSA "RSA:rsaEncryption:1.2.840.113549.1.1.1"
#define RSA_PSS "RSA-PSS:RSASSA-PSS:1.2.840.113549.1.1.10"
#define ED25519 "ED25519:1.3.101.112"
#define ED448 "ED448:1.3.101.113"
#define X25519 "X25519:1.3.101.110"
#define X448 "X448:1.3.101.111"

static const OSSL_ALGORITHM keymgmts[] = {
    ROW(EC, "", hwk_keymgmt_ec),          ROW(RSA, "", hwk_keymgmt_rsa),
    ROW(RSA_PSS, "", hwk_keymgmt_rsapss), ROW(ED25519, "", hwk_keymgmt_ed25519),
    ROW(ED448, "", hwk_keymgmt_ed448),    ROW(X25519, "", hwk_keymgmt_x25519),
    ROW(X448, "", hwk_keymgmt_x448),      END,
};

static const OSSL_ALGORITHM signatures[] = {
    ROW("ECDSA", "", hwk_signature_ec),
    ROW(RSA, "", hwk_signature_rsa),
    ROW(ED25519, "", hwk_signature_ed25519),
    ROW(ED448, "", hwk_signature_ed448),
    END,
};

static const OSSL_ALGORITHM asymciphers[] = {
    ROW("RSA:rsaEncryption:1.2.840.113549.1.1.1", "", hwk_asymcipher_rsa),
    END,
};

static const OSSL_ALGORITHM keyexchs[] = {
    ROW("ECDH", "", hwk_keyexch_ec),
    ROW("X25519:1.3.101.110", "", hwk_keyexch_x),
    ROW("X448:1.3.101.111", "", hwk_keyexch_x),
    END,
};

/* a name that nobody asks for by accident */
static const OSSL_ALGORITHM rands[] = {
    ROW("HWKEY-RAND", "", hwk_rand),
    END,
};

static const OSSL_ALGORITHM stores[] = {
    ROW("pkcs11", "", hwk_store),
    ROW("tpm2", "", hwk_store),
    ROW("handle", "", hwk_store),
    ROW("object", "", hwk_store),
    END,
};

static const OSSL_ALGORITHM stores_for_tests[] = {
    ROW("pkcs11", "", hwk_store),  ROW("tpm2", "", hwk_store),
    ROW("handle", "", hwk_store),  ROW("object", "", hwk_store),
    ROW("hwksoft", "", hwk_store), END,
};

/* one for each type of key that others' decoders of PVK do not stand for */
#define IN_PEM(type) ROW(type, ",input=pem", hwk_decoder)
#define TYPED                                                                  \
    IN_PEM("EC"), IN_PEM("RSA-PSS"), IN_PEM("ED25519"), IN_PEM("ED448"),       \
        IN_PEM("X25519"), IN_PEM("X448")
#define IN_DER ROW("PVK", ",input=der", hwk_decoder_der)

static const OSSL_ALGORITHM decoders[] = {IN_PEM("PVK"), END};
static const OSSL_ALGORITHM decoders_der[] = {IN_PEM("PVK"), IN_DER, END};
static const OSSL_ALGORITHM decoders_typed[] = {IN_PEM("PVK"), TYPED, END};
static const OSSL_ALGORITHM decoders_both[] = {IN_PEM("PVK"), IN_DER, TYPED,
                                               END};

static const OSSL_ALGORITHM *decoders_for(const struct hwk_config *cfg)
{
    if (!cfg->wrapper_files)
        return NULL;
    if (cfg->typed_files)
        return cfg->der_files ? decoders_both : decoders_typed;
    return cfg->der_files ? decoders_der : decoders;
}

#define WRAPPER(type)                                                          \
    ROW(type, ",output=pem,structure=PrivateKeyInfo", hwk_encoder)
#define FILE_DER(type)                                                         \
    ROW(type, ",output=der,structure=PrivateKeyInfo", hwk_encoder_der)
#define TEXT(type) ROW(type, ",output=text", hwk_encoder_as_text)
#define FORMS(type)                                                            \
    ROW(type, ",output=der,structure=SubjectPublicKeyInfo",                    \
        hwk_encoder_spki_der),                                                 \
        ROW(type, ",output=pem,structure=SubjectPublicKeyInfo",                \
            hwk_encoder_spki_pem),                                             \
        FILE_DER(type),                                                        \
        ROW(type, ",output=der,structure=EncryptedPrivateKeyInfo",             \
            hwk_encoder_encrypted_der),                                        \
        ROW(type, ",output=pem,structure=EncryptedPrivateKeyInfo",             \
            hwk_encoder_encrypted_pem)
#define RSA_FORMS(type)                                                        \
    ROW(type, ",output=der,structure=type-specific", hwk_encoder_type_der),    \
        ROW(type, ",output=pem,structure=type-specific",                       \
            hwk_encoder_type_pem),                                             \
        ROW(type, ",output=der,structure=pkcs1", hwk_encoder_pkcs1_der),       \
        ROW(type, ",output=pem,structure=pkcs1", hwk_encoder_pkcs1_pem)

#define DEVICE_FORMS                                                           \
    WRAPPER(EC), WRAPPER(RSA), WRAPPER(RSA_PSS), WRAPPER(ED25519),             \
        WRAPPER(ED448), WRAPPER(X25519), WRAPPER(X448), TEXT(EC), TEXT(RSA),   \
        TEXT(RSA_PSS), TEXT(ED25519), TEXT(ED448), TEXT(X25519), TEXT(X448)

/* libcrypto 3.0 looks at each of them whenever any key is written, which takes
 * it some 5000 instructions a row: what the default provider writes of our keys
 * (it gets their public halves, and software keys whole) and refuses to (those
 * of devices have no other) is left to it where it is at hand. */
static const OSSL_ALGORITHM encoders[] = {DEVICE_FORMS, END};
static const OSSL_ALGORITHM encoders_der[] = {
    DEVICE_FORMS, FILE_DER(EC), FILE_DER(RSA), FILE_DER(RSA_PSS), END};
static const OSSL_ALGORITHM encoders_alone[] = {
    DEVICE_FORMS,
    FORMS(EC),
    FORMS(RSA),
    FORMS(RSA_PSS),
    FORMS(ED25519),
    FORMS(ED448),
    FORMS(X25519),
    FORMS(X448),
    RSA_FORMS(RSA),
    RSA_FORMS(RSA_PSS),
    ROW(EC, ",output=der,structure=type-specific", hwk_encoder_type_der),
    ROW(EC, ",output=pem,structure=type-specific", hwk_encoder_type_pem),
    ROW(EC, ",output=blob", hwk_encoder_blob),
    END,
};

static const OSSL_ALGORITHM *encoders_for(const struct hwk_core *core)
{
    if (core->under == NULL)
        return encoders_alone;
    return core->cfg.der_files ? encoders_der : encoders;
}

static const OSSL_ALGORITHM *query(void *ctx, int operation, int *no_cache)
{
    const struct hwk_core *core = ctx;

    *no_cache = 0;
    if (operation < 32 && (core->cfg.blocked >> operation & 1) != 0)
        return NULL;
    switch (operation) {
    case OSSL_OP_KEYMGMT:
        return keymgmts;
    case OSSL_OP_SIGNATURE:
        return signatures;
    case OSSL_OP_RAND:
        return rands;
    case OSSL_OP_ASYM_CIPHER:
        return asymciphers;
    case OSSL_OP_KEYEXCH:
        return keyexchs;
    case OSSL_OP_STORE:
        return hwk_backend_for_tests != NULL ? stores_for_tests : stores;
    case OSSL_OP_ENCODER:
        return encoders_for(core);
    case OSSL_OP_DECODER:
        return decoders_for(&core->cfg);
    default:
        return NULL;
    }
}

/* --- capabilities --- */

struct groups {
    OSSL_CALLBACK *cb;
    void *arg;
};

static bool manages(const char *algorithm)
{
    const OSSL_ALGORITHM *row;
    size_t n = strlen(algorithm);

    for (row = keymgmts; row->algorithm_names != NULL; row++)
        if (strncasecmp(row->algorithm_names, algorithm, n) == 0 &&
            (row->algorithm_names[n] == 0 || row->algorithm_names[n] == ':'))
            return true;
    return false;
}

static int pass_on(const OSSL_PARAM params[], void *arg)
{
    const struct groups *g = arg;
    const OSSL_PARAM *p =
        OSSL_PARAM_locate_const(params, OSSL_CAPABILITY_TLS_GROUP_ALG);

    return p == NULL || p->data_type != OSSL_PARAM_UTF8_STRING ||
           !manages(p->data) || g->cb(params, g->arg);
}

/*
 * libssl drops every group whose keys are not managed by the provider that
 * announces it. Where ours is the key management that it finds ("?provider=
 * hwkey"), the groups that the default provider has for such keys are ours to
 * announce; its ephemeral keys are software keys there as here (soft.h). Where
 * it is not, it drops what we say. Nothing to announce is no failure: that
 * would be the end of libssl's list.
 */
static int get_capabilities(void *ctx, const char *capability,
                            OSSL_CALLBACK *cb, void *arg)
{
    struct hwk_core *core = ctx;
    struct groups g = {cb, arg};
    const OSSL_PROVIDER *def = core->under;

    if (strcasecmp(capability, "TLS-GROUP") != 0 ||
        (core->cfg.blocked >> OSSL_OP_KEYMGMT & 1) != 0)
        return 1;
    if (def == NULL) {
        ERR_set_mark();
        if (hwk_core_soft(core) != NULL)
            def = core->soft_default;
        ERR_pop_to_mark();
    }
    return def == NULL ||
           OSSL_PROVIDER_get_capabilities(def, capability, pass_on, &g);
}

/* --- parameters --- */

static const OSSL_PARAM *gettable_params(void *core)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, NULL, 0),
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, NULL),
        OSSL_PARAM_octet_ptr(HWK_PARAM_DEVICE_OPS, NULL, 0),
        OSSL_PARAM_octet_ptr(HWK_PARAM_DEVICE_CTX, NULL, 0),
        OSSL_PARAM_END};

    (void)core;
    return list;
}

static int get_params(void *ctx, OSSL_PARAM params[])
{
    struct hwk_core *core = ctx;
    OSSL_PARAM *p;

    p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_NAME);
    if (p != NULL && !OSSL_PARAM_set_utf8_ptr(p, "TPM and PKCS#11 keys"))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_VERSION);
    if (p != NULL && !OSSL_PARAM_set_utf8_ptr(p, PACKAGE_VERSION))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_BUILDINFO);
    if (p != NULL && !OSSL_PARAM_set_utf8_ptr(p, PACKAGE_STRING))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);
    if (p != NULL && !OSSL_PARAM_set_int(p, 1))
        return 0;
    p = OSSL_PARAM_locate(params, HWK_PARAM_DEVICE_OPS);
    if (p != NULL && !OSSL_PARAM_set_octet_ptr(p, &hwk_device_ops_table,
                                               sizeof(hwk_device_ops_table)))
        return 0;
    p = OSSL_PARAM_locate(params, HWK_PARAM_DEVICE_CTX);
    return p == NULL ||
           OSSL_PARAM_set_octet_ptr(p, core->registry, sizeof(void *));
}

static void teardown(void *core)
{
    hwk_core_free(core);
    hwk_err_unload();
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_PROVIDER_##name, (void (*)(void))(fn)                        \
    }
static const OSSL_DISPATCH functions[] = {
    F(TEARDOWN, teardown),
    F(GETTABLE_PARAMS, gettable_params),
    F(GET_PARAMS, get_params),
    F(QUERY_OPERATION, query),
    F(GET_CAPABILITIES, get_capabilities),
    {0, NULL},
};

int hwk_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                      const OSSL_DISPATCH **out, void **ctx)
{
    struct hwk_core *core = hwk_core_new(handle, in);

    if (core == NULL)
        return 0;
    (void)hwk_err_lib(); /* while there are numbers left, see there */
    *ctx = core;
    *out = functions;
    return 1;
}
