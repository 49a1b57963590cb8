/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of a line's book, and the signatures over it. */
#include <string.h>

#include <idevid/text.h>

#include "idevid/db/factory_store.h"

#define ENTRY_SELECT                                                           \
    "SELECT seq, time, kind, serial_number, body, previous, hash FROM entry"

idv_rc idvi_factory_head(void *self, uint64_t *seq, uint8_t hash[32])
{
    IDVI_QUERY(q);
    bool row = false;
    int64_t n = 0;
    *seq = 0;
    memset(hash, 0, 32);
    IDV_TRY(idvi_query(
        self, &q, "SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1", ""));
    IDV_TRY(idvi_query_next(&q, &row));
    if (!row)
        return IDV_OK;
    IDV_TRY(idvi_query_get(&q, "ih", &n, hash));
    *seq = (uint64_t)n;
    return IDV_OK;
}

idv_rc idvi_entry_add(struct idv_db *db, const char *kind, const char *serial,
                      struct idv_bytes body, int64_t now, uint64_t *seq)
{
    struct idv_journal_entry e = {.time = now};
    uint64_t head = 0;
    IDV_TRY(idv_text_copy(e.kind, sizeof(e.kind), idv_str(kind),
                          "journal: kind of entry"));
    IDV_TRY(idv_text_copy(e.serial_number, sizeof(e.serial_number),
                          idv_str(serial), "journal: serial number"));
    IDV_TRY(idvi_factory_head(db, &head, e.previous));
    e.seq = head + 1;
    /* lent for the hash, not owned */
    e.body = (struct idv_buf){.p = (uint8_t *)(uintptr_t)body.p, .n = body.n};
    IDV_TRY(idv_journal_hash(&e, e.hash));
    if (seq)
        *seq = e.seq;
    return idvi_exec(db, NULL,
                     "INSERT INTO entry (seq, time, kind, serial_number, body,"
                     " previous, hash)"
                     " VALUES ($1, $2, $3, $4, CAST($5 AS TEXT), $6, $7)",
                     "iittbhh", (int64_t)e.seq, e.time, e.kind, e.serial_number,
                     body, e.previous, e.hash);
}

idv_rc idvi_factory_note(void *self, const char *kind, const char *serial,
                         struct idv_bytes body, int64_t now)
{
    IDV_AUTO(buf) text = {0};
    IDV_TRY(idv_journal_body(body, NULL, &text));
    IDV_TRY(idvi_begin(self));
    return idvi_end(
        self, idvi_entry_add(self, kind, serial, idv_view(&text), now, NULL));
}

static idv_rc entry_row(struct idvi_query *q, struct idv_journal_entry *e)
{
    int64_t seq = 0;
    IDV_TRY(idvi_query_get(q, "iittbhh", &seq, &e->time, e->kind,
                           sizeof(e->kind), e->serial_number,
                           sizeof(e->serial_number), &e->body, e->previous,
                           e->hash));
    e->seq = (uint64_t)seq;
    return IDV_OK;
}

static idv_rc next_entry(struct idvi_query *q, bool *row,
                         struct idv_journal_entry *e)
{
    IDV_TRY(idvi_query_next(q, row));
    return *row ? entry_row(q, e) : IDV_OK;
}

idv_rc idvi_factory_each_entry(void *self, uint64_t from,
                               bool (*each)(void *arg,
                                            const struct idv_journal_entry *),
                               void *arg)
{
    IDVI_QUERY(q);
    struct idv_journal_entry e = {0};
    bool go = true;
    idv_rc rc = idvi_query(self, &q,
                           ENTRY_SELECT " WHERE seq >= $1 ORDER BY"
                                        " seq",
                           "i", (int64_t)from);
    while (rc == IDV_OK && go) {
        rc = next_entry(&q, &go, &e);
        if (rc == IDV_OK && go)
            go = each(arg, &e);
    }
    idv_journal_entry_free(&e);
    return rc;
}

idv_rc idvi_factory_seq_since(void *self, int64_t time, uint64_t *seq)
{
    int64_t n = 0;
    IDV_TRY(idvi_number(self, &n,
                        "SELECT coalesce(min(seq), 0) FROM entry"
                        " WHERE time >= $1",
                        "i", time));
    *seq = (uint64_t)n;
    return IDV_OK;
}

/* --- batches -------------------------------------------------------------- */

static idv_rc add_batch(struct idv_db *db, const struct idv_journal_batch *b)
{
    unsigned n = 0;
    IDV_TRY(idvi_exec(db, &n,
                      "INSERT INTO batch (seq, time, hash, cms)"
                      " SELECT $1, $2, $3, $4 WHERE NOT EXISTS"
                      " (SELECT 1 FROM batch WHERE seq >= $1)",
                      "iihb", (int64_t)b->seq, b->time, b->hash,
                      idv_view(&b->cms)));
    if (n == 0)
        return idv_fail(IDV_E_STATE, "journal: entry %llu is sealed already",
                        (unsigned long long)b->seq);
    return IDV_OK;
}

idv_rc idvi_factory_batch_add(void *self, const struct idv_journal_batch *b)
{
    IDV_TRY(idvi_begin(self));
    return idvi_end(self, add_batch(self, b));
}

static idv_rc next_batch(struct idvi_query *q, bool *row,
                         struct idv_journal_batch *b)
{
    int64_t seq = 0;
    IDV_TRY(idvi_query_next(q, row));
    if (*row)
        IDV_TRY(idvi_query_get(q, "iihb", &seq, &b->time, b->hash, &b->cms));
    b->seq = (uint64_t)seq;
    return IDV_OK;
}

idv_rc idvi_factory_batch_last(void *self, bool *found,
                               struct idv_journal_batch *out)
{
    IDVI_QUERY(q);
    struct idv_journal_batch b = {0};
    IDV_TRY(idvi_query(self, &q,
                       "SELECT seq, time, hash, cms FROM batch"
                       " ORDER BY seq DESC LIMIT 1",
                       ""));
    idv_rc rc = next_batch(&q, found, &b);
    if (rc == IDV_OK && *found)
        *out = b;
    else
        idv_buf_free(&b.cms);
    return rc;
}

idv_rc idvi_factory_each_batch(void *self,
                               bool (*each)(void *arg,
                                            const struct idv_journal_batch *),
                               void *arg)
{
    IDVI_QUERY(q);
    struct idv_journal_batch b = {0};
    bool go = true;
    idv_rc rc = idvi_query(
        self, &q, "SELECT seq, time, hash, cms FROM batch ORDER BY seq", "");
    while (rc == IDV_OK && go) {
        rc = next_batch(&q, &go, &b);
        if (rc == IDV_OK && go)
            go = each(arg, &b);
    }
    idv_buf_free(&b.cms);
    return rc;
}
