/* SPDX-License-Identifier: Apache-2.0 */
/* What a TPM says of an NV index or a key: bytes from outside, read without a
 * TPM (TPM 2.0 Library, Part 2). */
#ifndef IDEVID_TPM_ATTEST_H
#define IDEVID_TPM_ATTEST_H

#include "tpm/public.h"
#include "tpm/signature.h"

/* TPM_ST_ATTEST_, as bits */
enum idvi_attest_type {
    IDVI_ATTEST_NV = 1,       /* TPM2_NV_Certify */
    IDVI_ATTEST_CERTIFY = 2,  /* TPM2_Certify */
    IDVI_ATTEST_CREATION = 4, /* TPM2_CertifyCreation */
};

/* TPMS_ATTEST (10.12.8, 10.12.12). Views into the bytes that were read. */
struct idvi_attest {
    enum idvi_attest_type type;
    struct idv_bytes signer; /* qualified Name of the key */
    struct idv_bytes extra;  /* the caller's nonce */
    uint64_t clock;
    uint32_t resets, restarts;
    bool safe;
    uint64_t firmware;
    /* of an NV index */
    struct idv_bytes index; /* its Name */
    uint16_t offset;
    struct idv_bytes contents;
    /* of a key */
    struct idv_bytes name;      /* its Name */
    struct idv_bytes qualified; /* CERTIFY: its qualified Name */
    struct idv_bytes creation;  /* CREATION: hash of TPMS_CREATION_DATA */
};
/* types: those that may be. IDV_E_FORMAT: not made by a TPM, another type,
 * names of no hash known here, cut off, or bytes after it. */
idv_rc idvi_attest_from_bytes(struct idv_bytes raw, unsigned types,
                              struct idvi_attest *out) IDV_CHECKED;
/* TPMS_ATTEST out of either that or a TPM2B_ATTEST (*sized, may be NULL). */
struct idv_bytes idvi_attest_unsized(struct idv_bytes raw, bool *sized);

/* What was wrong with an attestation of a key. */
enum idvi_attest_fault {
    IDVI_ATTEST_SOUND,
    IDVI_ATTEST_MALFORMED,    /* IDV_E_FORMAT, the rest IDV_E_REJECT */
    IDVI_ATTEST_SIGNATURE,    /* not that key's */
    IDVI_ATTEST_OTHER_KEY,    /* it is of another key */
    IDVI_ATTEST_OTHER_SIGNER, /* by another key than it says, or one that is
                                 no primary key of the endorsement hierarchy */
    IDVI_ATTEST_OTHER_NONCE,
};
/*
 * That the TPM of by, a restricted key of its endorsement hierarchy, said over
 * nonce (1 byte or more) that key is in it: attest is TPMS_ATTEST, signature
 * TPMT_SIGNATURE. TPM2_Certify says as well that key is a primary key of the
 * endorsement hierarchy, TPM2_CertifyCreation that it was made by this TPM.
 * What kinds of keys by and key are is not looked at: idvi_devid_check. out and
 * fault may be NULL.
 */
idv_rc idvi_attest_check(struct idv_bytes attest, struct idv_bytes signature,
                         unsigned types, const struct idvi_tpm_public *key,
                         const struct idvi_tpm_public *by,
                         struct idv_bytes nonce, struct idvi_attest *out,
                         enum idvi_attest_fault *fault) IDV_CHECKED;

#endif
