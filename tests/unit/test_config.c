/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: every setting read, every mistake named, none of them fatal
 * before a URI is used. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>

#include "provider/conf.h"
#include "provider/env.h"
#include "tests/lib/hwk_test.h"

static struct hwk_config cfg;

/* --- a section made of pairs --- */

static const char *const *section;

static const char *from_section(void *arg, const char *name)
{
    const char *const *p;

    (void)arg;
    for (p = section; *p != NULL; p += 2)
        if (strcmp(p[0], name) == 0)
            return p[1];
    return NULL;
}

#define READ(...)                                                              \
    do {                                                                       \
        static const char *const pairs[] = {__VA_ARGS__, NULL};                \
                                                                               \
        hwk_config_clear(&cfg);                                                \
        section = pairs;                                                       \
        assert_int_equal(hwk_config_read(&cfg, from_section, NULL), 1);        \
    } while (0)

static int clean(void **state)
{
    static const char *const names[] = {"HWKEY_DEBUG",
                                        "TPM2OPENSSL_TCTI",
                                        "TPM2TOOLS_TCTI",
                                        "TSS2_TCTI",
                                        "HWKEY_PKCS11_MODULE",
                                        "HWKEY_LOGIN",
                                        "HWKEY_BLOCK_OPERATIONS",
                                        "HWKEY_PIN",
                                        "HWKEY_PIN_FILE",
                                        "PKCS11_PIN",
                                        "PKCS11_PROVIDER_MODULE",
                                        "PKCS11_MODULE_PATH",
                                        "HWKEY_TCTI",
                                        "HWKEY_PARENT_PIN",
                                        "TPM2OPENSSL_PARENT_AUTH",
                                        "HWKEY_PKCS11_INIT_ARGS"};
    size_t i;

    (void)state;
    ERR_clear_error();
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
    hwk_config_clear(&cfg);
    return 0;
}

static void defaults(void **state)
{
    (void)state;
    READ("activate", "1");
    assert_null(cfg.error);
    assert_null(cfg.pkcs11_module);
    assert_null(cfg.pin);
    assert_null(cfg.log_path);
    assert_true(cfg.load_default && cfg.wrapper_files);
    assert_false(cfg.allow_module_path);
    assert_int_equal(cfg.blocked, 0);
    assert_int_equal(hwk_config_check(&cfg), 1);
    assert_int_equal(hwk_config_check(NULL), 1);
}

static void every_kind(void **state)
{
    (void)state;
    READ("pkcs11-module", "/a.so:/b.so", "pkcs11-init-args", "x=y",
         "allow-module-path", "YES", "tcti", "device:/dev/tpm0", "tpm-lock",
         "/run/l", "pin-source", "/run/p", "parent-pin-source", "/run/q",
         "block-operations", " rand,store  keyexch", "wrapper-files", "off",
         "load-default", "0");
    assert_null(cfg.error);
    assert_string_equal(cfg.pkcs11_module, "/a.so:/b.so");
    assert_string_equal(cfg.pkcs11_init_args, "x=y");
    assert_true(cfg.allow_module_path);
    assert_string_equal(cfg.tcti, "device:/dev/tpm0");
    assert_string_equal(cfg.tpm_lock, "/run/l");
    assert_string_equal(cfg.pin_source, "/run/p");
    assert_string_equal(cfg.parent_pin_source, "/run/q");
    assert_int_equal(cfg.blocked, 1u << OSSL_OP_RAND | 1u << OSSL_OP_STORE |
                                      1u << OSSL_OP_KEYEXCH);
    assert_false(cfg.wrapper_files || cfg.load_default);
}

#define NAME                                                                   \
    "000b0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fff"

