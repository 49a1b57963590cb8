/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and vectors of TLS, there and back. */
#include <string.h>

#include <idevid/auto.h>

#include "tree/wire.h"

idv_rc idvi_put_uint(struct idv_buf *out, uint64_t v, unsigned bytes)
{
    uint8_t p[8];
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
    return idv_buf_put(out, idv_bytes(p, bytes));
}

idv_rc idvi_put_vector(struct idv_buf *out, unsigned bytes, struct idv_bytes v)
{
    if (v.n >> 8 * bytes)
        return idv_fail(IDV_E_LIMIT, "log item: too long");
    IDV_TRY(idvi_put_uint(out, v.n, bytes));
    return idv_buf_put(out, v);
}

idv_rc idvi_put_path(struct idv_buf *out, const struct idv_tree_path *path)
{
    IDV_TRY(idvi_put_uint(out, path->n * (1 + sizeof(struct idv_hash)), 2));
    for (size_t i = 0; i < path->n; i++)
        IDV_TRY(idvi_put_vector(
            out, 1, idv_bytes(path->hash[i].p, sizeof(path->hash[i].p))));
    return IDV_OK;
}

static idv_rc malformed(const char *why)
{
    return idv_fail(IDV_E_FORMAT, "log item: %s", why);
}

idv_rc idvi_get_fixed(struct idv_bytes *in, size_t n, struct idv_bytes *out)
{
    if (in->n < n)
        return malformed("cut short");
    *out = idv_bytes(in->p, n);
    *in = idv_bytes(in->p + n, in->n - n);
    return IDV_OK;
}

idv_rc idvi_get_uint(struct idv_bytes *in, unsigned bytes, uint64_t *out)
{
    struct idv_bytes raw;
    IDV_TRY(idvi_get_fixed(in, bytes, &raw));
    *out = 0;
    for (unsigned i = 0; i < bytes; i++)
        *out = *out << 8 | raw.p[i];
    return IDV_OK;
}

idv_rc idvi_get_vector(struct idv_bytes *in, unsigned bytes, size_t least,
                       struct idv_bytes *out)
{
    uint64_t n = 0;
    IDV_TRY(idvi_get_uint(in, bytes, &n));
    if (n < least)
        return malformed("something is empty");
    return idvi_get_fixed(in, n, out);
}

idv_rc idvi_get_hash(struct idv_bytes *in, struct idv_hash *out)
{
    struct idv_bytes raw;
    IDV_TRY(idvi_get_vector(in, 1, 0, &raw));
    if (raw.n != sizeof(out->p))
        return malformed("a hash is not of 32 bytes");
    memcpy(out->p, raw.p, raw.n);
    return IDV_OK;
}

idv_rc idvi_get_path(struct idv_bytes *in, struct idv_tree_path *out)
{
    struct idv_bytes list;
    IDV_TRY(idvi_get_vector(in, 2, 0, &list));
    for (out->n = 0; list.n; out->n++) {
        if (out->n == IDV_TREE_PATH)
            return malformed("a proof is too long");
        IDV_TRY(idvi_get_hash(&list, &out->hash[out->n]));
    }
    return IDV_OK;
}

idv_rc idvi_get_end(struct idv_bytes in)
{
    return in.n ? malformed("more than that") : IDV_OK;
}

idv_rc idvi_get_type(struct idv_bytes *in, uint64_t type, const char *what)
{
    uint64_t is = 0;
    IDV_TRY(idvi_get_uint(in, 2, &is));
    if (is != type)
        return idv_fail(IDV_E_FORMAT, "log item: not %s", what);
    return IDV_OK;
}
