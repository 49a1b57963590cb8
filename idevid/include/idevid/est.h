/* SPDX-License-Identifier: Apache-2.0 */
/* Enrollment over Secure Transport, the client's messages (RFC 7030, 8951). */
#ifndef IDEVID_EST_H
#define IDEVID_EST_H

#include <idevid/key.h>
#include <idevid/machine.h>
#include <idevid/x509.h>

#define IDV_PATH_CACERTS "/.well-known/est/cacerts"
#define IDV_PATH_CSRATTRS "/.well-known/est/csrattrs"
#define IDV_PATH_SIMPLEENROLL "/.well-known/est/simpleenroll"
#define IDV_PATH_SIMPLEREENROLL "/.well-known/est/simplereenroll"
#define IDV_MEDIA_PKCS7 "application/pkcs7-mime"
#define IDV_MEDIA_CERTS_ONLY "application/pkcs7-mime; smime-type=certs-only"
#define IDV_MEDIA_PKCS10 "application/pkcs10"
#define IDV_MEDIA_CSRATTRS "application/csrattrs"

/* What csrattrs asks for (RFC 8951 section 4 and RFC 9908); unknown items are
 * ignored. */
struct idv_csrattrs {
    bool has_key_type;
    enum idv_key_type key_type;
    bool challenge; /* challengePassword wanted: channel binding */
    STACK_OF(X509_EXTENSION) *
        extensions; /* to put into the request, or NULL */
    int digest_nid; /* wanted signature digest, 0 none */
    /* also in the form of RFC 9908, for who reads that; only written, and only
     * with something that it can tell */
    bool as_template;
};
void idv_csrattrs_free(struct idv_csrattrs *a);
/* DER both ways (RFC 7030 section 4.5.2, RFC 8951 section 4). IDV_E_ARG: a
 * digest beside as_template, which has no place for it. */
idv_rc idv_csrattrs_to_der(const struct idv_csrattrs *a,
                           struct idv_buf *out) IDV_CHECKED;
idv_rc idv_csrattrs_from_der(struct idv_bytes der,
                             struct idv_csrattrs *out) IDV_CHECKED;

/* EST bodies are base64 of DER: 64-column lines with LF when sent, every form
 * accepted (also PEM armour). */
idv_rc idv_est_body_from_der(struct idv_bytes der,
                             struct idv_buf *out) IDV_CHECKED;
idv_rc idv_est_body_to_der(struct idv_bytes body,
                           struct idv_buf *out) IDV_CHECKED;

/*
 * Reply of cacerts: status, media, certs-only. anchors gets every self-signed
 * or pinned CA; each other certificate must chain to those and goes to others
 * (the intermediates, maybe empty). pin is NULL when a key is pinned. Whether
 * they are the domain's is for idv_trust_cacerts to say.
 * This and the readers below: IDV_E_NET for a status of 500 and more,
 * IDV_E_REJECT for another one that is no success, IDV_E_FORMAT for another
 * media type or a body that is not what it should be.
 */
idv_rc idv_est_cacerts_read(const struct idv_msg *reply, const X509 *pin,
                            STACK_OF(X509) * *anchors,
                            STACK_OF(X509) * *others) IDV_CHECKED;
/* 204, 404 and an empty sequence all mean: nothing asked for. */
idv_rc idv_est_csrattrs_read(const struct idv_msg *reply,
                             struct idv_csrattrs *out) IDV_CHECKED;
/* Fills a simple(re)enroll request. attrs may be NULL, binding empty: but
 * IDV_E_STATE if attrs wants one (challenge) and there is none. */
idv_rc idv_est_enroll_write(EVP_PKEY *key, const X509_NAME *subject,
                            const struct idv_csrattrs *attrs,
                            struct idv_bytes binding, bool again,
                            struct idv_msg *req) IDV_CHECKED;
/* The issued certificate: exactly one, for key, chaining to anchors (others
 * may help, NULL ok), no CA. check_time false without a clock. */
idv_rc idv_est_enroll_read(const struct idv_msg *reply, const EVP_PKEY *key,
                           const STACK_OF(X509) * anchors,
                           const STACK_OF(X509) * others, bool check_time,
                           int64_t now, X509 **cert) IDV_CHECKED;

#endif
