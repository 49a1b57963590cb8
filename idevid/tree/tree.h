/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Merkle tree of RFC 9162 section 2.1 over SHA-256: growing, proofs and
 * what verifies them. No storage, no clock, no signature: whoever keeps a tree
 * keeps the hashes that idv_tree_append hands out and gives them back when a
 * proof asks. Functions that only hash fail with IDV_E_CRYPTO alone.
 */
#ifndef IDEVID_TREE_H
#define IDEVID_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include <idevid/buf.h>

#define IDV_TREE_LEVELS 63                    /* of 2^62 leaves */
#define IDV_TREE_SIZE_MAX ((uint64_t)1 << 62) /* leaves */
#define IDV_TREE_PATH (IDV_TREE_LEVELS + 2)   /* hashes of a proof */

struct idv_hash {
    uint8_t p[32];
};
bool idv_hash_eq(const struct idv_hash *a, const struct idv_hash *b);

idv_rc idv_tree_hash_leaf(struct idv_bytes leaf,
                          struct idv_hash *out) IDV_CHECKED;
idv_rc idv_tree_hash_node(const struct idv_hash *left,
                          const struct idv_hash *right,
                          struct idv_hash *out) IDV_CHECKED;

/*
 * A complete subtree: the 2^level leaves from index * 2^level on. It is there,
 * and never changes, since leaf (index + 1) * 2^level - 1 is.
 */
struct idv_tree_node {
    unsigned level;
    uint64_t index;
};
/* Where complete subtrees are kept; all that one proof needs are asked for at
 * once. One that is not there is IDV_E_STATE. */
struct idv_tree_nodes {
    idv_rc (*read)(void *arg, const struct idv_tree_node *which, size_t n,
                   struct idv_hash *out);
    void *arg;
};

/* --- frontier.c: the right edge ------------------------------------------- */

/* peak[level] is the complete subtree of that level which nothing larger
 * contains; it is there when size has that bit. */
struct idv_tree {
    uint64_t size;
    struct idv_hash peak[IDV_TREE_LEVELS];
};
/* The tree as it was with so many leaves. */
idv_rc idv_tree_load(uint64_t size, const struct idv_tree_nodes *nodes,
                     struct idv_tree *out) IDV_CHECKED;
/* Adds a leaf; made[0] is its hash, made[l] the subtree of level l that it
 * completes, *n of them. IDV_E_LIMIT: the tree is full; t is as it was. */
idv_rc idv_tree_append(struct idv_tree *t, const struct idv_hash *leaf,
                       struct idv_hash made[static IDV_TREE_LEVELS],
                       size_t *n) IDV_CHECKED;
idv_rc idv_tree_root(const struct idv_tree *t,
                     struct idv_hash *out) IDV_CHECKED;

/* --- proof.c -------------------------------------------------------------- */

struct idv_tree_path {
    size_t n;
    struct idv_hash hash[IDV_TREE_PATH];
};
/* Leaf index is in the tree of that size (section 2.1.3.1). IDV_E_ARG: it is
 * beyond it. */
idv_rc idv_tree_inclusion(uint64_t index, uint64_t size,
                          const struct idv_tree_nodes *nodes,
                          struct idv_tree_path *out) IDV_CHECKED;
/* The tree of size first is the beginning of that of size second (section
 * 2.1.4.1); empty when they are the same or first is 0. IDV_E_ARG: first is
 * larger. */
idv_rc idv_tree_consistency(uint64_t first, uint64_t second,
                            const struct idv_tree_nodes *nodes,
                            struct idv_tree_path *out) IDV_CHECKED;

/* --- verify.c: by the algorithms of sections 2.1.3.2 and 2.1.4.2 ---------- */

/* IDV_E_REJECT says what does not hold. */
idv_rc idv_tree_verify_inclusion(const struct idv_hash *leaf, uint64_t index,
                                 uint64_t size,
                                 const struct idv_tree_path *path,
                                 const struct idv_hash *root) IDV_CHECKED;
/* Also for first 0 (of which nothing is said) and first == second (equal
 * roots), where the path must be empty. */
idv_rc
idv_tree_verify_consistency(uint64_t first, const struct idv_hash *first_root,
                            uint64_t second, const struct idv_hash *second_root,
                            const struct idv_tree_path *path) IDV_CHECKED;

#endif
