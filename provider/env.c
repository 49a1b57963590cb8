/* SPDX-License-Identifier: Apache-2.0 */
/* Files, secrets and where a PIN comes from. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

#include "provider/env.h"
#include "provider/err.h"

/* --- secrets --- */

static struct hwk_secret *new_page(enum hwk_pin_from from)
{
    struct hwk_secret *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (s == MAP_FAILED) {
        hwk_raise(HWK_R_MEMORY, "PIN");
        return NULL;
    }
    if (mlock(s, sizeof(*s)) != 0)
        hwk_log(HWK_LOG_INFO, "pin", "memory", "not locked", "why",
                strerror(errno));
    madvise(s, sizeof(*s), MADV_DONTDUMP);
    s->from = from;
    return s;
}

struct hwk_secret *hwk_secret_new(const void *p, size_t n)
{
    struct hwk_secret *s;

    if (n > HWK_PIN_MAX) {
        hwk_raise(HWK_R_ARGUMENT, "a PIN of more than %d bytes", HWK_PIN_MAX);
        return NULL;
    }
    s = new_page(0);
    if (s == NULL)
        return NULL;
    s->n = n;
    if (n > 0)
        memcpy(s->p, p, n);
    return s;
}

struct hwk_secret *hwk_secret_dup(const struct hwk_secret *secret)
{
    struct hwk_secret *dup = hwk_secret_new(secret->p, secret->n);

    if (dup != NULL)
        dup->from = secret->from;
    return dup;
}

bool hwk_secret_eq(const struct hwk_secret *a, const struct hwk_secret *b)
{
    return a->n == b->n && CRYPTO_memcmp(a->p, b->p, a->n) == 0;
}

void hwk_secret_free(struct hwk_secret *secret)
{
    if (secret == NULL)
        return;
    OPENSSL_cleanse(secret, sizeof(*secret));
    munmap(secret, sizeof(*secret));
}

