/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM's public areas and curves as the provider's, all pure. */
#include <string.h>

#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_public.h"

static const struct {
    TPMI_ECC_CURVE tpm;
    unsigned bits;
} curves[] = {
    {TPM2_ECC_NIST_P256, 256},
    {TPM2_ECC_NIST_P384, 384},
    {TPM2_ECC_NIST_P521, 521},
};

TPMI_ECC_CURVE hwk_tpm_curve(const struct hwk_curve *curve)
{
    for (size_t i = 0; curve && i < sizeof(curves) / sizeof(*curves); i++)
        if (hwk_curve_by_bits(curves[i].bits) == curve)
            return curves[i].tpm;
    return TPM2_ECC_NONE;
}

const struct hwk_curve *hwk_tpm_curve_facts(TPMI_ECC_CURVE curve)
{
    for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++)
        if (curves[i].tpm == curve)
            return hwk_curve_by_bits(curves[i].bits);
    return NULL;
}

int hwk_tpm_align(const uint8_t *p, size_t size, uint8_t *out, size_t n)
{
    for (; size > n && *p == 0; size--)
        p++;
    if (size > n)
        return 0;
    memset(out, 0, n - size);
    memcpy(out + n - size, p, size);
    return 1;
}

static int ec_public(const TPMT_PUBLIC *t, struct hwk_pub *out)
{
    const struct hwk_curve *c =
        hwk_tpm_curve_facts(t->parameters.eccDetail.curveID);
    if (!c)
        return hwk_raise(HWK_R_KEY, "TPM key: curve 0x%04x is not supported",
                         t->parameters.eccDetail.curveID);
    const TPMS_ECC_POINT *q = &t->unique.ecc;
    return hwk_pub_ec_xy(out, c, q->x.buffer, q->x.size, q->y.buffer,
                         q->y.size);
}

/* A key tied to RSAPSS is for nothing else. TPMs make salts as long as the
 * digest, or older ones as fit. */
static struct hwk_pss pss_of(const TPMT_PUBLIC *t)
{
    const TPMT_RSA_SCHEME *fixed = &t->parameters.rsaDetail.scheme;
    if (fixed->scheme != TPM2_ALG_RSAPSS)
        return (struct hwk_pss){.only = false};
    enum hwk_md md = hwk_tpm_md(fixed->details.rsapss.hashAlg);
    return (struct hwk_pss){
        .only = true, .md = md, .mgf1 = md, .min_salt = (int)hwk_md_size(md)};
}

static int rsa_public(const TPMT_PUBLIC *t, struct hwk_pub *out)
{
    UINT32 e = t->parameters.rsaDetail.exponent;
    if (e == 0)
        e = 65537;
    const uint8_t exponent[] = {(uint8_t)(e >> 24), (uint8_t)(e >> 16),
                                (uint8_t)(e >> 8), (uint8_t)e};
    if (!hwk_pub_rsa(out, t->unique.rsa.buffer, t->unique.rsa.size, exponent,
                     sizeof(exponent)))
        return 0;
    out->pss = pss_of(t);
    return 1;
}

int hwk_tpm_public(const TPM2B_PUBLIC *in, struct hwk_pub *out)
{
    const TPMT_PUBLIC *t = &in->publicArea;
    switch (t->type) {
    case TPM2_ALG_ECC:
        return ec_public(t, out);
    case TPM2_ALG_RSA:
        return rsa_public(t, out);
    default:
        return hwk_raise(HWK_R_KEY, "TPM object of type 0x%04x is no key pair",
                         t->type);
    }
}

TPM2_ALG_ID hwk_tpm_scheme(const TPM2B_PUBLIC *pub)
{
    const TPMT_PUBLIC *t = &pub->publicArea;
    return t->type == TPM2_ALG_ECC ? t->parameters.eccDetail.scheme.scheme
                                   : t->parameters.rsaDetail.scheme.scheme;
}

