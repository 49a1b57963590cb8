/* SPDX-License-Identifier: Apache-2.0 */
/* All that is known of one device. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "idevid/registrar/admin.h"
#include "idevid/admin/page.h"

/* so many of each fit one answer; newer ones win */
#define SESSIONS 10
#define EVENTS 10
#define CERTS 20
#define FINDINGS 20
#define REPORT 200 /* bytes shown of what a device reported */

struct show {
    const struct idv_registrar_people *people;
    struct idv_json *list; /* being filled */
    unsigned skip;
    bool any;
    idv_rc rc;
};

/* appends o if what was put into it went well */
static bool add(struct show *s, struct idv_json *o, idv_rc rc)
{
    if (rc != IDV_OK)
        idv_json_free(o);
    else
        rc = idv_json_append(s->list, o);
    s->any = true;
    s->rc = rc;
    return rc == IDV_OK;
}

static bool count(unsigned *n)
{
    ++*n;
    return true;
}

static bool decided_each(void *arg, const struct idv_registrar_decided *d)
{
    struct idv_json *o = idv_json_new_object();
    return add(arg, o,
               o ? idvi_reg_put_decided(o, d)
                 : idv_fail(IDV_E_NOMEM, "out of memory"));
}

/* --- certificates --------------------------------------------------------- */

static const char *issued_word(enum idv_issued_state s)
{
    return s == IDV_ISSUED_REVOKED ? "revoked" : "issued";
}

static idv_rc put_cert(struct idv_json *o, const struct idv_issued *i)
{
    IDV_AUTO(buf) hex = {0};
    IDV_TRY(idv_hex_from_bytes(idv_bytes(i->cert_sha256, 32), &hex));
    IDV_TRY(idv_admin_put_time(o, "issued", i->issued));
    IDV_TRY(idv_admin_put_time(o, "not-after", i->not_after));
    IDV_TRY(idv_admin_put_text(o, "state", issued_word(i->state)));
    return idv_admin_put_text(o, "sha256", (const char *)hex.p);
}

static bool cert_count(void *arg, const struct idv_issued *i)
{
    (void)i;
    return count(arg);
}

static bool cert_each(void *arg, const struct idv_issued *i)
{
    struct show *s = arg;
    if (s->skip) {
        s->skip--;
        return true;
    }
    struct idv_json *o = idv_json_new_object();
    return add(s, o,
               o ? put_cert(o, i) : idv_fail(IDV_E_NOMEM, "out of memory"));
}

/* --- sessions ------------------------------------------------------------- */

/* The report as it came, as far as it fits and is text. */
static idv_rc put_report(struct idv_json *o, struct idv_bytes report)
{
    char text[REPORT + 1];
    if (report.n > REPORT)
        report.n = REPORT;
    while (report.n && !idv_text_printable(report))
        report.n--;
    memcpy(text, report.p ? report.p : (const uint8_t *)"", report.n);
    text[report.n] = 0;
    return idv_admin_put_text(o, "report", text);
}

static idv_rc put_event(struct idv_json *o, const struct idv_status_event *e)
{
    IDV_TRY(idv_admin_put_time(o, "date", e->date));
    IDV_TRY(idv_admin_put_text(o, "kind", e->kind));
    IDV_TRY(idv_admin_put_text(o, "status", e->status ? "good" : "failed"));
    IDV_TRY(idv_admin_put_text(o, "reason", e->reason));
    IDV_TRY(idv_admin_put_text(o, "detail", e->detail));
    return put_report(o, e->report);
}

static bool event_count(void *arg, const struct idv_status_event *e)
{
    (void)e;
    return count(arg);
}

static bool event_each(void *arg, const struct idv_status_event *e)
{
    struct show *s = arg;
    if (s->skip) {
        s->skip--;
        return true;
    }
    struct idv_json *o = idv_json_new_object();
    return add(s, o,
               o ? put_event(o, e) : idv_fail(IDV_E_NOMEM, "out of memory"));
}

