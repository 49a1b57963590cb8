/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a log shows: signed tree heads and proofs, as the TransItems of RFC
 * 9162 (sections 4.4, 4.10 to 4.12) in their own binary form: what is signed
 * is one exact string of bytes, any client of RFC 9162 reads it, and JSON only
 * carries it in base64.
 */
#ifndef IDEVID_TREE_ITEM_H
#define IDEVID_TREE_ITEM_H

#include <openssl/evp.h>

#include <idevid/json.h>

#include "tree/tree.h"

/*
 * The contents of an object identifier 2.25.N (ITU-T X.667), N the first 16
 * bytes of SHA-256 of the public key's SubjectPublicKeyInfo with version 8 and
 * the variant of a UUID in their places: a key names its log without a
 * registry. The tree outlives a key: under a new one it is the same tree with
 * another name.
 */
struct idv_log_id {
    size_t n;
    uint8_t p[127];
};
/* IDV_E_ARG: neither of P-256 nor of Ed25519, which RFC 9162 allows. */
idv_rc idv_log_id(EVP_PKEY *key, struct idv_log_id *out) IDV_CHECKED;

/* --- head.c: signed_tree_head_v2 ------------------------------------------ */

struct idv_tree_head {
    struct idv_log_id log;
    uint64_t timestamp; /* milliseconds since 1970 */
    uint64_t size;
    struct idv_hash root;
};
#define IDV_TREE_HEAD_MAX 512 /* bytes of an item */

/* Fills head->log and writes the item; ECDSA P-256 with SHA-256, or Ed25519. */
idv_rc idv_tree_head_sign(struct idv_tree_head *head, EVP_PKEY *key,
                          struct idv_buf *out) IDV_CHECKED;
/* Only reads it. */
idv_rc idv_tree_head_from_item(struct idv_bytes item,
                               struct idv_tree_head *out) IDV_CHECKED;
/* IDV_E_REJECT: by none of these keys (NULL-ended), or not signed by it. */
idv_rc idv_tree_head_verify(struct idv_bytes item, EVP_PKEY *const *keys,
                            struct idv_tree_head *out) IDV_CHECKED;

/* --- item.c: inclusion_proof_v2, consistency_proof_v2 --------------------- */

struct idv_inclusion {
    struct idv_log_id log;
    uint64_t size, index;
    struct idv_tree_path path;
};
struct idv_consistency {
    struct idv_log_id log;
    uint64_t first, second;
    struct idv_tree_path path;
};
idv_rc idv_inclusion_to_item(const struct idv_inclusion *p,
                             struct idv_buf *out) IDV_CHECKED;
idv_rc idv_inclusion_from_item(struct idv_bytes item,
                               struct idv_inclusion *out) IDV_CHECKED;
idv_rc idv_consistency_to_item(const struct idv_consistency *p,
                               struct idv_buf *out) IDV_CHECKED;
idv_rc idv_consistency_from_item(struct idv_bytes item,
                                 struct idv_consistency *out) IDV_CHECKED;

/* The proof is about these and holds. IDV_E_REJECT otherwise. */
idv_rc idv_inclusion_check(const struct idv_inclusion *p,
                           const struct idv_hash *leaf,
                           const struct idv_tree_head *head) IDV_CHECKED;
/* An older head of size 0 is none at all. */
idv_rc idv_consistency_check(const struct idv_consistency *p,
                             const struct idv_tree_head *old,
                             const struct idv_tree_head *head) IDV_CHECKED;

/* A member of an answer: the item's bytes replace what is in out. IDV_E_FORMAT:
 * it is not there, or not base64. */
idv_rc idv_log_item(const struct idv_json *answer, const char *name,
                    struct idv_buf *out) IDV_CHECKED;

#endif
