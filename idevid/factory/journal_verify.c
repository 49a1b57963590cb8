/* SPDX-License-Identifier: Apache-2.0 */
/* The whole book read again: signatures, chain, and what it says of devices
 * and orders beside what their rows say. */
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/envelope.h>

#include "factory/journal_int.h"
#include "factory/journal_map.h"

struct mark {
    uint64_t seq;
    uint8_t hash[32];
};

struct walk {
    const struct idv_factory_store *store;
    const STACK_OF(X509) * anchors;
    const struct idv_journal_head *head; /* or NULL */
    struct idv_journal_verdict *out;
    struct mark *marks; /* of the batches, by seq */
    size_t n_marks, room, at;
    uint8_t previous[32];
    struct idvi_map map;
    uint64_t matched; /* rows that are what the map says */
    bool naming;      /* second pass: which one has no row? */
    idv_rc rc;
};

/* a callback's result: false ends the walk, with w->rc */
static bool went(struct walk *w, idv_rc rc)
{
    w->rc = rc;
    return rc == IDV_OK;
}

static idv_rc ended(struct walk *w, idv_rc rc)
{
    return rc != IDV_OK ? rc : w->rc;
}

/* --- batches -------------------------------------------------------------- */

static idv_rc add_mark(struct walk *w, const struct idv_journal_batch *b)
{
    if (w->n_marks == w->room) {
        size_t room = w->room ? 2 * w->room : 64;
        struct mark *more = realloc(w->marks, room * sizeof(*more));
        if (!more)
            return idv_fail(IDV_E_NOMEM, "out of memory");
        w->marks = more;
        w->room = room;
    }
    w->marks[w->n_marks].seq = b->seq;
    memcpy(w->marks[w->n_marks++].hash, b->hash, 32);
    w->out->batches++;
    w->out->sealed = b->time;
    return IDV_OK;
}

static idv_rc judge_cms(const struct walk *w, const struct idv_journal_batch *b)
{
    __attribute__((cleanup(idv_auto_opened))) struct idv_opened o = {0};
    IDV_AUTO(buf) text = {0};
    struct idv_chain_policy policy = {.anchors = w->anchors, .partial = true};
    IDV_TRY(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, idv_view(&b->cms), &o));
    IDV_TRY(idvi_batch_text(b, &text));
    if (!idv_bytes_eq(idv_view(&text), idv_view(&o.payload)))
        return idv_fail(IDV_E_REJECT, "it is over something else");
    return idv_envelope_verify(&o, &policy);
}

static bool batch(void *arg, const struct idv_journal_batch *b)
{
    struct walk *w = arg;
    idv_rc rc = judge_cms(w, b);
    if (rc == IDV_OK)
        return went(w, add_mark(w, b));
    w->out->bad_seq = b->seq;
    return went(w, idv_fail_within(rc == IDV_E_FORMAT ? IDV_E_REJECT : rc,
                                   "the signature over the entries up to %llu",
                                   (unsigned long long)b->seq));
}

/* --- entries -------------------------------------------------------------- */

static idv_rc hash_text(const struct idv_buf *text, uint8_t out[static 32])
{
    if (EVP_Digest(text->p, text->n, out, NULL, EVP_sha256(), NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "journal: SHA-256 failed");
    return IDV_OK;
}

/* hash over {"device":...} as idv_journal_body makes it of a row alone */
static idv_rc hash_member(const struct idv_json *device, uint8_t out[static 32])
{
    IDV_AUTO(buf) text = {0};
    IDV_TRY(idv_buf_puts(&text, "{\"device\":"));
    IDV_TRY(idv_json_dump(device, false, &text));
    IDV_TRY(idv_buf_puts(&text, "}"));
    return hash_text(&text, out);
}

/* An entry that says something of this name: the hash of what it says, or, the
 * second time, whether a row was found for it. */
static idv_rc says(struct walk *w, char kind, const char *name,
                   const uint8_t hash[static 32])
{
    static const uint8_t found[32];
    struct idvi_slot *s = NULL;
    if (!w->naming)
        return idvi_map_set(&w->map, kind, name, hash);
    IDV_TRY(idvi_map_find(&w->map, kind, name, &s));
    if (s && memcmp(s->hash, found, 32) == 0)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT, "%s '%s' has no row any more",
                    kind == 'd' ? "device" : "order", name);
}

