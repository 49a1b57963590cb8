/* SPDX-License-Identifier: Apache-2.0 */
/* OCSP responses, to be spoilt by a test. */
#ifndef TESTS_STAPLE_H
#define TESTS_STAPLE_H

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "tests/lib/pki.h"

struct staple {
    X509 *cert, *issuer;          /* what is said of whom */
    const struct pki_id *by;      /* who says so, its certificate inside */
    int status;                   /* V_OCSP_CERTSTATUS_... */
    int64_t from, until;          /* until 0: none */
    const EVP_MD *names, *digest; /* of the CertID, of the signature */
};

/* registrar is good, says domain_ca, today */
static inline struct staple staple_good(struct pki *p)
{
    return (struct staple){
        .cert = p->registrar.cert,
        .issuer = p->domain_ca.cert,
        .by = &p->domain_ca,
        .status = V_OCSP_CERTSTATUS_GOOD,
        .from = PKI_NOW - 60,
        .until = PKI_NOW + PKI_DAY,
        .names = EVP_sha1(), /* as nearly everybody does */
        .digest = EVP_sha256(),
    };
}

static inline void staple_answer(OCSP_BASICRESP *basic, const struct staple *s)
{
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)s->from);
    ASN1_TIME *until = s->until ? ASN1_TIME_set(NULL, (time_t)s->until) : NULL;
    OCSP_CERTID *id = OCSP_cert_to_id(s->names, s->cert, s->issuer);
    assert_non_null(id);
    assert_non_null(OCSP_basic_add1_status(
        basic, id, s->status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
        s->status == V_OCSP_CERTSTATUS_REVOKED ? from : NULL, from, until));
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
}

static inline void staple_seal(OCSP_BASICRESP *basic, const struct staple *s,
                               struct idv_buf *out)
{
    uint8_t *der = NULL;
    assert_int_equal(
        OCSP_basic_sign(basic, s->by->cert, s->by->key, s->digest, NULL, 0), 1);
    OCSP_RESPONSE *r =
        OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    const int n = i2d_OCSP_RESPONSE(r, &der);
    assert_true(n > 0);
    pki_must(idv_buf_put(out, idv_bytes(der, (size_t)n)), "response");
    OPENSSL_free(der);
    OCSP_RESPONSE_free(r);
    OCSP_BASICRESP_free(basic);
}

/* One answer. */
static inline void staple_make(const struct staple *s, struct idv_buf *out)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    staple_answer(basic, s);
    staple_seal(basic, s, out);
}

#endif
