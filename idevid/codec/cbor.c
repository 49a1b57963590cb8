/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR by libcbor, after a look at what it would have to allocate. */
#include "codec/cbor.h"

#include <string.h>

#include <cbor.h>

/* --- the look: depth, number of items, what is announced ---------------- */

#define ENDLESS SIZE_MAX

struct scan {
    size_t left[IDVI_CBOR_DEPTH]; /* items to come, per open level */
    size_t depth, items;
    size_t rest; /* bytes after this item's head */
    idv_rc rc;
};

/* an item is whole, and so may be what it is in */
static void whole(struct scan *s)
{
    while (s->depth > 0 && s->left[s->depth - 1] != ENDLESS) {
        if (--s->left[s->depth - 1] > 0)
            return;
        s->depth--;
    }
}

static void leaf(struct scan *s)
{
    if (++s->items > IDVI_CBOR_ITEMS)
        s->rc = IDV_E_LIMIT;
    else
        whole(s);
}

static void open_level(struct scan *s, size_t n)
{
    if (++s->items > IDVI_CBOR_ITEMS || s->depth == IDVI_CBOR_DEPTH)
        s->rc = IDV_E_LIMIT;
    else if (n != ENDLESS && n > s->rest) /* an item has a byte at least */
        s->rc = IDV_E_FORMAT;
    else if (n == 0)
        whole(s);
    else
        s->left[s->depth++] = n;
}

static void on_uint8(void *s, uint8_t v)
{
    (void)v;
    leaf(s);
}

static void on_uint16(void *s, uint16_t v)
{
    (void)v;
    leaf(s);
}

static void on_uint32(void *s, uint32_t v)
{
    (void)v;
    leaf(s);
}

static void on_uint64(void *s, uint64_t v)
{
    (void)v;
    leaf(s);
}

static void on_float(void *s, float v)
{
    (void)v;
    leaf(s);
}

static void on_double(void *s, double v)
{
    (void)v;
    leaf(s);
}

static void on_bool(void *s, bool v)
{
    (void)v;
    leaf(s);
}

static void on_simple(void *s)
{
    leaf(s);
}

static void on_string(void *s, cbor_data p, size_t n)
{
    (void)p;
    (void)n;
    leaf(s);
}

static void on_chunks(void *s)
{
    ((struct scan *)s)->rc = IDV_E_FORMAT;
}

static void on_array(void *s, size_t n)
{
    open_level(s, n);
}

static void on_map(void *arg, size_t n)
{
    struct scan *s = arg;
    if (n > s->rest / 2)
        s->rc = IDV_E_FORMAT;
    else
        open_level(s, 2 * n);
}

static void on_tag(void *s, uint64_t tag)
{
    (void)tag;
    open_level(s, 1);
}

static void on_endless(void *s)
{
    open_level(s, ENDLESS);
}

static void on_break(void *arg)
{
    struct scan *s = arg;
    if (s->depth == 0 || s->left[s->depth - 1] != ENDLESS) {
        s->rc = IDV_E_FORMAT;
        return;
    }
    s->depth--;
    whole(s);
}

static const struct cbor_callbacks seen = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_uint8,
    .negint16 = on_uint16,
    .negint32 = on_uint32,
    .negint64 = on_uint64,
    .byte_string = on_string,
    .byte_string_start = on_chunks,
    .string = on_string,
    .string_start = on_chunks,
    .array_start = on_array,
    .indef_array_start = on_endless,
    .map_start = on_map,
    .indef_map_start = on_endless,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_simple,
    .null = on_simple,
    .boolean = on_bool,
    .indef_break = on_break,
};

/* the length of an item's head is not told before its callback: the bytes after
 * its first one bound what can follow well enough */
static idv_rc scan(struct idv_bytes in)
{
    struct scan s = {.rc = IDV_OK};
    size_t at = 0;
    do {
        s.rest = in.n - at - (in.n > at);
        struct cbor_decoder_result r =
            cbor_stream_decode(in.p + at, in.n - at, &seen, &s);
        if (r.status != CBOR_DECODER_FINISHED)
            return idv_fail(IDV_E_FORMAT, "CBOR: it ends or breaks at byte %zu",
                            at);
        if (s.rc != IDV_OK)
            return idv_fail(s.rc, "CBOR: %s at byte %zu",
                            s.rc == IDV_E_LIMIT ? "too deep or too much"
                                                : "not well formed",
                            at);
        at += r.read;
    } while (s.depth > 0);
    if (at != in.n)
        return idv_fail(IDV_E_FORMAT, "CBOR: %zu bytes follow the item",
                        in.n - at);
    return IDV_OK;
}

