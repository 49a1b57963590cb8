/* SPDX-License-Identifier: Apache-2.0 */
/* Files, secrets and where a PIN comes from. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "provider/env.h"
#include "provider/err.h"

/* --- secrets --- */

struct hwk_secret *hwk_secret_new(const void *p, size_t n)
{
    struct hwk_secret *s;

    if (n > HWK_PIN_MAX) {
        hwk_raise(HWK_R_ARGUMENT, "a PIN of more than %d bytes", HWK_PIN_MAX);
        return NULL;
    }
    s = OPENSSL_secure_zalloc(sizeof(*s));
    if (s == NULL) {
        hwk_raise(HWK_R_MEMORY, "PIN");
        return NULL;
    }
    s->n = n;
    if (n > 0)
        memcpy(s->p, p, n);
    return s;
}

struct hwk_secret *hwk_secret_dup(const struct hwk_secret *secret)
{
    return hwk_secret_new(secret->p, secret->n);
}

bool hwk_secret_eq(const struct hwk_secret *a, const struct hwk_secret *b)
{
    return a->n == b->n && CRYPTO_memcmp(a->p, b->p, a->n) == 0;
}

void hwk_secret_free(struct hwk_secret *secret)
{
    if (secret != NULL)
        OPENSSL_secure_clear_free(secret, sizeof(*secret));
}

void hwk_config_clear(struct hwk_config *cfg)
{
    OPENSSL_free(cfg->pkcs11_module);
    OPENSSL_free(cfg->pkcs11_init_args);
    OPENSSL_free(cfg->tcti);
    OPENSSL_free(cfg->tpm_lock);
    OPENSSL_free(cfg->pin_source);
    hwk_secret_free(cfg->pin);
    memset(cfg, 0, sizeof(*cfg));
}

/* --- files --- */

static int slurp(FILE *f, const char *path, size_t max, uint8_t **out,
                 size_t *n)
{
    uint8_t *p = OPENSSL_zalloc(max + 2);
    size_t got;

    if (p == NULL)
        return hwk_raise(HWK_R_MEMORY, "%s", path);
    got = fread(p, 1, max + 1, f);
    if (ferror(f) || got > max) {
        OPENSSL_clear_free(p, max + 2);
        return hwk_raise(HWK_R_FILE, "%s: %s", path,
                         ferror(f) ? strerror(errno) : "too large");
    }
    p[got] = 0;
    *out = p;
    *n = got;
    return 1;
}

int hwk_file_read(const char *path, size_t max, uint8_t **out, size_t *n)
{
    FILE *f = fopen(path, "rbe");
    int ok;

    if (f == NULL)
        return hwk_raise(HWK_R_FILE, "%s: %s", path, strerror(errno));
    setvbuf(f, NULL, _IONBF, 0); /* no copy of a PIN in stdio's buffer */
    ok = slurp(f, path, max, out, n);
    fclose(f);
    return ok;
}

/* file:/path, file:///path, file://localhost/path or a path */
static const char *source_path(const char *source)
{
    if (strncasecmp(source, "file:", 5) != 0)
        return source;
    source += 5;
    if (strncmp(source, "//", 2) != 0)
        return source;
    source += 2;
    return strncasecmp(source, "localhost/", 10) == 0 ? source + 9 : source;
}

static int pin_from_file(const char *source, struct hwk_secret **out)
{
    uint8_t *p;
    size_t n, len;

    if (source[0] == '|')
        return hwk_raise(HWK_R_BAD_URI, "pin-source: commands are not run");
    if (!hwk_file_read(source_path(source), HWK_PIN_MAX + 2, &p, &n))
        return 0;
    len = strcspn((char *)p, "\r\n");
    *out = hwk_secret_new(p, len);
    OPENSSL_clear_free(p, HWK_PIN_MAX + 4);
    return *out != NULL;
}

/* --- PINs --- */

static int pin_from_prompt(const struct hwk_pin_source *prompt,
                           const char *what, struct hwk_secret **out)
{
    char *pin = OPENSSL_secure_zalloc(HWK_PIN_MAX);
    size_t n = 0;

    if (pin == NULL)
        return hwk_raise(HWK_R_MEMORY, "PIN");
    if (!prompt->get(prompt->arg, what, pin, HWK_PIN_MAX, &n))
        hwk_raise(HWK_R_PIN_MISSING, "%s: nobody gave a PIN", what);
    else if (n <= HWK_PIN_MAX)
        *out = hwk_secret_new(pin, n);
    OPENSSL_secure_clear_free(pin, HWK_PIN_MAX);
    return *out != NULL;
}

bool hwk_pin_at_hand(const struct hwk_pin_ask *ask)
{
    return (ask->uri != NULL && (ask->uri->pin_value.p != NULL ||
                                 ask->uri->pin_source.p != NULL)) ||
           (ask->cfg != NULL &&
            (ask->cfg->pin != NULL || ask->cfg->pin_source != NULL));
}

int hwk_pin_get(const struct hwk_pin_ask *ask, const char *what,
                struct hwk_secret **out)
{
    const struct hwk_uri *uri = ask->uri;
    const struct hwk_config *cfg = ask->cfg;

    *out = NULL;
    if (uri != NULL && uri->pin_value.p != NULL)
        *out = hwk_secret_new(uri->pin_value.p, uri->pin_value.n);
    else if (uri != NULL && uri->pin_source.p != NULL)
        return pin_from_file((const char *)uri->pin_source.p, out);
    else if (cfg != NULL && cfg->pin != NULL)
        *out = hwk_secret_dup(cfg->pin);
    else if (cfg != NULL && cfg->pin_source != NULL)
        return pin_from_file(cfg->pin_source, out);
    else if (ask->prompt != NULL)
        return pin_from_prompt(ask->prompt, what, out);
    else
        return hwk_raise(HWK_R_PIN_MISSING,
                         "%s: no PIN in the URI, the environment or a file, "
                         "and nobody to ask",
                         what);
    return *out != NULL;
}
