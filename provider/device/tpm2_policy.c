/* SPDX-License-Identifier: Apache-2.0 */
/* The TCG policies of device identity keys, computed from their inputs. */
#define OPENSSL_SUPPRESS_DEPRECATED /* digests that need no context */
#include <string.h>

#include <openssl/sha.h>

#include "provider/device/tpm2_policy.h"

/* POLICYWRITE WRITEALL PPREAD OWNERREAD AUTHREAD POLICYREAD NO_DA WRITTEN */
#define POLICY_INDEX_ATTRIBUTES                                                \
    (TPMA_NV_POLICYWRITE | TPMA_NV_WRITEALL | TPMA_NV_PPREAD |                 \
     TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_POLICYREAD |               \
     TPMA_NV_NO_DA | TPMA_NV_WRITTEN)

static const struct {
    enum hwk_md md;
    TPMI_ALG_HASH alg;
} digests[] = {
    {HWK_MD_SHA1, TPM2_ALG_SHA1},         {HWK_MD_SHA256, TPM2_ALG_SHA256},
    {HWK_MD_SHA384, TPM2_ALG_SHA384},     {HWK_MD_SHA512, TPM2_ALG_SHA512},
    {HWK_MD_SHA3_256, TPM2_ALG_SHA3_256}, {HWK_MD_SHA3_384, TPM2_ALG_SHA3_384},
    {HWK_MD_SHA3_512, TPM2_ALG_SHA3_512},
};

TPMI_ALG_HASH hwk_tpm_alg(enum hwk_md md)
{
    for (size_t i = 0; i < sizeof(digests) / sizeof(*digests); i++)
        if (digests[i].md == md)
            return digests[i].alg;
    return TPM2_ALG_NULL;
}

enum hwk_md hwk_tpm_md(TPMI_ALG_HASH alg)
{
    for (size_t i = 0; i < sizeof(digests) / sizeof(*digests); i++)
        if (digests[i].alg == alg)
            return digests[i].md;
    return HWK_MD_NONE;
}

/* where the indices that may hold delegated policies begin */
#define OF_IDEVIDS 0x01C90010u
#define OF_IAKS 0x01C90018u
#define OF_EKS 0x01C07F01u

/* that of alg; 0 where TCG names none */
static TPM2_HANDLE policy_index(TPMI_ALG_HASH alg, TPM2_HANDLE first)
{
    switch (alg) {
    case TPM2_ALG_SHA256:
        return first;
    case TPM2_ALG_SHA384:
        return first + 1;
    case TPM2_ALG_SHA512:
        return first + 2;
    default:
        return 0;
    }
}

static int sha256(const uint8_t *p, size_t n, uint8_t *out)
{
    SHA256_CTX c;
    return SHA256_Init(&c) && SHA256_Update(&c, p, n) && SHA256_Final(out, &c);
}

static int sha384(const uint8_t *p, size_t n, uint8_t *out)
{
    SHA512_CTX c;
    return SHA384_Init(&c) && SHA384_Update(&c, p, n) && SHA384_Final(out, &c);
}

static int sha512(const uint8_t *p, size_t n, uint8_t *out)
{
    SHA512_CTX c;
    return SHA512_Init(&c) && SHA512_Update(&c, p, n) && SHA512_Final(out, &c);
}

static int sha1(const uint8_t *p, size_t n, uint8_t *out)
{
    SHA_CTX c;
    return SHA1_Init(&c) && SHA1_Update(&c, p, n) && SHA1_Final(out, &c);
}

int hwk_tpm_hash(TPMI_ALG_HASH alg, const uint8_t *p, size_t n,
                 TPM2B_DIGEST *out)
{
    out->size = (UINT16)hwk_md_size(hwk_tpm_md(alg));
    switch (alg) {
    case TPM2_ALG_SHA1:
        return sha1(p, n, out->buffer);
    case TPM2_ALG_SHA256:
        return sha256(p, n, out->buffer);
    case TPM2_ALG_SHA384:
        return sha384(p, n, out->buffer);
    case TPM2_ALG_SHA512:
        return sha512(p, n, out->buffer);
    default:
        return 0;
    }
}

/* what a policy digest is computed over */
struct input {
    uint8_t p[sizeof(TPM2B_DIGEST) * (HWK_TPM_DEVID_BRANCHES + 2)];
    size_t n;
};

static void put(struct input *in, const void *p, size_t n)
{
    memcpy(in->p + in->n, p, n);
    in->n += n;
}

