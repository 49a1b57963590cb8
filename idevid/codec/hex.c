/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal. */
#include <string.h>

#include <idevid/codec.h>

idv_rc idv_hex_from_bytes(struct idv_bytes raw, struct idv_buf *out)
{
    static const char digits[] = "0123456789abcdef";
    if (raw.n > SIZE_MAX / 2)
        return idv_fail(IDV_E_LIMIT, "hex: too long");
    uint8_t *p;
    IDV_TRY(idv_buf_room(out, raw.n * 2, &p));
    for (size_t i = 0; i < raw.n; i++) {
        p[2 * i] = (uint8_t)digits[raw.p[i] >> 4];
        p[2 * i + 1] = (uint8_t)digits[raw.p[i] & 15];
    }
    out->n += raw.n * 2;
    return IDV_OK;
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

idv_rc idv_hex_to_bytes(struct idv_bytes text, struct idv_buf *out)
{
    if (text.n % 2)
        return idv_fail(IDV_E_FORMAT, "hex: an odd number of digits");
    uint8_t *p;
    IDV_TRY(idv_buf_room(out, text.n / 2, &p));
    for (size_t i = 0; i < text.n; i += 2) {
        int high = digit(text.p[i]), low = digit(text.p[i + 1]);
        if (high < 0 || low < 0) {
            memset(p, 0, text.n / 2);
            return idv_fail(IDV_E_FORMAT, "hex: not a digit at %zu", i);
        }
        p[i / 2] = (uint8_t)(high << 4 | low);
    }
    out->n += text.n / 2;
    return IDV_OK;
}
