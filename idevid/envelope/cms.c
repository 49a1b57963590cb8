/* SPDX-License-Identifier: Apache-2.0 */
/* CMS SignedData (RFC 5652) as RFC 8366 section 5.4 uses it: sealer, opener. */
#include <string.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pkcs7.h>

#include <idevid/auto.h>
#include <idevid/limits.h>

#include "envelope/cms_certs.h"
#include "envelope/envelope_row.h"
#include "x509/x509.h"

#define OID_ANIMA_JSON_VOUCHER "1.2.840.113549.1.9.16.1.40"

/* --- sealing -------------------------------------------------------------- */

static bool cms_can_sign(const EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);
    return EVP_PKEY_is_a(key, "RSA") ? bits >= 2048
                                     : EVP_PKEY_is_a(key, "EC") && bits >= 256;
}

static bool put_type(CMS_ContentInfo *cms, bool id_data)
{
    if (id_data)
        return true; /* what a new one has */
    IDV_AUTO_PTR(ASN1_OBJECT) oid = OBJ_txt2obj(OID_ANIMA_JSON_VOUCHER, 1);
    return oid && CMS_set1_eContentType(cms, oid) == 1;
}

static bool put_content(CMS_ContentInfo *cms, struct idv_bytes payload)
{
    if (CMS_set_detached(cms, 0) != 1)
        return false;
    ASN1_OCTET_STRING **content = CMS_get0_content(cms);
    if (!content || !*content ||
        ASN1_OCTET_STRING_set(*content, payload.p, (int)payload.n) != 1)
        return false;
    IDV_AUTO_PTR(BIO) sets_version = CMS_dataInit(cms, NULL);
    return sets_version != NULL;
}

static bool put_certs(CMS_ContentInfo *cms, const struct idv_signer *signer)
{
    for (int i = 0; i < sk_X509_num(signer->chain); i++) {
        X509 *cert = sk_X509_value(signer->chain, i);
        if (!idv_cert_eq(cert, signer->cert) && CMS_add1_cert(cms, cert) != 1)
            return false;
    }
    return true;
}

static bool put_attributes(CMS_ContentInfo *cms, CMS_SignerInfo *si,
                           struct idv_bytes payload, const EVP_MD *md,
                           int64_t t)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (EVP_Digest(payload.p, payload.n, hash, &n, md, NULL) != 1 ||
        CMS_signed_add1_attr_by_NID(si, NID_pkcs9_contentType, V_ASN1_OBJECT,
                                    CMS_get0_eContentType(cms), -1) != 1 ||
        CMS_signed_add1_attr_by_NID(si, NID_pkcs9_messageDigest,
                                    V_ASN1_OCTET_STRING, hash, (int)n) != 1)
        return false;
    if (t == 0)
        return true;
    ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)t);
    bool ok = at && CMS_signed_add1_attr_by_NID(si, NID_pkcs9_signingTime,
                                                at->type, at, -1) == 1;
    ASN1_TIME_free(at);
    return ok;
}

/* what is signed: DER of the SET OF attributes with its own tag */
static uint8_t *attributes_der(CMS_SignerInfo *si, int *n)
{
    uint8_t *der = NULL;
    STACK_OF(X509_ATTRIBUTE) *set = sk_X509_ATTRIBUTE_new_null();
    for (int i = 0; set && i < CMS_signed_get_attr_count(si); i++)
        (void)sk_X509_ATTRIBUTE_push(set, CMS_signed_get_attr(si, i));
    *n =
        ASN1_item_i2d((ASN1_VALUE *)set, &der, ASN1_ITEM_rptr(PKCS7_ATTR_SIGN));
    sk_X509_ATTRIBUTE_free(set);
    return *n > 0 ? der : NULL;
}

static bool put_algorithm(CMS_SignerInfo *si, const EVP_PKEY *key,
                          const EVP_MD *md)
{
    X509_ALGOR *alg = NULL;
    bool rsa = EVP_PKEY_is_a(key, "RSA");
    int nid = NID_undef;
    CMS_SignerInfo_get0_algs(si, NULL, NULL, NULL, &alg);
    return OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(md),
                                  rsa ? EVP_PKEY_RSA : EVP_PKEY_EC) == 1 &&
           X509_ALGOR_set0(alg, OBJ_nid2obj(nid),
                           rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL) == 1;
}

