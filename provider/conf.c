/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: one table of settings, read from openssl.cnf's section and
 * the environment. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>

#include "provider/conf.h"
#include "provider/env.h"
#include "provider/err.h"

/* --- kinds of values: each reads value into *at; 1, 0 for one that is not
 * allowed, -1 without memory --- */

typedef int read_fn(struct hwk_config *cfg, void *at, const char *value);

static int text(struct hwk_config *cfg, void *at, const char *value)
{
    char *copy = OPENSSL_strdup(value);

    (void)cfg;
    if (copy == NULL)
        return -1;
    OPENSSL_free(*(char **)at);
    *(char **)at = copy;
    return 1;
}

static int yesno(struct hwk_config *cfg, void *at, const char *value)
{
    static const char *const words[] = {"no",    "yes",  "off", "on",
                                        "false", "true", "0",   "1"};
    size_t i;

    (void)cfg;
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(value, words[i]) == 0) {
            *(bool *)at = i % 2 == 1;
            return 1;
        }
    return 0;
}

static int sessions(struct hwk_config *cfg, void *at, const char *value)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);

    (void)cfg;
    if (*value < '0' || *value > '9' || *end != 0 || n < 1 || n > 10000)
        return 0;
    *(unsigned *)at = (unsigned)n;
    return 1;
}

static int idle(struct hwk_config *cfg, void *at, const char *value)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);

    (void)cfg;
    if (*value < '0' || *value > '9' || *end != 0 || n > 86400)
        return 0;
    *(unsigned *)at = n == 0 ? HWK_TPM_IDLE_AT_ONCE : (unsigned)n;
    return 1;
}

/* value as one of words[n]; 0 if it is none */
static int word(const char *const *words, size_t n, const char *value,
                size_t *out)
{
    for (*out = 0; *out < n; ++*out)
        if (strcasecmp(value, words[*out]) == 0)
            return 1;
    return 0;
}

static int login(struct hwk_config *cfg, void *at, const char *value)
{
    static const char *const words[] = {
        [HWK_LOGIN_AUTO] = "auto",
        [HWK_LOGIN_ALWAYS] = "always",
        [HWK_LOGIN_NEVER] = "never",
    };
    size_t i;

    (void)cfg;
    if (!word(words, sizeof(words) / sizeof(words[0]), value, &i))
        return 0;
    *(enum hwk_login *)at = (enum hwk_login)i;
    return 1;
}

static int protect(struct hwk_config *cfg, void *at, const char *value)
{
    static const char *const words[] = {
        [HWK_PROTECT_AUTO] = "auto",
        [HWK_PROTECT_ALWAYS] = "always",
        [HWK_PROTECT_NEVER] = "never",
    };
    size_t i;

    (void)cfg;
    if (!word(words, sizeof(words) / sizeof(words[0]), value, &i))
        return 0;
    *(enum hwk_protect *)at = (enum hwk_protect)i;
    return 1;
}

