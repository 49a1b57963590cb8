/* SPDX-License-Identifier: Apache-2.0 */
/* What a TPM says of an NV index and of the key that it says it with: bytes
 * from outside, read without a TPM (TPM 2.0 Library, Part 2). */
#ifndef IDEVID_TPM_ATTEST_H
#define IDEVID_TPM_ATTEST_H

#include <openssl/evp.h>

#include <idevid/buf.h>

/* TPM_ALG_ID, TPM_ECC_CURVE */
enum idvi_tpm_alg {
    IDVI_TPM_RSA = 0x0001,
    IDVI_TPM_SHA256 = 0x000b,
    IDVI_TPM_SHA384 = 0x000c,
    IDVI_TPM_SHA512 = 0x000d,
    IDVI_TPM_NULL = 0x0010,
    IDVI_TPM_RSASSA = 0x0014,
    IDVI_TPM_RSAPSS = 0x0016,
    IDVI_TPM_ECDSA = 0x0018,
    IDVI_TPM_ECC = 0x0023,
};

/* TPMS_ATTEST of the type TPM_ST_ATTEST_NV (10.12.8, 10.12.12). Views into the
 * bytes that were read. */
struct idvi_attest {
    struct idv_bytes signer; /* qualified Name of the key */
    struct idv_bytes extra;  /* the caller's nonce */
    uint64_t clock;
    uint32_t resets, restarts;
    bool safe;
    uint64_t firmware;
    struct idv_bytes index; /* Name of the NV index */
    uint16_t offset;
    struct idv_bytes contents;
};
/* IDV_E_FORMAT: not made by a TPM, another type, names of no hash known here,
 * cut off, or bytes after it. */
idv_rc idvi_attest_from_bytes(struct idv_bytes raw,
                              struct idvi_attest *out) IDV_CHECKED;

/* TPMA_OBJECT */
#define IDVI_TPM_FIXED_TPM (1u << 1)
#define IDVI_TPM_FIXED_PARENT (1u << 4)
#define IDVI_TPM_DATA_ORIGIN (1u << 5)
#define IDVI_TPM_RESTRICTED (1u << 16)
#define IDVI_TPM_DECRYPT (1u << 17)
#define IDVI_TPM_SIGN (1u << 18)

/* TPMT_PUBLIC of an RSA or ECC key (12.2.4). */
struct idvi_tpm_public {
    uint16_t type, name_alg;
    uint32_t attributes;
    uint16_t scheme, hash; /* IDVI_TPM_NULL and 0 when it has none */
    uint16_t bits;         /* RSA */
    uint32_t exponent;     /* 0 is 65537 */
    struct idv_bytes modulus;
    uint16_t curve; /* ECC */
    struct idv_bytes x, y;
    struct idv_bytes raw; /* all of it */
};
/* IDV_E_FORMAT: another type, a scheme or hash not known here, cut off, or
 * bytes after it. */
idv_rc idvi_tpm_public_from_bytes(struct idv_bytes raw,
                                  struct idvi_tpm_public *out) IDV_CHECKED;

/* bytes of a digest, 0: not one of SHA-256, SHA-384, SHA-512 */
size_t idvi_tpm_hash_size(uint16_t alg);
/* of one of those */
const EVP_MD *idvi_tpm_md(uint16_t alg);
/* A Name: alg and H(parts, one after the other), at most 66 bytes. alg must be
 * one of those. */
#define IDVI_TPM_NAME_MAX 66
idv_rc idvi_tpm_name(uint16_t alg, const struct idv_bytes *parts, size_t n,
                     struct idv_buf *out) IDV_CHECKED;

#endif
