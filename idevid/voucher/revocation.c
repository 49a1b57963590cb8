/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a registrar's certificates are revoked (RFC 8366 section 5.3). */
#include <openssl/x509v3.h>

#include <idevid/auto.h>

#include "voucher/pin.h"
#include "voucher/revocation.h"

#define DEMANDED "voucher: revocation checks demanded, "

/* Is it the key that cert names as its issuer's, by a hash? For an RSA
 * signature anybody can make a key that it verifies with; not with that hash.
 */
static bool is_named(const X509 *cert, X509 *issuer)
{
    const ASN1_OCTET_STRING *named = X509_get0_authority_key_id(
                                (X509 *)(uintptr_t)cert),
                            *own = X509_get0_subject_key_id(issuer);
    return named && own && ASN1_OCTET_STRING_cmp(named, own) == 0 &&
           idv_cert_is_ca(issuer) && !idv_cert_same_key(cert, issuer) &&
           idv_domain_id_is_proven(issuer);
}

static idv_rc has_issued(const struct idvi_shown *s, X509 *leaf, X509 *issuer)
{
    IDV_AUTO_PTR(idv_certs) anchors = sk_X509_new_null();
    if (!anchors || !sk_X509_push(anchors, issuer))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    X509_up_ref(issuer);
    const struct idv_chain_policy policy = {.anchors = anchors,
                                            .partial = true,
                                            .check_time = s->check_time,
                                            .now = s->now};
    return idv_chain_verify(leaf, &policy);
}

/* Of an end entity that is pinned itself: among the certificates shown with it,
 * which vouch for nothing else. */
static idv_rc issuer_of_pinned(const struct idvi_shown *s, X509 *leaf,
                               X509 **out)
{
    if (!s->pin || !idv_cert_eq(s->pin, leaf))
        return idv_fail(IDV_E_REJECT, DEMANDED "where a key is pinned, which "
                                               "says no issuer");
    for (int i = 1; i < sk_X509_num(s->chain); i++) {
        *out = sk_X509_value(s->chain, i);
        if (is_named(leaf, *out))
            return has_issued(s, leaf, *out);
    }
    return idv_fail(IDV_E_REJECT,
                    DEMANDED "the issuer that the pinned certificate names is "
                             "not shown with it");
}

/* Of every certificate below the anchor; TLS has a staple for the first. */
static idv_rc shown_good(const struct idvi_shown *s, bool *revoked)
{
    const int n = sk_X509_num(s->path);
    X509 *leaf = sk_X509_value(s->path, 0), *above = sk_X509_value(s->path, 1);
    if (!s->path)
        return idv_fail(IDV_E_REJECT, DEMANDED "of a server that is not met "
                                               "yet");
    if (!s->staple.n)
        return idv_fail(IDV_E_REJECT, DEMANDED "no OCSP response stapled");
    if (n < 2)
        IDV_TRY(issuer_of_pinned(s, leaf, &above));
    IDV_TRY(
        idv_ocsp_check(s->staple, leaf, above, s->check_time, s->now, revoked));
    if (n > 2)
        return idv_fail(IDV_E_REJECT,
                        DEMANDED "nothing shows that the intermediate '%s' is "
                                 "good",
                        idv_cert_subject(above));
    return IDV_OK;
}

idv_rc idvi_revocation(int checks, bool good, const struct idvi_shown *shown)
{
    const bool demanded = checks == 1 && !good;
    bool revoked = false;
    if (checks == 0 || (!demanded && !shown->staple.n))
        return IDV_OK;
    idv_rc rc = shown_good(shown, &revoked);
    if (demanded || revoked || rc == IDV_E_NOMEM)
        return rc;
    idv_note_clear();
    return IDV_OK;
}

idv_rc idv_pin_revocation(const struct idv_pinned *pinned,
                          const STACK_OF(X509) * tls_chain,
                          struct idv_bytes staple, bool check_time, int64_t now)
{
    IDV_AUTO_PTR(idv_certs) path = NULL;
    IDV_TRY(idvi_pin_path(tls_chain, pinned->cert, pinned->spki_sha256,
                          check_time, now, &path));
    const struct idvi_shown shown = {.path = path,
                                     .chain = tls_chain,
                                     .pin = pinned->cert,
                                     .staple = staple,
                                     .check_time = check_time,
                                     .now = now};
    return idvi_revocation(pinned->voucher.revocation_checks, false, &shown);
}
