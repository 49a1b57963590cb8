/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that list, decide and tell how things stand. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "idevid/registrar/admin.h"
#include "idevid/admin/page.h"

static const char *const decisions[] = {"undecided", "pending", "approved",
                                        "refused"};

static const char *decision_word(enum idv_decision d)
{
    return (unsigned)d < 4 ? decisions[d] : "unknown";
}

/* --- list ----------------------------------------------------------------- */

idv_rc idvi_reg_put_decided(struct idv_json *o,
                            const struct idv_registrar_decided *d)
{
    IDV_TRY(idv_admin_put_text(o, "serial-number", d->serial_number));
    IDV_TRY(idv_admin_put_text(o, "maker", d->maker));
    IDV_TRY(idv_admin_put_text(o, "decision", decision_word(d->decision)));
    IDV_TRY(idv_admin_put_time(o, "asked", d->asked));
    return idv_admin_put_time(o, "decided", d->decided);
}

static bool decided_each(void *arg, const struct idv_registrar_decided *d)
{
    struct idvi_admin_page *p = arg;
    struct idv_json *o = idv_json_new_object();
    idv_rc rc =
        o ? idvi_reg_put_decided(o, d) : idv_fail(IDV_E_NOMEM, "out of memory");
    if (rc == IDV_OK)
        rc = idvi_admin_page_after(p, d->maker, d->serial_number);
    return idvi_admin_page_add(p, o, rc);
}

static idv_rc list(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    const struct idv_json *after = idv_json_get(c->in, "after");
    const char *maker = "", *serial = "";
    bool pending = false;
    IDV_TRY(idv_admin_bool(c->in, "pending", &pending));
    IDV_TRY(idv_admin_text(after, "maker", &maker));
    IDV_TRY(idv_admin_text(after, "serial-number", &serial));
    struct idvi_admin_page p;
    IDV_TRY(idvi_admin_page_begin(&p));
    idv_rc rc = a->people.decisions(
        a->people.self, pending ? IDV_DECISION_PENDING : IDV_DECISION_NONE,
        maker, serial, IDV_ADMIN_PAGE, decided_each, &p);
    return idvi_admin_page_end(&p, rc, c->out);
}

/* --- decide --------------------------------------------------------------- */

static idv_rc decision_from_word(const char *word, enum idv_decision *out)
{
    if (strcmp(word, "forgotten") == 0)
        *out = IDV_DECISION_NONE;
    else if (strcmp(word, "approved") == 0)
        *out = IDV_DECISION_APPROVED;
    else if (strcmp(word, "refused") == 0)
        *out = IDV_DECISION_REFUSED;
    else
        return idv_fail(IDV_E_ARG,
                        "decision: '%.32s' is not approved, refused or "
                        "forgotten",
                        word);
    return IDV_OK;
}

static idv_rc decide(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    const char *maker = "", *serial = "", *word = "";
    enum idv_decision decision = IDV_DECISION_NONE;
    struct idv_registrar_decided fits;
    IDV_TRY(idv_admin_need(c->in, "maker", &maker));
    IDV_TRY(idv_admin_need(c->in, "serial-number", &serial));
    IDV_TRY(idv_admin_need(c->in, "decision", &word));
    IDV_TRY(decision_from_word(word, &decision));
    IDV_TRY(
        idv_text_copy(fits.maker, sizeof(fits.maker), idv_str(maker), "maker"));
    IDV_TRY(idv_text_copy(fits.serial_number, sizeof(fits.serial_number),
                          idv_str(serial), "serial-number"));
    IDV_TRY(a->people.decide(a->people.self, maker, serial, decision, c->now));
    IDV_TRY(idv_admin_put_text(c->out, "serial-number", serial));
    IDV_TRY(idv_admin_put_text(c->out, "maker", maker));
    return idv_admin_put_text(c->out, "decision", word);
}

/* --- log ------------------------------------------------------------------ */

