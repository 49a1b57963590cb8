/* SPDX-License-Identifier: Apache-2.0 */
/* One value of a configuration file: text to field. */
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "base/conf.h"

/* Fields hold char *, char **, int64_t, bool and int: the table says which. */
static void *field(const struct idv_conf_entry *e, void *conf)
{
    return (char *)conf + e->offset;
}

static bool has_scheme(struct idv_bytes v)
{
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];
        bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (c == ':')
            return i > 0;
        if (!alpha && !(other && i > 0))
            return false;
    }
    return false;
}

static idv_rc make_path(const char *dir, struct idv_bytes v,
                        struct idv_buf *out)
{
    if (v.n && v.p[0] != '/' && *dir)
        IDV_TRY(idv_buf_putf(out, "%s/", dir));
    return idv_buf_put(out, v);
}

static idv_rc make_text(const struct idv_conf_entry *e, const char *dir,
                        struct idv_bytes v, struct idv_buf *out)
{
    bool path = e->type == IDV_CONF_PATH || e->type == IDV_CONF_PATHS ||
                (e->type == IDV_CONF_URI && !has_scheme(v));
    if (v.n == 0)
        return idv_fail(IDV_E_ARG, "%s: is empty", e->key);
    return path ? make_path(dir, v, out) : idv_buf_put(out, v);
}

static idv_rc set_text(const struct idv_conf_entry *e, const char *dir,
                       struct idv_bytes v, char **to)
{
    IDV_AUTO(buf) text = {0};
    IDV_AUTO_PTR(idv_char) s = NULL;
    IDV_TRY(make_text(e, dir, v, &text));
    IDV_TRY(idv_text_dup(idv_view(&text), &s));
    free(*to);
    *to = idv_steal(&s);
    return IDV_OK;
}

static idv_rc set_list(const struct idv_conf_entry *e, const char *dir,
                       struct idv_bytes v, char ***to)
{
    struct idv_bytes piece;
    while (idv_text_next(&v, ", \t", &piece)) {
        IDV_AUTO(buf) text = {0};
        if (piece.n == 0)
            continue;
        IDV_TRY(make_text(e, dir, piece, &text));
        IDV_TRY(idv_list_add(to, idv_view(&text)));
    }
    if (e->required && !*to)
        return idv_fail(IDV_E_ARG, "%s: is empty", e->key);
    return IDV_OK;
}

static idv_rc set_bool(const struct idv_conf_entry *e, struct idv_bytes v,
                       bool *to)
{
    static const char *const words[] = {"no",   "yes", "false",
                                        "true", "off", "on"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (!idv_text_eq_nocase(v, words[i]))
            continue;
        *to = i & 1;
        return IDV_OK;
    }
    return idv_fail(IDV_E_ARG, "%s: neither yes nor no", e->key);
}

static idv_rc set_enum(const struct idv_conf_entry *e, struct idv_bytes v,
                       int *to)
{
    IDV_AUTO(buf) known = {0};
    for (int i = 0; e->words[i]; i++) {
        if (idv_text_eq(v, e->words[i])) {
            *to = i;
            return IDV_OK;
        }
        IDV_TRY(idv_buf_putf(&known, "%s%s", i ? ", " : "", e->words[i]));
    }
    return idv_fail(IDV_E_ARG, "%s: '%.*s' is none of: %s", e->key,
                    (int)(v.n < 64 ? v.n : 64), (const char *)v.p, known.p);
}

static idv_rc check_value(const struct idv_conf_entry *e, struct idv_bytes v)
{
    IDV_AUTO_PTR(idv_char) s = NULL;
    if (!e->check)
        return IDV_OK;
    IDV_TRY(idv_text_dup(v, &s));
    return e->check(s);
}

static idv_rc set_value(const struct idv_conf_entry *e, const char *dir,
                        struct idv_bytes v, void *conf)
{
    switch (e->type) {
    case IDV_CONF_TEXT:
    case IDV_CONF_PATH:
    case IDV_CONF_URI:
        return set_text(e, dir, v, field(e, conf));
    case IDV_CONF_LIST:
    case IDV_CONF_PATHS:
        return set_list(e, dir, v, field(e, conf));
    case IDV_CONF_INT:
        return idv_text_to_int(v, e->min, e->max, e->key, field(e, conf));
    case IDV_CONF_BOOL:
        return set_bool(e, v, field(e, conf));
    case IDV_CONF_ENUM:
        return set_enum(e, v, field(e, conf));
    }
    return idv_fail(IDV_E_ARG, "%s: of no known type", e->key);
}

/* the check is asked about good values only */
idv_rc idv_conf_set(const struct idv_conf_entry *e, const char *dir,
                    struct idv_bytes v, void *conf)
{
    IDV_TRY(set_value(e, dir, v, conf));
    return check_value(e, v);
}

void idvi_conf_clear(const struct idv_conf_entry *e, void *conf)
{
    char **text = field(e, conf);
    char ***list = field(e, conf);
    switch (e->type) {
    case IDV_CONF_TEXT:
    case IDV_CONF_PATH:
    case IDV_CONF_URI:
        free(*text);
        *text = NULL;
        break;
    case IDV_CONF_LIST:
    case IDV_CONF_PATHS:
        idv_list_free(*list);
        *list = NULL;
        break;
    case IDV_CONF_INT:
        *(int64_t *)field(e, conf) = 0;
        break;
    case IDV_CONF_BOOL:
        *(bool *)field(e, conf) = false;
        break;
    case IDV_CONF_ENUM:
        *(int *)field(e, conf) = 0;
        break;
    }
}
