/* SPDX-License-Identifier: Apache-2.0 */
/* SubjectPublicKeyInfo read by hand: no decoder of the application is asked,
 * and a certificate costs nothing but a walk to its key. */
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "provider/err.h"
#include "provider/spki.h"

#define SEQUENCE 0x30
#define INTEGER 0x02
#define BIT_STRING 0x03
#define OID 0x06
#define VERSION 0xa0 /* [0] EXPLICIT */

#define LITERAL(s) (const uint8_t *)(s), sizeof(s) - 1

struct bytes {
    const uint8_t *p;
    size_t n;
};

/* Takes the next element off in: its content, or with whole all of it. */
static bool take(struct bytes *in, uint8_t tag, struct bytes *out, bool whole)
{
    size_t head = 2, len, k;

    if (in->n < 2 || in->p[0] != tag)
        return false;
    len = in->p[1];
    if (len > 0x84 || len == 0x80)
        return false;
    if (len > 0x80) {
        head += len & 0x7f;
        if (in->n < head)
            return false;
        for (len = 0, k = 2; k < head; k++)
            len = len << 8 | in->p[k];
    }
    if (len > in->n - head)
        return false;
    *out = whole ? (struct bytes){in->p, head + len}
                 : (struct bytes){in->p + head, len};
    in->p += head + len;
    in->n -= head + len;
    return true;
}

static bool skip(struct bytes *in, uint8_t tag)
{
    struct bytes gone;

    return take(in, tag, &gone, true);
}

int hwk_spki_of_cert(const uint8_t *der, size_t n, const uint8_t **spki,
                     size_t *spki_n)
{
    struct bytes in = {der, n}, cert, tbs, key;

    if (!take(&in, SEQUENCE, &cert, false) ||
        !take(&cert, SEQUENCE, &tbs, false))
        return hwk_raise(HWK_R_FORMAT, "certificate: not one");
    (void)skip(&tbs, VERSION);
    if (!skip(&tbs, INTEGER) ||  /* serialNumber */
        !skip(&tbs, SEQUENCE) || /* signature */
        !skip(&tbs, SEQUENCE) || /* issuer */
        !skip(&tbs, SEQUENCE) || /* validity */
        !skip(&tbs, SEQUENCE) || /* subject */
        !take(&tbs, SEQUENCE, &key, true))
        return hwk_raise(HWK_R_FORMAT, "certificate: no public key");
    *spki = key.p;
    *spki_n = key.n;
    return 1;
}

/* --- RSA --- */

static enum hwk_md md_of(const X509_ALGOR *algor)
{
    const ASN1_OBJECT *oid;
    int md;

    if (algor == NULL)
        return HWK_MD_SHA1;
    X509_ALGOR_get0(&oid, NULL, NULL, algor);
    for (md = 1; md < HWK_MD_COUNT; md++)
        if (hwk_md_nid(md) == OBJ_obj2nid(oid))
            return (enum hwk_md)md;
    return HWK_MD_NONE;
}

static enum hwk_md mgf1_of(const X509_ALGOR *algor)
{
    X509_ALGOR *inner;
    enum hwk_md md;

    if (algor == NULL)
        return HWK_MD_SHA1;
    if (OBJ_obj2nid(algor->algorithm) != NID_mgf1 ||
        (inner = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(X509_ALGOR),
                                           algor->parameter)) == NULL)
        return HWK_MD_NONE;
    md = md_of(inner);
    X509_ALGOR_free(inner);
    return md;
}

/* no parameters: no restriction, RFC 4055 section 1.2 */
static int pss_from(struct bytes params, struct hwk_pss *out)
{
    const unsigned char *p = params.p;
    RSA_PSS_PARAMS *pss;
    int64_t salt = 20;
    bool ok;

    *out = (struct hwk_pss){.only = true};
    if (params.n == 0)
        return 1;
    pss = d2i_RSA_PSS_PARAMS(NULL, &p, (long)params.n);
    if (pss == NULL)
        return hwk_raise(HWK_R_FORMAT, "public key: parameters of PSS");
    out->md = md_of(pss->hashAlgorithm);
    out->mgf1 = mgf1_of(pss->maskGenAlgorithm);
    ok = pss->saltLength == NULL ||
         ASN1_INTEGER_get_int64(&salt, pss->saltLength);
    RSA_PSS_PARAMS_free(pss);
    if (!ok || salt < 0 || salt > HWK_RSA_MAX || out->md == HWK_MD_NONE ||
        out->mgf1 == HWK_MD_NONE)
        return hwk_raise(HWK_R_KEY, "public key: PSS with other parameters "
                                    "than ours");
    out->min_salt = (int)salt;
    return 1;
}

static int rsa_from(struct bytes key, struct hwk_pub *out)
{
    struct bytes seq, n, e;

    if (!take(&key, SEQUENCE, &seq, false) || !take(&seq, INTEGER, &n, false) ||
        !take(&seq, INTEGER, &e, false) || e.n == 0)
        return hwk_raise(HWK_R_FORMAT, "RSA public key: not one");
    return hwk_pub_rsa(out, n.p, n.n, e.p, e.n);
}

static int rsapss_from(struct bytes params, struct bytes key,
                       struct hwk_pub *out)
{
    struct hwk_pss pss;

    if (!pss_from(params, &pss) || !rsa_from(key, out))
        return 0;
    out->pss = pss;
    return 1;
}

/* --- the others --- */

static int curve_from(struct bytes oid, struct bytes params, struct bytes key,
                      struct hwk_pub *out)
{
    static const struct bytes ec = {
        LITERAL("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01")};
    const struct hwk_curve *curve;

    if (oid.n == ec.n && memcmp(oid.p, ec.p, ec.n) == 0) {
        curve = hwk_curve_by_der(params.p, params.n);
        if (curve == NULL || curve->type != HWK_KEY_EC)
            return hwk_raise(HWK_R_KEY, "public key: no curve of ours");
        return hwk_pub_ec_point(out, curve, key.p, key.n);
    }
    curve = hwk_curve_by_der(oid.p, oid.n);
    if (curve == NULL || curve->type == HWK_KEY_EC)
        return hwk_raise(HWK_R_KEY, "public key: of a type that is not ours");
    return hwk_pub_raw(out, curve, key.p, key.n);
}

int hwk_spki_to_pub(const uint8_t *der, size_t n, struct hwk_pub *out)
{
    static const struct bytes rsa = {
        LITERAL("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")};
    static const struct bytes rsapss = {
        LITERAL("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")};
    struct bytes in = {der, n}, spki, params, oid, key;

    if (!take(&in, SEQUENCE, &spki, false) ||
        !take(&spki, SEQUENCE, &params, false) ||
        !take(&params, OID, &oid, true) ||
        !take(&spki, BIT_STRING, &key, false) || key.n < 2 || key.p[0] != 0)
        return hwk_raise(HWK_R_FORMAT, "public key: no SubjectPublicKeyInfo");
    key.p++; /* no unused bits */
    key.n--;
    if (oid.n == rsa.n && memcmp(oid.p, rsa.p, rsa.n) == 0)
        return rsa_from(key, out);
    if (oid.n == rsapss.n && memcmp(oid.p, rsapss.p, rsapss.n) == 0)
        return rsapss_from(params, key, out);
    return curve_from(oid, params, key, out);
}
