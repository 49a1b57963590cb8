/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a certificate that somebody else made is what was asked for. */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/err.h>

#include "x509/altname.h"

#define SERIAL_BITS_MIN 64 /* unguessable, and RFC 5280's 20 octets at most */
#define SERIAL_BITS_MAX 160

IDV_AUTO_PTR_DEFINE(BIGNUM, BN_free)

static idv_rc differs(const char *what)
{
    ERR_clear_error();
    return idv_fail(IDV_E_REJECT, "certificate: %s", what);
}

static idv_rc match_key(const X509 *cert, const EVP_PKEY *key)
{
    IDV_AUTO(buf) asked = {0};
    IDV_AUTO(buf) got = {0};
    IDV_TRY(idvi_spki(key, &asked));
    IDV_TRY(IDVI_PUT_DER(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(cert), &got));
    return idv_bytes_eq(idv_view(&asked), idv_view(&got))
               ? IDV_OK
               : differs("is for another key");
}

static idv_rc match_number(const X509 *cert)
{
    IDV_AUTO_PTR(BIGNUM)
    bn = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    int bits = bn ? BN_num_bits(bn) : 0;
    if (bn && !BN_is_negative(bn) && bits >= SERIAL_BITS_MIN &&
        bits <= SERIAL_BITS_MAX)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT,
                    "certificate: its number has %d bits, not %d to %d", bits,
                    SERIAL_BITS_MIN, SERIAL_BITS_MAX);
}

static idv_rc match_subject(const X509 *cert, const struct idv_cert_spec *spec)
{
    struct idv_devid id;
    idv_rc rc = idv_devid_from_cert(cert, &id);
    if (rc != IDV_OK)
        return rc;
    if (strcmp(id.serial_number, spec->serial_number) != 0)
        return idv_fail(IDV_E_REJECT,
                        "certificate: its serialNumber is '%s', not '%s'",
                        id.serial_number, spec->serial_number);
    return IDV_OK;
}

/* by DER: libcrypto finds a packed sequence and a parsed one unlike */
static bool same_name(const GENERAL_NAME *a, const GENERAL_NAME *b)
{
    IDV_AUTO(buf) x = {0};
    IDV_AUTO(buf) y = {0};
    return IDVI_PUT_DER(i2d_GENERAL_NAME, a, &x) == IDV_OK &&
           IDVI_PUT_DER(i2d_GENERAL_NAME, b, &y) == IDV_OK &&
           idv_bytes_eq(idv_view(&x), idv_view(&y));
}

static bool is_in(const GENERAL_NAMES *names, const GENERAL_NAME *name)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (same_name(sk_GENERAL_NAME_value(names, i), name))
            return true;
    }
    return false;
}

static const char *name_of(const GENERAL_NAME *n)
{
    static const struct {
        const char *oid, *name;
    } rows[] = {{"1.3.6.1.5.5.7.8.4", "hardwareModuleName"},
                {"1.3.6.1.5.5.7.8.3", "permanentIdentifier"}};
    char oid[64] = "";
    if (n->type == GEN_OTHERNAME)
        OBJ_obj2txt(oid, sizeof(oid), n->d.otherName->type_id, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (strcmp(oid, rows[i].oid) == 0)
            return rows[i].name;
    }
    return "name";
}

static idv_rc lacks_name(const GENERAL_NAME *asked, const GENERAL_NAMES *got)
{
    const char *name = name_of(asked);
    bool other = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(got); i++)
        other |= strcmp(name_of(sk_GENERAL_NAME_value(got, i)), name) == 0;
    ERR_clear_error();
    return idv_fail(IDV_E_REJECT,
                    "certificate: %s the subjectAltName %s that was asked for",
                    other ? "has another than" : "lacks", name);
}

/* the same names, in any order */
static idv_rc match_alt_names(const X509 *cert,
                              const struct idv_cert_spec *spec)
{
    IDV_AUTO_PTR(GENERAL_NAMES) asked = NULL;
    IDV_TRY(idvi_alt_names(spec, &asked));
    IDV_AUTO_PTR(GENERAL_NAMES)
    got = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    ERR_clear_error();
    for (int i = 0; i < sk_GENERAL_NAME_num(asked); i++) {
        if (!is_in(got, sk_GENERAL_NAME_value(asked, i)))
            return lacks_name(sk_GENERAL_NAME_value(asked, i), got);
    }
    for (int i = 0; i < sk_GENERAL_NAME_num(got); i++) {
        if (!is_in(asked, sk_GENERAL_NAME_value(got, i)))
            return differs("has a subjectAltName that was not asked for");
    }
    return IDV_OK;
}