/*
 * CMS_final() would sign too, but OpenSSL 3.0 puts in the system's time where
 * no signing time is wanted; so the attributes are signed here.
 */
static bool put_signature(CMS_SignerInfo *si, EVP_PKEY *key, const EVP_MD *md)
{
    int n = 0;
    uint8_t *der = attributes_der(si, &n);
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    int size = EVP_PKEY_get_size(key);
    size_t len = size > 0 ? (size_t)size : 0;
    uint8_t *sig = OPENSSL_malloc(len + 1);
    bool ok = der && ctx && sig && len &&
              EVP_DigestSignInit_ex(ctx, NULL, EVP_MD_get0_name(md), NULL, NULL,
                                    key, NULL) == 1 &&
              EVP_DigestSign(ctx, sig, &len, der, (size_t)n) == 1 &&
              ASN1_OCTET_STRING_set(CMS_SignerInfo_get0_signature(si), sig,
                                    (int)len) == 1;
    OPENSSL_free(sig);
    OPENSSL_free(der);
    return ok;
}

static idv_rc put_der(CMS_ContentInfo *cms, struct idv_buf *out)
{
    int n = i2d_CMS_ContentInfo(cms, NULL);
    if (n <= 0)
        return idv_fail(IDV_E_CRYPTO, "CMS: cannot be encoded");
    if (n > IDV_MAX_BODY)
        return idv_fail(IDV_E_LIMIT, "CMS: %d bytes, at most %d", n,
                        IDV_MAX_BODY);
    uint8_t *p;
    IDV_TRY(idv_buf_room(out, (size_t)n, &p));
    out->n += (size_t)i2d_CMS_ContentInfo(cms, &p);
    return IDV_OK;
}

static idv_rc cms_seal(struct idv_bytes payload, const struct idv_signer *s,
                       struct idv_buf *out)
{
    const EVP_MD *md = idv_digest_for(s->key);
    if (!md || !cms_can_sign(s->key))
        return idv_fail(IDV_E_ARG, "CMS: signer's key type is not supported");
    IDV_AUTO_PTR(CMS_ContentInfo)
    cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);
    CMS_SignerInfo *si = NULL;
    bool ok =
        cms && put_type(cms, s->id_data) &&
        (si = CMS_add1_signer(cms, s->cert, s->key, md,
                              CMS_PARTIAL | CMS_BINARY | CMS_NOSMIMECAP)) !=
            NULL &&
        put_certs(cms, s) && put_content(cms, payload) &&
        put_attributes(cms, si, payload, md, s->signing_time) &&
        put_algorithm(si, s->key, md);
    if (!ok)
        return idv_fail(IDV_E_CRYPTO, "CMS: cannot be made");
    if (!put_signature(si, s->key, md))
        return idvi_sign_failed(s->key, "CMS");
    return put_der(cms, out);
}

/* --- opening -------------------------------------------------------------- */

static bool cms_looks_like(struct idv_bytes b)
{
    static const uint8_t signed_data[] = {6,    9,    0x2a, 0x86, 0x48, 0x86,
                                          0xf7, 0x0d, 1,    7,    2};
    if (b.n < 2 + sizeof(signed_data) || b.p[0] != 0x30)
        return false;
    size_t head = 2 + (b.p[1] > 0x80 ? b.p[1] & 0x7fu : 0);
    return head <= b.n - sizeof(signed_data) &&
           memcmp(b.p + head, signed_data, sizeof(signed_data)) == 0;
}

static idv_rc parse(struct idv_bytes sealed, CMS_ContentInfo **out)
{
    const uint8_t *p = sealed.p;
    /* where the keys of the certificates inside are, too */
    IDV_AUTO_PTR(CMS_ContentInfo)
    cms = CMS_ContentInfo_new_ex(idv_lean_context(), NULL);
    if (!cms)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    /* frees what it was given when it fails */
    if (!sealed.n || !d2i_CMS_ContentInfo(&cms, &p, (long)sealed.n))
        return idv_fail(IDV_E_FORMAT, "CMS: not a ContentInfo");
    if (p != sealed.p + sealed.n)
        return idv_fail(IDV_E_FORMAT, "CMS: bytes behind the ContentInfo");
    if (OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed)
        return idv_fail(IDV_E_FORMAT, "CMS: not SignedData");
    *out = idv_steal(&cms);
    return IDV_OK;
}

