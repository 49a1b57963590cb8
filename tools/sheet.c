/* SPDX-License-Identifier: Apache-2.0 */
/* Names and values: lines for people, one JSON object for scripts. */
#include <stdarg.h>
#include <stdio.h>

#include <idevid/auto.h>
#include <idevid/codec.h>

#include "sheet.h"

struct sheet sheet_begin(const struct tool *t)
{
    struct sheet s = {.t = t, .rc = IDV_OK};
    if (t->json && !(s.o = idv_json_new_object()))
        s.rc = idv_fail(IDV_E_NOMEM, "out of memory");
    return s;
}

void sheet_failed(struct sheet *s, idv_rc rc)
{
    if (s->rc == IDV_OK)
        s->rc = rc;
}

void sheet_json(struct sheet *s, const char *name, struct idv_json *value)
{
    if (s->rc == IDV_OK && s->o)
        s->rc = idv_json_set(s->o, name, value);
    else
        idv_json_free(value);
}

static void row(const struct sheet *s, const char *name, const char *value)
{
    if (s->rc == IDV_OK)
        tool_say(s->t, "%-12s %s", name, value);
}

void sheet_text(struct sheet *s, const char *name, const char *value)
{
    if (!value || !*value || s->rc != IDV_OK)
        return;
    row(s, name, value);
    if (s->o)
        sheet_failed(s, tool_put_text(s->o, name, value));
}

void sheet_textf(struct sheet *s, const char *name, const char *fmt, ...)
{
    char value[IDV_NOTE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    sheet_text(s, name, value);
}

void sheet_hex(struct sheet *s, const char *name, struct idv_bytes value)
{
    IDV_AUTO(buf) hex = {0};
    if (s->rc == IDV_OK)
        s->rc = idv_hex_from_bytes(value, &hex);
    sheet_text(s, name, (const char *)hex.p);
}

void sheet_time(struct sheet *s, const char *name, int64_t value)
{
    char text[IDV_TIME_TEXT] = "";
    if (s->rc == IDV_OK)
        s->rc = idv_time_to_text(value, text);
    sheet_text(s, name, text);
}

void sheet_int(struct sheet *s, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    row(s, name, text);
    if (s->o)
        sheet_failed(s, tool_put_int(s->o, name, value));
}

void sheet_bool(struct sheet *s, const char *name, bool value, const char *yes,
                const char *no)
{
    row(s, name, value ? yes : no);
    if (s->o)
        sheet_failed(s, tool_put_bool(s->o, name, value));
}

void sheet_line(struct sheet *s, const char *line)
{
    if (s->rc == IDV_OK)
        tool_say(s->t, "%s", line);
}

void sheet_linef(struct sheet *s, const char *fmt, ...)
{
    char line[IDV_NOTE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    sheet_line(s, line);
}

idv_rc sheet_end(struct sheet *s)
{
    if (s->rc == IDV_OK && s->o)
        return tool_print_json(idv_steal(&s->o));
    idv_json_free(idv_steal(&s->o));
    return s->rc;
}
