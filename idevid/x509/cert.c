/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates as bytes, and what can be asked of one. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "x509/x509.h"

idv_rc idv_cert_to_der(const X509 *cert, struct idv_buf *out)
{
    return IDVI_PUT_DER(i2d_X509, cert, out);
}

idv_rc idv_cert_from_der(struct idv_bytes der, X509 **out)
{
    return idvi_cert_into(NULL, der, out);
}

idv_rc idvi_cert_into(X509 *empty, struct idv_bytes der, X509 **out)
{
    IDV_AUTO_PTR(X509) cert = empty;
    IDV_AUTO(buf) again = {0};
    const uint8_t *p = der.p;
    if (der.n > IDV_MAX_CERT)
        return idv_fail(IDV_E_LIMIT, "certificate: more than %d bytes",
                        IDV_MAX_CERT);
    /* frees what it was given when it fails */
    const bool read = der.n && d2i_X509(&cert, &p, (long)der.n);
    ERR_clear_error();
    if (!read)
        return idv_fail(IDV_E_FORMAT, "certificate: not one, or cut off");
    if ((size_t)(p - der.p) != der.n)
        return idv_fail(IDV_E_FORMAT, "certificate: bytes after its end");
    IDV_TRY(idv_cert_to_der(cert, &again));
    if (!idv_bytes_eq(idv_view(&again), der))
        return idv_fail(IDV_E_FORMAT, "certificate: not DER");
    *out = idv_steal(&cert);
    return IDV_OK;
}

/* one PEM block; label NULL at the end of the text */
struct block {
    char *label, *header;
    unsigned char *data;
    long n;
};

static void block_free(struct block *b)
{
    OPENSSL_free(b->label);
    OPENSSL_free(b->header);
    OPENSSL_clear_free(b->data, b->n > 0 ? (size_t)b->n : 0);
}

static idv_rc next_block(BIO *text, struct block *b)
{
    if (PEM_read_bio(text, &b->label, &b->header, &b->data, &b->n) == 1)
        return IDV_OK;
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    ERR_clear_error();
    b->label = NULL;
    if (reason != PEM_R_NO_START_LINE)
        return idv_fail(IDV_E_FORMAT, "PEM: damaged or cut off");
    return IDV_OK;
}

static idv_rc push(idv_certs *certs, struct idv_bytes der)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    if (sk_X509_num(certs) >= IDV_MAX_CHAIN)
        return idv_fail(IDV_E_LIMIT, "more than %d certificates",
                        IDV_MAX_CHAIN);
    IDV_TRY(idv_cert_from_der(der, &cert));
    if (sk_X509_push(certs, cert) <= 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    cert = NULL;
    return IDV_OK;
}

/* keys and what else stands in the file are passed over */
static idv_rc read_blocks(BIO *text, idv_certs *certs)
{
    for (;;) {
        __attribute__((cleanup(block_free))) struct block b = {0};
        IDV_TRY(next_block(text, &b));
        if (!b.label)
            return IDV_OK;
        if (strcmp(b.label, PEM_STRING_X509) == 0 ||
            strcmp(b.label, PEM_STRING_X509_OLD) == 0)
            IDV_TRY(push(certs, idv_bytes(b.data, (size_t)b.n)));
    }
}

idv_rc idv_certs_from_pem(struct idv_bytes text, STACK_OF(X509) * *out)
{
    IDV_AUTO_PTR(idv_certs) certs = sk_X509_new_null();
    IDV_AUTO_PTR(BIO) bio = NULL;
    if (text.n > IDV_MAX_FILE)
        return idv_fail(IDV_E_LIMIT, "certificates: more than %d bytes",
                        IDV_MAX_FILE);
    bio = BIO_new_mem_buf(text.n ? text.p : (const uint8_t *)"", (int)text.n);
    if (!certs || !bio)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (text.n && text.p[0] == 0x30)
        IDV_TRY(push(certs, text));
    else
        IDV_TRY(read_blocks(bio, certs));
    if (sk_X509_num(certs) == 0)
        return idv_fail(IDV_E_FORMAT, "no certificate in it");
    *out = idv_steal(&certs);
    return IDV_OK;
}

