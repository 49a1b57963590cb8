/* SPDX-License-Identifier: Apache-2.0 */
/* serverkeygen: the key encrypted for the client (RFC 7030 section 4.4.2). */
#include <string.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/objects.h>

#include "idevid/est/server_call.h"

/* id-aa-decryptKeyID, id-aa-asymmDecryptKeyID (RFC 4108, RFC 7030) */
#define OID_SYMMETRIC "1.2.840.113549.1.9.16.2.37"
#define OID_ASYMMETRIC "1.2.840.113549.1.9.16.2.54"
#define OID_KEY_PACKAGE "2.16.840.1.101.2.1.2.78.5"

static X509_ATTRIBUTE *find(const X509_REQ *csr, const char *oid)
{
    IDV_AUTO_PTR(ASN1_OBJECT) obj = OBJ_txt2obj(oid, 1);
    int i = obj ? X509_REQ_get_attr_by_OBJ(csr, obj, -1) : -1;
    return i < 0 ? NULL : X509_REQ_get_attr(csr, i);
}

/* the key identifier is that of the client's certificate */
static bool is_client(const struct idvi_est_call *c, X509_ATTRIBUTE *attr)
{
    const ASN1_TYPE *v = X509_ATTRIBUTE_get0_type(attr, 0);
    const ASN1_OCTET_STRING *ski =
        c->client ? X509_get0_subject_key_id(c->client) : NULL;
    return v && v->type == V_ASN1_OCTET_STRING && ski &&
           ASN1_OCTET_STRING_cmp(v->value.octet_string, ski) == 0;
}

idv_rc idvi_est_key_recipient(struct idvi_est_call *c, X509 **to)
{
    X509_ATTRIBUTE *wanted = find(c->csr, OID_ASYMMETRIC);
    if (find(c->csr, OID_SYMMETRIC))
        return idvi_refuse(&c->no, 400, "decrypt-key",
                           "no key is shared for DecryptKeyIdentifier");
    if (!wanted)
        return IDV_OK;
    if (!is_client(c, wanted) || !c->server->conf.signer_key)
        return idvi_refuse(&c->no, 400, "decrypt-key",
                           "not the key of the client's certificate");
    *to = c->client;
    return IDV_OK;
}

static idv_rc cms_failed(const char *what)
{
    return idv_fail(IDV_E_CRYPTO, "serverkeygen: %s", what);
}

static idv_rc to_der(CMS_ContentInfo *cms, struct idv_buf *out)
{
    uint8_t *to = NULL;
    int n = i2d_CMS_ContentInfo(cms, NULL);
    if (n <= 0)
        return cms_failed("CMS");
    IDV_TRY(idv_buf_room(out, (size_t)n, &to));
    out->n += (size_t)i2d_CMS_ContentInfo(cms, &to);
    return IDV_OK;
}

static idv_rc sign(struct idvi_est_call *c, struct idv_bytes pkcs8,
                   struct idv_buf *out)
{
    const struct idv_est_server_conf *conf = &c->server->conf;
    const unsigned flags = CMS_BINARY | CMS_PARTIAL;
    IDV_AUTO_PTR(BIO) in = BIO_new_mem_buf(pkcs8.p, (int)pkcs8.n);
    IDV_AUTO_PTR(ASN1_OBJECT) type = OBJ_txt2obj(OID_KEY_PACKAGE, 1);
    IDV_AUTO_PTR(CMS_ContentInfo) cms = CMS_sign(NULL, NULL, NULL, in, flags);
    if (!in || !type || !cms || CMS_set1_eContentType(cms, type) != 1 ||
        !CMS_add1_signer(cms, conf->signer_cert, conf->signer_key,
                         idv_digest_for(conf->signer_key), flags) ||
        CMS_final(cms, in, NULL, CMS_BINARY) != 1)
        return cms_failed("SignedData");
    return to_der(cms, out);
}

idv_rc idvi_est_encrypt_key(struct idvi_est_call *c, struct idv_bytes pkcs8,
                            X509 *to, struct idv_buf *out)
{
    IDV_AUTO(buf) signed_der = {.max = IDV_MAX_BODY, .secret = true};
    IDV_TRY(sign(c, pkcs8, &signed_der));
    IDV_AUTO_PTR(BIO) in = BIO_new_mem_buf(signed_der.p, (int)signed_der.n);
    IDV_AUTO_PTR(idv_certs) who = sk_X509_new_null();
    if (!in || !who || !X509_add_cert(who, to, X509_ADD_FLAG_UP_REF))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_AUTO_PTR(CMS_ContentInfo)
    cms = CMS_encrypt(who, in, EVP_aes_256_cbc(), CMS_BINARY | CMS_PARTIAL);
    if (!cms || CMS_final(cms, in, NULL, CMS_BINARY) != 1)
        return cms_failed("EnvelopedData");
    return to_der(cms, out);
}
