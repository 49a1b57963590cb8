/* SPDX-License-Identifier: Apache-2.0 */
/* verify-log, of a server: its head, the way there from other heads, and all
 * that it shows as entries. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>

#include "idevid/net/server.h"
#include "masa_verify.h"

struct client {
    struct verify *v;
    struct idv_url url;
    idv_certs *anchors;
};

/* --- asking --------------------------------------------------------------- */

static idv_rc ask(struct client *c, const char *path, struct idv_msg *reply)
{
    struct idv_upstream up = {.url = c->url, .anchors = c->anchors};
    idv_msg_init(&up.msg);
    idv_rc rc =
        idv_text_copy(up.msg.path, sizeof(up.msg.path), idv_str(path), "path");
    if (rc == IDV_OK)
        rc = idv_text_copy(up.msg.accept, sizeof(up.msg.accept),
                           idv_str("application/json"), "accept");
    if (rc == IDV_OK)
        rc = idv_upstream_once(&up, c->v->t->env, reply);
    idv_msg_free(&up.msg);
    return rc;
}

static idv_rc get(struct client *c, const char *path, struct idv_json **out)
{
    struct idv_msg reply;
    idv_msg_init(&reply);
    idv_rc rc = ask(c, path, &reply);
    if (rc == IDV_OK && reply.status != 200)
        rc = idv_fail(IDV_E_REJECT, "%s: %s: answered %d", c->url.host, path,
                      reply.status);
    if (rc == IDV_OK)
        rc = idv_json_parse(idv_view(&reply.body), IDV_MAX_BODY, out);
    idv_msg_free(&reply);
    return rc;
}

static idv_rc get_head(struct client *c, struct idv_tree_head *head,
                       struct idv_buf *item)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    IDV_TRY(get(c, "/log/v1/get-sth", &o));
    IDV_TRY(idv_log_item(o, "sth", item));
    return idv_tree_head_verify(idv_view(item), c->v->keys, head);
}

/* --- from an older head to this one --------------------------------------- */

static idv_rc get_proof(struct client *c, const struct idv_tree_head *old,
                        const struct idv_tree_head *head)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    IDV_AUTO(buf) item = {0};
    IDV_AUTO(buf) path = {0};
    struct idv_consistency p;
    IDV_TRY(idv_buf_putf(&path, "/log/v1/get-sth-consistency/%llu/%llu",
                         (unsigned long long)old->size,
                         (unsigned long long)head->size));
    IDV_TRY(get(c, (const char *)path.p, &o));
    IDV_TRY(idv_log_item(o, "consistency", &item));
    IDV_TRY(idv_consistency_from_item(idv_view(&item), &p));
    return idv_consistency_check(&p, old, head);
}

static idv_rc continues(struct client *c, const struct point *p,
                        const struct idv_tree_head *head)
{
    if (!p->head->size)
        return IDV_OK;
    if (p->head->size > head->size)
        return idv_fail(IDV_E_REJECT,
                        "the log has %llu entries, but %llu in %s: entries "
                        "were taken out",
                        (unsigned long long)head->size,
                        (unsigned long long)p->head->size, p->what);
    idv_rc rc = get_proof(c, p->head, head);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "%s", p->what);
}

/* --- the entries ---------------------------------------------------------- */

static idv_rc take(struct client *c, const struct idv_json *o)
{
    IDV_AUTO(buf) item = {.max = IDV_LOG_ENTRY_MAX};
    struct idv_hash made[IDV_TREE_LEVELS];
    struct idv_log_entry e;
    size_t n;
    IDV_TRY(idv_log_item(o, "log_entry", &item));
    IDV_TRY(idv_log_entry_from_item(idv_view(&item), &e));
    return verify_entry(c->v, &e, made, &n);
}

static idv_rc get_page(struct client *c, uint64_t size)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    IDV_AUTO(buf) path = {0};
    uint64_t first = c->v->tree.size;
    IDV_TRY(idv_buf_putf(&path, "/log/v1/get-entries/%llu/%llu",
                         (unsigned long long)first,
                         (unsigned long long)size - 1));
    IDV_TRY(get(c, (const char *)path.p, &o));
    const struct idv_json *list = idv_json_get(o, "entries");
    if (!idv_json_count(list))
        return idv_fail(IDV_E_REJECT, "entry %llu is missing",
                        (unsigned long long)first);
    for (size_t i = 0; i < idv_json_count(list) && c->v->tree.size < size; i++)
        IDV_TRY(take(c, idv_json_at(list, i, NULL)));
    return IDV_OK;
}

static idv_rc get_entries(struct client *c, const struct idv_tree_head *head)
{
    struct verify *v = c->v;
    v->points[v->n_points++] = (struct point){head, "the log's own tree head"};
    while (v->tree.size < head->size)
        IDV_TRY(get_page(c, head->size));
    return verify_point(v, head, "the log's own tree head");
}

static idv_rc verify_with(struct client *c, bool quick,
                          struct idv_tree_head *head, struct idv_buf *item)
{
    IDV_TRY(get_head(c, head, item));
    for (size_t i = 0; i < c->v->n_points; i++)
        IDV_TRY(continues(c, &c->v->points[i], head));
    return quick ? IDV_OK : get_entries(c, head);
}

idv_rc verify_server(struct verify *v, const struct verify_server *s,
                     struct idv_tree_head *head, struct idv_buf *item)
{
    IDV_AUTO_PTR(idv_certs) anchors = NULL;
    struct client c = {.v = v};
    IDV_TRY(idv_url_from_text(idv_str(s->url), &c.url));
    if (s->anchors)
        IDV_TRY(idv_certs_open(s->anchors, NULL, &anchors));
    c.anchors = anchors;
    return verify_with(&c, s->quick, head, item);
}
