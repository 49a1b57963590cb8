/* SPDX-License-Identifier: Apache-2.0 */
/* PINs: where they come from and how they are kept. */
#ifndef HWK_ENV_H
#define HWK_ENV_H

#include "provider/conf.h"
#include "provider/device.h"
#include "provider/uri.h"

#define HWK_PIN_MAX 256

enum hwk_pin_from {
    HWK_PIN_URI = 1,  /* pin-value */
    HWK_PIN_URI_FILE, /* pin-source of the URI */
    HWK_PIN_ENV,      /* HWKEY_PIN */
    HWK_PIN_FILE,     /* pin-source of the configuration, HWKEY_PIN_FILE */
    HWK_PIN_PROMPT,   /* somebody typed it now */
};
const char *hwk_pin_from_name(enum hwk_pin_from from); /* "prompt" ... */

/* Bytes in a locked page of their own that no core dump has, wiped when
 * freed. (The secure heap of libcrypto is ordinary memory in a program that did
 * not set it up.) */
struct hwk_secret {
    enum hwk_pin_from from; /* 0: from none of these */
    size_t n;
    char p[HWK_PIN_MAX + 1]; /* NUL-terminated besides */
};
struct hwk_secret *hwk_secret_new(const void *p, size_t n);
struct hwk_secret *hwk_secret_dup(const struct hwk_secret *secret);
bool hwk_secret_eq(const struct hwk_secret *a, const struct hwk_secret *b);
void hwk_secret_free(struct hwk_secret *secret); /* NULL is fine */
/* A child of a fork locks its copy again; NULL is fine, from any handler. */
void hwk_secret_forked(struct hwk_secret *secret);

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

/* The same for what a key is loaded under: parent-pin-value and
 * parent-pin-source of the URI, HWKEY_PARENT_PIN, parent-pin-source of the
 * configuration; nobody is asked. *out NULL: nothing says of one. */
int hwk_pin_get_parent(const struct hwk_pin_ask *ask, const char *what,
                       struct hwk_secret **out);

/* Whether hwk_pin_get would have one without asking anybody. */
bool hwk_pin_at_hand(const struct hwk_pin_ask *ask);

/* The file that a PIN of that origin was read from, lent; NULL: from none. */
const char *hwk_pin_file(const struct hwk_pin_ask *ask, enum hwk_pin_from from);

/* The same PIN once more, for who keeps none: from the file or the environment
 * that it came from; file may be NULL. 0 with HWK_R_PIN_MISSING when that is
 * neither, HWK_R_FILE ... */
int hwk_pin_again(enum hwk_pin_from from, const char *file, const char *what,
                  struct hwk_secret **out);

/* A file whole, at most max bytes, into OPENSSL_malloc'ed *out (NUL after the
 * end). 0 with HWK_R_FILE that names it. */
int hwk_file_read(const char *path, size_t max, uint8_t **out, size_t *n);

#endif
