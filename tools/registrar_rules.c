/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-registrar rule; list --findings, --stored. */
#include <string.h>

#include <idevid/codec.h>
#include <idevid/text.h>

#include "registrar.h"

#define cell service_cell

static long long number(const struct idv_json *row, const char *name)
{
    int64_t n = 0;
    const struct idv_json *v = idv_json_get(row, name);
    if (v && idv_json_int(v, name, &n) != IDV_OK)
        n = 0;
    return (long long)n;
}

/* asks with in, which is freed, unless what was put into it failed */
static idv_rc ask(struct tool *t, const char *path, struct idv_json *in,
                  idv_rc put,
                  idv_rc (*page)(struct tool *t, const struct idv_json *answer))
{
    if (put == IDV_OK)
        return registrar_ask(t, path, in, page);
    idv_json_free(in);
    return put;
}

/* --- rule ----------------------------------------------------------------- */

static const char *any(const char *pattern)
{
    return *pattern ? pattern : "*";
}

static void rule_row(struct tool *t, const struct idv_json *r)
{
    const char *from = cell(r, "not-before"), *until = cell(r, "not-after");
    tool_say(t, "%-4lld %-5lld %-5s maker %s model %s serial %s%s%s%s%s%s%s",
             number(r, "id"), number(r, "position"), cell(r, "action"),
             any(cell(r, "maker")), any(cell(r, "model")),
             any(cell(r, "serial-number")), *from ? " from " : "", from,
             *until ? " until " : "", until, *cell(r, "comment") ? "  # " : "",
             cell(r, "comment"));
}

static idv_rc rule_page(struct tool *t, const struct idv_json *answer)
{
    return service_rows(t, answer, rule_row);
}

static idv_rc rule_done(struct tool *t, const struct idv_json *answer)
{
    if (t->json)
        return service_print(t, answer);
    tool_say(t, "rule %lld", number(answer, "id"));
    return IDV_OK;
}

static idv_rc put_rule(struct idv_json *in, const char *action)
{
    const struct registrar_options *o = &registrar_opt;
    int64_t position = 0;
    IDV_TRY(tool_put_text(in, "action", action));
    IDV_TRY(tool_put_text(in, "maker", o->maker));
    IDV_TRY(tool_put_text(in, "model", o->model));
    IDV_TRY(tool_put_text(in, "serial-number", o->serial));
    IDV_TRY(tool_put_text(in, "not-before", o->from));
    IDV_TRY(tool_put_text(in, "not-after", o->until));
    IDV_TRY(tool_put_text(in, "comment", o->comment));
    if (!o->position)
        return IDV_OK;
    IDV_TRY(idv_text_to_int(idv_str(o->position), 1, INT32_MAX, "--position",
                            &position));
    return tool_put_int(in, "position", (uint64_t)position);
}

static idv_rc put_id(struct idv_json *in, const char *text)
{
    int64_t id = 0;
    IDV_TRY(idv_text_to_int(idv_str(text), 1, INT64_MAX, "rule", &id));
    return tool_put_int(in, "id", (uint64_t)id);
}

idv_rc registrar_rule(struct tool *t, int argc, char **argv)
{
    struct idv_json *in = idv_json_new_object();
    if (!in)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (argc == 1 && strcmp(argv[0], "list") == 0)
        return ask(t, "/rule/list", in, IDV_OK, rule_page);
    if (argc == 2 && strcmp(argv[0], "add") == 0)
        return ask(t, "/rule/add", in, put_rule(in, argv[1]), rule_done);
    if (argc == 2 && strcmp(argv[0], "remove") == 0)
        return ask(t, "/rule/remove", in, put_id(in, argv[1]), rule_done);
    idv_json_free(in);
    return idv_fail(IDV_E_ARG, "rule: add allow|deny|ask, list, or remove "
                               "NUMBER");
}

/* --- what was found, what was had ahead ----------------------------------- */

void registrar_finding_row(struct tool *t, const struct idv_json *f)
{
    tool_say(t, "%s  %-20s %-14s %s (%lld times)", cell(f, "last"),
             *cell(f, "serial-number") ? cell(f, "serial-number")
                                       : cell(f, "maker"),
             cell(f, "kind"), cell(f, "detail"), number(f, "times"));
}

static idv_rc finding_page(struct tool *t, const struct idv_json *answer)
{
    return service_rows(t, answer, registrar_finding_row);
}

static void stored_row(struct tool *t, const struct idv_json *v)
{
    tool_say(t, "%s  %-24s %-16s until %s", cell(v, "fetched"),
             cell(v, "serial-number"), cell(v, "maker"),
             *cell(v, "expires-on") ? cell(v, "expires-on") : "ever");
}

static idv_rc stored_page(struct tool *t, const struct idv_json *answer)
{
    return service_rows(t, answer, stored_row);
}

idv_rc registrar_list_more(struct tool *t)
{
    struct idv_json *in = idv_json_new_object();
    if (!in)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return registrar_opt.findings
               ? ask(t, "/findings", in, IDV_OK, finding_page)
               : ask(t, "/stored", in, IDV_OK, stored_page);
}
