/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates of a SignedData, apart from the rest of it. */
#include "envelope/cms_certs.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>

#include <idevid/auto.h>
#include <idevid/limits.h>
#include <idevid/x509.h>

struct element {
    int tag, class;
    bool constructed;
    struct idv_bytes whole, inside;
};

/* takes the first element off *in */
static bool next(struct idv_bytes *in, struct element *out)
{
    const unsigned char *p = in->p;
    long n = 0;
    int how = ASN1_get_object(&p, &n, &out->tag, &out->class, (long)in->n);
    if (how & 0x81) /* damaged, or of indefinite length */
        return false;
    size_t head = (size_t)(p - in->p);
    out->constructed = how & V_ASN1_CONSTRUCTED;
    out->inside = idv_bytes(p, (size_t)n);
    out->whole = idv_bytes(in->p, head + (size_t)n);
    in->p += out->whole.n;
    in->n -= out->whole.n;
    return head == out->whole.n - out->inside.n &&
           ASN1_object_size(out->constructed, (int)n, out->tag) ==
               (int)out->whole.n;
}

static bool is_next(struct idv_bytes *in, int class, int tag,
                    struct element *out)
{
    return in->n && next(in, out) && out->class == class && out->tag == tag;
}

static bool only(struct idv_bytes in, int class, int tag,
                 struct idv_bytes *inside)
{
    struct element e;
    if (!is_next(&in, class, tag, &e) || in.n || !e.constructed)
        return false;
    *inside = e.inside;
    return true;
}

/* --- apart ---------------------------------------------------------------- */

struct parts {
    struct idv_bytes type;   /* of the ContentInfo */
    struct idv_bytes before; /* version, digests, content */
    struct idv_bytes certs;
    struct idv_bytes after; /* CRLs, signers */
};

static bool is_signed_data(struct idv_bytes oid)
{
    const ASN1_OBJECT *o = OBJ_nid2obj(NID_pkcs7_signed);
    return idv_bytes_eq(oid, idv_bytes(OBJ_get0_data(o), OBJ_length(o)));
}

static bool split(struct idv_bytes sealed, struct parts *out)
{
    struct idv_bytes in, data;
    struct element e;
    if (!only(sealed, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &in) ||
        !is_next(&in, V_ASN1_UNIVERSAL, V_ASN1_OBJECT, &e) ||
        !is_signed_data(e.inside))
        return false;
    out->type = e.whole;
    if (!only(in, V_ASN1_CONTEXT_SPECIFIC, 0, &data) ||
        !only(data, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &in))
        return false;
    out->before = in;
    if (!is_next(&in, V_ASN1_UNIVERSAL, V_ASN1_INTEGER, &e) ||
        !is_next(&in, V_ASN1_UNIVERSAL, V_ASN1_SET, &e) ||
        !is_next(&in, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &e))
        return false;
    out->before.n -= in.n;
    if (!is_next(&in, V_ASN1_CONTEXT_SPECIFIC, 0, &e) || !e.constructed)
        return false;
    out->certs = e.inside;
    out->after = in;
    return true;
}

static bool take(struct idv_bytes in, STACK_OF(X509) * certs)
{
    struct element e;
    while (in.n) {
        IDV_AUTO_PTR(X509) cert = NULL;
        if (sk_X509_num(certs) >= IDV_MAX_CHAIN ||
            !is_next(&in, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &e) ||
            idv_cert_shared(e.whole, &cert) != IDV_OK ||
            sk_X509_push(certs, cert) <= 0)
            return false;
        (void)idv_steal(&cert);
    }
    return true;
}

/* --- together again ------------------------------------------------------- */

static bool put_head(struct idv_buf *out, int class, int tag, size_t length)
{
    uint8_t head[8], *p = head;
    ASN1_put_object(&p, 1, (int)length, tag, class);
    return idv_buf_put(out, idv_bytes(head, (size_t)(p - head))) == IDV_OK;
}

static size_t size(size_t length)
{
    return (size_t)ASN1_object_size(1, (int)length, V_ASN1_SEQUENCE);
}

static bool join(const struct parts *parts, struct idv_buf *out)
{
    size_t data = parts->before.n + parts->after.n;
    return put_head(out, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE,
                    parts->type.n + size(size(data))) &&
           idv_buf_put(out, parts->type) == IDV_OK &&
           put_head(out, V_ASN1_CONTEXT_SPECIFIC, 0, size(data)) &&
           put_head(out, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, data) &&
           idv_buf_put(out, parts->before) == IDV_OK &&
           idv_buf_put(out, parts->after) == IDV_OK;
}

static bool cut(struct idv_bytes sealed, struct idv_buf *rest,
                STACK_OF(X509) * certs)
{
    struct parts parts = {0};
    return certs && sealed.n <= IDV_MAX_BODY && split(sealed, &parts) &&
           take(parts.certs, certs) && join(&parts, rest);
}

bool idvi_cms_cut_certs(struct idv_bytes sealed, struct idv_buf *rest,
                        STACK_OF(X509) * *certs)
{
    IDV_AUTO_PTR(idv_certs) taken = sk_X509_new_null();
    if (cut(sealed, rest, taken)) {
        *certs = idv_steal(&taken);
        return true;
    }
    idv_buf_clear(rest);
    idv_note_clear(); /* who reads the whole says what is wrong with it */
    ERR_clear_error();
    return false;
}
