/* SPDX-License-Identifier: Apache-2.0 */
/* What the profile "token" keeps: a record, or its end, signed by the IDevID
 * key. */
#ifndef IDEVID_TRUST_TOKEN_OBJECT_H
#define IDEVID_TRUST_TOKEN_OBJECT_H

#include <idevid/trust.h>

/*
 * The bytes of an object, integers big-endian:
 *   0 "IDTO"  4 version u16 (1)  6 kind u16
 *   8 number u64 (of records that were ended before it)
 *  16 flags u32 (bit 0: the token has a monotonic counter)  20 zero (4)
 *  24 that counter's value u64 when the object was made, or zero
 *  32 the record (112)
 * 144 the signature, to the end: of the IDevID key, over the 24 bytes
 *     "idevid anchor in a token" and the 144 above. ECDSA with the hash of the
 *     curve's size (SHA-256, SHA-384, SHA-512), RSA PKCS#1 with SHA-256, EdDSA.
 */
#define IDVI_TOKEN_HEAD 144
#define IDVI_TOKEN_SIGNATURE_MAX 1024

enum idvi_token_kind { IDVI_TOKEN_RECORD = 1, IDVI_TOKEN_END = 2 };
#define IDVI_TOKEN_COUNTER 1u
struct idvi_token_object {
    enum idvi_token_kind kind;
    uint64_t number, counter;
    uint32_t flags;
    uint8_t record[IDV_RECORD_SIZE];
};

/* Signs and appends all of it. */
idv_rc idvi_token_object_make(const struct idvi_token_object *o, EVP_PKEY *key,
                              struct idv_buf *out) IDV_CHECKED;
/*
 * The other way, judged by the key of the IDevID certificate: IDV_E_REJECT for
 * a signature that is not its, and for bytes of another kind or number than
 * asked for, which tell a copy of another object of the same device.
 */
idv_rc idvi_token_object_check(struct idv_bytes raw, enum idvi_token_kind kind,
                               uint64_t number, EVP_PKEY *key,
                               struct idvi_token_object *out) IDV_CHECKED;

#endif
