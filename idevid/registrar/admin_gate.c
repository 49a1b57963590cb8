/* SPDX-License-Identifier: Apache-2.0 */
/* The rows about rules, findings, vouchers had ahead and imprints. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "idevid/registrar/admin.h"
#include "idevid/admin/page.h"

/* --- rules ---------------------------------------------------------------- */

static idv_rc take_pattern(const struct idv_json *in, const char *name,
                           char out[static IDV_MAX_PATTERN + 1])
{
    const char *text = "";
    IDV_TRY(idv_admin_text(in, name, &text));
    return idv_text_copy(out, IDV_MAX_PATTERN + 1, idv_str(text), name);
}

static idv_rc take_time(const struct idv_json *in, const char *name,
                        int64_t *out)
{
    const char *text = "";
    IDV_TRY(idv_admin_text(in, name, &text));
    return *text ? idv_time_from_text(idv_str(text), out) : IDV_OK;
}

static idv_rc take_rule(const struct idv_admin_call *c, struct idv_rule *r)
{
    const char *action = "", *comment = "";
    IDV_TRY(idv_admin_need(c->in, "action", &action));
    IDV_TRY(idv_rule_action_from_text(action, &r->action));
    IDV_TRY(take_pattern(c->in, "maker", r->maker));
    IDV_TRY(take_pattern(c->in, "model", r->model));
    IDV_TRY(take_pattern(c->in, "serial-number", r->serial_number));
    IDV_TRY(take_time(c->in, "not-before", &r->not_before));
    IDV_TRY(take_time(c->in, "not-after", &r->not_after));
    IDV_TRY(idv_admin_int(c->in, "position", 0, &r->position));
    IDV_TRY(idv_admin_text(c->in, "comment", &comment));
    IDV_TRY(idv_text_copy(r->comment, sizeof(r->comment), idv_str(comment),
                          "comment"));
    if (r->position < 0)
        return idv_fail(IDV_E_ARG, "position: below 1");
    if (r->not_after && r->not_after < r->not_before)
        return idv_fail(IDV_E_ARG, "rule: it ends before it begins");
    r->date = c->now;
    return idv_text_copy(r->who, sizeof(r->who), idv_str(c->who), "who");
}

idv_rc idvi_reg_admin_rule_add(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    struct idv_rule r = {0};
    IDV_TRY(take_rule(c, &r));
    IDV_TRY(a->people.rule_add(a->people.self, &r, &r.id));
    return idv_admin_put_int(c->out, "id", r.id);
}

idv_rc idvi_reg_admin_rule_remove(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    int64_t id = 0;
    bool found = false;
    IDV_TRY(idv_admin_int(c->in, "id", 0, &id));
    IDV_TRY(a->people.rule_remove(a->people.self, id, &found));
    if (!found)
        return idv_fail(IDV_E_STATE, "there is no rule %lld", (long long)id);
    return idv_admin_put_int(c->out, "id", id);
}

static idv_rc put_rule(struct idv_json *o, const struct idv_rule *r)
{
    IDV_TRY(idv_admin_put_int(o, "id", r->id));
    IDV_TRY(idv_admin_put_int(o, "position", r->position));
    IDV_TRY(
        idv_admin_put_text(o, "action", idv_rule_action_to_text(r->action)));
    IDV_TRY(idv_admin_put_text(o, "maker", r->maker));
    IDV_TRY(idv_admin_put_text(o, "model", r->model));
    IDV_TRY(idv_admin_put_text(o, "serial-number", r->serial_number));
    IDV_TRY(idv_admin_put_time(o, "not-before", r->not_before));
    IDV_TRY(idv_admin_put_time(o, "not-after", r->not_after));
    IDV_TRY(idv_admin_put_text(o, "comment", r->comment));
    IDV_TRY(idv_admin_put_text(o, "who", r->who));
    return idv_admin_put_time(o, "date", r->date);
}

/* rules are taken in their order: those behind the last one of a page */
struct rules {
    struct idvi_admin_page page;
    int64_t skip, seen;
};

static bool rule_each(void *arg, const struct idv_rule *r)
{
    struct rules *l = arg;
    if (l->seen++ < l->skip)
        return true;
    struct idv_json *o = idv_json_new_object();
    idv_rc rc = o ? put_rule(o, r) : idv_fail(IDV_E_NOMEM, "out of memory");
    idv_json_free(l->page.next);
    l->page.next = idv_json_new_int(l->seen);
    return idvi_admin_page_add(&l->page, o, rc) && l->page.n < IDV_ADMIN_PAGE;
}