static void salt_keys(void **state)
{
    static const char *const wrong[] = {
        "",
        "81000001 " NAME,
        "0x80000001 " NAME,
        "0x01800001 " NAME,
        "0x40000007 " NAME,
        "0x181000001",
        "0x81000001,",
        "0x81000001 " NAME "1",
        "0x81000001 000b",
        "0x81000001 000g" NAME,
        "0x81000001 " NAME " ",
        "0x81000001 " NAME NAME NAME,
    };
    (void)state;
    READ("salt-key", "0x81000001 " NAME, "tpm-sessions", "Always");
    assert_null(cfg.error);
    assert_int_equal(cfg.tpm_sessions, HWK_PROTECT_ALWAYS);
    assert_int_equal(cfg.salt_key.handle, 0x81000001);
    assert_int_equal(cfg.salt_key.name_n, 34);
    assert_int_equal(cfg.salt_key.name[1], 0x0b);
    assert_int_equal(cfg.salt_key.name[33], 0xff);
    READ("salt-key", "0x40000001 \t" NAME, "tpm-sessions", "never");
    assert_int_equal(cfg.salt_key.handle, 0x40000001);
    assert_int_equal(cfg.tpm_sessions, HWK_PROTECT_NEVER);
    READ("salt-key", "0x81010001");
    assert_null(cfg.error);
    assert_int_equal(cfg.salt_key.name_n, 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        const char *const pairs[] = {"salt-key", wrong[i], NULL};
        hwk_config_clear(&cfg);
        section = pairs;
        assert_int_equal(hwk_config_read(&cfg, from_section, NULL), 1);
        section = NULL;
        assert_non_null(cfg.error);
        assert_non_null(strstr(cfg.error, "Name in hexadecimal"));
        assert_int_equal(cfg.salt_key.handle, 0);
    }
}

/* a TPM that others of tpm2-tss are told of, in this order */
static void others_tcti(void **state)
{
    (void)state;
    READ("activate", "1");
    assert_null(cfg.tcti);
    setenv("TSS2_TCTI", "swtpm:a", 1);
    READ("activate", "1");
    assert_string_equal(cfg.tcti, "swtpm:a");
    setenv("TPM2TOOLS_TCTI", "swtpm:b", 1);
    READ("activate", "1");
    assert_string_equal(cfg.tcti, "swtpm:b");
    setenv("TPM2OPENSSL_TCTI", "swtpm:c", 1);
    READ("activate", "1");
    assert_string_equal(cfg.tcti, "swtpm:c");
    setenv("TPM2OPENSSL_TCTI", "", 1); /* empty is not there */
    READ("activate", "1");
    assert_string_equal(cfg.tcti, "swtpm:b");
    READ("tcti", "swtpm:d");
    assert_string_equal(cfg.tcti, "swtpm:d");
}

static void not_idle(void)
{
    assert_non_null(cfg.error);
    assert_non_null(strstr(cfg.error, "seconds"));
    assert_int_equal(cfg.tpm_idle, 0);
}

static void idle(void **state)
{
    (void)state;
    READ("activate", "1");
    assert_int_equal(cfg.tpm_idle, 0);
    READ("tpm-idle", "0");
    assert_int_equal(cfg.tpm_idle, HWK_TPM_IDLE_AT_ONCE);
    READ("tpm-idle", "86400");
    assert_int_equal(cfg.tpm_idle, 86400);
    READ("tpm-idle", "86401");
    not_idle();
    READ("tpm-idle", "-1");
    not_idle();
    READ("tpm-idle", "5s");
    not_idle();
}

static void environment_wins(void **state)
{
    (void)state;
    setenv("HWKEY_TCTI", "swtpm", 1);
    setenv("HWKEY_PKCS11_MODULE", "", 1); /* empty is not there */
    READ("tcti", "tabrmd", "pkcs11-module", "/a.so");
    assert_string_equal(cfg.tcti, "swtpm");
    assert_string_equal(cfg.pkcs11_module, "/a.so");
    setenv("HWKEY_PIN", "", 1); /* but an empty PIN is a PIN */
    READ("tcti", "tabrmd");
    assert_non_null(cfg.pin);
    assert_int_equal(cfg.pin->n, 0);
}

static void others_names(void **state)
{
    (void)state;
    setenv("PKCS11_MODULE_PATH", "/b.so", 1);
    READ("pkcs11-module", "/a.so");
    assert_string_equal(cfg.pkcs11_module, "/a.so");
    READ("activate", "1");
    assert_string_equal(cfg.pkcs11_module, "/b.so");
    setenv("PKCS11_PROVIDER_MODULE", "/c.so", 1);
    setenv("PKCS11_PIN", "12", 1);
    READ("activate", "1");
    assert_string_equal(cfg.pkcs11_module, "/c.so");
    assert_string_equal(cfg.pin->p, "12");
    READ("pin-source", "/run/p");
    assert_null(cfg.pin);
    setenv("HWKEY_PIN", "34", 1);
    READ("pin-source", "/run/p");
    assert_string_equal(cfg.pin->p, "34");
    assert_null(cfg.parent_pin);
    setenv("TPM2OPENSSL_PARENT_AUTH", "56", 1);
    READ("activate", "1");
    assert_string_equal(cfg.parent_pin->p, "56");
    READ("parent-pin-source", "/run/q");
    assert_null(cfg.parent_pin);
    setenv("HWKEY_PARENT_PIN", "78", 1);
    READ("parent-pin-source", "/run/q");
    assert_string_equal(cfg.parent_pin->p, "78");
}

