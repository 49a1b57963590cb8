/* SPDX-License-Identifier: Apache-2.0 */
/* What an OCSP response (RFC 6960) says of a certificate. */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/rsa.h>

#include "x509/x509.h"

#define SKEW 600 /* seconds that the responder's clock may be ahead */
#define UNDATED                                                                \
    86400 /* seconds that an answer without nextUpdate is good for */

IDV_AUTO_PTR_DEFINE(OCSP_RESPONSE, OCSP_RESPONSE_free)
IDV_AUTO_PTR_DEFINE(OCSP_BASICRESP, OCSP_BASICRESP_free)
IDV_AUTO_PTR_DEFINE(OCSP_CERTID, OCSP_CERTID_free)
IDV_AUTO_PTR_DEFINE(RSA_PSS_PARAMS, RSA_PSS_PARAMS_free)

struct question {
    X509 *cert, *issuer;
    bool check_time;
    int64_t now;
};

/* a fault of the response's, whatever libcrypto noted of it */
static idv_rc refuse(const char *what)
{
    ERR_clear_error();
    return idv_fail(IDV_E_REJECT, "OCSP: %s", what);
}

static idv_rc parse(struct idv_bytes der, OCSP_BASICRESP **out)
{
    const uint8_t *p = der.p;
    if (der.n > IDV_MAX_STAPLE)
        return idv_fail(IDV_E_LIMIT, "OCSP: a response of %zu bytes", der.n);
    IDV_AUTO_PTR(OCSP_RESPONSE) r = d2i_OCSP_RESPONSE(NULL, &p, (long)der.n);
    if (!r || p != der.p + der.n)
        return refuse("not a response");
    const int status = OCSP_response_status(r);
    if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return idv_fail(IDV_E_REJECT, "OCSP: no answer but: %s",
                        OCSP_response_status_str(status));
    *out = OCSP_response_get1_basic(r);
    return *out ? IDV_OK : refuse("not a basic response");
}

/* --- who signed ----------------------------------------------------------- */

static int digest_of(const X509_ALGOR *alg)
{
    int digest = NID_undef;
    const int nid = OBJ_obj2nid(alg->algorithm);
    if (nid != NID_rsassaPss) {
        OBJ_find_sigid_algs(nid, &digest, NULL);
        return digest;
    }
    IDV_AUTO_PTR(RSA_PSS_PARAMS)
    pss = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_PSS_PARAMS),
                                    alg->parameter);
    return pss && pss->hashAlgorithm
               ? OBJ_obj2nid(pss->hashAlgorithm->algorithm)
               : NID_sha1;
}

/* as of certificates: see chain.c */
static bool is_weak(const OCSP_BASICRESP *basic)
{
    const int digest = digest_of(OCSP_resp_get0_tbs_sigalg(basic));
    return digest == NID_sha1 || digest == NID_md5;
}

/* The issuer itself, or whom it made a responder (RFC 6960 4.2.2.2); never the
 * certificate in question. */
static idv_rc check_responder(const struct question *q, X509 *signer,
                              const STACK_OF(X509) * issuer)
{
    const struct idv_chain_policy policy = {
        .anchors = issuer,
        .partial = true,
        .check_time = q->check_time,
        .now = q->now,
        .eku = IDV_OID_OCSP_SIGNING,
    };
    if (idv_cert_eq(signer, q->issuer))
        return IDV_OK;
    if (idv_cert_same_key(signer, q->cert))
        return refuse("the certificate speaks for itself");
    idv_rc rc = idv_chain_verify(signer, &policy);
    return rc == IDV_E_REJECT ? idv_fail_within(rc, "OCSP: responder") : rc;
}

