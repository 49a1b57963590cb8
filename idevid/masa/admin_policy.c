/* SPDX-License-Identifier: Apache-2.0 */
/* The rows about policies: of models, customers, devices, and what holds. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>

#include "idevid/admin/page.h"
#include "idevid/masa/admin.h"
#include "idevid/masa/policy.h"

/* "of", "subject", and "issuer-keyid" where it was said */
static idv_rc subject_from(const struct idv_json *in,
                           struct idv_masa_subject *s, struct idv_buf *keyid)
{
    struct idv_masa_term fits;
    const char *hex = "", *of = "";
    IDV_TRY(idv_admin_need(in, "of", &of));
    IDV_TRY(idv_policy_of_from_text(of, &s->of));
    IDV_TRY(idv_admin_need(in, "subject", &s->name));
    IDV_TRY(idv_text_copy(fits.subject, sizeof(fits.subject), idv_str(s->name),
                          "subject"));
    IDV_TRY(idv_admin_text(in, "issuer-keyid", &hex));
    idv_rc rc = idv_hex_to_bytes(idv_str(hex), keyid);
    s->keyid = idv_view(keyid);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "issuer-keyid");
}

/* --- looking -------------------------------------------------------------- */

static idv_rc put_term(struct idv_json *o, const struct idv_masa_term *t)
{
    IDV_TRY(idv_admin_put_text(o, "of", idv_policy_of_to_text(t->of)));
    IDV_TRY(idv_admin_put_text(o, "subject", t->subject));
    IDV_TRY(idv_admin_put_text(o, "setting", t->setting));
    return idv_admin_put_text(o, "value", t->value);
}

static idv_rc term_after(struct idvi_admin_page *p,
                         const struct idv_masa_term *t)
{
    idv_json_free(p->next);
    p->next = idv_json_new_object();
    if (!p->next)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(put_term(p->next, t));
    return idv_admin_put_int(p->next, "device", t->device_id);
}

static bool term_each(void *arg, const struct idv_masa_term *t)
{
    struct idvi_admin_page *p = arg;
    struct idv_json *o = idv_json_new_object();
    idv_rc rc = o ? put_term(o, t) : idv_fail(IDV_E_NOMEM, "out of memory");
    if (rc == IDV_OK)
        rc = term_after(p, t);
    return idvi_admin_page_add(p, o, rc);
}

static idv_rc after_from(const struct idv_json *in, struct idv_masa_term *t)
{
    const char *of = "", *subject = "", *setting = "";
    IDV_TRY(idv_admin_need(in, "of", &of));
    IDV_TRY(idv_policy_of_from_text(of, &t->of));
    IDV_TRY(idv_admin_text(in, "subject", &subject));
    IDV_TRY(idv_admin_text(in, "setting", &setting));
    IDV_TRY(idv_admin_int(in, "device", 0, &t->device_id));
    IDV_TRY(idv_text_copy(t->subject, sizeof(t->subject), idv_str(subject),
                          "subject"));
    return idv_text_copy(t->setting, sizeof(t->setting), idv_str(setting),
                         "setting");
}

static idv_rc all(const struct idv_masa_admin *a,
                  const struct idv_admin_call *c)
{
    const struct idv_masa_subject of_all = {.name = ""};
    const struct idv_json *in = idv_json_get(c->in, "after");
    struct idv_masa_term after = {.of = IDV_POLICY_MODEL};
    struct idvi_admin_page p;
    if (in)
        IDV_TRY(after_from(in, &after));
    IDV_TRY(idvi_admin_page_begin(&p));
    idv_rc rc = a->people.policies(a->people.self, &of_all, in ? &after : NULL,
                                   IDV_ADMIN_PAGE, term_each, &p);
    return idvi_admin_page_end(&p, rc, c->out);
}

static idv_rc put_changes(const struct idv_masa_admin *a,
                          const struct idv_masa_subject *s,
                          struct idv_json *out)
{
    IDV_AUTO_PTR(idv_json) rows = idv_json_new_array();
    struct idvi_masa_changes to = {rows, IDV_OK};
    if (!rows)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(a->people.policy_changes(a->people.self, s, IDVI_MASA_SHOWN,
                                     idvi_masa_change_each, &to));
    IDV_TRY(to.rc);
    return idv_json_set(out, "changes", idv_steal(&rows));
}

static idv_rc one(const struct idv_masa_admin *a,
                  const struct idv_masa_subject *s, struct idv_json *out)
{
    struct idvi_admin_page p;
    IDV_TRY(idvi_admin_page_begin(&p));
    idv_rc rc = a->people.policies(a->people.self, s, NULL, 0, term_each, &p);
    p.n = 0; /* all of them are one page */
    IDV_TRY(idvi_admin_page_end(&p, rc, out));
    return put_changes(a, s, out);
}

