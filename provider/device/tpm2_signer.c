/* SPDX-License-Identifier: Apache-2.0 */
/* Software keys that sign for policies. They are libcrypto's own, below EVP: no
 * provider is asked, and none of the application's choices matters. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <string.h>

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_signer.h"
#include "provider/env.h"

#define FILE_MAX 65536

struct hwk_tpm_signer {
    struct hwk_tpm_signer *next;
    RSA *rsa; /* one of them */
    EC_KEY *ec;
};

void hwk_tpm_signer_free(struct hwk_tpm_signer *signer)
{
    while (signer) {
        struct hwk_tpm_signer *next = signer->next;
        RSA_free(signer->rsa);
        EC_KEY_free(signer->ec);
        OPENSSL_free(signer);
        signer = next;
    }
}

/* --- reading --- */

static bool from_pkcs8(const uint8_t *der, long n, struct hwk_tpm_signer *out)
{
    PKCS8_PRIV_KEY_INFO *p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &der, n);
    const X509_ALGOR *alg;
    const void *domain;
    const uint8_t *p;
    int len, type;
    if (!p8 || !PKCS8_pkey_get0(NULL, &p, &len, &alg, p8)) {
        PKCS8_PRIV_KEY_INFO_free(p8);
        return false;
    }
    const ASN1_OBJECT *oid;
    X509_ALGOR_get0(&oid, &type, &domain, alg);
    if (OBJ_obj2nid(oid) == NID_rsaEncryption) {
        out->rsa = d2i_RSAPrivateKey(NULL, &p, len);
    } else if (OBJ_obj2nid(oid) == NID_X9_62_id_ecPublicKey &&
               type == V_ASN1_OBJECT) {
        out->ec = EC_KEY_new_by_curve_name(OBJ_obj2nid(domain));
        if (out->ec && !d2i_ECPrivateKey(&out->ec, &p, len)) {
            EC_KEY_free(out->ec);
            out->ec = NULL;
        }
    }
    PKCS8_PRIV_KEY_INFO_free(p8);
    return out->rsa || out->ec;
}

static bool from_der(const char *label, const uint8_t *der, long n,
                     struct hwk_tpm_signer *out)
{
    if (strcmp(label, PEM_STRING_PKCS8INF) == 0)
        return from_pkcs8(der, n, out);
    if (strcmp(label, PEM_STRING_RSA) == 0)
        out->rsa = d2i_RSAPrivateKey(NULL, &der, n);
    else if (strcmp(label, PEM_STRING_ECPRIVATEKEY) == 0)
        out->ec = d2i_ECPrivateKey(NULL, &der, n);
    return out->rsa || out->ec;
}

/* the first private key in a PEM text, which may have EC PARAMETERS before */
static bool from_pem(const uint8_t *text, size_t n, struct hwk_tpm_signer *out)
{
    BIO *bio = BIO_new_mem_buf(text, (int)n);
    char *label, *header;
    unsigned char *der;
    bool found = false;
    long len;
    while (bio && !found && PEM_read_bio(bio, &label, &header, &der, &len)) {
        found = *header == 0 && from_der(label, der, len, out);
        OPENSSL_clear_free(der, (size_t)len);
        OPENSSL_free(label);
        OPENSSL_free(header);
    }
    BIO_free(bio);
    return found;
}

static int read_one(const char *path, struct hwk_tpm_signer **list)
{
    struct hwk_tpm_signer *one = OPENSSL_zalloc(sizeof(*one));
    uint8_t *text = NULL;
    size_t n = 0;
    if (!one)
        return hwk_raise(HWK_R_MEMORY, "policy-keys");
    if (!hwk_file_read(path, FILE_MAX, &text, &n)) {
        OPENSSL_free(one);
        return 0;
    }
    ERR_set_mark();
    bool found = from_pem(text, n, one);
    ERR_pop_to_mark();
    OPENSSL_clear_free(text, n);
    one->next = *list;
    *list = one;
    return found ? 1
                 : hwk_raise(HWK_R_FORMAT,
                             "policy-keys: no RSA or EC private key in PEM, "
                             "without a passphrase, in '%s'",
                             path);
}

int hwk_tpm_signer_read(const char *paths, struct hwk_tpm_signer **out)
{
    struct hwk_tpm_signer *list = NULL;
    int ok = 1;
    while (ok && paths && *paths) {
        size_t n = strcspn(paths, ":");
        char *path = OPENSSL_strndup(paths, n);
        if (n > 0)
            ok = path ? read_one(path, &list)
                      : hwk_raise(HWK_R_MEMORY, "policy-keys");
        OPENSSL_free(path);
        paths += n;
        paths += *paths == ':';
    }
    if (!ok) {
        hwk_tpm_signer_free(list);
        return 0;
    }
    *out = list;
    return 1;
}

