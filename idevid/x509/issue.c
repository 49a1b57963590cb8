/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates made and signed. */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/err.h>

#include "x509/x509.h"

#define SERIAL_BYTES 20

IDV_AUTO_PTR_DEFINE(BIGNUM, BN_free)

/* 159 random bits: positive, and 20 octets at most */
static idv_rc set_serial(X509 *cert, const struct idv_env *env)
{
    uint8_t raw[SERIAL_BYTES];
    IDV_TRY(idv_random(env, raw, sizeof(raw)));
    raw[0] &= 0x7f;
    raw[SERIAL_BYTES - 1] |= 1; /* never zero */
    IDV_AUTO_PTR(BIGNUM) bn = BN_bin2bn(raw, sizeof(raw), NULL);
    if (!bn || !BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return IDV_OK;
}

static idv_rc set_times(X509 *cert, const struct idv_cert_spec *spec,
                        const X509 *issuer, const struct idv_env *env)
{
    int64_t from = spec->not_before ? spec->not_before : idv_now(env);
    int64_t to = spec->not_after ? spec->not_after : IDV_NO_EXPIRY;
    int64_t issuer_from, issuer_to = IDV_NO_EXPIRY;
    if (issuer)
        IDV_TRY(idv_cert_times(issuer, &issuer_from, &issuer_to));
    bool as_asked = spec->kind == IDV_CERT_IDEVID || spec->kind == IDV_CERT_IAK;
    if (!as_asked && to > issuer_to)
        to = issuer_to;
    if (to < from || to > IDV_NO_EXPIRY)
        return idv_fail(IDV_E_ARG, "validity: it ends before it begins");
    if (!ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)from) ||
        !ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)to))
        return idv_fail(IDV_E_ARG, "validity: a time outside 1950 to 9999");
    return IDV_OK;
}

static idv_rc set_names(X509 *cert, const struct idv_cert_spec *spec,
                        const X509 *issuer)
{
    IDV_AUTO_PTR(X509_NAME) made = NULL;
    if (spec->subject)
        IDV_TRY(idvi_check_subject(spec, spec->subject));
    else
        IDV_TRY(idvi_subject(spec, &made));
    const X509_NAME *subject = made ? made : spec->subject;
    const X509_NAME *by = issuer ? X509_get_subject_name(issuer) : subject;
    if (X509_set_subject_name(cert, subject) != 1 ||
        X509_set_issuer_name(cert, by) != 1)
        return idv_fail(IDV_E_CRYPTO, "certificate: names not taken");
    return IDV_OK;
}

/* who signs must be a CA with that very key; alone, sign your own key */
static idv_rc check_issuer(const X509 *issuer, const EVP_PKEY *issuer_key,
                           const EVP_PKEY *public_key)
{
    IDV_AUTO(buf) own = {0};
    IDV_AUTO(buf) theirs = {0};
    if (issuer && !idv_cert_is_ca(issuer))
        return idv_fail(IDV_E_ARG, "issuer: '%s' is no CA",
                        idv_cert_subject(issuer));
    if (issuer && EVP_PKEY_eq(X509_get0_pubkey(issuer), issuer_key) == 1)
        return IDV_OK;
    ERR_clear_error();
    IDV_TRY(idvi_spki(issuer_key, &own));
    if (issuer)
        IDV_TRY(IDVI_PUT_DER(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(issuer),
                             &theirs));
    else
        IDV_TRY(idvi_spki(public_key, &theirs));
    if (!idv_bytes_eq(idv_view(&own), idv_view(&theirs)))
        return idv_fail(IDV_E_ARG, "issuer: the key is not that of %s",
                        issuer ? "its certificate" : "the certificate");
    return IDV_OK;
}

/* as everybody else has it, its key parsed */
static idv_rc as_read(const X509 *made, X509 **out)
{
    IDV_AUTO(buf) der = {0};
    IDV_TRY(idv_cert_to_der(made, &der));
    return idv_cert_from_der(idv_view(&der), out);
}

idv_rc idv_cert_issue(const struct idv_cert_spec *spec,
                      const EVP_PKEY *public_key, const X509 *issuer,
                      EVP_PKEY *issuer_key, const struct idv_env *env,
                      X509 **out)
{
    IDV_AUTO_PTR(X509) cert = X509_new();
    IDV_TRY(check_issuer(issuer, issuer_key, public_key));
    if (!cert || X509_set_version(cert, X509_VERSION_3) != 1)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(set_serial(cert, env));
    IDV_TRY(set_times(cert, spec, issuer, env));
    IDV_TRY(set_names(cert, spec, issuer));
    IDV_TRY(idvi_pubkey_put(public_key, X509_get_X509_PUBKEY(cert)));
    IDV_TRY(idvi_extensions(spec, issuer, cert));
    if (X509_sign(cert, issuer_key, idv_digest_for(issuer_key)) <= 0)
        return idvi_sign_failed(issuer_key, "certificate");
    if (!spec->keyless)
        return as_read(cert, out);
    *out = idv_steal(&cert);
    return IDV_OK;
}
