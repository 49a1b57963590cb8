/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA signatures: r || s to DER and back. */
#include <string.h>

#include "provider/err.h"
#include "provider/sigform.h"

#define FIELD_MAX 72

/* INTEGER of big-endian p[n]; its length, 0 when the number is zero */
static size_t put_integer(uint8_t *out, const uint8_t *p, size_t n)
{
    size_t pad;

    while (n > 0 && *p == 0) {
        p++;
        n--;
    }
    if (n == 0)
        return 0;
    pad = *p >> 7;
    out[0] = 0x02;
    out[1] = (uint8_t)(n + pad);
    out[2] = 0;
    memcpy(out + 2 + pad, p, n);
    return 2 + pad + n;
}

int hwk_sig_to_der(const uint8_t *raw, size_t field, uint8_t *der, size_t *n)
{
    uint8_t body[2 * (FIELD_MAX + 3)];
    size_t r, s, head;

    if (field == 0 || field > FIELD_MAX)
        return hwk_raise(HWK_R_FORMAT, "signature: field of %zu bytes", field);
    r = put_integer(body, raw, field);
    s = put_integer(body + r, raw + field, field);
    if (r == 0 || s == 0)
        return hwk_raise(HWK_R_FORMAT, "signature: r or s is zero");
    head = r + s < 128 ? 2 : 3; /* 2 * 75 at most */
    if (*n < head + r + s)
        return hwk_raise(HWK_R_ARGUMENT, "no room for the signature");
    der[0] = 0x30;
    der[1] = 0x81;
    der[head - 1] = (uint8_t)(r + s);
    memcpy(der + head, body, r + s);
    *n = head + r + s;
    return 1;
}

/* takes one INTEGER off *p, right-aligned into out[field] */
static int get_integer(const uint8_t **p, size_t *n, uint8_t *out, size_t field)
{
    const uint8_t *v;
    size_t len;

    if (*n < 3 || (*p)[0] != 0x02 || (*p)[1] == 0 || (*p)[1] > *n - 2)
        return 0;
    len = (*p)[1];
    v = *p + 2;
    *p += 2 + len;
    *n -= 2 + len;
    if ((v[0] & 0x80) != 0 || (len > 1 && v[0] == 0 && (v[1] & 0x80) == 0))
        return 0;
    if (v[0] == 0) {
        v++;
        len--;
    }
    if (len == 0 || len > field)
        return 0;
    memset(out, 0, field - len);
    memcpy(out + field - len, v, len);
    return 1;
}

int hwk_sig_from_der(const uint8_t *der, size_t n, size_t field, uint8_t *raw)
{
    size_t head = n > 1 && der[1] == 0x81 ? 3 : 2;

    if (field == 0 || field > FIELD_MAX || n < head || der[0] != 0x30 ||
        (head == 3 && der[2] < 128) || (head == 2 && der[1] >= 128) ||
        der[head - 1] != n - head)
        return hwk_raise(HWK_R_FORMAT, "signature: not DER");
    der += head;
    n -= head;
    if (!get_integer(&der, &n, raw, field) ||
        !get_integer(&der, &n, raw + field, field) || n != 0)
        return hwk_raise(HWK_R_FORMAT, "signature: not two fitting integers");
    return 1;
}
