/* SPDX-License-Identifier: Apache-2.0 */
/* The tree over the MASA's log in the store: read, and grown event by event. */
#include <string.h>

#include "idevid/db/masa_tree.h"
#include "idevid/db/rows.h"

#define HASH sizeof(struct idv_hash)

/* --- subtrees ------------------------------------------------------------- */

/* A subtree stands with the leaf that completed it. */
static int64_t place_of(const struct idv_tree_node *n)
{
    return (int64_t)(((n->index + 1) << n->level) - 1);
}

#define AT_ONCE 24
#define SELECT_SUBTREES                                                        \
    "SELECT position, leaf_hash, subtrees FROM tree_leaf WHERE position IN"    \
    " ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16," \
    " $17, $18, $19, $20, $21, $22, $23, $24)"

static idv_rc start_read(struct idv_db *db, struct idvi_query *q,
                         const struct idv_tree_node *which, size_t n)
{
    int64_t p[AT_ONCE];
    for (size_t i = 0; i < AT_ONCE; i++)
        p[i] = i < n ? place_of(&which[i]) : -1;
    return idvi_query(db, q, SELECT_SUBTREES, "iiiiiiiiiiiiiiiiiiiiiiii", p[0],
                      p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9],
                      p[10], p[11], p[12], p[13], p[14], p[15], p[16], p[17],
                      p[18], p[19], p[20], p[21], p[22], p[23]);
}

static bool take_level(unsigned level, const struct idv_hash *leaf,
                       const struct idv_buf *subtrees, struct idv_hash *out)
{
    if (level == 0)
        *out = *leaf;
    else if (subtrees->n >= level * HASH)
        memcpy(out->p, subtrees->p + (level - 1) * HASH, HASH);
    else
        return false;
    return true;
}

/* the row of one leaf may have several of them */
static idv_rc take_row(struct idvi_query *q, const struct idv_tree_node *which,
                       size_t n, struct idv_hash *out, size_t *left)
{
    IDV_AUTO(buf) subtrees = {.max = IDV_TREE_LEVELS * HASH};
    struct idv_hash leaf;
    int64_t at = 0;
    IDV_TRY(idvi_query_get(q, "ihb", &at, leaf.p, &subtrees));
    for (size_t i = 0; i < n; i++) {
        if (place_of(&which[i]) == at &&
            take_level(which[i].level, &leaf, &subtrees, &out[i]))
            --*left;
    }
    return IDV_OK;
}

static idv_rc read_some(struct idv_db *db, const struct idv_tree_node *which,
                        size_t n, struct idv_hash *out)
{
    IDVI_QUERY(q);
    size_t left = n;
    IDV_TRY(start_read(db, &q, which, n));
    for (bool row = false;;) {
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            break;
        IDV_TRY(take_row(&q, which, n, out, &left));
    }
    return left ? idv_fail(IDV_E_STATE, "tree: a leaf is missing") : IDV_OK;
}

static idv_rc tree_read(void *self, const struct idv_tree_node *which, size_t n,
                        struct idv_hash *out)
{
    idvi_rely(self);
    for (size_t i = 0; i < n; i += AT_ONCE)
        IDV_TRY(read_some(self, which + i, n - i < AT_ONCE ? n - i : AT_ONCE,
                          out + i));
    return IDV_OK;
}

static idv_rc tree_size(void *self, uint64_t *size)
{
    int64_t n = 0;
    idvi_rely(self);
    IDV_TRY(idvi_number(
        self, &n, "SELECT coalesce(max(position) + 1, 0) FROM tree_leaf", ""));
    *size = (uint64_t)n;
    return IDV_OK;
}

static idv_rc tree_find(void *self, const struct idv_hash *leaf, bool *found,
                        uint64_t *index)
{
    IDVI_QUERY(q);
    int64_t n = 0;
    idvi_rely(self);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT position FROM tree_leaf WHERE leaf_hash = $1",
                       "h", leaf->p));
    IDV_TRY(idvi_query_next(&q, found));
    if (!*found)
        return IDV_OK;
    IDV_TRY(idvi_query_get(&q, "i", &n));
    *index = (uint64_t)n;
    return IDV_OK;
}

/* --- entries -------------------------------------------------------------- */

