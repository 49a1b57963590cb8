/* SPDX-License-Identifier: Apache-2.0 */
/* Names of keys and objects: one table per scheme says what may be in them. */
#include <limits.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "provider/err.h"
#include "provider/uri.h"

#define PATH 1u
#define QUERY 2u

struct attribute {
    const char *name;
    unsigned where;
    size_t at; /* of the struct hwk_str that gets the value */
    int (*more)(struct hwk_uri *uri, const struct hwk_str *value);
    size_t max;  /* bytes that PKCS#11 has room for; 0: no such limit */
    bool binary; /* NUL bytes are welcome */
};

static int bad(const char *name, size_t n, const char *why)
{
    return hwk_raise(HWK_R_BAD_URI, "%.*s: %s", (int)n, name, why);
}

/* --- values that are not plain strings --- */

static int number(const char *name, const char *s, int base, unsigned long max,
                  unsigned long *out)
{
    unsigned long v = 0;
    size_t i;

    for (i = 0; s[i] != 0; i++) {
        int d = OPENSSL_hexchar2int((unsigned char)s[i]);

        if (d < 0 || d >= base)
            return bad(name, strlen(name), "is not a number");
        if (v > (max - (unsigned long)d) / (unsigned long)base)
            return bad(name, strlen(name), "is too large");
        v = v * (unsigned long)base + (unsigned long)d;
    }
    if (i == 0)
        return bad(name, strlen(name), "is empty");
    *out = v;
    return 1;
}

static int hex32(const char *name, const char *s, uint32_t *out)
{
    unsigned long v;

    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
        s += 2;
    if (!number(name, s, 16, UINT32_MAX, &v))
        return 0;
    *out = (uint32_t)v;
    return 1;
}

static int class_of(struct hwk_uri *uri, const struct hwk_str *value)
{
    static const char *const names[] = {"",        "cert",   "data",
                                        "private", "public", "secret-key"};
    size_t i;

    for (i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp((const char *)value->p, names[i]) == 0) {
            uri->type = (enum hwk_uri_class)i;
            return 1;
        }
    }
    return bad("type", 4, "is none of cert, data, private, public, secret-key");
}

static int slot_id(struct hwk_uri *uri, const struct hwk_str *value)
{
    uri->has_slot_id = true;
    return number("slot-id", (const char *)value->p, 10, ULONG_MAX,
                  &uri->slot_id);
}

/* a relative one would be looked for wherever the linker looks (2.4) */
static int module_path(struct hwk_uri *uri, const struct hwk_str *value)
{
    (void)uri;
    return (value->n > 0 && value->p[0] == '/') ||
           bad("module-path", 11, "is not absolute");
}

static int list_what(struct hwk_uri *uri, const struct hwk_str *value)
{
    uri->list_names = strcmp((const char *)value->p, "names") == 0;
    return uri->list_names || bad("list", 4, "is not names");
}

static int library_version(struct hwk_uri *uri, const struct hwk_str *value)
{
    char *dot = strchr((char *)value->p, '.');
    unsigned long major, minor = 0;

    if (dot != NULL) {
        *dot = 0;
        if (!number("library-version", dot + 1, 10, 255, &minor))
            return 0;
    }
    if (!number("library-version", (const char *)value->p, 10, 255, &major))
        return 0;
    uri->has_library_version = true;
    uri->library_major = (unsigned)major;
    uri->library_minor = (unsigned)minor;
    return 1;
}

static int one_name(struct hwk_uri *uri, enum hwk_tpm_name name)
{
    if (uri->tpm != 0)
        return bad("tpm2", 4, "names more than one object");
    uri->tpm = name;
    return 1;
}

static int tpm_handle(struct hwk_uri *uri, const struct hwk_str *value)
{
    return one_name(uri, HWK_TPM_HANDLE) &&
           hex32("handle", (const char *)value->p, &uri->handle);
}

