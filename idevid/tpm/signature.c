/* SPDX-License-Identifier: Apache-2.0 */
/* TPMT_SIGNATURE, there and back, and verified. */
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include <idevid/auto.h>

#include "tpm/signature.h"
#include "tpm/wire.h"

#define RSA_MIN 2048
#define PART_MAX 66 /* of an ECDSA signature, P-521 */

IDV_AUTO_PTR_DEFINE(ECDSA_SIG, ECDSA_SIG_free)
IDV_AUTO_PTR_DEFINE(BIGNUM, BN_free)

/* --- reading --- */

idv_rc idvi_tpm_signature_from_bytes(struct idv_bytes raw,
                                     struct idvi_tpm_signature *out)
{
    struct idvi_wire r = {.left = raw};
    struct idvi_tpm_signature s = {.scheme = idvi_wire_u16(&r)};
    s.hash = idvi_wire_u16(&r);
    switch (s.scheme) {
    case IDVI_TPM_ECDSA:
        s.r = idvi_wire_sized(&r);
        s.s = idvi_wire_sized(&r);
        break;
    case IDVI_TPM_RSASSA:
    case IDVI_TPM_RSAPSS:
        s.rsa = idvi_wire_sized(&r);
        break;
    default:
        return idv_fail(IDV_E_FORMAT, "signature: scheme 0x%04x is unknown",
                        s.scheme);
    }
    if (!r.bad && idvi_tpm_hash_size(s.hash) == 0)
        return idv_fail(IDV_E_FORMAT, "signature: hash 0x%04x is unknown",
                        s.hash);
    if (s.r.n > PART_MAX || s.s.n > PART_MAX)
        return idv_fail(IDV_E_FORMAT, "signature: longer than any curve's");
    IDV_TRY(idvi_wire_end(&r, "signature"));
    *out = s;
    return IDV_OK;
}

/* --- to and from libcrypto --- */

static idv_rc put_number(const BIGNUM *v, size_t size, struct idv_buf *out)
{
    uint8_t raw[PART_MAX];
    if (size > sizeof(raw) || BN_bn2binpad(v, raw, (int)size) < 0)
        return idv_fail(IDV_E_FORMAT, "signature: longer than its curve's");
    return idvi_wire_put_sized(out, idv_bytes(raw, size));
}

static idv_rc put_ecdsa(const struct idvi_tpm_public *key, struct idv_bytes sig,
                        struct idv_buf *out)
{
    const uint8_t *p = sig.p;
    size_t size = idvi_tpm_curve_size(key->curve);
    IDV_AUTO_PTR(ECDSA_SIG) s = d2i_ECDSA_SIG(NULL, &p, (long)sig.n);
    ERR_clear_error();
    if (!s || p != sig.p + sig.n)
        return idv_fail(IDV_E_FORMAT, "signature: no DER of ECDSA");
    IDV_TRY(put_number(ECDSA_SIG_get0_r(s), size, out));
    return put_number(ECDSA_SIG_get0_s(s), size, out);
}

idv_rc idvi_tpm_signature_to_bytes(const struct idvi_tpm_public *key,
                                   struct idv_bytes sig, struct idv_buf *out)
{
    bool rsa = key->type == IDVI_TPM_RSA, open = key->scheme == IDVI_TPM_NULL;
    uint16_t scheme =
        open ? (rsa ? IDVI_TPM_RSASSA : IDVI_TPM_ECDSA) : key->scheme;
    IDV_AUTO(buf) b = {0};
    if (sig.n > 1024)
        return idv_fail(IDV_E_FORMAT, "signature: of %zu bytes", sig.n);
    IDV_TRY(idvi_wire_put16(&b, scheme));
    IDV_TRY(idvi_wire_put16(&b, open ? key->name_alg : key->hash));
    IDV_TRY(rsa ? idvi_wire_put_sized(&b, sig) : put_ecdsa(key, sig, &b));
    return idv_buf_put(out, idv_view(&b));
}

static idv_rc ecdsa_der(const struct idvi_tpm_signature *sig,
                        struct idv_buf *out)
{
    IDV_AUTO_PTR(ECDSA_SIG) s = ECDSA_SIG_new();
    IDV_AUTO_PTR(BIGNUM) r = BN_bin2bn(sig->r.p, (int)sig->r.n, NULL);
    IDV_AUTO_PTR(BIGNUM) t = BN_bin2bn(sig->s.p, (int)sig->s.n, NULL);
    uint8_t *p = NULL;
    if (!s || !r || !t)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    ECDSA_SIG_set0(s, idv_steal(&r), idv_steal(&t));
    int n = i2d_ECDSA_SIG(s, NULL);
    if (n <= 0)
        return idv_fail(IDV_E_CRYPTO, "signature: its DER");
    IDV_TRY(idv_buf_room(out, (size_t)n, &p));
    out->n += (size_t)i2d_ECDSA_SIG(s, &p);
    return IDV_OK;
}

idv_rc idvi_tpm_signature_to_evp(const struct idvi_tpm_signature *sig,
                                 struct idv_buf *out)
{
    return sig->scheme == IDVI_TPM_ECDSA ? ecdsa_der(sig, out)
                                         : idv_buf_put(out, sig->rsa);
}

/* --- verifying --- */

static idv_rc check_scheme(const struct idvi_tpm_signature *sig,
                           const struct idvi_tpm_public *key)
{
    bool open = key->scheme == IDVI_TPM_NULL;
    bool rsa = key->type == IDVI_TPM_RSA;
    if (rsa == (sig->scheme == IDVI_TPM_ECDSA) ||
        (!open && (sig->scheme != key->scheme || sig->hash != key->hash)))
        return idv_fail(IDV_E_REJECT,
                        "signature: scheme 0x%04x with hash 0x%04x is not the "
                        "key's",
                        sig->scheme, sig->hash);
    if (rsa && key->bits < RSA_MIN)
        return idv_fail(IDV_E_REJECT, "signature: by RSA of %u bits",
                        key->bits);
    return IDV_OK;
}

static int begin(EVP_MD_CTX *ctx, const struct idvi_tpm_signature *sig,
                 EVP_PKEY *key)
{
    EVP_PKEY_CTX *pctx = NULL;
    if (EVP_DigestVerifyInit(ctx, &pctx, idvi_tpm_md(sig->hash), NULL, key) !=
        1)
        return 0;
    if (sig->scheme != IDVI_TPM_RSAPSS)
        return 1;
    return EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_AUTO) == 1;
}

idv_rc idvi_tpm_signature_verify(const struct idvi_tpm_signature *sig,
                                 const struct idvi_tpm_public *key,
                                 struct idv_bytes message)
{
    IDV_AUTO_PTR(EVP_PKEY) pkey = NULL;
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    IDV_AUTO(buf) raw = {0};
    IDV_TRY(check_scheme(sig, key));
    IDV_TRY(idvi_tpm_public_to_key(key, &pkey));
    IDV_TRY(idvi_tpm_signature_to_evp(sig, &raw));
    if (!ctx)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    int ok = begin(ctx, sig, pkey) == 1 &&
             EVP_DigestVerify(ctx, raw.p, raw.n, message.p, message.n) == 1;
    ERR_clear_error();
    return ok ? IDV_OK
              : idv_fail(IDV_E_REJECT, "signature: it is not the key's");
}