/* as the log has it now, whatever the tree says */
static idv_rc entry_of(struct idvi_query *q, uint64_t *at,
                       struct idv_log_entry *e)
{
    IDV_AUTO(buf) keyid = {.max = IDV_MAX_KEYID};
    struct idv_audit_event *v = &e->event;
    char serial[IDV_MAX_SERIAL + 1];
    int64_t position = 0;
    IDV_TRY(idvi_query_get(q, "ihittnbt", &position, v->salt, &v->date,
                           v->domain_id, sizeof(v->domain_id), v->nonce,
                           sizeof(v->nonce), &v->assertion, &keyid, serial,
                           sizeof(serial)));
    *at = (uint64_t)position;
    return idv_log_commit(v->salt, idv_view(&keyid), serial, &e->commitment);
}

static idv_rc tree_entries(void *self, uint64_t first, unsigned n,
                           bool (*each)(void *arg, uint64_t index,
                                        const struct idv_log_entry *e),
                           void *arg)
{
    IDVI_QUERY(q);
    idvi_rely(self);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT l.position, l.salt, a.date, a.domain_id,"
                       " a.nonce, a.assertion, d.keyid, d.serial_number"
                       " FROM tree_leaf l JOIN audit_event a ON"
                       " a.id = l.event_id JOIN device d ON d.id = a.device_id"
                       " WHERE l.position >= $1 AND l.position < $2"
                       " ORDER BY l.position",
                       "ii", (int64_t)first, (int64_t)(first + n)));
    for (bool row = false;;) {
        struct idv_log_entry e = {.event = {.date = 0}};
        uint64_t index = 0;
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(entry_of(&q, &index, &e));
        if (!each(arg, index, &e))
            return IDV_OK;
    }
}

/* --- growing -------------------------------------------------------------- */

struct waiting {
    size_t n;
    struct leaf {
        int64_t event;
        struct idv_hash hash;
        uint8_t salt[IDV_AUDIT_SALT];
    } leaf[IDVI_TREE_BATCH];
};

static idv_rc make_salt(const uint8_t seed[static 32], int64_t event,
                        uint8_t out[static IDV_AUDIT_SALT])
{
    uint8_t in[32 + sizeof(event)];
    memcpy(in, seed, 32);
    memcpy(in + 32, &event, sizeof(event));
    return idv_sha256(idv_bytes(in, sizeof(in)), out);
}

static idv_rc make_leaf(struct idvi_query *q, const uint8_t seed[static 32],
                        struct leaf *out)
{
    IDV_AUTO(buf) keyid = {.max = IDV_MAX_KEYID};
    struct idv_log_entry e = {.event = {.date = 0}};
    struct idv_audit_event *v = &e.event;
    char serial[IDV_MAX_SERIAL + 1];
    IDV_TRY(idvi_query_get(q, "iittnbt", &out->event, &v->date, v->domain_id,
                           sizeof(v->domain_id), v->nonce, sizeof(v->nonce),
                           &v->assertion, &keyid, serial, sizeof(serial)));
    IDV_TRY(make_salt(seed, out->event, out->salt));
    IDV_TRY(idv_log_commit(out->salt, idv_view(&keyid), serial, &e.commitment));
    return idv_log_entry_hash(&e, &out->hash);
}

static idv_rc read_waiting(struct idv_db *db, const uint8_t seed[static 32],
                           struct waiting *out)
{
    IDVI_QUERY(q);
    bool row = false;
    IDV_TRY(idvi_query(db, &q,
                       "SELECT w.event_id, a.date, a.domain_id, a.nonce,"
                       " a.assertion, d.keyid, d.serial_number"
                       " FROM tree_wait w JOIN audit_event a ON"
                       " a.id = w.event_id JOIN device d ON d.id = a.device_id"
                       " WHERE w.event_id > 0 ORDER BY w.event_id LIMIT $1",
                       "i", (int64_t)IDVI_TREE_BATCH));
    for (out->n = 0;; out->n++) {
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(make_leaf(&q, seed, &out->leaf[out->n]));
    }
}

