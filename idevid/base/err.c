/* SPDX-License-Identifier: Apache-2.0 */
/* The note of a failure, one per thread. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include <idevid/err.h>

static _Thread_local char note[IDV_NOTE_MAX];

/* ": reason (data)" for every entry of libcrypto's queue, oldest first */
static void append_queue(size_t at)
{
    const char *data;
    int flags;
    unsigned long e;
    while ((e = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        const char *reason = ERR_reason_error_string(e);
        int n = snprintf(note + at, sizeof(note) - at, ": %s",
                         reason ? reason : "unknown error");
        if (n > 0 && (size_t)n < sizeof(note) - at)
            at += (size_t)n;
        if (!(flags & ERR_TXT_STRING) || !data || !*data)
            continue;
        n = snprintf(note + at, sizeof(note) - at, " (%s)", data);
        if (n > 0 && (size_t)n < sizeof(note) - at)
            at += (size_t)n;
    }
}

idv_rc idv_fail(idv_rc rc, const char *fmt, ...)
{
    bool queue = rc == IDV_E_CRYPTO || rc == IDV_E_DEVICE;
    if (note[0]) {
        if (queue)
            ERR_clear_error();
        return rc;
    }
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(note, sizeof(note), fmt, ap);
    va_end(ap);
    if (n < 0)
        n = snprintf(note, sizeof(note), "%s", idv_rc_name(rc));
    if (queue)
        append_queue((size_t)n < sizeof(note) ? (size_t)n : sizeof(note) - 1);
    return rc;
}

idv_rc idv_fail_within(idv_rc rc, const char *fmt, ...)
{
    char where[IDV_NOTE_MAX / 2], inner[IDV_NOTE_MAX];
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(where, sizeof(where), fmt, ap) < 0)
        where[0] = 0;
    va_end(ap);
    snprintf(inner, sizeof(inner), "%s", note[0] ? note : idv_rc_name(rc));
    snprintf(note, sizeof(note), "%s: %.*s", where,
             (int)(sizeof(note) - strlen(where) - 3), inner);
    return rc;
}

const char *idv_note(void)
{
    return note;
}

void idv_note_clear(void)
{
    note[0] = 0;
}

const char *idv_rc_name(idv_rc rc)
{
    static const char *const names[] = {
        [IDV_OK] = "ok",
        [IDV_E_NOMEM] = "out-of-memory",
        [IDV_E_ARG] = "argument",
        [IDV_E_FORMAT] = "format",
        [IDV_E_LIMIT] = "limit",
        [IDV_E_CRYPTO] = "crypto",
        [IDV_E_REJECT] = "refused",
        [IDV_E_IO] = "io",
        [IDV_E_TIMEOUT] = "timeout",
        [IDV_E_NET] = "network",
        [IDV_E_STATE] = "state",
        [IDV_E_DEVICE] = "device",
        [IDV_E_UNABLE] = "unavailable",
    };
    if ((unsigned)rc >= sizeof(names) / sizeof(*names))
        return "unknown";
    return names[rc];
}
