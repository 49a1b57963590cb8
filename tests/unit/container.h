/* SPDX-License-Identifier: Apache-2.0 */
/* A CMS container with bits turned: where what is signed is in it, and whether
 * it still is the same. */
#ifndef TESTS_CONTAINER_H
#define TESTS_CONTAINER_H

#include "tests/unit/codec.h"

#include <openssl/cms.h>

struct place {
    size_t at, n;
};
#define PLACES 3

static inline struct place place_of(const struct idv_buf *sealed, const void *p,
                                    size_t n)
{
    const uint8_t *at = memmem(sealed->p, sealed->n, p, n);
    assert_non_null(at);
    return (struct place){(size_t)(at - sealed->p), n};
}

/* the payload, the signature, and the first and last signed attribute with all
 * between them */
static inline size_t signed_places(const struct idv_buf *sealed,
                                   struct place out[PLACES])
{
    const uint8_t *p = sealed->p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)sealed->n);
    assert_non_null(cms);
    ASN1_OCTET_STRING *payload = *CMS_get0_content(cms);
    CMS_SignerInfo *si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    ASN1_OCTET_STRING *sig = CMS_SignerInfo_get0_signature(si);
    out[0] = place_of(sealed, payload->data, (size_t)payload->length);
    out[1] = place_of(sealed, sig->data, (size_t)sig->length);
    size_t first = sealed->n, last = 0;
    for (int i = 0; i < CMS_signed_get_attr_count(si); i++) {
        uint8_t *der = NULL;
        int n = i2d_X509_ATTRIBUTE(CMS_signed_get_attr(si, i), &der);
        assert_true(n > 0);
        struct place a = place_of(sealed, der, (size_t)n);
        first = a.at < first ? a.at : first;
        last = a.at + a.n > last ? a.at + a.n : last;
        OPENSSL_free(der);
    }
    out[2] = (struct place){first, last - first};
    CMS_ContentInfo_free(cms);
    return PLACES;
}

static inline bool within(size_t at, const struct place *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (at >= p[i].at && at < p[i].at + p[i].n)
            return true;
    }
    return false;
}

/* the same in other octets, which BER allows (a bit that says "constructed" of
 * what always is): what is signed is what this is in DER */
static inline bool same_in_der(const struct idv_buf *sealed,
                               const struct idv_buf *whole)
{
    const uint8_t *p = sealed->p;
    uint8_t *der = NULL;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)sealed->n);
    assert_non_null(cms);
    int n = i2d_CMS_ContentInfo(cms, &der);
    bool same =
        n >= 0 && (size_t)n == whole->n && !memcmp(der, whole->p, (size_t)n);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    return same;
}

static inline void flip(struct idv_buf *sealed, size_t bit)
{
    sealed->p[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

#endif
