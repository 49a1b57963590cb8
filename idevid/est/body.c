/* SPDX-License-Identifier: Apache-2.0 */
/* EST bodies: base64 of DER, whatever a header says (RFC 8951 section 3). */
#define _GNU_SOURCE /* memmem */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/est.h>
#include <idevid/text.h>

#define COLUMNS 64

idv_rc idv_est_body_from_der(struct idv_bytes der, struct idv_buf *out)
{
    return idv_base64_from_bytes(der, COLUMNS, out);
}

static const uint8_t *find(struct idv_bytes in, const char *what)
{
    if (!in.n)
        return NULL;
    return (const uint8_t *)memmem(in.p, in.n, what, strlen(what));
}

/* "-----END x-----", and nothing behind it */
static idv_rc check_end(struct idv_bytes in)
{
    struct idv_bytes label = idv_bytes(in.p + 9, in.n - 9);
    const uint8_t *dashes = find(label, "-----");
    if (!dashes || dashes + 5 != in.p + in.n)
        return idv_fail(IDV_E_FORMAT, "EST: something behind the PEM");
    return IDV_OK;
}

/* what is between "-----BEGIN x-----" and "-----END", if that is there */
static idv_rc without_armour(struct idv_bytes in, struct idv_bytes *out)
{
    *out = idv_text_trim(in);
    if (out->n < 11 || memcmp(out->p, "-----BEGIN ", 11) != 0)
        return IDV_OK;
    struct idv_bytes rest = idv_bytes(out->p + 11, out->n - 11);
    const uint8_t *begin = find(rest, "-----");
    if (!begin)
        return idv_fail(IDV_E_FORMAT, "EST: PEM without a first line");
    begin += 5;
    rest = idv_bytes(begin, rest.n - (size_t)(begin - rest.p));
    const uint8_t *end = find(rest, "-----END ");
    if (!end)
        return idv_fail(IDV_E_FORMAT, "EST: PEM without an end");
    *out = idv_bytes(rest.p, (size_t)(end - rest.p));
    return check_end(idv_bytes(end, rest.n - (size_t)(end - rest.p)));
}

idv_rc idv_est_body_to_der(struct idv_bytes body, struct idv_buf *out)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_BODY};
    struct idv_bytes text;
    if (body.n > IDV_MAX_BODY)
        return idv_fail(IDV_E_LIMIT, "EST: a body of %zu bytes", body.n);
    IDV_TRY(without_armour(body, &text));
    IDV_TRY(idv_base64_to_bytes(text, IDV_BASE64_LAX, &der));
    if (der.n == 0)
        return idv_fail(IDV_E_FORMAT, "EST: an empty body");
    return idv_buf_put(out, idv_view(&der));
}
