/* SPDX-License-Identifier: Apache-2.0 */
/* certs-only PKCS#7: certificates in a SignedData that nobody signed. */
#include <openssl/err.h>
#include <openssl/pkcs7.h>

#include "x509/x509.h"

static idv_rc make_empty(PKCS7 **out)
{
    IDV_AUTO_PTR(PKCS7) bag = PKCS7_new();
    if (!bag || PKCS7_set_type(bag, NID_pkcs7_signed) != 1)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    bag->d.sign->contents->type = OBJ_nid2obj(NID_pkcs7_data);
    *out = idv_steal(&bag);
    return IDV_OK;
}

idv_rc idv_certbag_to_der(const STACK_OF(X509) * certs, struct idv_buf *out)
{
    IDV_AUTO_PTR(PKCS7) bag = NULL;
    if (sk_X509_num(certs) <= 0)
        return idv_fail(IDV_E_ARG, "certificates: none to put in");
    IDV_TRY(make_empty(&bag));
    for (int i = 0; i < sk_X509_num(certs); i++) {
        if (PKCS7_add_certificate(bag, sk_X509_value(certs, i)) != 1)
            return idv_fail(IDV_E_CRYPTO, "certificates: not put in");
    }
    return IDVI_PUT_DER(i2d_PKCS7, bag, out);
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
