/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration and PINs: openssl.cnf, the environment, files, the prompt. */
#ifndef HWK_ENV_H
#define HWK_ENV_H

#include "provider/device.h"
#include "provider/uri.h"

#define HWK_PIN_MAX 256

/* Bytes in secure memory, wiped when freed. */
struct hwk_secret {
    size_t n;
    char p[HWK_PIN_MAX + 1]; /* NUL-terminated besides */
};
struct hwk_secret *hwk_secret_new(const void *p, size_t n);
struct hwk_secret *hwk_secret_dup(const struct hwk_secret *secret);
bool hwk_secret_eq(const struct hwk_secret *a, const struct hwk_secret *b);
void hwk_secret_free(struct hwk_secret *secret); /* NULL is fine */

/*
 * What openssl.cnf's section of the provider and the environment say; the
 * environment wins, and is not read in a program with raised privileges.
 *
 *   pkcs11-module      HWKEY_PKCS11_MODULE  paths of modules, ':' between
 *   pkcs11-init-args                        string for C_Initialize
 *   allow-module-path                       yes: module-path= of a URI may
 *                                           name a module not listed
 *   tcti               HWKEY_TCTI           as tpm2-tss names it
 *   tpm-lock           HWKEY_TPM_LOCK       file that holders of the TPM lock
 *   pin-source         HWKEY_PIN_FILE       file with a PIN in its first line
 *                      HWKEY_PIN            the PIN itself
 *   wrapper-files                           no: no PEM files that stand for
 *                                           keys; parsing any certificate in
 *                                           the process gets cheaper
 *   load-default                            no: do not load "default" first
 */
struct hwk_config {
    char *pkcs11_module;
    char *pkcs11_init_args;
    char *tcti;
    char *tpm_lock;
    char *pin_source;
    bool allow_module_path;
    bool load_default;
    bool wrapper_files;
    struct hwk_secret *pin; /* HWKEY_PIN */
};
void hwk_config_clear(struct hwk_config *cfg);

/*
 * Where a PIN may come from, in this order: pin-value of the URI, pin-source of
 * the URI, HWKEY_PIN, pin-source of the configuration, the prompt (the
 * passphrase callback of OSSL_STORE, or what hwk_device_ops.open was given).
 */
struct hwk_pin_ask {
    const struct hwk_config *cfg;
    const struct hwk_uri *uri;
    const struct hwk_pin_source *prompt; /* NULL: nobody to ask */
};

/* Finds a PIN for what ("token 'x'"). 1 with *out for the caller to free; 0
 * with HWK_R_PIN_MISSING, HWK_R_FILE ... Call it with no lock held: it may
 * call the application. An empty PIN is a PIN. */
int hwk_pin_get(const struct hwk_pin_ask *ask, const char *what,
                struct hwk_secret **out);

/* Whether hwk_pin_get would have one without asking anybody. */
bool hwk_pin_at_hand(const struct hwk_pin_ask *ask);

/* A file whole, at most max bytes, into OPENSSL_malloc'ed *out (NUL after the
 * end). 0 with HWK_R_FILE that names it. */
int hwk_file_read(const char *path, size_t max, uint8_t **out, size_t *n);

#endif
