/* SPDX-License-Identifier: Apache-2.0 */
/* Key type x padding x digest: what fits together, and how it is written. */
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "provider/err.h"
#include "provider/mech.h"

static int check_ec(const struct hwk_mech *mech, size_t n)
{
    if (mech->pad != HWK_PAD_NONE)
        return hwk_raise(HWK_R_PADDING, "an EC key has no padding");
    if (mech->md == HWK_MD_MD5_SHA1)
        return hwk_raise(HWK_R_DIGEST, "MD5-SHA1 with an EC key");
    if (n == 0 && !mech->message)
        return hwk_raise(HWK_R_DIGEST, "an empty digest");
    return 1;
}

static int check_ed(const struct hwk_mech *mech)
{
    if (mech->pad != HWK_PAD_NONE || mech->md != HWK_MD_NONE)
        return hwk_raise(HWK_R_DIGEST, "EdDSA hashes by itself");
    if (mech->context_len > HWK_CONTEXT_MAX)
        return hwk_raise(HWK_R_PARAM, "EdDSA context of %zu bytes",
                         mech->context_len);
    return 1;
}

static int check_pss(const struct hwk_mech *mech, const struct hwk_pub *pub)
{
    size_t em = ((size_t)hwk_pub_bits(pub) + 6) / 8;
    size_t h = hwk_md_size(mech->md);

    if (mech->md == HWK_MD_NONE || mech->md == HWK_MD_MD5_SHA1)
        return hwk_raise(HWK_R_DIGEST, "PSS needs a digest");
    if (em < h + 2 || mech->salt > em - h - 2)
        return hwk_raise(HWK_R_PADDING, "PSS salt of %zu bytes: too long",
                         mech->salt);
    return 1;
}

static int check_rsa(const struct hwk_mech *mech, const struct hwk_pub *pub,
                     size_t n)
{
    size_t prefix;

    switch (mech->pad) {
    case HWK_PAD_PKCS1:
        hwk_md_prefix(mech->md, &prefix);
        if (!mech->message && n + prefix + 11 > pub->n_len)
            return hwk_raise(HWK_R_PADDING,
                             "the key is too small for %zu bytes", n);
        return 1;
    case HWK_PAD_PSS:
        return check_pss(mech, pub);
    case HWK_PAD_NONE:
        if (n != pub->n_len)
            return hwk_raise(HWK_R_PADDING, "%zu bytes without padding", n);
        return 1;
    default:
        return hwk_raise(HWK_R_PADDING, "OAEP does not sign");
    }
}

int hwk_mech_check(const struct hwk_mech *mech, const struct hwk_pub *pub,
                   size_t n)
{
    if (mech->type != pub->type)
        return hwk_raise(HWK_R_KEY, "a key of another type");
    if (!mech->message && mech->md != HWK_MD_NONE && n != hwk_md_size(mech->md))
        return hwk_raise(HWK_R_DIGEST, "%zu bytes are no %s digest", n,
                         hwk_md_name(mech->md));
    switch (mech->type) {
    case HWK_KEY_EC:
        return check_ec(mech, n);
    case HWK_KEY_RSA:
        return check_rsa(mech, pub, n);
    case HWK_KEY_ED:
        return check_ed(mech);
    default:
        return hwk_raise(HWK_R_KEY, "%s: agrees on keys, signs nothing",
                         pub->curve->nist);
    }
}

bool hwk_limits_message(const struct hwk_limits *l, enum hwk_pad pad,
                        enum hwk_md md)
{
    return l->limited && !l->plain[pad] && (l->hashing[pad] & 1u << md) != 0;
}

static const char *pad_name(const struct hwk_mech *mech)
{
    switch (mech->pad) {
    case HWK_PAD_PKCS1:
        return "PKCS#1";
    case HWK_PAD_PSS:
        return "PSS";
    case HWK_PAD_OAEP:
        return "OAEP";
    default:
        return mech->type == HWK_KEY_RSA ? "raw" : "such";
    }
}

int hwk_limits_check(const struct hwk_limits *l, const struct hwk_mech *mech)
{
    bool message = mech->message && mech->type != HWK_KEY_ED;

    if (!l->limited || (!message && l->plain[mech->pad]) ||
        (message && hwk_limits_message(l, mech->pad, mech->md)))
        return 1;
    return hwk_raise(HWK_R_PADDING, "this key may do no %s operations%s%s",
                     pad_name(mech), mech->md != HWK_MD_NONE ? " with " : "",
                     mech->md != HWK_MD_NONE ? hwk_md_name(mech->md) : "");
}

