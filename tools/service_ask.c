/* SPDX-License-Identifier: Apache-2.0 */
/* What a verb asks: of the running service, or straight of its store. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <idevid/auto.h>

#include "idevid/admin/admin.h"
#include "service.h"

void service_who(char out[static 32])
{
    snprintf(out, 32, "local:uid=%u", (unsigned)getuid());
}

/* *asked false: no service listens there */
static idv_rc ask_socket(const struct service_ask *a, struct idv_bytes in,
                         struct idv_msg *reply, bool *asked)
{
    struct idv_msg req;
    const char *socket = a->conf->admin ? a->conf->admin[0] : NULL;
    *asked = false;
    if (!socket)
        return IDV_OK;
    idv_msg_init(&req);
    req.verb = IDV_POST;
    snprintf(req.path, sizeof(req.path), "%s%s", a->of ? a->of : "", a->path);
    strcpy(req.media, "application/json");
    idv_rc rc = idv_buf_put(&req.body, in);
    if (rc == IDV_OK)
        rc = idv_admin_exchange(socket, &req, 0, reply);
    idv_msg_free(&req);
    *asked = rc != IDV_E_NET;
    if (rc != IDV_E_NET)
        return rc;
    idv_log(a->tool->env, IDV_LOG_DEBUG, "no-service", "reason=%s",
            idv_log_value(idv_note()));
    idv_note_clear();
    return IDV_OK;
}

static idv_rc ask_page(const struct service_ask *a, const struct idv_json *in,
                       bool *direct, struct idv_json **out)
{
    IDV_AUTO(buf) text = {.max = IDV_MAX_BODY};
    struct idv_msg reply;
    bool asked = false;
    IDV_TRY(idv_json_dump(in, false, &text));
    idv_msg_init(&reply);
    idv_rc rc =
        *direct ? IDV_OK : ask_socket(a, idv_view(&text), &reply, &asked);
    if (rc == IDV_OK && !asked) {
        *direct = true; /* the further pages, too */
        rc = a->direct(a->tool, a->path, idv_view(&text), &reply);
    }
    if (rc == IDV_OK)
        rc = idv_admin_read(&reply, out);
    idv_msg_free(&reply);
    return rc;
}

/* "after" of the next question is "next" of this answer; *more false: none */
static idv_rc go_on(const struct idv_json *answer, struct idv_json *in,
                    bool *more)
{
    IDV_AUTO(buf) text = {0};
    struct idv_json *after = NULL;
    const struct idv_json *next = idv_json_get(answer, "next");
    *more = next != NULL;
    if (!next)
        return IDV_OK;
    IDV_TRY(idv_json_dump(next, false, &text));
    IDV_TRY(idv_json_parse(idv_view(&text), 0, &after));
    return idv_json_set(in, "after", after);
}

static idv_rc ask_all(const struct service_ask *a, struct idv_json *in)
{
    bool direct = false, more = true;
    while (more) {
        IDV_AUTO_PTR(idv_json) answer = NULL;
        IDV_TRY(ask_page(a, in, &direct, &answer));
        IDV_TRY(a->page(a->tool, answer));
        IDV_TRY(go_on(answer, in, &more));
    }
    return IDV_OK;
}

idv_rc service_ask(const struct service_ask *a, struct idv_json *in)
{
    if (!in)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = ask_all(a, in);
    idv_json_free(in);
    return rc;
}

/* --- answers ------------------------------------------------------------- */

const char *service_cell(const struct idv_json *row, const char *name)
{
    const char *text = idv_json_text(idv_json_get(row, name));
    return text ? text : "";
}

idv_rc service_print(struct tool *t, const struct idv_json *v)
{
    IDV_AUTO(buf) text = {0};
    (void)t;
    IDV_TRY(idv_json_dump(v, false, &text));
    IDV_TRY(idv_buf_put(&text, idv_str("\n")));
    return tool_print(idv_view(&text));
}

idv_rc service_rows(struct tool *t, const struct idv_json *answer,
                    void (*each)(struct tool *t, const struct idv_json *row))
{
    const struct idv_json *rows = idv_json_get(answer, "rows");
    for (size_t i = 0; i < idv_json_count(rows); i++) {
        const struct idv_json *row = idv_json_at(rows, i, NULL);
        if (t->json)
            IDV_TRY(service_print(t, row));
        else
            each(t, row);
    }
    return IDV_OK;
}