static idv_rc take_content(CMS_ContentInfo *cms, struct idv_buf *out)
{
    ASN1_OCTET_STRING **content = CMS_get0_content(cms);
    if (!content || !*content || ASN1_STRING_length(*content) <= 0)
        return idv_fail(IDV_E_FORMAT, "CMS: no content inside");
    return idv_buf_put(out, idv_bytes(ASN1_STRING_get0_data(*content),
                                      (size_t)ASN1_STRING_length(*content)));
}

static idv_rc take_certs(CMS_ContentInfo *cms, STACK_OF(X509) * *out)
{
    *out = CMS_get1_certs(cms);
    if (!*out)
        *out = sk_X509_new_null();
    if (!*out)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (sk_X509_num(*out) > IDV_MAX_CHAIN)
        return idv_fail(IDV_E_LIMIT, "CMS: %d certificates, at most %d",
                        sk_X509_num(*out), IDV_MAX_CHAIN);
    return IDV_OK;
}

static idv_rc the_signer(CMS_ContentInfo *cms, CMS_SignerInfo **out)
{
    STACK_OF(CMS_SignerInfo) *all = CMS_get0_SignerInfos(cms);
    int n = sk_CMS_SignerInfo_num(all);
    if (n <= 0)
        return idv_fail(IDV_E_FORMAT, "CMS: no signer");
    if (n > 1)
        return idv_fail(IDV_E_REJECT, "CMS: %d signers, one is wanted", n);
    *out = sk_CMS_SignerInfo_value(all, 0);
    return IDV_OK;
}

static bool is_anima_type(const ASN1_OBJECT *type)
{
    char oid[64];
    return OBJ_obj2txt(oid, sizeof(oid), type, 1) > 0 &&
           strcmp(oid, OID_ANIMA_JSON_VOUCHER) == 0;
}

/* RFC 5652 section 5.3: attributes unless the type is id-data, and if so the
 * content type must be among them, once, and be that of the content */
static idv_rc judge_type(CMS_ContentInfo *cms, CMS_SignerInfo *si)
{
    const ASN1_OBJECT *type = CMS_get0_eContentType(cms);
    bool data = OBJ_obj2nid(type) == NID_pkcs7_data;
    if (!data && !is_anima_type(type))
        return idv_fail(IDV_E_REJECT, "CMS: content is not a voucher's type");
    if (CMS_signed_get_attr_count(si) <= 0)
        return data ? IDV_OK
                    : idv_fail(IDV_E_REJECT, "CMS: no signed attributes");
    const ASN1_OBJECT *attr = CMS_signed_get0_data_by_OBJ(
        si, OBJ_nid2obj(NID_pkcs9_contentType), -3, V_ASN1_OBJECT);
    if (!attr || OBJ_cmp(attr, type) != 0)
        return idv_fail(IDV_E_REJECT,
                        "CMS: signed content type is not that of the content");
    return IDV_OK;
}

static int algorithm_nid(const X509_ALGOR *alg)
{
    const ASN1_OBJECT *oid = NULL;
    X509_ALGOR_get0(&oid, NULL, NULL, alg);
    return OBJ_obj2nid(oid);
}

static bool is_signature_with(int sig, int md)
{
    int own_md = NID_undef, key = NID_undef;
    if (sig == NID_rsaEncryption || sig == NID_rsassaPss)
        return true;
    return OBJ_find_sigid_algs(sig, &own_md, &key) == 1 && own_md == md &&
           (key == NID_rsaEncryption || key == NID_X9_62_id_ecPublicKey);
}

static idv_rc judge_algorithms(CMS_SignerInfo *si)
{
    X509_ALGOR *md_alg = NULL, *sig_alg = NULL;
    CMS_SignerInfo_get0_algs(si, NULL, NULL, &md_alg, &sig_alg);
    int md = algorithm_nid(md_alg), sig = algorithm_nid(sig_alg);
    if (md != NID_sha256 && md != NID_sha384 && md != NID_sha512)
        return idv_fail(IDV_E_REJECT, "CMS: digest algorithm %s is refused",
                        OBJ_nid2sn(md));
    if (!is_signature_with(sig, md))
        return idv_fail(IDV_E_REJECT, "CMS: signature algorithm %s is refused",
                        OBJ_nid2sn(sig));
    return IDV_OK;
}

