/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of the log as leaves, there and back. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "tree/entry.h"
#include "tree/wire.h"

#define ENTRY 0xF000
#define MS 1000

idv_rc idv_log_commit(const uint8_t salt[static IDV_AUDIT_SALT],
                      struct idv_bytes keyid, const char *serial,
                      struct idv_hash *out)
{
    IDV_AUTO(buf) all = {0};
    IDV_TRY(idv_buf_put(&all, idv_bytes(salt, IDV_AUDIT_SALT)));
    IDV_TRY(idvi_put_vector(&all, 1, keyid));
    IDV_TRY(idvi_put_vector(&all, 1, idv_str(serial)));
    return idv_sha256(idv_bytes(all.p, all.n), out->p);
}

idv_rc idv_log_entry_to_item(const struct idv_log_entry *e, struct idv_buf *out)
{
    const struct idv_audit_event *v = &e->event;
    const char *word = idv_assertion_to_text(v->assertion);
    if (v->date < 0)
        return idv_fail(IDV_E_ARG, "log entry: a date before 1970");
    IDV_TRY(idvi_put_uint(out, ENTRY, 2));
    IDV_TRY(idvi_put_uint(out, (uint64_t)v->date * MS, 8));
    IDV_TRY(idvi_put_vector(out, 1, idv_str(v->domain_id)));
    IDV_TRY(idvi_put_vector(out, 1, idv_str(v->nonce)));
    IDV_TRY(idvi_put_vector(out, 1, idv_str(word)));
    return idv_buf_put(out, idv_bytes(e->commitment.p, sizeof(e->commitment)));
}

static idv_rc get_text(struct idv_bytes *in, size_t least, char *out,
                       size_t room)
{
    struct idv_bytes v;
    IDV_TRY(idvi_get_vector(in, 1, least, &v));
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < 0x20 || v.p[i] == 0x7f)
            return idv_fail(IDV_E_FORMAT, "log entry: a control character");
    }
    if (v.n >= room)
        return idv_fail(IDV_E_FORMAT, "log entry: a text is too long");
    return idv_text_copy(out, room, v, "log entry");
}

static idv_rc get_date(struct idv_bytes *in, int64_t *out)
{
    uint64_t ms = 0;
    IDV_TRY(idvi_get_uint(in, 8, &ms));
    if (ms > INT64_MAX || ms % MS)
        return idv_fail(IDV_E_FORMAT, "log entry: no whole seconds");
    *out = (int64_t)(ms / MS);
    return IDV_OK;
}

static idv_rc get_assertion(struct idv_bytes *in, enum idv_assertion *out)
{
    char word[32];
    IDV_TRY(get_text(in, 0, word, sizeof(word)));
    *out = IDV_ASSERT_NONE;
    return !word[0] ? IDV_OK : idv_assertion_from_text(word, out);
}

idv_rc idv_log_entry_from_item(struct idv_bytes item, struct idv_log_entry *out)
{
    struct idv_log_entry e = {.event = {.date = 0}};
    struct idv_audit_event *v = &e.event;
    struct idv_bytes commitment;
    IDV_TRY(idvi_get_type(&item, ENTRY, "an entry"));
    IDV_TRY(get_date(&item, &v->date));
    IDV_TRY(get_text(&item, 0, v->domain_id, sizeof(v->domain_id)));
    IDV_TRY(get_text(&item, 0, v->nonce, sizeof(v->nonce)));
    IDV_TRY(get_assertion(&item, &v->assertion));
    IDV_TRY(idvi_get_fixed(&item, sizeof(e.commitment.p), &commitment));
    IDV_TRY(idvi_get_end(item));
    memcpy(e.commitment.p, commitment.p, commitment.n);
    *out = e;
    return IDV_OK;
}

idv_rc idv_log_entry_hash(const struct idv_log_entry *e, struct idv_hash *out)
{
    IDV_AUTO(buf) item = {.max = IDV_LOG_ENTRY_MAX};
    IDV_TRY(idv_log_entry_to_item(e, &item));
    return idv_tree_hash_leaf(idv_view(&item), out);
}
