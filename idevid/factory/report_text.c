/* SPDX-License-Identifier: Apache-2.0 */
/* A shift's report for people and for programs. */
#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/export.h>
#include <idevid/json.h>

#include "factory/export_int.h"

#define NUMBER(v) ((unsigned long long)(v))

/* --- for people ----------------------------------------------------------- */

static idv_rc put_head(const struct idv_report *r, struct idv_buf *out)
{
    char from[IDV_TIME_TEXT], to[IDV_TIME_TEXT];
    IDV_TRY(idv_time_to_text(r->from, from));
    IDV_TRY(idv_time_to_text(r->to, to));
    IDV_TRY(idv_buf_putf(out, "%s to %s, %llu.%llu an hour\n", from, to,
                         NUMBER(r->per_hour_x10 / 10),
                         NUMBER(r->per_hour_x10 % 10)));
    return idv_buf_putf(out,
                        "  issued %llu, done %llu (rework %llu), failed %llu, "
                        "refused %llu, retired %llu, wiped %llu, "
                        "turned away %llu\n",
                        NUMBER(r->issued), NUMBER(r->done), NUMBER(r->rework),
                        NUMBER(r->failed), NUMBER(r->refused),
                        NUMBER(r->retired), NUMBER(r->wiped),
                        NUMBER(r->turned_away));
}

static idv_rc put_seal(const struct idv_report *r, struct idv_buf *out)
{
    char when[IDV_TIME_TEXT];
    if (r->sealed_time == 0)
        return idv_buf_putf(out, "the journal is not sealed, %llu entries\n",
                            NUMBER(r->head_seq));
    IDV_TRY(idv_time_to_text(r->sealed_time, when));
    IDV_TRY(idv_buf_putf(out, "sealed %s up to entry %llu ", when,
                         NUMBER(r->sealed_seq)));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(r->sealed_hash, 32), out));
    return idv_buf_putf(out, ", %llu entries since\n",
                        NUMBER(r->head_seq - r->sealed_seq));
}

idv_rc idv_report_to_text(const struct idv_report *r, struct idv_buf *out)
{
    IDV_TRY(put_head(r, out));
    for (size_t i = 0; i < r->n_whys; i++)
        IDV_TRY(idv_buf_putf(out, "  because of %-12s %8llu\n", r->whys[i].name,
                             NUMBER(r->whys[i].n)));
    for (size_t i = 0; i < r->n_people; i++)
        IDV_TRY(idv_buf_putf(out, "  by %-20s %8llu done, %llu failed\n",
                             r->people[i].name, NUMBER(r->people[i].n),
                             NUMBER(r->people[i].failed)));
    return put_seal(r, out);
}

/* --- for programs --------------------------------------------------------- */

static idv_rc set_number(struct idv_json *o, const char *name, uint64_t n)
{
    return idv_json_set(o, name, idv_json_new_int((int64_t)n));
}

static idv_rc set_time(struct idv_json *o, const char *name, int64_t t)
{
    char text[IDV_TIME_TEXT];
    IDV_TRY(idv_time_to_text(t, text));
    return idvi_member_text(o, name, text);
}

static idv_rc add_row(struct idv_json *list, const char *name,
                      const struct idv_report_row *row, bool person)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idvi_member_text(o, name, row->name));
    if (person)
        IDV_TRY(set_number(o, "failed", row->failed));
    IDV_TRY(set_number(o, person ? "done" : "count", row->n));
    return idv_json_append(list, idv_steal(&o));
}

static idv_rc set_rows(struct idv_json *o, const char *name, const char *row,
                       const struct idv_report_row *rows, size_t n, bool person)
{
    IDV_AUTO_PTR(idv_json) list = idv_json_new_array();
    if (!list)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        IDV_TRY(add_row(list, row, &rows[i], person));
    return idv_json_set(o, name, idv_steal(&list));
}

static idv_rc set_counts(const struct idv_report *r, struct idv_json *o)
{
    IDV_TRY(set_time(o, "from", r->from));
    IDV_TRY(set_time(o, "to", r->to));
    IDV_TRY(set_number(o, "issued", r->issued));
    IDV_TRY(set_number(o, "done", r->done));
    IDV_TRY(set_number(o, "rework", r->rework));
    IDV_TRY(set_number(o, "failed", r->failed));
    IDV_TRY(set_number(o, "refused", r->refused));
    IDV_TRY(set_number(o, "retired", r->retired));
    IDV_TRY(set_number(o, "wiped", r->wiped));
    IDV_TRY(set_number(o, "turned-away", r->turned_away));
    return set_number(o, "per-hour-x10", r->per_hour_x10);
}

static idv_rc set_seal(const struct idv_report *r, struct idv_json *o)
{
    IDV_TRY(set_number(o, "entries", r->head_seq));
    IDV_TRY(set_number(o, "sealed-seq", r->sealed_seq));
    if (r->sealed_time)
        IDV_TRY(set_time(o, "sealed", r->sealed_time));
    return idvi_member_hash(o, "sealed-hash", r->sealed_hash);
}

idv_rc idv_report_to_json(const struct idv_report *r, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(set_counts(r, o));
    IDV_TRY(set_rows(o, "whys", "why", r->whys, r->n_whys, false));
    IDV_TRY(set_rows(o, "people", "who", r->people, r->n_people, true));
    IDV_TRY(set_seal(r, o));
    return idvi_json_line(o, out);
}
