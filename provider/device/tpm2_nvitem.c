/* SPDX-License-Identifier: Apache-2.0 */
/* The objects in the bytes of an NV index: pure. */
#include <stdbool.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "provider/device/tpm2_nvitem.h"

#define SIZE_MAX_DER 0xffff /* more than an index holds */

/* --- outlines --- */

struct span {
    const uint8_t *p, *end;
};

/* Takes the element in front off, which must have this tag. */
static bool take(struct span *from, int tag, struct span *content)
{
    long len = 0;
    int got = -1, class = -1;
    const uint8_t *p = from->p;
    if (p >= from->end)
        return false;
    int rc = ASN1_get_object(&p, &len, &got, &class, from->end - p);
    if ((rc & 0x81) || got != tag || class != V_ASN1_UNIVERSAL)
        return false;
    *content = (struct span){p, p + len};
    from->p = p + len;
    return true;
}

static bool begins_with(const struct span *s, const void *bytes, size_t n)
{
    return (size_t)(s->end - s->p) >= n && memcmp(s->p, bytes, n) == 0;
}

/* SEQUENCE { tbs SEQUENCE { version or serial, ... }, alg, signature } */
static bool is_cert(struct span in)
{
    struct span tbs, skipped;
    return take(&in, V_ASN1_SEQUENCE, &tbs) && tbs.end - tbs.p >= 2 &&
           (*tbs.p == 0xa0 || *tbs.p == V_ASN1_INTEGER) &&
           take(&in, V_ASN1_SEQUENCE, &skipped) &&
           take(&in, V_ASN1_BIT_STRING, &skipped) && in.p == in.end;
}

/* SEQUENCE { alg SEQUENCE { OBJECT IDENTIFIER ... }, key BIT STRING } */
static bool is_public(struct span in)
{
    struct span alg, skipped;
    return take(&in, V_ASN1_SEQUENCE, &alg) &&
           take(&alg, V_ASN1_OBJECT, &skipped) &&
           take(&in, V_ASN1_BIT_STRING, &skipped) && in.p == in.end;
}

/* SEQUENCE { OBJECT IDENTIFIER 2.23.133.10.1.x, ... } */
static bool is_keyfile(struct span in)
{
    return begins_with(&in, "\x06\x06\x67\x81\x05\x0a\x01", 7);
}

static enum hwk_object_type item(const uint8_t *data, size_t n, size_t *size)
{
    struct span all = {data, data + n}, in;
    if (!take(&all, V_ASN1_SEQUENCE, &in))
        return 0;
    *size = (size_t)(all.p - data);
    if (is_cert(in))
        return HWK_OBJ_CERT;
    if (is_public(in))
        return HWK_OBJ_PUBLIC;
    return is_keyfile(in) ? HWK_OBJ_PRIVATE : 0;
}

enum hwk_object_type hwk_tpm_nv_item(const uint8_t *data, size_t n,
                                     size_t *size)
{
    if (n < 2 || n > SIZE_MAX_DER || data[0] != 0x30)
        return 0;
    ERR_set_mark();
    enum hwk_object_type type = item(data, n, size);
    ERR_pop_to_mark();
    return type;
}

/* --- one after another --- */

static int items_der(const uint8_t *data, size_t n, hwk_tpm_nv_item_fn *each,
                     void *arg)
{
    size_t size;
    int rc = 1;
    for (; rc == 1; data += size, n -= size) {
        enum hwk_object_type type = hwk_tpm_nv_item(data, n, &size);
        if (!type)
            break;
        rc = each(arg, type, data, size);
    }
    return rc;
}

static enum hwk_object_type type_of_label(const char *label)
{
    static const struct {
        const char *label;
        enum hwk_object_type type;
    } known[] = {
        {PEM_STRING_X509, HWK_OBJ_CERT},
        {PEM_STRING_X509_OLD, HWK_OBJ_CERT},
        {PEM_STRING_X509_TRUSTED, HWK_OBJ_CERT},
        {PEM_STRING_PUBLIC, HWK_OBJ_PUBLIC},
        {"TSS2 PRIVATE KEY", HWK_OBJ_PRIVATE},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(label, known[i].label) == 0)
            return known[i].type;
    return 0;
}

/* the next block of PEM; false at the end, or where it is spoilt */
static bool next_block(BIO *bio, char **label, uint8_t **der, long *n)
{
    char *header = NULL;
    ERR_set_mark();
    bool ok = PEM_read_bio(bio, label, &header, der, n);
    ERR_pop_to_mark();
    OPENSSL_free(header);
    return ok;
}

static int items_pem(BIO *bio, hwk_tpm_nv_item_fn *each, void *arg)
{
    char *label;
    uint8_t *der;
    long n;
    size_t size;
    int rc = 1;
    while (rc == 1 && next_block(bio, &label, &der, &n)) {
        enum hwk_object_type type = type_of_label(label);
        if (type && hwk_tpm_nv_item(der, (size_t)n, &size) == type)
            rc = each(arg, type, der, size);
        OPENSSL_free(label);
        OPENSSL_free(der);
    }
    return rc;
}

int hwk_tpm_nv_items(const uint8_t *data, size_t n, hwk_tpm_nv_item_fn *each,
                     void *arg)
{
    size_t size;
    if (n == 0 || n > SIZE_MAX_DER)
        return 1;
    if (hwk_tpm_nv_item(data, n, &size))
        return items_der(data, n, each, arg);
    BIO *bio = BIO_new_mem_buf(data, (int)n);
    int rc = bio ? items_pem(bio, each, arg) : 1;
    BIO_free(bio);
    return rc;
}
