/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that look: devices, their events, registrars known by name. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>

#include "idevid/admin/page.h"
#include "idevid/masa/admin.h"

#define SHOWN IDVI_MASA_SHOWN /* events of a device that is shown */

/* --- list ----------------------------------------------------------------- */

static idv_rc put_hex(struct idv_json *o, const char *name,
                      struct idv_bytes raw)
{
    IDV_AUTO(buf) hex = {0};
    IDV_TRY(idv_hex_from_bytes(raw, &hex));
    return idv_admin_put_text(o, name, (const char *)hex.p);
}

static idv_rc put_device(struct idv_json *o, const struct idv_masa_device *d)
{
    IDV_TRY(idv_admin_put_text(o, "serial-number", d->serial_number));
    IDV_TRY(put_hex(o, "issuer-keyid", idv_bytes(d->keyid, d->keyid_n)));
    IDV_TRY(idv_admin_put_text(o, "maker", d->maker));
    IDV_TRY(idv_admin_put_text(o, "model", d->model));
    IDV_TRY(idv_admin_put_text(o, "customer", d->customer));
    IDV_TRY(idv_admin_put_text(o, "owner", d->owner));
    IDV_TRY(
        idv_admin_put_text(o, "standing", idv_standing_to_text(d->standing)));
    IDV_TRY(
        idv_admin_put_bool(o, "blocked", d->standing != IDV_STANDING_NORMAL));
    return idv_admin_put_text(o, "reason", d->reason);
}

static idv_rc device_after(struct idvi_admin_page *p,
                           const struct idv_masa_device *d)
{
    idv_json_free(p->next);
    p->next = idv_json_new_object();
    if (!p->next)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_admin_put_text(p->next, "serial-number", d->serial_number));
    return put_hex(p->next, "issuer-keyid", idv_bytes(d->keyid, d->keyid_n));
}

static bool device_each(void *arg, const struct idv_masa_device *d)
{
    struct idvi_admin_page *p = arg;
    struct idv_json *o = idv_json_new_object();
    idv_rc rc = o ? put_device(o, d) : idv_fail(IDV_E_NOMEM, "out of memory");
    if (rc == IDV_OK)
        rc = device_after(p, d);
    return idvi_admin_page_add(p, o, rc);
}

/* after a page of which this pair was the last */
static idv_rc further(const struct idv_masa_admin *a,
                      const struct idv_json *after, struct idvi_admin_page *p)
{
    const char *serial = "", *hex = "";
    IDV_AUTO(buf) keyid = {.max = IDV_MAX_KEYID};
    IDV_TRY(idv_admin_text(after, "serial-number", &serial));
    IDV_TRY(idv_admin_text(after, "issuer-keyid", &hex));
    IDV_TRY(idv_hex_to_bytes(idv_str(hex), &keyid));
    return a->people.devices(a->people.self, serial, idv_view(&keyid),
                             IDV_ADMIN_PAGE, device_each, p);
}

static idv_rc list(void *self, const struct idv_admin_call *c)
{
    const struct idv_masa_admin *a = self;
    const char *serial = "";
    struct idvi_admin_page p;
    IDV_TRY(idv_admin_text(c->in, "serial-number", &serial));
    IDV_TRY(idvi_admin_page_begin(&p));
    idv_rc rc = *serial
                    ? a->people.named(a->people.self, serial, device_each, &p)
                    : further(a, idv_json_get(c->in, "after"), &p);
    if (*serial) { /* all of them are one page */
        idv_json_free(p.next);
        p.next = NULL;
        p.n = 0;
    }
    return idvi_admin_page_end(&p, rc, c->out);
}

/* --- log ------------------------------------------------------------------ */

static idv_rc put_event(struct idv_json *o, const struct idv_audit_event *e)
{
    IDV_TRY(idv_admin_put_time(o, "date", e->date));
    IDV_TRY(idv_admin_put_text(o, "domainID", e->domain_id));
    IDV_TRY(idv_json_set(o, "nonce",
                         *e->nonce ? idv_json_new_text(idv_str(e->nonce))
                                   : idv_json_new_null()));
    return idv_admin_put_text(o, "assertion",
                              idv_assertion_to_text(e->assertion));
}

static bool event_each(void *arg, int64_t number, const char *serial,
                       const struct idv_audit_event *e)
{
    struct idvi_admin_page *p = arg;
    struct idv_json *o = idv_json_new_object();
    idv_rc rc = o ? idv_admin_put_text(o, "serial-number", serial)
                  : idv_fail(IDV_E_NOMEM, "out of memory");
    if (rc == IDV_OK)
        rc = put_event(o, e);
    idv_json_free(p->next);
    p->next = idv_json_new_int(number);
    return idvi_admin_page_add(p, o, rc);
}

