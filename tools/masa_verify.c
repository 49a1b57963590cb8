/* SPDX-License-Identifier: Apache-2.0 */
/* verify-log: whoever keeps one tree head sees whether the log only grew. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>

#include "masa.h"
#include "masa_verify.h"

static struct {
    const char *anchors, *database, *head, *other;
    const char *keys[TOOL_LIST_MAX + 1];
    bool quick;
} opt;

const struct tool_option masa_verify_options[] = {
    {"key", 0, "FILE", "public key of the log (PEM); may be repeated", NULL,
     NULL, opt.keys},
    {"head", 0, "FILE", "the tree head that is kept; replaced by the new one",
     &opt.head, NULL, NULL},
    {"with", 0, "FILE", "a tree head that somebody else keeps", &opt.other,
     NULL, NULL},
    {"anchors", 0, "FILE", "of the server's TLS (default: the system's)",
     &opt.anchors, NULL, NULL},
    {"quick", 0, NULL, "heads and their proof only, no entries", NULL,
     &opt.quick, NULL},
    {"database", 0, "FILE|URL", "look into the database, ask no server",
     &opt.database, NULL, NULL},
    {0}};

/* --- keys and heads ------------------------------------------------------- */

static idv_rc load_key(const char *path, EVP_PKEY **out)
{
    struct idv_log_id id;
    IDV_TRY(tool_public_key(path, out));
    idv_rc rc = idv_log_id(*out, &id);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "%s", path);
}

static idv_rc load_keys(struct verify *v)
{
    if (!opt.keys[0])
        return idv_fail(IDV_E_ARG, "--key is needed: whose log is it?");
    for (size_t i = 0; opt.keys[i]; i++)
        IDV_TRY(load_key(opt.keys[i], &v->keys[i]));
    return IDV_OK;
}

/* what get-sth answers is such a file */
static idv_rc read_head(struct idv_bytes text, EVP_PKEY *const *keys,
                        struct idv_tree_head *out)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    IDV_AUTO(buf) item = {.max = IDV_TREE_HEAD_MAX};
    IDV_TRY(idv_json_parse(text, IDV_MAX_BODY, &o));
    IDV_TRY(idv_log_item(o, "sth", &item));
    return idv_tree_head_verify(idv_view(&item), keys, out);
}

static idv_rc load_head(const char *path, bool needed, EVP_PKEY *const *keys,
                        struct idv_tree_head *out)
{
    IDV_AUTO(buf) text = {0};
    if (!path || (!needed && !idv_fs_exists(path)))
        return IDV_OK;
    IDV_TRY(idv_fs_read(path, IDV_MAX_BODY, &text));
    idv_rc rc = read_head(idv_view(&text), keys, out);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "%s", path);
}

static idv_rc save_head(struct idv_bytes item)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    IDV_AUTO(buf) text = {0};
    if (!opt.head || !item.n)
        return IDV_OK;
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_json_set(o, "sth", idv_json_new_base64(item)));
    IDV_TRY(idv_json_dump(o, false, &text));
    IDV_TRY(idv_buf_puts(&text, "\n"));
    return idv_fs_write(opt.head, idv_view(&text), 0644);
}

/* --- the entries against the heads ---------------------------------------- */

static idv_rc differs(const struct idv_tree_head *head, const char *what)
{
    return idv_fail(IDV_E_REJECT,
                    "the first %llu entries are not those of %s: entries were "
                    "changed, moved or taken out",
                    (unsigned long long)head->size, what);
}

idv_rc verify_point(const struct verify *v, const struct idv_tree_head *head,
                    const char *what)
{
    struct idv_hash root;
    if (head->size != v->tree.size)
        return IDV_OK;
    IDV_TRY(idv_tree_root(&v->tree, &root));
    return idv_hash_eq(&root, &head->root) ? IDV_OK : differs(head, what);
}

idv_rc verify_entry(struct verify *v, const struct idv_log_entry *e,
                    struct idv_hash made[static IDV_TREE_LEVELS], size_t *n)
{
    struct idv_hash leaf;
    IDV_TRY(idv_log_entry_hash(e, &leaf));
    IDV_TRY(idv_tree_append(&v->tree, &leaf, made, n));
    for (size_t i = 0; i < v->n_points; i++)
        IDV_TRY(verify_point(v, v->points[i].head, v->points[i].what));
    return IDV_OK;
}

/* --- the command ---------------------------------------------------------- */

static idv_rc look(struct verify *v, const char *url,
                   struct idv_tree_head *head, struct idv_buf *item)
{
    const struct verify_server s = {url, opt.anchors, opt.quick};
    return opt.database ? verify_database(v, opt.database, head, item)
                        : verify_server(v, &s, head, item);
}

static idv_rc say(struct tool *t, const struct idv_tree_head *head)
{
    char date[IDV_TIME_TEXT];
    IDV_TRY(idv_time_to_text((int64_t)(head->timestamp / 1000), date));
    if (!t->json) {
        tool_say(t, "%llu entries, tree head of %s: the log only grew",
                 (unsigned long long)head->size, date);
        return IDV_OK;
    }
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = idv_json_set(o, "size", idv_json_new_int((int64_t)head->size));
    if (rc == IDV_OK)
        rc = idv_json_set(o, "date", idv_json_new_text(idv_str(date)));
    return tool_print_put(o, rc);
}

static idv_rc verify(struct verify *v, const char *url)
{
    struct idv_tree_head head = {.size = 0};
    IDV_AUTO(buf) item = {.max = IDV_TREE_HEAD_MAX};
    IDV_TRY(load_keys(v));
    IDV_TRY(load_head(opt.head, false, v->keys, &v->kept));
    IDV_TRY(load_head(opt.other, true, v->keys, &v->other));
    v->points[0] = (struct point){&v->kept, "the tree head that was kept"};
    v->points[1] = (struct point){&v->other, "the tree head of somebody else"};
    v->n_points = 2;
    IDV_TRY(look(v, url, &head, &item));
    IDV_TRY(save_head(idv_view(&item)));
    return say(v->t, &head);
}

idv_rc masa_verify_log(struct tool *t, int argc, char **argv)
{
    struct verify v = {.t = t};
    if (masa_opt.tenant)
        return idv_fail(IDV_E_ARG, "verify-log: it is told the log, by its "
                                   "server or its database, not a tenant");
    if (!argc == !opt.database)
        return idv_fail(IDV_E_ARG, "either a URL or --database is needed");
    idv_rc rc = verify(&v, argc ? argv[0] : NULL);
    for (size_t i = 0; v.keys[i]; i++)
        EVP_PKEY_free(v.keys[i]);
    return rc;
}
