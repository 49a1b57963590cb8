/* SPDX-License-Identifier: Apache-2.0 */
/* TCG-CSR-IDEVID, written: what is signed, then all of it. */
#include <openssl/err.h>

#include <idevid/auto.h>

#include "factory/tcgcsr_layout.h"
#include "tpm/wire.h"

#define WHAT "TCG-CSR-IDEVID: "

IDV_AUTO_PTR_DEFINE(TCGCSR_SIG, TCGCSR_SIG_free)

static const struct idvi_tcgcsr_form ours;

static bool sized(const struct idvi_tcgcsr_form *f, size_t i,
                  struct idv_bytes v)
{
    size_t flag = idvi_tcgcsr_layout[i].sized;
    return v.n > 0 && flag && *(const bool *)((const char *)f + flag);
}

static struct idv_bytes part(const struct idvi_tcgcsr_parts *p, size_t i)
{
    struct idvi_tcgcsr_parts copy = *p;
    return *idvi_tcgcsr_at(&copy, i);
}

/* bytes on the wire, with the size that it may have of its own */
static idv_rc size_of(const struct idvi_tcgcsr_parts *p,
                      const struct idvi_tcgcsr_form *f, size_t i, size_t *n)
{
    struct idv_bytes v = part(p, i);
    *n = v.n + (sized(f, i, v) ? 2 : 0);
    if (*n > idvi_tcgcsr_layout[i].max)
        return idv_fail(IDV_E_LIMIT, WHAT "%s is %zu, more than %u",
                        idvi_tcgcsr_layout[i].name, *n,
                        idvi_tcgcsr_layout[i].max);
    return IDV_OK;
}

/* the sizes, the last of them that of the pad, and *pad */
static idv_rc put_sizes(const struct idvi_tcgcsr_parts *p,
                        const struct idvi_tcgcsr_form *f, size_t hash_n,
                        struct idv_buf *body, size_t *pad)
{
    size_t all = TCGCSR_HEAD + hash_n + TCGCSR_SIZES;
    for (size_t i = 0; i < TCGCSR_PARTS; i++) {
        size_t n = 0;
        IDV_TRY(size_of(p, f, i, &n));
        IDV_TRY(idvi_wire_put32(body, (uint32_t)n));
        all += n;
    }
    *pad = f->odd_padding ? 0 : (TCGCSR_PAD - all % TCGCSR_PAD) % TCGCSR_PAD;
    return idvi_wire_put32(body, (uint32_t)*pad);
}

static idv_rc put_parts(const struct idvi_tcgcsr_parts *p,
                        const struct idvi_tcgcsr_form *f, size_t pad,
                        struct idv_buf *body)
{
    static const uint8_t zeros[TCGCSR_PAD];
    for (size_t i = 0; i < TCGCSR_PARTS; i++) {
        struct idv_bytes v = part(p, i);
        IDV_TRY(sized(f, i, v) ? idvi_wire_put_sized(body, v)
                               : idv_buf_put(body, v));
    }
    return idv_buf_put(body, idv_bytes(zeros, pad));
}

idv_rc idvi_tcgcsr_contents(const struct idvi_tcgcsr_parts *parts,
                            uint16_t hash, const struct idvi_tcgcsr_form *form,
                            struct idv_buf *out)
{
    const struct idvi_tcgcsr_form *f = form ? form : &ours;
    size_t n = idvi_tpm_hash_size(hash), pad = 0;
    uint8_t digest[64];
    IDV_AUTO(buf) body = {.max = IDV_MAX_TCG_CSR};
    if (n == 0)
        return idv_fail(IDV_E_ARG, WHAT "a hash 0x%04x", hash);
    IDV_TRY(put_sizes(parts, f, f->no_hash ? 0 : n, &body, &pad));
    IDV_TRY(put_parts(parts, f, pad, &body));
    IDV_TRY(idvi_tcgcsr_hash(hash, idv_view(&body), digest));
    IDV_TRY(idvi_wire_put32(out, TCGCSR_CONTENTS_VERSION));
    IDV_TRY(idvi_wire_put32(out, hash));
    IDV_TRY(idvi_wire_put32(out, (uint32_t)n));
    IDV_TRY(idv_buf_put(out, idv_bytes(digest, f->no_hash ? 0 : n)));
    return idv_buf_put(out, idv_view(&body));
}

static idv_rc wrap(uint16_t type, uint16_t hash, struct idv_bytes value,
                   struct idv_buf *out)
{
    IDV_AUTO_PTR(TCGCSR_SIG) sig = TCGCSR_SIG_new();
    uint8_t *p = NULL;
    ASN1_OBJECT *oid = OBJ_nid2obj(idvi_tcgcsr_sigid(type, hash));
    int null = type == IDVI_TPM_RSA ? V_ASN1_NULL : V_ASN1_UNDEF;
    if (!sig || X509_ALGOR_set0(sig->algorithm, oid, null, NULL) != 1 ||
        ASN1_STRING_set(sig->value, value.p, (int)value.n) != 1)
        return idv_fail(IDV_E_CRYPTO, WHAT "its signature");
    sig->value->flags = ASN1_STRING_FLAG_BITS_LEFT; /* no bit is spare */
    int n = i2d_TCGCSR_SIG(sig, NULL);
    if (n <= 0)
        return idv_fail(IDV_E_CRYPTO, WHAT "its signature");
    IDV_TRY(idv_buf_room(out, (size_t)n, &p));
    out->n += (size_t)i2d_TCGCSR_SIG(sig, &p);
    return IDV_OK;
}

idv_rc idvi_tcgcsr_whole(struct idv_bytes contents, uint16_t hash,
                         uint16_t type, struct idv_bytes signature,
                         const struct idvi_tcgcsr_form *form,
                         struct idv_buf *out)
{
    const struct idvi_tcgcsr_form *f = form ? form : &ours;
    uint32_t said = f->odd_size ? 0 : (uint32_t)contents.n;
    IDV_AUTO(buf) all = {.max = IDV_MAX_TCG_CSR};
    IDV_AUTO(buf) sig = {0};
    if (idvi_tpm_hash_size(hash) == 0 || signature.n == 0 ||
        signature.n > TCGCSR_SIGNATURE_MAX - 32)
        return idv_fail(IDV_E_ARG,
                        WHAT "a signature of %zu bytes with the hash 0x%04x",
                        signature.n, hash);
    IDV_TRY(f->bare_signature ? idv_buf_put(&sig, signature)
                              : wrap(type, hash, signature, &sig));
    IDV_TRY(idvi_wire_put32(&all, f->old_version ? TCGCSR_OLD_VERSION
                                                 : TCGCSR_VERSION));
    IDV_TRY(idvi_wire_put32(&all, said));
    IDV_TRY(idvi_wire_put32(&all, (uint32_t)sig.n));
    IDV_TRY(idv_buf_put(&all, contents));
    IDV_TRY(idv_buf_put(&all, idv_view(&sig)));
    return idv_buf_put(out, idv_view(&all));
}
