/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates made and signed. */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>

#include "x509/tlv.h"
#include "x509/x509.h"

#define SERIAL_BYTES 20
#define ALGORITHM_MAX                                                          \
    256 /* AlgorithmIdentifier, DER; RSA-PSS has the longest */

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

/* *made is the one that was made, if one was */
static idv_rc choose_subject(const struct idv_cert_spec *spec, X509_NAME **made,
                             const X509_NAME **out)
{
    if (spec->subject)
        IDV_TRY(idvi_check_subject(spec, spec->subject));
    else
        IDV_TRY(idvi_subject(spec, made));
    *out = *made ? *made : spec->subject;
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

/* --- written ---------------------------------------------------------------
 * put together from its parts, which libcrypto would copy, and write the whole
 * five times
 */

struct signing {
    EVP_MD_CTX *ctx;
    uint8_t room[ALGORITHM_MAX];
    struct idv_bytes algorithm; /* as the key's provider has it */
};

static void signing_end(struct signing *s)
{
    EVP_MD_CTX_free(s->ctx);
}

static idv_rc begin_signing(struct signing *s, EVP_PKEY *key)
{
    EVP_PKEY_CTX *its = NULL;
    OSSL_PARAM p[] = {
        OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, s->room,
                                sizeof(s->room)),
        OSSL_PARAM_END,
    };
    s->ctx = EVP_MD_CTX_new();
    if (!s->ctx ||
        EVP_DigestSignInit(s->ctx, &its, idv_digest_for(key), NULL, key) != 1 ||
        EVP_PKEY_CTX_get_params(its, p) != 1 || !OSSL_PARAM_modified(p))
        return idvi_sign_failed(key, "certificate");
    s->algorithm = idv_bytes(s->room, p[0].return_size);
    return IDV_OK;
}

static idv_rc put_signature(const struct signing *s, EVP_PKEY *key,
                            struct idv_bytes tbs, struct idv_buf *out)
{
    IDV_AUTO(buf) bits = {0};
    uint8_t *p;
    size_t n = 0;
    if (EVP_DigestSign(s->ctx, NULL, &n, tbs.p, tbs.n) != 1)
        return idvi_sign_failed(key, "certificate");
    IDV_TRY(idv_buf_room(&bits, n + 1, &p));
    p[0] = 0; /* unused bits */
    if (EVP_DigestSign(s->ctx, p + 1, &n, tbs.p, tbs.n) != 1)
        return idvi_sign_failed(key, "certificate");
    return idvi_tlv_put(out, TLV_BIT_STRING, idv_bytes(p, n + 1));
}

static idv_rc put_name(const X509_NAME *name, struct idv_buf *out)
{
    const unsigned char *der;
    size_t n;
    if (X509_NAME_get0_der(name, &der, &n) != 1)
        return idv_fail(IDV_E_CRYPTO, "certificate: a name is not written");
    return idv_buf_put(out, idv_bytes(der, n));
}

static idv_rc put_validity(const X509 *cert, struct idv_buf *out)
{
    IDV_AUTO(buf) times = {0};
    IDV_TRY(IDVI_PUT_DER(i2d_ASN1_TIME, X509_get0_notBefore(cert), &times));
    IDV_TRY(IDVI_PUT_DER(i2d_ASN1_TIME, X509_get0_notAfter(cert), &times));
    return idvi_tlv_put(out, TLV_SEQUENCE, idv_view(&times));
}

static idv_rc put_extensions(const X509 *cert, struct idv_buf *out)
{
    IDV_AUTO(buf) all = {0};
    const STACK_OF(X509_EXTENSION) *list = X509_get0_extensions(cert);
    if (sk_X509_EXTENSION_num(list) <= 0)
        return IDV_OK;
    IDV_TRY(IDVI_PUT_DER(i2d_X509_EXTENSIONS, list, &all));
    return idvi_tlv_put(out, TLV_CONTEXT(3), idv_view(&all));
}

/* of cert: number, times, key and extensions */
static idv_rc put_tbs(const X509 *cert, const X509_NAME *subject,
                      const X509_NAME *issuer, struct idv_bytes algorithm,
                      struct idv_buf *out)
{
    static const uint8_t v3[] = {TLV_CONTEXT(0), 3, TLV_INTEGER, 1, 2};
    IDV_AUTO(buf) all = {0};
    IDV_TRY(idv_buf_put(&all, idv_bytes(v3, sizeof(v3))));
    IDV_TRY(IDVI_PUT_DER(i2d_ASN1_INTEGER, X509_get0_serialNumber(cert), &all));
    IDV_TRY(idv_buf_put(&all, algorithm));
    IDV_TRY(put_name(issuer, &all));
    IDV_TRY(put_validity(cert, &all));
    IDV_TRY(put_name(subject, &all));
    IDV_TRY(IDVI_PUT_DER(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(cert), &all));
    IDV_TRY(put_extensions(cert, &all));
    return idvi_tlv_put(out, TLV_SEQUENCE, idv_view(&all));
}

static idv_rc write_signed(const X509 *cert, const X509_NAME *subject,
                           const X509_NAME *issuer, EVP_PKEY *key,
                           struct idv_buf *out)
{
    __attribute__((cleanup(signing_end))) struct signing s = {0};
    IDV_AUTO(buf) all = {0};
    IDV_AUTO(buf) rest = {0};
    IDV_TRY(begin_signing(&s, key));
    IDV_TRY(put_tbs(cert, subject, issuer, s.algorithm, &all));
    IDV_TRY(idv_buf_put(&rest, s.algorithm));
    IDV_TRY(put_signature(&s, key, idv_view(&all), &rest));
    IDV_TRY(idv_buf_put(&all, idv_view(&rest)));
    return idvi_tlv_put(out, TLV_SEQUENCE, idv_view(&all));
}

/* --- issued --------------------------------------------------------------- */

idv_rc idv_cert_issue_der(const struct idv_cert_spec *spec,
                          const EVP_PKEY *public_key, const X509 *issuer,
                          EVP_PKEY *issuer_key, const struct idv_env *env,
                          struct idv_buf *out)
{
    IDV_AUTO_PTR(X509) cert = X509_new();
    IDV_AUTO_PTR(X509_NAME) made = NULL;
    const X509_NAME *subject = NULL;
    IDV_TRY(check_issuer(issuer, issuer_key, public_key));
    if (!cert)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(set_serial(cert, env));
    IDV_TRY(set_times(cert, spec, issuer, env));
    IDV_TRY(choose_subject(spec, &made, &subject));
    IDV_TRY(idvi_pubkey_put(public_key, X509_get_X509_PUBKEY(cert)));
    IDV_TRY(idvi_extensions(spec, subject, issuer, cert));
    return write_signed(cert, subject,
                        issuer ? X509_get_subject_name(issuer) : subject,
                        issuer_key, out);
}

idv_rc idv_cert_issue(const struct idv_cert_spec *spec,
                      const EVP_PKEY *public_key, const X509 *issuer,
                      EVP_PKEY *issuer_key, const struct idv_env *env,
                      X509 **out)
{
    IDV_AUTO(buf) der = {0};
    IDV_TRY(
        idv_cert_issue_der(spec, public_key, issuer, issuer_key, env, &der));
    return idv_cert_from_der(idv_view(&der), out);
}
