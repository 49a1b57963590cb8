/* SPDX-License-Identifier: Apache-2.0 */
/* The maker's approval: what a TPM wants to see before it keeps an anchor. */
#ifndef IDEVID_APPROVAL_H
#define IDEVID_APPROVAL_H

#include <openssl/evp.h>

#include <idevid/trust.h>

/*
 * A device of profile "platform" has a counter and an anchor in its TPM's NV,
 * made at the factory with an authPolicy of two branches:
 *   PolicySecret(platform) and PolicyCommandCode(NV_UndefineSpaceSpecial)
 *   PolicyAuthorize(approval key, policyRef)
 * so that the TPM itself lets the anchor be written, and the counter move on,
 * only by policies that the approval key signed for this device. That key is
 * the maker's, for nothing else, one for each issuer of IDevIDs (a serial
 * number is unique for its issuer only), and the TPM knows it from the factory
 * on. Life at generation G, which is the counter's value:
 *   write  PolicyNV(counter == G), PolicyCpHash(NV_Write of the record)
 *   fuse   PolicyNV(counter == G), PolicyCommandCode(NV_Increment)
 *   reset  PolicyNV(counter == G + 1), PolicyCommandCode(NV_Increment)
 * Each of the three is signed: SHA-256(policy || policyRef), ECDSA or RSA
 * PKCS #1 v1.5. After the reset the generation is G + 2, and what was signed
 * for G is worth nothing for ever. A policy session that was satisfied at G and
 * is kept can only deny service, until the TPM is reset: PolicyNV compares when
 * it is called, and not again, so that such a session still counts up at a
 * later generation, or writes the record of G once more, which is none then. It
 * seals nothing that was not approved for the generation there is.
 *
 * On the wire both sides use the leaf manufacturer-proprietary, whose bytes
 * are JSON: the pledge's voucher-request says what the TPM has (struct
 * idv_approval_request), the voucher brings the signatures (struct
 * idv_approval). A registrar relays both untouched.
 *
 * The hash of NV_Write has the anchor's Name in it, and the Name has the
 * attribute WRITTEN in it, which the TPM sets at the first write and which
 * stays: so the Name of a device that never was imprinted differs from the one
 * of all later generations, and from the one after a write that was cut short
 * before the fuse. The request therefore has the Name as it is. Who approves
 * need not trust it: there are only these two, and both follow from the key,
 * the policyRef and the indices.
 */

/* --- what is approved ----------------------------------------------------- */

/*
 * The record that follows from a voucher at a generation, the same bits for
 * maker and device:
 *   version 1, flags IDV_RECORD_CONTENT, and IDV_RECORD_KEY when a key or its
 *   hash is pinned; time is created-on; pin and length are those of the leaf
 *   that pins (certificate before key before hash of a key, length 0);
 *   voucher_sha256 is SHA-256 of idv_voucher_content().
 * It cannot be the hash of the voucher as sent, which would have to contain a
 * signature over its own hash: it is the hash of all that the voucher says but
 * the approval. What it leaves out is no loss. The approval has no freedom but
 * the randomness of its signatures, and container and signer are judged before
 * anything is written; the record is what the maker signs with its second key.
 * IDV_E_REJECT: no created-on or before 1970, nothing pinned.
 */
idv_rc idv_approval_record(const struct idv_voucher *v, uint64_t generation,
                           struct idv_record *out) IDV_CHECKED;

/* "IDTA-imprint:" and the serial number; SHA-256 of that when it is longer
 * than the 32 bytes that every TPM takes. IDV_E_ARG: serial empty or longer
 * than IDV_MAX_SERIAL. */
#define IDV_APPROVAL_REF_MAX 32
struct idv_approval_ref {
    uint8_t p[IDV_APPROVAL_REF_MAX];
    size_t n;
};
idv_rc idv_approval_ref(const char *serial,
                        struct idv_approval_ref *out) IDV_CHECKED;

/* --- what the device says ------------------------------------------------- */

#define IDV_NV_NAME_SIZE                                                       \
    34 /* TPM_ALG_SHA256 and SHA-256 of the public area                        \
        */
struct idv_approval_request {
    uint64_t generation; /* the counter's value; 1 to IDV_MAX_GENERATION */
    struct idv_anchor_index anchor, counter;
};
#define IDV_MAX_GENERATION (((uint64_t)1 << 53) - 1) /* exact in any JSON */

