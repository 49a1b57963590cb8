/* SPDX-License-Identifier: Apache-2.0 */
/* The terms of a certificate: its policies, where its issuer's list of revoked
 * ones and its issuer's own certificate are. */
#include <string.h>

#include <openssl/err.h>

#include <idevid/text.h>

#include "x509/x509.h"

IDV_AUTO_PTR_DEFINE(CERTIFICATEPOLICIES, CERTIFICATEPOLICIES_free)
IDV_AUTO_PTR_DEFINE(CRL_DIST_POINTS, CRL_DIST_POINTS_free)
IDV_AUTO_PTR_DEFINE(AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free)

static idv_rc no_memory(void)
{
    return idv_fail(IDV_E_NOMEM, "out of memory");
}

static idv_rc add_policy(CERTIFICATEPOLICIES *all, const char *text)
{
    POLICYINFO *one = POLICYINFO_new();
    if (!one || sk_POLICYINFO_push(all, one) <= 0) {
        POLICYINFO_free(one);
        return no_memory();
    }
    ASN1_OBJECT_free(one->policyid);
    one->policyid = OBJ_txt2obj(text, 1);
    ERR_clear_error();
    if (!one->policyid)
        return idv_fail(IDV_E_ARG, "policy '%.60s': not a dotted OID", text);
    return IDV_OK;
}

static idv_rc add_policies(const struct idv_cert_spec *spec, X509 *cert)
{
    IDV_AUTO_PTR(CERTIFICATEPOLICIES) all = CERTIFICATEPOLICIES_new();
    if (!all)
        return no_memory();
    for (size_t i = 0; spec->policies && spec->policies[i]; i++)
        IDV_TRY(add_policy(all, spec->policies[i]));
    if (sk_POLICYINFO_num(all) == 0)
        return IDV_OK;
    return idvi_add_extension(cert, spec, NID_certificate_policies, all, false);
}

/* lists and certificates are signed themselves: http is what is usual */
static idv_rc make_uri(const char *what, const char *text, GENERAL_NAME **out)
{
    IDV_AUTO_PTR(GENERAL_NAME) name = GENERAL_NAME_new();
    IDV_AUTO_PTR(ASN1_IA5STRING) uri = ASN1_IA5STRING_new();
    bool http =
        strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
    for (const char *p = text; *p; p++)
        http = http && *p > ' ' && *p < 0x7f;
    if (!http || strlen(text) > IDV_MAX_URL)
        return idv_fail(IDV_E_ARG, "%s: not an http or https URL", what);
    if (!name || !uri || ASN1_STRING_set(uri, text, -1) != 1)
        return no_memory();
    GENERAL_NAME_set0_value(name, GEN_URI, idv_steal(&uri));
    *out = idv_steal(&name);
    return IDV_OK;
}

static idv_rc add_crl(const struct idv_cert_spec *spec, X509 *cert)
{
    IDV_AUTO_PTR(CRL_DIST_POINTS) all = CRL_DIST_POINTS_new();
    IDV_AUTO_PTR(GENERAL_NAME) uri = NULL;
    if (!spec->crl_url)
        return IDV_OK;
    IDV_TRY(make_uri("CRL URL", spec->crl_url, &uri));
    DIST_POINT *point = all ? DIST_POINT_new() : NULL;
    if (!point || sk_DIST_POINT_push(all, point) <= 0) {
        DIST_POINT_free(point);
        return no_memory();
    }
    point->distpoint = DIST_POINT_NAME_new();
    if (!point->distpoint)
        return no_memory();
    point->distpoint->type = 0; /* fullName */
    point->distpoint->name.fullname = GENERAL_NAMES_new();
    if (!point->distpoint->name.fullname ||
        sk_GENERAL_NAME_push(point->distpoint->name.fullname, uri) <= 0)
        return no_memory();
    uri = NULL;
    return idvi_add_extension(cert, spec, NID_crl_distribution_points, all,
                              false);
}

static idv_rc add_aia(const struct idv_cert_spec *spec, X509 *cert)
{
    IDV_AUTO_PTR(AUTHORITY_INFO_ACCESS) all = AUTHORITY_INFO_ACCESS_new();
    IDV_AUTO_PTR(GENERAL_NAME) uri = NULL;
    if (!spec->aia_url)
        return IDV_OK;
    IDV_TRY(make_uri("AIA URL", spec->aia_url, &uri));
    ACCESS_DESCRIPTION *one = all ? ACCESS_DESCRIPTION_new() : NULL;
    if (!one || sk_ACCESS_DESCRIPTION_push(all, one) <= 0) {
        ACCESS_DESCRIPTION_free(one);
        return no_memory();
    }
    ASN1_OBJECT_free(one->method);
    one->method = OBJ_nid2obj(NID_ad_ca_issuers);
    GENERAL_NAME_free(one->location);
    one->location = idv_steal(&uri);
    return idvi_add_extension(cert, spec, NID_info_access, all, false);
}

idv_rc idvi_add_terms(const struct idv_cert_spec *spec, X509 *cert)
{
    IDV_TRY(add_policies(spec, cert));
    IDV_TRY(add_crl(spec, cert));
    return add_aia(spec, cert);
}