static idv_rc log_rows(void *self, const struct idv_admin_call *c)
{
    const struct idv_masa_admin *a = self;
    const char *serial = "";
    int64_t after = 0;
    struct idvi_admin_page p;
    IDV_TRY(idv_admin_text(c->in, "serial-number", &serial));
    IDV_TRY(idv_admin_int(c->in, "after", 0, &after));
    IDV_TRY(idvi_admin_page_begin(&p));
    idv_rc rc = a->people.events(a->people.self, serial, after, IDV_ADMIN_PAGE,
                                 event_each, &p);
    return idvi_admin_page_end(&p, rc, c->out);
}

/* --- show ----------------------------------------------------------------- */

struct showing {
    const struct idv_masa_admin *a;
    struct idv_json *rows;
    idv_rc rc;
};

static idv_rc put_change(struct idv_json *o, const struct idv_masa_change *c)
{
    IDV_TRY(idv_admin_put_time(o, "date", c->date));
    IDV_TRY(idv_admin_put_text(o, "who", c->who));
    IDV_TRY(idv_admin_put_text(o, "what", c->what));
    return idv_admin_put_text(o, "detail", c->detail);
}

static idv_rc put_newest(const struct idv_audit_log *log, struct idv_json *o)
{
    IDV_AUTO_PTR(idv_json) events = idv_json_new_array();
    const size_t first = log->n > SHOWN ? log->n - SHOWN : 0;
    if (!events)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (size_t i = first; i < log->n; i++) {
        IDV_AUTO_PTR(idv_json) e = idv_json_new_object();
        if (!e)
            return idv_fail(IDV_E_NOMEM, "out of memory");
        IDV_TRY(put_event(e, &log->events[i]));
        IDV_TRY(idv_json_append(events, idv_steal(&e)));
    }
    IDV_TRY(idv_json_set(o, "events", idv_steal(&events)));
    return idv_admin_put_int(o, "earlier",
                             (int64_t)first + (int64_t)log->arbitrary);
}

static idv_rc put_events(const struct idv_masa_store *store, int64_t device_id,
                         struct idv_json *o)
{
    struct idv_audit_log log = {.version = 1};
    idv_rc rc = store->log_read(store->self, device_id, &log);
    if (rc == IDV_OK)
        rc = put_newest(&log, o);
    idv_audit_log_free(&log);
    return rc;
}

bool idvi_masa_change_each(void *arg, const struct idv_masa_change *c)
{
    struct idvi_masa_changes *s = arg;
    struct idv_json *o = idv_json_new_object();
    s->rc = o ? put_change(o, c) : idv_fail(IDV_E_NOMEM, "out of memory");
    if (s->rc == IDV_OK)
        s->rc = idv_json_append(s->rows, o);
    else
        idv_json_free(o);
    return s->rc == IDV_OK;
}

static idv_rc put_changes(const struct idv_masa_people *people,
                          int64_t device_id, struct idv_json *o)
{
    IDV_AUTO_PTR(idv_json) rows = idv_json_new_array();
    struct idvi_masa_changes s = {rows, IDV_OK};
    if (!rows)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(people->changes(people->self, device_id, SHOWN,
                            idvi_masa_change_each, &s));
    IDV_TRY(s.rc);
    return idv_json_set(o, "changes", idv_steal(&rows));
}

/* --- what it proved of its anchor ----------------------------------------- */

static idv_rc put_imprint(struct idv_json *o, const struct idv_masa_imprint *i)
{
    IDV_TRY(idv_admin_put_time(o, "date", i->date));
    IDV_TRY(idv_admin_put_int(o, "generation", (int64_t)i->generation));
    IDV_TRY(idv_admin_put_text(o, "domainID", i->domain_id));
    return idv_admin_put_bool(o, "back", i->back);
}

static bool imprint_each(void *arg, const struct idv_masa_imprint *i)
{
    struct idvi_masa_changes *s = arg;
    struct idv_json *o = idv_json_new_object();
    s->rc = o ? put_imprint(o, i) : idv_fail(IDV_E_NOMEM, "out of memory");
    if (s->rc == IDV_OK)
        s->rc = idv_json_append(s->rows, o);
    else
        idv_json_free(o);
    return s->rc == IDV_OK;
}

static idv_rc put_imprints(const struct idv_masa_people *people,
                           int64_t device_id, struct idv_json *o)
{
    IDV_AUTO_PTR(idv_json) rows = idv_json_new_array();
    struct idvi_masa_changes s = {rows, IDV_OK};
    if (!rows)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(people->imprints(people->self, device_id, SHOWN, imprint_each, &s));
    IDV_TRY(s.rc);
    return idv_json_set(o, "generations", idv_steal(&rows));
}

static idv_rc show_one(const struct showing *s, const struct idv_masa_device *d)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(put_device(o, d));
    IDV_TRY(idv_admin_put_bool(o, "registered", d->cert.n > 0));
    IDV_TRY(idvi_masa_put_policy(s->a, d, o));
    IDV_TRY(put_changes(&s->a->people, d->id, o));
    IDV_TRY(put_imprints(&s->a->people, d->id, o));
    IDV_TRY(put_events(&s->a->store, d->id, o));
    return idv_json_append(s->rows, idv_steal(&o));
}

