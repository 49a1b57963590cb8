/* SPDX-License-Identifier: Apache-2.0 */
/* What a proof proves, by the steps that RFC 9162 counts. */
#include "tree/tree.h"

static idv_rc no(const char *why)
{
    return idv_fail(IDV_E_REJECT, "tree: %s", why);
}

static bool odd(uint64_t n)
{
    return n & 1;
}

/* --- inclusion (section 2.1.3.2) ------------------------------------------ */

idv_rc idv_tree_verify_inclusion(const struct idv_hash *leaf, uint64_t index,
                                 uint64_t size,
                                 const struct idv_tree_path *path,
                                 const struct idv_hash *root)
{
    struct idv_hash r = *leaf;
    uint64_t fn = index, sn = size - 1;
    if (index >= size)
        return no("the leaf is beyond the tree");
    for (size_t i = 0; i < path->n; i++) {
        if (sn == 0)
            return no("the inclusion proof is too long");
        if (odd(fn) || fn == sn) {
            IDV_TRY(idv_tree_hash_node(&path->hash[i], &r, &r));
            for (; !odd(fn) && fn; sn >>= 1)
                fn >>= 1;
        } else {
            IDV_TRY(idv_tree_hash_node(&r, &path->hash[i], &r));
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0)
        return no("the inclusion proof is too short");
    return idv_hash_eq(&r, root) ? IDV_OK : no("the entry is not in it");
}

/* --- consistency (section 2.1.4.2) ---------------------------------------- */

/* Steps 2 to 7 with the path's first element apart; *fr and *sr are its two
 * readings. */
static idv_rc climb(uint64_t fn, uint64_t sn, const struct idv_hash *rest,
                    size_t n, struct idv_hash *fr, struct idv_hash *sr)
{
    for (size_t i = 0; i < n; i++) {
        if (sn == 0)
            return no("the consistency proof is too long");
        if (odd(fn) || fn == sn) {
            IDV_TRY(idv_tree_hash_node(&rest[i], fr, fr));
            IDV_TRY(idv_tree_hash_node(&rest[i], sr, sr));
            for (; !odd(fn) && fn; sn >>= 1)
                fn >>= 1;
        } else {
            IDV_TRY(idv_tree_hash_node(sr, &rest[i], sr));
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 ? IDV_OK : no("the consistency proof is too short");
}

static idv_rc verify_grown(uint64_t first, const struct idv_hash *first_root,
                           uint64_t second, const struct idv_hash *second_root,
                           const struct idv_tree_path *path)
{
    bool whole = (first & (first - 1)) == 0; /* the old root is a subtree */
    uint64_t fn = first - 1, sn = second - 1;
    if (!path->n)
        return no("the consistency proof is empty");
    struct idv_hash fr = whole ? *first_root : path->hash[0], sr = fr;
    size_t used = whole ? 0 : 1;
    for (; odd(fn); sn >>= 1)
        fn >>= 1;
    IDV_TRY(climb(fn, sn, path->hash + used, path->n - used, &fr, &sr));
    if (!idv_hash_eq(&fr, first_root))
        return no("what was there before has changed");
    return idv_hash_eq(&sr, second_root)
               ? IDV_OK
               : no("what is there now does not begin with it");
}

idv_rc idv_tree_verify_consistency(uint64_t first,
                                   const struct idv_hash *first_root,
                                   uint64_t second,
                                   const struct idv_hash *second_root,
                                   const struct idv_tree_path *path)
{
    if (first > second)
        return no("it has become smaller");
    if (first && first < second)
        return verify_grown(first, first_root, second, second_root, path);
    if (path->n)
        return no("the consistency proof is too long");
    if (first && !idv_hash_eq(first_root, second_root))
        return no("two trees of one size differ");
    return IDV_OK;
}
