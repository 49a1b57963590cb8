/* SPDX-License-Identifier: Apache-2.0 */
/* Names of NV indices and policy digests, as a TPM computes them. */
#include <string.h>

#include <openssl/sha.h>

#include "tpm/nvpolicy.h"

/* What is to be hashed; every use of it has a bound that fits. */
struct text {
    uint8_t p[IDVI_NV_DATA_MAX + 128];
    size_t n;
};

static void put(struct text *t, const void *p, size_t n)
{
    if (n)
        memcpy(t->p + t->n, p, n);
    t->n += n;
}

static void put16(struct text *t, uint16_t v)
{
    put(t, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put32(struct text *t, uint32_t v)
{
    put16(t, (uint16_t)(v >> 16));
    put16(t, (uint16_t)v);
}

static void hash(const struct text *t, uint8_t out[static IDVI_DIGEST])
{
    SHA256(t->p, t->n, out);
}

/* --- public area ---------------------------------------------------------- */

static void put_public(struct text *t, const struct hwk_nv *nv)
{
    put32(t, nv->index);
    put16(t, nv->name_alg);
    put32(t, nv->attributes);
    put16(t, nv->policy_n);
    put(t, nv->policy, nv->policy_n);
    put16(t, nv->size);
}

size_t idvi_nv_to_bytes(const struct hwk_nv *nv,
                        uint8_t out[static IDVI_NV_PUBLIC_MAX])
{
    struct text t = {.n = 0};
    put_public(&t, nv);
    memcpy(out, t.p, t.n);
    return t.n;
}

void idvi_nv_name(struct hwk_nv *nv)
{
    struct text t = {.n = 0};
    put_public(&t, nv);
    nv->name[0] = IDVI_ALG_SHA256 >> 8;
    nv->name[1] = IDVI_ALG_SHA256 & 0xff;
    hash(&t, nv->name + 2);
    nv->name_n = IDVI_NV_NAME;
}

static uint32_t get_be(const uint8_t *p, size_t n)
{
    uint32_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

idv_rc idvi_nv_from_bytes(struct idv_bytes raw, struct hwk_nv *out)
{
    enum { HEAD = 12, TAIL = 2 };
    struct hwk_nv nv = {0};
    if (raw.n < HEAD + TAIL || raw.n > IDVI_NV_PUBLIC_MAX)
        return idv_fail(IDV_E_FORMAT, "public area of an NV index: %zu bytes",
                        raw.n);
    nv.index = get_be(raw.p, 4);
    nv.name_alg = (uint16_t)get_be(raw.p + 4, 2);
    nv.attributes = get_be(raw.p + 6, 4);
    nv.policy_n = (uint16_t)get_be(raw.p + 10, 2);
    if (nv.name_alg != IDVI_ALG_SHA256)
        return idv_fail(IDV_E_FORMAT,
                        "public area of an NV index: its nameAlg 0x%04x is not "
                        "SHA-256",
                        nv.name_alg);
    if (nv.policy_n != raw.n - HEAD - TAIL ||
        (nv.policy_n && nv.policy_n != IDVI_DIGEST))
        return idv_fail(IDV_E_FORMAT,
                        "public area of an NV index: a policy of %u bytes",
                        nv.policy_n);
    memcpy(nv.policy, raw.p + HEAD, nv.policy_n);
    nv.size = (uint16_t)get_be(raw.p + HEAD + nv.policy_n, 2);
    idvi_nv_name(&nv);
    *out = nv;
    return IDV_OK;
}

/* --- policy digests ------------------------------------------------------- */

/* policyDigestNew begins as policyDigestOld || commandCode */
static struct text after(const uint8_t p[static IDVI_DIGEST], uint32_t code)
{
    struct text t = {.n = 0};
    put(&t, p, IDVI_DIGEST);
    put32(&t, code);
    return t;
}

/* The second half of those that have a policyRef (PolicyUpdate, Part 3). */
static void add_ref(uint8_t p[static IDVI_DIGEST], struct idv_bytes ref)
{
    struct text t = {.n = 0};
    put(&t, p, IDVI_DIGEST);
    put(&t, ref.p, ref.n);
    hash(&t, p);
}

void idvi_policy_nv(uint8_t p[static IDVI_DIGEST],
                    const uint8_t name[static IDVI_NV_NAME],
                    struct idv_bytes operand, uint16_t offset, uint16_t op)
{
    uint8_t args[IDVI_DIGEST];
    struct text t = {.n = 0};
    put(&t, operand.p, operand.n);
    put16(&t, offset);
    put16(&t, op);
    hash(&t, args);
    t = after(p, IDVI_CC_POLICY_NV);
    put(&t, args, sizeof(args));
    put(&t, name, IDVI_NV_NAME);
    hash(&t, p);
}

void idvi_policy_pcr(uint8_t p[static IDVI_DIGEST], uint32_t pcrs,
                     const uint8_t digest[static IDVI_DIGEST])
{
    struct text t = after(p, IDVI_CC_POLICY_PCR);
    put32(&t, 1); /* TPML_PCR_SELECTION: one bank, three bytes of bits */
    put16(&t, IDVI_ALG_SHA256);
    put(&t,
        (uint8_t[]){3, (uint8_t)pcrs, (uint8_t)(pcrs >> 8),
                    (uint8_t)(pcrs >> 16)},
        4);
    put(&t, digest, IDVI_DIGEST);
    hash(&t, p);
}

void idvi_policy_command(uint8_t p[static IDVI_DIGEST], uint32_t command)
{
    struct text t = after(p, IDVI_CC_POLICY_COMMAND);
    put32(&t, command);
    hash(&t, p);
}

void idvi_policy_cphash(uint8_t p[static IDVI_DIGEST],
                        const uint8_t cphash[static IDVI_DIGEST])
{
    struct text t = after(p, IDVI_CC_POLICY_CPHASH);
    put(&t, cphash, IDVI_DIGEST);
    hash(&t, p);
}

void idvi_policy_secret(uint8_t p[static IDVI_DIGEST], uint32_t hierarchy)
{
    struct text t = after(p, IDVI_CC_POLICY_SECRET);
    put32(&t, hierarchy); /* the Name of a hierarchy is its handle */
    hash(&t, p);
    add_ref(p, idv_bytes(NULL, 0));
}

void idvi_policy_authorize(uint8_t p[static IDVI_DIGEST],
                           struct idv_bytes key_name, struct idv_bytes ref)
{
    memset(p, 0, IDVI_DIGEST);
    struct text t = after(p, IDVI_CC_POLICY_AUTHORIZE);
    put(&t, key_name.p, key_name.n);
    hash(&t, p);
    add_ref(p, ref);
}

void idvi_policy_or(uint8_t p[static IDVI_DIGEST],
                    const uint8_t (*branches)[IDVI_DIGEST], size_t n)
{
    memset(p, 0, IDVI_DIGEST);
    struct text t = after(p, IDVI_CC_POLICY_OR);
    put(&t, branches, n * IDVI_DIGEST);
    hash(&t, p);
}

/* --- cpHash --------------------------------------------------------------- */

idv_rc idvi_nv_write_cphash(const uint8_t name[static IDVI_NV_NAME],
                            struct idv_bytes data, uint16_t offset,
                            uint8_t out[static IDVI_DIGEST])
{
    struct text t = {.n = 0};
    if (data.n > IDVI_NV_DATA_MAX)
        return idv_fail(IDV_E_LIMIT, "NV_Write: %zu bytes in one command",
                        data.n);
    put32(&t, IDVI_CC_NV_WRITE);
    put(&t, name, IDVI_NV_NAME); /* authHandle */
    put(&t, name, IDVI_NV_NAME); /* nvIndex */
    put16(&t, (uint16_t)data.n);
    put(&t, data.p, data.n);
    put16(&t, offset);
    hash(&t, out);
    return IDV_OK;
}