int hwk_limits_derive(const struct hwk_limits *l)
{
    return !l->limited || l->derive ||
           hwk_raise(HWK_R_KEY, "this key may do no key agreement");
}

size_t hwk_mech_pss_max(const struct hwk_pub *pub, enum hwk_md md)
{
    size_t em = ((size_t)hwk_pub_bits(pub) + 6) / 8;
    size_t h = hwk_md_size(md);

    return em < h + 2 ? 0 : em - h - 2;
}

int hwk_mech_pkcs1(const struct hwk_mech *mech, const uint8_t *in, size_t in_n,
                   uint8_t *out, size_t *n)
{
    size_t prefix_len;
    const uint8_t *prefix = hwk_md_prefix(mech->md, &prefix_len);

    if (prefix_len > *n || in_n > *n - prefix_len)
        return hwk_raise(HWK_R_PADDING, "no room for %zu bytes", in_n);
    if (prefix_len > 0)
        memcpy(out, prefix, prefix_len);
    memcpy(out + prefix_len, in, in_n);
    *n = prefix_len + in_n;
    return 1;
}

/* --- AlgorithmIdentifier --- */

static X509_ALGOR *md_algor(enum hwk_md md)
{
    X509_ALGOR *a = X509_ALGOR_new();

    if (a != NULL &&
        !X509_ALGOR_set0(a, OBJ_nid2obj(hwk_md_nid(md)), V_ASN1_UNDEF, NULL)) {
        X509_ALGOR_free(a);
        a = NULL;
    }
    return a;
}

static X509_ALGOR *mgf1_algor(enum hwk_md md)
{
    X509_ALGOR *inner = md_algor(md), *a = X509_ALGOR_new();
    ASN1_STRING *der = NULL;

    if (inner != NULL && a != NULL)
        der = ASN1_item_pack(inner, ASN1_ITEM_rptr(X509_ALGOR), NULL);
    X509_ALGOR_free(inner);
    if (der != NULL &&
        X509_ALGOR_set0(a, OBJ_nid2obj(NID_mgf1), V_ASN1_SEQUENCE, der))
        return a;
    ASN1_STRING_free(der);
    X509_ALGOR_free(a);
    return NULL;
}

static ASN1_STRING *pss_params(const struct hwk_mech *mech)
{
    RSA_PSS_PARAMS *pss = RSA_PSS_PARAMS_new();
    ASN1_STRING *der = NULL;
    bool ok = pss != NULL;

    if (ok && mech->md != HWK_MD_SHA1)
        ok = (pss->hashAlgorithm = md_algor(mech->md)) != NULL;
    if (ok && mech->mgf1 != HWK_MD_SHA1)
        ok = (pss->maskGenAlgorithm = mgf1_algor(mech->mgf1)) != NULL;
    if (ok && mech->salt != 20)
        ok = (pss->saltLength = ASN1_INTEGER_new()) != NULL &&
             ASN1_INTEGER_set_uint64(pss->saltLength, mech->salt);
    if (ok)
        der = ASN1_item_pack(pss, ASN1_ITEM_rptr(RSA_PSS_PARAMS), NULL);
    RSA_PSS_PARAMS_free(pss);
    return der;
}

static int fill_algor(const struct hwk_mech *mech, X509_ALGOR *a)
{
    int nid = mech->type == HWK_KEY_EC ? hwk_md_nid_ecdsa(mech->md)
                                       : hwk_md_nid_rsa(mech->md);
    ASN1_STRING *pss;

    if (mech->pad != HWK_PAD_PSS)
        return nid != NID_undef &&
               X509_ALGOR_set0(
                   a, OBJ_nid2obj(nid),
                   mech->type == HWK_KEY_EC ? V_ASN1_UNDEF : V_ASN1_NULL, NULL);
    pss = pss_params(mech);
    if (pss != NULL &&
        X509_ALGOR_set0(a, OBJ_nid2obj(NID_rsassaPss), V_ASN1_SEQUENCE, pss))
        return 1;
    ASN1_STRING_free(pss);
    return 0;
}

int hwk_mech_algid(const struct hwk_mech *mech, uint8_t *out, size_t *n)
{
    X509_ALGOR *a = X509_ALGOR_new();
    unsigned char *der = NULL;
    int len = -1;

    if (a != NULL && fill_algor(mech, a))
        len = i2d_X509_ALGOR(a, &der);
    X509_ALGOR_free(a);
    if (len <= 0 || (size_t)len > *n) {
        OPENSSL_free(der);
        return hwk_raise(HWK_R_DIGEST, "no algorithm identifier for it");
    }
    memcpy(out, der, (size_t)len);
    *n = (size_t)len;
    OPENSSL_free(der);
    return 1;
}