void hwk_secret_forked(struct hwk_secret *secret)
{
    if (secret != NULL)
        mlock(secret, sizeof(*secret));
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

/* what is before the ':' of a URI; 0: source is a path */
static size_t scheme_length(const char *source)
{
    size_t n = strspn(source, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

    return source[n] == ':' ? n : 0;
}

static int percent_decode(char *text)
{
    char *out = text;

    for (; *text != 0; text++) {
        int hi, lo;

        if (*text != '%') {
            *out++ = *text;
            continue;
        }
        hi = OPENSSL_hexchar2int((unsigned char)text[1]);
        lo = hi >= 0 ? OPENSSL_hexchar2int((unsigned char)text[2]) : -1;
        if (lo < 0 || (hi == 0 && lo == 0))
            return hwk_raise(HWK_R_BAD_URI,
                             "pin-source: '%%' without two hex digits");
        *out++ = (char)(hi << 4 | lo);
        text += 2;
    }
    *out = 0;
    return 1;
}

/* A path, or file:/path, file:///path, file://localhost/path (RFC 8089),
 * OPENSSL_malloc'ed. */
static int source_path(const char *source, char **out)
{
    size_t scheme = scheme_length(source);

    if (source[0] == '|')
        return hwk_raise(HWK_R_BAD_URI, "pin-source: commands are not run");
    if (scheme > 0 && (scheme != 4 || strncasecmp(source, "file", 4) != 0))
        return hwk_raise(HWK_R_BAD_URI, "pin-source: %.*s: only files are read",
                         (int)(scheme < 16 ? scheme : 16), source);
    if (scheme > 0)
        source += 5;
    if (scheme > 0 && strncmp(source, "//", 2) == 0) {
        source += 2;
        if (strncasecmp(source, "localhost/", 10) == 0)
            source += 9;
        if (source[0] != '/')
            return hwk_raise(HWK_R_BAD_URI,
                             "pin-source: a file of another machine");
    }
    *out = OPENSSL_strdup(source);
    if (*out == NULL)
        return hwk_raise(HWK_R_MEMORY, "pin-source");
    if (scheme == 0 || percent_decode(*out))
        return 1;
    OPENSSL_free(*out);
    return 0;
}

/* others must not read it; that is for who looks after the machine */
static void note_mode(FILE *f, const char *path)
{
    struct stat st;
    char mode[8];

    if (!hwk_log_on(HWK_LOG_INFO) || fstat(fileno(f), &st) != 0)
        return;
    snprintf(mode, sizeof(mode), "%03o", (unsigned)st.st_mode & 0777);
    if ((st.st_mode & (S_IRGRP | S_IROTH)) != 0)
        hwk_log(HWK_LOG_INFO, "pin", "file", path, "mode", mode, "warning",
                "others can read it");
}

/* what a file begins with, straight into the locked page */
static int first_line(FILE *f, const char *path, struct hwk_secret *pin)
{
    char *end;
    size_t got;

    setvbuf(f, NULL, _IONBF, 0); /* no copy in stdio's buffer */
    got = fread(pin->p, 1, sizeof(pin->p), f);
    if (ferror(f))
        return hwk_raise(HWK_R_FILE, "%s: %s", path, strerror(errno));
    end = memchr(pin->p, '\n', got);
    pin->n = end != NULL ? (size_t)(end - pin->p) : got;
    if (pin->n > 0 && pin->p[pin->n - 1] == '\r')
        pin->n--;
    memset(pin->p + pin->n, 0, sizeof(pin->p) - pin->n);
    return pin->n <= HWK_PIN_MAX ||
           hwk_raise(HWK_R_FILE, "%s: a PIN of more than %d bytes", path,
                     HWK_PIN_MAX);
}

static int read_pin(const char *path, enum hwk_pin_from from,
                    struct hwk_secret **out)
{
    FILE *f = fopen(path, "rbe");
    int ok;

    if (f == NULL)
        return hwk_raise(HWK_R_FILE, "pin-source: %s: %s", path,
                         strerror(errno));
    note_mode(f, path);
    *out = new_page(from);
    ok = *out != NULL && first_line(f, path, *out);
    fclose(f);
    return ok;
}

static int pin_from_file(const char *source, enum hwk_pin_from from,
                         struct hwk_secret **out)
{
    char *path;
    int ok;

    *out = NULL;
    if (!source_path(source, &path))
        return 0;
    ok = read_pin(path, from, out);
    OPENSSL_free(path);
    if (ok)
        return 1;
    hwk_secret_free(*out);
    *out = NULL;
    return 0;
}

/* --- PINs --- */

const char *hwk_pin_from_name(enum hwk_pin_from from)
{
    static const char *const names[] = {
        [HWK_PIN_URI] = "the URI",
        [HWK_PIN_URI_FILE] = "pin-source of the URI",
        [HWK_PIN_ENV] = "the environment",
        [HWK_PIN_FILE] = "pin-source",
        [HWK_PIN_PROMPT] = "the prompt",
    };

    return names[from];
}

static int pin_from_prompt(const struct hwk_pin_source *prompt,
                           const char *what, struct hwk_secret **out)
{
    struct hwk_secret *pin = new_page(HWK_PIN_PROMPT);

    if (pin == NULL)
        return 0;
    if (prompt->get(prompt->arg, what, pin->p, HWK_PIN_MAX, &pin->n) &&
        pin->n <= HWK_PIN_MAX) {
        pin->p[pin->n] = 0;
        *out = pin;
        return 1;
    }
    hwk_secret_free(pin);
    return hwk_raise(HWK_R_PIN_MISSING, "%s: nobody gave a PIN", what);
}

/* 0: there is nothing but to ask */
static enum hwk_pin_from origin(const struct hwk_pin_ask *ask)
{
    const struct hwk_uri *uri = ask->uri;
    const struct hwk_config *cfg = ask->cfg;

    if (uri != NULL && uri->pin_value.p != NULL)
        return HWK_PIN_URI;
    if (uri != NULL && uri->pin_source.p != NULL)
        return HWK_PIN_URI_FILE;
    if (cfg != NULL && cfg->pin != NULL)
        return HWK_PIN_ENV;
    return cfg != NULL && cfg->pin_source != NULL ? HWK_PIN_FILE : 0;
}

bool hwk_pin_at_hand(const struct hwk_pin_ask *ask)
{
    return origin(ask) != 0;
}

const char *hwk_pin_file(const struct hwk_pin_ask *ask, enum hwk_pin_from from)
{
    if (from == HWK_PIN_URI_FILE)
        return (const char *)ask->uri->pin_source.p;
    return from == HWK_PIN_FILE ? ask->cfg->pin_source : NULL;
}

static int given(const void *p, size_t n, enum hwk_pin_from from,
                 struct hwk_secret **out)
{
    *out = hwk_secret_new(p, n);
    if (*out != NULL)
        (*out)->from = from;
    return *out != NULL;
}

int hwk_pin_get(const struct hwk_pin_ask *ask, const char *what,
                struct hwk_secret **out)
{
    enum hwk_pin_from from = origin(ask);

    *out = NULL;
    switch (from) {
    case HWK_PIN_URI:
        return given(ask->uri->pin_value.p, ask->uri->pin_value.n, from, out);
    case HWK_PIN_ENV:
        return given(ask->cfg->pin->p, ask->cfg->pin->n, from, out);
    case HWK_PIN_URI_FILE:
    case HWK_PIN_FILE:
        return pin_from_file(hwk_pin_file(ask, from), from, out);
    default:
        if (ask->prompt != NULL)
            return pin_from_prompt(ask->prompt, what, out);
        return hwk_raise(HWK_R_PIN_MISSING,
                         "%s: no PIN in the URI, the environment or a file, "
                         "and nobody to ask",
                         what);
    }
}

int hwk_pin_get_parent(const struct hwk_pin_ask *ask, const char *what,
                       struct hwk_secret **out)
{
    struct hwk_config cfg = {.pin = NULL};
    struct hwk_uri uri = {.scheme = HWK_SCHEME_TPM2};
    const struct hwk_pin_ask parent = {&cfg, &uri, NULL};

    if (ask->cfg != NULL) {
        cfg.pin = ask->cfg->parent_pin;
        cfg.pin_source = ask->cfg->parent_pin_source;
    }
    if (ask->uri != NULL) {
        uri.pin_value = ask->uri->parent_pin_value;
        uri.pin_source = ask->uri->parent_pin_source;
    }
    *out = NULL;
    return !hwk_pin_at_hand(&parent) || hwk_pin_get(&parent, what, out);
}

int hwk_pin_again(enum hwk_pin_from from, const char *file, const char *what,
                  struct hwk_secret **out)
{
    const char *pin = from == HWK_PIN_ENV ? hwk_config_env_pin() : NULL;

    *out = NULL;
    if (pin != NULL)
        return given(pin, strlen(pin), from, out);
    if (file != NULL)
        return pin_from_file(file, from, out);
    return hwk_raise(HWK_R_PIN_MISSING,
                     "%s: cache-pin = no keeps none, and that from %s cannot "
                     "be had again: name a pin-source",
                     what, hwk_pin_from_name(from));
}