/* --- whose key is it --- */

static bool same_rsa(const RSA *rsa, const TPM2B_PUBLIC_KEY_RSA *n)
{
    uint8_t own[HWK_RSA_MAX];
    const BIGNUM *m = RSA_get0_n(rsa);
    return BN_num_bytes(m) == n->size && n->size <= sizeof(own) &&
           BN_bn2bin(m, own) == n->size && memcmp(own, n->buffer, n->size) == 0;
}

static bool same_ec(const EC_KEY *ec, const TPMS_ECC_PARMS *parms,
                    const TPMS_ECC_POINT *q)
{
    uint8_t own[HWK_POINT_MAX], want[HWK_POINT_MAX] = {4};
    const struct hwk_curve *c = hwk_tpm_curve_facts(parms->curveID);
    if (!c || !EC_KEY_get0_public_key(ec) ||
        !hwk_tpm_align(q->x.buffer, q->x.size, want + 1, c->field) ||
        !hwk_tpm_align(q->y.buffer, q->y.size, want + 1 + c->field, c->field))
        return false;
    size_t n = EC_POINT_point2oct(
        EC_KEY_get0_group(ec), EC_KEY_get0_public_key(ec),
        POINT_CONVERSION_UNCOMPRESSED, own, sizeof(own), NULL);
    return n == 1 + 2 * c->field && memcmp(own, want, n) == 0;
}

static const struct hwk_tpm_signer *find(const struct hwk_tpm_signer *s,
                                         const TPM2B_PUBLIC *pub)
{
    const TPMT_PUBLIC *t = &pub->publicArea;
    for (; s; s = s->next)
        if (s->rsa
                ? t->type == TPM2_ALG_RSA && same_rsa(s->rsa, &t->unique.rsa)
                : t->type == TPM2_ALG_ECC &&
                      same_ec(s->ec, &t->parameters.eccDetail, &t->unique.ecc))
            return s;
    return NULL;
}

bool hwk_tpm_signer_has(const struct hwk_tpm_signer *signer,
                        const TPM2B_PUBLIC *pub)
{
    return find(signer, pub);
}

/* --- signing --- */

static int sign_rsa(RSA *rsa, TPMI_ALG_HASH alg, const TPM2B_DIGEST *d,
                    TPMT_SIGNATURE *out)
{
    TPMS_SIGNATURE_RSASSA *s = &out->signature.rsassa;
    unsigned n = 0;
    if ((size_t)RSA_size(rsa) > sizeof(s->sig.buffer) ||
        RSA_sign(hwk_md_nid(hwk_tpm_md(alg)), d->buffer, d->size, s->sig.buffer,
                 &n, rsa) <= 0)
        return 0;
    out->sigAlg = TPM2_ALG_RSASSA;
    s->hash = alg;
    s->sig.size = (UINT16)n;
    return 1;
}

static int sign_ec(EC_KEY *ec, TPMI_ALG_HASH alg, const TPM2B_DIGEST *d,
                   TPMT_SIGNATURE *out)
{
    TPMS_SIGNATURE_ECDSA *s = &out->signature.ecdsa;
    int n = (EC_GROUP_order_bits(EC_KEY_get0_group(ec)) + 7) / 8;
    ECDSA_SIG *sig = ECDSA_do_sign(d->buffer, d->size, ec);
    int ok = sig &&
             BN_bn2binpad(ECDSA_SIG_get0_r(sig), s->signatureR.buffer, n) > 0 &&
             BN_bn2binpad(ECDSA_SIG_get0_s(sig), s->signatureS.buffer, n) > 0;
    ECDSA_SIG_free(sig);
    out->sigAlg = TPM2_ALG_ECDSA;
    s->hash = alg;
    s->signatureR.size = s->signatureS.size = (UINT16)n;
    return ok;
}

int hwk_tpm_signer_sign(const struct hwk_tpm_signer *signer,
                        const TPM2B_PUBLIC *pub, const uint8_t *data, size_t n,
                        TPMT_SIGNATURE *out)
{
    const struct hwk_tpm_signer *s = find(signer, pub);
    TPMI_ALG_HASH alg = hwk_tpm_scheme_hash(pub);
    TPM2B_DIGEST d;
    if (alg == TPM2_ALG_NULL)
        alg = TPM2_ALG_SHA256;
    memset(out, 0, sizeof(*out));
    int ok = s && hwk_tpm_hash(alg, data, n, &d) &&
             (s->rsa ? sign_rsa(s->rsa, alg, &d, out)
                     : sign_ec(s->ec, alg, &d, out));
    return ok ? 1
              : hwk_raise(HWK_R_DELEGATE, "policy-keys: a signature failed");
}