static idv_rc check_signature(const struct question *q, OCSP_BASICRESP *basic)
{
    X509 *signer = NULL;
    IDV_AUTO_PTR(idv_certs) issuer = sk_X509_new_null();
    IDV_AUTO_PTR(idv_certs) found = sk_X509_new_null();
    if (!issuer || !found || !sk_X509_push(issuer, q->issuer))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    X509_up_ref(q->issuer);
    if (OCSP_resp_get0_signer(basic, &signer, issuer) != 1)
        return refuse("the responder's certificate is not there");
    if (!sk_X509_push(found, signer))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    X509_up_ref(signer);
    IDV_TRY(check_responder(q, signer, issuer));
    if (is_weak(basic))
        return refuse("signed over a weak digest");
    /* the signature alone: whether the signer may was judged above */
    if (OCSP_basic_verify(basic, found, NULL, OCSP_NOINTERN | OCSP_NOVERIFY) !=
        1)
        return refuse("signature does not verify");
    return IDV_OK;
}

/* --- what is said --------------------------------------------------------- */

/* The two are compared by the digest that the responder chose. */
static bool is_about(const struct question *q, OCSP_SINGLERESP *single)
{
    ASN1_OBJECT *digest = NULL;
    OCSP_CERTID *id = (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(single);
    if (OCSP_id_get0_info(NULL, &digest, NULL, NULL, id) != 1)
        return false;
    const EVP_MD *md = EVP_get_digestbyobj(digest);
    IDV_AUTO_PTR(OCSP_CERTID)
    own = md ? OCSP_cert_to_id(md, q->cert, q->issuer) : NULL;
    ERR_clear_error();
    return own && OCSP_id_cmp(own, id) == 0;
}

/* ASN1_TIME_cmp_time_t is -2 for what is no time */
static idv_rc check_times(const struct question *q, const ASN1_TIME *from,
                          const ASN1_TIME *until)
{
    const time_t now = (time_t)q->now;
    if (!q->check_time)
        return IDV_OK;
    const int begun = from ? ASN1_TIME_cmp_time_t(from, now + SKEW) : -2;
    if (begun != -1 && begun != 0)
        return refuse("the answer is from the future");
    const bool fresh = until ? ASN1_TIME_cmp_time_t(until, now) >= 0
                             : ASN1_TIME_cmp_time_t(from, now - UNDATED) >= 0;
    return fresh ? IDV_OK : refuse("the answer is out of date");
}

/* Revoked is revoked, however old the news. */
static idv_rc read_status(const struct question *q, OCSP_SINGLERESP *single,
                          bool *revoked)
{
    ASN1_GENERALIZEDTIME *from = NULL, *until = NULL;
    const int status =
        OCSP_single_get0_status(single, NULL, NULL, &from, &until);
    if (status == V_OCSP_CERTSTATUS_REVOKED) {
        *revoked = true;
        return idv_fail(IDV_E_REJECT, "OCSP: '%s' is revoked",
                        idv_cert_subject(q->cert));
    }
    if (OCSP_SINGLERESP_get_ext_by_critical(single, 1, -1) >= 0)
        return refuse("a critical extension");
    if (status != V_OCSP_CERTSTATUS_GOOD)
        return idv_fail(IDV_E_REJECT, "OCSP: '%s' is unknown to the responder",
                        idv_cert_subject(q->cert));
    return check_times(q, from, until);
}

/* Good when one answer says so and none says revoked. */
static idv_rc read_answers(const struct question *q, OCSP_BASICRESP *basic,
                           bool *revoked)
{
    bool good = false, found = false;
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
        if (!is_about(q, single))
            continue;
        found = true;
        good = read_status(q, single, revoked) == IDV_OK || good;
        if (*revoked)
            return IDV_E_REJECT;
    }
    if (good)
        idv_note_clear(); /* of an answer that is none */
    else if (!found)
        return refuse("the answer is about another certificate");
    return good ? IDV_OK : IDV_E_REJECT;
}

idv_rc idv_ocsp_check(struct idv_bytes response, X509 *cert, X509 *issuer,
                      bool check_time, int64_t now, bool *revoked)
{
    const struct question q = {cert, issuer, check_time, now};
    IDV_AUTO_PTR(OCSP_BASICRESP) basic = NULL;
    *revoked = false;
    IDV_TRY(parse(response, &basic));
    IDV_TRY(check_signature(&q, basic));
    if (OCSP_BASICRESP_get_ext_by_critical(basic, 1, -1) >= 0)
        return refuse("a critical extension");
    return read_answers(&q, basic, revoked);
}