static int tpm_object(struct hwk_uri *uri, const struct hwk_str *value)
{
    if (value->n == 0)
        return bad("object", 6, "is empty");
    return one_name(uri, HWK_TPM_OBJECT);
}

static int tpm_template(struct hwk_uri *uri, const struct hwk_str *value)
{
    (void)value;
    return uri->tpm == HWK_TPM_IDEVID || uri->tpm == HWK_TPM_IAK ||
           bad("template", 8, "is of idevid and iak");
}

int hwk_uri_parent(const char *text, uint32_t *out)
{
    static const struct {
        const char *name;
        uint32_t handle;
    } hierarchies[] = {{"owner", 0x40000001},
                       {"null", 0x40000007},
                       {"endorsement", 0x4000000b},
                       {"platform", 0x4000000c}};
    size_t i;

    for (i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
        if (strcmp(text, hierarchies[i].name) == 0) {
            *out = hierarchies[i].handle;
            return 1;
        }
    }
    return hex32("parent", text, out);
}

static int tpm_parent(struct hwk_uri *uri, const struct hwk_str *value)
{
    uri->has_parent = true;
    return hwk_uri_parent((const char *)value->p, &uri->parent);
}

/* --- the tables --- */

#define AT(member) offsetof(struct hwk_uri, member)
#define NOWHERE ((size_t)-1)

static const struct attribute pkcs11_attributes[] = {
    {"token", PATH, AT(token), NULL, 32, false},
    {"manufacturer", PATH, AT(manufacturer), NULL, 32, false},
    {"model", PATH, AT(model), NULL, 16, false},
    {"serial", PATH, AT(serial), NULL, 16, false},
    {"library-manufacturer", PATH, AT(library_manufacturer), NULL, 32, false},
    {"library-description", PATH, AT(library_description), NULL, 32, false},
    {"library-version", PATH, NOWHERE, library_version, 0, false},
    {"slot-manufacturer", PATH, AT(slot_manufacturer), NULL, 32, false},
    {"slot-description", PATH, AT(slot_description), NULL, 64, false},
    {"slot-id", PATH, NOWHERE, slot_id, 0, false},
    {"object", PATH, AT(object), NULL, 0, true},
    {"id", PATH, AT(id), NULL, 0, true},
    {"type", PATH, NOWHERE, class_of, 0, false},
    {"pin-value", PATH | QUERY, AT(pin_value), NULL, 0, false},
    {"pin-source", PATH | QUERY, AT(pin_source), NULL, 0, false},
    {"module-name", QUERY, AT(module_name), NULL, 0, false},
    {"module-path", QUERY, AT(module_path), module_path, 0, false},
    {"list", QUERY, NOWHERE, list_what, 0, false},
    {NULL, 0, 0, NULL, 0, false},
};

static const struct attribute tpm2_attributes[] = {
    {"handle", PATH, NOWHERE, tpm_handle, 0, false},
    {"object", PATH, AT(path), tpm_object, 0, false},
    {"parent", PATH, NOWHERE, tpm_parent, 0, false},
    {"template", PATH, AT(template), tpm_template, 0, false},
    {"pin-value", PATH | QUERY, AT(pin_value), NULL, 0, false},
    {"pin-source", PATH | QUERY, AT(pin_source), NULL, 0, false},
    {"parent-pin-value", QUERY, AT(parent_pin_value), NULL, 0, false},
    {"parent-pin-source", QUERY, AT(parent_pin_source), NULL, 0, false},
    {NULL, 0, 0, NULL, 0, false},
};

/* --- reading --- */

static int decode(const char *name, size_t name_n, const char *s, size_t n,
                  struct hwk_str *out)
{
    uint8_t *p = OPENSSL_malloc(n + 1);
    size_t i, o = 0;

