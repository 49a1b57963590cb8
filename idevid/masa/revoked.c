/* SPDX-License-Identifier: Apache-2.0 */
/* Were certificates of the registrar's chain revoked (RFC 8995 section 5.5.3)?
 * What issuers say is found out elsewhere; here it is known, or waited for. */
#include <openssl/x509v3.h>

#include "idevid/masa/masa_call.h"

#define WAIT_S 2      /* the registrar comes again */
#define PATIENCE_S 15 /* then an answer is not waited for */
#define FAILING_S 60  /* where one is demanded: to try again */
#define WANTED_S 3600 /* that it is needed is noted so often */

static bool names_ocsp(X509 *cert)
{
    STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(cert);
    const bool names = sk_OPENSSL_STRING_num(urls) > 0;
    X509_email_free(urls);
    return names;
}

static bool names_status(X509 *cert)
{
    return X509_get_ext_by_NID(cert, NID_crl_distribution_points, -1) >= 0 ||
           names_ocsp(cert);
}

/* Nobody says whether: how that ends is policy. */
static idv_rc unknown(struct idvi_masa_call *c, X509 *cert, const char *why)
{
    if (c->policy.revocation == IDV_REVOCATION_REQUIRE) {
        (void)!idv_fail(IDV_E_REJECT, "%s", idv_cert_subject(cert));
        idv_rc rc = idvi_refuse(&c->no, 503, why,
                                "revocation of the registrar's certificate is "
                                "not known");
        c->no.retry_after = FAILING_S;
        return rc;
    }
    idv_log(c->masa->env, IDV_LOG_WARN, "revocation-unknown",
            "why=%s certificate=%s", why,
            idv_log_value(idv_cert_subject(cert)));
    return IDV_OK;
}

static idv_rc pending(struct idvi_masa_call *c)
{
    idv_rc rc = idvi_refuse(&c->no, 503, "revocation-asked",
                            "revocation of the registrar's certificate is "
                            "being looked at");
    c->no.retry_after = WAIT_S;
    return rc;
}

static idv_rc revoked(struct idvi_masa_call *c, X509 *cert)
{
    (void)!idv_fail(IDV_E_REJECT, "%s", idv_cert_subject(cert));
    return idvi_refuse(&c->no, 403, "revoked",
                       "the registrar's certificate is revoked");
}

static idv_rc want(struct idvi_masa_call *c, X509 *cert, X509 *issuer,
                   bool *taken)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    return store->status_want(store->self, cert, issuer, c->now, taken);
}

/* One that is new, or is not known as good any more and was not asked since. */
static idv_rc first_time(struct idvi_masa_call *c, X509 *cert, X509 *issuer)
{
    bool taken = false;
    IDV_TRY(want(c, cert, issuer, &taken));
    return taken ? pending(c) : unknown(c, cert, "revocation-crowd");
}

/* for so long, and no longer than the others of the chain */
static idv_rc good(struct idvi_masa_call *c, const struct idv_cert_status *s)
{
    if (!c->good_until || s->good_until < c->good_until)
        c->good_until = s->good_until;
    return IDV_OK;
}

static idv_rc judge(struct idvi_masa_call *c, X509 *cert, X509 *issuer,
                    const struct idv_cert_status *s)
{
    bool taken = false;
    if (s->wanted < c->now - WANTED_S)
        IDV_TRY(want(c, cert, issuer, &taken));
    if (s->revoked)
        return revoked(c, cert);
    if (s->good_until > c->now)
        return good(c, s);
    if (s->failed)
        return unknown(c, cert, "revocation-failed");
    if (s->asked <= s->good_until)
        return first_time(c, cert, issuer);
    return c->now - s->asked < PATIENCE_S ? pending(c)
                                          : unknown(c, cert, "revocation-late");
}

static idv_rc check(struct idvi_masa_call *c, X509 *cert, X509 *issuer)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    struct idv_cert_status s = {.wanted = 0};
    uint8_t hash[32];
    bool found = false;
    IDV_TRY(idv_cert_sha256(cert, hash));
    IDV_TRY(store->status_find(store->self, hash, &found, &s));
    return found ? judge(c, cert, issuer, &s) : first_time(c, cert, issuer);
}

/* The last one's issuer is not here, or it is its own: nobody can be asked. */
idv_rc idvi_masa_check_revocation(struct idvi_masa_call *c)
{
    if (c->policy.revocation == IDV_REVOCATION_NEVER)
        return IDV_OK;
    const int n = sk_X509_num(c->chain);
    for (int i = 0; i + 1 < n; i++) {
        X509 *cert = sk_X509_value(c->chain, i);
        if (names_status(cert))
            IDV_TRY(check(c, cert, sk_X509_value(c->chain, i + 1)));
    }
    X509 *last = sk_X509_value(c->chain, n - 1);
    if (X509_check_issued(last, last) != X509_V_OK && names_status(last))
        return unknown(c, last, "revocation-issuer");
    return IDV_OK;
}