/* --- keys --------------------------------------------------------------- */

static bool same_key(const cbor_item_t *a, const cbor_item_t *b)
{
    struct idv_bytes s, t;
    if (cbor_typeof(a) != cbor_typeof(b))
        return false;
    if (cbor_is_int(a))
        return cbor_get_int(a) == cbor_get_int(b);
    return (idvi_cbor_bytes(a, &s) || idvi_cbor_text(a, &s)) &&
           (idvi_cbor_bytes(b, &t) || idvi_cbor_text(b, &t)) &&
           idv_bytes_eq(s, t);
}

static idv_rc check(const cbor_item_t *item);

static idv_rc check_map(const cbor_item_t *map)
{
    const struct cbor_pair *at = cbor_map_handle(map);
    for (size_t i = 0, n = cbor_map_size(map); i < n; i++) {
        if (!cbor_is_int(at[i].key) && !cbor_isa_string(at[i].key) &&
            !cbor_isa_bytestring(at[i].key))
            return idv_fail(IDV_E_FORMAT, "CBOR: a key of a map is neither "
                                          "integer nor string");
        for (size_t j = 0; j < i; j++) {
            if (same_key(at[i].key, at[j].key))
                return idv_fail(IDV_E_FORMAT, "CBOR: a map has a key twice");
        }
        IDV_TRY(check(at[i].value));
    }
    return IDV_OK;
}

/* (its depth is bounded by scan) */
static idv_rc check(const cbor_item_t *item)
{
    size_t n = 0;
    if (cbor_isa_map(item))
        return check_map(item);
    for (idvi_cbor_array(item, &n); n > 0; n--)
        IDV_TRY(check(idvi_cbor_at(item, n - 1)));
    if (!cbor_isa_tag(item))
        return IDV_OK;
    cbor_item_t *inner = cbor_tag_item(item);
    idv_rc rc = check(inner);
    cbor_decref(&inner);
    return rc;
}

/* --- the tree ----------------------------------------------------------- */

idv_rc idvi_cbor_from_bytes(struct idv_bytes in, idvi_cbor **out)
{
    struct cbor_load_result r;
    IDV_TRY(scan(in));
    cbor_item_t *item = cbor_load(in.p, in.n, &r);
    if (!item)
        return r.error.code == CBOR_ERR_MEMERROR
                   ? idv_fail(IDV_E_NOMEM, "out of memory")
                   : idv_fail(IDV_E_FORMAT, "CBOR: not well formed");
    idv_rc rc = check(item);
    if (rc == IDV_OK)
        *out = item;
    else
        cbor_decref(&item);
    return rc;
}

void idvi_cbor_free(idvi_cbor *item)
{
    if (item)
        cbor_decref(&item);
}

bool idvi_cbor_uint(const idvi_cbor *item, uint64_t max, uint64_t *value)
{
    if (!item || !cbor_isa_uint(item) || cbor_get_int(item) > max)
        return false;
    *value = cbor_get_int(item);
    return true;
}

bool idvi_cbor_bytes(const idvi_cbor *item, struct idv_bytes *value)
{
    if (!item || !cbor_isa_bytestring(item))
        return false;
    *value =
        idv_bytes(cbor_bytestring_handle(item), cbor_bytestring_length(item));
    return true;
}

bool idvi_cbor_text(const idvi_cbor *item, struct idv_bytes *value)
{
    if (!item || !cbor_isa_string(item))
        return false;
    *value = idv_bytes(cbor_string_handle(item), cbor_string_length(item));
    return true;
}

bool idvi_cbor_array(const idvi_cbor *item, size_t *n)
{
    if (!item || !cbor_isa_array(item))
        return false;
    *n = cbor_array_size(item);
    return true;
}

const idvi_cbor *idvi_cbor_at(const idvi_cbor *item, size_t i)
{
    size_t n;
    return idvi_cbor_array(item, &n) && i < n ? cbor_array_handle(item)[i]
                                              : NULL;
}