TPMI_ALG_HASH hwk_tpm_scheme_hash(const TPM2B_PUBLIC *pub)
{
    const TPMT_PUBLIC *t = &pub->publicArea;
    switch (hwk_tpm_scheme(pub)) {
    case TPM2_ALG_ECDSA:
        return t->parameters.eccDetail.scheme.details.ecdsa.hashAlg;
    case TPM2_ALG_RSASSA:
        return t->parameters.rsaDetail.scheme.details.rsassa.hashAlg;
    case TPM2_ALG_RSAPSS:
        return t->parameters.rsaDetail.scheme.details.rsapss.hashAlg;
    default:
        return TPM2_ALG_NULL;
    }
}

static size_t order_bytes(TPMI_ECC_CURVE curve)
{
    const struct hwk_curve *c = hwk_tpm_curve_facts(curve);
    return c ? c->field : 0;
}

/* An ECDSA key tied to a hash as long as its order takes them all. */
enum hwk_md hwk_tpm_mandatory_md(const TPM2B_PUBLIC *pub)
{
    const TPMT_PUBLIC *t = &pub->publicArea;
    enum hwk_md md = hwk_tpm_md(hwk_tpm_scheme_hash(pub));
    size_t order = order_bytes(t->parameters.eccDetail.curveID);
    bool restricted = t->objectAttributes & TPMA_OBJECT_RESTRICTED;
    if (t->type == TPM2_ALG_ECC && !restricted &&
        hwk_md_size(md) >= (order < 64 ? order : 64))
        return HWK_MD_NONE;
    return md;
}

unsigned hwk_tpm_flags(const TPM2B_PUBLIC *pub)
{
    TPMA_OBJECT a = pub->publicArea.objectAttributes;
    unsigned flags = 0;
    if (!(a & TPMA_OBJECT_SIGN_ENCRYPT))
        flags |= HWK_FOUND_NO_SIGN;
    else if (a & TPMA_OBJECT_RESTRICTED)
        flags |= HWK_FOUND_MESSAGE;
    if ((a & TPMA_OBJECT_DECRYPT) && !(a & TPMA_OBJECT_RESTRICTED))
        flags |= HWK_FOUND_DECRYPT;
    else if (pub->publicArea.type == TPM2_ALG_RSA)
        flags |= HWK_FOUND_PSS_DIGEST;
    return flags;
}

bool hwk_tpm_is_parent(const TPM2B_PUBLIC *pub)
{
    const TPMA_OBJECT want = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
    const TPMT_PUBLIC *t = &pub->publicArea;
    return (t->type == TPM2_ALG_ECC || t->type == TPM2_ALG_RSA) &&
           (t->objectAttributes & (want | TPMA_OBJECT_SIGN_ENCRYPT)) == want;
}

int hwk_tpm_ecdsa_digest(TPMI_ECC_CURVE curve, const uint8_t *in, size_t n,
                         TPMI_ALG_HASH *alg, TPM2B_DIGEST *out)
{
    static const TPMI_ALG_HASH sizes[] = {TPM2_ALG_SHA256, TPM2_ALG_SHA384,
                                          TPM2_ALG_SHA512};
    size_t order = order_bytes(curve);
    TPMI_ALG_HASH chosen = *alg;
    if (n > order)
        n = order;
    for (size_t i = 0; chosen == TPM2_ALG_NULL && i < 3; i++)
        if (hwk_md_size(hwk_tpm_md(sizes[i])) >= n)
            chosen = sizes[i];
    size_t size = hwk_md_size(hwk_tpm_md(chosen));
    if (size == 0 || size > sizeof(out->buffer))
        return 0;
    memset(out, 0, sizeof(*out));
    if (!hwk_tpm_align(in, n, out->buffer, size < order ? size : order))
        return 0;
    out->size = (UINT16)size;
    *alg = chosen;
    return 1;
}
