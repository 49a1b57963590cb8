/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa list, device, log. */
#include <string.h>

#include "masa.h"

#define cell service_cell

static const char *or_dash(const char *text)
{
    return *text ? text : "-";
}

/* --- list ----------------------------------------------------------------- */

/* "" for a normal one */
static const char *standing(const struct idv_json *row)
{
    const char *word = cell(row, "standing");
    return strcmp(word, idv_standing_to_text(IDV_STANDING_NORMAL)) ? word : "";
}

static void list_row(struct tool *t, const struct idv_json *row)
{
    const char *word = standing(row), *reason = cell(row, "reason");
    tool_say(t, "%-24s %-12s %s%s%s%s%s", cell(row, "serial-number"),
             or_dash(cell(row, "maker")), word, *reason ? ": " : "", reason,
             *word ? " " : "", cell(row, "owner"));
}

static unsigned listed;

static idv_rc list_page(struct tool *t, const struct idv_json *answer)
{
    listed += idv_json_count(idv_json_get(answer, "rows")) > 0;
    return service_rows(t, answer, list_row);
}

idv_rc masa_list(struct tool *t, int argc, char **argv)
{
    listed = 0;
    IDV_TRY(
        masa_ask_of(t, "/list", argc ? argv[0] : NULL, NULL, NULL, list_page));
    if (argc && !listed)
        return idv_fail(IDV_E_REJECT, "%s: no such device", argv[0]);
    return IDV_OK;
}

/* --- log ------------------------------------------------------------------ */

static void event_text(struct tool *t, const char *serial,
                       const struct idv_json *e)
{
    const char *nonce = cell(e, "nonce");
    tool_say(t, "%s  %-20s %-10s domain %s nonce %s", cell(e, "date"), serial,
             cell(e, "assertion"), cell(e, "domainID"),
             *nonce ? nonce : "none");
}

static void log_row(struct tool *t, const struct idv_json *row)
{
    event_text(t, cell(row, "serial-number"), row);
}

static idv_rc log_page(struct tool *t, const struct idv_json *answer)
{
    listed += idv_json_count(idv_json_get(answer, "rows")) > 0;
    return service_rows(t, answer, log_row);
}

idv_rc masa_log(struct tool *t, int argc, char **argv)
{
    listed = 0;
    IDV_TRY(
        masa_ask_of(t, "/log", argc ? argv[0] : NULL, NULL, NULL, log_page));
    if (!listed)
        tool_say(t, "no voucher was issued%s%s", argc ? " for " : "",
                 argc ? argv[0] : "");
    return IDV_OK;
}

/* --- device --------------------------------------------------------------- */

static void show_facts(struct tool *t, const struct idv_json *d)
{
    const char *owner = cell(d, "owner"), *reason = cell(d, "reason");
    tool_say(t, "%s", cell(d, "serial-number"));
    tool_say(t, "  issuer    %s", cell(d, "issuer-keyid"));
    tool_say(t, "  maker     %s", or_dash(cell(d, "maker")));
    tool_say(t, "  model     %s", or_dash(cell(d, "model")));
    tool_say(t, "  customer  %s", or_dash(cell(d, "customer")));
    tool_say(t, "  owner     %s", *owner ? owner : "not known");
    tool_say(t, "  standing  %s%s%s", cell(d, "standing"), *reason ? ": " : "",
             reason);
}

static void show_policy(struct tool *t, const struct idv_json *d)
{
    const struct idv_json *rows = idv_json_get(d, "policy");
    for (size_t i = 0; i < idv_json_count(rows); i++) {
        const struct idv_json *p = idv_json_at(rows, i, NULL);
        tool_say(t, "  %-18s %-14s (%s)", cell(p, "setting"), cell(p, "value"),
                 cell(p, "from"));
    }
}

static void show_changes(struct tool *t, const struct idv_json *d)
{
    const struct idv_json *rows = idv_json_get(d, "changes");
    for (size_t i = 0; i < idv_json_count(rows); i++) {
        const struct idv_json *c = idv_json_at(rows, i, NULL);
        tool_say(t, "%s  %-20s %s: %s", cell(c, "date"), cell(c, "who"),
                 cell(c, "what"), or_dash(cell(c, "detail")));
    }
}

static void show_generations(struct tool *t, const struct idv_json *d)
{
    const struct idv_json *rows = idv_json_get(d, "generations");
    for (size_t i = 0; i < idv_json_count(rows); i++) {
        const struct idv_json *g = idv_json_at(rows, i, NULL);
        int64_t n = 0;
        bool back = false;
        if (idv_json_int(idv_json_get(g, "generation"), "generation", &n) !=
                IDV_OK ||
            idv_json_bool(idv_json_get(g, "back"), "back", &back) != IDV_OK)
            return;
        tool_say(t, "%s  generation %lld domain %s%s", cell(g, "date"),
                 (long long)n, cell(g, "domainID"),
                 back ? ": it went back, which no TPM does" : "");
    }
}

static void show_events(struct tool *t, const struct idv_json *d)
{
    const struct idv_json *events = idv_json_get(d, "events");
    const struct idv_json *earlier = idv_json_get(d, "earlier");
    int64_t n = 0;
    if (earlier && idv_json_int(earlier, "earlier", &n) == IDV_OK && n > 0)
        tool_say(t, "  %lld earlier vouchers", (long long)n);
    for (size_t i = 0; i < idv_json_count(events); i++)
        event_text(t, "", idv_json_at(events, i, NULL));
}

static idv_rc show_page(struct tool *t, const struct idv_json *answer)
{
    const struct idv_json *devices = idv_json_get(answer, "devices");
    if (t->json)
        return service_print(t, answer);
    for (size_t i = 0; i < idv_json_count(devices); i++) {
        const struct idv_json *d = idv_json_at(devices, i, NULL);
        show_facts(t, d);
        show_policy(t, d);
        show_changes(t, d);
        show_generations(t, d);
        show_events(t, d);
    }
    return IDV_OK;
}

idv_rc masa_device(struct tool *t, int argc, char **argv)
{
    if (argc == 1 && strcmp(argv[0], "list") == 0)
        return masa_list(t, 0, NULL);
    if (argc == 2 && strcmp(argv[0], "show") == 0)
        return masa_ask_of(t, "/show", argv[1], NULL, NULL, show_page);
    return idv_fail(IDV_E_ARG, "device: list, or show SERIAL");
}
