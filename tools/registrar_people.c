/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-registrar list, show, approve, deny, log, status. */
#include <idevid/codec.h>
#include <idevid/text.h>

#include "registrar.h"

#define cell service_cell

/* --- list ----------------------------------------------------------------- */

static void list_row(struct tool *t, const struct idv_json *row)
{
    tool_say(t, "%-24s %-16s %s", cell(row, "serial-number"),
             cell(row, "maker"), cell(row, "decision"));
}

static idv_rc list_page(struct tool *t, const struct idv_json *answer)
{
    return service_rows(t, answer, list_row);
}

idv_rc registrar_list(struct tool *t, int argc, char **argv)
{
    struct idv_json *in = idv_json_new_object();
    (void)argc;
    (void)argv;
    if (registrar_opt.findings || registrar_opt.stored) {
        idv_json_free(in);
        return registrar_list_more(t);
    }
    if (!in)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_bool(in, "pending", registrar_opt.pending);
    if (rc == IDV_OK)
        return registrar_ask(t, "/list", in, list_page);
    idv_json_free(in);
    return rc;
}

/* --- approve, deny -------------------------------------------------------- */

idv_rc registrar_the_maker(char out[static 64])
{
    struct maker_conf m = {0};
    if (registrar_opt.maker)
        return idv_text_copy(out, 64, idv_str(registrar_opt.maker), "--maker");
    if (idv_list_count(registrar_conf.makers) != 1)
        return idv_fail(IDV_E_ARG, "--maker NAME is needed: there are several");
    IDV_TRY(idv_conf_load(&maker_table, registrar_conf.makers[0], &m));
    idv_rc rc = idv_text_copy(out, 64, idv_str(m.name), "maker.name");
    idv_conf_free(&maker_table, &m);
    return rc;
}

static idv_rc decided(struct tool *t, const struct idv_json *answer)
{
    if (t->json)
        return service_print(t, answer);
    tool_say(t, "%s of %s: %s", cell(answer, "serial-number"),
             cell(answer, "maker"), cell(answer, "decision"));
    return IDV_OK;
}

static idv_rc put_decision(struct idv_json *in, const char *maker,
                           const char *serial, const char *decision)
{
    IDV_TRY(tool_put_text(in, "maker", maker));
    IDV_TRY(tool_put_text(in, "serial-number", serial));
    return tool_put_text(in, "decision", decision);
}

static idv_rc imprinted(struct tool *t, const struct idv_json *answer)
{
    if (t->json)
        return service_print(t, answer);
    tool_say(t, "%s of %s: may enroll without a voucher of ours",
             cell(answer, "serial-number"), cell(answer, "maker"));
    return IDV_OK;
}

static idv_rc allow_imprinted(struct tool *t, const char *maker,
                              const char *serial)
{
    struct idv_json *in = idv_json_new_object();
    if (!in)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_text(in, "maker", maker);
    if (rc == IDV_OK)
        rc = tool_put_text(in, "serial-number", serial);
    if (rc == IDV_OK)
        rc = tool_put_bool(in, "allowed", true);
    if (rc == IDV_OK)
        return registrar_ask(t, "/imprinted", in, imprinted);
    idv_json_free(in);
    return rc;
}

static idv_rc decide(struct tool *t, int argc, char **argv,
                     const char *decision)
{
    char maker[64];
    IDV_TRY(registrar_the_maker(maker));
    for (int i = 0; i < argc; i++) {
        struct idv_json *in = idv_json_new_object();
        if (!in)
            return idv_fail(IDV_E_NOMEM, "out of memory");
        idv_rc rc = put_decision(in, maker, argv[i], decision);
        if (rc != IDV_OK) {
            idv_json_free(in);
            return rc;
        }
        IDV_TRY(registrar_ask(t, "/decide", in, decided));
        if (registrar_opt.imprinted)
            IDV_TRY(allow_imprinted(t, maker, argv[i]));
    }
    return IDV_OK;
}

idv_rc registrar_approve(struct tool *t, int argc, char **argv)
{
    return decide(t, argc, argv, "approved");
}

idv_rc registrar_deny(struct tool *t, int argc, char **argv)
{
    return decide(t, argc, argv, "refused");
}

/* --- log, show ------------------------------------------------------------ */

static void log_row(struct tool *t, const struct idv_json *row)
{
    tool_say(t, "%s  %-20s %-16s %-14s %s", cell(row, "changed"),
             cell(row, "serial-number"), cell(row, "address"),
             cell(row, "state"), cell(row, "reason"));
}

static idv_rc log_page(struct tool *t, const struct idv_json *answer)
{
    return service_rows(t, answer, log_row);
}

static idv_rc ask_of(struct tool *t, const char *path, const char *serial,
                     idv_rc (*page)(struct tool *t,
                                    const struct idv_json *answer))
{
    struct idv_json *in = idv_json_new_object();
    if (!in)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_text(in, "serial-number", serial);
    if (rc == IDV_OK)
        return registrar_ask(t, path, in, page);
    idv_json_free(in);
    return rc;
}

idv_rc registrar_log(struct tool *t, int argc, char **argv)
{
    return ask_of(t, "/log", argc ? argv[0] : NULL, log_page);
}

static void event_row(struct tool *t, const struct idv_json *e)
{
    tool_say(t, "%s    %-15s %s %s %s", cell(e, "date"), cell(e, "kind"),
             cell(e, "status"), cell(e, "reason"), cell(e, "detail"));
}

static void cert_row(struct tool *t, const struct idv_json *c)
{
    tool_say(t, "%s  %-12s until %s  sha256 %s", cell(c, "issued"),
             cell(c, "state"), cell(c, "not-after"), cell(c, "sha256"));
}

static void each_of(struct tool *t, const struct idv_json *list,
                    void (*row)(struct tool *t, const struct idv_json *v))
{
    for (size_t i = 0; i < idv_json_count(list); i++)
        row(t, idv_json_at(list, i, NULL));
}

static void session_row(struct tool *t, const struct idv_json *s)
{
    log_row(t, s);
    each_of(t, idv_json_get(s, "events"), event_row);
    if (*cell(s, "evidence"))
        tool_say(t, "%s    evidence        %s %s", cell(s, "changed"),
                 cell(s, "evidence"), cell(s, "evidence-detail"));
}

static idv_rc show_page(struct tool *t, const struct idv_json *answer)
{
    if (t->json)
        return service_print(t, answer);
    each_of(t, idv_json_get(answer, "decisions"), list_row);
    each_of(t, idv_json_get(answer, "sessions"), session_row);
    each_of(t, idv_json_get(answer, "certificates"), cert_row);
    each_of(t, idv_json_get(answer, "findings"), registrar_finding_row);
    return IDV_OK;
}

idv_rc registrar_show(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return ask_of(t, "/show", argv[0], show_page);
}

/* --- status --------------------------------------------------------------- */

static idv_rc status_page(struct tool *t, const struct idv_json *answer)
{
    if (t->json)
        return service_print(t, answer);
    IDV_TRY(service_say_status(t, answer));
    service_say_numbers(t, "devices", idv_json_get(answer, "devices"));
    service_say_numbers(t, "sessions", idv_json_get(answer, "sessions"));
    return IDV_OK;
}

idv_rc registrar_status(struct tool *t, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return registrar_ask(t, "/status", idv_json_new_object(), status_page);
}