static idv_rc says_order(struct walk *w, const struct idv_json *body)
{
    const char *id = idv_json_text(idv_json_get(body, "order"));
    const char *hex = idv_json_text(idv_json_get(body, "sha256"));
    IDV_AUTO(buf) hash = {0};
    if (!id || !hex)
        return idv_fail(IDV_E_REJECT, "no order in it");
    IDV_TRY(idv_hex_to_bytes(idv_str(hex), &hash));
    if (hash.n != 32)
        return idv_fail(IDV_E_REJECT, "no hash in it");
    return says(w, 'o', id, hash.p);
}

static idv_rc says_device(struct walk *w, const struct idv_journal_entry *e,
                          const struct idv_json *device)
{
    const char *serial = idv_json_text(idv_json_get(device, "serial-number"));
    uint8_t hash[32];
    if (!serial || strcmp(serial, e->serial_number) != 0)
        return idv_fail(IDV_E_REJECT, "its device is another one");
    IDV_TRY(hash_member(device, hash));
    return says(w, 'd', serial, hash);
}

static idv_rc read_body(struct walk *w, const struct idv_journal_entry *e)
{
    IDV_AUTO_PTR(idv_json) body = NULL;
    IDV_TRY(idv_json_parse(idv_view(&e->body), IDV_JOURNAL_BODY_MAX, &body));
    const struct idv_json *device = idv_json_get(body, "device");
    if (device)
        return says_device(w, e, device);
    return strcmp(e->kind, "order") == 0 ? says_order(w, body) : IDV_OK;
}

static idv_rc judge_mark(struct walk *w, const struct idv_journal_entry *e)
{
    if (w->at == w->n_marks || w->marks[w->at].seq != e->seq)
        return IDV_OK;
    if (memcmp(w->marks[w->at++].hash, e->hash, 32) != 0)
        return idv_fail(IDV_E_REJECT,
                        "entry %llu or one before it is not what was signed",
                        (unsigned long long)e->seq);
    return IDV_OK;
}

/* the entry that somebody else knows */
static idv_rc judge_known(const struct walk *w,
                          const struct idv_journal_entry *e)
{
    if (!w->head || w->head->seq != e->seq ||
        memcmp(w->head->hash, e->hash, 32) == 0)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT,
                    "entry %llu or one before it is not what it was when the "
                    "head was taken",
                    (unsigned long long)e->seq);
}

static idv_rc judge_entry(struct walk *w, const struct idv_journal_entry *e)
{
    IDV_TRY(idvi_journal_link(e, w->out->entries + 1, w->previous));
    IDV_TRY(judge_known(w, e));
    IDV_TRY(judge_mark(w, e));
    idv_rc rc = read_body(w, e);
    return rc == IDV_OK
               ? IDV_OK
               : idv_fail_within(rc == IDV_E_FORMAT ? IDV_E_REJECT : rc,
                                 "entry %llu", (unsigned long long)e->seq);
}

static bool entry(void *arg, const struct idv_journal_entry *e)
{
    struct walk *w = arg;
    idv_rc rc = w->naming ? read_body(w, e) : judge_entry(w, e);
    if (rc != IDV_OK && !w->naming)
        w->out->bad_seq = w->out->entries + 1;
    w->out->entries += rc == IDV_OK && !w->naming;
    return went(w, rc);
}

/* every batch is over an entry that is there */
static idv_rc judge_end(struct walk *w)
{
    const struct mark *last = w->n_marks ? &w->marks[w->n_marks - 1] : NULL;
    w->out->unsigned_entries = w->out->entries - (last ? last->seq : 0);
    if (w->at == w->n_marks)
        return IDV_OK;
    w->out->unsigned_entries = 0;
    w->out->bad_seq = w->out->entries + 1;
    return idv_fail(IDV_E_REJECT,
                    "entry %llu is missing: the signature over the entries up "
                    "to %llu is there",
                    (unsigned long long)w->out->bad_seq,
                    (unsigned long long)last->seq);
}