static void mistakes(void **state)
{
    static const struct {
        const char *pair[3], *says, *allowed;
    } wrong[] = {
        {{"load-default", "perhaps", NULL}, "load-default: 'perhaps'", "yes"},
        {{"wrapper-files", "", NULL}, "wrapper-files: ''", "yes or no"},
        {{"block-operations", "store rsa", NULL}, "'store rsa'", "asymcipher"},
        {{"debug", "/x:all", NULL}, "debug: '/x:all'", ":calls"},
        {{"debug", ":info", NULL}, "debug: ':info'", "FILE"},
        {{"pkcs11_module", "/a.so", NULL}, "pkcs11_module", "'pkcs11-module'"},
        {{"pkcs11-module-path", "x", NULL}, "module-path", "'pkcs11-module'"},
        {{"force_login", "1", NULL}, "force_login", "'login'"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        hwk_config_clear(&cfg);
        section = wrong[i].pair;
        assert_int_equal(hwk_config_read(&cfg, from_section, NULL), 1);
        assert_int_equal(ERR_peek_error(), 0);
        assert_non_null(cfg.error);
        assert_non_null(strstr(cfg.error, wrong[i].says));
        assert_non_null(strstr(cfg.error, wrong[i].allowed));
        assert_true(cfg.load_default && cfg.wrapper_files);
        assert_int_equal(hwk_config_check(&cfg), 0);
        assert_int_equal(hwk_reason(), HWK_R_CONFIG);
    }
}

static void first_mistake_stays(void **state)
{
    (void)state;
    setenv("HWKEY_BLOCK_OPERATIONS", "all", 1);
    READ("load-default", "so");
    assert_non_null(strstr(cfg.error, "HWKEY_BLOCK_OPERATIONS: 'all'"));
    hwk_config_wrong(&cfg, "another");
    assert_null(strstr(cfg.error, "another"));
}

static void long_pin(void **state)
{
    char pin[HWK_PIN_MAX + 2];

    (void)state;
    memset(pin, '1', sizeof(pin));
    pin[sizeof(pin) - 1] = 0;
    setenv("HWKEY_PIN", pin, 1);
    READ("activate", "1");
    assert_null(cfg.pin);
    assert_non_null(strstr(cfg.error, "HWKEY_PIN"));
    pin[HWK_PIN_MAX] = 0;
    setenv("HWKEY_PIN", pin, 1);
    READ("activate", "1");
    assert_null(cfg.error);
    assert_int_equal(cfg.pin->n, HWK_PIN_MAX);
}

static void arguments_of_modules(void **state)
{
    const char *path = "/usr/lib/libsoft.so";

    (void)state;
    READ("pkcs11-module", "/usr/lib/libsoft.so:nss.so.3:/c.so",
         "pkcs11-init-args", "all", "pkcs11-init-args.soft", "one",
         "pkcs11-init-args.nss", "two");
    assert_null(cfg.error);
    assert_string_equal(hwk_config_init_args(&cfg, path, strlen(path)), "one");
    assert_string_equal(hwk_config_init_args(&cfg, "nss.so.3", 8), "two");
    assert_string_equal(hwk_config_init_args(&cfg, "/c.so", 5), "all");
    assert_true(hwk_module_named(path, strlen(path), "SOFT", 4));
    assert_true(hwk_module_named(path, strlen(path), "libsoft", 7));
    assert_false(hwk_module_named(path, strlen(path), "sof", 3));
}

/* --- openssl.cnf --- */

static char dir[256];

static int write_conf(const char *settings, char path[static 300])
{
    FILE *f;

    snprintf(path, 300, "%s/openssl.cnf", dir);
    f = fopen(path, "w");
    if (f == NULL)
        return 0;
    fprintf(f,
            "openssl_conf = i\n[i]\nproviders = p\n[p]\ndefault = d\n"
            "hwkey = h\n[d]\nactivate = 1\n[h]\nactivate = 1\n%s\n",
            settings);
    return fclose(f) == 0;
}

/* a context as a program has it whose openssl.cnf says so */
static int world_from(struct world *w, const char *settings)
{
    char path[300];

    memset(w, 0, sizeof(*w));
    w->libctx = OSSL_LIB_CTX_new();
    return write_conf(settings, path) &&
           OSSL_PROVIDER_add_builtin(w->libctx, "hwkey", hwk_provider_init) &&
           OSSL_LIB_CTX_load_config(w->libctx, path) &&
           OSSL_PROVIDER_available(w->libctx, "hwkey");
}

static int begin(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "%s/hwkconf.XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int end(void **state)
{
    char command[300];

    clean(state);
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

/* software goes on; the URI says what is wrong */
static void expect_wrong(const char *settings, const char *says)
{
    struct world w;
    EVP_PKEY *key;
    EVP_MD *md;
    const char *text;
    int flags;

    assert_true(world_from(&w, settings));
    assert_int_equal(ERR_peek_error(), 0);
    md = EVP_MD_fetch(w.libctx, "SHA256", NULL);
    assert_non_null(md);
    EVP_MD_free(md);
    key = EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", "P-256");
    assert_non_null(key);
    EVP_PKEY_free(key);
    assert_null(
        open_key(&w, "pkcs11:token=x;object=y", OSSL_STORE_INFO_PKEY, NULL));
    ERR_peek_last_error_all(NULL, NULL, NULL, &text, &flags);
    assert_non_null(strstr(text, says));
    assert_int_equal(hwk_reason(), HWK_R_CONFIG);
    world_close(&w);
}

static void wrong_settings_stop_nothing(void **state)
{
    (void)state;
    expect_wrong("load-default = perhaps", "load-default: 'perhaps'");
    expect_wrong("block-operations = none", "block-operations: 'none'");
    expect_wrong("pin_source = /x", "pin_source");
    expect_wrong("", "no PKCS#11 module");
}

static void missing_module(void **state)
{
    struct world w;

    (void)state;
    assert_true(world_from(&w, "pkcs11-module = /nowhere/module.so"));
    assert_null(
        open_key(&w, "pkcs11:token=x;object=y", OSSL_STORE_INFO_PKEY, NULL));
    assert_int_equal(hwk_reason(), HWK_R_MODULE);
    world_close(&w);
}

static void arguments_in_a_section(void **state)
{
    struct world w;

    (void)state;
    assert_true(world_from(&w, "pkcs11-module = /a.so\n"
                               "pkcs11-init-args = args\n[args]\na = one"));
    assert_null(
        open_key(&w, "pkcs11:token=x;object=y", OSSL_STORE_INFO_PKEY, NULL));
    assert_int_equal(hwk_reason(), HWK_R_MODULE);
    world_close(&w);
}

static bool fetches(struct world *w, const char *name)
{
    EVP_SIGNATURE *s = EVP_SIGNATURE_fetch(w->libctx, name, "provider=hwkey");
    bool there = s != NULL;

    EVP_SIGNATURE_free(s);
    ERR_clear_error();
    return there;
}

static void blocked_operations(void **state)
{
    EVP_KEYMGMT *keys;
    struct world w;

    (void)state;
    assert_true(world_from(&w, ""));
    assert_true(fetches(&w, "ECDSA"));
    world_close(&w);
    assert_true(world_from(&w, "block-operations = signature store"));
    assert_false(fetches(&w, "ECDSA"));
    keys = EVP_KEYMGMT_fetch(w.libctx, "EC", "provider=hwkey");
    assert_non_null(keys);
    EVP_KEYMGMT_free(keys);
    assert_null(open_key(&w, "pkcs11:token=x", OSSL_STORE_INFO_PKEY, NULL));
    assert_int_equal(hwk_reason(), 0);
    world_close(&w);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup(fn, clean)
    const struct CMUnitTest tests[] = {
        CASE(defaults),
        CASE(every_kind),
        CASE(salt_keys),
        CASE(others_tcti),
        CASE(idle),
        CASE(environment_wins),
        CASE(others_names),
        CASE(mistakes),
        CASE(first_mistake_stays),
        CASE(long_pin),
        CASE(arguments_of_modules),
        CASE(wrong_settings_stop_nothing),
        CASE(missing_module),
        CASE(arguments_in_a_section),
        CASE(blocked_operations),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