/*
 *  {"profile":"platform","generation":7,
 *   "anchor":{"index":"01400a01","name":"000b..."},
 *   "counter":{"index":"01400a00","name":"000b..."}}
 * The reader ignores other members. *mine false, and no failure, when it is not
 * of this profile (other makers and profiles use the leaf, too). IDV_E_FORMAT
 * names what is missing, malformed or out of range: so are handles that are not
 * of NV indices, equal ones, and Names that are not of SHA-256.
 */
idv_rc idv_approval_request_to_json(const struct idv_approval_request *r,
                                    struct idv_buf *out) IDV_CHECKED;
idv_rc
idv_approval_request_from_json(struct idv_bytes json, bool *mine,
                               struct idv_approval_request *out) IDV_CHECKED;

/* --- what the maker answers ----------------------------------------------- */

#define IDV_APPROVAL_SIGNATURE_MAX 512 /* RSA 4096 */
struct idv_approval_signature {
    uint8_t p[IDV_APPROVAL_SIGNATURE_MAX]; /* DER ECDSA, or RSA */
    size_t n;
};
struct idv_approval {
    uint64_t generation;
    struct idv_approval_signature write, fuse, reset;
};

/*
 *  {"profile":"platform","generation":7,
 *   "write":"base64","fuse":"base64","reset":"base64"}
 * As above.
 */
idv_rc idv_approval_to_json(const struct idv_approval *a,
                            struct idv_buf *out) IDV_CHECKED;
idv_rc idv_approval_from_json(struct idv_bytes json, bool *mine,
                              struct idv_approval *out) IDV_CHECKED;

/* --- policies, of which both sides compute the same ------------------------
 */

enum idv_approval_step {
    IDV_APPROVE_WRITE,
    IDV_APPROVE_FUSE,
    IDV_APPROVE_RESET
};
/* What the signature is over, less the policyRef. record counts for the write
 * only. */
idv_rc idv_approval_policy(enum idv_approval_step step,
                           const struct idv_approval_request *r,
                           const uint8_t record[static IDV_RECORD_SIZE],
                           uint8_t out[static 32]) IDV_CHECKED;

/* The two branches and the authPolicy of counter and anchor. key is EC P-256,
 * P-384 or RSA of 2048 to 4096 bits; IDV_E_ARG otherwise. */
struct idv_approval_guard {
    uint8_t branches[2][32]; /* remove, approved */
    uint8_t policy[32];
};
idv_rc idv_approval_guard(const EVP_PKEY *key,
                          const struct idv_approval_ref *ref,
                          struct idv_approval_guard *out) IDV_CHECKED;

/* Attributes of the two indices, the anchor's also with IDV_NV_WRITTEN. */
#define IDV_PLATFORM_ANCHOR_ATTRIBUTES 0x42071408u
#define IDV_PLATFORM_COUNTER_ATTRIBUTES 0x62070419u
#define IDV_NV_WRITTEN 0x20000000u
/* Are the Names of r those of indices made with this guard? IDV_E_REJECT says
 * whose is not. */
idv_rc idv_approval_check(const struct idv_approval_request *r,
                          const struct idv_approval_guard *guard) IDV_CHECKED;

/* --- signing and verifying -------------------------------------------------
 */

/*
 * Signs the three for record at r->generation, after idv_approval_check with
 * the public half of key. IDV_E_ARG: another kind of key, or a record of
 * another generation; IDV_E_DEVICE, IDV_E_CRYPTO: it would not sign.
 */
idv_rc idv_approval_sign(const struct idv_approval_request *r,
                         const struct idv_record *record, EVP_PKEY *key,
                         const struct idv_approval_ref *ref,
                         struct idv_approval *out) IDV_CHECKED;
/* Is it key's for exactly this? For the device, before it troubles the TPM,
 * which judges it again. IDV_E_REJECT says which signature is not, or that
 * the generation differs. */
idv_rc idv_approval_verify(const struct idv_approval *a,
                           const struct idv_approval_request *r,
                           const struct idv_record *record, EVP_PKEY *key,
                           const struct idv_approval_ref *ref) IDV_CHECKED;

#endif
