/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate revocation lists of the domain, judged: pure. */
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "crl.h"

#define SKEW 300 /* seconds that clocks may differ */

IDV_AUTO_PTR_DEFINE(X509_CRL, X509_CRL_free)
IDV_AUTO_PTR_DEFINE(CRL_DIST_POINTS, CRL_DIST_POINTS_free)
IDV_AUTO_PTR_DEFINE(ISSUING_DIST_POINT, ISSUING_DIST_POINT_free)

static idv_rc rejected(const char *what)
{
    ERR_clear_error();
    return idv_fail(IDV_E_REJECT, "CRL: %s", what);
}

/* --- where ---------------------------------------------------------------- */

static idv_rc add_url(const GENERAL_NAME *name, char ***out)
{
    if (name->type != GEN_URI)
        return IDV_OK;
    const ASN1_IA5STRING *uri = name->d.uniformResourceIdentifier;
    const char *text = (const char *)ASN1_STRING_get0_data(uri);
    const size_t n = (size_t)ASN1_STRING_length(uri);
    if (n > 1000 || memchr(text, 0, n) ||
        (strncasecmp(text, "http://", 7) != 0 &&
         strncasecmp(text, "https://", 8) != 0))
        return IDV_OK;
    return idv_list_add(out, idv_bytes((const uint8_t *)text, n));
}

/* of all reasons, by the issuer itself */
static idv_rc add_point(const DIST_POINT *p, char ***out)
{
    if (p->reasons || p->CRLissuer || !p->distpoint || p->distpoint->type != 0)
        return IDV_OK;
    const GENERAL_NAMES *names = p->distpoint->name.fullname;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        IDV_TRY(add_url(sk_GENERAL_NAME_value(names, i), out));
    return IDV_OK;
}

idv_rc crl_urls(const X509 *cert, char ***out)
{
    IDV_AUTO_PTR(CRL_DIST_POINTS)
    points = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
    *out = NULL;
    ERR_clear_error();
    for (int i = 0; i < sk_DIST_POINT_num(points); i++)
        IDV_TRY(add_point(sk_DIST_POINT_value(points, i), out));
    return IDV_OK;
}

/* --- reading -------------------------------------------------------------- */

static X509_CRL *from_pem(struct idv_bytes text)
{
    IDV_AUTO_PTR(BIO) bio = BIO_new_mem_buf(text.p, (int)text.n);
    return bio ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;
}

idv_rc crl_read(struct idv_bytes text, X509_CRL **out)
{
    const uint8_t *p = text.p;
    if (text.n > CRL_MAX)
        return idv_fail(IDV_E_LIMIT, "CRL: %zu bytes", text.n);
    IDV_AUTO_PTR(X509_CRL) crl = NULL;
    if (text.n > 10 && memcmp(text.p, "-----BEGIN", 10) == 0) {
        crl = from_pem(text);
    } else {
        crl = d2i_X509_CRL(NULL, &p, (long)text.n);
        if (crl && p != text.p + text.n)
            return idv_fail(IDV_E_FORMAT, "CRL: something follows it");
    }
    ERR_clear_error();
    if (!crl)
        return idv_fail(IDV_E_FORMAT, "CRL: this is none");
    *out = idv_steal(&crl);
    return IDV_OK;
}

static idv_rc seconds_of(const ASN1_TIME *t, int64_t *out)
{
    struct tm tm = {0};
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return rejected("a time is missing or unreadable");
    *out = timegm(&tm);
    return IDV_OK;
}

idv_rc crl_times(const X509_CRL *crl, int64_t *from, int64_t *until)
{
    IDV_TRY(seconds_of(X509_CRL_get0_lastUpdate(crl), from));
    return seconds_of(X509_CRL_get0_nextUpdate(crl), until);
}

int64_t crl_refresh_at(int64_t from, int64_t until, uint8_t spread)
{
    const int64_t life = until > from ? until - from : 0;
    const int64_t part = life / 4 * 3;
    return from + part - part / 10 / 256 * spread;
}

/* --- judging -------------------------------------------------------------- */

static idv_rc check_signer(X509_CRL *crl, X509 *issuer)
{
    int digest = NID_undef, key_type;
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    const uint32_t usage = X509_get_key_usage(issuer);
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl),
                      X509_get_subject_name(issuer)) != 0)
        return rejected("of another issuer");
    if (usage != UINT32_MAX && !(usage & KU_CRL_SIGN))
        return rejected("its issuer may sign none");
    if (OBJ_find_sigid_algs(X509_CRL_get_signature_nid(crl), &digest,
                            &key_type) != 1 ||
        digest == NID_sha1 || digest == NID_md5)
        return rejected("signed with an algorithm that is not accepted");
    if (!key || X509_CRL_verify(crl, key) != 1)
        return rejected("not signed by its issuer");
    return IDV_OK;
}

static idv_rc check_scope(X509_CRL *crl)
{
    IDV_AUTO_PTR(ISSUING_DIST_POINT)
    idp = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, NULL, NULL);
    if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0)
        return rejected("only what changed (delta)");
    if (idp && (idp->indirectCRL > 0 || idp->onlyattr > 0 || idp->onlyCA > 0 ||
                idp->onlysomereasons))
        return rejected("only of some certificates");
    ERR_clear_error();
    return IDV_OK;
}

static idv_rc check_critical(X509_CRL *crl)
{
    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
        X509_EXTENSION *x = X509_CRL_get_ext(crl, i);
        const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(x));
        if (X509_EXTENSION_get_critical(x) &&
            nid != NID_issuing_distribution_point &&
            nid != NID_authority_key_identifier && nid != NID_crl_number)
            return rejected("has a critical extension that is not known");
    }
    return IDV_OK;
}

static idv_rc check_times(const X509_CRL *crl, const struct crl_judge *by)
{
    int64_t from, until, kept_from, kept_until;
    IDV_TRY(crl_times(crl, &from, &until));
    if (until <= from)
        return rejected("ends before it begins");
    if (by->check_time && from > by->now + SKEW)
        return rejected("of the future");
    if (by->check_time && until < by->now)
        return rejected("out of date");
    if (!by->kept)
        return IDV_OK;
    IDV_TRY(crl_times(by->kept, &kept_from, &kept_until));
    return from < kept_from ? rejected("older than the one that is kept")
                            : IDV_OK;
}

idv_rc crl_check(X509_CRL *crl, const struct crl_judge *by)
{
    IDV_TRY(check_signer(crl, by->issuer));
    IDV_TRY(check_scope(crl));
    IDV_TRY(check_critical(crl));
    return check_times(crl, by);
}
