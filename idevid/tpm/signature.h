/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM's signatures: TPMT_SIGNATURE (TPM 2.0 Library, Part 2, 11.3.4). */
#ifndef IDEVID_TPM_SIGNATURE_H
#define IDEVID_TPM_SIGNATURE_H

#include "tpm/public.h"

/* Views into the bytes that were read. */
struct idvi_tpm_signature {
    uint16_t scheme, hash;
    struct idv_bytes rsa;  /* RSASSA, RSAPSS */
    struct idv_bytes r, s; /* ECDSA */
};
/* IDV_E_FORMAT: another scheme or hash, cut off, or bytes after it. */
idv_rc
idvi_tpm_signature_from_bytes(struct idv_bytes raw,
                              struct idvi_tpm_signature *out) IDV_CHECKED;
/* Appends TPMT_SIGNATURE of what libcrypto has for a signature by key: DER of
 * an ECDSA-Sig-Value, or RSA's number. The scheme is key's, and where that is
 * left open ECDSA or RSASSA with the hash of key's nameAlg. */
idv_rc idvi_tpm_signature_to_bytes(const struct idvi_tpm_public *key,
                                   struct idv_bytes sig,
                                   struct idv_buf *out) IDV_CHECKED;
/* Appends what libcrypto takes: the other way round. */
idv_rc idvi_tpm_signature_to_evp(const struct idvi_tpm_signature *sig,
                                 struct idv_buf *out) IDV_CHECKED;
/* That sig is key's over message. IDV_E_REJECT: it is not, by another scheme or
 * hash than key's, or key is RSA of fewer than 2048 bits. */
idv_rc idvi_tpm_signature_verify(const struct idvi_tpm_signature *sig,
                                 const struct idvi_tpm_public *key,
                                 struct idv_bytes message) IDV_CHECKED;

#endif
