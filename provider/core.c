/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's context: configuration, private library context, digests. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "provider/core.h"

static atomic_bool exiting;

static void note_exit(void)
{
    atomic_store(&exiting, true);
}

bool hwk_exiting(void)
{
    return atomic_load(&exiting);
}

void hwk_exit_watch(void)
{
    atexit(note_exit);
}

/* --- configuration --- */

static bool yes(const char *value, bool otherwise)
{
    if (value == NULL)
        return otherwise;
    return strcasecmp(value, "yes") == 0 || strcasecmp(value, "on") == 0 ||
           strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

static int set(char **out, const char *env, const char *configured)
{
    const char *value = env != NULL ? secure_getenv(env) : NULL;

    if (value == NULL || *value == 0)
        value = configured;
    if (value == NULL)
        return 1;
    *out = OPENSSL_strdup(value);
    return *out != NULL;
}

enum {
    MODULE,
    INIT_ARGS,
    MODULE_PATH,
    TCTI,
    TPM_LOCK,
    PIN_SOURCE,
    FILES,
    DEFAULT
};

static int configure(struct hwk_core *core)
{
    static const char *const names[] = {"pkcs11-module",     "pkcs11-init-args",
                                        "allow-module-path", "tcti",
                                        "tpm-lock",          "pin-source",
                                        "wrapper-files",     "load-default"};
    char *value[DEFAULT + 1] = {NULL};
    OSSL_PARAM params[DEFAULT + 2];
    const char *pin = secure_getenv("HWKEY_PIN");
    size_t i;

    for (i = 0; i <= DEFAULT; i++)
        params[i] = OSSL_PARAM_construct_utf8_ptr(names[i], &value[i], 0);
    params[i] = OSSL_PARAM_construct_end();
    if (core->get_params != NULL && !core->get_params(core->handle, params))
        return hwk_raise(HWK_R_CONFIG, "the section cannot be read");
    core->cfg.allow_module_path = yes(value[MODULE_PATH], false);
    core->cfg.wrapper_files = yes(value[FILES], true);
    core->cfg.load_default = yes(value[DEFAULT], true);
    if (pin != NULL &&
        (core->cfg.pin = hwk_secret_new(pin, strlen(pin))) == NULL)
        return 0;
    if (!set(&core->cfg.pkcs11_module, "HWKEY_PKCS11_MODULE", value[MODULE]) ||
        !set(&core->cfg.pkcs11_init_args, NULL, value[INIT_ARGS]) ||
        !set(&core->cfg.tcti, "HWKEY_TCTI", value[TCTI]) ||
        !set(&core->cfg.tpm_lock, "HWKEY_TPM_LOCK", value[TPM_LOCK]) ||
        !set(&core->cfg.pin_source, "HWKEY_PIN_FILE", value[PIN_SOURCE]))
        return hwk_raise(HWK_R_MEMORY, "configuration");
    return 1;
}

/* --- life --- */

static void take(struct hwk_core *core, const OSSL_DISPATCH *in)
{
    for (; in->function_id != 0; in++) {
        switch (in->function_id) {
        case OSSL_FUNC_CORE_GET_PARAMS:
            core->get_params = OSSL_FUNC_core_get_params(in);
            break;
        case OSSL_FUNC_CORE_GET_LIBCTX:
            core->get_libctx = OSSL_FUNC_core_get_libctx(in);
            break;
        case OSSL_FUNC_BIO_GETS:
            core->bio_gets = OSSL_FUNC_BIO_gets(in);
            break;
        case OSSL_FUNC_BIO_WRITE_EX:
            core->bio_write_ex = OSSL_FUNC_BIO_write_ex(in);
            break;
        case OSSL_FUNC_BIO_READ_EX:
            core->bio_read_ex = OSSL_FUNC_BIO_read_ex(in);
            break;
        }
    }
}

/*
 * Software keys belong to the default provider, whichever of the two the
 * application names first: libcrypto 3.0 takes the first that is active, and
 * libssl drops every group whose keys are not the announcing provider's.
 */
static int load_default(struct hwk_core *core)
{
    if (!core->cfg.load_default || core->get_libctx == NULL)
        return 1;
    core->under = OSSL_PROVIDER_load(
        (OSSL_LIB_CTX *)core->get_libctx(core->handle), "default");
    if (core->under == NULL)
        return hwk_raise(HWK_R_CONFIG, "the default provider does not load");
    return 1;
}

/*
 * When the whole context is freed, the default provider may have been
 * deactivated before us; libcrypto then takes our reference back no more. It
 * stays reachable, so that it is not taken for a leak of somebody's.
 */
static void unload_default(OSSL_PROVIDER *under)
{
    static struct stuck {
        OSSL_PROVIDER *provider;
        struct stuck *next;
    } * stuck;
    struct stuck *s;

    if (under == NULL || OSSL_PROVIDER_unload(under))
        return;
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return;
    s->provider = under;
    s->next = stuck;
    stuck = s;
}

struct hwk_core *hwk_core_new(const OSSL_CORE_HANDLE *handle,
                              const OSSL_DISPATCH *in)
{
    struct hwk_core *core = OPENSSL_zalloc(sizeof(*core));

    if (core == NULL) {
        hwk_raise(HWK_R_MEMORY, "provider");
        return NULL;
    }
    core->handle = handle;
    pthread_mutex_init(&core->lock, NULL);
    take(core, in);
    if (!configure(core) || !load_default(core) ||
        (core->registry = hwk_registry_new(&core->cfg)) == NULL) {
        hwk_core_free(core);
        return NULL;
    }
    hwk_exit_watch();
    return core;
}

void hwk_core_free(struct hwk_core *core)
{
    size_t i;

    if (core == NULL)
        return;
    hwk_registry_free(core->registry, hwk_exiting());
    for (i = 0; i < HWK_MD_COUNT; i++)
        EVP_MD_free(atomic_load(&core->md[i]));
    if (core->soft_default != NULL)
        OSSL_PROVIDER_unload(core->soft_default);
    OSSL_LIB_CTX_free(atomic_load(&core->soft));
    unload_default(core->under);
    hwk_config_clear(&core->cfg);
    pthread_mutex_destroy(&core->lock);
    OPENSSL_free(core);
}

/* --- the private context --- */

static OSSL_LIB_CTX *make_soft(struct hwk_core *core)
{
    OSSL_LIB_CTX *soft = OSSL_LIB_CTX_new();

    if (soft != NULL)
        core->soft_default = OSSL_PROVIDER_load(soft, "default");
    if (core->soft_default != NULL)
        return soft;
    OSSL_LIB_CTX_free(soft);
    hwk_raise(HWK_R_DELEGATE, "no private library context");
    return NULL;
}

OSSL_LIB_CTX *hwk_core_soft(struct hwk_core *core)
{
    OSSL_LIB_CTX *soft = atomic_load(&core->soft);

    if (soft != NULL)
        return soft;
    pthread_mutex_lock(&core->lock);
    soft = atomic_load(&core->soft);
    if (soft == NULL) {
        soft = make_soft(core);
        atomic_store(&core->soft, soft);
    }
    pthread_mutex_unlock(&core->lock);
    return soft;
}

EVP_MD *hwk_core_md(struct hwk_core *core, enum hwk_md md)
{
    EVP_MD *found = atomic_load(&core->md[md]), *none = NULL;
    OSSL_LIB_CTX *soft;

    if (found != NULL)
        return found;
    soft = hwk_core_soft(core);
    if (soft == NULL)
        return NULL;
    found =
        md == HWK_MD_NONE ? NULL : EVP_MD_fetch(soft, hwk_md_name(md), NULL);
    if (found == NULL) {
        hwk_raise(HWK_R_DIGEST, "no such digest in the default provider");
        return NULL;
    }
    if (!atomic_compare_exchange_strong(&core->md[md], &none, found)) {
        EVP_MD_free(found);
        found = none;
    }
    return found;
}

/* --- the prompt --- */

int hwk_passphrase_get(void *arg, const char *what, char *out, size_t max,
                       size_t *n)
{
    struct hwk_passphrase *p = arg;
    union {
        const char *c;
        char *p;
    } info = {what};
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PASSPHRASE_PARAM_INFO, info.p, 0),
        OSSL_PARAM_construct_end()};

    return p->cb != NULL && p->cb(out, max, n, params, p->arg);
}
