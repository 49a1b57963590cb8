/* SPDX-License-Identifier: Apache-2.0 */
/* base64, RFC 4648 section 4, with every other reading refused. */
#include <string.h>

#include <idevid/codec.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Characters one by one, broken into lines. */
struct writer {
    uint8_t *p;
    size_t n, columns, column;
};

static void put_char(struct writer *w, uint32_t c)
{
    w->p[w->n++] = (uint8_t)c;
    if (w->columns && ++w->column == w->columns) {
        w->p[w->n++] = '\n';
        w->column = 0;
    }
}

static void put_group(struct writer *w, const uint8_t *p, size_t n)
{
    uint32_t v = (uint32_t)p[0] << 16;
    v |= n > 1 ? (uint32_t)p[1] << 8 : 0;
    v |= n > 2 ? p[2] : 0;
    put_char(w, (uint8_t)alphabet[v >> 18]);
    put_char(w, (uint8_t)alphabet[v >> 12 & 63]);
    put_char(w, n > 1 ? (uint8_t)alphabet[v >> 6 & 63] : '=');
    put_char(w, n > 2 ? (uint8_t)alphabet[v & 63] : '=');
}

idv_rc idv_base64_from_bytes(struct idv_bytes raw, size_t columns,
                             struct idv_buf *out)
{
    if (raw.n > SIZE_MAX / 4)
        return idv_fail(IDV_E_LIMIT, "base64: too long");
    size_t n = (raw.n + 2) / 3 * 4;
    size_t lines = columns ? (n + columns - 1) / columns : 0;
    struct writer w = {.columns = columns};
    IDV_TRY(idv_buf_room(out, n + lines, &w.p));
    for (size_t i = 0; i < raw.n; i += 3)
        put_group(&w, raw.p + i, raw.n - i < 3 ? raw.n - i : 3);
    if (w.column)
        w.p[w.n++] = '\n';
    out->n += w.n;
    return IDV_OK;
}

/* value of a character, -1 outside the form's alphabet */
static int value(uint8_t c, bool lax)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || (lax && c == '-'))
        return 62;
    if (c == '/' || (lax && c == '_'))
        return 63;
    return -1;
}

static bool skipped(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct reader {
    uint8_t *p;
    size_t n, chars, pads;
    uint32_t bits;
};

static bool take(struct reader *r, uint8_t c, bool lax)
{
    if (lax && skipped(c))
        return true;
    if (c == '=') {
        r->pads++;
        return true;
    }
    int v = value(c, lax);
    if (v < 0 || r->pads)
        return false;
    r->bits = r->bits << 6 | (uint32_t)v;
    if (++r->chars % 4 == 0) {
        r->p[r->n++] = (uint8_t)(r->bits >> 16);
        r->p[r->n++] = (uint8_t)(r->bits >> 8);
        r->p[r->n++] = (uint8_t)r->bits;
        r->bits = 0;
    }
    return true;
}

/* the last group: what is left over must be whole bytes; bits beyond them are
 * zero, unless lax (published samples have others) */
static bool finish(struct reader *r, bool lax)
{
    size_t left = r->chars % 4, pads = left ? 4 - left : 0;
    if (left == 1 || (r->pads != pads && !(lax && r->pads == 0)))
        return false;
    if (left == 2) {
        r->p[r->n++] = (uint8_t)(r->bits >> 4);
        return lax || (r->bits & 0x0f) == 0;
    }
    if (left == 3) {
        r->p[r->n++] = (uint8_t)(r->bits >> 10);
        r->p[r->n++] = (uint8_t)(r->bits >> 2);
        return lax || (r->bits & 0x03) == 0;
    }
    return true;
}

/* what the characters hold when all is well */
static size_t decoded_size(struct idv_bytes text, bool lax)
{
    size_t chars = 0;
    for (size_t i = 0; i < text.n; i++)
        chars += value(text.p[i], lax) >= 0;
    return chars / 4 * 3 + chars % 4 * 3 / 4;
}

idv_rc idv_base64_to_bytes(struct idv_bytes text, enum idv_base64_form form,
                           struct idv_buf *out)
{
    bool lax = form == IDV_BASE64_LAX;
    struct reader r = {0};
    IDV_TRY(idv_buf_room(out, decoded_size(text, lax), &r.p));
    bool good = true;
    for (size_t i = 0; i < text.n && good; i++)
        good = take(&r, text.p[i], lax);
    if (!good || !finish(&r, lax)) {
        memset(r.p, 0, r.n);
        return idv_fail(IDV_E_FORMAT, "base64: not in its alphabet or cut off");
    }
    r.p[r.n] = 0;
    out->n += r.n;
    return IDV_OK;
}
