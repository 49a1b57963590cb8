/* SPDX-License-Identifier: Apache-2.0 */
/* Enrollment over Secure Transport: what a client sends and believes. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/est.h>

static idv_rc check_reply(const struct idv_msg *reply, const char *media,
                          const char *what)
{
    if (reply->status >= 500)
        return idv_fail(IDV_E_NET, "%s: the server answered %d", what,
                        reply->status);
    if (reply->status != 200)
        return idv_fail(IDV_E_REJECT, "%s: the server answered %d", what,
                        reply->status);
    if (!idv_media_is(reply->media, media))
        return idv_fail(IDV_E_FORMAT, "%s: media type '%.60s', not %s", what,
                        reply->media, media);
    return IDV_OK;
}

static idv_rc read_certs(const struct idv_msg *reply, const char *what,
                         STACK_OF(X509) * *out)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_BODY};
    IDV_TRY(check_reply(reply, IDV_MEDIA_PKCS7, what));
    IDV_TRY(idv_est_body_to_der(idv_view(&reply->body), &der));
    return idv_certbag_from_der(idv_view(&der), out);
}

/* --- cacerts -------------------------------------------------------------- */

static bool is_anchor(X509 *cert, const X509 *pin)
{
    if (pin && idv_cert_same_key(cert, pin))
        return true;
    return idv_cert_is_ca(cert) && X509_self_signed(cert, 1) == 1;
}

static idv_rc sort_certs(const STACK_OF(X509) * all, const X509 *pin,
                         STACK_OF(X509) * anchors, STACK_OF(X509) * others)
{
    for (int i = 0; i < sk_X509_num(all); i++) {
        X509 *cert = sk_X509_value(all, i);
        if (!sk_X509_push(is_anchor(cert, pin) ? anchors : others, cert))
            return idv_fail(IDV_E_NOMEM, "cacerts");
        X509_up_ref(cert);
    }
    if (sk_X509_num(anchors) == 0)
        return idv_fail(IDV_E_REJECT, "cacerts: no trust anchor among them");
    return IDV_OK;
}

static idv_rc check_others(const STACK_OF(X509) * anchors,
                           const STACK_OF(X509) * others)
{
    const struct idv_chain_policy policy = {
        .anchors = anchors,
        .extra = others,
        .partial = true,
    };
    for (int i = 0; i < sk_X509_num(others); i++)
        IDV_TRY(idv_chain_verify(sk_X509_value(others, i), &policy));
    return IDV_OK;
}

idv_rc idv_est_cacerts_read(const struct idv_msg *reply, const X509 *pin,
                            STACK_OF(X509) * *anchors, STACK_OF(X509) * *others)
{
    IDV_AUTO_PTR(idv_certs) all = NULL;
    IDV_AUTO_PTR(idv_certs) good = sk_X509_new_null();
    IDV_AUTO_PTR(idv_certs) rest = sk_X509_new_null();
    if (!good || !rest)
        return idv_fail(IDV_E_NOMEM, "cacerts");
    IDV_TRY(read_certs(reply, "cacerts", &all));
    IDV_TRY(sort_certs(all, pin, good, rest));
    IDV_TRY(check_others(good, rest));
    *anchors = idv_steal(&good);
    *others = idv_steal(&rest);
    return IDV_OK;
}

/* --- csrattrs ------------------------------------------------------------- */

idv_rc idv_est_csrattrs_read(const struct idv_msg *reply,
                             struct idv_csrattrs *out)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_BODY};
    const struct idv_csrattrs none = {0};
    if (reply->status == 204 || reply->status == 404 ||
        (reply->status == 200 && reply->body.n == 0)) {
        *out = none;
        return IDV_OK;
    }
    IDV_TRY(check_reply(reply, IDV_MEDIA_CSRATTRS, "csrattrs"));
    IDV_TRY(idv_est_body_to_der(idv_view(&reply->body), &der));
    return idv_csrattrs_from_der(idv_view(&der), out);
}

/* --- simpleenroll, simplereenroll ----------------------------------------- */

static idv_rc challenge_of(const struct idv_csrattrs *attrs,
                           struct idv_bytes binding, struct idv_buf *out)
{
    if (!attrs || !attrs->challenge)
        return IDV_OK;
    if (binding.n == 0)
        return idv_fail(IDV_E_STATE, "enroll: the server wants a channel "
                                     "binding and the connection has none");
    return idv_base64_from_bytes(binding, 0, out);
}

idv_rc idv_est_enroll_write(EVP_PKEY *key, const X509_NAME *subject,
                            const struct idv_csrattrs *attrs,
                            struct idv_bytes binding, bool again,
                            struct idv_msg *req)
{
    IDV_AUTO(buf) challenge = {0};
    IDV_AUTO(buf) der = {.max = IDV_MAX_BODY};
    IDV_AUTO(buf) body = {.max = IDV_MAX_BODY};
    IDV_TRY(challenge_of(attrs, binding, &challenge));
    IDV_TRY(idv_csr_make(key, subject, attrs ? attrs->extensions : NULL,
                         challenge.n ? (const char *)challenge.p : NULL, &der));
    IDV_TRY(idv_est_body_from_der(idv_view(&der), &body));
    req->verb = IDV_POST;
    strcpy(req->path, again ? IDV_PATH_SIMPLEREENROLL : IDV_PATH_SIMPLEENROLL);
    strcpy(req->media, IDV_MEDIA_PKCS10);
    strcpy(req->accept, IDV_MEDIA_PKCS7);
    idv_buf_move(&req->body, &body);
    return IDV_OK;
}

static idv_rc check_issued(X509 *cert, const EVP_PKEY *key,
                           const struct idv_chain_policy *policy)
{
    uint8_t ours[32], theirs[32];
    EVP_PKEY *issued = X509_get0_pubkey(cert);
    if (!issued)
        return idv_fail(IDV_E_REJECT, "enroll: a certificate without a key we "
                                      "understand");
    IDV_TRY(idv_key_fingerprint(key, ours));
    IDV_TRY(idv_key_fingerprint(issued, theirs));
    if (memcmp(ours, theirs, sizeof(ours)) != 0)
        return idv_fail(IDV_E_REJECT, "enroll: a certificate for another key");
    if (idv_cert_is_ca(cert))
        return idv_fail(IDV_E_REJECT, "enroll: a CA certificate");
    return idv_chain_verify(cert, policy);
}

idv_rc idv_est_enroll_read(const struct idv_msg *reply, const EVP_PKEY *key,
                           const STACK_OF(X509) * anchors,
                           const STACK_OF(X509) * others, bool check_time,
                           int64_t now, X509 **cert)
{
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    const struct idv_chain_policy policy = {
        .anchors = anchors,
        .extra = others,
        .partial = true,
        .check_time = check_time,
        .now = now,
    };
    IDV_TRY(read_certs(reply, "enroll", &certs));
    if (sk_X509_num(certs) != 1)
        return idv_fail(IDV_E_REJECT, "enroll: %d certificates, not one",
                        sk_X509_num(certs));
    IDV_TRY(check_issued(sk_X509_value(certs, 0), key, &policy));
    *cert = sk_X509_pop(certs);
    return IDV_OK;
}
