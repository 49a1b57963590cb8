/* SPDX-License-Identifier: Apache-2.0 */
/* A CRL made and signed. */
#include <openssl/x509v3.h>

#include <idevid/auto.h>

#include "idevid/est/crl_int.h"

/* ended so long ago, a revoked certificate is on no list any more: it was on
 * one after its end (RFC 5280 section 3.3) */
#define KEPT_S ((int64_t)30 * 24 * 3600)

IDV_AUTO_PTR_DEFINE(X509_CRL, X509_CRL_free)
IDV_AUTO_PTR_DEFINE(X509_REVOKED, X509_REVOKED_free)
IDV_AUTO_PTR_DEFINE(ASN1_TIME, ASN1_TIME_free)
IDV_AUTO_PTR_DEFINE(ASN1_INTEGER, ASN1_INTEGER_free)
IDV_AUTO_PTR_DEFINE(ASN1_ENUMERATED, ASN1_ENUMERATED_free)

struct filling {
    X509 *ca;
    X509_CRL *crl;
    idv_rc rc;
};

static idv_rc no_memory(void)
{
    return idv_fail(IDV_E_NOMEM, "out of memory");
}

static idv_rc put_reason(X509_REVOKED *row, int reason)
{
    IDV_AUTO_PTR(ASN1_ENUMERATED) code = ASN1_ENUMERATED_new();
    if (reason == 0)
        return IDV_OK; /* unspecified SHOULD be left out */
    if (!code || ASN1_ENUMERATED_set(code, reason) != 1 ||
        X509_REVOKED_add1_ext_i2d(row, NID_crl_reason, code, 0, 0) != 1)
        return no_memory();
    return IDV_OK;
}

static idv_rc add_row(struct filling *f, X509 *cert, const struct idv_issued *i)
{
    IDV_AUTO_PTR(X509_REVOKED) row = X509_REVOKED_new();
    IDV_AUTO_PTR(ASN1_TIME) when = ASN1_TIME_set(NULL, (time_t)i->revoked);
    if (!row || !when ||
        X509_REVOKED_set_serialNumber(row, X509_get_serialNumber(cert)) != 1 ||
        X509_REVOKED_set_revocationDate(row, when) != 1)
        return no_memory();
    IDV_TRY(put_reason(row, i->reason));
    if (X509_CRL_add0_revoked(f->crl, row) != 1)
        return no_memory();
    row = NULL;
    return IDV_OK;
}

static bool is_ours(const struct filling *f, X509 *cert)
{
    return X509_NAME_cmp(X509_get_issuer_name(cert),
                         X509_get_subject_name(f->ca)) == 0 &&
           X509_check_issued(f->ca, cert) == X509_V_OK;
}

static bool each_revoked(void *arg, const struct idv_issued *i)
{
    struct filling *f = arg;
    IDV_AUTO_PTR(X509) cert = NULL;
    f->rc = idv_cert_from_der(idv_view(&i->cert), &cert);
    if (f->rc == IDV_OK && is_ours(f, cert))
        f->rc = add_row(f, cert, i);
    return f->rc == IDV_OK;
}

static idv_rc set_times(X509_CRL *crl, const struct idv_crl *c)
{
    IDV_AUTO_PTR(ASN1_TIME) from = ASN1_TIME_set(NULL, (time_t)c->made);
    IDV_AUTO_PTR(ASN1_TIME) to = ASN1_TIME_set(NULL, (time_t)c->next_update);
    if (!from || !to || X509_CRL_set1_lastUpdate(crl, from) != 1 ||
        X509_CRL_set1_nextUpdate(crl, to) != 1)
        return no_memory();
    return IDV_OK;
}

static idv_rc set_extensions(X509_CRL *crl, X509 *ca, int64_t number)
{
    IDV_AUTO_PTR(ASN1_INTEGER) n = ASN1_INTEGER_new();
    IDV_AUTO_PTR(X509_EXTENSION) aki = NULL;
    X509V3_CTX ctx;
    if (!n || ASN1_INTEGER_set_int64(n, number) != 1 ||
        X509_CRL_add1_ext_i2d(crl, NID_crl_number, n, 0, 0) != 1)
        return no_memory();
    X509V3_set_ctx(&ctx, ca, NULL, NULL, crl, 0);
    aki = X509V3_EXT_nconf_nid(NULL, &ctx, NID_authority_key_identifier,
                               "keyid:always");
    if (!aki || X509_CRL_add_ext(crl, aki, -1) != 1)
        return idv_fail(IDV_E_CRYPTO, "CRL: the CA has no key identifier");
    return IDV_OK;
}

static idv_rc fill(const struct idv_crl_maker *m, const struct idv_crl *c,
                   X509_CRL *crl)
{
    struct filling f = {m->cert, crl, IDV_OK};
    if (X509_CRL_set_version(crl, X509_CRL_VERSION_2) != 1 ||
        X509_CRL_set_issuer_name(crl, X509_get_subject_name(m->cert)) != 1)
        return no_memory();
    IDV_TRY(set_times(crl, c));
    IDV_TRY(
        m->store.revoked(m->store.self, c->made - KEPT_S, each_revoked, &f));
    IDV_TRY(f.rc);
    X509_CRL_sort(crl);
    return set_extensions(crl, m->cert, c->number);
}

idv_rc idvi_crl_sign(const struct idv_crl_maker *m, struct idv_crl *c)
{
    IDV_AUTO_PTR(X509_CRL) crl = X509_CRL_new();
    uint8_t *to = NULL;
    if (!crl)
        return no_memory();
    IDV_TRY(fill(m, c, crl));
    if (X509_CRL_sign(crl, m->key, idv_digest_for(m->key)) <= 0)
        return idv_fail(IDV_E_DEVICE, "CRL: the CA's key would not sign");
    int n = i2d_X509_CRL(crl, NULL);
    if (n <= 0)
        return idv_fail(IDV_E_CRYPTO, "CRL");
    IDV_TRY(idv_buf_room(&c->der, (size_t)n, &to));
    c->der.n += (size_t)i2d_X509_CRL(crl, &to);
    return IDV_OK;
}
