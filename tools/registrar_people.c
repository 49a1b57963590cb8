/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-registrar list, approve, refuse, log. */
#include <idevid/codec.h>
#include <idevid/text.h>

#include "registrar.h"

static const char *decision_word(enum idv_decision d)
{
    static const char *const words[] = {"undecided", "pending", "approved",
                                        "refused"};
    return (unsigned)d < 4 ? words[d] : "unknown";
}

static idv_rc decision_json(const struct idv_db_decision *d)
{
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_text(o, "serial-number", d->serial_number);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "maker", d->maker);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "decision", decision_word(d->decision));
    return tool_print_put(o, rc);
}

static bool decision_each(void *arg, const struct idv_db_decision *d)
{
    struct service_use *u = arg;
    if (u->t->json)
        u->rc = decision_json(d);
    else
        tool_say(u->t, "%-24s %-16s %s", d->serial_number, d->maker,
                 decision_word(d->decision));
    return u->rc == IDV_OK;
}

idv_rc registrar_list(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    struct service_use u = {t, IDV_OK, false};
    (void)argc;
    (void)argv;
    IDV_TRY(idv_db_open(registrar_conf.service.database, &db));
    IDV_TRY(idv_db_decision_each(
        db, registrar_opt.pending ? IDV_DECISION_PENDING : IDV_DECISION_NONE,
        decision_each, &u));
    return u.rc;
}

/* The maker may be left out where there is one only. */
static idv_rc the_maker(char out[static 64])
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

static idv_rc decide(struct tool *t, int argc, char **argv,
                     enum idv_decision decision)
{
    AUTO_DB struct idv_db *db = NULL;
    char maker[64];
    IDV_TRY(the_maker(maker));
    IDV_TRY(idv_db_open(registrar_conf.service.database, &db));
    for (int i = 0; i < argc; i++) {
        IDV_TRY(idv_db_decide(db, maker, argv[i], decision, idv_now(t->env)));
        tool_say(t, "%s of %s: %s", argv[i], maker, decision_word(decision));
    }
    return IDV_OK;
}

idv_rc registrar_approve(struct tool *t, int argc, char **argv)
{
    return decide(t, argc, argv, IDV_DECISION_APPROVED);
}

idv_rc registrar_refuse(struct tool *t, int argc, char **argv)
{
    return decide(t, argc, argv, IDV_DECISION_REFUSED);
}

static idv_rc session_json(const struct idv_session *s, const char *date)
{
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_text(o, "changed", date);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "serial-number", s->serial_number);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "maker", s->maker);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "address", s->address);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "state", idv_session_state_to_text(s->state));
    if (rc == IDV_OK)
        rc = tool_put_text(o, "reason", s->reason);
    return tool_print_put(o, rc);
}

static bool session_each(void *arg, const struct idv_session *s)
{
    struct service_use *u = arg;
    char date[IDV_TIME_TEXT];
    u->rc = idv_time_to_text(s->changed, date);
    if (u->rc == IDV_OK && u->t->json)
        u->rc = session_json(s, date);
    else if (u->rc == IDV_OK)
        tool_say(u->t, "%s  %-20s %-16s %-14s %s", date, s->serial_number,
                 s->address, idv_session_state_to_text(s->state), s->reason);
    return u->rc == IDV_OK;
}

idv_rc registrar_log(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    struct service_use u = {t, IDV_OK, false};
    IDV_TRY(idv_db_open(registrar_conf.service.database, &db));
    IDV_TRY(idv_db_session_each(db, argc ? argv[0] : NULL, session_each, &u));
    return u.rc;
}
