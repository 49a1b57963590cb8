/* SPDX-License-Identifier: Apache-2.0 */
/* Signed tree heads: made when the tree has grown, kept, never of a tree that
 * does not continue the last one. */
#include <string.h>

#include "idevid/masa/masa_call.h"

#define FRESH_S (24 * 3600) /* anew after that, also of the same tree */
#define MS 1000

static struct idv_tree_nodes nodes_of(struct idv_masa *m)
{
    const struct idv_masa_store *store = m->conf.store;
    return (struct idv_tree_nodes){store->tree_read, store->self};
}

idv_rc idvi_masa_inclusion(struct idv_masa *m, const struct idv_log_id *log,
                           uint64_t index, uint64_t size, struct idv_buf *out)
{
    struct idv_inclusion p = {.log = *log, .size = size, .index = index};
    struct idv_tree_nodes nodes = nodes_of(m);
    IDV_TRY(idv_tree_inclusion(index, size, &nodes, &p.path));
    return idv_inclusion_to_item(&p, out);
}

idv_rc idvi_masa_consistency(struct idv_masa *m, const struct idv_log_id *log,
                             uint64_t first, uint64_t second,
                             struct idv_buf *out)
{
    struct idv_consistency p = {.log = *log, .first = first, .second = second};
    struct idv_tree_nodes nodes = nodes_of(m);
    IDV_TRY(idv_tree_consistency(first, second, &nodes, &p.path));
    return idv_consistency_to_item(&p, out);
}

/* --- the head ------------------------------------------------------------- */

static idv_rc last_head(struct idv_masa *m, struct idv_buf *item,
                        struct idv_tree_head *out)
{
    const struct idv_masa_store *store = m->conf.store;
    bool found = false;
    idv_buf_clear(item);
    *out = (struct idv_tree_head){.size = 0};
    IDV_TRY(store->head_last(store->self, &found, item));
    return found ? idv_tree_head_from_item(idv_view(item), out) : IDV_OK;
}

idv_rc idv_masa_root(const struct idv_masa_store *s, uint64_t size,
                     struct idv_hash *out)
{
    const struct idv_tree_nodes nodes = {s->tree_read, s->self};
    struct idv_tree t;
    IDV_TRY(idv_tree_load(size, &nodes, &t));
    return idv_tree_root(&t, out);
}

static idv_rc broken(const struct idv_tree_head *last, const char *how)
{
    return idv_fail(IDV_E_STATE,
                    "log: the tree %s its head of %llu entries: the database "
                    "was changed behind the service",
                    how, (unsigned long long)last->size);
}

static idv_rc check_continues(struct idv_masa *m, uint64_t size,
                              const struct idv_tree_head *last)
{
    struct idv_hash root;
    if (last->size > size)
        return broken(last, "is smaller than");
    IDV_TRY(idv_masa_root(m->conf.store, last->size, &root));
    if (last->timestamp && !idv_hash_eq(&root, &last->root))
        return broken(last, "does not continue");
    return IDV_OK;
}

static bool is_ours(struct idv_masa *m, const struct idv_tree_head *h)
{
    return idv_bytes_eq(idv_bytes(m->log.p, m->log.n),
                        idv_bytes(h->log.p, h->log.n));
}

static bool is_due(struct idv_masa *m, uint64_t need, uint64_t size,
                   const struct idv_tree_head *last)
{
    int64_t age = idv_now(m->env) - (int64_t)(last->timestamp / MS);
    if (!is_ours(m, last) || last->size < need || age >= FRESH_S)
        return true;
    return size > last->size && age >= m->conf.head_s;
}

static idv_rc sign_head(struct idv_masa *m, uint64_t size,
                        const struct idv_tree_head *last)
{
    const struct idv_masa_store *store = m->conf.store;
    IDV_AUTO(buf) item = {.max = IDV_TREE_HEAD_MAX};
    struct idv_tree_head h = {.size = size};
    h.timestamp = (uint64_t)idv_now(m->env) * MS;
    if (h.timestamp <= last->timestamp) /* section 4.10: each one later */
        h.timestamp = last->timestamp + 1;
    IDV_TRY(idv_masa_root(store, size, &h.root));
    IDV_TRY(idv_tree_head_sign(&h, m->conf.log_key, &item));
    return store->head_add(store->self, &h, idv_view(&item));
}

/* another worker may sign at the same time: the larger one stays */
idv_rc idvi_masa_head(struct idv_masa *m, uint64_t need, struct idv_buf *item,
                      struct idv_tree_head *out)
{
    const struct idv_masa_store *store = m->conf.store;
    for (int i = 0; i < 3; i++) {
        uint64_t size = 0;
        IDV_TRY(last_head(m, item, out));
        IDV_TRY(store->tree_size(store->self, &size));
        IDV_TRY(check_continues(m, size, out));
        if (!is_due(m, need, size, out))
            return IDV_OK;
        IDV_TRY(sign_head(m, size, out));
    }
    IDV_TRY(last_head(m, item, out));
    return out->size >= need ? IDV_OK
                             : idv_fail(IDV_E_STATE, "log: no tree head");
}
