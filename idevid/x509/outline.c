/* SPDX-License-Identifier: Apache-2.0 */
/* Where a certificate's parts are, without parsing them. */
#include <openssl/err.h>

#include "x509/tlv.h"
#include "x509/x509.h"

/* --- time ----------------------------------------------------------------- */

static idv_rc read_end(struct idv_bytes validity, int64_t *out)
{
    struct idvi_tlv t;
    IDV_TRY(idvi_tlv_next(&validity, &t)); /* its begin */
    const uint8_t *p = validity.p;
    IDV_AUTO_PTR(ASN1_TIME) end = d2i_ASN1_TIME(NULL, &p, (long)validity.n);
    ERR_clear_error();
    return idvi_seconds(end, out);
}

/* --- extensions ----------------------------------------------------------- */

static bool says_ca(struct idv_bytes constraints)
{
    const uint8_t *p = constraints.p;
    IDV_AUTO_PTR(BASIC_CONSTRAINTS)
    bc = d2i_BASIC_CONSTRAINTS(NULL, &p, (long)constraints.n);
    ERR_clear_error();
    return !bc || bc->ca; /* what cannot be read is taken for the worst */
}

static bool is_constraints(const struct idvi_tlv *name)
{
    static const uint8_t oid[] = {0x55, 0x1d, 0x13}; /* 2.5.29.19 */
    return name->tag == TLV_OID &&
           idv_bytes_eq(name->value, idv_bytes(oid, sizeof(oid)));
}

/* SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } */
static idv_rc read_extension(struct idv_bytes one, bool *ca)
{
    struct idvi_tlv name, value = {0};
    IDV_TRY(idvi_tlv_next(&one, &name));
    while (one.n)
        IDV_TRY(idvi_tlv_next(&one, &value));
    if (is_constraints(&name))
        *ca = says_ca(value.value);
    return IDV_OK;
}

static idv_rc read_extensions(struct idv_bytes explicit, bool *ca)
{
    struct idv_bytes list;
    IDV_TRY(idvi_tlv_only(explicit, TLV_SEQUENCE, &list));
    while (list.n) {
        struct idvi_tlv one;
        IDV_TRY(idvi_tlv_next(&list, &one));
        IDV_TRY(read_extension(one.value, ca));
    }
    return IDV_OK;
}

/* --- all of it ------------------------------------------------------------ */

idv_rc idv_cert_outline(struct idv_bytes der, struct idv_cert_outline *out)
{
    struct idv_bytes cert;
    struct idvi_tlv tbs, t;
    IDV_TRY(idvi_tlv_only(der, TLV_SEQUENCE, &cert));
    IDV_TRY(idvi_tlv_next(&cert, &tbs));
    struct idv_bytes at = tbs.value;
    *out = (struct idv_cert_outline){0};
    /* version, serialNumber, signature, issuer, validity */
    for (int i = 0; i < 5; i++)
        IDV_TRY(idvi_tlv_next(&at, &t));
    IDV_TRY(read_end(t.value, &out->not_after));
    IDV_TRY(idvi_tlv_next(&at, &t));
    out->subject = t.whole;
    IDV_TRY(idvi_tlv_next(&at, &t));
    out->spki = t.whole;
    while (at.n) {
        IDV_TRY(idvi_tlv_next(&at, &t));
        if (t.tag == TLV_CONTEXT(3))
            IDV_TRY(read_extensions(t.value, &out->ca));
    }
    return IDV_OK;
}

bool idv_spki_is_of(struct idv_bytes spki, const EVP_PKEY *key)
{
    IDV_AUTO(buf) its = {0};
    if (idvi_spki(key, &its) == IDV_OK && idv_bytes_eq(idv_view(&its), spki))
        return true;
    idv_note_clear();
    const uint8_t *p = spki.p;
    IDV_AUTO_PTR(EVP_PKEY) read = d2i_PUBKEY(NULL, &p, (long)spki.n);
    const bool same = read && EVP_PKEY_eq(read, key) == 1;
    ERR_clear_error();
    return same;
}