    if (p == NULL)
        return hwk_raise(HWK_R_MEMORY, "uri");
    out->p = p;
    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c == '%') {
            int hi = i + 1 < n ? OPENSSL_hexchar2int((uint8_t)s[i + 1]) : -1;
            int lo = i + 2 < n ? OPENSSL_hexchar2int((uint8_t)s[i + 2]) : -1;

            if (hi < 0 || lo < 0)
                return bad(name, name_n, "'%' without two hex digits");
            c = (unsigned char)(hi << 4 | lo);
            i += 2;
        } else if (c <= 0x20 || c >= 0x7f || c == '#') {
            return bad(name, name_n,
                       "has a character that must be percent-encoded");
        }
        p[o++] = c;
    }
    p[o] = 0;
    out->n = o;
    return 1;
}

static const struct attribute *lookup(const struct attribute *table,
                                      const char *name, size_t n,
                                      unsigned where)
{
    for (; table->name != NULL; table++)
        if ((table->where & where) != 0 && strlen(table->name) == n &&
            memcmp(table->name, name, n) == 0)
            return table;
    return NULL;
}

static int store(const struct attribute *a, struct hwk_uri *out,
                 struct hwk_str *value)
{
    struct hwk_str *slot;

    if (!a->binary && memchr(value->p, 0, value->n) != NULL)
        return bad(a->name, strlen(a->name), "has a NUL byte");
    if (a->max > 0 && value->n > a->max)
        return bad(a->name, strlen(a->name), "is longer than PKCS#11 has it");
    if (a->more != NULL && !a->more(out, value))
        return 0;
    if (a->at == NOWHERE)
        return 1;
    slot = (struct hwk_str *)(void *)((char *)out + a->at);
    if (slot->p != NULL)
        return bad(a->name, strlen(a->name), "is given twice");
    *slot = *value;
    value->p = NULL;
    return 1;
}

/* Somebody else's attribute of the query is skipped (RFC 7512 2.5) when it is
 * well formed; in the path it would choose something, and fails. */
static int unknown(const char *s, size_t name_n, const char *eq, size_t n)
{
    struct hwk_str value = {NULL, 0};
    int ok = eq == NULL || decode(s, name_n, eq + 1, n - name_n - 1, &value);

    if (value.p != NULL)
        OPENSSL_clear_free(value.p, n - name_n);
    return ok;
}

static int one(const struct attribute *table, unsigned where, const char *s,
               size_t n, unsigned *seen, struct hwk_uri *out)
{
    const char *eq = memchr(s, '=', n);
    size_t name_n = eq != NULL ? (size_t)(eq - s) : n;
    const struct attribute *a = lookup(table, s, name_n, where);
    struct hwk_str value = {NULL, 0};
    int ok;

    if (a == NULL && where == QUERY && name_n > 0)
        return unknown(s, name_n, eq, n);
    if (a == NULL)
        return bad(s, name_n,
                   name_n > 0 ? "is no attribute of such a URI"
                              : "empty attribute");
    if (eq == NULL)
        return bad(s, name_n, "has no value");
    if ((*seen & 1u << (a - table)) != 0)
        return bad(s, name_n, "is given twice");
    *seen |= 1u << (a - table);
    ok = decode(s, name_n, eq + 1, n - name_n - 1, &value) &&
         store(a, out, &value);
    if (value.p != NULL)
        OPENSSL_clear_free(value.p, n - name_n);
    return ok;
}

static int split(const struct attribute *table, unsigned where, const char *s,
                 size_t n, unsigned *seen, struct hwk_uri *out)
{
    char sep = where == PATH ? ';' : '&';

    while (n > 0) {
        const char *end = memchr(s, sep, n);
        size_t len = end != NULL ? (size_t)(end - s) : n;

        if (where == QUERY && len == 4 && memcmp(s, "pass", 4) == 0)
            out->ask_auth = true;
        else if (!one(table, where, s, len, seen, out))
            return 0;
        n -= len;
        s += len;
        if (n > 0) {
            n--;
            s++;
            if (n == 0)
                return bad(s - 1, 1, "nothing after it");
        }
    }
    return 1;
}

static int parse_tpm2(const char *s, size_t n, unsigned *seen,
                      struct hwk_uri *out)
{
    static const struct {
        const char *word;
        enum hwk_tpm_name name;
    } words[] = {{"idevid", HWK_TPM_IDEVID}, {"iak", HWK_TPM_IAK}};
    size_t i;