idv_rc idvi_reg_put_session(struct idv_json *o, const struct idv_session *s)
{
    IDV_TRY(idv_admin_put_time(o, "changed", s->changed));
    IDV_TRY(idv_admin_put_text(o, "serial-number", s->serial_number));
    IDV_TRY(idv_admin_put_text(o, "maker", s->maker));
    IDV_TRY(idv_admin_put_text(o, "address", s->address));
    IDV_TRY(
        idv_admin_put_text(o, "state", idv_session_state_to_text(s->state)));
    return idv_admin_put_text(o, "reason", s->reason);
}

static bool session_each(void *arg, int64_t number, const struct idv_session *s)
{
    struct idvi_admin_page *p = arg;
    struct idv_json *o = idv_json_new_object();
    idv_rc rc =
        o ? idvi_reg_put_session(o, s) : idv_fail(IDV_E_NOMEM, "out of memory");
    idv_json_free(p->next);
    p->next = idv_json_new_int(number);
    return idvi_admin_page_add(p, o, rc);
}

static idv_rc log_rows(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    const char *serial = "";
    int64_t before = 0;
    IDV_TRY(idv_admin_text(c->in, "serial-number", &serial));
    IDV_TRY(idv_admin_int(c->in, "after", 0, &before));
    struct idvi_admin_page p;
    IDV_TRY(idvi_admin_page_begin(&p));
    idv_rc rc = a->people.sessions(a->people.self, serial, before,
                                   IDV_ADMIN_PAGE, session_each, &p);
    return idvi_admin_page_end(&p, rc, c->out);
}

/* --- status --------------------------------------------------------------- */

static idv_rc put_sessions(const struct idv_registrar_counts *n,
                           struct idv_json *o)
{
    for (int s = 0; s < IDV_SESSION_STATES; s++) {
        if (n->sessions[s])
            IDV_TRY(idv_admin_put_int(
                o, idv_session_state_to_text((enum idv_session_state)s),
                n->sessions[s]));
    }
    return IDV_OK;
}

static idv_rc put_devices(const struct idv_registrar_counts *n,
                          struct idv_json *o)
{
    IDV_TRY(idv_admin_put_int(o, "pending", n->pending));
    IDV_TRY(idv_admin_put_int(o, "approved", n->approved));
    return idv_admin_put_int(o, "refused", n->refused);
}

static idv_rc put_object(struct idv_json *out, const char *name,
                         const struct idv_registrar_counts *n,
                         idv_rc (*put)(const struct idv_registrar_counts *n,
                                       struct idv_json *o))
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(put(n, o));
    return idv_json_set(out, name, idv_steal(&o));
}

static idv_rc status(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    struct idv_registrar_counts n = {0};
    IDV_TRY(a->people.counts(a->people.self, &n));
    IDV_TRY(idv_admin_put_bool(c->out, "running", a->running));
    IDV_TRY(put_object(c->out, "sessions", &n, put_sessions));
    IDV_TRY(put_object(c->out, "devices", &n, put_devices));
    return a->live ? a->live(a->arg, c->out) : IDV_OK;
}

const struct idv_admin_row idv_registrar_admin_rows[] = {
    {"/list", list, false},
    {"/show", idvi_reg_admin_show, false},
    {"/decide", decide, true},
    {"/log", log_rows, false},
    {"/status", status, false},
    {"/revoke", idvi_reg_admin_revoke, true},
    {"/owner-set", idvi_reg_admin_owner_set, true},
    {"/owner-list", idvi_reg_admin_owners, false},
    {"/owner-remove", idvi_reg_admin_owner_remove, true},
    {"/rule/add", idvi_reg_admin_rule_add, true},
    {"/rule/remove", idvi_reg_admin_rule_remove, true},
    {"/rule/list", idvi_reg_admin_rule_list, false},
    {"/findings", idvi_reg_admin_findings, false},
    {"/stored", idvi_reg_admin_stored, false},
    {"/imprinted", idvi_reg_admin_imprinted, true},
    {0},
};
