/* SPDX-License-Identifier: Apache-2.0 */
/* Where a book ends, as somebody else keeps it. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/journal.h>
#include <idevid/json.h>

#define WHAT "journal's head"

/* --- of a book ------------------------------------------------------------ */

static idv_rc read_head(const struct idv_factory_store *s,
                        struct idv_journal_head *out)
{
    struct idv_journal_batch last = {0};
    bool found = false;
    IDV_TRY(s->head(s->self, &out->seq, out->hash));
    idv_rc rc = s->batch_last(s->self, &found, &last);
    out->sealed = last.seq;
    idv_buf_free(&last.cms);
    return rc;
}

idv_rc idv_journal_head(const struct idv_factory_store *s,
                        const struct idv_env *env, struct idv_journal_head *out)
{
    struct idv_journal_head h = {.time = idv_now(env)};
    IDV_TRY(s->view(s->self, true));
    idv_rc rc = read_head(s, &h);
    idv_rc closed = s->view(s->self, false);
    IDV_TRY(rc);
    IDV_TRY(closed);
    *out = h;
    return IDV_OK;
}

/* --- JSON ----------------------------------------------------------------- */

static idv_rc put(struct idv_json *o, const struct idv_journal_head *h)
{
    IDV_AUTO(buf) hex = {0};
    char time[IDV_TIME_TEXT];
    IDV_TRY(idv_hex_from_bytes(idv_bytes(h->hash, 32), &hex));
    IDV_TRY(idv_time_to_text(h->time, time));
    IDV_TRY(idv_json_set(o, "hash", idv_json_new_text(idv_view(&hex))));
    IDV_TRY(idv_json_set(o, "sealed", idv_json_new_int((int64_t)h->sealed)));
    IDV_TRY(idv_json_set(o, "seq", idv_json_new_int((int64_t)h->seq)));
    return idv_json_set(o, "time", idv_json_new_text(idv_str(time)));
}

idv_rc idv_journal_head_to_json(const struct idv_journal_head *h,
                                struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(put(o, h));
    IDV_TRY(idv_json_dump(o, false, out));
    return idv_buf_puts(out, "\n");
}

static idv_rc get_number(const struct idv_json *o, const char *name,
                         uint64_t *out)
{
    int64_t n;
    IDV_TRY(idv_json_int(idv_json_get(o, name), name, &n));
    if (n < 0)
        return idv_fail(IDV_E_FORMAT, "%s is negative", name);
    *out = (uint64_t)n;
    return IDV_OK;
}

static idv_rc get(const struct idv_json *o, struct idv_journal_head *h)
{
    IDV_AUTO(buf) hash = {0};
    const char *hex = idv_json_text(idv_json_get(o, "hash"));
    const char *time = idv_json_text(idv_json_get(o, "time"));
    if (!hex || !time)
        return idv_fail(IDV_E_FORMAT, "no hash, or no time");
    IDV_TRY(idv_hex_to_bytes(idv_str(hex), &hash));
    if (hash.n != sizeof(h->hash))
        return idv_fail(IDV_E_FORMAT, "a hash of %zu bytes", hash.n);
    memcpy(h->hash, hash.p, sizeof(h->hash));
    IDV_TRY(idv_time_from_text(idv_str(time), &h->time));
    IDV_TRY(get_number(o, "seq", &h->seq));
    IDV_TRY(get_number(o, "sealed", &h->sealed));
    return h->sealed <= h->seq
               ? IDV_OK
               : idv_fail(IDV_E_FORMAT, "sealed beyond its end");
}

idv_rc idv_journal_head_from_json(struct idv_bytes json,
                                  struct idv_journal_head *out)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    struct idv_journal_head h = {0};
    idv_rc rc = idv_json_parse(json, 0, &o);
    if (rc == IDV_OK)
        rc = get(o, &h);
    if (rc != IDV_OK)
        return idv_fail_within(rc == IDV_E_ARG ? IDV_E_FORMAT : rc, WHAT);
    *out = h;
    return IDV_OK;
}
