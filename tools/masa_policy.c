/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa policy. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "masa.h"

#define cell service_cell

static void term_row(struct tool *t, const struct idv_json *row)
{
    tool_say(t, "%-8s %-24s %-18s %s", cell(row, "of"), cell(row, "subject"),
             cell(row, "setting"), cell(row, "value"));
}

static idv_rc list_page(struct tool *t, const struct idv_json *answer)
{
    return service_rows(t, answer, term_row);
}

/* what was said of it, then what is so now */
static idv_rc show_page(struct tool *t, const struct idv_json *answer)
{
    const struct idv_json *changes = idv_json_get(answer, "changes");
    const struct idv_json *rows = idv_json_get(answer, "rows");
    if (t->json)
        return service_print(t, answer);
    for (size_t i = 0; i < idv_json_count(changes); i++) {
        const struct idv_json *c = idv_json_at(changes, i, NULL);
        const char *value = cell(c, "detail");
        tool_say(t, "%s  %-20s %s: %s", cell(c, "date"), cell(c, "who"),
                 cell(c, "what"), *value ? value : "taken back");
    }
    for (size_t i = 0; i < idv_json_count(rows); i++)
        tool_say(t, "  %-18s %s", cell(idv_json_at(rows, i, NULL), "setting"),
                 cell(idv_json_at(rows, i, NULL), "value"));
    if (!idv_json_count(rows))
        tool_say(t, "  nothing of its own");
    return IDV_OK;
}

/* --- what is asked -------------------------------------------------------- */

static idv_rc put_subject(struct idv_json *in, char **argv)
{
    IDV_TRY(tool_put_text(in, "of", argv[0]));
    IDV_TRY(tool_put_text(in, "subject", argv[1]));
    return tool_put_text(in, "issuer-keyid", masa_opt.issuer);
}

/* SETTING=VALUE, or of what is taken back SETTING alone */
static idv_rc put_term(struct idv_json *set, const char *arg, bool clear)
{
    struct idv_bytes rest = idv_str(arg), setting = {0};
    IDV_AUTO_PTR(idv_char) name = NULL;
    const bool valued = strchr(arg, '=') != NULL;
    (void)idv_text_next(&rest, "=", &setting);
    if (valued == clear)
        return idv_fail(IDV_E_ARG, "%s: not %s", arg,
                        clear ? "a setting alone" : "SETTING=VALUE");
    if (!clear && !rest.n)
        return idv_fail(IDV_E_ARG, "%s: no value", arg);
    IDV_TRY(idv_text_dup(setting, &name));
    return idv_json_set(set, name, idv_json_new_text(rest));
}

static idv_rc put_terms(struct idv_json *in, int argc, char **argv, bool clear)
{
    IDV_AUTO_PTR(idv_json) set = idv_json_new_object();
    if (!set)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (int i = 0; i < argc; i++)
        IDV_TRY(put_term(set, argv[i], clear));
    return idv_json_set(in, "set", idv_steal(&set));
}

static idv_rc change(struct tool *t, int argc, char **argv, bool clear)
{
    IDV_AUTO_PTR(idv_json) in = idv_json_new_object();
    if (!in)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(put_subject(in, argv));
    IDV_TRY(put_terms(in, argc - 2, argv + 2, clear));
    return masa_ask(t, "/policy", idv_steal(&in), show_page);
}

static idv_rc show(struct tool *t, char **argv)
{
    IDV_AUTO_PTR(idv_json) in = idv_json_new_object();
    if (!in)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(put_subject(in, argv));
    return masa_ask(t, "/policies", idv_steal(&in), show_page);
}

idv_rc masa_policy(struct tool *t, int argc, char **argv)
{
    if (argc == 1 && strcmp(argv[0], "list") == 0)
        return masa_ask(t, "/policies", idv_json_new_object(), list_page);
    if (argc == 3 && strcmp(argv[0], "show") == 0)
        return show(t, argv + 1);
    if (argc > 3 && strcmp(argv[0], "set") == 0)
        return change(t, argc - 1, argv + 1, false);
    if (argc > 3 && strcmp(argv[0], "clear") == 0)
        return change(t, argc - 1, argv + 1, true);
    return idv_fail(IDV_E_ARG,
                    "policy: list; show model|customer|device NAME; set or "
                    "clear, the same and settings");
}
