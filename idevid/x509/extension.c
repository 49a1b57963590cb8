/* SPDX-License-Identifier: Apache-2.0 */
/* The extensions that each kind of certificate carries. */
#include <string.h>

#include <openssl/err.h>

#include "x509/altname.h"

/* key usage bits, RFC 5280 4.2.1.3 */
#define DIGITAL_SIGNATURE 0
#define KEY_CERT_SIGN 5
#define CRL_SIGN 6

struct profile {
    bool ca;
    long path_length;   /* -1 unlimited */
    int usage[3];       /* bits, -1 ends */
    const char *eku[4]; /* NULL ends */
    bool key_id;        /* has a subjectKeyIdentifier */
};

static const struct profile profiles[] = {
    [IDV_CERT_ROOT] = {true, -1, {KEY_CERT_SIGN, CRL_SIGN, -1}, {0}, true},
    [IDV_CERT_CA] = {true, 0, {KEY_CERT_SIGN, CRL_SIGN, -1}, {0}, true},
    [IDV_CERT_IDEVID] = {false, -1, {-1}, {0}, false},
    [IDV_CERT_REGISTRAR] = {false,
                            -1,
                            {DIGITAL_SIGNATURE, -1},
                            {IDV_OID_CMC_RA, IDV_OID_SERVER_AUTH,
                             IDV_OID_CLIENT_AUTH},
                            true},
    [IDV_CERT_SIGNER] = {false, -1, {DIGITAL_SIGNATURE, -1}, {0}, true},
    [IDV_CERT_SERVER] =
        {false, -1, {DIGITAL_SIGNATURE, -1}, {IDV_OID_SERVER_AUTH}, true},
    [IDV_CERT_LDEVID] =
        {false, -1, {DIGITAL_SIGNATURE, -1}, {IDV_OID_CLIENT_AUTH}, true},
    [IDV_CERT_IAK] = {false, -1, {DIGITAL_SIGNATURE, -1}, {IDV_OID_AIK}, true},
};

static bool is_in(const STACK_OF(X509_EXTENSION) * list, int nid)
{
    return X509v3_get_ext_by_NID(list, nid, -1) >= 0;
}

idv_rc idvi_add_extension(X509 *cert, const struct idv_cert_spec *spec, int nid,
                          void *value, bool critical)
{
    if (is_in(spec->extra, nid))
        return IDV_OK;
    if (X509_add1_ext_i2d(cert, nid, value, critical, X509V3_ADD_DEFAULT) != 1)
        return idv_fail(IDV_E_CRYPTO, "extension %s", OBJ_nid2sn(nid));
    return IDV_OK;
}

