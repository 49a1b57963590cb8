/* SPDX-License-Identifier: Apache-2.0 */
/* verify-log, of a database: its log against its tree against its heads. */
#include <idevid/auto.h>

#include "masa_verify.h"
#include "service.h"

#define PAGE 1024

struct walk {
    struct verify *v;
    struct idv_db *db;
    struct idv_masa_store store;
    idv_rc rc;
    /* the next signed head, in their order */
    int64_t head_id;
    bool more;
    struct idv_tree_head next;
    struct idv_buf item;
};

static idv_rc next_head(struct walk *w)
{
    IDV_TRY(idv_db_head_next(w->db, &w->head_id, &w->more, &w->item));
    if (!w->more)
        return IDV_OK;
    return idv_tree_head_verify(idv_view(&w->item), w->v->keys, &w->next);
}

/* heads of so many entries as were read */
static idv_rc check_heads(struct walk *w, struct idv_tree_head *last,
                          struct idv_buf *item)
{
    while (w->more && w->next.size <= w->v->tree.size) {
        if (w->next.size < last->size)
            return idv_fail(IDV_E_REJECT, "a tree head is smaller than the one "
                                          "before it");
        IDV_TRY(verify_point(w->v, &w->next, "a tree head that was signed"));
        *last = w->next;
        idv_buf_move(item, &w->item);
        IDV_TRY(next_head(w));
    }
    return IDV_OK;
}

/* what the tree has of this leaf and the subtrees that it completes */
static idv_rc check_kept(struct walk *w, uint64_t index,
                         const struct idv_hash *made, size_t n)
{
    struct idv_tree_node which[IDV_TREE_LEVELS];
    struct idv_hash kept[IDV_TREE_LEVELS];
    for (size_t l = 0; l < n; l++)
        which[l] = (struct idv_tree_node){(unsigned)l, index >> l};
    IDV_TRY(w->store.tree_read(w->store.self, which, n, kept));
    for (size_t l = 0; l < n; l++) {
        if (!idv_hash_eq(&kept[l], &made[l]))
            return idv_fail(IDV_E_REJECT,
                            "entry %llu is not what the tree has%s",
                            (unsigned long long)index, l ? " before it" : "");
    }
    return IDV_OK;
}

static idv_rc check_entry(struct walk *w, uint64_t index,
                          const struct idv_log_entry *e)
{
    struct idv_hash made[IDV_TREE_LEVELS];
    size_t n = 0;
    if (index != w->v->tree.size)
        return idv_fail(IDV_E_REJECT, "entry %llu is missing",
                        (unsigned long long)w->v->tree.size);
    IDV_TRY(verify_entry(w->v, e, made, &n));
    return check_kept(w, index, made, n);
}

struct step {
    struct walk *w;
    struct idv_tree_head *last;
    struct idv_buf *item;
};

static bool each(void *arg, uint64_t index, const struct idv_log_entry *e)
{
    struct step *s = arg;
    s->w->rc = check_entry(s->w, index, e);
    if (s->w->rc == IDV_OK)
        s->w->rc = check_heads(s->w, s->last, s->item);
    return s->w->rc == IDV_OK;
}

static idv_rc check_size(const struct walk *w)
{
    uint64_t size = 0;
    const struct verify *v = w->v;
    IDV_TRY(w->store.tree_size(w->store.self, &size));
    if (size > v->tree.size)
        return idv_fail(IDV_E_REJECT, "entry %llu is missing",
                        (unsigned long long)v->tree.size);
    if (w->more)
        return idv_fail(IDV_E_REJECT,
                        "a tree head of %llu entries was signed, but %llu are "
                        "there: entries were taken out",
                        (unsigned long long)w->next.size,
                        (unsigned long long)v->tree.size);
    for (size_t i = 0; i < v->n_points; i++) {
        if (v->points[i].head->size > v->tree.size)
            return idv_fail(IDV_E_REJECT,
                            "%s has %llu entries, but %llu are there: entries "
                            "were taken out",
                            v->points[i].what,
                            (unsigned long long)v->points[i].head->size,
                            (unsigned long long)v->tree.size);
    }
    return IDV_OK;
}

static idv_rc check_events(const struct walk *w)
{
    uint64_t left = 0;
    IDV_TRY(idv_db_tree_left(w->db, &left));
    return left
               ? idv_fail(IDV_E_REJECT, "%llu events of the log are in no tree",
                          (unsigned long long)left)
               : IDV_OK;
}

static idv_rc walk(struct walk *w, struct idv_tree_head *head,
                   struct idv_buf *item)
{
    struct step s = {w, head, item};
    uint64_t before;
    IDV_TRY(next_head(w));
    IDV_TRY(check_heads(w, head, item));
    do {
        before = w->v->tree.size;
        IDV_TRY(w->store.tree_entries(w->store.self, before, PAGE, each, &s));
        IDV_TRY(w->rc);
    } while (w->v->tree.size == before + PAGE);
    IDV_TRY(check_size(w));
    return check_events(w);
}

idv_rc verify_database(struct verify *v, const char *url,
                       struct idv_tree_head *head, struct idv_buf *item)
{
    AUTO_DB struct idv_db *db = NULL;
    struct walk w = {.v = v};
    IDV_TRY(idv_db_open(url, &db));
    w.db = db;
    w.store = idv_db_masa_store(db);
    idv_rc rc = walk(&w, head, item);
    idv_buf_free(&w.item);
    return rc;
}