/* hexadecimal digits to the end of value; the number of bytes, 0 if wrong */
static size_t hex(const char *value, uint8_t *out, size_t max)
{
    size_t n = strlen(value), i;

    if (n % 2 != 0 || n / 2 > max ||
        strspn(value, "0123456789abcdefABCDEF") != n)
        return 0;
    for (i = 0; i < n / 2; i++) {
        const char pair[] = {value[2 * i], value[2 * i + 1], 0};

        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n / 2;
}

/* HANDLE [NAME]: a persistent handle, or the owner hierarchy's; the Name is
 * the number of a hash and what that gives */
static int salt_key(struct hwk_config *cfg, void *at, const char *value)
{
    static const char blanks[] = " \t";
    struct hwk_salt_key key = {.handle = 0};
    char *end;
    unsigned long handle = strtoul(value, &end, 16);

    (void)cfg;
    if (strncasecmp(value, "0x", 2) != 0 ||
        (*end != 0 && strchr(blanks, *end) == NULL) ||
        ((handle >> 24) != 0x81 && handle != 0x40000001))
        return 0;
    end += strspn(end, blanks);
    key.handle = (uint32_t)handle;
    key.name_n = hex(end, key.name, sizeof(key.name));
    if (*end != 0 && key.name_n < 2 + 20)
        return 0;
    *(struct hwk_salt_key *)at = key;
    return 1;
}

/* all of OpenSSL's operations, so that a configuration outlives versions */
static const struct {
    const char *name;
    int id;
} operations[] = {
    {"digest", OSSL_OP_DIGEST},   {"cipher", OSSL_OP_CIPHER},
    {"mac", OSSL_OP_MAC},         {"kdf", OSSL_OP_KDF},
    {"rand", OSSL_OP_RAND},       {"keymgmt", OSSL_OP_KEYMGMT},
    {"keyexch", OSSL_OP_KEYEXCH}, {"signature", OSSL_OP_SIGNATURE},
    {"kem", OSSL_OP_KEM},         {"asymcipher", OSSL_OP_ASYM_CIPHER},
    {"store", OSSL_OP_STORE},     {"encoder", OSSL_OP_ENCODER},
    {"decoder", OSSL_OP_DECODER},
};
#define OPERATIONS                                                             \
    "names, blanks between, of digest cipher mac kdf rand keymgmt keyexch "    \
    "signature kem asymcipher store encoder decoder"

static uint32_t operation(const char *name, size_t n)
{
    size_t i;

    for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        if (strlen(operations[i].name) == n &&
            strncasecmp(operations[i].name, name, n) == 0)
            return UINT32_C(1) << operations[i].id;
    return 0;
}

static int blocked(struct hwk_config *cfg, void *at, const char *value)
{
    static const char blanks[] = " \t,";
    uint32_t all = 0, one;

    (void)cfg;
    for (value += strspn(value, blanks); *value != 0;
         value += strspn(value, blanks)) {
        size_t n = strcspn(value, blanks);

        one = operation(value, n);
        if (one == 0)
            return 0;
        all |= one;
        value += n;
    }
    *(uint32_t *)at = all;
    return 1;
}

/* FILE[:LEVEL] */
static int debug(struct hwk_config *cfg, void *at, const char *value)
{
    static const struct {
        const char *name;
        enum hwk_log_level level;
    } levels[] = {{":error", HWK_LOG_ERROR},
                  {":info", HWK_LOG_INFO},
                  {":calls", HWK_LOG_CALLS}};
    const char *colon = strrchr(value, ':');
    size_t i;

    cfg->log_level = HWK_LOG_INFO;
    if (colon == NULL || strchr(colon, '/') != NULL)
        return *value != 0 ? text(cfg, at, value) : 0;
    for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcasecmp(colon, levels[i].name) == 0)
            break;
    if (i == sizeof(levels) / sizeof(levels[0]) || colon == value)
        return 0;
    cfg->log_level = levels[i].level;
    OPENSSL_free(*(char **)at);
    *(char **)at = OPENSSL_strndup(value, (size_t)(colon - value));
    return *(char **)at != NULL ? 1 : -1;
}

/* --- the settings --- */

