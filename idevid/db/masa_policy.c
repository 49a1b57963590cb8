/* SPDX-License-Identifier: Apache-2.0 */
/* What was set for models, customers and devices, and who set it. */
#include <idevid/text.h>

#include "idevid/db/import.h"
#include "idevid/db/rows.h"

#define TERM_SELECT                                                            \
    "SELECT kind, subject, device_id, setting, value FROM policy"

static idv_rc rows(struct idvi_query *q,
                   bool (*each)(void *arg, const struct idv_masa_term *t),
                   void *arg)
{
    for (bool row = false;;) {
        struct idv_masa_term t = {.of = IDV_POLICY_MODEL};
        IDV_TRY(idvi_query_next(q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(idvi_query_get(q, "ntitt", &t.of, t.subject, sizeof(t.subject),
                               &t.device_id, t.setting, sizeof(t.setting),
                               t.value, sizeof(t.value)));
        if (!each(arg, &t))
            return IDV_OK;
    }
}

idv_rc idvi_policy_each(void *self, const struct idv_masa_device *d,
                        bool (*each)(void *arg, const struct idv_masa_term *t),
                        void *arg)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(self, &q,
                       TERM_SELECT
                       " WHERE (kind = 1 AND subject = $1 AND device_id = 0)"
                       " OR (kind = 2 AND subject = $2 AND device_id = 0)"
                       " OR (kind = 3 AND subject = $3 AND device_id = $4)"
                       " ORDER BY kind",
                       "ttti", d->model, d->customer, d->serial_number, d->id));
    return rows(&q, each, arg);
}

/* --- by people ------------------------------------------------------------ */

struct saying {
    const struct idv_masa_subject *subject;
    const struct idv_masa_term *terms;
    size_t n;
    const struct idv_masa_by *by;
};

/* *id 0: not a device's */
static idv_rc subject_id(struct idv_db *db, const struct idv_masa_subject *s,
                         int64_t *id)
{
    struct idv_masa_device d = {0};
    *id = 0;
    if (s->of != IDV_POLICY_DEVICE)
        return IDV_OK;
    IDV_TRY(idvi_device_meant(db, s->keyid, s->name, &d));
    *id = d.id;
    idv_masa_device_free(&d);
    return IDV_OK;
}

static idv_rc put(struct idv_db *db, const struct saying *s, int64_t id,
                  const struct idv_masa_term *t, unsigned *changed)
{
    const int64_t of = s->subject->of;
    if (!t->value[0])
        return idvi_exec(db, changed,
                         "DELETE FROM policy WHERE kind = $1 AND subject = $2"
                         " AND device_id = $3 AND setting = $4",
                         "itit", of, s->subject->name, id, t->setting);
    return idvi_exec(db, changed,
                     "INSERT INTO policy (kind, subject, device_id, setting,"
                     " value) VALUES ($1, $2, $3, $4, $5)"
                     " ON CONFLICT (kind, subject, device_id, setting)"
                     " DO UPDATE SET value = excluded.value"
                     " WHERE policy.value <> excluded.value",
                     "ititt", of, s->subject->name, id, t->setting, t->value);
}

static idv_rc note(struct idv_db *db, const struct saying *s, int64_t id,
                   const struct idv_masa_term *t)
{
    return idvi_exec(db, NULL,
                     "INSERT INTO policy_change (kind, subject, device_id,"
                     " date, who, setting, value)"
                     " VALUES ($1, $2, $3, $4, $5, $6, $7)",
                     "itiittt", (int64_t)s->subject->of, s->subject->name, id,
                     s->by->now, s->by->who, t->setting, t->value);
}

static idv_rc say(struct idv_db *db, void *arg)
{
    const struct saying *s = arg;
    int64_t id = 0;
    IDV_TRY(subject_id(db, s->subject, &id));
    for (size_t i = 0; i < s->n; i++) {
        unsigned changed = 0;
        IDV_TRY(put(db, s, id, &s->terms[i], &changed));
        if (changed)
            IDV_TRY(note(db, s, id, &s->terms[i]));
    }
    return IDV_OK;
}

static idv_rc policy_set(void *self, const struct idv_masa_subject *subject,
                         const struct idv_masa_term *terms, size_t n,
                         const struct idv_masa_by *by)
{
    struct saying s = {subject, terms, n, by};
    return idvi_within(self, say, &s);
}

static idv_rc all(struct idv_db *db, const struct idv_masa_term *after,
                  unsigned limit, struct idvi_query *q)
{
    static const struct idv_masa_term first = {.of = 0};
    if (!after)
        after = &first;
    return idvi_query(db, q,
                      TERM_SELECT
                      " WHERE (kind, subject, device_id, setting)"
                      " > ($1, $2, $3, $4)"
                      " ORDER BY kind, subject, device_id, setting LIMIT $5",
                      "ititi", (int64_t)after->of, after->subject,
                      after->device_id, after->setting, (int64_t)limit);
}

static idv_rc policies(void *self, const struct idv_masa_subject *s,
                       const struct idv_masa_term *after, unsigned limit,
                       bool (*each)(void *arg, const struct idv_masa_term *t),
                       void *arg)
{
    IDVI_QUERY(q);
    int64_t id = 0;
    if (*s->name) {
        IDV_TRY(subject_id(self, s, &id));
        IDV_TRY(idvi_query(self, &q,
                           TERM_SELECT " WHERE kind = $1 AND subject = $2"
                                       " AND device_id = $3 ORDER BY setting",
                           "iti", (int64_t)s->of, s->name, id));
    } else {
        IDV_TRY(all(self, after, limit, &q));
    }
    return rows(&q, each, arg);
}

static idv_rc
policy_changes(void *self, const struct idv_masa_subject *s, unsigned limit,
               bool (*each)(void *arg, const struct idv_masa_change *c),
               void *arg)
{
    IDVI_QUERY(q);
    int64_t id = 0;
    IDV_TRY(subject_id(self, s, &id));
    IDV_TRY(idvi_query(self, &q,
                       "SELECT date, who, setting, value FROM (SELECT id, date,"
                       " who, setting, value FROM policy_change WHERE"
                       " kind = $1 AND subject = $2 AND device_id = $3"
                       " ORDER BY id DESC LIMIT $4) AS newest ORDER BY id",
                       "itii", (int64_t)s->of, s->name, id, (int64_t)limit));
    return idvi_change_rows(&q, each, arg);
}

void idvi_policy_people(struct idv_masa_people *p)
{
    p->policy_set = policy_set;
    p->policies = policies;
    p->policy_changes = policy_changes;
}
