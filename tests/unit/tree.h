/* SPDX-License-Identifier: Apache-2.0 */
/* A tree in memory: its leaves' hashes, and the subtrees that it handed out. */
#ifndef TESTS_TREE_H
#define TESTS_TREE_H

#include "idevid/tree/tree.h"
#include "tests/unit/codec.h"

#define WOOD 256 /* leaves at most */

struct wood {
    struct idv_tree tree;
    struct idv_hash leaf[WOOD];
    struct idv_hash node[9][WOOD];
    bool there[9][WOOD];
    size_t reads; /* calls of the callback */
};

static inline idv_rc wood_read(void *arg, const struct idv_tree_node *which,
                               size_t n, struct idv_hash *out)
{
    struct wood *w = arg;
    w->reads++;
    for (size_t i = 0; i < n; i++) {
        assert_true(which[i].level < 9 && which[i].index < WOOD);
        if (!w->there[which[i].level][which[i].index])
            return idv_fail(IDV_E_STATE, "wood: no such node");
        out[i] = w->node[which[i].level][which[i].index];
    }
    return IDV_OK;
}

static inline struct idv_tree_nodes wood_nodes(struct wood *w)
{
    return (struct idv_tree_nodes){wood_read, w};
}

static inline void wood_add(struct wood *w, struct idv_bytes leaf)
{
    struct idv_hash made[IDV_TREE_LEVELS];
    size_t n = 0;
    uint64_t i = w->tree.size;
    OK(idv_tree_hash_leaf(leaf, &w->leaf[i]));
    OK(idv_tree_append(&w->tree, &w->leaf[i], made, &n));
    for (size_t l = 0; l < n; l++) {
        w->node[l][i >> l] = made[l];
        w->there[l][i >> l] = true;
    }
}

/* MTH(D[first:end]) as section 2.1.1 defines it */
static inline struct idv_hash wood_mth(const struct wood *w, size_t first,
                                       size_t end)
{
    struct idv_hash left, right, out;
    size_t k = 1;
    if (end - first == 1)
        return w->leaf[first];
    while (k * 2 < end - first)
        k *= 2;
    left = wood_mth(w, first, first + k);
    right = wood_mth(w, first + k, end);
    OK(idv_tree_hash_node(&left, &right, &out));
    return out;
}

#endif
