/* SPDX-License-Identifier: Apache-2.0 */
/* certs-only PKCS#7: certificates in a SignedData that nobody signed. */
#include <openssl/err.h>
#include <openssl/pkcs7.h>

#include "x509/x509.h"

/* ContentInfo of SignedData (RFC 2315), but for its certificates: that is all
 * that ever differs, and libcrypto's way there is long. */
static const uint8_t type[] = {6,    9,    0x2a, 0x86, 0x48, 0x86,
                               0xf7, 0x0d, 1,    7,    2}; /* signedData */
static const uint8_t before[] = {
    2,    1,    1,    0x31, 0, /* version, no digests */
    0x30, 11,   6,    9,    0x2a, 0x86, 0x48,
    0x86, 0xf7, 0x0d, 1,    7,    1};     /* data, none */
static const uint8_t after[] = {0x31, 0}; /* nobody signed */

/* what is in it, and tag and length of all around it */
static idv_rc head(struct idv_buf *out, int tag, int class, int n)
{
    uint8_t bytes[16], *p = bytes;
    ASN1_put_object(&p, 1, n, tag, class);
    return idv_buf_put(out, idv_bytes(bytes, (size_t)(p - bytes)));
}

idv_rc idv_certbag_wrap(struct idv_bytes certs, struct idv_buf *out)
{
    if (certs.n == 0)
        return idv_fail(IDV_E_ARG, "certificates: none to put in");
    if (certs.n > IDV_MAX_FILE)
        return idv_fail(IDV_E_LIMIT, "certificates: more than %d bytes",
                        IDV_MAX_FILE);
    const int all = ASN1_object_size(1, (int)certs.n, 0);
    const int content = (int)(sizeof(before) + sizeof(after)) + all;
    const int whole = ASN1_object_size(1, content, V_ASN1_SEQUENCE);
    const int tagged = ASN1_object_size(1, whole, 0);
    IDV_TRY(head(out, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL,
                 (int)sizeof(type) + tagged));
    IDV_TRY(idv_buf_put(out, idv_bytes(type, sizeof(type))));
    IDV_TRY(head(out, 0, V_ASN1_CONTEXT_SPECIFIC, whole));
    IDV_TRY(head(out, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, content));
    IDV_TRY(idv_buf_put(out, idv_bytes(before, sizeof(before))));
    IDV_TRY(head(out, 0, V_ASN1_CONTEXT_SPECIFIC, (int)certs.n));
    IDV_TRY(idv_buf_put(out, certs));
    return idv_buf_put(out, idv_bytes(after, sizeof(after)));
}

idv_rc idv_certbag_to_der(const STACK_OF(X509) * certs, struct idv_buf *out)
{
    IDV_AUTO(buf) all = {0};
    for (int i = 0; i < sk_X509_num(certs); i++)
        IDV_TRY(idv_cert_to_der(sk_X509_value(certs, i), &all));
    return idv_certbag_wrap(idv_view(&all), out);
}

static idv_rc take_certs(const STACK_OF(X509) * certs, STACK_OF(X509) * *out)
{
    int n = sk_X509_num(certs);
    if (n <= 0)
        return idv_fail(IDV_E_FORMAT, "certs-only: no certificate in it");
    if (n > IDV_MAX_CHAIN)
        return idv_fail(IDV_E_LIMIT, "certs-only: more than %d certificates",
                        IDV_MAX_CHAIN);
    for (int i = 0; i < n; i++) {
        if (i2d_X509(sk_X509_value(certs, i), NULL) > IDV_MAX_CERT)
            return idv_fail(IDV_E_LIMIT,
                            "certs-only: a certificate of more than %d bytes",
                            IDV_MAX_CERT);
    }
    *out = idv_certs_dup(certs);
    return *out ? IDV_OK : idv_fail(IDV_E_NOMEM, "out of memory");
}

idv_rc idv_certbag_from_der(struct idv_bytes der, STACK_OF(X509) * *out)
{
    IDV_AUTO_PTR(PKCS7) bag = NULL;
    const uint8_t *p = der.p;
    if (der.n > IDV_MAX_BODY)
        return idv_fail(IDV_E_LIMIT, "certs-only: more than %d bytes",
                        IDV_MAX_BODY);
    bag = der.n ? d2i_PKCS7(NULL, &p, (long)der.n) : NULL;
    ERR_clear_error();
    if (!bag)
        return idv_fail(IDV_E_FORMAT, "certs-only: not PKCS#7, or cut off");
    if ((size_t)(p - der.p) != der.n)
        return idv_fail(IDV_E_FORMAT, "certs-only: bytes after its end");
    if (!PKCS7_type_is_signed(bag) || !bag->d.sign)
        return idv_fail(IDV_E_FORMAT, "certs-only: no SignedData");
    if (sk_PKCS7_SIGNER_INFO_num(bag->d.sign->signer_info) > 0)
        return idv_fail(IDV_E_FORMAT, "certs-only: somebody signed it");
    return take_certs(bag->d.sign->cert, out);
}
