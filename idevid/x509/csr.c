/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate requests: made, and judged before anything of them is used. */
#include "config.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>

#include <idevid/text.h>

#include "x509/x509.h"

#define MAX_CHALLENGE 255 /* RFC 2985 5.4.1 */
#define MAX_RSA_BITS 8192 /* more only costs us time */

static idv_rc add_challenge(X509_REQ *req, const char *text)
{
    if (!text)
        return IDV_OK;
    size_t n = strlen(text);
    if (n == 0 || n > MAX_CHALLENGE || !idv_text_printable(idv_str(text)))
        return idv_fail(IDV_E_ARG, "challenge: not 1 to %d bytes of text",
                        MAX_CHALLENGE);
    if (X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword,
                                  idvi_string_type(text),
                                  (const unsigned char *)text, (int)n) != 1)
        return idv_fail(IDV_E_CRYPTO, "challenge: not taken");
    return IDV_OK;
}

static idv_rc fill(X509_REQ *req, const EVP_PKEY *key, const X509_NAME *subject,
                   const STACK_OF(X509_EXTENSION) * extensions)
{
    if (X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1)
        return idv_fail(IDV_E_CRYPTO, "request: version not taken");
    IDV_TRY(idvi_pubkey_put(key, X509_REQ_get_X509_PUBKEY(req)));
    if (subject && X509_REQ_set_subject_name(req, subject) != 1)
        return idv_fail(IDV_E_CRYPTO, "request: subject not taken");
    if (sk_X509_EXTENSION_num(extensions) > 0 &&
        X509_REQ_add_extensions(req, extensions) != 1)
        return idv_fail(IDV_E_CRYPTO, "request: extensions not taken");
    return IDV_OK;
}

idv_rc idv_csr_make(EVP_PKEY *key, const X509_NAME *subject,
                    const STACK_OF(X509_EXTENSION) * extensions,
                    const char *challenge, struct idv_buf *out)
{
    IDV_AUTO_PTR(X509_REQ) req = X509_REQ_new();
    if (!req)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(fill(req, key, subject, extensions));
    IDV_TRY(add_challenge(req, challenge));
    if (X509_REQ_sign(req, key, idv_digest_for(key)) <= 0)
        return idvi_sign_failed(key, "request");
    return IDVI_PUT_DER(i2d_X509_REQ, req, out);
}

static idv_rc judge_curve(const EVP_PKEY *key)
{
    char form[16] = "", name[64] = "";
    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, form,
                                   sizeof(form), NULL);
    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name,
                                   sizeof(name), NULL);
    ERR_clear_error();
    if (strcmp(form, OSSL_PKEY_EC_ENCODING_GROUP) != 0 || !name[0])
        return idv_fail(IDV_E_REJECT, "request: a curve without a name");
    if (EVP_PKEY_get_bits(key) < 256)
        return idv_fail(IDV_E_REJECT, "request: curve %s is below 256 bits",
                        name);
    return IDV_OK;
}

static idv_rc judge_key(const EVP_PKEY *key)
{
    int bits = key ? EVP_PKEY_get_bits(key) : 0;
    if (!key)
        return idv_fail(IDV_E_REJECT, "request: a key that cannot be read");
    if (EVP_PKEY_is_a(key, "EC"))
        return judge_curve(key);
    if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
        return IDV_OK;
    if (!EVP_PKEY_is_a(key, "RSA"))
        return idv_fail(IDV_E_REJECT, "request: not a kind of key we certify");
    if (bits < 2048 || bits > MAX_RSA_BITS)
        return idv_fail(IDV_E_REJECT, "request: RSA of %d bits", bits);
    return IDV_OK;
}

/* its key is read in the context that is the thread's, whatever the request's
 * own is */
static X509_REQ *read_request(const uint8_t **p, size_t n, OSSL_LIB_CTX *lean)
{
    X509_REQ *req = n ? X509_REQ_new_ex(lean, NULL) : NULL;
    OSSL_LIB_CTX *before = lean ? OSSL_LIB_CTX_set0_default(lean) : NULL;
    if (req && !d2i_X509_REQ(&req, p, (long)n)) /* frees it */
        req = NULL;
    if (before)
        OSSL_LIB_CTX_set0_default(before);
    return req;
}

