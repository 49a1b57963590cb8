/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and signatures of those who sign for a policy, from files. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_rule_file.h"
#include "provider/env.h"
#include "provider/sigform.h"
#include "provider/spki.h"

#define FILE_MAX 65536

/* as tpm2_loadexternal has it */
#define ATTRIBUTES                                                             \
    (TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_DECRYPT)

static void fill_ec(const struct hwk_pub *pub, TPMT_PUBLIC *t)
{
    size_t n = pub->curve->field;
    t->type = TPM2_ALG_ECC;
    t->parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
    t->parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
    t->parameters.eccDetail.curveID = hwk_tpm_curve(pub->curve);
    t->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
    t->unique.ecc.x.size = t->unique.ecc.y.size = (UINT16)n;
    memcpy(t->unique.ecc.x.buffer, pub->point + 1, n);
    memcpy(t->unique.ecc.y.buffer, pub->point + 1 + n, n);
}

static void fill_rsa(const struct hwk_pub *pub, TPMT_PUBLIC *t)
{
    UINT32 e = 0;
    for (size_t i = 0; i < pub->e_len; i++)
        e = e << 8 | pub->e[i];
    t->type = TPM2_ALG_RSA;
    t->parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
    t->parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
    t->parameters.rsaDetail.keyBits = (UINT16)(8 * pub->n_len);
    t->parameters.rsaDetail.exponent = e;
    t->unique.rsa.size = (UINT16)pub->n_len;
    memcpy(t->unique.rsa.buffer, pub->n, pub->n_len);
}

int hwk_tpm_signer_public(const struct hwk_pub *pub, TPM2B_PUBLIC *out)
{
    memset(out, 0, sizeof(*out));
    out->publicArea.nameAlg = TPM2_ALG_SHA256;
    out->publicArea.objectAttributes = ATTRIBUTES;
    if (pub->type == HWK_KEY_EC && hwk_tpm_curve(pub->curve) != TPM2_ECC_NONE)
        fill_ec(pub, &out->publicArea);
    else if (pub->type == HWK_KEY_RSA && pub->e_len <= 4 &&
             pub->n_len <= sizeof(out->publicArea.unique.rsa.buffer))
        fill_rsa(pub, &out->publicArea);
    else
        return hwk_raise(HWK_R_KEY, "policy: a TPM checks signatures of RSA "
                                    "and of P-256, P-384 and P-521 only");
    return 1;
}

/* the first thing in PEM: 1, 0 with a reason, -1 when there is none */
static int from_pem(const uint8_t *p, size_t n, struct hwk_pub *out)
{
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    const uint8_t *spki;
    size_t spki_n;
    long len = 0;
    int ok = -1;
    BIO *bio = BIO_new_mem_buf(p, (int)n);
    ERR_set_mark();
    if (bio && PEM_read_bio(bio, &name, &header, &der, &len)) {
        ok = 0;
        if (strcmp(name, PEM_STRING_PUBLIC) == 0)
            ok = hwk_spki_to_pub(der, (size_t)len, out);
        else if (strcmp(name, PEM_STRING_X509) == 0)
            ok = hwk_spki_of_cert(der, (size_t)len, &spki, &spki_n) &&
                 hwk_spki_to_pub(spki, spki_n, out);
        else
            hwk_raise(HWK_R_FORMAT, "PEM of a %s, not of a public key", name);
        OPENSSL_cleanse(der, (size_t)len);
    }
    if (ok < 0)
        ERR_pop_to_mark();
    else
        ERR_clear_last_mark();
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(bio);
    return ok;
}

static int from_tpm(const uint8_t *p, size_t n, TPM2B_PUBLIC *out)
{
    size_t at = 0;
    memset(out, 0, sizeof(*out));
    if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(p, n, &at, out) == TSS2_RC_SUCCESS &&
        at == n && out->size > 0)
        return 1;
    return hwk_raise(HWK_R_FORMAT, "neither PEM nor a TPM2B_PUBLIC");
}

int hwk_tpm_file_public(const char *path, TPM2B_PUBLIC *out)
{
    struct hwk_pub pub;
    uint8_t *p = NULL;
    size_t n = 0;
    if (!hwk_file_read(path, FILE_MAX, &p, &n))
        return 0;
    int ok = from_pem(p, n, &pub);
    if (ok < 0)
        ok = from_tpm(p, n, out);
    else
        ok = ok && hwk_tpm_signer_public(&pub, out);
    OPENSSL_clear_free(p, n);
    return ok ? 1
              : hwk_raise(HWK_R_FORMAT, "policy: no public key in '%s'", path);
}

bool hwk_tpm_usual_signature(const uint8_t *p, size_t n, const TPMT_PUBLIC *key,
                             TPMT_SIGNATURE *out)
{
    uint8_t raw[2 * HWK_FIELD_MAX];
    memset(out, 0, sizeof(*out));
    if (key->type == TPM2_ALG_RSA) {
        if (n != key->unique.rsa.size)
            return false;
        out->sigAlg = TPM2_ALG_RSASSA;
        out->signature.rsassa.hash = TPM2_ALG_SHA256;
        out->signature.rsassa.sig.size = (UINT16)n;
        memcpy(out->signature.rsassa.sig.buffer, p, n);
        return true;
    }
    const struct hwk_curve *c =
        hwk_tpm_curve_facts(key->parameters.eccDetail.curveID);
    TPMS_SIGNATURE_ECDSA *e = &out->signature.ecdsa;
    if (!c || !hwk_sig_from_der(p, n, c->order, raw))
        return false;
    out->sigAlg = TPM2_ALG_ECDSA;
    e->hash = TPM2_ALG_SHA256;
    e->signatureR.size = e->signatureS.size = (UINT16)c->order;
    memcpy(e->signatureR.buffer, raw, c->order);
    memcpy(e->signatureS.buffer, raw + c->order, c->order);
    return true;
}

static bool tpm_signature(const uint8_t *p, size_t n, TPMT_SIGNATURE *out)
{
    size_t at = 0;
    return Tss2_MU_TPMT_SIGNATURE_Unmarshal(p, n, &at, out) ==
               TSS2_RC_SUCCESS &&
           at == n && out->sigAlg != TPM2_ALG_NULL;
}

int hwk_tpm_file_signature(const char *path, const TPM2B_PUBLIC *pub,
                           TPMT_SIGNATURE *out)
{
    uint8_t *p = NULL;
    size_t n = 0;
    if (!hwk_file_read(path, FILE_MAX, &p, &n))
        return 0;
    ERR_set_mark();
    int ok = tpm_signature(p, n, out) ||
             hwk_tpm_usual_signature(p, n, &pub->publicArea, out);
    ERR_pop_to_mark();
    OPENSSL_free(p);
    return ok ? 1
              : hwk_raise(HWK_R_FORMAT,
                          "policy: no signature of that key in '%s'", path);
}
