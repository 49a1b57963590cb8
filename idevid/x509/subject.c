/* SPDX-License-Identifier: Apache-2.0 */
/* Names in certificates: the subject, and the alternatives. */
#include <string.h>

#include <openssl/err.h>

#include <idevid/text.h>

#include "x509/x509.h"

#define MAX_NAME_PART 64 /* X.520's upper bound of CN, O and serialNumber */

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

int idvi_string_type(const char *text)
{
    for (; *text; text++) {
        if (!is_alnum(*text) && !strchr(" '()+,-./:=?", *text))
            return V_ASN1_UTF8STRING;
    }
    return V_ASN1_PRINTABLESTRING;
}

static idv_rc add_part(X509_NAME *name, int nid, const char *what,
                       const char *text)
{
    if (!text)
        return IDV_OK;
    size_t n = strlen(text);
    if (n == 0 || n > MAX_NAME_PART || !idv_text_printable(idv_str(text)))
        return idv_fail(IDV_E_ARG, "%s: not 1 to %d bytes of text", what,
                        MAX_NAME_PART);
    if (X509_NAME_add_entry_by_NID(name, nid, idvi_string_type(text),
                                   (const unsigned char *)text, (int)n, -1,
                                   0) != 1)
        return idv_fail(IDV_E_CRYPTO, "%s: not taken", what);
    return IDV_OK;
}

static idv_rc add_country(X509_NAME *name, const char *code)
{
    if (code && (strlen(code) != 2 || !is_alnum(code[0]) || !is_alnum(code[1])))
        return idv_fail(IDV_E_ARG, "country: not two letters");
    return add_part(name, NID_countryName, "country", code);
}

static idv_rc put_words(X509_NAME *name, const struct idv_cert_spec *spec)
{
    IDV_TRY(add_country(name, spec->country));
    IDV_TRY(add_part(name, NID_organizationName, "organization",
                     spec->organization));
    IDV_TRY(add_part(name, NID_organizationalUnitName, "organizational unit",
                     spec->organizational_unit));
    IDV_TRY(add_part(name, NID_commonName, "common name", spec->common_name));
    return add_part(name, NID_serialNumber, "serial number",
                    spec->serial_number);
}

idv_rc idvi_check_subject(const struct idv_cert_spec *spec,
                          const X509_NAME *name)
{
    if ((spec->kind == IDV_CERT_IDEVID || spec->kind == IDV_CERT_IAK) &&
        X509_NAME_get_index_by_NID(name, NID_serialNumber, -1) < 0)
        return idv_fail(IDV_E_ARG, "serial number: an %s must have one",
                        spec->kind == IDV_CERT_IAK ? "IAK" : "IDevID");
    return IDV_OK;
}

idv_rc idvi_subject(const struct idv_cert_spec *spec, X509_NAME **out)
{
    IDV_AUTO_PTR(X509_NAME)
    name = spec->subject ? X509_NAME_dup(spec->subject) : X509_NAME_new();
    if (!name)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (!spec->subject)
        IDV_TRY(put_words(name, spec));
    IDV_TRY(idvi_check_subject(spec, name));
    *out = idv_steal(&name);
    return IDV_OK;
}
