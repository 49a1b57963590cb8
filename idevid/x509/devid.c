/* SPDX-License-Identifier: Apache-2.0 */
/* What an IDevID says: serial number, hardware module, MASA URL. */
#include <string.h>

#include <openssl/asn1t.h>
#include <openssl/err.h>

#include <idevid/text.h>

#include "x509/x509.h"

ASN1_SEQUENCE(IDVI_HW_MODULE) =
    {
        ASN1_SIMPLE(IDVI_HW_MODULE, type, ASN1_OBJECT),
        ASN1_SIMPLE(IDVI_HW_MODULE, serial, ASN1_OCTET_STRING),
} ASN1_SEQUENCE_END(IDVI_HW_MODULE)

        IMPLEMENT_ASN1_FUNCTIONS(IDVI_HW_MODULE)

            static idv_rc
    copy_serial(const ASN1_STRING *value, struct idv_devid *out)
{
    unsigned char *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, value);
    struct idv_bytes text = idv_bytes(utf8, n > 0 ? (size_t)n : 0);
    const char *why = NULL;
    ERR_clear_error();
    if (n <= 0)
        why = "is empty or no text";
    else if (text.n > IDV_MAX_SERIAL)
        why = "is longer than 64 bytes";
    else if (!idv_text_printable(text))
        why = "has control characters or is not UTF-8";
    if (!why)
        memcpy(out->serial_number, text.p, text.n);
    OPENSSL_free(utf8);
    if (why)
        return idv_fail(IDV_E_REJECT, "IDevID: its serialNumber %s", why);
    return IDV_OK;
}

static idv_rc read_serial(const X509 *cert, struct idv_devid *out)
{
    const X509_NAME *name = X509_get_subject_name(cert);
    int i = X509_NAME_get_index_by_NID(name, NID_serialNumber, -1);
    if (i < 0)
        return idv_fail(IDV_E_REJECT, "IDevID: no serialNumber in '%s'",
                        idv_cert_subject(cert));
    if (X509_NAME_get_index_by_NID(name, NID_serialNumber, i) >= 0)
        return idv_fail(IDV_E_REJECT, "IDevID: more than one serialNumber");
    return copy_serial(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)),
                       out);
}

static idv_rc parse_masa_url(const ASN1_OCTET_STRING *value,
                             struct idv_devid *out)
{
    const uint8_t *p = ASN1_STRING_get0_data(value);
    const uint8_t *end = p + ASN1_STRING_length(value);
    IDV_AUTO_PTR(ASN1_IA5STRING)
    text = d2i_ASN1_IA5STRING(NULL, &p, (long)(end - p));
    ERR_clear_error();
    if (!text || p != end)
        return idv_fail(IDV_E_FORMAT, "not one IA5String");
    struct idv_bytes url = idv_bytes(ASN1_STRING_get0_data(text),
                                     (size_t)ASN1_STRING_length(text));
    if (idv_url_from_text(url, &out->masa_url) != IDV_OK)
        return IDV_E_FORMAT;
    out->has_masa_url = true;
    return IDV_OK;
}

static idv_rc read_masa_url(const X509 *cert, struct idv_devid *out)
{
    IDV_AUTO_PTR(ASN1_OBJECT) oid = OBJ_txt2obj(IDV_OID_MASA_URL, 1);
    if (!oid)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    int i = X509_get_ext_by_OBJ(cert, oid, -1);
    if (i < 0)
        return IDV_OK;
    if (X509_get_ext_by_OBJ(cert, oid, i) >= 0)
        return idv_fail(IDV_E_FORMAT, "IDevID: more than one MASA URL");
    X509_EXTENSION *ext = X509_get_ext(cert, i);
    idv_rc rc = parse_masa_url(X509_EXTENSION_get_data(ext), out);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "IDevID: MASA URL");
}

static idv_rc malformed(void)
{
    ERR_clear_error();
    return idv_fail(IDV_E_FORMAT, "IDevID: malformed hardwareModuleName");
}

static idv_rc copy_module(const IDVI_HW_MODULE *m, struct idv_devid *out)
{
    size_t n = (size_t)ASN1_STRING_length(m->serial);
    int oid = OBJ_obj2txt(out->hw_type, sizeof(out->hw_type), m->type, 1);
    if (oid <= 0 || (size_t)oid >= sizeof(out->hw_type) ||
        n > sizeof(out->hw_serial))
        return malformed();
    if (n)
        memcpy(out->hw_serial, ASN1_STRING_get0_data(m->serial), n);
    out->hw_serial_n = n;
    return IDV_OK;
}

static idv_rc parse_module(const ASN1_TYPE *value, struct idv_devid *out)
{
    if (out->hw_type[0] || !value || value->type != V_ASN1_SEQUENCE)
        return malformed();
    const uint8_t *p = ASN1_STRING_get0_data(value->value.sequence);
    const uint8_t *end = p + ASN1_STRING_length(value->value.sequence);
    IDV_AUTO_PTR(IDVI_HW_MODULE)
    m = d2i_IDVI_HW_MODULE(NULL, &p, (long)(end - p));
    if (!m || p != end)
        return malformed();
    return copy_module(m, out);
}

static bool is_module(const GENERAL_NAME *name)
{
    char oid[64];
    if (name->type != GEN_OTHERNAME)
        return false;
    int n = OBJ_obj2txt(oid, sizeof(oid), name->d.otherName->type_id, 1);
    return n > 0 && strcmp(oid, IDV_OID_HW_MODULE_NAME) == 0;
}

static idv_rc read_module(const X509 *cert, struct idv_devid *out)
{
    int found;
    IDV_AUTO_PTR(GENERAL_NAMES)
    names = X509_get_ext_d2i(cert, NID_subject_alt_name, &found, NULL);
    ERR_clear_error();
    if (!names && found != -1)
        return idv_fail(IDV_E_FORMAT, "IDevID: malformed subjectAltName");
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (is_module(name))
            IDV_TRY(parse_module(name->d.otherName->value, out));
    }
    return IDV_OK;
}

idv_rc idv_devid_from_cert(const X509 *cert, struct idv_devid *out)
{
    struct idv_devid id = {0};
    IDV_TRY(read_serial(cert, &id));
    IDV_TRY(read_masa_url(cert, &id));
    IDV_TRY(read_module(cert, &id));
    *out = id;
    return IDV_OK;
}

idv_rc idv_devid_without_serial(const X509 *cert, struct idv_devid *out)
{
    struct idv_devid id = {0};
    IDV_TRY(read_masa_url(cert, &id));
    IDV_TRY(read_module(cert, &id));
    *out = id;
    return IDV_OK;
}