#define AT(member) offsetof(struct hwk_config, member)
#define YESNO "yes or no"
static const struct setting {
    const char *name, *env;
    read_fn *read;
    size_t at;
    const char *allowed; /* in words; NULL: anything */
} settings[] = {
    /* the log first, so that it has what is said of the others */
    {"debug", "HWKEY_DEBUG", debug, AT(log_path),
     "FILE or stderr, with :error, :info or :calls after it"},
    {"pkcs11-module", "HWKEY_PKCS11_MODULE", text, AT(pkcs11_module), NULL},
    {"pkcs11-init-args", "HWKEY_PKCS11_INIT_ARGS", text, AT(pkcs11_init_args),
     NULL},
    {"allow-module-path", "HWKEY_ALLOW_MODULE_PATH", yesno,
     AT(allow_module_path), YESNO},
    {"allow-import", "HWKEY_ALLOW_IMPORT", yesno, AT(allow_import), YESNO},
    {"tcti", "HWKEY_TCTI", text, AT(tcti), NULL},
    {"tpm-lock", "HWKEY_TPM_LOCK", text, AT(tpm_lock), NULL},
    {"tpm-idle", "HWKEY_TPM_IDLE", idle, AT(tpm_idle),
     "a number of seconds from 0 to 86400"},
    {"tpm-sessions", "HWKEY_TPM_SESSIONS", protect, AT(tpm_sessions),
     "auto, always or never"},
    {"salt-key", "HWKEY_SALT_KEY", salt_key, AT(salt_key),
     "0x81HHHHHH or 0x40000001, a blank and the key's Name in hexadecimal"},
    {"policy", "HWKEY_POLICY", text, AT(policy), NULL},
    {"policy-keys", "HWKEY_POLICY_KEYS", text, AT(policy_keys), NULL},
    {"pin-source", "HWKEY_PIN_FILE", text, AT(pin_source), NULL},
    {"parent-pin-source", "HWKEY_PARENT_PIN_FILE", text, AT(parent_pin_source),
     NULL},
    {"cache-pin", "HWKEY_CACHE_PIN", yesno, AT(cache_pin), YESNO},
    {"pin-final-try", "HWKEY_PIN_FINAL_TRY", yesno, AT(pin_final_try), YESNO},
    {"login", "HWKEY_LOGIN", login, AT(login), "auto, always or never"},
    {"max-sessions", "HWKEY_MAX_SESSIONS", sessions, AT(max_sessions),
     "a number from 1 to 10000"},
    {"block-operations", "HWKEY_BLOCK_OPERATIONS", blocked, AT(blocked),
     OPERATIONS},
    {"wrapper-files", "HWKEY_WRAPPER_FILES", yesno, AT(wrapper_files), YESNO},
    {"der-files", "HWKEY_DER_FILES", yesno, AT(der_files), YESNO},
    {"typed-files", "HWKEY_TYPED_FILES", yesno, AT(typed_files), YESNO},
    {"load-default", "HWKEY_LOAD_DEFAULT", yesno, AT(load_default), YESNO},
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* libcrypto 3.0 tells a provider the settings that it asks for by name and no
 * others; so the likeliest slips are asked for, and what others call them */
static const struct {
    const char *theirs, *ours;
} elsewhere[] = {
    {"pkcs11-module-path", "pkcs11-module"},
    {"pkcs11-module-init-args", "pkcs11-init-args"},
    {"pkcs11-module-token-pin", "pin-source"},
    {"pkcs11-module-login-behavior", "login"},
    {"pkcs11-module-cache-pins", "cache-pin"},
    {"pkcs11-module-block-operations", "block-operations"},
    {"module-path", "pkcs11-module"},
    {"init-args", "pkcs11-init-args"},
    {"debug-level", "debug"},
    {"force-login", "login"},
    {"pin", "pin-source"},
};

/* --- reading --- */

void hwk_config_wrong(struct hwk_config *cfg, const char *fmt, ...)
{
    char what[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    hwk_log(HWK_LOG_ERROR, "config", "wrong", what);
    if (cfg->error == NULL)
        cfg->error = OPENSSL_strdup(what);
}

int hwk_config_check(const struct hwk_config *cfg)
{
    return cfg == NULL || cfg->error == NULL ||
           hwk_raise(HWK_R_CONFIG, "%s", cfg->error);
}

static const char *env(const char *name)
{
    const char *value = secure_getenv(name);

    return value != NULL && *value != 0 ? value : NULL;
}

static int read_setting(struct hwk_config *cfg, const struct setting *s,
                        hwk_config_get_fn *get, void *arg)
{
    const char *value = env(s->env), *name = s->env;
    int r;

    if (value == NULL) {
        name = s->name;
        value = get(arg, name);
    }
    if (value == NULL)
        return 1;
    r = s->read(cfg, (char *)cfg + s->at, value);
    if (r == 0)
        hwk_config_wrong(cfg, "%s: '%s' is not allowed, but %s", name, value,
                         s->allowed);
    if (r > 0 && s->read == debug)
        hwk_log_begin(cfg->log_path, cfg->log_level);
    return r >= 0;
}

/* name with '_' where it has '-' */
static const char *underscored(const char *name, char out[static 64])
{
    char *p;

    snprintf(out, 64, "%s", name);
    for (p = out; *p != 0; p++)
        *p = *p == '-' ? '_' : *p;
    return strcmp(out, name) != 0 ? out : NULL;
}

static void misspelt(struct hwk_config *cfg, const char *name, const char *ours,
                     hwk_config_get_fn *get, void *arg)
{
    if (name != NULL && get(arg, name) != NULL)
        hwk_config_wrong(cfg, "%s: no such setting, but '%s'", name, ours);
}

static void look_for_slips(struct hwk_config *cfg, hwk_config_get_fn *get,
                           void *arg)
{
    char other[64];
    size_t i;

    for (i = 0; i < SETTINGS; i++)
        misspelt(cfg, underscored(settings[i].name, other), settings[i].name,
                 get, arg);
    for (i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
        misspelt(cfg, elsewhere[i].theirs, elsewhere[i].ours, get, arg);
        misspelt(cfg, underscored(elsewhere[i].theirs, other),
                 elsewhere[i].ours, get, arg);
    }
}

/* 0 only without memory */
static int keep_pin(struct hwk_config *cfg, const char *name, const char *pin,
                    struct hwk_secret **out)
{
    if (strlen(pin) > HWK_PIN_MAX) {
        hwk_config_wrong(cfg, "%s: longer than %d bytes", name, HWK_PIN_MAX);
        return 1;
    }
    *out = hwk_secret_new(pin, strlen(pin));
    return *out != NULL;
}

/* what unlocks the parents of keys in files */
static int adopt_parent_pin(struct hwk_config *cfg)
{
    const char *pin = secure_getenv("HWKEY_PARENT_PIN");

    if (pin == NULL && cfg->parent_pin_source == NULL)
        pin = secure_getenv("TPM2OPENSSL_PARENT_AUTH");
    return pin == NULL ||
           keep_pin(cfg, "HWKEY_PARENT_PIN", pin, &cfg->parent_pin);
}

/* a TPM, as tpm2-openssl, tpm2-tools and others of tpm2-tss are told of it */
static int adopt_tcti(struct hwk_config *cfg)
{
    static const char *const names[] = {"TPM2OPENSSL_TCTI", "TPM2TOOLS_TCTI",
                                        "TSS2_TCTI"};
    const char *tcti = NULL;
    size_t i;

    for (i = 0; tcti == NULL && i < sizeof(names) / sizeof(names[0]); i++)
        tcti = env(names[i]);
    return cfg->tcti != NULL || tcti == NULL || text(cfg, &cfg->tcti, tcti) > 0;
}

/* what set-ups made for others have in the environment */
static int adopt(struct hwk_config *cfg)
{
    const char *module = env("PKCS11_PROVIDER_MODULE");
    const char *pin = hwk_config_env_pin();

    if (module == NULL)
        module = env("PKCS11_MODULE_PATH");
    if (cfg->pkcs11_module == NULL && module != NULL &&
        text(cfg, &cfg->pkcs11_module, module) < 0)
        return 0;
    if (!adopt_tcti(cfg))
        return 0;
    if (pin == NULL ||
        (secure_getenv("HWKEY_PIN") == NULL && cfg->pin_source != NULL))
        return 1;
    return keep_pin(cfg, "HWKEY_PIN", pin, &cfg->pin);
}

const char *hwk_config_env_pin(void)
{
    const char *pin = secure_getenv("HWKEY_PIN"); /* may be empty */

    return pin != NULL ? pin : secure_getenv("PKCS11_PIN");
}

const char *hwk_config_get(const struct hwk_config *cfg, const char *name)
{
    return cfg->get != NULL ? cfg->get(cfg->get_arg, name) : NULL;
}

/* --- life --- */

int hwk_config_read(struct hwk_config *cfg, hwk_config_get_fn *get, void *arg)
{
    size_t i;
    int ok = 1;

    memset(cfg, 0, sizeof(*cfg));
    cfg->load_default = cfg->wrapper_files = cfg->cache_pin = true;
    cfg->get = get;
    cfg->get_arg = arg;
    for (i = 0; i < SETTINGS && ok; i++)
        ok = read_setting(cfg, &settings[i], get, arg);
    if (!ok || !adopt(cfg) || !adopt_parent_pin(cfg) ||
        !hwk_config_read_modules(cfg, get, arg))
        return hwk_raise(HWK_R_MEMORY, "configuration");
    look_for_slips(cfg, get, arg);
    return 1;
}

void hwk_config_clear(struct hwk_config *cfg)
{
    if (cfg->log_path != NULL)
        hwk_log_end();
    hwk_config_clear_modules(cfg);
    OPENSSL_free(cfg->pkcs11_module);
    OPENSSL_free(cfg->pkcs11_init_args);
    OPENSSL_free(cfg->tcti);
    OPENSSL_free(cfg->tpm_lock);
    OPENSSL_free(cfg->policy);
    OPENSSL_free(cfg->policy_keys);
    OPENSSL_free(cfg->pin_source);
    OPENSSL_free(cfg->parent_pin_source);
    OPENSSL_free(cfg->log_path);
    OPENSSL_free(cfg->error);
    hwk_secret_free(cfg->pin);
    hwk_secret_free(cfg->parent_pin);
    memset(cfg, 0, sizeof(*cfg));
}