idv_rc idvi_reg_admin_rule_list(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    struct rules l = {0};
    IDV_TRY(idv_admin_int(c->in, "after", 0, &l.skip));
    IDV_TRY(idvi_admin_page_begin(&l.page));
    idv_rc rc = a->people.rules(a->people.self, rule_each, &l);
    return idvi_admin_page_end(&l.page, rc, c->out);
}

/* --- findings ------------------------------------------------------------- */

idv_rc idvi_reg_put_finding(struct idv_json *o, const struct idv_finding *f)
{
    IDV_TRY(idv_admin_put_time(o, "last", f->last));
    IDV_TRY(idv_admin_put_time(o, "first", f->first));
    IDV_TRY(idv_admin_put_int(o, "times", f->times));
    IDV_TRY(idv_admin_put_text(o, "maker", f->maker));
    IDV_TRY(idv_admin_put_text(o, "serial-number", f->serial_number));
    IDV_TRY(idv_admin_put_text(o, "kind", f->kind));
    return idv_admin_put_text(o, "detail", f->detail);
}

static bool finding_each(void *arg, int64_t number, const struct idv_finding *f)
{
    struct idvi_admin_page *p = arg;
    struct idv_json *o = idv_json_new_object();
    idv_rc rc =
        o ? idvi_reg_put_finding(o, f) : idv_fail(IDV_E_NOMEM, "out of memory");
    idv_json_free(p->next);
    p->next = idv_json_new_int(number);
    return idvi_admin_page_add(p, o, rc);
}

idv_rc idvi_reg_admin_findings(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    const char *serial = "";
    int64_t before = 0;
    struct idvi_admin_page p;
    IDV_TRY(idv_admin_text(c->in, "serial-number", &serial));
    IDV_TRY(idv_admin_int(c->in, "after", 0, &before));
    IDV_TRY(idvi_admin_page_begin(&p));
    idv_rc rc = a->people.findings(a->people.self, *serial ? serial : NULL,
                                   before, IDV_ADMIN_PAGE, finding_each, &p);
    return idvi_admin_page_end(&p, rc, c->out);
}

/* --- vouchers had ahead --------------------------------------------------- */

static idv_rc put_stored(struct idv_json *o, const struct idv_stored_voucher *v)
{
    IDV_TRY(idv_admin_put_time(o, "fetched", v->fetched));
    IDV_TRY(idv_admin_put_text(o, "maker", v->maker));
    IDV_TRY(idv_admin_put_text(o, "serial-number", v->serial_number));
    IDV_TRY(idv_admin_put_text(o, "media", v->media));
    return idv_admin_put_time(o, "expires-on", v->expires_on);
}

static bool stored_each(void *arg, const struct idv_stored_voucher *v)
{
    struct idvi_admin_page *p = arg;
    struct idv_json *o = idv_json_new_object();
    idv_rc rc = o ? put_stored(o, v) : idv_fail(IDV_E_NOMEM, "out of memory");
    idv_json_free(p->next);
    p->next = idv_json_new_int(v->id);
    return idvi_admin_page_add(p, o, rc);
}

idv_rc idvi_reg_admin_stored(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    const char *serial = "";
    int64_t before = 0;
    struct idvi_admin_page p;
    IDV_TRY(idv_admin_text(c->in, "serial-number", &serial));
    IDV_TRY(idv_admin_int(c->in, "after", 0, &before));
    IDV_TRY(idvi_admin_page_begin(&p));
    idv_rc rc = a->people.stored(a->people.self, serial, before, IDV_ADMIN_PAGE,
                                 stored_each, &p);
    return idvi_admin_page_end(&p, rc, c->out);
}

/* --- imprinted elsewhere -------------------------------------------------- */

idv_rc idvi_reg_admin_imprinted(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    const char *maker = "", *serial = "";
    bool allowed = false;
    struct idv_registrar_decided fits;
    IDV_TRY(idv_admin_need(c->in, "maker", &maker));
    IDV_TRY(idv_admin_need(c->in, "serial-number", &serial));
    IDV_TRY(idv_admin_bool(c->in, "allowed", &allowed));
    IDV_TRY(
        idv_text_copy(fits.maker, sizeof(fits.maker), idv_str(maker), "maker"));
    IDV_TRY(idv_text_copy(fits.serial_number, sizeof(fits.serial_number),
                          idv_str(serial), "serial-number"));
    IDV_TRY(a->people.imprint(a->people.self, maker, serial, allowed, c->who,
                              c->now));
    IDV_TRY(idv_admin_put_text(c->out, "maker", maker));
    IDV_TRY(idv_admin_put_text(c->out, "serial-number", serial));
    return idv_admin_put_bool(c->out, "imprinted", allowed);
}
