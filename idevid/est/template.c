/* SPDX-License-Identifier: Apache-2.0 */
/* CertificationRequestInfoTemplate of csrattrs (RFC 9908). */
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

#include <idevid/auto.h>

#include "est/csrattrs.h"

/*
 * SEQUENCE { version INTEGER, subject SEQUENCE OPTIONAL,
 *   [0] SEQUENCE { algorithm AlgorithmIdentifier, BIT STRING OPTIONAL }
 *   OPTIONAL, [1] SET OF Attribute }
 * Values that are left for the client to fill are ours to choose, so only
 * what is given counts: the key's type, extensions with a value.
 */

/* id-aa-certificationRequestInfoTemplate, 1.2.840.113549.1.9.16.2.61 */
static const uint8_t template_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                       0x01, 0x09, 0x10, 0x02, 0x3d};

bool idvi_attrs_is_template(struct idv_bytes oid)
{
    return idv_bytes_eq(oid, idv_bytes(template_oid, sizeof(template_oid)));
}

/* id-aa-extensionReqTemplate, 1.2.840.113549.1.9.16.2.62 */
static bool is_ext_template(struct idv_bytes oid)
{
    static const uint8_t want[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                   0x01, 0x09, 0x10, 0x02, 0x3e};
    return idv_bytes_eq(oid, idv_bytes(want, sizeof(want)));
}

/* the placeholder's size says how long the key should be */
static void rsa_size(struct idv_bytes bits, struct idv_csrattrs *a)
{
    struct idv_bytes rsa;
    struct idvi_tlv modulus;
    if (bits.n < 1 ||
        idvi_tlv_only(idv_bytes(bits.p + 1, bits.n - 1), TLV_SEQUENCE, &rsa) !=
            IDV_OK ||
        idvi_tlv_next(&rsa, &modulus) != IDV_OK) {
        idv_note_clear();
        return;
    }
    const struct idv_bytes m = modulus.value;
    const size_t lead = m.n && m.p[0] == 0;
    idvi_attrs_rsa_bits((long)(m.n - lead) * 8, a);
}

static idv_rc take_key(struct idv_bytes spki, struct idv_csrattrs *a)
{
    struct idvi_tlv algorithm, oid, more;
    IDV_TRY(idvi_tlv_next(&spki, &algorithm));
    struct idv_bytes in = algorithm.value;
    IDV_TRY(idvi_tlv_next(&in, &oid));
    const int nid = oid.tag == TLV_OID ? idvi_tlv_nid(oid.value) : NID_undef;
    if (nid == NID_X9_62_id_ecPublicKey && in.n) {
        IDV_TRY(idvi_tlv_next(&in, &more));
        if (more.tag == TLV_OID)
            idvi_attrs_curve(more.value, a);
    }
    if (nid == NID_rsaEncryption && spki.n) {
        IDV_TRY(idvi_tlv_next(&spki, &more));
        if (more.tag == TLV_BIT_STRING)
            rsa_size(more.value, a);
    }
    return IDV_OK;
}

/* Extension templates that have their extnValue are whole extensions. */
static idv_rc whole_extensions(struct idv_bytes list, struct idv_buf *out)
{
    struct idvi_tlv ext, part = {0};
    while (list.n) {
        IDV_TRY(idvi_tlv_next(&list, &ext));
        struct idv_bytes in = ext.value;
        while (in.n)
            IDV_TRY(idvi_tlv_next(&in, &part));
        if (ext.tag == TLV_SEQUENCE && part.tag == 0x04)
            IDV_TRY(idv_buf_put(out, ext.whole));
        part.tag = 0;
    }
    return IDV_OK;
}

static idv_rc take_ext_template(const struct idvi_tlv *value,
                                struct idv_csrattrs *a)
{
    IDV_AUTO(buf) whole = {0};
    IDV_AUTO(buf) sequence = {0};
    if (value->tag != TLV_SEQUENCE)
        return idv_fail(IDV_E_FORMAT, "csrattrs: extension template");
    IDV_TRY(whole_extensions(value->value, &whole));
    IDV_TRY(idvi_tlv_put(&sequence, TLV_SEQUENCE, idv_view(&whole)));
    return idvi_attrs_extensions(idv_view(&sequence), a);
}

static idv_rc take_attribute(struct idv_bytes attribute, struct idv_csrattrs *a)
{
    struct idvi_tlv oid, value;
    struct idv_bytes set;
    IDV_TRY(idvi_tlv_next(&attribute, &oid));
    IDV_TRY(idvi_tlv_only(attribute, TLV_SET, &set));
    const int nid = idvi_tlv_nid(oid.value);
    if (nid == NID_pkcs9_challengePassword)
        a->challenge = true;
    if (!set.n)
        return IDV_OK;
    IDV_TRY(idvi_tlv_next(&set, &value));
    if (nid == NID_ext_req)
        return idvi_attrs_extensions(value.whole, a);
    return is_ext_template(oid.value) ? take_ext_template(&value, a) : IDV_OK;
}

static idv_rc take_attributes(struct idv_bytes list, struct idv_csrattrs *a)
{
    struct idvi_tlv attribute;
    while (list.n) {
        IDV_TRY(idvi_tlv_next(&list, &attribute));
        if (attribute.tag == TLV_SEQUENCE)
            IDV_TRY(take_attribute(attribute.value, a));
    }
    return IDV_OK;
}