idv_rc idv_certs_to_pem(const STACK_OF(X509) * certs, struct idv_buf *out)
{
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    if (!bio)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (int i = 0; i < sk_X509_num(certs); i++) {
        if (PEM_write_bio_X509(bio, sk_X509_value(certs, i)) != 1)
            return idv_fail(IDV_E_CRYPTO, "certificate: not written");
    }
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    return idv_buf_put(out, idv_bytes(p, n > 0 ? (size_t)n : 0));
}

bool idv_cert_eq(const X509 *a, const X509 *b)
{
    IDV_AUTO(buf) x = {0};
    IDV_AUTO(buf) y = {0};
    return idv_cert_to_der(a, &x) == IDV_OK &&
           idv_cert_to_der(b, &y) == IDV_OK &&
           idv_bytes_eq(idv_view(&x), idv_view(&y));
}

bool idv_cert_same_key(const X509 *a, const X509 *b)
{
    IDV_AUTO(buf) x = {0};
    IDV_AUTO(buf) y = {0};
    return IDVI_PUT_DER(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(a), &x) ==
               IDV_OK &&
           IDVI_PUT_DER(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(b), &y) ==
               IDV_OK &&
           idv_bytes_eq(idv_view(&x), idv_view(&y));
}

bool idv_cert_has_key(const X509 *cert, const EVP_PKEY *key)
{
    IDV_AUTO(buf) spki = {0};
    if (IDVI_PUT_DER(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(cert), &spki) !=
        IDV_OK) {
        idv_note_clear();
        return false;
    }
    return idv_spki_is_of(idv_view(&spki), key);
}

const char *idv_cert_subject(const X509 *cert)
{
    static _Thread_local char ring[4][256];
    static _Thread_local unsigned next;
    char *out = ring[next++ % 4];
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    unsigned long how = XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ;
    out[0] = 0;
    if (bio)
        X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
                           how & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
    char *p = NULL;
    long n = bio ? BIO_get_mem_data(bio, &p) : 0;
    if (n > 0)
        snprintf(out, sizeof(ring[0]), "%.*s", (int)n, p);
    if (!out[0])
        snprintf(out, sizeof(ring[0]), "(no subject)");
    return out;
}

idv_rc idvi_seconds(const ASN1_TIME *t, int64_t *out)
{
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1) {
        ERR_clear_error();
        return idv_fail(IDV_E_FORMAT, "certificate: a time that is none");
    }
    *out = timegm(&tm);
    return IDV_OK;
}

idv_rc idv_cert_times(const X509 *cert, int64_t *not_before, int64_t *not_after)
{
    int64_t before = 0, after = 0;
    IDV_TRY(idvi_seconds(X509_get0_notBefore(cert), &before));
    IDV_TRY(idvi_seconds(X509_get0_notAfter(cert), &after));
    *not_before = before;
    *not_after = after;
    return IDV_OK;
}

bool idv_cert_has_eku(const X509 *cert, const char *oid)
{
    IDV_AUTO_PTR(EXTENDED_KEY_USAGE)
    eku = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
    ERR_clear_error();
    for (int i = 0; i < sk_ASN1_OBJECT_num(eku); i++) {
        char text[80];
        int n =
            OBJ_obj2txt(text, sizeof(text), sk_ASN1_OBJECT_value(eku, i), 1);
        if (n > 0 && (size_t)n < sizeof(text) && strcmp(text, oid) == 0)
            return true;
    }
    return false;
}

bool idv_cert_is_ca(const X509 *cert)
{
    int found;
    IDV_AUTO_PTR(BASIC_CONSTRAINTS)
    bc = X509_get_ext_d2i(cert, NID_basic_constraints, NULL, NULL);
    IDV_AUTO_PTR(ASN1_BIT_STRING)
    usage = X509_get_ext_d2i(cert, NID_key_usage, &found, NULL);
    ERR_clear_error();
    bool may_sign = found == -1 || (usage && ASN1_BIT_STRING_get_bit(usage, 5));
    return bc && bc->ca && may_sign;
}

STACK_OF(X509) * idv_certs_dup(const STACK_OF(X509) * certs)
{
    return X509_chain_up_ref((STACK_OF(X509) *)(uintptr_t)certs);
}
