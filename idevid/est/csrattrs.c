/* SPDX-License-Identifier: Apache-2.0 */
/* What the server wants in a request (RFC 8951 section 4). */
#include <openssl/err.h>
#include <openssl/objects.h>

#include <idevid/auto.h>

#include "est/csrattrs.h"

/*
 * CsrAttrs ::= SEQUENCE OF CHOICE { OBJECT IDENTIFIER, Attribute }
 * Attribute ::= SEQUENCE { OBJECT IDENTIFIER, SET OF value }
 */

static const struct {
    enum idv_key_type type;
    int nid; /* curve, or NID_undef: RSA */
    long bits;
} types[] = {
    {IDV_KEY_P256, NID_X9_62_prime256v1, 256},
    {IDV_KEY_P384, NID_secp384r1, 384},
    {IDV_KEY_P521, NID_secp521r1, 521},
    {IDV_KEY_RSA2048, NID_undef, 2048},
    {IDV_KEY_RSA3072, NID_undef, 3072},
};
#define TYPES (sizeof(types) / sizeof(*types))

void idv_csrattrs_free(struct idv_csrattrs *a)
{
    sk_X509_EXTENSION_pop_free(a->extensions, X509_EXTENSION_free);
    *a = (struct idv_csrattrs){0};
}

/* --- reader --------------------------------------------------------------- */

static void set_type(struct idv_csrattrs *a, enum idv_key_type type)
{
    a->has_key_type = true;
    a->key_type = type;
}

void idvi_attrs_curve(struct idv_bytes oid, struct idv_csrattrs *a)
{
    const int nid = idvi_tlv_nid(oid);
    for (size_t i = 0; i < TYPES; i++) {
        if (nid != NID_undef && types[i].nid == nid)
            set_type(a, types[i].type);
    }
}

void idvi_attrs_rsa_bits(long bits, struct idv_csrattrs *a)
{
    for (size_t i = 0; i < TYPES; i++) {
        if (types[i].nid == NID_undef && types[i].bits == bits)
            set_type(a, types[i].type);
    }
}

idv_rc idvi_attrs_extensions(struct idv_bytes der, struct idv_csrattrs *a)
{
    const uint8_t *p = der.p;
    if (a->extensions)
        return IDV_OK;
    X509_EXTENSIONS *list = d2i_X509_EXTENSIONS(NULL, &p, (long)der.n);
    ERR_clear_error();
    if (list && p == der.p + der.n && sk_X509_EXTENSION_num(list) > 0)
        a->extensions = list;
    else
        sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    return IDV_OK;
}

static void take_oid(struct idv_bytes oid, struct idv_csrattrs *a)
{
    const int nid = idvi_tlv_nid(oid);
    int digest;
    if (nid == NID_pkcs9_challengePassword)
        a->challenge = true;
    else if (nid != NID_undef && OBJ_find_sigid_algs(nid, &digest, NULL))
        a->digest_nid = digest;
    else
        idvi_attrs_curve(oid, a);
}

static void take_ec(const struct idvi_tlv *value, struct idv_csrattrs *a)
{
    if (!value)
        set_type(a, IDV_KEY_P256);
    else if (value->tag == TLV_OID)
        idvi_attrs_curve(value->value, a);
}

static void take_rsa(const struct idvi_tlv *value, struct idv_csrattrs *a)
{
    long bits = 0;
    if (!value) {
        set_type(a, IDV_KEY_RSA2048);
        return;
    }
    if (value->tag != TLV_INTEGER || value->value.n > 3)
        return;
    for (size_t i = 0; i < value->value.n; i++)
        bits = bits << 8 | value->value.p[i];
    idvi_attrs_rsa_bits(bits, a);
}

/* SEQUENCE { OID, SET }; *value tells whether the set has a first element */
static idv_rc split(struct idv_bytes attribute, struct idv_bytes *oid,
                    bool *value, struct idvi_tlv *first)
{
    struct idvi_tlv type;
    struct idv_bytes set;
    IDV_TRY(idvi_tlv_next(&attribute, &type));
    if (type.tag != TLV_OID)
        return idv_fail(IDV_E_FORMAT, "csrattrs: an attribute without a type");
    IDV_TRY(idvi_tlv_only(attribute, TLV_SET, &set));
    *oid = type.value;
    *value = set.n > 0;
    return *value ? idvi_tlv_next(&set, first) : IDV_OK;
}

static idv_rc take_attribute(struct idv_bytes attribute, struct idv_csrattrs *a)
{
    struct idv_bytes oid;
    struct idvi_tlv first;
    bool value;
    IDV_TRY(split(attribute, &oid, &value, &first));
    switch (idvi_tlv_nid(oid)) {
    case NID_X9_62_id_ecPublicKey:
        take_ec(value ? &first : NULL, a);
        break;
    case NID_rsaEncryption:
        take_rsa(value ? &first : NULL, a);
        break;
    case NID_pkcs9_challengePassword:
        a->challenge = true;
        break;
    case NID_ext_req:
        return value ? idvi_attrs_extensions(first.whole, a) : IDV_OK;
    default:
        break;
    }
    return IDV_OK;
}

/* Who understands the template does not look at the older elements, but for
 * the channel binding, which it does not replace. */
