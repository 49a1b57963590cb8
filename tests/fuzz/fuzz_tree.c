/* SPDX-License-Identifier: Apache-2.0 */
/* What a log sends: items are read and written the same again, and no proof
 * passes for a leaf or an older tree that it is not about. */
#include <string.h>

#include <idevid/auto.h>

#include "idevid/tree/entry.h"
#include "idevid/tree/item.h"
#include "tests/fuzz/fuzz.h"

static void same(struct idv_bytes in, const struct idv_buf *out)
{
    PROMISE(idv_bytes_eq(in, idv_view(out)));
}

static void inclusion(struct idv_bytes in)
{
    struct idv_inclusion p;
    struct idv_tree_head h = {.size = 0};
    struct idv_hash leaf = {{1}}, root = leaf;
    IDV_AUTO(buf) out = {0};
    if (idv_inclusion_from_item(in, &p) != IDV_OK)
        return;
    PROMISE(idv_inclusion_to_item(&p, &out) == IDV_OK);
    same(in, &out);
    for (size_t i = 0; i < p.path.n; i++)
        PROMISE(idv_tree_hash_node(&root, &p.path.hash[i], &root) == IDV_OK);
    h.log = p.log;
    h.size = p.size;
    h.root = root;
    if (idv_inclusion_check(&p, &leaf, &h) == IDV_OK)
        PROMISE(p.index < p.size);
    leaf.p[0] = 2;
    PROMISE(idv_inclusion_check(&p, &leaf, &h) != IDV_OK);
}

static void consistency(struct idv_bytes in)
{
    struct idv_consistency p;
    struct idv_tree_head a = {.size = 0}, b = {.size = 0};
    IDV_AUTO(buf) out = {0};
    if (idv_consistency_from_item(in, &p) != IDV_OK)
        return;
    PROMISE(idv_consistency_to_item(&p, &out) == IDV_OK);
    same(in, &out);
    a.size = p.first;
    b.size = p.second;
    b.log = p.log;
    a.root.p[0] = 1; /* a hash of nothing */
    PROMISE(p.first == 0 || idv_consistency_check(&p, &a, &b) != IDV_OK);
}

static void entry(struct idv_bytes in)
{
    struct idv_log_entry e;
    IDV_AUTO(buf) out = {0};
    if (idv_log_entry_from_item(in, &e) != IDV_OK)
        return;
    PROMISE(idv_log_entry_to_item(&e, &out) == IDV_OK);
    same(in, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct idv_bytes in = idv_bytes(data, n);
    struct idv_tree_head h;
    EVP_PKEY *const none[] = {NULL};
    idv_note_clear();
    inclusion(in);
    consistency(in);
    entry(in);
    if (idv_tree_head_from_item(in, &h) == IDV_OK)
        PROMISE(h.size <= IDV_TREE_SIZE_MAX);
    PROMISE(idv_tree_head_verify(in, none, &h) != IDV_OK);
    return 0;
}