idv_rc idvi_masa_admin_policies(void *self, const struct idv_admin_call *c)
{
    const struct idv_masa_admin *a = self;
    IDV_AUTO(buf) keyid = {.max = IDV_MAX_KEYID};
    struct idv_masa_subject s;
    if (!idv_json_get(c->in, "of"))
        return all(a, c);
    IDV_TRY(subject_from(c->in, &s, &keyid));
    return one(a, &s, c->out);
}

/* --- changing ------------------------------------------------------------- */

/* as the table writes it, so that the same is the same */
static idv_rc check(struct idv_masa_term *t)
{
    struct idv_masa_policy p = {.pin = 0};
    IDV_TRY(idv_masa_policy_set(&p, t->setting, t->value));
    for (size_t i = 0; i < IDV_MASA_SETTINGS; i++) {
        if (strcmp(idv_masa_settings[i].key, t->setting) == 0)
            idv_masa_policy_get(&p, i, t->value);
    }
    return IDV_OK;
}

/* What is taken back need not be known to this program. */
static idv_rc term_from(const struct idv_json *v, const char *setting,
                        struct idv_masa_term *t)
{
    const char *value = idv_json_text(v);
    if (!value)
        return idv_fail(IDV_E_FORMAT, "%s is not a text", setting);
    IDV_TRY(idv_text_copy(t->setting, sizeof(t->setting), idv_str(setting),
                          "setting"));
    IDV_TRY(idv_text_copy(t->value, sizeof(t->value), idv_str(value), "value"));
    return *value ? check(t) : IDV_OK;
}

static idv_rc terms_from(const struct idv_json *set, struct idv_masa_term *to,
                         size_t *n)
{
    *n = idv_json_count(set);
    if (!*n)
        return idv_fail(IDV_E_ARG, "nothing is to be set");
    if (*n > IDV_MASA_SETTINGS)
        return idv_fail(IDV_E_LIMIT, "more settings than there are");
    for (size_t i = 0; i < *n; i++) {
        const char *setting = "";
        const struct idv_json *v = idv_json_at(set, i, &setting);
        if (!setting)
            return idv_fail(IDV_E_FORMAT, "set is not an object");
        IDV_TRY(term_from(v, setting, &to[i]));
    }
    return IDV_OK;
}

idv_rc idvi_masa_admin_policy(void *self, const struct idv_admin_call *c)
{
    const struct idv_masa_admin *a = self;
    IDV_AUTO(buf) keyid = {.max = IDV_MAX_KEYID};
    struct idv_masa_term terms[IDV_MASA_SETTINGS];
    const struct idv_masa_by by = {c->who, c->now};
    struct idv_masa_subject s;
    size_t n = 0;
    IDV_TRY(subject_from(c->in, &s, &keyid));
    IDV_TRY(terms_from(idv_json_get(c->in, "set"), terms, &n));
    IDV_TRY(a->people.policy_set(a->people.self, &s, terms, n, &by));
    return one(a, &s, c->out);
}

/* --- what holds for a device ---------------------------------------------- */

struct holding {
    struct idv_masa_policy policy;
    struct idv_masa_term from[IDV_MASA_SETTINGS]; /* of 0: configured */
    idv_rc rc;
};

static bool hold(void *arg, const struct idv_masa_term *t)
{
    struct holding *h = arg;
    h->rc = idv_masa_policy_set(&h->policy, t->setting, t->value);
    for (size_t i = 0; i < IDV_MASA_SETTINGS; i++) {
        if (strcmp(idv_masa_settings[i].key, t->setting) == 0)
            h->from[i] = *t;
    }
    return h->rc == IDV_OK;
}

static idv_rc put_holding(const struct holding *h, size_t i,
                          struct idv_json *rows)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    const struct idv_masa_term *t = &h->from[i];
    char value[24], from[96] = "configuration";
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_masa_policy_get(&h->policy, i, value);
    if (t->of)
        snprintf(from, sizeof(from), "%s %s", idv_policy_of_to_text(t->of),
                 t->subject);
    IDV_TRY(idv_admin_put_text(o, "setting", idv_masa_settings[i].key));
    IDV_TRY(idv_admin_put_text(o, "value", value));
    IDV_TRY(idv_admin_put_text(o, "from", from));
    return idv_json_append(rows, idv_steal(&o));
}

idv_rc idvi_masa_put_policy(const struct idv_masa_admin *a,
                            const struct idv_masa_device *d, struct idv_json *o)
{
    IDV_AUTO_PTR(idv_json) rows = idv_json_new_array();
    struct holding h = {.rc = IDV_OK};
    if (!a->policy)
        return IDV_OK;
    if (!rows)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    h.policy = *a->policy;
    IDV_TRY(a->store.policy_each(a->store.self, d, hold, &h));
    IDV_TRY(h.rc);
    for (size_t i = 0; i < IDV_MASA_SETTINGS; i++)
        IDV_TRY(put_holding(&h, i, rows));
    return idv_json_set(o, "policy", idv_steal(&rows));
}
