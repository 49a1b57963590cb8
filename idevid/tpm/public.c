/* SPDX-License-Identifier: Apache-2.0 */
/* TPMT_PUBLIC and Names. */
#include <idevid/auto.h>

#include "tpm/public.h"
#include "tpm/wire.h"

/* --- hashes and Names --- */

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

bool idvi_tpm_is_name(struct idv_bytes v)
{
    if (v.n < 2)
        return false;
    size_t n = idvi_tpm_hash_size((uint16_t)(v.p[0] << 8 | v.p[1]));
    return n > 0 && v.n == 2 + n;
}

idv_rc idvi_tpm_public_name(const struct idvi_tpm_public *p,
                            struct idv_buf *out)
{
    return idvi_tpm_name(p->name_alg, &p->raw, 1, out);
}

idv_rc idvi_tpm_public_qualified(const struct idvi_tpm_public *p,
                                 uint32_t hierarchy, struct idv_buf *out)
{
    const uint8_t handle[4] = {(uint8_t)(hierarchy >> 24),
                               (uint8_t)(hierarchy >> 16),
                               (uint8_t)(hierarchy >> 8), (uint8_t)hierarchy};
    IDV_AUTO(buf) name = {0};
    IDV_TRY(idvi_tpm_public_name(p, &name));
    const struct idv_bytes parts[] = {idv_bytes(handle, sizeof(handle)),
                                      idv_view(&name)};
    return idvi_tpm_name(p->name_alg, parts, 2, out);
}

/* --- reading --- */

static idv_rc read_symmetric(struct idvi_wire *r, struct idvi_tpm_public *p)
{
    p->symmetric = idvi_wire_u16(r);
    if (r->bad || p->symmetric == IDVI_TPM_NULL)
        return IDV_OK;
    if (p->symmetric != IDVI_TPM_AES)
        return idv_fail(IDV_E_FORMAT,
                        "public area: symmetric algorithm 0x%04x is unknown",
                        p->symmetric);
    p->sym_bits = idvi_wire_u16(r);
    p->sym_mode = idvi_wire_u16(r);
    return IDV_OK;
}

static idv_rc read_scheme(struct idvi_wire *r, struct idvi_tpm_public *p)
{
    p->scheme = idvi_wire_u16(r);
    switch (p->scheme) {
    case IDVI_TPM_NULL:
        return IDV_OK;
    case IDVI_TPM_RSASSA:
    case IDVI_TPM_RSAPSS:
    case IDVI_TPM_ECDSA:
        p->hash = idvi_wire_u16(r);
        return IDV_OK;
    default:
        return idv_fail(IDV_E_FORMAT, "public area: scheme 0x%04x is unknown",
                        p->scheme);
    }
}

static idv_rc read_rsa(struct idvi_wire *r, struct idvi_tpm_public *p)
{
    p->bits = idvi_wire_u16(r);
    p->exponent = idvi_wire_u32(r);
    p->modulus = idvi_wire_sized(r);
    if (!r->bad && p->modulus.n * 8 != p->bits)
        return idv_fail(IDV_E_FORMAT,
                        "public area: modulus of %zu bytes in a "
                        "key of %u bits",
                        p->modulus.n, p->bits);
    return IDV_OK;
}

static idv_rc read_ecc(struct idvi_wire *r, struct idvi_tpm_public *p)
{
    p->curve = idvi_wire_u16(r);
    uint16_t kdf = idvi_wire_u16(r);
    if (!r->bad && kdf != IDVI_TPM_NULL)
        return idv_fail(IDV_E_FORMAT,
                        "public area: a derivation 0x%04x, which "
                        "no key has",
                        kdf);
    p->x = idvi_wire_sized(r);
    p->y = idvi_wire_sized(r);
    return IDV_OK;
}

static idv_rc read_kind(struct idvi_wire *r, struct idvi_tpm_public *p)
{
    p->type = idvi_wire_u16(r);
    p->name_alg = idvi_wire_u16(r);
    p->attributes = idvi_wire_u32(r);
    p->policy = idvi_wire_sized(r);
    if (p->type != IDVI_TPM_RSA && p->type != IDVI_TPM_ECC)
        return idv_fail(IDV_E_FORMAT, "public area: neither RSA nor ECC");
    if (idvi_tpm_hash_size(p->name_alg) == 0)
        return idv_fail(IDV_E_FORMAT, "public area: Names by 0x%04x",
                        p->name_alg);
    if (p->policy.n && p->policy.n != idvi_tpm_hash_size(p->name_alg))
        return idv_fail(IDV_E_FORMAT, "public area: authPolicy of %zu bytes",
                        p->policy.n);
    return IDV_OK;
}

idv_rc idvi_tpm_public_from_bytes(struct idv_bytes raw,
                                  struct idvi_tpm_public *out)
{
    struct idvi_wire r = {.left = raw};
    struct idvi_tpm_public p = {.raw = raw};
    IDV_TRY(read_kind(&r, &p));
    IDV_TRY(read_symmetric(&r, &p));
    if (!r.bad)
        IDV_TRY(read_scheme(&r, &p));
    IDV_TRY(p.type == IDVI_TPM_RSA ? read_rsa(&r, &p) : read_ecc(&r, &p));
    IDV_TRY(idvi_wire_end(&r, "public area"));
    *out = p;
    return IDV_OK;
}

struct idv_bytes idvi_tpm_public_unsized(struct idv_bytes raw, bool *sized)
{
    struct idvi_wire r = {.left = raw};
    struct idv_bytes in = idvi_wire_sized(&r);
    struct idvi_wire inner = {.left = in};
    uint16_t type = idvi_wire_u16(&inner);
    bool is = !r.bad && r.left.n == 0 &&
              (type == IDVI_TPM_RSA || type == IDVI_TPM_ECC);
    if (sized)
        *sized = is;
    return is ? in : raw;
}

/* --- writing --- */

static idv_rc put_symmetric(const struct idvi_tpm_public *p,
                            struct idv_buf *out)
{
    IDV_TRY(idvi_wire_put16(out, p->symmetric));
    if (p->symmetric == IDVI_TPM_NULL)
        return IDV_OK;
    IDV_TRY(idvi_wire_put16(out, p->sym_bits));
    return idvi_wire_put16(out, p->sym_mode);
}

static idv_rc put_scheme(const struct idvi_tpm_public *p, struct idv_buf *out)
{
    IDV_TRY(idvi_wire_put16(out, p->scheme));
    return p->scheme == IDVI_TPM_NULL ? IDV_OK : idvi_wire_put16(out, p->hash);
}

idv_rc idvi_tpm_public_to_bytes(const struct idvi_tpm_public *p,
                                struct idv_buf *out)
{
    IDV_TRY(idvi_wire_put16(out, p->type));
    IDV_TRY(idvi_wire_put16(out, p->name_alg));
    IDV_TRY(idvi_wire_put32(out, p->attributes));
    IDV_TRY(idvi_wire_put_sized(out, p->policy));
    IDV_TRY(put_symmetric(p, out));
    IDV_TRY(put_scheme(p, out));
    if (p->type == IDVI_TPM_RSA) {
        IDV_TRY(idvi_wire_put16(out, p->bits));
        IDV_TRY(idvi_wire_put32(out, p->exponent));
        return idvi_wire_put_sized(out, p->modulus);
    }
    IDV_TRY(idvi_wire_put16(out, p->curve));
    IDV_TRY(idvi_wire_put16(out, IDVI_TPM_NULL)); /* no derivation */
    IDV_TRY(idvi_wire_put_sized(out, p->x));
    return idvi_wire_put_sized(out, p->y);
}
