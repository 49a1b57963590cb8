/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: the provider's section of openssl.cnf and the environment. */
#ifndef HWK_CONF_H
#define HWK_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "provider/log.h"

struct hwk_secret;

/* One setting of the section by name, lent; NULL: not there. */
typedef const char *hwk_config_get_fn(void *arg, const char *name);

/* login = ... : when C_Login is called on a token that has a PIN */
enum hwk_login {
    HWK_LOGIN_AUTO, /* for private keys; or when a URI that carries a PIN names
                       something that is not seen without */
    HWK_LOGIN_ALWAYS, /* also before public keys and certificates are looked
                         for */
    HWK_LOGIN_NEVER,  /* somebody else logs in, or nobody */
};

/* tpm-idle = 0: a TPM's connection is given up after each operation */
#define HWK_TPM_IDLE_AT_ONCE (~0u)

/* tpm-sessions = ... : which commands to a TPM are protected on their way */
enum hwk_protect {
    HWK_PROTECT_AUTO,   /* those with an auth value or another secret */
    HWK_PROTECT_ALWAYS, /* all that are authorised */
    HWK_PROTECT_NEVER,
};

/* salt-key = HANDLE NAME */
struct hwk_salt_key {
    uint32_t handle; /* 0: none given */
    size_t name_n;   /* 0: not pinned */
    uint8_t name[66];
};

/* pkcs11-init-args of one module */
struct hwk_module_args {
    struct hwk_module_args *next;
    char *name; /* as module-name= of a URI has it */
    char *args;
};

/* Lends a library context that has the default provider and nothing of the
 * application's; NULL with a reason. */
typedef OSSL_LIB_CTX *hwk_config_soft_fn(void *arg);

/*
 * What openssl.cnf's section of the provider and the environment say; conf.c
 * has the table of names, hwkey-provider(7) what each does. The environment
 * wins, and is not read in a program with raised privileges. All zero is the
 * default of every member but those that say otherwise.
 */
struct hwk_config {
    char *pkcs11_module; /* paths, ':' between */
    char *pkcs11_init_args;
    struct hwk_module_args *module_args;
    char *tcti;
    char *tpm_lock;
    char *pin_source, *parent_pin_source;
    enum hwk_protect tpm_sessions;
    unsigned tpm_idle; /* seconds, or HWK_TPM_IDLE_AT_ONCE; 0: never */
    struct hwk_salt_key salt_key;
    bool allow_module_path;
    bool allow_import;  /* private keys of files may be put into tokens */
    bool load_default;  /* by default true */
    bool wrapper_files; /* by default true */
    bool der_files;     /* these not only in PEM: one decoder more */
    bool typed_files;   /* these by decoders of one type of key: six more */
    bool cache_pin;     /* by default true */
    bool pin_final_try;
    enum hwk_login login;
    unsigned max_sessions; /* of each token; 0: as many as are needed */
    uint32_t blocked;      /* operations: 1 << OSSL_OP_x */
    char *log_path;
    enum hwk_log_level log_level;
    struct hwk_secret *pin;        /* HWKEY_PIN, PKCS11_PIN */
    struct hwk_secret *parent_pin; /* HWKEY_PARENT_PIN, or what another
                                      provider calls it */
    char *error;                   /* the first wrong setting, in words */
    char *policy, *policy_keys;    /* of TPM keys */
    hwk_config_get_fn *get; /* what read was given, for settings whose name is
                               made of a handle; it outlives cfg's use */
    void *get_arg;
    hwk_config_soft_fn *soft; /* NULL: who needs such a context makes his own */
    void *soft_arg;
};

/* The setting of that name as it is now, lent; NULL: not there. */
const char *hwk_config_get(const struct hwk_config *cfg, const char *name);

/* Reads everything. A wrong value never fails, or one wrong setting would stop
 * every program of the machine: it is kept as cfg->error, with the default in
 * its place. 0 only when out of memory. */
int hwk_config_read(struct hwk_config *cfg, hwk_config_get_fn *get, void *arg);
void hwk_config_clear(struct hwk_config *cfg);

/* Makes something wrong known (unless something was before). */
void hwk_config_wrong(struct hwk_config *cfg, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Before a device is used: 1, or 0 with HWK_R_CONFIG that says what is wrong.
 * cfg may be NULL. */
int hwk_config_check(const struct hwk_config *cfg);

/* Its part for each of the modules that it lists; 0 without memory. */
int hwk_config_read_modules(struct hwk_config *cfg, hwk_config_get_fn *get,
                            void *arg);
void hwk_config_clear_modules(struct hwk_config *cfg);

/* The argument of C_Initialize for the module at path[n], lent; may be NULL. */
const char *hwk_config_init_args(const struct hwk_config *cfg, const char *path,
                                 size_t n);

/* Is name[name_n] what RFC 7512 2.3 calls the module at path[n]: the file's
 * name without "lib" in front and what follows the first dot, in any case? */
bool hwk_module_named(const char *path, size_t n, const char *name,
                      size_t name_n);

/* The PIN of the environment as it is now; NULL when there is none. */
const char *hwk_config_env_pin(void);

#endif
