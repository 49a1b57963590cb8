/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa block, unblock, stolen, transfer, retire, eol, owner, registrar,
 * origin. */
#include <string.h>

#include "masa.h"

#define cell service_cell

static bool is_set(const struct idv_json *o, const char *name)
{
    bool set = false;
    const struct idv_json *v = idv_json_get(o, name);
    return v && idv_json_bool(v, name, &set) == IDV_OK && set;
}

/* --- how it stands -------------------------------------------------------- */

static idv_rc put_standing(struct idv_json *in, const char *word)
{
    IDV_TRY(tool_put_text(in, "standing", word));
    return tool_put_text(in, "reason", masa_opt.reason);
}

static idv_rc standing_page(struct tool *t, const struct idv_json *answer)
{
    if (t->json)
        return service_print(t, answer);
    tool_say(t, "%s: %s", cell(answer, "serial-number"),
             cell(answer, "standing"));
    return IDV_OK;
}

static idv_rc stand(struct tool *t, const char *serial,
                    enum idv_standing standing)
{
    return masa_ask_of(t, "/stand", serial, put_standing,
                       idv_standing_to_text(standing), standing_page);
}

idv_rc masa_block(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return stand(t, argv[0], IDV_STANDING_BLOCKED);
}

idv_rc masa_unblock(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return stand(t, argv[0], IDV_STANDING_NORMAL);
}

idv_rc masa_stolen(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return stand(t, argv[0], IDV_STANDING_STOLEN);
}

idv_rc masa_transfer(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return stand(t, argv[0], IDV_STANDING_TRANSFERRED);
}

idv_rc masa_retire(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return stand(t, argv[0], IDV_STANDING_RETIRED);
}

idv_rc masa_eol(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return stand(t, argv[0], IDV_STANDING_END_OF_LIFE);
}

/* --- owner ---------------------------------------------------------------- */

static idv_rc owner_page(struct tool *t, const struct idv_json *answer)
{
    const char *subject = cell(answer, "subject");
    if (t->json)
        return service_print(t, answer);
    tool_say(t, "%s: %s%s", cell(answer, "serial-number"),
             *cell(answer, "owner") ? "sold to " : "its owner is not known",
             subject);
    return IDV_OK;
}

static idv_rc own(struct tool *t, const char *serial, const char *cert)
{
    return masa_ask_of(t, "/owner", serial, cert ? masa_put_cert : NULL, cert,
                       owner_page);
}

/* claim SERIAL CERT, forget SERIAL; and as it was first: SERIAL [CERT] */
idv_rc masa_owner(struct tool *t, int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[0], "claim") == 0)
        return own(t, argv[1], argv[2]);
    if (argc == 2 && strcmp(argv[0], "forget") == 0)
        return own(t, argv[1], NULL);
    if (argc < 3)
        return own(t, argv[0], argc == 2 ? argv[1] : NULL);
    return idv_fail(IDV_E_ARG, "owner: claim SERIAL CERT, or forget SERIAL");
}

/* --- registrar ------------------------------------------------------------ */

static void registrar_row(struct tool *t, const struct idv_json *row)
{
    tool_say(t, "%s: known%s%s", cell(row, "name"),
             is_set(row, "nonceless") ? ", may have vouchers without nonce"
                                      : "",
             is_set(row, "blocked") ? ", blocked" : "");
}

static idv_rc registrar_page(struct tool *t, const struct idv_json *answer)
{
    return service_rows(t, answer, registrar_row);
}

static idv_rc registrar_set(struct tool *t, const struct idv_json *answer)
{
    if (t->json)
        return service_print(t, answer);
    registrar_row(t, answer);
    return IDV_OK;
}

static idv_rc put_registrar(struct idv_json *in, const char *cert)
{
    IDV_TRY(tool_put_text(in, "name", masa_opt.name));
    IDV_TRY(tool_put_bool(in, "nonceless", masa_opt.nonceless));
    IDV_TRY(tool_put_bool(in, "blocked", masa_opt.blocked));
    return masa_put_cert(in, cert);
}

idv_rc masa_registrar(struct tool *t, int argc, char **argv)
{
    (void)argc;
    if (strcmp(argv[0], "list") == 0)
        return masa_ask(t, "/registrars", idv_json_new_object(),
                        registrar_page);
    return masa_ask_of(t, "/registrar", NULL, put_registrar, argv[0],
                       registrar_set);
}

/* --- origin --------------------------------------------------------------- */

static void origin_row(struct tool *t, const struct idv_json *row)
{
    tool_say(t, "%-24s since %s", cell(row, "network"),
             cell(row, "first-seen"));
}

static idv_rc origin_page(struct tool *t, const struct idv_json *answer)
{
    if (!t->json && !idv_json_count(idv_json_get(answer, "rows")))
        tool_say(t, "no network is known");
    return service_rows(t, answer, origin_row);
}

static idv_rc put_forget(struct idv_json *in, const char *cert)
{
    IDV_TRY(tool_put_bool(in, "forget", true));
    return masa_put_cert(in, cert);
}

idv_rc masa_origin(struct tool *t, int argc, char **argv)
{
    const bool forget = strcmp(argv[0], "forget") == 0;
    (void)argc;
    if (!forget && strcmp(argv[0], "show") != 0)
        return idv_fail(IDV_E_ARG, "origin: show CERT, or forget CERT");
    return masa_ask_of(t, "/origins", NULL, forget ? put_forget : masa_put_cert,
                       argv[1], origin_page);
}
