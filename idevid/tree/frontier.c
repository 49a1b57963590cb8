/* SPDX-License-Identifier: Apache-2.0 */
/* A tree's right edge: all that growing and the root need. */
#include <idevid/auto.h>
#include <idevid/x509.h>

#include "tree/tree.h"

static bool has(uint64_t size, unsigned level)
{
    return size >> level & 1;
}

idv_rc idv_tree_load(uint64_t size, const struct idv_tree_nodes *nodes,
                     struct idv_tree *out)
{
    struct idv_tree_node which[IDV_TREE_LEVELS];
    struct idv_hash found[IDV_TREE_LEVELS];
    size_t n = 0;
    if (size > IDV_TREE_SIZE_MAX)
        return idv_fail(IDV_E_LIMIT, "tree: too large");
    for (unsigned l = 0; l < IDV_TREE_LEVELS; l++) {
        if (has(size, l))
            which[n++] = (struct idv_tree_node){l, (size >> l) - 1};
    }
    if (n)
        IDV_TRY(nodes->read(nodes->arg, which, n, found));
    out->size = size;
    for (size_t i = 0; i < n; i++)
        out->peak[which[i].level] = found[i];
    return IDV_OK;
}

idv_rc idv_tree_append(struct idv_tree *t, const struct idv_hash *leaf,
                       struct idv_hash made[static IDV_TREE_LEVELS], size_t *n)
{
    unsigned l = 0;
    if (t->size >= IDV_TREE_SIZE_MAX)
        return idv_fail(IDV_E_LIMIT, "tree: full");
    made[0] = *leaf;
    for (; has(t->size, l); l++)
        IDV_TRY(idv_tree_hash_node(&t->peak[l], &made[l], &made[l + 1]));
    t->peak[l] = made[l];
    t->size++;
    *n = l + 1;
    return IDV_OK;
}

static idv_rc hash_nothing(struct idv_hash *out)
{
    return idv_sha256(idv_bytes(NULL, 0), out->p);
}

idv_rc idv_tree_root(const struct idv_tree *t, struct idv_hash *out)
{
    bool any = false;
    if (!t->size)
        return hash_nothing(out);
    for (unsigned l = 0; l < IDV_TREE_LEVELS; l++) {
        if (!has(t->size, l))
            continue;
        if (any)
            IDV_TRY(idv_tree_hash_node(&t->peak[l], out, out));
        else
            *out = t->peak[l];
        any = true;
    }
    return IDV_OK;
}
