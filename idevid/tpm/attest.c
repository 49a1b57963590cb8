/* SPDX-License-Identifier: Apache-2.0 */
/* TPMS_ATTEST and TPMT_PUBLIC, read as the hostile input that they are. */
#include <string.h>

#include <idevid/auto.h>

#include "tpm/attest.h"

#define GENERATED 0xff544347u /* TPM_GENERATED_VALUE */
#define ST_ATTEST_NV 0x8014

/* What is left to read. Once something is missing everything reads as zero. */
struct reader {
    struct idv_bytes left;
    bool bad;
};

static struct idv_bytes take(struct reader *r, size_t n)
{
    struct idv_bytes v = {0};
    if (r->bad || n > r->left.n) {
        r->bad = true;
        return v;
    }
    v = idv_bytes(r->left.p, n);
    r->left = idv_bytes(r->left.p + n, r->left.n - n);
    return v;
}

static uint64_t number(struct reader *r, size_t n)
{
    struct idv_bytes b = take(r, n);
    uint64_t v = 0;
    for (size_t i = 0; i < b.n; i++)
        v = v << 8 | b.p[i];
    return v;
}

static uint16_t u16(struct reader *r)
{
    return (uint16_t)number(r, 2);
}

static uint32_t u32(struct reader *r)
{
    return (uint32_t)number(r, 4);
}

/* TPM2B_ */
static struct idv_bytes sized(struct reader *r)
{
    return take(r, u16(r));
}

static bool at_end(const struct reader *r)
{
    return !r->bad && r->left.n == 0;
}

size_t idvi_tpm_hash_size(uint16_t alg)
{
    switch (alg) {
    case IDVI_TPM_SHA256:
        return 32;
    case IDVI_TPM_SHA384:
        return 48;
    case IDVI_TPM_SHA512:
        return 64;
    default:
        return 0;
    }
}

const EVP_MD *idvi_tpm_md(uint16_t alg)
{
    return alg == IDVI_TPM_SHA256   ? EVP_sha256()
           : alg == IDVI_TPM_SHA384 ? EVP_sha384()
                                    : EVP_sha512();
}

idv_rc idvi_tpm_name(uint16_t alg, const struct idv_bytes *parts, size_t n,
                     struct idv_buf *out)
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    uint8_t name[IDVI_TPM_NAME_MAX] = {(uint8_t)(alg >> 8), (uint8_t)alg};
    int ok = ctx && EVP_DigestInit_ex(ctx, idvi_tpm_md(alg), NULL);
    for (size_t i = 0; ok && i < n; i++)
        ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n);
    if (!ok || EVP_DigestFinal_ex(ctx, name + 2, NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "a TPM's Name");
    return idv_buf_put(out, idv_bytes(name, 2 + idvi_tpm_hash_size(alg)));
}

/* --- TPMS_ATTEST --- */

static bool is_name(struct idv_bytes v)
{
    if (v.n < 2)
        return false;
    size_t n = idvi_tpm_hash_size((uint16_t)(v.p[0] << 8 | v.p[1]));
    return n > 0 && v.n == 2 + n;
}

static idv_rc read_head(struct reader *r, struct idvi_attest *a)
{
    if (u32(r) != GENERATED)
        return idv_fail(IDV_E_FORMAT, "attestation: not made by a TPM");
    uint16_t type = u16(r);
    if (type != ST_ATTEST_NV)
        return idv_fail(IDV_E_FORMAT,
                        "attestation: of type 0x%04x, not of an NV index",
                        type);
    a->signer = sized(r);
    a->extra = sized(r);
    if (!is_name(a->signer))
        return idv_fail(IDV_E_FORMAT, "attestation: its signer's Name is none");
    return IDV_OK;
}

static idv_rc read_clock(struct reader *r, struct idvi_attest *a)
{
    a->clock = number(r, 8);
    a->resets = u32(r);
    a->restarts = u32(r);
    uint64_t safe = number(r, 1);
    a->firmware = number(r, 8);
    a->safe = safe == 1;
    if (safe > 1)
        return idv_fail(IDV_E_FORMAT, "attestation: clock neither safe nor "
                                      "unsafe");
    return IDV_OK;
}