static idv_rc prefer_template(struct idv_bytes items, struct idv_csrattrs *a)
{
    struct idvi_tlv item, first;
    struct idv_bytes oid;
    while (items.n) {
        struct idv_csrattrs t = {.challenge = a->challenge};
        bool value, understood = false;
        IDV_TRY(idvi_tlv_next(&items, &item));
        if (item.tag != TLV_SEQUENCE)
            continue;
        IDV_TRY(split(item.value, &oid, &value, &first));
        if (!value || !idvi_attrs_is_template(oid))
            continue;
        IDV_TRY(idvi_attrs_template(first.whole, &t, &understood));
        if (!understood)
            continue;
        idv_csrattrs_free(a);
        *a = t;
        return IDV_OK;
    }
    return IDV_OK;
}

static idv_rc read_items(struct idv_bytes items, struct idv_csrattrs *a)
{
    const struct idv_bytes all = items;
    struct idvi_tlv item;
    while (items.n) {
        IDV_TRY(idvi_tlv_next(&items, &item));
        if (item.tag == TLV_OID)
            take_oid(item.value, a);
        else if (item.tag == TLV_SEQUENCE)
            IDV_TRY(take_attribute(item.value, a));
    }
    return prefer_template(all, a);
}

idv_rc idv_csrattrs_from_der(struct idv_bytes der, struct idv_csrattrs *out)
{
    struct idv_csrattrs a = {0};
    struct idv_bytes items;
    IDV_TRY(idvi_tlv_only(der, TLV_SEQUENCE, &items));
    idv_rc rc = read_items(items, &a);
    if (rc != IDV_OK) {
        idv_csrattrs_free(&a);
        return rc;
    }
    *out = a;
    return IDV_OK;
}

/* --- writer --------------------------------------------------------------- */

idv_rc idvi_attrs_put(struct idv_buf *out, int nid, struct idv_bytes value)
{
    IDV_AUTO(buf) content = {0};
    IDV_TRY(idvi_tlv_put_nid(&content, nid));
    IDV_TRY(idvi_tlv_put(&content, TLV_SET, value));
    return idvi_tlv_put(out, TLV_SEQUENCE, idv_view(&content));
}

idv_rc idvi_attrs_type(enum idv_key_type type, int *curve, long *bits)
{
    for (size_t i = 0; i < TYPES; i++) {
        if (types[i].type != type)
            continue;
        *curve = types[i].nid;
        *bits = types[i].bits;
        return IDV_OK;
    }
    return idv_fail(IDV_E_ARG, "csrattrs: unknown key type");
}

static idv_rc put_type(struct idv_buf *out, enum idv_key_type type)
{
    IDV_AUTO(buf) value = {0};
    int curve = NID_undef;
    long n = 0;
    IDV_TRY(idvi_attrs_type(type, &curve, &n));
    if (curve != NID_undef) {
        IDV_TRY(idvi_tlv_put_nid(&value, curve));
        return idvi_attrs_put(out, NID_X9_62_id_ecPublicKey, idv_view(&value));
    }
    const uint8_t bits[2] = {(uint8_t)(n >> 8), (uint8_t)n};
    IDV_TRY(idvi_tlv_put(&value, TLV_INTEGER, idv_bytes(bits, 2)));
    return idvi_attrs_put(out, NID_rsaEncryption, idv_view(&value));
}

idv_rc idvi_attrs_put_extensions(struct idv_buf *out,
                                 const STACK_OF(X509_EXTENSION) * list)
{
    uint8_t *der = NULL;
    if (sk_X509_EXTENSION_num(list) <= 0)
        return IDV_OK;
    int n = i2d_X509_EXTENSIONS((const X509_EXTENSIONS *)list, &der);
    if (n < 0)
        return idv_fail(IDV_E_CRYPTO, "csrattrs: extensions");
    idv_rc rc = idvi_attrs_put(out, NID_ext_req, idv_bytes(der, (size_t)n));
    OPENSSL_free(der);
    return rc;
}

static idv_rc put_digest(struct idv_buf *out, const struct idv_csrattrs *a)
{
    const bool rsa = a->has_key_type && (a->key_type == IDV_KEY_RSA2048 ||
                                         a->key_type == IDV_KEY_RSA3072);
    const int key = rsa ? NID_rsaEncryption : NID_X9_62_id_ecPublicKey;
    int nid;
    if (!OBJ_find_sigid_by_algs(&nid, a->digest_nid, key))
        return idv_fail(IDV_E_ARG, "csrattrs: unknown digest");
    return idvi_tlv_put_nid(out, nid);
}

idv_rc idv_csrattrs_to_der(const struct idv_csrattrs *a, struct idv_buf *out)
{
    IDV_AUTO(buf) items = {0};
    if (a->challenge)
        IDV_TRY(idvi_tlv_put_nid(&items, NID_pkcs9_challengePassword));
    if (a->has_key_type)
        IDV_TRY(put_type(&items, a->key_type));
    IDV_TRY(idvi_attrs_put_extensions(&items, a->extensions));
    if (a->digest_nid && a->as_template)
        return idv_fail(IDV_E_ARG, "csrattrs: a template tells no digest");
    if (a->digest_nid)
        IDV_TRY(put_digest(&items, a));
    if (a->as_template)
        IDV_TRY(idvi_attrs_put_template(&items, a));
    return idvi_tlv_put(out, TLV_SEQUENCE, idv_view(&items));
}
