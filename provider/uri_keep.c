/* SPDX-License-Identifier: Apache-2.0 */
/* Names of keys and objects: keeping, copying and writing them. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "provider/err.h"
#include "provider/uri.h"

#define AT(member) offsetof(struct hwk_uri, member)

/* --- what the struct holds --- */

static const size_t owned[] = {
    AT(token),
    AT(manufacturer),
    AT(model),
    AT(serial),
    AT(library_manufacturer),
    AT(library_description),
    AT(slot_manufacturer),
    AT(slot_description),
    AT(module_name),
    AT(module_path),
    AT(object),
    AT(id),
    AT(path),
    AT(template),
    AT(pin_value),
    AT(pin_source),
    AT(parent_pin_value),
    AT(parent_pin_source),
};
#define OWNED (sizeof(owned) / sizeof(owned[0]))

void hwk_uri_clear(struct hwk_uri *uri)
{
    size_t i;

    for (i = 0; i < OWNED; i++) {
        struct hwk_str *s = (struct hwk_str *)(void *)((char *)uri + owned[i]);

        if (s->p != NULL)
            OPENSSL_clear_free(s->p, s->n + 1);
    }
    memset(uri, 0, sizeof(*uri));
}

bool hwk_uri_names_token(const struct hwk_uri *uri)
{
    return uri->token.p != NULL || uri->serial.p != NULL ||
           uri->manufacturer.p != NULL || uri->model.p != NULL ||
           uri->slot_manufacturer.p != NULL ||
           uri->slot_description.p != NULL || uri->has_slot_id;
}

static bool is_pin(size_t at)
{
    return at == AT(pin_value) || at == AT(pin_source) ||
           at == AT(parent_pin_value) || at == AT(parent_pin_source);
}

int hwk_uri_copy(const struct hwk_uri *uri, struct hwk_uri *out)
{
    size_t i;

    *out = *uri;
    for (i = 0; i < OWNED; i++)
        *(struct hwk_str *)(void *)((char *)out + owned[i]) =
            (struct hwk_str){NULL, 0};
    for (i = 0; i < OWNED; i++) {
        const struct hwk_str *s =
            (const struct hwk_str *)(const void *)((const char *)uri +
                                                   owned[i]);
        struct hwk_str *d = (struct hwk_str *)(void *)((char *)out + owned[i]);

        if (s->p == NULL || is_pin(owned[i]))
            continue;
        d->n = s->n;
        d->p = OPENSSL_memdup(s->p, s->n + 1);
        if (d->p == NULL) {
            hwk_uri_clear(out);
            return hwk_raise(HWK_R_MEMORY, "uri");
        }
    }
    return 1;
}

/* --- writing --- */

static bool plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') ||
           (c != 0 && strchr("-._~:[]@!$'()*+,=&", c) != NULL);
}

int hwk_uri_put(char *out, size_t max, const char *name, const void *value,
                size_t n, bool binary)
{
    static const char hex[] = "0123456789ABCDEF";
    const unsigned char *v = value;
    size_t at = strlen(out);
    size_t i, need = at + strlen(name) + 2;

    for (i = 0; i < n; i++)
        need += !binary && plain(v[i]) ? 1 : 3;
    if (need >= max)
        return 0;
    at += (size_t)sprintf(
        out + at, "%s%s=", strchr(out, ':') == out + at - 1 ? "" : ";", name);
    for (i = 0; i < n; i++) {
        if (!binary && plain(v[i])) {
            out[at++] = (char)v[i];
            continue;
        }
        out[at++] = '%';
        out[at++] = hex[v[i] >> 4];
        out[at++] = hex[v[i] & 15];
    }
    out[at] = 0;
    return 1;
}