static idv_rc parse(struct idv_bytes der, OSSL_LIB_CTX *lean, X509_REQ **out)
{
    IDV_AUTO_PTR(X509_REQ) req = NULL;
    IDV_AUTO(buf) again = {0};
    const uint8_t *p = der.p;
    if (der.n > IDV_MAX_CERT)
        return idv_fail(IDV_E_LIMIT, "request: more than %d bytes",
                        IDV_MAX_CERT);
    req = read_request(&p, der.n, lean);
    ERR_clear_error();
    if (!req)
        return idv_fail(IDV_E_FORMAT, "request: not PKCS#10, or cut off");
    if ((size_t)(p - der.p) != der.n)
        return idv_fail(IDV_E_FORMAT, "request: bytes after its end");
    IDV_TRY(IDVI_PUT_DER(i2d_X509_REQ, req, &again));
    if (!idv_bytes_eq(idv_view(&again), der))
        return idv_fail(IDV_E_FORMAT, "request: not DER");
    *out = idv_steal(&req);
    return IDV_OK;
}

static idv_rc judge(X509_REQ *req, EVP_PKEY *key)
{
    IDV_TRY(judge_key(key));
    int good = X509_REQ_verify_ex(req, key, idv_lean_context(), NULL);
    ERR_clear_error();
    if (good != 1)
        return idv_fail(IDV_E_REJECT, "request: its signature is not by its "
                                      "key");
    return IDV_OK;
}

/* *key as soon as there is no doubt how it is read */
static idv_rc read_both(struct idv_bytes der, X509_REQ **req, EVP_PKEY **key)
{
    OSSL_LIB_CTX *keyless = idvi_keyless_context();
    if (keyless) {
        IDV_TRY(parse(der, keyless, req));
        *key = idvi_curve_key(X509_REQ_get_X509_PUBKEY(*req));
        if (*key)
            return IDV_OK;
        X509_REQ_free(idv_steal(req));
    }
    IDV_TRY(parse(der, idv_lean_context(), req));
    *key = X509_REQ_get_pubkey(*req);
    ERR_clear_error();
    return IDV_OK;
}

idv_rc idv_csr_from_der(struct idv_bytes der, X509_REQ **out, EVP_PKEY **key)
{
    IDV_AUTO_PTR(X509_REQ) req = NULL;
    IDV_AUTO_PTR(EVP_PKEY) its = NULL;
    IDV_TRY(read_both(der, &req, &its));
    IDV_TRY(judge(req, its));
    *out = idv_steal(&req);
    *key = idv_steal(&its);
    return IDV_OK;
}

static idv_rc copy_text(X509_ATTRIBUTE *attr, struct idv_buf *out)
{
    const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(attr, 0);
    if (X509_ATTRIBUTE_count(attr) != 1 || !value)
        return idv_fail(IDV_E_FORMAT, "challenge: not one value");
    switch (value->type) {
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_UTF8STRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_T61STRING:
        return idv_buf_put(
            out,
            idv_bytes(ASN1_STRING_get0_data(value->value.asn1_string),
                      (size_t)ASN1_STRING_length(value->value.asn1_string)));
    default:
        return idv_fail(IDV_E_FORMAT, "challenge: not a text");
    }
}

idv_rc idv_csr_challenge(const X509_REQ *req, bool *found, struct idv_buf *out)
{
    int nid = NID_pkcs9_challengePassword;
    int i = X509_REQ_get_attr_by_NID(req, nid, -1);
    *found = i >= 0;
    if (i < 0)
        return IDV_OK;
    if (X509_REQ_get_attr_by_NID(req, nid, i) >= 0)
        return idv_fail(IDV_E_FORMAT, "challenge: more than one");
    return copy_text(X509_REQ_get_attr(req, i), out);
}
