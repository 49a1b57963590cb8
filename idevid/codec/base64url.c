/* SPDX-License-Identifier: Apache-2.0 */
/* base64url, RFC 4648 section 5 without padding, as RFC 7515 has it. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>

idv_rc idv_base64url_from_bytes(struct idv_bytes raw, struct idv_buf *out)
{
    size_t from = out->n;
    IDV_TRY(idv_base64_from_bytes(raw, 0, out));
    while (out->n > from && out->p[out->n - 1] == '=')
        out->p[--out->n] = 0;
    for (size_t i = from; i < out->n; i++) {
        if (out->p[i] == '+')
            out->p[i] = '-';
        else if (out->p[i] == '/')
            out->p[i] = '_';
    }
    return IDV_OK;
}

/* the character of the other alphabet; 0 for one that has none here */
static uint8_t translated(uint8_t c)
{
    if (c == '-')
        return '+';
    if (c == '_')
        return '/';
    return c == '+' || c == '/' || c == '=' ? 0 : c;
}

idv_rc idv_base64url_to_bytes(struct idv_bytes text, struct idv_buf *out)
{
    IDV_AUTO(buf) other = {.max = SIZE_MAX / 2};
    size_t pads = (4 - text.n % 4) % 4;
    uint8_t *p;
    IDV_TRY(idv_buf_room(&other, text.n + pads, &p));
    for (size_t i = 0; i < text.n; i++)
        p[i] = translated(text.p[i]);
    memset(p + text.n, '=', pads);
    other.n = text.n + pads;
    return idv_base64_to_bytes(idv_view(&other), IDV_BASE64_STRICT, out);
}
