/* SPDX-License-Identifier: Apache-2.0 */
/* The policies of a TPM's own identities, from what they are made of (TPM 2.0
 * Library, Part 3 "Enhanced Authorization"). */
#include <string.h>

#include "tpm/devid.h"
#include "tpm/nvpolicy.h"
#include "tpm/wire.h"

#define CC_POLICY_AUTHORIZE_NV 0x00000192u
#define CC_CERTIFY 0x00000148u
#define CC_ACTIVATE 0x00000147u

/* Where TCG has the indices through which who owns the endorsement hierarchy
 * may give a key another policy later, one for each hash. */
#define NV_EK 0x01c07f01u
#define NV_IDEVID 0x01c90010u
#define NV_IAK 0x01c90018u
/* they can be read by all and are written by policy only */
#define NV_ATTRIBUTES                                                          \
    (IDVI_NV_POLICYWRITE | IDVI_NV_WRITEALL | IDVI_NV_PPREAD |                 \
     IDVI_NV_OWNERREAD | IDVI_NV_AUTHREAD | IDVI_NV_POLICYREAD |               \
     IDVI_NV_NO_DA | IDVI_NV_WRITTEN)

struct digest {
    uint16_t alg;
    size_t n;
    uint8_t p[64];
};

static struct idv_bytes view(const struct digest *d)
{
    return idv_bytes(d->p, d->n);
}

/* d = H(parts) */
static idv_rc hash(struct digest *d, const struct idv_bytes *parts, size_t n)
{
    struct idv_buf name = {0};
    idv_rc rc = idvi_tpm_name(d->alg, parts, n, &name);
    if (rc == IDV_OK)
        memcpy(d->p, name.p + 2, d->n);
    idv_buf_free(&name);
    return rc;
}

/* policyDigestNew = H(policyDigestOld || commandCode || args) */
static idv_rc extend(struct digest *d, uint32_t code, struct idv_bytes args)
{
    const uint8_t raw[4] = {(uint8_t)(code >> 24), (uint8_t)(code >> 16),
                            (uint8_t)(code >> 8), (uint8_t)code};
    const struct digest old = *d;
    const struct idv_bytes parts[] = {view(&old), idv_bytes(raw, 4), args};
    return hash(d, parts, 3);
}

static struct digest start(uint16_t alg)
{
    return (struct digest){.alg = alg, .n = idvi_tpm_hash_size(alg)};
}

/* by the endorsement hierarchy's value; there is no policyRef, and the second
 * hash, which takes it in, is made all the same */
static idv_rc secret(struct digest *d)
{
    static const uint8_t endorsement[4] = {0x40, 0, 0, 0x0b};
    IDV_TRY(extend(d, IDVI_CC_POLICY_SECRET, idv_bytes(endorsement, 4)));
    const struct digest old = *d;
    const struct idv_bytes part = view(&old);
    return hash(d, &part, 1);
}

static idv_rc command(struct digest *d, uint32_t code)
{
    const uint8_t raw[4] = {0, 0, (uint8_t)(code >> 8), (uint8_t)code};
    return extend(d, IDVI_CC_POLICY_COMMAND, idv_bytes(raw, 4));
}

/* the Name of the index: its nameAlg is the key's, its policy PolicyA */
static idv_rc index_name(const struct digest *a, uint32_t index,
                         struct idv_buf *out)
{
    struct idv_buf nv = {0};
    idv_rc rc = idvi_wire_put32(&nv, index);
    rc = rc ? rc : idvi_wire_put16(&nv, a->alg);
    rc = rc ? rc : idvi_wire_put32(&nv, NV_ATTRIBUTES);
    rc = rc ? rc : idvi_wire_put_sized(&nv, view(a));
    rc = rc ? rc : idvi_wire_put16(&nv, (uint16_t)(2 + a->n)); /* TPMT_HA */
    struct idv_bytes part = idv_view(&nv);
    rc = rc ? rc : idvi_tpm_name(a->alg, &part, 1, out);
    idv_buf_free(&nv);
    return rc;
}

static idv_rc authorize(const struct digest *a, uint32_t index,
                        struct digest *out)
{
    struct idv_buf name = {0};
    *out = start(a->alg);
    idv_rc rc = index_name(a, index, &name);
    rc = rc ? rc : extend(out, CC_POLICY_AUTHORIZE_NV, idv_view(&name));
    idv_buf_free(&name);
    return rc;
}

static idv_rc any(const struct digest *branches, size_t n, struct digest *out)
{
    uint8_t all[4 * sizeof(branches->p)];
    size_t at = 0;
    for (size_t i = 0; i < n; i++, at += branches->n)
        memcpy(all + at, branches[i].p, branches[i].n);
    *out = start(branches->alg);
    return extend(out, IDVI_CC_POLICY_OR, idv_bytes(all, at));
}

static idv_rc ek_high(const struct digest *a, uint32_t nth, struct digest *out)
{
    struct digest branches[2] = {*a};
    IDV_TRY(authorize(a, NV_EK + nth, &branches[1]));
    return any(branches, 2, out);
}

static idv_rc devid(const struct digest *a, uint32_t index, struct digest *out)
{
    struct digest branches[4] = {*a, *a, *a};
    IDV_TRY(command(&branches[1], CC_CERTIFY));
    IDV_TRY(command(&branches[2], CC_ACTIVATE));
    IDV_TRY(authorize(a, index, &branches[3]));
    return any(branches, 4, out);
}

idv_rc idvi_devid_policy(enum idvi_devid what, uint16_t alg, bool low,
                         struct idv_buf *out)
{
    if (idvi_tpm_hash_size(alg) == 0)
        return idv_fail(IDV_E_ARG, "TCG has no policy by the hash 0x%04x", alg);
    struct digest a = start(alg), policy = {0};
    uint32_t nth = (uint32_t)(alg - IDVI_TPM_SHA256);
    IDV_TRY(secret(&a));
    if (what == IDVI_DEVID_EK && low)
        policy = a;
    else if (what == IDVI_DEVID_EK)
        IDV_TRY(ek_high(&a, nth, &policy));
    else
        IDV_TRY(devid(&a, (what == IDVI_DEVID_IAK ? NV_IAK : NV_IDEVID) + nth,
                      &policy));
    return idv_buf_put(out, view(&policy));
}