/* nothing was cut off that somebody else knows of */
static idv_rc judge_head(struct walk *w)
{
    const struct idv_journal_head *h = w->head;
    const uint64_t sealed = w->n_marks ? w->marks[w->n_marks - 1].seq : 0;
    if (h && w->out->entries < h->seq) {
        w->out->bad_seq = w->out->entries + 1;
        return idv_fail(IDV_E_REJECT,
                        "entry %llu is missing: there were %llu when the head "
                        "was taken",
                        (unsigned long long)w->out->bad_seq,
                        (unsigned long long)h->seq);
    }
    if (h && sealed < h->sealed)
        return idv_fail(IDV_E_REJECT,
                        "the signature over the entries up to %llu is missing",
                        (unsigned long long)h->sealed);
    return IDV_OK;
}

/* --- rows ----------------------------------------------------------------- */

static idv_rc judge_row(struct walk *w, char kind, const char *name,
                        const uint8_t hash[static 32])
{
    const char *what = kind == 'd' ? "device" : "order";
    struct idvi_slot *s = NULL;
    IDV_TRY(idvi_map_find(&w->map, kind, name, &s));
    if (!s)
        return idv_fail(IDV_E_REJECT, "%s '%s' is in no entry", what, name);
    if (memcmp(s->hash, hash, 32) != 0)
        return idv_fail(IDV_E_REJECT, "%s '%s' is not what its last entry says",
                        what, name);
    memset(s->hash, 0, 32); /* seen */
    w->matched++;
    return IDV_OK;
}

static bool device(void *arg, const struct idv_factory_device *d)
{
    struct walk *w = arg;
    IDV_AUTO(buf) text = {0};
    uint8_t hash[32] = {0};
    idv_rc rc = idv_journal_body(idv_str(""), d, &text);
    if (rc == IDV_OK)
        rc = hash_text(&text, hash);
    if (rc == IDV_OK)
        rc = judge_row(w, 'd', d->serial_number, hash);
    w->out->devices += rc == IDV_OK;
    return went(w, rc);
}

static bool order(void *arg, const char *id, uint64_t n,
                  const uint8_t sha256[32])
{
    struct walk *w = arg;
    (void)n;
    idv_rc rc = judge_row(w, 'o', id, sha256);
    w->out->orders += rc == IDV_OK;
    return went(w, rc);
}

/* --- all of it ------------------------------------------------------------ */

static idv_rc read_all(struct walk *w)
{
    const struct idv_factory_store *s = w->store;
    IDV_TRY(ended(w, s->each_batch(s->self, batch, w)));
    IDV_TRY(ended(w, s->each_entry(s->self, 0, entry, w)));
    IDV_TRY(judge_end(w));
    IDV_TRY(judge_head(w));
    IDV_TRY(ended(w, s->each_device(s->self, NULL, device, w)));
    IDV_TRY(ended(w, s->each_order(s->self, order, w)));
    w->naming = w->matched != w->map.used;
    return w->naming ? ended(w, s->each_entry(s->self, 0, entry, w)) : IDV_OK;
}

static idv_rc read_in_view(struct walk *w)
{
    const struct idv_factory_store *s = w->store;
    IDV_TRY(s->view(s->self, true));
    idv_rc rc = read_all(w);
    idv_rc closed = s->view(s->self, false);
    return rc != IDV_OK ? rc : closed;
}

idv_rc idv_journal_verify(const struct idv_factory_store *store,
                          const STACK_OF(X509) * anchors,
                          const struct idv_journal_head *head,
                          struct idv_journal_verdict *out)
{
    struct walk w = {
        .store = store, .anchors = anchors, .head = head, .out = out};
    *out = (struct idv_journal_verdict){0};
    idv_note_clear();
    idv_rc rc = read_in_view(&w);
    free(w.marks);
    idvi_map_free(&w.map);
    if (rc == IDV_E_FORMAT) /* what is stored is not what was */
        rc = IDV_E_REJECT;
    if (rc != IDV_E_REJECT)
        return rc;
    (void)snprintf(out->wrong, sizeof(out->wrong), "%s", idv_note());
    return idv_fail_within(rc, "journal");
}
