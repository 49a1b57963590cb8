/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: event name first, then key=value. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <idevid/env.h>

#define LINE_MAX_BYTES 2048

static _Thread_local char context[128];

void idv_log_context(const char *pairs)
{
    snprintf(context, sizeof(context), "%s", pairs ? pairs : "");
}

/* behind the pairs; a line that is too long is cut before it */
static void put_context(char line[static LINE_MAX_BYTES])
{
    size_t n = strlen(line), most = LINE_MAX_BYTES - sizeof(context) - 2;
    if (!*context)
        return;
    n = n < most ? n : most;
    snprintf(line + n, LINE_MAX_BYTES - n, " %s", context);
}

void idv_log(const struct idv_env *env, enum idv_level level, const char *event,
             const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    if (!env || !env->log)
        return;
    int n = snprintf(line, sizeof(line), "%s%s", event, *fmt ? " " : "");
    if (n < 0 || (size_t)n >= sizeof(line))
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
    va_end(ap);
    put_context(line);
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    env->log(env->ctx, level, line);
}

void idv_log_failure(const struct idv_env *env, const char *event, idv_rc rc)
{
    idv_log(env, IDV_LOG_ERROR, event, "class=%s reason=%s", idv_rc_name(rc),
            idv_log_value(idv_note()));
    idv_note_clear();
}

const char *idv_log_value(const char *v)
{
    static _Thread_local char ring[8][LINE_MAX_BYTES / 2];
    static _Thread_local unsigned next;
    char *out = ring[next++ % 8];
    size_t n = 0, room = sizeof(ring[0]) - 3;
    if (!v)
        v = "";
    bool plain = *v && !strpbrk(v, " \"\\=");
    for (const char *c = v; *c && plain; c++)
        plain = (unsigned char)*c >= 0x20 && *c != 0x7f;
    if (!plain)
        out[n++] = '"';
    for (; *v && n < room; v++) {
        if (!plain && (*v == '"' || *v == '\\'))
            out[n++] = '\\';
        out[n++] = (unsigned char)*v < 0x20 || *v == 0x7f ? '?' : *v;
    }
    if (!plain)
        out[n++] = '"';
    out[n] = 0;
    return out;
}
