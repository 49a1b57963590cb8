/* SPDX-License-Identifier: Apache-2.0 */
/* What happened in a shift, counted from the book's entries. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/export.h>
#include <idevid/json.h>

struct walk {
    struct idv_report *r;
    idv_rc rc;
};

/* --- rows by name --------------------------------------------------------- */

static struct idv_report_row *row_of(struct idv_report_row *rows, size_t *n,
                                     const char *name)
{
    for (size_t i = 0; i < *n; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    if (*n == IDV_REPORT_ROWS)
        return &rows[IDV_REPORT_ROWS - 1];
    struct idv_report_row *row = &rows[(*n)++];
    (void)snprintf(row->name, sizeof(row->name), "%s",
                   *n == IDV_REPORT_ROWS ? "others" : name);
    return row;
}

static const char *text_of(const struct idv_json *body, const char *name)
{
    const char *own = idv_json_text(idv_json_get(body, name));
    const struct idv_json *d = idv_json_get(body, "device");
    const char *row = idv_json_text(idv_json_get(d, name));
    return own ? own : row ? row : "";
}

static struct idv_report_row *person(struct idv_report *r,
                                     const struct idv_json *body)
{
    char name[2 * IDV_FACTORY_NAME_MAX + 2];
    (void)snprintf(name, sizeof(name), "%.64s/%.64s", text_of(body, "station"),
                   text_of(body, "operator"));
    return row_of(r->people, &r->n_people, name);
}

/* --- entries -------------------------------------------------------------- */

static void count_failure(struct idv_report *r, const struct idv_json *body,
                          uint64_t *kind)
{
    const char *why = text_of(body, "why");
    ++*kind;
    row_of(r->whys, &r->n_whys, *why ? why : "unknown")->n++;
    person(r, body)->failed++;
}

static idv_rc count_done(struct idv_report *r, const struct idv_json *body)
{
    const struct idv_json *issue =
        idv_json_get(idv_json_get(body, "device"), "issue");
    int64_t n = 1;
    if (issue)
        IDV_TRY(idv_json_int(issue, "journal: issue", &n));
    r->done++;
    r->rework += n > 1;
    person(r, body)->n++;
    return IDV_OK;
}

static idv_rc count_strangers(struct idv_report *r, const struct idv_json *body)
{
    const struct idv_json *count = idv_json_get(body, "count");
    int64_t n = 1;
    if (count)
        IDV_TRY(idv_json_int(count, "journal: count", &n));
    r->turned_away += n > 0 ? (uint64_t)n : 0;
    return IDV_OK;
}

static idv_rc count(struct idv_report *r, const char *kind,
                    const struct idv_json *body)
{
    if (strcmp(kind, "done") == 0)
        return count_done(r, body);
    if (strcmp(kind, "turned-away") == 0)
        return count_strangers(r, body);
    if (strcmp(kind, "failed") == 0)
        count_failure(r, body, &r->failed);
    else if (strcmp(kind, "refused") == 0)
        count_failure(r, body, &r->refused);
    else if (strcmp(kind, "issued") == 0)
        r->issued++;
    else if (strcmp(kind, "retired") == 0)
        r->retired++;
    else if (strcmp(kind, "wiped") == 0)
        r->wiped++;
    return IDV_OK;
}

static bool entry(void *arg, const struct idv_journal_entry *e)
{
    struct walk *w = arg;
    IDV_AUTO_PTR(idv_json) body = NULL;
    if (e->time < w->r->from || e->time >= w->r->to)
        return true;
    w->rc = idv_json_parse(idv_view(&e->body), IDV_JOURNAL_BODY_MAX, &body);
    if (w->rc == IDV_OK)
        w->rc = count(w->r, e->kind, body);
    return w->rc == IDV_OK;
}

/* --- all of it ------------------------------------------------------------ */

static idv_rc read_seal(const struct idv_factory_store *s, struct idv_report *r)
{
    struct idv_journal_batch last = {0};
    uint8_t hash[32];
    bool found = false;
    IDV_TRY(s->head(s->self, &r->head_seq, hash));
    IDV_TRY(s->batch_last(s->self, &found, &last));
    r->sealed_seq = last.seq;
    r->sealed_time = last.time;
    memcpy(r->sealed_hash, last.hash, 32);
    idv_buf_free(&last.cms);
    return IDV_OK;
}

static idv_rc read_all(const struct idv_factory_store *s, struct idv_report *r)
{
    struct walk w = {.r = r};
    uint64_t first = 0;
    IDV_TRY(s->seq_since(s->self, r->from, &first));
    if (first)
        IDV_TRY(s->each_entry(s->self, first, entry, &w));
    IDV_TRY(w.rc);
    uint64_t made = r->done ? r->done : r->issued;
    r->per_hour_x10 = made * 36000 / (uint64_t)(r->to - r->from);
    return read_seal(s, r);
}

idv_rc idv_report_make(const struct idv_factory_store *store, int64_t from,
                       int64_t to, struct idv_report *out)
{
    struct idv_report r = {.from = from, .to = to};
    if (to <= from)
        return idv_fail(IDV_E_ARG, "report: it ends before it begins");
    IDV_TRY(store->view(store->self, true));
    idv_rc rc = read_all(store, &r);
    idv_rc closed = store->view(store->self, false);
    rc = rc != IDV_OK ? rc : closed;
    if (rc == IDV_OK)
        *out = r;
    return rc;
}
