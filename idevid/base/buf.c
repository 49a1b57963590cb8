/* SPDX-License-Identifier: Apache-2.0 */
/* Byte views and bounded, owned buffers. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include <idevid/buf.h>

struct idv_bytes idv_bytes(const void *p, size_t n)
{
    return (struct idv_bytes){p, n};
}

struct idv_bytes idv_str(const char *s)
{
    return idv_bytes(s, s ? strlen(s) : 0);
}

struct idv_bytes idv_view(const struct idv_buf *b)
{
    return idv_bytes(b->p, b->n);
}

bool idv_bytes_eq(struct idv_bytes a, struct idv_bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool idv_bytes_eq_secret(struct idv_bytes a, struct idv_bytes b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

static void wipe_free(struct idv_buf *b)
{
    if (b->secret && b->p)
        OPENSSL_cleanse(b->p, b->cap);
    free(b->p);
}

static idv_rc grow(struct idv_buf *b, size_t add)
{
    size_t max = b->max ? b->max : IDV_BUF_MAX_DEFAULT;
    if (b->n > max || add > max - b->n)
        return idv_fail(IDV_E_LIMIT, "buffer: more than %zu bytes", max);
    if (b->n + add >= PTRDIFF_MAX)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    size_t need = b->n + add + 1;
    if (need <= b->cap)
        return IDV_OK;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap *= 2;
    uint8_t *p = malloc(cap);
    if (!p)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (b->n)
        memcpy(p, b->p, b->n);
    wipe_free(b);
    b->p = p;
    b->cap = cap;
    return IDV_OK;
}

idv_rc idv_buf_put(struct idv_buf *b, struct idv_bytes add)
{
    IDV_TRY(grow(b, add.n));
    if (add.n)
        memcpy(b->p + b->n, add.p, add.n);
    b->n += add.n;
    b->p[b->n] = 0;
    return IDV_OK;
}

idv_rc idv_buf_puts(struct idv_buf *b, const char *s)
{
    return idv_buf_put(b, idv_str(s));
}

idv_rc idv_buf_putf(struct idv_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return idv_fail(IDV_E_ARG, "format: not printable");
    IDV_TRY(grow(b, (size_t)n));
    va_start(ap, fmt);
    vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
    return IDV_OK;
}

idv_rc idv_buf_room(struct idv_buf *b, size_t n, uint8_t **p)
{
    IDV_TRY(grow(b, n));
    *p = b->p + b->n;
    memset(*p, 0, n + 1);
    return IDV_OK;
}

void idv_buf_clear(struct idv_buf *b)
{
    if (b->secret && b->p)
        OPENSSL_cleanse(b->p, b->cap);
    b->n = 0;
    if (b->p)
        b->p[0] = 0;
}

void idv_buf_free(struct idv_buf *b)
{
    wipe_free(b);
    b->p = NULL;
    b->n = b->cap = 0;
}

void idv_buf_move(struct idv_buf *to, struct idv_buf *from)
{
    if (to == from)
        return;
    idv_buf_free(to);
    *to = *from;
    from->p = NULL;
    from->n = from->cap = 0;
}
