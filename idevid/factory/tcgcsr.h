/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCG-CSR-IDEVID: a request for an IDevID with the TPM's own proof beside it
 * ("TPM 2.0 Keys for Device Identity and Attestation" 13.1). Three ways to
 * write it are in use; all are read, one is written, and what was seen is said.
 *
 *   structVer | size of contents | size of signature | contents | signature
 *   contents: structVer | hashAlgoId | hashSz | hash of all that follows |
 *             12 sizes and padSz | the 12 parts | pad
 *
 * All numbers are 32 bits, big-endian.
 */
#ifndef IDEVID_FACTORY_TCGCSR_H
#define IDEVID_FACTORY_TCGCSR_H

#include <idevid/factory.h>

#include "tpm/public.h"

/* How one is written: all false is the text of the specification, and ours. */
struct idvi_tcgcsr_form {
    bool old_version;      /* outer structVer 0x00000100, not 0x01000100 */
    bool no_hash;          /* hashSz is said, the hash is not there */
    bool sized_attest_pub; /* TPM2B_PUBLIC instead of TPMT_PUBLIC */
    bool sized_signing_pub;
    bool sized_at_info; /* TPM2B_ATTEST instead of TPMS_ATTEST */
    bool sized_sgn_info;
    bool bare_signature; /* not in a SEQUENCE with its AlgorithmIdentifier */
    bool odd_padding;    /* contents are not padded to a multiple of 16 */
    bool odd_size;       /* the size of contents is said wrong (old only) */
};
/* Who writes it so: "tcg", "flightctl", "go-trusted-platform"; "tcg-variant"
 * for what is near the first, "mixed" for all else. */
const char *idvi_tcgcsr_dialect(const struct idvi_tcgcsr_form *f);

/* The 12 parts, in their order. Empty: not there. Views; public areas and
 * attestations without their sizes, whatever the form. */
struct idvi_tcgcsr_parts {
    struct idv_bytes model, serial;
    struct idv_bytes ca_data; /* prodCaData: ours is the nonce */
    struct idv_bytes event_log;
    struct idv_bytes ek_cert;               /* DER */
    struct idv_bytes attest_pub;            /* TPMT_PUBLIC of the IAK */
    struct idv_bytes create_ticket;         /* TPMT_TK_CREATION */
    struct idv_bytes at_info, at_signature; /* of the IAK, where it is certified
                                               by another: TPMS_ATTEST */
    struct idv_bytes signing_pub;           /* TPMT_PUBLIC of the IDevID */
    struct idv_bytes sgn_info, sgn_signature; /* TPMS_ATTEST, TPMT_SIGNATURE of
                                                 the IDevID by the IAK */
};

struct idvi_tcgcsr {
    struct idvi_tcgcsr_parts parts;
    uint16_t hash;             /* hashAlgoId */
    struct idv_bytes contents; /* what is signed */
    struct idv_bytes signature;
    struct idvi_tcgcsr_form form;
};

/*
 * Reads one of at most IDV_MAX_TCG_CSR bytes (IDV_E_LIMIT, before anything else
 * is looked at). IDV_E_FORMAT names the field: a structVer, hash algorithm or
 * size that is not, a part larger than it can be, sizes that do not add up, a
 * hash that is another, cut off, bytes after it. The parts are not looked into.
 */
idv_rc idvi_tcgcsr_from_bytes(struct idv_bytes raw,
                              struct idvi_tcgcsr *out) IDV_CHECKED;
/*
 * That contents were signed with the key signing_pub; *signer gets what that
 * says, *key the key (each may be NULL). IDV_E_FORMAT: signing_pub is none;
 * IDV_E_REJECT: the signature is not that key's, by another algorithm than the
 * key's, or a key too weak.
 */
idv_rc idvi_tcgcsr_verify(const struct idvi_tcgcsr *csr,
                          struct idvi_tpm_public *signer,
                          EVP_PKEY **key) IDV_CHECKED;

/*
 * Writing takes two steps, with the device's signature between them. Both
 * append; form NULL is ours.
 *
 * contents: what is to be signed, with a digest by hash (IDVI_TPM_SHA256, ...),
 * which must be the hash of the key's nameAlg. IDV_E_LIMIT: a part is too
 * large, or all.
 */
idv_rc idvi_tcgcsr_contents(const struct idvi_tcgcsr_parts *parts,
                            uint16_t hash, const struct idvi_tcgcsr_form *form,
                            struct idv_buf *out) IDV_CHECKED;
/* signature: as libcrypto has it, DER of an ECDSA-Sig-Value or RSA PKCS#1 v1.5,
 * by a key of that type (IDVI_TPM_ECC or IDVI_TPM_RSA). */
idv_rc idvi_tcgcsr_whole(struct idv_bytes contents, uint16_t hash,
                         uint16_t type, struct idv_bytes signature,
                         const struct idvi_tcgcsr_form *form,
                         struct idv_buf *out) IDV_CHECKED;

#endif
