/* SPDX-License-Identifier: Apache-2.0 */
/* The INI reader: lines to the fields that a table names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "base/conf.h"

struct reader {
    const struct idv_conf_table *table;
    const char *file, *dir;
    void *conf;
    struct idv_bytes section;
    bool in_section;
    size_t line;
    size_t *seen; /* line of the first mention of each entry, 0 none */
};

static int shown(struct idv_bytes t)
{
    return (int)(t.n < 80 ? t.n : 80);
}

static bool known_section(const struct idv_conf_table *t, struct idv_bytes name)
{
    for (size_t i = 0; i < t->n; i++) {
        if (idv_text_eq(name, t->entries[i].section))
            return true;
    }
    return false;
}

static idv_rc read_section(struct reader *r, struct idv_bytes line)
{
    if (line.n < 2 || line.p[line.n - 1] != ']')
        return idv_fail(IDV_E_ARG, "'[' without ']'");
    r->section = idv_text_trim(idv_bytes(line.p + 1, line.n - 2));
    r->in_section = true;
    if (!known_section(r->table, r->section))
        return idv_fail(IDV_E_ARG, "unknown section [%.*s]", shown(r->section),
                        (const char *)r->section.p);
    return IDV_OK;
}

static const struct idv_conf_entry *find(const struct reader *r,
                                         struct idv_bytes key, size_t *index)
{
    for (size_t i = 0; i < r->table->n; i++) {
        const struct idv_conf_entry *e = &r->table->entries[i];
        *index = i;
        if (idv_text_eq(r->section, e->section) && idv_text_eq(key, e->key))
            return e;
    }
    return NULL;
}

static idv_rc unquote(struct idv_bytes *v)
{
    if (v->n == 0 || v->p[0] != '"')
        return IDV_OK;
    if (v->n < 2 || v->p[v->n - 1] != '"')
        return idv_fail(IDV_E_ARG, "quote that does not end");
    *v = idv_bytes(v->p + 1, v->n - 2);
    return IDV_OK;
}

static idv_rc read_pair(struct reader *r, struct idv_bytes line)
{
    struct idv_bytes rest = line, key;
    size_t i;
    if (!idv_text_next(&rest, "=", &key) || !rest.p)
        return idv_fail(IDV_E_ARG, "neither 'key = value' nor '[section]'");
    key = idv_text_trim(key);
    rest = idv_text_trim(rest);
    if (!r->in_section)
        return idv_fail(IDV_E_ARG, "'%.*s' before any [section]", shown(key),
                        (const char *)key.p);
    const struct idv_conf_entry *e = find(r, key, &i);
    if (!e)
        return idv_fail(IDV_E_ARG, "unknown key '%.*s' in [%.*s]", shown(key),
                        (const char *)key.p, shown(r->section),
                        (const char *)r->section.p);
    bool list = e->type == IDV_CONF_LIST || e->type == IDV_CONF_PATHS;
    if (r->seen[i] && !list)
        return idv_fail(IDV_E_ARG, "'%s' given again, first in line %zu",
                        e->key, r->seen[i]);
    r->seen[i] = r->line;
    IDV_TRY(unquote(&rest));
    return idv_conf_set(e, r->dir, rest, r->conf);
}

static idv_rc read_line(struct reader *r, struct idv_bytes line)
{
    line = idv_text_trim(line);
    if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
        return IDV_OK;
    struct idv_bytes rest = line, part;
    while (idv_text_next(&rest, "\t", &part)) {
        if (!idv_text_printable(part))
            return idv_fail(IDV_E_ARG, "not UTF-8 text");
    }
    return line.p[0] == '[' ? read_section(r, line) : read_pair(r, line);
}

static idv_rc fill_missing(struct reader *r)
{
    for (size_t i = 0; i < r->table->n; i++) {
        const struct idv_conf_entry *e = &r->table->entries[i];
        if (r->seen[i])
            continue;
        if (e->required)
            return idv_fail(IDV_E_ARG, "%s: no '%s' in [%s]", r->file, e->key,
                            e->section);
        if (e->fallback)
            IDV_TRY(idv_conf_set(e, r->dir, idv_str(e->fallback), r->conf));
    }
    return IDV_OK;
}

static idv_rc read_all(struct reader *r, struct idv_bytes text)
{
    struct idv_bytes line;
    static const uint8_t bom[] = {0xef, 0xbb, 0xbf};
    if (text.n >= 3 && memcmp(text.p, bom, 3) == 0)
        text = idv_bytes(text.p + 3, text.n - 3);
    while (idv_text_next(&text, "\n", &line)) {
        r->line++;
        idv_rc rc = read_line(r, line);
        if (rc != IDV_OK)
            return idv_fail_within(rc, "%s:%zu", r->file, r->line);
    }
    return fill_missing(r);
}

idv_rc idv_conf_parse(const struct idv_conf_table *table, const char *file,
                      const char *dir, struct idv_bytes text, void *conf)
{
    struct reader r = {.table = table, .file = file, .dir = dir, .conf = conf};
    r.seen = calloc(table->n + 1, sizeof(*r.seen));
    if (!r.seen)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = read_all(&r, text);
    free(r.seen);
    if (rc != IDV_OK)
        idv_conf_free(table, conf);
    return rc;
}

idv_rc idv_conf_load(const struct idv_conf_table *table, const char *path,
                     void *conf)
{
    IDV_AUTO(buf) text = {0};
    IDV_AUTO_PTR(idv_char) dir = NULL;
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (slash == path)
        n = 1;
    IDV_TRY(idv_text_dup(idv_bytes(path, n), &dir));
    IDV_TRY(idv_fs_read(path, 0, &text));
    return idv_conf_parse(table, path, dir, idv_view(&text), conf);
}

void idv_conf_free(const struct idv_conf_table *table, void *conf)
{
    for (size_t i = 0; i < table->n; i++)
        idvi_conf_clear(&table->entries[i], conf);
}