static bool show_each(void *arg, const struct idv_masa_device *d)
{
    struct showing *s = arg;
    s->rc = show_one(s, d);
    return s->rc == IDV_OK;
}

static idv_rc show(void *self, const struct idv_admin_call *c)
{
    const struct idv_masa_admin *a = self;
    IDV_AUTO_PTR(idv_json) rows = idv_json_new_array();
    const char *serial = "";
    struct showing s = {a, rows, IDV_OK};
    if (!rows)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_admin_need(c->in, "serial-number", &serial));
    IDV_TRY(a->people.named(a->people.self, serial, show_each, &s));
    IDV_TRY(s.rc);
    if (idv_json_count(rows) == 0)
        return idv_fail(IDV_E_STATE, "%s: no such device", serial);
    return idv_json_set(c->out, "devices", idv_steal(&rows));
}

/* --- registrars ----------------------------------------------------------- */

static idv_rc put_registrar(struct idv_json *o, const uint8_t sha256[32],
                            const struct idv_masa_registrar *r)
{
    IDV_TRY(put_hex(o, "sha256", idv_bytes(sha256, 32)));
    IDV_TRY(idv_admin_put_text(o, "name", r->name));
    IDV_TRY(idv_admin_put_bool(o, "nonceless", r->nonceless));
    return idv_admin_put_bool(o, "blocked", r->blocked);
}

static bool registrar_each(void *arg, const uint8_t sha256[32],
                           const struct idv_masa_registrar *r)
{
    struct idvi_admin_page *p = arg;
    IDV_AUTO(buf) hex = {0};
    struct idv_json *o = idv_json_new_object();
    idv_rc rc = o ? put_registrar(o, sha256, r)
                  : idv_fail(IDV_E_NOMEM, "out of memory");
    if (rc == IDV_OK)
        rc = idv_hex_from_bytes(idv_bytes(sha256, 32), &hex);
    idv_json_free(p->next);
    p->next = rc == IDV_OK ? idv_json_new_text(idv_view(&hex)) : NULL;
    return idvi_admin_page_add(p, o, rc);
}

static idv_rc registrars(void *self, const struct idv_admin_call *c)
{
    const struct idv_masa_admin *a = self;
    IDV_AUTO(buf) raw = {.max = 32};
    const char *after = "";
    uint8_t from[32] = {0};
    struct idvi_admin_page p;
    IDV_TRY(idv_admin_text(c->in, "after", &after));
    IDV_TRY(idv_hex_to_bytes(idv_str(after), &raw));
    if (raw.n)
        memcpy(from, raw.p, raw.n);
    IDV_TRY(idvi_admin_page_begin(&p));
    idv_rc rc = a->people.registrars(a->people.self, from, IDV_ADMIN_PAGE,
                                     registrar_each, &p);
    return idvi_admin_page_end(&p, rc, c->out);
}

/* --- status --------------------------------------------------------------- */

static idv_rc put_head(const struct idv_masa_store *store, struct idv_json *o)
{
    IDV_AUTO(buf) item = {0};
    struct idv_tree_head head;
    bool found = false;
    IDV_TRY(store->head_last(store->self, &found, &item));
    if (!found)
        return IDV_OK;
    IDV_TRY(idv_tree_head_from_item(idv_view(&item), &head));
    IDV_TRY(idv_admin_put_int(o, "head-entries", (int64_t)head.size));
    return idv_admin_put_time(o, "head-date", (int64_t)(head.timestamp / 1000));
}

static idv_rc put_log(const struct idv_masa_store *store, struct idv_json *out)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    uint64_t size = 0;
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(store->tree_size(store->self, &size));
    IDV_TRY(idv_admin_put_int(o, "entries", (int64_t)size));
    IDV_TRY(put_head(store, o));
    return idv_json_set(out, "log", idv_steal(&o));
}

static idv_rc status(void *self, const struct idv_admin_call *c)
{
    const struct idv_masa_admin *a = self;
    IDV_TRY(idv_admin_put_bool(c->out, "running", a->running));
    IDV_TRY(put_log(&a->store, c->out));
    return a->live ? a->live(a->arg, c->out) : IDV_OK;
}

const struct idv_admin_row idv_masa_admin_rows[] = {
    {"/list", list, false},
    {"/show", show, false},
    {"/stand", idvi_masa_admin_stand, true},
    {"/owner", idvi_masa_admin_owner, true},
    {"/registrar", idvi_masa_admin_registrar, true},
    {"/registrars", registrars, false},
    {"/origins", idvi_masa_admin_origins, true},
    {"/policy", idvi_masa_admin_policy, true},
    {"/policies", idvi_masa_admin_policies, false},
    {"/log", log_rows, false},
    {"/status", status, false},
    {0},
};
