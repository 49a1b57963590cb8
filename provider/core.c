/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's context: configuration, private library context, digests. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "provider/badpin.h"
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

static const char *setting(void *arg, const char *name)
{
    struct hwk_core *core = arg;
    char *value = NULL;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_ptr(name, &value, 0),
                           OSSL_PARAM_construct_end()};

    if (core->get_params == NULL || !core->get_params(core->handle, params))
        return NULL;
    return value;
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
static void load_default(struct hwk_core *core)
{
    if (!core->cfg.load_default || core->get_libctx == NULL)
        return;
    ERR_set_mark();
    core->under = OSSL_PROVIDER_load(
        (OSSL_LIB_CTX *)core->get_libctx(core->handle), "default");
    if (core->under == NULL)
        hwk_config_wrong(&core->cfg, "the default provider does not load");
    ERR_pop_to_mark();
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

static void free_soft(OSSL_LIB_CTX *soft, OSSL_PROVIDER *provider)
{
    if (provider != NULL)
        OSSL_PROVIDER_unload(provider);
    OSSL_LIB_CTX_free(soft);
}

static OSSL_LIB_CTX *lend_soft(void *core)
{
    return hwk_core_soft(core);
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
    take(core, in);
    if (!hwk_config_read(&core->cfg, setting, core)) {
        hwk_core_free(core);
        return NULL;
    }
    core->cfg.soft = lend_soft;
    core->cfg.soft_arg = core;
    load_default(core);
    hwk_badpin_share();
    if ((core->registry = hwk_registry_new(&core->cfg)) == NULL) {
        hwk_core_free(core);
        return NULL;
    }
    hwk_log(HWK_LOG_INFO, "start", "version", PACKAGE_VERSION, "modules",
            core->cfg.pkcs11_module);
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
    free_soft(atomic_load(&core->soft), core->soft_default);
    unload_default(core->under);
    hwk_config_clear(&core->cfg);
    OPENSSL_free(core);
}

/* --- the private context --- */

/* Of threads that come at the same time, the first gives its context to all. No
 * lock is held: it would stay so in the child of a fork. */
OSSL_LIB_CTX *hwk_core_soft(struct hwk_core *core)
{
    OSSL_LIB_CTX *soft = atomic_load(&core->soft), *none = NULL;
    OSSL_PROVIDER *provider;

    if (soft != NULL)
        return soft;
    soft = OSSL_LIB_CTX_new();
    provider = soft != NULL ? OSSL_PROVIDER_load(soft, "default") : NULL;
    if (provider == NULL) {
        free_soft(soft, NULL);
        hwk_raise(HWK_R_DELEGATE, "no private library context");
        return NULL;
    }
    if (!atomic_compare_exchange_strong(&core->soft, &none, soft)) {
        free_soft(soft, provider);
        return none;
    }
    core->soft_default = provider;
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