static idv_rc read_index(struct reader *r, struct idvi_attest *a)
{
    a->index = sized(r);
    a->offset = u16(r);
    a->contents = sized(r);
    if (!r->bad && !is_name(a->index))
        return idv_fail(IDV_E_FORMAT, "attestation: its index's Name is none");
    return IDV_OK;
}

idv_rc idvi_attest_from_bytes(struct idv_bytes raw, struct idvi_attest *out)
{
    struct reader r = {.left = raw};
    struct idvi_attest a = {0};
    IDV_TRY(read_head(&r, &a));
    IDV_TRY(read_clock(&r, &a));
    IDV_TRY(read_index(&r, &a));
    if (!at_end(&r))
        return idv_fail(IDV_E_FORMAT, "attestation: %s",
                        r.bad ? "cut off" : "bytes after it");
    *out = a;
    return IDV_OK;
}

/* --- TPMT_PUBLIC --- */

static idv_rc read_scheme(struct reader *r, struct idvi_tpm_public *p)
{
    p->scheme = u16(r);
    switch (p->scheme) {
    case IDVI_TPM_NULL:
        return IDV_OK;
    case IDVI_TPM_RSASSA:
    case IDVI_TPM_RSAPSS:
    case IDVI_TPM_ECDSA:
        p->hash = u16(r);
        return IDV_OK;
    default:
        return idv_fail(IDV_E_FORMAT, "public area: scheme 0x%04x is unknown",
                        p->scheme);
    }
}

static idv_rc read_rsa(struct reader *r, struct idvi_tpm_public *p)
{
    p->bits = u16(r);
    p->exponent = u32(r);
    p->modulus = sized(r);
    if (p->modulus.n * 8 != p->bits)
        return idv_fail(IDV_E_FORMAT,
                        "public area: modulus of %zu bytes in a "
                        "key of %u bits",
                        p->modulus.n, p->bits);
    return IDV_OK;
}

static idv_rc read_ecc(struct reader *r, struct idvi_tpm_public *p)
{
    p->curve = u16(r);
    if (u16(r) != IDVI_TPM_NULL)
        return idv_fail(IDV_E_FORMAT, "public area: a derivation that no "
                                      "signature has");
    p->x = sized(r);
    p->y = sized(r);
    return IDV_OK;
}

static idv_rc read_kind(struct reader *r, struct idvi_tpm_public *p)
{
    p->type = u16(r);
    p->name_alg = u16(r);
    p->attributes = u32(r);
    sized(r); /* its authPolicy: who may use it is the device's matter */
    if (p->type != IDVI_TPM_RSA && p->type != IDVI_TPM_ECC)
        return idv_fail(IDV_E_FORMAT, "public area: neither RSA nor ECC");
    if (idvi_tpm_hash_size(p->name_alg) == 0)
        return idv_fail(IDV_E_FORMAT, "public area: Names by 0x%04x",
                        p->name_alg);
    if (u16(r) != IDVI_TPM_NULL)
        return idv_fail(IDV_E_FORMAT, "public area: of a key for keys");
    return IDV_OK;
}

idv_rc idvi_tpm_public_from_bytes(struct idv_bytes raw,
                                  struct idvi_tpm_public *out)
{
    struct reader r = {.left = raw};
    struct idvi_tpm_public p = {.raw = raw};
    IDV_TRY(read_kind(&r, &p));
    IDV_TRY(read_scheme(&r, &p));
    if (p.type == IDVI_TPM_RSA)
        IDV_TRY(read_rsa(&r, &p));
    else
        IDV_TRY(read_ecc(&r, &p));
    if (!at_end(&r))
        return idv_fail(IDV_E_FORMAT, "public area: %s",
                        r.bad ? "cut off" : "bytes after it");
    *out = p;
    return IDV_OK;
}
