/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-registrar export, prune, backup: straight from the database. */
#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>

#include <stdio.h>
#include <string.h>

#include "registrar.h"

#define DAY (24 * 3600)

/* --- prune, backup -------------------------------------------------------- */

void registrar_retention(const struct tool *t, struct idv_db_retention *out)
{
    int64_t now = idv_now(t->env);
    *out = (struct idv_db_retention){.unfinished =
                                         now - registrar_conf.keep_days * DAY};
    if (registrar_conf.keep_ledger_days)
        out->finished = now - registrar_conf.keep_ledger_days * DAY;
}

idv_rc registrar_prune(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    struct idv_db_retention keep;
    uint64_t n = 0;
    (void)argc;
    (void)argv;
    registrar_retention(t, &keep);
    IDV_TRY(idv_db_open(registrar_conf.service.database, &db));
    IDV_TRY(idv_db_prune(db, &keep, UINT64_MAX, &n));
    tool_say(t, "%llu rows", (unsigned long long)n);
    return IDV_OK;
}

idv_rc registrar_backup(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return service_backup(t, registrar_conf.service.database, argv[0]);
}

/* --- a row of the ledger -------------------------------------------------- */

enum field {
    KIND,
    DATE,
    SERIAL,
    MAKER,
    STATE,
    REASON,
    ADDRESS,
    SESSION,
    DEVICE,
    CERTIFICATE,
    NOT_AFTER,
    FIELDS,
};
static const char *const names[FIELDS] = {
    "kind",    "date",    "serial-number", "maker",       "state",    "reason",
    "address", "session", "device",        "certificate", "not-after"};

struct line {
    bool csv;
    const char *text[FIELDS]; /* NULL: absent */
    char date[IDV_TIME_TEXT], not_after[IDV_TIME_TEXT];
    char session[65], device[65], certificate[65];
    /* JSON only, whole */
    const struct idv_buf *voucher, *audit_log, *der;
};

static const char *hex(const uint8_t hash[32], char out[65])
{
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
    return out;
}

static idv_rc print_csv(const struct line *l)
{
    IDV_AUTO(buf) text = {0};
    for (int i = 0; i < FIELDS; i++) {
        if (i)
            IDV_TRY(idv_buf_puts(&text, ","));
        if (l->text[i])
            IDV_TRY(idv_csv_put(&text, idv_str(l->text[i])));
    }
    IDV_TRY(idv_buf_puts(&text, "\r\n"));
    return tool_print(idv_view(&text));
}

static idv_rc put_bytes(struct idv_json *o, const char *name,
                        const struct idv_buf *bytes)
{
    IDV_AUTO(buf) text = {0};
    if (!bytes || !bytes->n)
        return IDV_OK;
    IDV_TRY(idv_base64_from_bytes(idv_view(bytes), 0, &text));
    return idv_json_set(o, name, idv_json_new_text(idv_view(&text)));
}

static idv_rc print_json(const struct line *l)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (int i = 0; i < FIELDS; i++) {
        if (l->text[i] && *l->text[i])
            IDV_TRY(tool_put_text(o, names[i], l->text[i]));
    }
    IDV_TRY(put_bytes(o, "voucher", l->voucher));
    IDV_TRY(put_bytes(o, "audit-log", l->audit_log));
    IDV_TRY(put_bytes(o, "der", l->der));
    return service_print(NULL, o);
}

static idv_rc print_line(struct line *l, const char *kind, int64_t date)
{
    IDV_TRY(idv_time_to_text(date, l->date));
    l->text[KIND] = kind;
    l->text[DATE] = l->date;
    return l->csv ? print_csv(l) : print_json(l);
}

/* --- the kinds ------------------------------------------------------------ */

static struct line blank(void *arg)
{
    return (struct line){.csv = *(bool *)arg};
}

static idv_rc decision(void *arg, const struct idv_db_decision *d)
{
    static const char *const words[] = {"none", "pending", "approved",
                                        "refused"};
    struct line l = blank(arg);
    l.text[SERIAL] = d->serial_number;
    l.text[MAKER] = d->maker;
    l.text[STATE] = (unsigned)d->decision < 4 ? words[d->decision] : "?";
    return print_line(&l, "decision", d->decided ? d->decided : d->asked);
}

static idv_rc session(void *arg, const struct idv_session *s)
{
    struct line l = blank(arg);
    l.text[SERIAL] = s->serial_number;
    l.text[MAKER] = s->maker;
    l.text[STATE] = idv_session_state_to_text(s->state);
    l.text[REASON] = s->reason;
    l.text[ADDRESS] = s->address;
    l.text[SESSION] = hex(s->pvr_sha256, l.session);
    l.text[DEVICE] = hex(s->idevid_sha256, l.device);
    l.voucher = &s->voucher;
    l.audit_log = &s->audit_log;
    return print_line(&l, "session", s->changed);
}

static idv_rc status(void *arg, const struct idv_status_event *e)
{
    struct line l = blank(arg);
    l.text[STATE] = e->status ? "ok" : "failed";
    l.text[REASON] = e->reason;
    l.text[SESSION] = hex(e->pvr_sha256, l.session);
    return print_line(&l, e->kind, e->date);
}

static idv_rc issued(void *arg, const struct idv_issued *i)
{
    struct line l = blank(arg);
    IDV_TRY(idv_time_to_text(i->not_after, l.not_after));
    l.text[SERIAL] = i->serial_number;
    l.text[STATE] = i->state == IDV_ISSUED_VALID ? "valid" : "revoked";
    l.text[DEVICE] = hex(i->client_sha256, l.device);
    l.text[CERTIFICATE] = hex(i->cert_sha256, l.certificate);
    l.text[NOT_AFTER] = l.not_after;
    l.der = &i->cert;
    return print_line(&l, "certificate", i->issued);
}

/* --- export --------------------------------------------------------------- */

/* a day begins at midnight, UTC */
static idv_rc time_from(const char *option, const char *text, int64_t *out)
{
    char whole[IDV_TIME_TEXT + 16];
    *out = 0;
    if (!text)
        return IDV_OK;
    snprintf(whole, sizeof(whole), "%.24s%s", text,
             strlen(text) == 10 ? "T00:00:00Z" : "");
    if (idv_time_from_text(idv_str(whole), out) == IDV_OK)
        return IDV_OK;
    idv_note_clear();
    return idv_fail(IDV_E_ARG, "export: --%s %s: not a date", option, text);
}

static idv_rc format(bool *csv)
{
    const char *f = registrar_opt.format ? registrar_opt.format : "json";
    *csv = strcmp(f, "csv") == 0;
    if (*csv || strcmp(f, "json") == 0)
        return IDV_OK;
    return idv_fail(IDV_E_ARG, "export: --format %s: json or csv", f);
}

static idv_rc head(bool csv)
{
    struct line l = {0};
    memcpy(l.text, names, sizeof(names));
    return csv ? print_csv(&l) : IDV_OK;
}

idv_rc registrar_export(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    int64_t since, until;
    bool csv;
    const struct idv_db_ledger to = {decision, session, status, issued, &csv};
    (void)t;
    (void)argc;
    (void)argv;
    IDV_TRY(time_from("since", registrar_opt.since, &since));
    IDV_TRY(time_from("until", registrar_opt.until, &until));
    IDV_TRY(format(&csv));
    IDV_TRY(idv_db_open(registrar_conf.service.database, &db));
    IDV_TRY(head(csv));
    return idv_db_ledger_each(db, since, until, &to);
}
