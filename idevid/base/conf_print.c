/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration table says about itself: sample, help, manual. */
#include <string.h>

#include <idevid/auto.h>

#include "base/conf.h"

static const char *type_word(const struct idv_conf_entry *e)
{
    switch (e->type) {
    case IDV_CONF_TEXT:
        return "text";
    case IDV_CONF_PATH:
        return "path";
    case IDV_CONF_URI:
        return "path or URI";
    case IDV_CONF_INT:
        return "number";
    case IDV_CONF_BOOL:
        return "yes or no";
    case IDV_CONF_ENUM:
        return "word";
    case IDV_CONF_LIST:
        return "list";
    case IDV_CONF_PATHS:
        return "list of paths";
    }
    return "text";
}

/* "number 0-65535", "one of a, b" */
static idv_rc put_type(const struct idv_conf_entry *e, struct idv_buf *out)
{
    if (e->type == IDV_CONF_INT)
        return idv_buf_putf(out, "number, %lld to %lld", (long long)e->min,
                            (long long)e->max);
    if (e->type != IDV_CONF_ENUM)
        return idv_buf_puts(out, type_word(e));
    IDV_TRY(idv_buf_puts(out, "one of "));
    for (int i = 0; e->words[i]; i++)
        IDV_TRY(idv_buf_putf(out, "%s%s", i ? ", " : "", e->words[i]));
    return IDV_OK;
}

static bool new_section(const struct idv_conf_table *t, size_t i)
{
    const struct idv_conf_entry *e = t->entries;
    return i == 0 || strcmp(e[i].section, e[i - 1].section) != 0;
}

/* help wrapped to comment lines of at most 78 columns */
static idv_rc put_comment(const char *text, struct idv_buf *out)
{
    size_t column = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column && column + 1 + word > 78) {
            IDV_TRY(idv_buf_puts(out, "\n"));
            column = 0;
        }
        IDV_TRY(idv_buf_puts(out, column ? " " : "# "));
        IDV_TRY(idv_buf_put(out, idv_bytes(text, word)));
        column += (column ? 1 : 2) + word;
        text += word;
        text += strspn(text, " ");
    }
    return idv_buf_puts(out, "\n");
}

static idv_rc put_sample(const struct idv_conf_entry *e, struct idv_buf *out)
{
    IDV_TRY(idv_buf_puts(out, "\n"));
    IDV_TRY(put_comment(e->help, out));
    IDV_TRY(idv_buf_puts(out, "# ("));
    IDV_TRY(put_type(e, out));
    IDV_TRY(idv_buf_puts(out, e->required ? "; required)\n" : ")\n"));
    return idv_buf_putf(out, "%s%s =%s%s\n", e->required ? "" : "#", e->key,
                        e->fallback ? " " : "", e->fallback ? e->fallback : "");
}

static idv_rc put_samples(const struct idv_conf_table *table,
                          struct idv_buf *out)
{
    IDV_TRY(put_comment(table->about, out));
    for (size_t i = 0; i < table->n; i++) {
        const struct idv_conf_entry *e = &table->entries[i];
        if (new_section(table, i))
            IDV_TRY(idv_buf_putf(out, "\n[%s]\n", e->section));
        IDV_TRY(put_sample(e, out));
    }
    return IDV_OK;
}

static idv_rc put_note(const struct idv_conf_entry *e, struct idv_buf *out)
{
    IDV_TRY(idv_buf_puts(out, " ("));
    IDV_TRY(put_type(e, out));
    if (e->required)
        IDV_TRY(idv_buf_puts(out, "; required"));
    if (e->fallback && *e->fallback)
        IDV_TRY(idv_buf_putf(out, "; default %s", e->fallback));
    return idv_buf_puts(out, ")\n");
}

static idv_rc put_help(const struct idv_conf_table *table, struct idv_buf *out)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct idv_conf_entry *e = &table->entries[i];
        if (new_section(table, i))
            IDV_TRY(idv_buf_putf(out, "[%s]\n", e->section));
        IDV_TRY(idv_buf_putf(out, "  %-22s %s", e->key, e->help));
        IDV_TRY(put_note(e, out));
    }
    return IDV_OK;
}

static idv_rc put_mdoc(const struct idv_conf_table *table, struct idv_buf *out)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct idv_conf_entry *e = &table->entries[i];
        if (new_section(table, i))
            IDV_TRY(idv_buf_putf(out,
                                 "%s.Ss Section [%s]\n.Bl -tag -width "
                                 "Ds\n",
                                 i ? ".El\n" : "", e->section));
        IDV_TRY(idv_buf_putf(out, ".It Ic %s\n%s", e->key, e->help));
        IDV_TRY(put_note(e, out));
    }
    return table->n ? idv_buf_puts(out, ".El\n") : IDV_OK;
}

/* all of it or nothing */
static idv_rc whole(idv_rc (*print)(const struct idv_conf_table *table,
                                    struct idv_buf *out),
                    const struct idv_conf_table *table, struct idv_buf *out)
{
    IDV_AUTO(buf) text = {.max = out->max};
    IDV_TRY(print(table, &text));
    return idv_buf_put(out, idv_view(&text));
}

idv_rc idv_conf_sample(const struct idv_conf_table *table, struct idv_buf *out)
{
    return whole(put_samples, table, out);
}

idv_rc idv_conf_help(const struct idv_conf_table *table, struct idv_buf *out)
{
    return whole(put_help, table, out);
}

idv_rc idv_conf_mdoc(const struct idv_conf_table *table, struct idv_buf *out)
{
    return whole(put_mdoc, table, out);
}
