/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration says of one PKCS#11 module, and how that is called. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "provider/conf.h"

static const char *base_name(const char *path, size_t *n)
{
    const char *base = memrchr(path, '/', *n), *dot;

    base = base != NULL ? base + 1 : path;
    *n -= (size_t)(base - path);
    dot = memchr(base, '.', *n);
    if (dot != NULL)
        *n = (size_t)(dot - base);
    return base;
}

bool hwk_module_named(const char *path, size_t n, const char *name,
                      size_t name_n)
{
    const char *base = base_name(path, &n);

    if (n == name_n && strncasecmp(base, name, n) == 0)
        return true;
    return n == name_n + 3 && strncmp(base, "lib", 3) == 0 &&
           strncasecmp(base + 3, name, name_n) == 0;
}

static int args_of(struct hwk_config *cfg, const char *base, size_t n,
                   hwk_config_get_fn *get, void *arg)
{
    struct hwk_module_args *m;
    const char *args;
    char name[128];

    snprintf(name, sizeof(name), "pkcs11-init-args.%.*s", (int)n, base);
    args = get(arg, name);
    if (args == NULL)
        return 1;
    m = OPENSSL_zalloc(sizeof(*m));
    if (m == NULL)
        return 0;
    m->next = cfg->module_args;
    cfg->module_args = m;
    m->name = OPENSSL_strndup(base, n);
    m->args = OPENSSL_strdup(args);
    return m->name != NULL && m->args != NULL;
}

int hwk_config_read_modules(struct hwk_config *cfg, hwk_config_get_fn *get,
                            void *arg)
{
    const char *list = cfg->pkcs11_module, *base;
    int ok = 1;
    size_t n;

    while (ok && list != NULL && *list != 0) {
        size_t len = strcspn(list, ":");

        n = len;
        base = base_name(list, &n);
        ok = args_of(cfg, base, n, get, arg);
        if (ok && n > 3 && strncmp(base, "lib", 3) == 0)
            ok = args_of(cfg, base + 3, n - 3, get, arg);
        list += len;
        list += *list == ':';
    }
    return ok;
}

const char *hwk_config_init_args(const struct hwk_config *cfg, const char *path,
                                 size_t n)
{
    const struct hwk_module_args *m;

    for (m = cfg->module_args; m != NULL; m = m->next)
        if (hwk_module_named(path, n, m->name, strlen(m->name)))
            return m->args;
    return cfg->pkcs11_init_args;
}

void hwk_config_clear_modules(struct hwk_config *cfg)
{
    struct hwk_module_args *m;

    while ((m = cfg->module_args) != NULL) {
        cfg->module_args = m->next;
        OPENSSL_free(m->name);
        OPENSSL_free(m->args);
        OPENSSL_free(m);
    }
}
