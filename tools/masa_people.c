/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa block, unblock, owner, registrar. */
#include <string.h>

#include "masa.h"

#define cell service_cell

static bool is_set(const struct idv_json *o, const char *name)
{
    bool set = false;
    const struct idv_json *v = idv_json_get(o, name);
    return v && idv_json_bool(v, name, &set) == IDV_OK && set;
}

/* --- block ---------------------------------------------------------------- */

static idv_rc put_blocked(struct idv_json *in, const char *reason)
{
    IDV_TRY(tool_put_bool(in, "blocked", reason != NULL));
    return tool_put_text(in, "reason", reason);
}

static idv_rc blocked_page(struct tool *t, const struct idv_json *answer)
{
    if (t->json)
        return service_print(t, answer);
    tool_say(t, "%s: %s", cell(answer, "serial-number"),
             is_set(answer, "blocked") ? "blocked" : "no longer blocked");
    return IDV_OK;
}

idv_rc masa_block(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return masa_ask_of(t, "/block", argv[0], put_blocked,
                       masa_opt.reason ? masa_opt.reason : "", blocked_page);
}

idv_rc masa_unblock(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return masa_ask_of(t, "/block", argv[0], put_blocked, NULL, blocked_page);
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