static idv_rc read_template(struct idv_bytes der, struct idv_csrattrs *a)
{
    struct idv_bytes in;
    struct idvi_tlv part;
    IDV_TRY(idvi_tlv_only(der, TLV_SEQUENCE, &in));
    IDV_TRY(idvi_tlv_next(&in, &part));
    if (part.tag != TLV_INTEGER || part.value.n != 1 || part.value.p[0] != 0)
        return idv_fail(IDV_E_FORMAT, "csrattrs: template of another version");
    while (in.n) {
        IDV_TRY(idvi_tlv_next(&in, &part));
        if (part.tag == TLV_CONTEXT(0))
            IDV_TRY(take_key(part.value, a));
        else if (part.tag == TLV_CONTEXT(1))
            IDV_TRY(take_attributes(part.value, a));
    }
    return IDV_OK;
}

idv_rc idvi_attrs_template(struct idv_bytes der, struct idv_csrattrs *a,
                           bool *understood)
{
    struct idv_csrattrs t = {.challenge = a->challenge};
    idv_rc rc = read_template(der, &t);
    *understood = rc == IDV_OK;
    if (*understood) {
        *a = t;
        return IDV_OK;
    }
    idv_csrattrs_free(&t);
    if (rc != IDV_E_FORMAT)
        return rc;
    idv_note_clear();
    return IDV_OK;
}

/* --- writer --------------------------------------------------------------- */

/* RSAPublicKey whose modulus has that size and says nothing else. */
static idv_rc put_placeholder(struct idv_buf *out, size_t bytes)
{
    static const uint8_t exponent[] = {0x01, 0x00, 0x01};
    uint8_t modulus[1 + 1024] = {0x00, 0x80};
    IDV_AUTO(buf) numbers = {0};
    IDV_AUTO(buf) bits = {0};
    if (bytes >= sizeof(modulus))
        return idv_fail(IDV_E_ARG, "csrattrs: RSA with %zu bytes", bytes);
    IDV_TRY(idvi_tlv_put(&numbers, TLV_INTEGER, idv_bytes(modulus, 1 + bytes)));
    IDV_TRY(idvi_tlv_put(&numbers, TLV_INTEGER,
                         idv_bytes(exponent, sizeof(exponent))));
    IDV_TRY(idv_buf_put(&bits, idv_bytes("", 1))); /* no unused bits */
    IDV_TRY(idvi_tlv_put(&bits, TLV_SEQUENCE, idv_view(&numbers)));
    return idvi_tlv_put(out, TLV_BIT_STRING, idv_view(&bits));
}

static idv_rc put_key(struct idv_buf *out, enum idv_key_type type)
{
    static const uint8_t null[] = {0x05, 0x00};
    IDV_AUTO(buf) algorithm = {0};
    IDV_AUTO(buf) spki = {0};
    int curve = NID_undef;
    long bits = 0;
    IDV_TRY(idvi_attrs_type(type, &curve, &bits));
    IDV_TRY(idvi_tlv_put_nid(&algorithm, curve != NID_undef
                                             ? NID_X9_62_id_ecPublicKey
                                             : NID_rsaEncryption));
    if (curve != NID_undef)
        IDV_TRY(idvi_tlv_put_nid(&algorithm, curve));
    else
        IDV_TRY(idv_buf_put(&algorithm, idv_bytes(null, sizeof(null))));
    IDV_TRY(idvi_tlv_put(&spki, TLV_SEQUENCE, idv_view(&algorithm)));
    if (curve == NID_undef)
        IDV_TRY(put_placeholder(&spki, (size_t)bits / 8));
    return idvi_tlv_put(out, TLV_CONTEXT(0), idv_view(&spki));
}

idv_rc idvi_attrs_put_template(struct idv_buf *out,
                               const struct idv_csrattrs *a)
{
    IDV_AUTO(buf) fields = {0};
    IDV_AUTO(buf) attributes = {0};
    IDV_AUTO(buf) value = {0};
    IDV_AUTO(buf) attribute = {0};
    if (!a->has_key_type && sk_X509_EXTENSION_num(a->extensions) <= 0)
        return IDV_OK;
    IDV_TRY(idvi_tlv_put(&fields, TLV_INTEGER, idv_bytes("", 1)));
    if (a->has_key_type)
        IDV_TRY(put_key(&fields, a->key_type));
    IDV_TRY(idvi_attrs_put_extensions(&attributes, a->extensions));
    IDV_TRY(idvi_tlv_put(&fields, TLV_CONTEXT(1), idv_view(&attributes)));
    IDV_TRY(idvi_tlv_put(&value, TLV_SEQUENCE, idv_view(&fields)));
    IDV_TRY(idvi_tlv_put(&attribute, TLV_OID,
                         idv_bytes(template_oid, sizeof(template_oid))));
    IDV_AUTO(buf) set = {0};
    IDV_TRY(idvi_tlv_put(&set, TLV_SET, idv_view(&value)));
    IDV_TRY(idv_buf_put(&attribute, idv_view(&set)));
    return idvi_tlv_put(out, TLV_SEQUENCE, idv_view(&attribute));
}