static idv_rc add_constraints(const struct idv_cert_spec *spec,
                              const struct profile *p, X509 *cert)
{
    IDV_AUTO_PTR(BASIC_CONSTRAINTS) bc = BASIC_CONSTRAINTS_new();
    if (!p->ca)
        return IDV_OK;
    if (!bc)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    bc->ca = 0xff;
    if (p->path_length >= 0) {
        bc->pathlen = ASN1_INTEGER_new();
        if (!bc->pathlen || ASN1_INTEGER_set(bc->pathlen, p->path_length) != 1)
            return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    return idvi_add_extension(cert, spec, NID_basic_constraints, bc, true);
}

static idv_rc add_usage(const struct idv_cert_spec *spec,
                        const struct profile *p, X509 *cert)
{
    IDV_AUTO_PTR(ASN1_BIT_STRING) bits = ASN1_BIT_STRING_new();
    const int *usage = p->usage;
    static const int signs[] = {DIGITAL_SIGNATURE, -1};
    if (spec->kind == IDV_CERT_IDEVID && spec->usage)
        usage = signs;
    if (usage[0] < 0)
        return IDV_OK;
    for (size_t i = 0; bits && usage[i] >= 0; i++) {
        if (ASN1_BIT_STRING_set_bit(bits, usage[i], 1) != 1)
            return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    if (!bits)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return idvi_add_extension(cert, spec, NID_key_usage, bits, true);
}

static idv_rc add_purpose(EXTENDED_KEY_USAGE *eku, const char *text)
{
    IDV_AUTO_PTR(ASN1_OBJECT) oid = OBJ_txt2obj(text, 1);
    ERR_clear_error();
    if (!oid)
        return idv_fail(IDV_E_ARG, "purpose '%.60s': not a dotted OID", text);
    if (sk_ASN1_OBJECT_push(eku, oid) <= 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    oid = NULL;
    return IDV_OK;
}

static idv_rc add_purposes(const struct idv_cert_spec *spec,
                           const struct profile *p, X509 *cert)
{
    IDV_AUTO_PTR(EXTENDED_KEY_USAGE) eku = EXTENDED_KEY_USAGE_new();
    if (!eku)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (size_t i = 0; p->eku[i]; i++)
        IDV_TRY(add_purpose(eku, p->eku[i]));
    for (size_t i = 0; spec->purposes && spec->purposes[i]; i++)
        IDV_TRY(add_purpose(eku, spec->purposes[i]));
    if (sk_ASN1_OBJECT_num(eku) == 0)
        return IDV_OK;
    return idvi_add_extension(cert, spec, NID_ext_key_usage, eku, false);
}

static idv_rc make_octets(struct idv_bytes value, ASN1_OCTET_STRING **out)
{
    IDV_AUTO_PTR(ASN1_OCTET_STRING) s = ASN1_OCTET_STRING_new();
    if (!s || ASN1_OCTET_STRING_set(s, value.p, (int)value.n) != 1)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    *out = idv_steal(&s);
    return IDV_OK;
}

static idv_rc add_key_ids(const struct idv_cert_spec *spec,
                          const struct profile *p, const X509 *issuer,
                          X509 *cert)
{
    IDV_AUTO(buf) id = {0};
    IDV_AUTO_PTR(ASN1_OCTET_STRING) ski = NULL;
    IDV_AUTO_PTR(AUTHORITY_KEYID) aki = AUTHORITY_KEYID_new();
    if (p->key_id) {
        IDV_TRY(idvi_key_id(cert, &id));
        IDV_TRY(make_octets(idv_view(&id), &ski));
        IDV_TRY(idvi_add_extension(cert, spec, NID_subject_key_identifier, ski,
                                   false));
    }
    if (!issuer)
        return IDV_OK;
    if (!aki)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_buf_clear(&id);
    IDV_TRY(idvi_key_id(issuer, &id));
    IDV_TRY(make_octets(idv_view(&id), &aki->keyid));
    return idvi_add_extension(cert, spec, NID_authority_key_identifier, aki,
                              false);
}

static idv_rc add_alt_names(const struct idv_cert_spec *spec,
                            const X509_NAME *subject, X509 *cert)
{
    IDV_AUTO_PTR(GENERAL_NAMES) names = NULL;
    IDV_TRY(idvi_alt_names(spec, &names));
    bool any = sk_GENERAL_NAME_num(names) > 0;
    if (spec->kind == IDV_CERT_SERVER && !any &&
        !is_in(spec->extra, NID_subject_alt_name))
        return idv_fail(IDV_E_ARG, "names: a server must have one");
    if (!any)
        return IDV_OK;
    bool nameless = X509_NAME_entry_count(subject) == 0;
    return idvi_add_extension(cert, spec, NID_subject_alt_name, names,
                              nameless);
}

/* IA5String as given; what it must be is for who reads it to say */
static idv_rc add_masa_url(const struct idv_cert_spec *spec, X509 *cert)
{
    IDV_AUTO_PTR(ASN1_IA5STRING) text = ASN1_IA5STRING_new();
    IDV_AUTO_PTR(ASN1_OBJECT) oid = OBJ_txt2obj(IDV_OID_MASA_URL, 1);
    IDV_AUTO_PTR(ASN1_OCTET_STRING) value = NULL;
    IDV_AUTO_PTR(X509_EXTENSION) ext = NULL;
    IDV_AUTO(buf) der = {0};
    struct idv_url url;
    if (!spec->masa_url || spec->kind != IDV_CERT_IDEVID)
        return IDV_OK;
    if (idv_url_from_text(idv_str(spec->masa_url), &url) != IDV_OK)
        return idv_fail_within(IDV_E_ARG, "MASA URL");
    if (!text || !oid || ASN1_STRING_set(text, spec->masa_url, -1) != 1)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(IDVI_PUT_DER(i2d_ASN1_IA5STRING, text, &der));
    IDV_TRY(make_octets(idv_view(&der), &value));
    ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    if (!ext || X509_add_ext(cert, ext, -1) != 1)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return IDV_OK;
}

static idv_rc add_extra(const struct idv_cert_spec *spec, X509 *cert)
{
    for (int i = 0; i < sk_X509_EXTENSION_num(spec->extra); i++) {
        X509_EXTENSION *ext = sk_X509_EXTENSION_value(spec->extra, i);
        if (X509_get_ext_by_OBJ(cert, X509_EXTENSION_get_object(ext), -1) >= 0)
            return idv_fail(IDV_E_ARG, "extensions: one is there twice");
        if (X509_add_ext(cert, ext, -1) != 1)
            return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    return IDV_OK;
}

idv_rc idvi_extensions(const struct idv_cert_spec *spec,
                       const X509_NAME *subject, const X509 *issuer, X509 *cert)
{
    if ((unsigned)spec->kind >= sizeof(profiles) / sizeof(*profiles))
        return idv_fail(IDV_E_ARG, "kind: no such kind of certificate");
    const struct profile *p = &profiles[spec->kind];
    IDV_TRY(add_constraints(spec, p, cert));
    IDV_TRY(add_usage(spec, p, cert));
    IDV_TRY(add_purposes(spec, p, cert));
    IDV_TRY(add_key_ids(spec, p, issuer, cert));
    IDV_TRY(add_alt_names(spec, subject, cert));
    IDV_TRY(add_masa_url(spec, cert));
    IDV_TRY(idvi_add_terms(spec, cert));
    return add_extra(spec, cert);
}
