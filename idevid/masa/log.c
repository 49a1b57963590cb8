/* SPDX-License-Identifier: Apache-2.0 */
/* The log for everybody, as RFC 9162 section 5 has it: heads, proofs and
 * entries. What is asked stands in the path, so that answers can be cached. */
#include <string.h>

#include <idevid/text.h>

#include "idevid/masa/masa_call.h"

#define PREFIX "/log/v1/"
#define PAGE 128 /* entries of an answer: they fit into a body */
#define DAY_S 86400

struct asked {
    struct idv_bytes arg[2];
    struct idv_json *out;
};

/* --- what is asked -------------------------------------------------------- */

static idv_rc bad(struct idvi_masa_call *c)
{
    return idvi_refuse(&c->no, 400, "log-request", "malformed request");
}

static idv_rc unknown(struct idvi_masa_call *c)
{
    return idvi_refuse(&c->no, 404, "log-unknown", "not in the log");
}

static idv_rc number(struct idvi_masa_call *c, struct idv_bytes text,
                     uint64_t *out)
{
    *out = 0;
    if (!text.n || text.n > 18)
        return bad(c);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return bad(c);
        *out = *out * 10 + (uint64_t)(text.p[i] - '0');
    }
    return IDV_OK;
}

static idv_rc hash(struct idvi_masa_call *c, struct idv_bytes text,
                   struct idv_hash *out)
{
    IDV_AUTO(buf) raw = {.max = sizeof(out->p)};
    if (text.n != 2 * sizeof(out->p) || idv_hex_to_bytes(text, &raw) != IDV_OK)
        return bad(c);
    memcpy(out->p, raw.p, sizeof(out->p));
    return IDV_OK;
}

/* --- answers -------------------------------------------------------------- */

static idv_rc put(struct asked *a, const char *name, const struct idv_buf *item)
{
    return idv_json_set(a->out, name, idv_json_new_base64(idv_view(item)));
}

static idv_rc head_of(struct idvi_masa_call *c, struct asked *a, uint64_t need,
                      bool show, struct idv_tree_head *head)
{
    IDV_AUTO(buf) item = {.max = IDV_TREE_HEAD_MAX};
    IDV_TRY(idvi_masa_head(c->masa, need, &item, head));
    return show ? put(a, "sth", &item) : IDV_OK;
}

static idv_rc put_consistency(struct idvi_masa_call *c, struct asked *a,
                              uint64_t first, uint64_t second,
                              const struct idv_tree_head *head)
{
    IDV_AUTO(buf) item = {0};
    IDV_TRY(idvi_masa_consistency(c->masa, &head->log, first, second, &item));
    return put(a, "consistency", &item);
}

static idv_rc put_inclusion(struct idvi_masa_call *c, struct asked *a,
                            uint64_t index, uint64_t size,
                            const struct idv_tree_head *head)
{
    IDV_AUTO(buf) item = {0};
    IDV_TRY(idvi_masa_inclusion(c->masa, &head->log, index, size, &item));
    return put(a, "inclusion", &item);
}

static idv_rc get_sth(struct idvi_masa_call *c, struct asked *a)
{
    struct idv_tree_head head;
    return head_of(c, a, 0, true, &head);
}

static idv_rc get_consistency(struct idvi_masa_call *c, struct asked *a)
{
    struct idv_tree_head head;
    uint64_t first = 0, second = 0;
    IDV_TRY(number(c, a->arg[0], &first));
    IDV_TRY(number(c, a->arg[1], &second));
    IDV_TRY(head_of(c, a, 0, false, &head));
    if (first > second)
        return bad(c);
    if (second > head.size)
        return unknown(c);
    return put_consistency(c, a, first, second, &head);
}

static idv_rc find(struct idvi_masa_call *c, struct asked *a, uint64_t *index)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    struct idv_hash leaf;
    bool found = false;
    IDV_TRY(hash(c, a->arg[0], &leaf));
    IDV_TRY(store->tree_find(store->self, &leaf, &found, index));
    return found ? IDV_OK : unknown(c);
}

static idv_rc get_proof(struct idvi_masa_call *c, struct asked *a)
{
    struct idv_tree_head head;
    uint64_t index = 0, size = 0;
    IDV_TRY(number(c, a->arg[1], &size));
    IDV_TRY(find(c, a, &index));
    IDV_TRY(head_of(c, a, 0, false, &head));
    if (size > head.size || index >= size)
        return unknown(c);
    return put_inclusion(c, a, index, size, &head);
}