static bool seconds(const ASN1_TIME *t, int64_t *out)
{
    int days = 0, rest = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool ok = epoch && ASN1_TIME_diff(&days, &rest, epoch, t) == 1;
    ASN1_TIME_free(epoch);
    *out = (int64_t)days * 86400 + rest;
    return ok;
}

static idv_rc take_time(CMS_SignerInfo *si, int64_t *out)
{
    int at = CMS_signed_get_attr_by_NID(si, NID_pkcs9_signingTime, -1);
    if (at < 0)
        return IDV_OK;
    ASN1_TYPE *v = X509_ATTRIBUTE_get0_type(CMS_signed_get_attr(si, at), 0);
    int type = v ? ASN1_TYPE_get(v) : 0;
    if ((type != V_ASN1_UTCTIME && type != V_ASN1_GENERALIZEDTIME) ||
        !seconds(v->value.asn1_string, out))
        return idv_fail(IDV_E_FORMAT, "CMS: signing time cannot be read");
    return IDV_OK;
}

static idv_rc cms_open(struct idv_bytes sealed, struct idv_opened *out)
{
    CMS_SignerInfo *si = NULL;
    CMS_ContentInfo *cms = NULL;
    IDV_AUTO(buf) rest = {.max = IDV_MAX_BODY};
    bool cut = idvi_cms_cut_certs(sealed, &rest, &out->certs);
    IDV_TRY(parse(cut ? idv_view(&rest) : sealed, &cms));
    out->native = cms;
    IDV_TRY(take_content(cms, &out->payload));
    IDV_TRY(the_signer(cms, &si));
    IDV_TRY(judge_type(cms, si));
    IDV_TRY(judge_algorithms(si));
    IDV_TRY(take_time(si, &out->signing_time));
    return cut ? IDV_OK : take_certs(cms, &out->certs);
}

static bool cms_names_signer(const struct idv_opened *o, const X509 *cert)
{
    CMS_SignerInfo *si =
        sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(o->native), 0);
    return CMS_SignerInfo_cert_cmp(si, (X509 *)(uintptr_t)cert) == 0;
}

/* libcrypto takes the key from a certificate: one beside the signature that
 * has it, or else one that is made up, which is dear. Who the key belongs to is
 * judged by the callers of idv_envelope_verify*(). */
static X509 *holder_of(const struct idv_opened *o, const EVP_PKEY *key)
{
    for (int i = 0; i < sk_X509_num(o->certs); i++) {
        X509 *cert = sk_X509_value(o->certs, i);
        const EVP_PKEY *its = X509_get0_pubkey(cert);
        if (its && EVP_PKEY_eq(its, key) == 1 && X509_up_ref(cert) == 1)
            return cert;
    }
    X509 *made_up = X509_new();
    if (made_up && X509_set_pubkey(made_up, (EVP_PKEY *)(uintptr_t)key) != 1) {
        X509_free(made_up);
        return NULL;
    }
    return made_up;
}

static idv_rc cms_signed_by(const struct idv_opened *o, const EVP_PKEY *key)
{
    CMS_SignerInfo *si =
        sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(o->native), 0);
    IDV_AUTO_PTR(X509) holder = holder_of(o, key);
    if (!holder)
        return idv_fail(IDV_E_CRYPTO, "CMS: key cannot be used");
    CMS_SignerInfo_set1_signer_cert(si, holder);
    if (CMS_verify(o->native, NULL, NULL, NULL, NULL,
                   CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) != 1)
        return idv_fail(IDV_E_REJECT, "CMS: signature is not by that key");
    return IDV_OK;
}

static void cms_free(void *native)
{
    CMS_ContentInfo_free(native);
}

const struct idvi_envelope_row idvi_cms_row = {
    .media = IDV_MEDIA_VOUCHER_CMS,
    .form = "cms",
    .encoding = IDV_ENC_JSON,
    .can_sign = cms_can_sign,
    .looks_like = cms_looks_like,
    .seal = cms_seal,
    .open = cms_open,
    .names_signer = cms_names_signer,
    .signed_by = cms_signed_by,
    .free_native = cms_free,
};
