/* SPDX-License-Identifier: Apache-2.0 */
/* Leaves and nodes: what they begin with keeps one from passing for the other.
 */
#include <string.h>

#include <idevid/auto.h>

#include <idevid/x509.h>

#include "tree/tree.h"

bool idv_hash_eq(const struct idv_hash *a, const struct idv_hash *b)
{
    return memcmp(a->p, b->p, sizeof(a->p)) == 0;
}

idv_rc idv_tree_hash_leaf(struct idv_bytes leaf, struct idv_hash *out)
{
    static const uint8_t mark = 0;
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(ctx, &mark, 1) != 1 ||
        EVP_DigestUpdate(ctx, leaf.p, leaf.n) != 1 ||
        EVP_DigestFinal_ex(ctx, out->p, NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "SHA-256");
    return IDV_OK;
}

idv_rc idv_tree_hash_node(const struct idv_hash *left,
                          const struct idv_hash *right, struct idv_hash *out)
{
    uint8_t both[1 + 2 * sizeof(left->p)] = {1};
    memcpy(both + 1, left->p, sizeof(left->p));
    memcpy(both + 1 + sizeof(left->p), right->p, sizeof(right->p));
    return idv_sha256(idv_bytes(both, sizeof(both)), out->p);
}
