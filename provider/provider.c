/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's door: what it is called and which operations it has. */
#include "config.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
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

static const OSSL_ALGORITHM keymgmts[] = {
    ROW("EC:id-ecPublicKey:1.2.840.10045.2.1", "", hwk_keymgmt_ec),
    ROW("RSA:rsaEncryption:1.2.840.113549.1.1.1", "", hwk_keymgmt_rsa),
    ROW("RSA-PSS:RSASSA-PSS:1.2.840.113549.1.1.10", "", hwk_keymgmt_rsapss),
    ROW("ED25519:1.3.101.112", "", hwk_keymgmt_ed25519),
    ROW("ED448:1.3.101.113", "", hwk_keymgmt_ed448),
    ROW("X25519:1.3.101.110", "", hwk_keymgmt_x25519),
    ROW("X448:1.3.101.111", "", hwk_keymgmt_x448),
    END,
};

static const OSSL_ALGORITHM signatures[] = {
    ROW("ECDSA", "", hwk_signature_ec),
    ROW("RSA:rsaEncryption:1.2.840.113549.1.1.1", "", hwk_signature_rsa),
    ROW("ED25519:1.3.101.112", "", hwk_signature_ed25519),
    ROW("ED448:1.3.101.113", "", hwk_signature_ed448),
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

static const OSSL_ALGORITHM decoders[] = {
    ROW("PVK", ",input=pem", hwk_decoder),
    END,
};

static const OSSL_ALGORITHM encoders[] = {
    ROW("EC:id-ecPublicKey:1.2.840.10045.2.1",
        ",output=pem,structure=PrivateKeyInfo", hwk_encoder),
    ROW("RSA:rsaEncryption:1.2.840.113549.1.1.1",
        ",output=pem,structure=PrivateKeyInfo", hwk_encoder),
    END,
};

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
    case OSSL_OP_STORE:
        return hwk_backend_for_tests != NULL ? stores_for_tests : stores;
    case OSSL_OP_ENCODER:
        return core->cfg.wrapper_files ? encoders : NULL;
    case OSSL_OP_DECODER:
        return core->cfg.wrapper_files ? decoders : NULL;
    default:
        return NULL;
    }
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
    {0, NULL},
};

int hwk_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                      const OSSL_DISPATCH **out, void **ctx)
{
    struct hwk_core *core = hwk_core_new(handle, in);

    if (core == NULL)
        return 0;
    *ctx = core;
    *out = functions;
    return 1;
}