/* Who knows an entry that no head covers yet has it from the audit log of its
 * own device: for them one is made. */
static idv_rc get_all(struct idvi_masa_call *c, struct asked *a)
{
    struct idv_tree_head head;
    uint64_t index = 0, size = 0;
    IDV_TRY(number(c, a->arg[1], &size));
    IDV_TRY(find(c, a, &index));
    IDV_TRY(head_of(c, a, index + 1, true, &head));
    IDV_TRY(put_inclusion(c, a, index, head.size, &head));
    if (size > head.size)
        return IDV_OK; /* what they have is not of this tree */
    return put_consistency(c, a, size, head.size, &head);
}

/* --- entries -------------------------------------------------------------- */

struct page {
    struct idv_json *entries;
    uint64_t next;
    idv_rc rc;
};

static idv_rc append(struct page *p, const struct idv_log_entry *e)
{
    IDV_AUTO(buf) item = {.max = IDV_LOG_ENTRY_MAX};
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_log_entry_to_item(e, &item));
    IDV_TRY(idv_json_set(o, "log_entry", idv_json_new_base64(idv_view(&item))));
    return idv_json_append(p->entries, idv_steal(&o));
}

/* up to a gap, if somebody made one */
static bool each(void *arg, uint64_t index, const struct idv_log_entry *e)
{
    struct page *p = arg;
    if (index != p->next)
        return false;
    p->next++;
    p->rc = append(p, e);
    return p->rc == IDV_OK;
}

static idv_rc get_entries(struct idvi_masa_call *c, struct asked *a)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    struct idv_tree_head head;
    uint64_t first = 0, last = 0;
    IDV_TRY(number(c, a->arg[0], &first));
    IDV_TRY(number(c, a->arg[1], &last));
    IDV_TRY(head_of(c, a, 0, false, &head));
    if (first > last)
        return bad(c);
    if (last >= head.size)
        return unknown(c);
    uint64_t n = last - first < PAGE ? last - first + 1 : PAGE;
    IDV_AUTO_PTR(idv_json) entries = idv_json_new_array();
    struct page p = {entries, first, IDV_OK};
    if (!entries)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(store->tree_entries(store->self, first, (unsigned)n, each, &p));
    IDV_TRY(p.rc);
    return idv_json_set(a->out, "entries", idv_steal(&entries));
}

/* --- paths ---------------------------------------------------------------- */

static const struct row {
    const char *as; /* with a name that is its end */
    size_t args;
    idv_rc (*answer)(struct idvi_masa_call *c, struct asked *a);
    int max_age; /* that of trees of a size is what it is for ever */
} rows[] = {
    {PREFIX "get-sth", 0, get_sth, 0},
    {PREFIX "get-sth-consistency", 2, get_consistency, DAY_S},
    {PREFIX "get-proof-by-hash", 2, get_proof, DAY_S},
    {PREFIX "get-all-by-hash", 2, get_all, 0},
    {PREFIX "get-entries", 2, get_entries, DAY_S},
};

static const struct row *row_of(const char *path, struct asked *a)
{
    struct idv_bytes rest = idv_str(path + strlen(PREFIX)), name, arg;
    size_t n = 0;
    if (!idv_text_next(&rest, "/", &name))
        return NULL;
    while (idv_text_next(&rest, "/", &arg)) {
        if (n == 2)
            return NULL;
        a->arg[n++] = arg;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *its = rows[i].as + strlen(PREFIX);
        if (rows[i].args == n && idv_bytes_eq(name, idv_str(its)))
            return &rows[i];
    }
    return NULL;
}

bool idvi_masa_is_log(const struct idvi_masa_call *c)
{
    return c->masa->conf.log_key &&
           strncmp(c->call->req.path, PREFIX, strlen(PREFIX)) == 0;
}

idv_rc idvi_masa_log(struct idvi_masa_call *c)
{
    IDV_AUTO_PTR(idv_json) out = idv_json_new_object();
    IDV_AUTO(buf) json = {.max = IDV_MAX_BODY};
    struct asked a = {.out = out};
    const struct row *row = row_of(c->call->req.path, &a);
    if (!out)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (!row)
        return idvi_refuse(&c->no, 404, "path", "not found");
    c->call->as = row->as;
    IDV_TRY(idvi_refuse_verb(&c->no, c->call, IDV_GET));
    IDV_TRY(row->answer(c, &a));
    IDV_TRY(idv_json_dump(out, false, &json));
    c->call->reply.max_age = row->max_age;
    return idv_msg_reply(&c->call->reply, 200, "application/json",
                         idv_view(&json));
}