static void put16(struct input *in, unsigned v)
{
    put(in, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put32(struct input *in, uint32_t v)
{
    put16(in, v >> 16);
    put16(in, v & 0xffff);
}

/* the digest a fresh policy session starts with */
static void put_zero(struct input *in, size_t n)
{
    memset(in->p + in->n, 0, n);
    in->n += n;
}

/* PolicySecret(TPM_RH_ENDORSEMENT) with an empty policyRef */
static int endorsement(TPMI_ALG_HASH alg, TPM2B_DIGEST *out)
{
    struct input in = {.n = 0};
    put_zero(&in, hwk_md_size(hwk_tpm_md(alg)));
    put32(&in, TPM2_CC_PolicySecret);
    put32(&in, TPM2_RH_ENDORSEMENT);
    return hwk_tpm_hash(alg, in.p, in.n, out) &&
           hwk_tpm_hash(alg, out->buffer, out->size, out);
}

static int command_code(TPMI_ALG_HASH alg, const TPM2B_DIGEST *from,
                        TPM2_CC code, TPM2B_DIGEST *out)
{
    struct input in = {.n = 0};
    put(&in, from->buffer, from->size);
    put32(&in, TPM2_CC_PolicyCommandCode);
    put32(&in, code);
    return hwk_tpm_hash(alg, in.p, in.n, out);
}

/* the Name of the index that may hold a delegated policy */
static int index_name(TPMI_ALG_HASH alg, TPM2_HANDLE index,
                      const TPM2B_DIGEST *policy, TPM2B_DIGEST *out)
{
    struct input in = {.n = 0};
    put32(&in, index);
    put16(&in, alg);
    put32(&in, POLICY_INDEX_ATTRIBUTES);
    put16(&in, policy->size);
    put(&in, policy->buffer, policy->size);
    put16(&in, (unsigned)(2 + policy->size));
    return hwk_tpm_hash(alg, in.p, in.n, out);
}

static int authorize_nv(TPMI_ALG_HASH alg, TPM2_HANDLE index,
                        const TPM2B_DIGEST *policy, TPM2B_DIGEST *out)
{
    TPM2B_DIGEST name;
    if (!index_name(alg, index, policy, &name))
        return 0;
    struct input in = {.n = 0};
    put_zero(&in, name.size);
    put32(&in, TPM2_CC_PolicyAuthorizeNV);
    put16(&in, alg);
    put(&in, name.buffer, name.size);
    return hwk_tpm_hash(alg, in.p, in.n, out);
}

static int any_of(TPMI_ALG_HASH alg, const TPM2B_DIGEST *branch, size_t n,
                  TPM2B_DIGEST *policy)
{
    struct input in = {.n = 0};
    put_zero(&in, branch[0].size);
    put32(&in, TPM2_CC_PolicyOR);
    for (size_t i = 0; i < n; i++)
        put(&in, branch[i].buffer, branch[i].size);
    return hwk_tpm_hash(alg, in.p, in.n, policy);
}

int hwk_tpm_policy_devid(TPMI_ALG_HASH alg, enum hwk_tpm_name kind,
                         TPM2B_DIGEST branch[HWK_TPM_DEVID_BRANCHES],
                         TPM2B_DIGEST *policy)
{
    TPM2B_DIGEST own[HWK_TPM_DEVID_BRANCHES];
    TPM2B_DIGEST *b = branch ? branch : own;
    TPM2_HANDLE index =
        policy_index(alg, kind == HWK_TPM_IAK ? OF_IAKS : OF_IDEVIDS);
    if (!index || !endorsement(alg, &b[0]) ||
        !command_code(alg, &b[0], TPM2_CC_Certify, &b[1]) ||
        !command_code(alg, &b[0], TPM2_CC_ActivateCredential, &b[2]) ||
        !authorize_nv(alg, index, &b[0], &b[3]))
        return 0;
    return any_of(alg, b, HWK_TPM_DEVID_BRANCHES, policy);
}

int hwk_tpm_policy_ek(TPMI_ALG_HASH alg, bool high,
                      TPM2B_DIGEST branch[HWK_TPM_EK_BRANCHES],
                      TPM2B_DIGEST *policy)
{
    TPM2B_DIGEST own[HWK_TPM_EK_BRANCHES];
    TPM2B_DIGEST *b = branch ? branch : own;
    TPM2_HANDLE index = policy_index(alg, OF_EKS);
    if (!index || !endorsement(alg, &b[0]) ||
        !authorize_nv(alg, index, &b[0], &b[1]))
        return 0;
    if (high)
        return any_of(alg, b, HWK_TPM_EK_BRANCHES, policy);
    *policy = b[0];
    return 1;
}
