/* SPDX-License-Identifier: Apache-2.0 */
/* DER, one element at a time. */
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>

#include <idevid/auto.h>

#include "x509/tlv.h"

/* Reads a length of the long form: n bytes, no leading zero, above 127. */
static idv_rc long_length(const uint8_t *p, size_t n, size_t *length)
{
    size_t v = 0;
    if (n < 1 || n > 3 || p[0] == 0)
        return idv_fail(IDV_E_FORMAT, "DER: a length that is not");
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    if (v < 128)
        return idv_fail(IDV_E_FORMAT, "DER: a length longer than needed");
    *length = v;
    return IDV_OK;
}

idv_rc idvi_tlv_next(struct idv_bytes *in, struct idvi_tlv *out)
{
    size_t head = 2, length;
    if (in->n < 2 || (in->p[0] & 0x1f) == 0x1f)
        return idv_fail(IDV_E_FORMAT, "DER: no element");
    length = in->p[1];
    if (length & 0x80) {
        const size_t n = length & 0x7f;
        if (in->n - 2 < n)
            return idv_fail(IDV_E_FORMAT, "DER: cut off");
        IDV_TRY(long_length(in->p + 2, n, &length));
        head += n;
    }
    if (in->n - head < length)
        return idv_fail(IDV_E_FORMAT, "DER: cut off");
    out->tag = in->p[0];
    out->value = idv_bytes(in->p + head, length);
    out->whole = idv_bytes(in->p, head + length);
    *in = idv_bytes(in->p + head + length, in->n - head - length);
    return IDV_OK;
}

idv_rc idvi_tlv_only(struct idv_bytes in, uint8_t tag, struct idv_bytes *value)
{
    struct idvi_tlv tlv;
    IDV_TRY(idvi_tlv_next(&in, &tlv));
    if (tlv.tag != tag || in.n)
        return idv_fail(IDV_E_FORMAT, "DER: not what is expected here");
    *value = tlv.value;
    return IDV_OK;
}

idv_rc idvi_tlv_put(struct idv_buf *out, uint8_t tag, struct idv_bytes value)
{
    uint8_t head[5] = {tag};
    size_t n = 1;
    if (value.n > 0xffffff)
        return idv_fail(IDV_E_LIMIT, "DER: %zu bytes", value.n);
    if (value.n > 127)
        head[n++] = value.n > 0xffff ? 0x83 : value.n > 0xff ? 0x82 : 0x81;
    if (value.n > 0xffff)
        head[n++] = (uint8_t)(value.n >> 16);
    if (value.n > 0xff)
        head[n++] = (uint8_t)(value.n >> 8);
    head[n++] = (uint8_t)value.n;
    IDV_TRY(idv_buf_put(out, idv_bytes(head, n)));
    return idv_buf_put(out, value);
}

int idvi_tlv_nid(struct idv_bytes oid)
{
    IDV_AUTO(buf) der = {0};
    if (oid.n > 64 || idvi_tlv_put(&der, TLV_OID, oid) != IDV_OK)
        return NID_undef;
    const uint8_t *p = der.p;
    IDV_AUTO_PTR(ASN1_OBJECT) obj = d2i_ASN1_OBJECT(NULL, &p, (long)der.n);
    ERR_clear_error();
    return obj ? OBJ_obj2nid(obj) : NID_undef;
}

idv_rc idvi_tlv_put_nid(struct idv_buf *out, int nid)
{
    const ASN1_OBJECT *obj = OBJ_nid2obj(nid);
    if (!obj)
        return idv_fail(IDV_E_ARG, "DER: no such object");
    return idvi_tlv_put(out, TLV_OID,
                        idv_bytes(OBJ_get0_data(obj), OBJ_length(obj)));
}
