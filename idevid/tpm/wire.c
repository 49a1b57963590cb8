/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM's structures, read as the hostile input that they are, and written. */
#include "tpm/wire.h"

struct idv_bytes idvi_wire_take(struct idvi_wire *r, size_t n)
{
    struct idv_bytes v = {0};
    if (r->bad || n > r->left.n) {
        r->bad = true;
        return v;
    }
    v = idv_bytes(r->left.p, n);
    r->left = idv_bytes(r->left.p + n, r->left.n - n);
    return v;
}

static uint64_t number(struct idvi_wire *r, size_t n)
{
    struct idv_bytes b = idvi_wire_take(r, n);
    uint64_t v = 0;
    for (size_t i = 0; i < b.n; i++)
        v = v << 8 | b.p[i];
    return v;
}

uint8_t idvi_wire_u8(struct idvi_wire *r)
{
    return (uint8_t)number(r, 1);
}

uint16_t idvi_wire_u16(struct idvi_wire *r)
{
    return (uint16_t)number(r, 2);
}

uint32_t idvi_wire_u32(struct idvi_wire *r)
{
    return (uint32_t)number(r, 4);
}

uint64_t idvi_wire_u64(struct idvi_wire *r)
{
    return number(r, 8);
}

struct idv_bytes idvi_wire_sized(struct idvi_wire *r)
{
    return idvi_wire_take(r, idvi_wire_u16(r));
}

idv_rc idvi_wire_end(const struct idvi_wire *r, const char *what)
{
    if (!r->bad && r->left.n == 0)
        return IDV_OK;
    return idv_fail(IDV_E_FORMAT, "%s: %s", what,
                    r->bad ? "cut off" : "bytes after it");
}

idv_rc idvi_wire_put16(struct idv_buf *b, uint16_t v)
{
    const uint8_t raw[] = {(uint8_t)(v >> 8), (uint8_t)v};
    return idv_buf_put(b, idv_bytes(raw, sizeof(raw)));
}

idv_rc idvi_wire_put32(struct idv_buf *b, uint32_t v)
{
    const uint8_t raw[] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16),
                           (uint8_t)(v >> 8), (uint8_t)v};
    return idv_buf_put(b, idv_bytes(raw, sizeof(raw)));
}

idv_rc idvi_wire_put_sized(struct idv_buf *b, struct idv_bytes v)
{
    if (v.n > UINT16_MAX)
        return idv_fail(IDV_E_LIMIT, "%zu bytes, more than a TPM2B_ has room",
                        v.n);
    IDV_TRY(idvi_wire_put16(b, (uint16_t)v.n));
    return idv_buf_put(b, v);
}