static idv_rc put_events(const struct show *s, const struct idv_session *of,
                         struct idv_json *o)
{
    const struct idv_registrar_people *p = s->people;
    unsigned n = 0;
    IDV_TRY(p->events(p->self, of->pvr_sha256, event_count, &n));
    struct show list = {.list = idv_json_new_array(),
                        .skip = n > EVENTS ? n - EVENTS : 0};
    idv_rc rc = list.list
                    ? p->events(p->self, of->pvr_sha256, event_each, &list)
                    : IDV_OK;
    idv_rc put = idv_json_set(o, "events", list.list);
    return rc != IDV_OK ? rc : list.rc != IDV_OK ? list.rc : put;
}

static idv_rc put_evidence(const struct show *s, const struct idv_session *of,
                           struct idv_json *o)
{
    const struct idv_registrar_people *p = s->people;
    struct idv_kept_evidence e = {0};
    bool found = false;
    IDV_TRY(p->evidence(p->self, of->pvr_sha256, &found, &e));
    if (!found)
        return IDV_OK;
    IDV_TRY(idv_admin_put_text(o, "evidence", e.verdict));
    return idv_admin_put_text(o, "evidence-detail", e.detail);
}

static bool session_each(void *arg, int64_t number,
                         const struct idv_session *of)
{
    struct show *s = arg;
    struct idv_json *o = idv_json_new_object();
    (void)number;
    idv_rc rc = o ? idvi_reg_put_session(o, of)
                  : idv_fail(IDV_E_NOMEM, "out of memory");
    if (rc == IDV_OK)
        rc = put_events(s, of, o);
    if (rc == IDV_OK)
        rc = put_evidence(s, of, o);
    return add(s, o, rc);
}

/* --- all ------------------------------------------------------------------ */

static idv_rc fill_decisions(struct show *s, const char *serial)
{
    return s->people->decided(s->people->self, serial, decided_each, s);
}

static idv_rc fill_sessions(struct show *s, const char *serial)
{
    return s->people->sessions(s->people->self, serial, 0, SESSIONS,
                               session_each, s);
}

static idv_rc fill_certs(struct show *s, const char *serial)
{
    unsigned n = 0;
    IDV_TRY(s->people->issued(s->people->self, serial, cert_count, &n));
    s->skip = n > CERTS ? n - CERTS : 0;
    return s->people->issued(s->people->self, serial, cert_each, s);
}

static bool finding_each(void *arg, int64_t number, const struct idv_finding *f)
{
    struct idv_json *o = idv_json_new_object();
    (void)number;
    return add(arg, o,
               o ? idvi_reg_put_finding(o, f)
                 : idv_fail(IDV_E_NOMEM, "out of memory"));
}

static idv_rc fill_findings(struct show *s, const char *serial)
{
    return s->people->findings(s->people->self, serial, 0, FINDINGS,
                               finding_each, s);
}

static idv_rc put_list(struct show *s, const char *serial, const char *name,
                       idv_rc (*fill)(struct show *s, const char *serial),
                       struct idv_json *out)
{
    s->list = idv_json_new_array();
    s->rc = IDV_OK;
    idv_rc rc = s->list ? fill(s, serial) : IDV_OK;
    idv_rc put = idv_json_set(out, name, s->list);
    return rc != IDV_OK ? rc : s->rc != IDV_OK ? s->rc : put;
}

idv_rc idvi_reg_admin_show(void *self, const struct idv_admin_call *c)
{
    const struct idv_registrar_admin *a = self;
    const char *serial = "";
    struct show s = {.people = &a->people};
    IDV_TRY(idv_admin_need(c->in, "serial-number", &serial));
    IDV_TRY(idv_admin_put_text(c->out, "serial-number", serial));
    IDV_TRY(put_list(&s, serial, "decisions", fill_decisions, c->out));
    IDV_TRY(put_list(&s, serial, "sessions", fill_sessions, c->out));
    IDV_TRY(put_list(&s, serial, "certificates", fill_certs, c->out));
    IDV_TRY(put_list(&s, serial, "findings", fill_findings, c->out));
    if (s.any)
        return IDV_OK;
    return idv_fail(IDV_E_STATE, "nothing is known of device %.64s", serial);
}
