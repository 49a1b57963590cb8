/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate revocation lists of the domain (RFC 5280 section 5), judged. */
#ifndef TOOL_CRL_H
#define TOOL_CRL_H

#include <openssl/x509.h>

#include <idevid/x509.h>

#define CRL_MAX ((size_t)4 << 20) /* bytes, as fetched */

/* Where the issuer has them, in the order of the certificate's distribution
 * points: http and https only. NULL: nowhere. The caller's, idv_list_free. */
idv_rc crl_urls(const X509 *cert, char ***out) IDV_CHECKED;
/* One, in DER or PEM, and nothing else. */
idv_rc crl_read(struct idv_bytes text, X509_CRL **out) IDV_CHECKED;

struct crl_judge {
    X509 *issuer;
    X509_CRL *kept; /* the one until now; NULL: none */
    bool check_time;
    int64_t now;
};
/*
 * IDV_E_REJECT: not by this issuer, or signed weakly; a part of one (delta,
 * for some reasons, of others, of CAs alone); of things unknown that are
 * critical; without nextUpdate, or past it; of the future; older than what is
 * kept.
 */
idv_rc crl_check(X509_CRL *crl, const struct crl_judge *by) IDV_CHECKED;
/* thisUpdate and nextUpdate */
idv_rc crl_times(const X509_CRL *crl, int64_t *from,
                 int64_t *until) IDV_CHECKED;
/* When to ask for the next one: three quarters of its life are over, up to a
 * tenth of that earlier by spread. */
int64_t crl_refresh_at(int64_t from, int64_t until, uint8_t spread);

#endif
