/* SPDX-License-Identifier: Apache-2.0 */
/* What an NV index holds, and whether it is whole: all pure. */
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "provider/device/tpm2_nvdata.h"
#include "provider/device/tpm2_policy.h"

/* what the TPM adds to the attributes by itself */
#define STATE (TPMA_NV_WRITTEN | TPMA_NV_WRITELOCKED | TPMA_NV_READLOCKED)
#define OPTIONS (TPMA_NV_WRITEDEFINE | TPMA_NV_WRITEALL)

int hwk_tpm_nv_template(TPM2_HANDLE index, const uint8_t *data, size_t n,
                        bool lock, size_t chunk, TPM2B_NV_PUBLIC *out)
{
    memset(out, 0, sizeof(*out));
    TPMS_NV_PUBLIC *p = &out->nvPublic;
    p->nvIndex = index;
    p->nameAlg = TPM2_ALG_SHA256;
    p->attributes = HWK_TPM_NV_ATTRIBUTES;
    if (lock)
        p->attributes |= TPMA_NV_WRITEDEFINE;
    if (n <= chunk)
        p->attributes |= TPMA_NV_WRITEALL;
    p->dataSize = (UINT16)n;
    return n > 0 && n <= UINT16_MAX &&
           hwk_tpm_hash(TPM2_ALG_SHA256, data, n, &p->authPolicy);
}

bool hwk_tpm_nv_ours(const TPMS_NV_PUBLIC *pub)
{
    return (pub->attributes & ~(TPMA_NV)(STATE | OPTIONS)) ==
               HWK_TPM_NV_ATTRIBUTES &&
           pub->nameAlg == TPM2_ALG_SHA256 && pub->authPolicy.size == 32;
}

bool hwk_tpm_nv_whole(const TPMS_NV_PUBLIC *pub, const uint8_t *data, size_t n)
{
    TPM2B_DIGEST d;
    if (!(pub->attributes & TPMA_NV_WRITTEN))
        return false;
    if (!hwk_tpm_nv_ours(pub))
        return true;
    return n == pub->dataSize && hwk_tpm_hash(TPM2_ALG_SHA256, data, n, &d) &&
           memcmp(d.buffer, pub->authPolicy.buffer, d.size) == 0;
}

TPM2_NT hwk_tpm_nv_type(TPMA_NV attributes)
{
    return (TPM2_NT)((attributes & TPMA_NV_TPM2_NT_MASK) >>
                     TPMA_NV_TPM2_NT_SHIFT);
}

/* Enters the element at *p that must have this tag; its content is *p[*n] and
 * *rest what follows. 0 if it is another or goes beyond the end. */
static int element(const uint8_t **p, size_t *n, int tag, const uint8_t **rest)
{
    long len;
    int got, class;
    const uint8_t *at = *p;
    int rc = ASN1_get_object(&at, &len, &got, &class, (long)*n);
    if ((rc & 0x81) || got != tag || class != V_ASN1_UNIVERSAL)
        return 0;
    *p = at;
    *n = (size_t)len;
    *rest = at + len;
    return 1;
}

/* Certificate ::= SEQUENCE { tbs SEQUENCE, alg SEQUENCE, sig BIT STRING } */
static size_t outline(const uint8_t *data, size_t n)
{
    static const int tags[] = {V_ASN1_SEQUENCE, V_ASN1_SEQUENCE,
                               V_ASN1_BIT_STRING};
    const uint8_t *p = data, *end, *rest;
    if (!element(&p, &n, V_ASN1_SEQUENCE, &end))
        return 0;
    for (size_t i = 0; i < 3; i++, p = rest) {
        n = (size_t)(end - p);
        if (!element(&p, &n, tags[i], &rest))
            return 0;
        if (i == 0 && (n < 2 || (*p != 0xa0 && *p != V_ASN1_INTEGER)))
            return 0;
    }
    return p == end ? (size_t)(end - data) : 0;
}

size_t hwk_tpm_cert_size(const uint8_t *data, size_t n)
{
    if (n < 2 || n > INT32_MAX || data[0] != 0x30)
        return 0;
    ERR_set_mark();
    size_t size = outline(data, n);
    ERR_pop_to_mark();
    return size;
}

static size_t pem_to_der(uint8_t *data, size_t n)
{
    BIO *bio = BIO_new_mem_buf(data, (int)n);
    unsigned char *der = NULL;
    long len = 0;
    size_t size = 0;
    ERR_set_mark();
    if (bio &&
        PEM_bytes_read_bio(&der, &len, NULL, PEM_STRING_X509, bio, NULL, NULL))
        size = hwk_tpm_cert_size(der, (size_t)len);
    ERR_pop_to_mark();
    if (size > n)
        size = 0;
    if (size)
        memcpy(data, der, size);
    OPENSSL_free(der);
    BIO_free(bio);
    return size;
}

enum hwk_object_type hwk_tpm_nv_content(uint8_t *data, size_t *n)
{
    size_t size = hwk_tpm_cert_size(data, *n);
    if (!size && *n > 0 && *n <= INT32_MAX && data[0] == '-')
        size = pem_to_der(data, *n);
    if (!size)
        return HWK_OBJ_DATA;
    *n = size;
    return HWK_OBJ_CERT;
}
