/* SPDX-License-Identifier: Apache-2.0 */
/* The maker's transparency log: is our voucher's entry in it, and has it only
 * grown since we looked last? */
#include <stdio.h>
#include <string.h>

#include <idevid/text.h>

#include "idevid/registrar/registrar_call.h"

/* --- how it ends ---------------------------------------------------------- */

static bool is_required(const struct idvi_reg_call *c)
{
    return c->maker->log == IDV_MAKER_LOG_REQUIRED;
}

/* nothing is proved: neither for the maker nor against it */
static idv_rc not_known(struct idvi_reg_call *c, const char *why)
{
    idv_note_clear();
    idv_log(c->reg->env, IDV_LOG_WARN, "log-unknown", "maker=%s why=%s",
            idv_log_value(c->maker->name), why);
    return is_required(c) ? c->audited(c, why) : idvi_reg_conclude(c, true, "");
}

static idv_rc bad(struct idvi_reg_call *c, const char *why)
{
    char text[IDV_NOTE_MAX];
    snprintf(text, sizeof(text), "%s", why);
    idv_note_clear();
    idv_log(c->reg->env, IDV_LOG_ERROR, "log-inconsistent",
            "maker=%s device=%s reason=%s", idv_log_value(c->maker->name),
            idv_log_value(c->session.serial_number), idv_log_value(text));
    IDV_TRY(idvi_reg_found_of_maker(c, "log", text));
    return idvi_reg_conclude(c, !is_required(c), is_required(c) ? text : "");
}

/* --- what is answered ----------------------------------------------------- */

struct answer {
    struct idv_tree_head head;
    struct idv_inclusion inclusion;
    struct idv_consistency consistency;
    bool has_consistency;
    struct idv_buf item; /* of head */
};

static idv_rc read_proofs(const struct idv_json *o, struct answer *out)
{
    IDV_AUTO(buf) item = {0};
    IDV_TRY(idv_log_item(o, "inclusion", &item));
    IDV_TRY(idv_inclusion_from_item(idv_view(&item), &out->inclusion));
    out->has_consistency = idv_json_get(o, "consistency");
    if (!out->has_consistency)
        return IDV_OK;
    IDV_TRY(idv_log_item(o, "consistency", &item));
    return idv_consistency_from_item(idv_view(&item), &out->consistency);
}

static idv_rc read_answer(const struct idvi_reg_call *c,
                          const struct idv_msg *reply, struct answer *out)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    IDV_TRY(idv_json_parse(idv_view(&reply->body), IDV_MAX_BODY, &o));
    IDV_TRY(idv_log_item(o, "sth", &out->item));
    IDV_TRY(idv_tree_head_verify(idv_view(&out->item), c->maker->log_keys,
                                 &out->head));
    return read_proofs(o, out);
}

static idv_rc check(const struct idvi_reg_call *c, const struct answer *a,
                    const struct idv_tree_head *kept)
{
    IDV_TRY(idv_inclusion_check(&a->inclusion, &c->leaf_hash, &a->head));
    if (!kept->size)
        return IDV_OK;
    if (a->head.size < kept->size)
        return idv_fail(
            IDV_E_REJECT, "log: it has %llu entries and had %llu before",
            (unsigned long long)a->head.size, (unsigned long long)kept->size);
    if (!a->has_consistency)
        return idv_fail(IDV_E_REJECT, "log: no consistency proof");
    return idv_consistency_check(&a->consistency, kept, &a->head);
}

static idv_rc kept_head(const struct idvi_reg_call *c,
                        struct idv_tree_head *out)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    IDV_AUTO(buf) item = {.max = IDV_TREE_HEAD_MAX};
    bool found = false;
    *out = (struct idv_tree_head){.size = 0};
    IDV_TRY(store->log_head(store->self, c->maker->name, &found, &item));
    return found ? idv_tree_head_from_item(idv_view(&item), out) : IDV_OK;
}

static idv_rc judge(struct idvi_reg_call *c, const struct idv_msg *reply,
                    struct answer *a)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    /* that of when it was asked: meanwhile another may have been kept, which
     * the next time is compared with what is kept now */
    idv_rc rc = read_answer(c, reply, a);
    if (rc == IDV_OK)
        rc = check(c, a, &c->kept_head);
    if (rc == IDV_E_FORMAT || rc == IDV_E_LIMIT || rc == IDV_E_REJECT)
        return bad(c, idv_note());
    IDV_TRY(rc);
    IDV_TRY(store->log_head_keep(store->self, c->maker->name, a->head.size,
                                 idv_view(&a->item)));
    return idvi_reg_conclude(c, true, "");
}

static idv_rc told_tree(struct idvi_reg_call *c, struct idv_told *told)
{
    struct answer a = {.item = {.max = IDV_TREE_HEAD_MAX}};
    if (told->kind != IDV_TOLD_REPLY || told->msg.status >= 500)
        return not_known(c, "log-unavailable");
    if (told->msg.status != 200)
        return bad(c, "log: the voucher's entry is not in it");
    idv_rc rc = judge(c, &told->msg, &a);
    idv_buf_free(&a.item);
    return rc;
}

/* --- what is asked -------------------------------------------------------- */

/* The salts are of this device, if it is here. */
static bool is_issuer(const struct idvi_reg_call *c,
                      const struct idv_audit_log *log)
{
    return !c->leaf ||
           memcmp(c->leaf_sha256, c->session.idevid_sha256,
                  sizeof(c->leaf_sha256)) != 0 ||
           idv_idevid_issuer_matches(c->leaf,
                                     idv_bytes(log->keyid, log->keyid_n));
}

static idv_rc hash_entry(struct idvi_reg_call *c,
                         const struct idv_audit_log *log,
                         const struct idv_audit_event *event)
{
    struct idv_log_entry e = {.event = *event};
    IDV_TRY(idv_log_commit(event->salt, idv_bytes(log->keyid, log->keyid_n),
                           c->session.serial_number, &e.commitment));
    return idv_log_entry_hash(&e, &c->leaf_hash);
}

static idv_rc put_request(struct idvi_reg_call *c)
{
    struct idv_upstream *up = &c->call->up;
    const struct idv_hash *h = &c->leaf_hash;
    IDV_AUTO(buf) path = {0};
    idv_msg_free(&up->msg);
    idv_msg_init(&up->msg);
    IDV_TRY(idv_buf_puts(&path, "/log/v1/get-all-by-hash/"));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(h->p, sizeof(h->p)), &path));
    IDV_TRY(
        idv_buf_putf(&path, "/%llu", (unsigned long long)c->kept_head.size));
    IDV_TRY(idv_text_copy(up->msg.path, sizeof(up->msg.path), idv_view(&path),
                          "log"));
    return idv_text_copy(up->msg.accept, sizeof(up->msg.accept),
                         idv_str("application/json"), "accept");
}

idv_rc idvi_reg_ask_tree(struct idvi_reg_call *c,
                         const struct idv_audit_log *log)
{
    const struct idv_audit_event *own = idvi_reg_own_event(c, log);
    if (!c->maker || c->maker->log == IDV_MAKER_LOG_OFF)
        return idvi_reg_conclude(c, true, "");
    if (!own)
        return bad(c, "log: the voucher is not in the device's history");
    if (!own->salted || !is_issuer(c, log))
        return bad(c, "log: the maker does not say which entry it is");
    IDV_TRY(hash_entry(c, log, own));
    IDV_TRY(kept_head(c, &c->kept_head));
    IDV_TRY(put_request(c));
    c->resume = told_tree;
    return IDV_OK;
}