    for (i = 0; i < 2; i++) {
        size_t w = strlen(words[i].word);

        if (n >= w && memcmp(s, words[i].word, w) == 0 &&
            (n == w || s[w] == ';')) {
            out->tpm = words[i].name;
            s += n > w ? w + 1 : w;
            n -= n > w ? w + 1 : w;
            break;
        }
    }
    return split(tpm2_attributes, PATH, s, n, seen, out);
}

static int parse_handle(const char *s, size_t n, unsigned *seen,
                        struct hwk_uri *out)
{
    struct hwk_str value = {NULL, 0};
    int ok = decode("handle", 6, s, n, &value) && tpm_handle(out, &value);

    (void)seen;
    OPENSSL_free(value.p);
    return ok;
}

static int parse_path(const char *s, size_t n, unsigned *seen,
                      struct hwk_uri *out)
{
    (void)seen;
    return decode("object", 6, s, n, &out->path) && tpm_object(out, &out->path);
}

static int parse_pkcs11(const char *s, size_t n, unsigned *seen,
                        struct hwk_uri *out)
{
    return split(pkcs11_attributes, PATH, s, n, seen, out);
}

static const struct {
    const char *scheme;
    enum hwk_scheme value;
    int (*path)(const char *s, size_t n, unsigned *seen, struct hwk_uri *out);
    const struct attribute *query;
} schemes[] = {
    {"pkcs11:", HWK_SCHEME_PKCS11, parse_pkcs11, pkcs11_attributes},
    {"tpm2:", HWK_SCHEME_TPM2, parse_tpm2, tpm2_attributes},
    {"handle:", HWK_SCHEME_TPM2, parse_handle, tpm2_attributes},
    {"object:", HWK_SCHEME_TPM2, parse_path, tpm2_attributes},
    {"hwksoft:", HWK_SCHEME_SOFT, parse_path, tpm2_attributes},
};

static int scheme_of(const char *text)
{
    size_t i;

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (strncasecmp(text, schemes[i].scheme, strlen(schemes[i].scheme)) ==
            0)
            return (int)i;
    return -1;
}

bool hwk_uri_ours(const char *text)
{
    return scheme_of(text) >= 0;
}

static int parse(const char *text, struct hwk_uri *out)
{
    int i = scheme_of(text);
    unsigned seen = 0;
    const char *query;
    size_t n;

    if (i < 0)
        return hwk_raise(HWK_R_BAD_URI, "no scheme of ours");
    if (strnlen(text, HWK_URI_MAX + 1) > HWK_URI_MAX)
        return hwk_raise(HWK_R_BAD_URI, "longer than %d bytes", HWK_URI_MAX);
    out->scheme = schemes[i].value;
    text += strlen(schemes[i].scheme);
    query = strchr(text, '?');
    n = query != NULL ? (size_t)(query - text) : strlen(text);
    if (!schemes[i].path(text, n, &seen, out))
        return 0;
    if (query != NULL && !split(schemes[i].query, QUERY, query + 1,
                                strlen(query + 1), &seen, out))
        return 0;
    if (out->scheme == HWK_SCHEME_TPM2 && out->tpm == 0 && !out->has_parent &&
        n > 0)
        return bad("tpm2", 4,
                   "none of handle=, object=, idevid, iak, parent= is given");
    if (out->pin_value.p != NULL && out->pin_source.p != NULL)
        return bad("pin-source", 10, "is given besides pin-value");
    if (out->parent_pin_value.p != NULL && out->parent_pin_source.p != NULL)
        return bad("parent-pin-source", 17,
                   "is given besides parent-pin-value");
    return 1;
}

int hwk_uri_parse(const char *text, struct hwk_uri *out)
{
    memset(out, 0, sizeof(*out));
    if (parse(text, out))
        return 1;
    hwk_uri_clear(out);
    return 0;
}
