/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs as items of RFC 9162, and what they must be about. */
#include <string.h>

#include <idevid/codec.h>

#include "tree/item.h"
#include "tree/wire.h"

#define CONSISTENCY 0x0105
#define INCLUSION 0x0106

static idv_rc put_log(struct idv_buf *out, const struct idv_log_id *log)
{
    return idvi_put_vector(out, 1, idv_bytes(log->p, log->n));
}

static idv_rc get_log(struct idv_bytes *in, struct idv_log_id *out)
{
    struct idv_bytes id;
    IDV_TRY(idvi_get_vector(in, 1, 2, &id));
    if (id.n > sizeof(out->p))
        return idv_fail(IDV_E_FORMAT, "log item: the log's name is too long");
    memcpy(out->p, id.p, id.n);
    out->n = id.n;
    return IDV_OK;
}

static idv_rc put_two(struct idv_buf *out, uint64_t type,
                      const struct idv_log_id *log, uint64_t a, uint64_t b,
                      const struct idv_tree_path *path)
{
    IDV_TRY(idvi_put_uint(out, type, 2));
    IDV_TRY(put_log(out, log));
    IDV_TRY(idvi_put_uint(out, a, 8));
    IDV_TRY(idvi_put_uint(out, b, 8));
    return idvi_put_path(out, path);
}

static idv_rc get_two(struct idv_bytes in, struct idv_log_id *log, uint64_t *a,
                      uint64_t *b, struct idv_tree_path *path)
{
    IDV_TRY(get_log(&in, log));
    IDV_TRY(idvi_get_uint(&in, 8, a));
    IDV_TRY(idvi_get_uint(&in, 8, b));
    IDV_TRY(idvi_get_path(&in, path));
    return idvi_get_end(in);
}

idv_rc idv_inclusion_to_item(const struct idv_inclusion *p, struct idv_buf *out)
{
    return put_two(out, INCLUSION, &p->log, p->size, p->index, &p->path);
}

idv_rc idv_inclusion_from_item(struct idv_bytes item, struct idv_inclusion *out)
{
    IDV_TRY(idvi_get_type(&item, INCLUSION, "an inclusion proof"));
    return get_two(item, &out->log, &out->size, &out->index, &out->path);
}

idv_rc idv_consistency_to_item(const struct idv_consistency *p,
                               struct idv_buf *out)
{
    return put_two(out, CONSISTENCY, &p->log, p->first, p->second, &p->path);
}

idv_rc idv_consistency_from_item(struct idv_bytes item,
                                 struct idv_consistency *out)
{
    IDV_TRY(idvi_get_type(&item, CONSISTENCY, "a consistency proof"));
    return get_two(item, &out->log, &out->first, &out->second, &out->path);
}

/* --- are they what was asked for? ----------------------------------------- */

static idv_rc no(const char *why)
{
    return idv_fail(IDV_E_REJECT, "log: %s", why);
}

static bool same_log(const struct idv_log_id *a, const struct idv_log_id *b)
{
    return idv_bytes_eq(idv_bytes(a->p, a->n), idv_bytes(b->p, b->n));
}

idv_rc idv_inclusion_check(const struct idv_inclusion *p,
                           const struct idv_hash *leaf,
                           const struct idv_tree_head *head)
{
    if (!same_log(&p->log, &head->log) || p->size != head->size)
        return no("an inclusion proof of another tree");
    return idv_tree_verify_inclusion(leaf, p->index, p->size, &p->path,
                                     &head->root);
}

idv_rc idv_consistency_check(const struct idv_consistency *p,
                             const struct idv_tree_head *old,
                             const struct idv_tree_head *head)
{
    if (!same_log(&p->log, &head->log) || p->first != old->size ||
        p->second != head->size)
        return no("a consistency proof of other trees");
    return idv_tree_verify_consistency(p->first, &old->root, p->second,
                                       &head->root, &p->path);
}

idv_rc idv_log_item(const struct idv_json *answer, const char *name,
                    struct idv_buf *out)
{
    const char *text = idv_json_text(idv_json_get(answer, name));
    if (!text)
        return idv_fail(IDV_E_FORMAT, "log: an answer without %s", name);
    idv_buf_clear(out);
    return idv_base64_to_bytes(idv_str(text), IDV_BASE64_STRICT, out);
}
