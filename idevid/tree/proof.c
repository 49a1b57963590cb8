/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs: which subtrees they are made of, read at once and put together. */
#include "tree/tree.h"

#define NODES (2 * IDV_TREE_PATH) /* one hash each, and one for a right edge   \
                                   */

/* Leaves from first up to end, where a proof tells their hash: a complete
 * subtree, or the rest of the tree at its right. */
struct part {
    uint64_t first, end;
};
struct parts {
    size_t n;
    struct part part[IDV_TREE_PATH]; /* the last of the proof first */
};

static void add(struct parts *p, uint64_t first, uint64_t end)
{
    p->part[p->n++] = (struct part){first, end};
}

/* the largest power of two below n, which is 2 at least */
static uint64_t split(uint64_t n)
{
    return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

static void plan_inclusion(uint64_t index, uint64_t size, struct parts *p)
{
    uint64_t first = 0, end = size;
    while (end - first > 1) {
        uint64_t middle = first + split(end - first);
        if (index < middle) {
            add(p, middle, end);
            end = middle;
        } else {
            add(p, first, middle);
            first = middle;
        }
    }
}

static void plan_consistency(uint64_t old, uint64_t size, struct parts *p)
{
    uint64_t first = 0, end = size;
    while (end != old) {
        uint64_t middle = first + split(end - first);
        if (old <= middle) {
            add(p, middle, end);
            end = middle;
        } else {
            add(p, first, middle);
            first = middle;
        }
    }
    if (first) /* or it is the old tree itself, whose root is known */
        add(p, first, end);
}

/* --- what the parts consist of -------------------------------------------- */

static size_t list_nodes(const struct part *p, struct idv_tree_node *out)
{
    size_t n = 0;
    for (uint64_t at = p->first; at < p->end;) {
        unsigned l = 63 - (unsigned)__builtin_clzll(p->end - at);
        out[n++] = (struct idv_tree_node){l, at >> l};
        at += (uint64_t)1 << l;
    }
    return n;
}

static idv_rc fold(const struct idv_hash *h, size_t n, struct idv_hash *out)
{
    *out = h[n - 1];
    for (size_t i = n - 1; i-- > 0;)
        IDV_TRY(idv_tree_hash_node(&h[i], out, out));
    return IDV_OK;
}

static idv_rc put_together(const struct parts *p,
                           const struct idv_tree_nodes *nodes,
                           struct idv_tree_path *out)
{
    struct idv_tree_node which[NODES];
    struct idv_hash found[NODES];
    size_t count[IDV_TREE_PATH], n = 0, at = 0;
    for (size_t i = 0; i < p->n; i++)
        n += count[i] = list_nodes(&p->part[p->n - 1 - i], which + n);
    if (n)
        IDV_TRY(nodes->read(nodes->arg, which, n, found));
    for (size_t i = 0; i < p->n; at += count[i++])
        IDV_TRY(fold(found + at, count[i], &out->hash[i]));
    out->n = p->n;
    return IDV_OK;
}

static idv_rc check_size(uint64_t size)
{
    return size <= IDV_TREE_SIZE_MAX ? IDV_OK
                                     : idv_fail(IDV_E_LIMIT, "tree: too large");
}

idv_rc idv_tree_inclusion(uint64_t index, uint64_t size,
                          const struct idv_tree_nodes *nodes,
                          struct idv_tree_path *out)
{
    struct parts p = {.n = 0};
    IDV_TRY(check_size(size));
    if (index >= size)
        return idv_fail(IDV_E_ARG, "tree: no leaf %llu among %llu",
                        (unsigned long long)index, (unsigned long long)size);
    plan_inclusion(index, size, &p);
    return put_together(&p, nodes, out);
}

idv_rc idv_tree_consistency(uint64_t first, uint64_t second,
                            const struct idv_tree_nodes *nodes,
                            struct idv_tree_path *out)
{
    struct parts p = {.n = 0};
    IDV_TRY(check_size(second));
    if (first > second)
        return idv_fail(IDV_E_ARG, "tree: %llu leaves do not begin with %llu",
                        (unsigned long long)second, (unsigned long long)first);
    if (first && first < second)
        plan_consistency(first, second, &p);
    return put_together(&p, nodes, out);
}