static bool same_extension(const X509 *cert, const X509 *other,
                           const ASN1_OBJECT *oid)
{
    int i = X509_get_ext_by_OBJ(cert, oid, -1);
    int k = X509_get_ext_by_OBJ(other, oid, -1);
    if (i < 0 || k < 0)
        return i < 0 && k < 0;
    return ASN1_OCTET_STRING_cmp(
               X509_EXTENSION_get_data(X509_get_ext(cert, i)),
               X509_EXTENSION_get_data(X509_get_ext(other, k))) == 0;
}

static idv_rc other_extension(const X509 *cert, const X509 *asked,
                              const ASN1_OBJECT *oid, const char *name)
{
    ERR_clear_error();
    if (!oid || X509_get_ext_by_OBJ(cert, oid, -1) < 0)
        return idv_fail(IDV_E_REJECT,
                        "certificate: lacks the %s that was asked for", name);
    if (X509_get_ext_by_OBJ(asked, oid, -1) < 0)
        return idv_fail(IDV_E_REJECT, "certificate: its %s was not asked for",
                        name);
    return idv_fail(IDV_E_REJECT,
                    "certificate: its %s is another than was asked for", name);
}

/* what the kind has, put into a certificate that nobody signs */
static idv_rc match_extensions(const X509 *cert,
                               const struct idv_cert_spec *spec)
{
    static const struct {
        const char *oid, *name;
    } rows[] = {
        {IDV_OID_MASA_URL, "MASA URL"},
        {"2.5.29.32", "certificatePolicies"},
        {"2.5.29.37", "extendedKeyUsage"},
    };
    IDV_AUTO_PTR(X509) asked = X509_new();
    if (!asked)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idvi_pubkey_copy(X509_get_X509_PUBKEY(cert),
                             X509_get_X509_PUBKEY(asked)));
    IDV_TRY(idvi_extensions(spec, X509_get_subject_name(cert), NULL, asked));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        IDV_AUTO_PTR(ASN1_OBJECT) oid = OBJ_txt2obj(rows[i].oid, 1);
        if (!oid || !same_extension(cert, asked, oid))
            return other_extension(cert, asked, oid, rows[i].name);
    }
    return IDV_OK;
}

static idv_rc match_usage(const X509 *cert)
{
    X509 *c = (X509 *)(uintptr_t)cert; /* libcrypto keeps what it finds */
    const uint32_t flags = X509_get_extension_flags(c);
    const uint32_t usage = X509_get_key_usage(c);
    if (flags & EXFLAG_CA ||
        (flags & EXFLAG_KUSAGE && usage & KU_KEY_CERT_SIGN))
        return differs("is a CA's");
    if (!(usage & KU_DIGITAL_SIGNATURE))
        return differs("its key may not sign");
    return IDV_OK;
}

static idv_rc match_times(const X509 *cert, const struct idv_cert_spec *spec,
                          int64_t now)
{
    int64_t from, to;
    char text[IDV_TIME_TEXT] = "";
    IDV_TRY(idv_cert_times(cert, &from, &to));
    if (from > now)
        return differs("is not valid yet");
    if (to == (spec->not_after ? spec->not_after : IDV_NO_EXPIRY))
        return IDV_OK;
    IDV_TRY(idv_time_to_text(to, text));
    return idv_fail(IDV_E_REJECT,
                    "certificate: ends at %s, which was not asked for", text);
}

idv_rc idv_cert_matches(const X509 *cert, const struct idv_cert_spec *spec,
                        const EVP_PKEY *key, int64_t now)
{
    IDV_TRY(match_key(cert, key));
    IDV_TRY(match_number(cert));
    IDV_TRY(match_subject(cert, spec));
    IDV_TRY(match_alt_names(cert, spec));
    IDV_TRY(match_usage(cert));
    IDV_TRY(match_extensions(cert, spec));
    return match_times(cert, spec, now);
}