static idv_rc put_leaf(struct idv_db *db, struct idv_tree *t,
                       const struct leaf *l)
{
    struct idv_hash made[IDV_TREE_LEVELS];
    int64_t at = (int64_t)t->size;
    size_t n = 0;
    IDV_TRY(idv_tree_append(t, &l->hash, made, &n));
    IDV_TRY(idvi_exec(db, NULL,
                      "INSERT INTO tree_leaf (position, event_id, salt,"
                      " leaf_hash, subtrees) VALUES ($1, $2, $3, $4, $5)",
                      "iihhb", at, l->event, l->salt, l->hash.p,
                      idv_bytes(made + 1, (n - 1) * HASH)));
    return idvi_exec(db, NULL, "DELETE FROM tree_wait WHERE event_id = $1", "i",
                     l->event);
}

static idv_rc load(struct idv_db *db, struct idv_tree *t)
{
    struct idv_tree_nodes nodes = {tree_read, db};
    uint64_t size = 0;
    IDV_TRY(tree_size(db, &size));
    return idv_tree_load(size, &nodes, t);
}

idv_rc idvi_tree_grow(struct idv_db *db, const uint8_t seed[static 32],
                      size_t *n)
{
    struct waiting w;
    struct idv_tree t;
    IDV_TRY(read_waiting(db, seed, &w));
    if (w.n)
        IDV_TRY(load(db, &t));
    for (size_t i = 0; i < w.n; i++)
        IDV_TRY(put_leaf(db, &t, &w.leaf[i]));
    *n = w.n;
    return IDV_OK;
}

static idv_rc grow_once(struct idv_db *db, const struct idv_env *env, size_t *n)
{
    uint8_t seed[32];
    IDV_TRY(idv_random(env, seed, sizeof(seed)));
    IDV_TRY(idvi_begin(db));
    return idvi_end(db, idvi_tree_grow(db, seed, n));
}

idv_rc idv_db_tree_grow(struct idv_db *db, const struct idv_env *env,
                        uint64_t *grown)
{
    size_t n = 0;
    *grown = 0;
    do {
        IDV_TRY(grow_once(db, env, &n));
        *grown += n;
    } while (n == IDVI_TREE_BATCH);
    return IDV_OK;
}

/* --- heads ---------------------------------------------------------------- */

static idv_rc head_last(void *self, bool *found, struct idv_buf *out)
{
    IDVI_QUERY(q);
    idvi_rely(self);
    IDV_TRY(idvi_query(self, &q,
                       "SELECT head FROM tree_head"
                       " WHERE id = (SELECT max(id) FROM tree_head)",
                       ""));
    IDV_TRY(idvi_query_next(&q, found));
    return *found ? idvi_query_get(&q, "b", out) : IDV_OK;
}

static idv_rc put_head(struct idv_db *db, const struct idv_tree_head *h,
                       struct idv_bytes item)
{
    return idvi_exec(db, NULL,
                     "INSERT INTO tree_head (size, signed, head)"
                     " SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM"
                     " tree_head WHERE id = (SELECT max(id) FROM tree_head)"
                     " AND (size > $1 OR signed >= $2))",
                     "iib", (int64_t)h->size, (int64_t)h->timestamp, item);
}

static idv_rc head_add(void *self, const struct idv_tree_head *h,
                       struct idv_bytes item)
{
    IDV_TRY(idvi_begin(self));
    return idvi_end(self, put_head(self, h, item));
}

idv_rc idv_db_head_next(struct idv_db *db, int64_t *id, bool *found,
                        struct idv_buf *out)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q,
                       "SELECT id, head FROM tree_head WHERE id > $1"
                       " ORDER BY id LIMIT 1",
                       "i", *id));
    IDV_TRY(idvi_query_next(&q, found));
    return *found ? idvi_query_get(&q, "ib", id, out) : IDV_OK;
}

idv_rc idv_db_tree_left(struct idv_db *db, uint64_t *n)
{
    int64_t left = 0;
    IDV_TRY(idvi_number(db, &left,
                        "SELECT count(*) FROM audit_event a LEFT JOIN tree_leaf"
                        " l ON l.event_id = a.id WHERE l.event_id IS NULL",
                        ""));
    *n = (uint64_t)left;
    return IDV_OK;
}

void idvi_tree_store(struct idv_masa_store *s)
{
    s->tree_size = tree_size;
    s->tree_read = tree_read;
    s->tree_find = tree_find;
    s->tree_entries = tree_entries;
    s->head_last = head_last;
    s->head_add = head_add;
}
