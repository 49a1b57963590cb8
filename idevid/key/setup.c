/* SPDX-License-Identifier: Apache-2.0 */
/* Loads the providers, and tells the built-in one its settings. */
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "key/key.h"

#define MAX_DISPATCH 256

/* libcrypto has one per process, and calls back without a context of ours */
static struct {
    bool done;
    OSSL_provider_init_fn *init;
    OSSL_FUNC_core_get_params_fn *get_params; /* openssl.cnf's */
    OSSL_DISPATCH functions[MAX_DISPATCH];
    char *pkcs11_module, *tcti, *pin_file, *owner_pin_file, *lockout_pin_file,
        *salt_key;
} setup;

/* what openssl.cnf says, and over it what the program was told */
static int get_params(const OSSL_CORE_HANDLE *handle, OSSL_PARAM params[])
{
    const struct {
        const char *name, *value;
    } ours[] = {
        {"pkcs11-module", setup.pkcs11_module},
        {"tcti", setup.tcti},
        {"pin-source", setup.pin_file},
        {"pin-source.owner", setup.owner_pin_file},
        {"pin-source.lockout", setup.lockout_pin_file},
        {"salt-key", setup.salt_key},
    };
    if (setup.get_params && !setup.get_params(handle, params))
        return 0;
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++) {
        OSSL_PARAM *p = OSSL_PARAM_locate(params, ours[i].name);
        if (p && ours[i].value && !OSSL_PARAM_set_utf8_ptr(p, ours[i].value))
            return 0;
    }
    return 1;
}

/* the core's functions with get_params replaced */
static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                const OSSL_DISPATCH **out, void **ctx)
{
    size_t n = 0;
    for (; in[n].function_id != 0; n++) {
        if (n + 1 >= MAX_DISPATCH)
            return 0;
        setup.functions[n] = in[n];
        if (in[n].function_id != OSSL_FUNC_CORE_GET_PARAMS)
            continue;
        setup.get_params = OSSL_FUNC_core_get_params(&in[n]);
        setup.functions[n].function = (void (*)(void))get_params;
    }
    setup.functions[n] = in[n];
    return setup.init(handle, setup.functions, out, ctx);
}

static idv_rc copy(const char *s, char **out)
{
    if (s && !(*out = strdup(s)))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return IDV_OK;
}

static idv_rc load(const char *name)
{
    if (!OSSL_PROVIDER_load(NULL, name))
        return idv_fail(IDV_E_DEVICE, "provider %s: not loaded", name);
    return IDV_OK;
}

/* The name is ours before openssl.cnf is read, which the first load does: the
 * module of that name would win otherwise. Default comes first, so that
 * software keys stay with it. */
idv_rc idv_provider_setup(OSSL_provider_init_fn *hwkey_init,
                          const struct idv_provider_conf *conf)
{
    if (setup.done)
        return idv_fail(IDV_E_STATE, "providers: loaded before");
    setup.done = true;
    ERR_clear_error();
    if (conf) {
        IDV_TRY(copy(conf->pkcs11_module, &setup.pkcs11_module));
        IDV_TRY(copy(conf->tpm2_tcti, &setup.tcti));
        IDV_TRY(copy(conf->pin_file, &setup.pin_file));
        IDV_TRY(copy(conf->owner_pin_file, &setup.owner_pin_file));
        IDV_TRY(copy(conf->lockout_pin_file, &setup.lockout_pin_file));
        IDV_TRY(copy(conf->salt_key, &setup.salt_key));
    }
    setup.init = hwkey_init;
    if (hwkey_init && OSSL_PROVIDER_add_builtin(NULL, IDVI_HWKEY, init) != 1)
        return idv_fail(IDV_E_CRYPTO, "provider " IDVI_HWKEY);
    IDV_TRY(load("default"));
    return load(IDVI_HWKEY);
}
