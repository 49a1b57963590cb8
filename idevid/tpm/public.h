/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM key's public area and its Name, without a TPM (TPM 2.0 Library,
 * Part 1 "Names", Part 2 "Structures"). */
#ifndef IDEVID_TPM_PUBLIC_H
#define IDEVID_TPM_PUBLIC_H

#include <openssl/evp.h>

#include <idevid/buf.h>

/* TPM_ALG_ID */
enum idvi_tpm_alg {
    IDVI_TPM_RSA = 0x0001,
    IDVI_TPM_AES = 0x0006,
    IDVI_TPM_SHA256 = 0x000b,
    IDVI_TPM_SHA384 = 0x000c,
    IDVI_TPM_SHA512 = 0x000d,
    IDVI_TPM_NULL = 0x0010,
    IDVI_TPM_RSASSA = 0x0014,
    IDVI_TPM_RSAPSS = 0x0016,
    IDVI_TPM_ECDSA = 0x0018,
    IDVI_TPM_ECC = 0x0023,
    IDVI_TPM_CFB = 0x0043,
};

/* TPM_ECC_CURVE */
enum idvi_tpm_curve {
    IDVI_TPM_P256 = 0x0003,
    IDVI_TPM_P384 = 0x0004,
    IDVI_TPM_P521 = 0x0005,
};

#define IDVI_TPM_RH_OWNER 0x40000001u
#define IDVI_TPM_RH_NULL 0x40000007u
#define IDVI_TPM_RH_ENDORSEMENT 0x4000000bu
#define IDVI_TPM_RH_PLATFORM 0x4000000cu

/* TPMA_OBJECT */
#define IDVI_TPM_FIXED_TPM (1u << 1)
#define IDVI_TPM_ST_CLEAR (1u << 2)
#define IDVI_TPM_FIXED_PARENT (1u << 4)
#define IDVI_TPM_DATA_ORIGIN (1u << 5)
#define IDVI_TPM_USER_WITH_AUTH (1u << 6)
#define IDVI_TPM_ADMIN_WITH_POLICY (1u << 7)
#define IDVI_TPM_NO_DA (1u << 10)
#define IDVI_TPM_ENCRYPTED_DUPLICATION (1u << 11)
#define IDVI_TPM_RESTRICTED (1u << 16)
#define IDVI_TPM_DECRYPT (1u << 17)
#define IDVI_TPM_SIGN (1u << 18)

/* TPMT_PUBLIC of an RSA or ECC key (12.2.4). Views into the bytes that were
 * read. */
struct idvi_tpm_public {
    uint16_t type, name_alg;
    uint32_t attributes;
    struct idv_bytes policy; /* authPolicy: empty, or a digest of name_alg */
    uint16_t symmetric, sym_bits, sym_mode; /* of a parent; else NULL, 0, 0 */
    uint16_t scheme, hash; /* IDVI_TPM_NULL and 0 when it has none */
    uint16_t bits;         /* RSA */
    uint32_t exponent;     /* 0 is 65537 */
    struct idv_bytes modulus;
    uint16_t curve; /* ECC */
    struct idv_bytes x, y;
    struct idv_bytes raw; /* all of it */
};
/* IDV_E_FORMAT: another type, a hash, symmetric algorithm or scheme not known
 * here, a modulus that is not as long as the key, cut off, or bytes after it.
 * What kind of key it is remains to be judged: devid.h. */
idv_rc idvi_tpm_public_from_bytes(struct idv_bytes raw,
                                  struct idvi_tpm_public *out) IDV_CHECKED;
/* Appends the same bytes; raw does not matter. */
idv_rc idvi_tpm_public_to_bytes(const struct idvi_tpm_public *p,
                                struct idv_buf *out) IDV_CHECKED;
/* TPMT_PUBLIC out of either that or a TPM2B_PUBLIC, which begins with its own
 * size; *sized says which it was (may be NULL). No type is as large as a size
 * that fits, so there is no doubt. */
struct idv_bytes idvi_tpm_public_unsized(struct idv_bytes raw, bool *sized);

/* "prime256v1", ...: as libcrypto names it; NULL: not one of the three */
const char *idvi_tpm_curve_name(uint16_t curve);
/* bytes of a coordinate; 0: not one of the three */
size_t idvi_tpm_curve_size(uint16_t curve);

/* The key for libcrypto. IDV_E_FORMAT: a curve not known here, a point that is
 * not on it, a modulus or exponent that is none (fewer than 1024 bits, even).
 */
idv_rc idvi_tpm_public_to_key(const struct idvi_tpm_public *p,
                              EVP_PKEY **out) IDV_CHECKED;
/* Whether key is the same key. */
bool idvi_tpm_public_is(const struct idvi_tpm_public *p, const EVP_PKEY *key);

/* bytes of a digest, 0: not one of SHA-256, SHA-384, SHA-512 */
size_t idvi_tpm_hash_size(uint16_t alg);
/* of one of those */
const EVP_MD *idvi_tpm_md(uint16_t alg);
/* A Name: alg and H(parts, one after the other), at most 66 bytes. alg must be
 * one of those. */
#define IDVI_TPM_NAME_MAX 66
idv_rc idvi_tpm_name(uint16_t alg, const struct idv_bytes *parts, size_t n,
                     struct idv_buf *out) IDV_CHECKED;
/* Whether v has the form of a Name by one of those. */
bool idvi_tpm_is_name(struct idv_bytes v);
/* Appends the Name of a key that was read (raw). */
idv_rc idvi_tpm_public_name(const struct idvi_tpm_public *p,
                            struct idv_buf *out) IDV_CHECKED;
/* Appends the qualified Name that it has as a primary key of hierarchy
 * (TPM_RH_). */
idv_rc idvi_tpm_public_qualified(const struct idvi_tpm_public *p,
                                 uint32_t hierarchy,
                                 struct idv_buf *out) IDV_CHECKED;

#endif
