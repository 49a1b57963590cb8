/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of comma-separated values, RFC 4180. */
#include <string.h>

#include <idevid/codec.h>
#include <idevid/text.h>

/* From the opening quote; *rest is left behind the closing one. */
static idv_rc quoted(struct idv_bytes *rest, struct idv_buf *out)
{
    struct idv_bytes r = idv_bytes(rest->p + 1, rest->n - 1);
    while (r.n) {
        bool quote = *r.p == '"';
        if (quote && (r.n == 1 || r.p[1] != '"')) {
            *rest = idv_bytes(r.p + 1, r.n - 1);
            return IDV_OK;
        }
        IDV_TRY(idv_buf_put(out, idv_bytes(r.p, 1)));
        r.p += quote ? 2 : 1;
        r.n -= quote ? 2 : 1;
    }
    return idv_fail(IDV_E_FORMAT, "a quote is not closed");
}

idv_rc idv_csv_next(struct idv_bytes *line, struct idv_buf *out, bool *more)
{
    if (line->n && *line->p == '"') {
        IDV_TRY(quoted(line, out));
    } else {
        const uint8_t *comma = line->n ? memchr(line->p, ',', line->n) : NULL;
        size_t n = comma ? (size_t)(comma - line->p) : line->n;
        IDV_TRY(idv_buf_put(out, idv_text_trim(idv_bytes(line->p, n))));
        *line = idv_bytes(line->p + n, line->n - n);
    }
    *more = line->n != 0;
    if (!*more)
        return IDV_OK;
    if (*line->p != ',')
        return idv_fail(IDV_E_FORMAT, "text after a quote");
    *line = idv_bytes(line->p + 1, line->n - 1);
    return IDV_OK;
}

static bool needs_quotes(struct idv_bytes f)
{
    for (size_t i = 0; i < f.n; i++) {
        if (memchr(",\"\r\n", f.p[i], 4))
            return true;
    }
    return f.n && !idv_bytes_eq(f, idv_text_trim(f));
}

idv_rc idv_csv_put(struct idv_buf *out, struct idv_bytes f)
{
    if (!needs_quotes(f))
        return idv_buf_put(out, f);
    IDV_TRY(idv_buf_puts(out, "\""));
    for (size_t i = 0; i < f.n; i++) {
        if (f.p[i] == '"')
            IDV_TRY(idv_buf_puts(out, "\""));
        IDV_TRY(idv_buf_put(out, idv_bytes(f.p + i, 1)));
    }
    return idv_buf_puts(out, "\"");
}
