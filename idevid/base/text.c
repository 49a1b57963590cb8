/* SPDX-License-Identifier: Apache-2.0 */
/* String helpers that fail instead of cutting. */
#include <stdlib.h>
#include <string.h>

#include <idevid/text.h>

idv_rc idv_text_copy(char *to, size_t room, struct idv_bytes text,
                     const char *what)
{
    if (text.n && memchr(text.p, 0, text.n))
        return idv_fail(IDV_E_FORMAT, "%s: a NUL inside", what);
    if (text.n >= room)
        return idv_fail(IDV_E_LIMIT, "%s: longer than %zu bytes", what,
                        room ? room - 1 : 0);
    if (text.n)
        memcpy(to, text.p, text.n);
    to[text.n] = 0;
    return IDV_OK;
}

idv_rc idv_text_dup(struct idv_bytes text, char **out)
{
    if (text.n && memchr(text.p, 0, text.n))
        return idv_fail(IDV_E_FORMAT, "text: a NUL inside");
    char *s = malloc(text.n + 1);
    if (!s)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (text.n)
        memcpy(s, text.p, text.n);
    s[text.n] = 0;
    *out = s;
    return IDV_OK;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct idv_bytes idv_text_trim(struct idv_bytes text)
{
    while (text.n && is_blank(text.p[0])) {
        text.p++;
        text.n--;
    }
    while (text.n && is_blank(text.p[text.n - 1]))
        text.n--;
    return text;
}

bool idv_text_next(struct idv_bytes *rest, const char *stops,
                   struct idv_bytes *piece)
{
    if (!rest->p)
        return false;
    size_t i = 0;
    while (i < rest->n && (!rest->p[i] || !strchr(stops, rest->p[i])))
        i++;
    *piece = idv_bytes(rest->p, i);
    if (i == rest->n)
        *rest = idv_bytes(NULL, 0);
    else
        *rest = idv_bytes(rest->p + i + 1, rest->n - i - 1);
    return true;
}

bool idv_text_eq(struct idv_bytes a, const char *b)
{
    return idv_bytes_eq(a, idv_str(b));
}

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

bool idv_text_eq_nocase(struct idv_bytes a, const char *b)
{
    if (a.n != strlen(b))
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower((unsigned char)b[i]))
            return false;
    }
    return true;
}

/* accumulates negatively: the negative range is the larger one */
static bool read_int(struct idv_bytes text, int64_t *out)
{
    bool neg = text.n && text.p[0] == '-';
    size_t i = neg;
    int64_t v = 0;
    if (i == text.n)
        return false;
    for (; i < text.n; i++) {
        int digit = text.p[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_sub_overflow(v, digit, &v))
            return false;
    }
    if (!neg && v == INT64_MIN)
        return false;
    *out = neg ? v : -v;
    return true;
}

idv_rc idv_text_to_int(struct idv_bytes text, int64_t min, int64_t max,
                       const char *what, int64_t *out)
{
    int64_t v;
    if (!read_int(text, &v) || v < min || v > max)
        return idv_fail(IDV_E_ARG, "%s: not a whole number from %lld to %lld",
                        what, (long long)min, (long long)max);
    *out = v;
    return IDV_OK;
}

/* length of the UTF-8 sequence at p, 0 when there is none */
static size_t utf8_length(const uint8_t *p, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80             ? 1
                 : (p[0] & 0xe0) == 0xc0 ? 2
                 : (p[0] & 0xf0) == 0xe0 ? 3
                 : (p[0] & 0xf8) == 0xf0 ? 4
                                         : 0;
    if (len < 2 || len > n)
        return len <= n ? len : 0;
    uint32_t c = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    bool surrogate = c >= 0xd800 && c <= 0xdfff;
    return c < least[len] || c > 0x10ffff || surrogate ? 0 : len;
}

bool idv_text_printable(struct idv_bytes text)
{
    for (size_t i = 0; i < text.n;) {
        size_t len = utf8_length(text.p + i, text.n - i);
        bool c0 = text.p[i] < 0x20 || text.p[i] == 0x7f;
        bool c1 = len == 2 && text.p[i] == 0xc2 && text.p[i + 1] < 0xa0;
        if (!len || c0 || c1)
            return false;
        i += len;
    }
    return true;
}

size_t idv_list_count(char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

idv_rc idv_list_add(char ***list, struct idv_bytes text)
{
    size_t n = idv_list_count(*list);
    char **grown = realloc(*list, (n + 2) * sizeof(*grown));
    if (!grown)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    *list = grown;
    grown[n] = NULL;
    IDV_TRY(idv_text_dup(text, &grown[n]));
    grown[n + 1] = NULL;
    return IDV_OK;
}

void idv_list_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}
