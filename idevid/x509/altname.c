/* SPDX-License-Identifier: Apache-2.0 */
/* subjectAltName: DNS names, addresses, the hardware module. */
#include <string.h>

#include <openssl/asn1t.h>
#include <openssl/err.h>

#include <idevid/text.h>

#include "x509/altname.h"

#define MAX_DNS 253

static bool is_dns_name(const char *name)
{
    char before = '.';
    if (strncmp(name, "*.", 2) == 0)
        name += 2;
    if (strlen(name) > MAX_DNS)
        return false;
    for (; *name; before = *name++) {
        char c = *name;
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9');
        if (!alnum && c != '-' && c != '_' && !(c == '.' && before != '.'))
            return false;
    }
    return before != '.';
}

static idv_rc push(GENERAL_NAMES *names, int type, void *value)
{
    GENERAL_NAME *name = value ? GENERAL_NAME_new() : NULL;
    if (name)
        GENERAL_NAME_set0_value(name, type, value);
    if (name && sk_GENERAL_NAME_push(names, name) > 0)
        return IDV_OK;
    GENERAL_NAME_free(name);
    return idv_fail(IDV_E_NOMEM, "out of memory");
}

static idv_rc add_name(GENERAL_NAMES *names, const char *text)
{
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(text);
    ERR_clear_error();
    if (ip)
        return push(names, GEN_IPADD, ip);
    if (!is_dns_name(text))
        return idv_fail(IDV_E_ARG,
                        "names: '%.80s' is neither a DNS name nor an address",
                        text);
    ASN1_IA5STRING *dns = ASN1_IA5STRING_new();
    if (!dns || ASN1_STRING_set(dns, text, -1) != 1) {
        ASN1_IA5STRING_free(dns);
        return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    return push(names, GEN_DNS, dns);
}

static idv_rc make_module(const struct idv_cert_spec *spec,
                          IDVI_HW_MODULE **out)
{
    IDV_AUTO_PTR(IDVI_HW_MODULE) m = IDVI_HW_MODULE_new();
    if (!m)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    ASN1_OBJECT_free(m->type);
    m->type = OBJ_txt2obj(spec->hw_type, 1);
    ERR_clear_error();
    if (!m->type || strlen(spec->hw_type) >= 64)
        return idv_fail(IDV_E_ARG, "hardware type: not a dotted OID");
    if (spec->hw_serial.n == 0 || spec->hw_serial.n > IDV_MAX_HW_SERIAL)
        return idv_fail(IDV_E_ARG, "hardware serial: not 1 to %d bytes",
                        IDV_MAX_HW_SERIAL);
    if (ASN1_OCTET_STRING_set(m->serial, spec->hw_serial.p,
                              (int)spec->hw_serial.n) != 1)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    *out = idv_steal(&m);
    return IDV_OK;
}

/* otherName { type, [0] SEQUENCE }, a GeneralName of its own */
static idv_rc add_other(GENERAL_NAMES *names, const char *type,
                        const ASN1_ITEM *item, void *sequence)
{
    IDV_AUTO_PTR(GENERAL_NAME) name = GENERAL_NAME_new();
    IDV_AUTO_PTR(ASN1_OBJECT) oid = OBJ_txt2obj(type, 1);
    ASN1_TYPE *value = NULL;
    if (name && oid)
        value = ASN1_TYPE_pack_sequence(item, sequence, NULL);
    if (!value || GENERAL_NAME_set0_othername(name, oid, value) != 1) {
        ASN1_TYPE_free(value);
        return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    oid = NULL; /* name has both now */
    if (sk_GENERAL_NAME_push(names, name) <= 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    name = NULL;
    return IDV_OK;
}

static idv_rc add_module(GENERAL_NAMES *names, const struct idv_cert_spec *spec)
{
    IDV_AUTO_PTR(IDVI_HW_MODULE) module = NULL;
    IDV_TRY(make_module(spec, &module));
    return add_other(names, IDV_OID_HW_MODULE_NAME,
                     ASN1_ITEM_rptr(IDVI_HW_MODULE), module);
}

static idv_rc add_permanent(GENERAL_NAMES *names, const char *text)
{
    IDV_AUTO_PTR(IDVI_PERMANENT_ID) id = IDVI_PERMANENT_ID_new();
    if (!*text || !idv_text_printable(idv_str(text)))
        return idv_fail(IDV_E_ARG, "permanent identifier: no text");
    if (!id || ASN1_STRING_set(id->value, text, -1) != 1)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    ASN1_OBJECT_free(id->assigner);
    id->assigner = OBJ_txt2obj(IDV_OID_EK_SHA256, 1);
    if (!id->assigner)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return add_other(names, IDV_OID_PERMANENT_ID,
                     ASN1_ITEM_rptr(IDVI_PERMANENT_ID), id);
}

idv_rc idvi_alt_names(const struct idv_cert_spec *spec, GENERAL_NAMES **out)
{
    IDV_AUTO_PTR(GENERAL_NAMES) names = GENERAL_NAMES_new();
    if (!names)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (size_t i = 0; spec->names && spec->names[i]; i++)
        IDV_TRY(add_name(names, spec->names[i]));
    if (spec->hw_type && spec->kind == IDV_CERT_IDEVID)
        IDV_TRY(add_module(names, spec));
    if (spec->permanent_id &&
        (spec->kind == IDV_CERT_IDEVID || spec->kind == IDV_CERT_IAK))
        IDV_TRY(add_permanent(names, spec->permanent_id));
    *out = idv_steal(&names);
    return IDV_OK;
}

ASN1_SEQUENCE(IDVI_PERMANENT_ID) =
    {
        ASN1_SIMPLE(IDVI_PERMANENT_ID, value, ASN1_UTF8STRING),
        ASN1_SIMPLE(IDVI_PERMANENT_ID, assigner, ASN1_OBJECT),
} ASN1_SEQUENCE_END(IDVI_PERMANENT_ID)

        IMPLEMENT_ASN1_FUNCTIONS(IDVI_PERMANENT_ID)
