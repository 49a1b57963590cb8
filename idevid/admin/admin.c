/* SPDX-License-Identifier: Apache-2.0 */
/* From a path and a JSON object to a row of the table, and back. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>

#include "idevid/admin/admin.h"

#define MEDIA "application/json"

static const struct idv_admin_row *find(const struct idv_admin *a,
                                        const char *path)
{
    for (const struct idv_admin_row *r = a->rows; r->path; r++) {
        if (strcmp(r->path, path) == 0)
            return r;
    }
    return NULL;
}

static int status_of(idv_rc rc)
{
    switch (rc) {
    case IDV_OK:
        return 200;
    case IDV_E_ARG:
    case IDV_E_FORMAT:
    case IDV_E_LIMIT:
        return 400;
    case IDV_E_REJECT:
        return 403;
    case IDV_E_STATE:
        return 409;
    default:
        return 500;
    }
}

static idv_rc parse(struct idv_bytes in, struct idv_json **out)
{
    if (in.n == 0)
        return IDV_OK;
    IDV_TRY(idv_json_parse(in, 0, out));
    if (idv_json_type(*out) == IDV_JSON_OBJECT)
        return IDV_OK;
    return idv_fail(IDV_E_FORMAT, "what is asked is not a JSON object");
}

static idv_rc answer(const struct idv_admin *a, const char *path,
                     struct idv_bytes in, const char *who, struct idv_json *out)
{
    IDV_AUTO_PTR(idv_json) asked = NULL;
    const struct idv_admin_row *row = find(a, path);
    if (!row)
        return idv_fail(IDV_E_ARG, "%s: nothing is known of this", path);
    IDV_TRY(parse(in, &asked));
    const struct idv_admin_call c = {asked, out, who, idv_now(a->env)};
    return row->answer(a->self, &c);
}

static idv_rc put_failure(idv_rc rc, struct idv_buf *text)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    char note[IDV_NOTE_MAX];
    snprintf(note, sizeof(note), "%s", *idv_note() ? idv_note() : "failed");
    idv_note_clear();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_admin_put_text(o, "error", note));
    IDV_TRY(idv_admin_put_text(o, "class", idv_rc_name(rc)));
    return idv_json_dump(o, false, text);
}

static idv_rc put_answer(const struct idv_admin *a, const char *path,
                         struct idv_bytes in, const char *who,
                         struct idv_buf *text)
{
    IDV_AUTO_PTR(idv_json) out = idv_json_new_object();
    if (!out)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(answer(a, path, in, who, out));
    return idv_json_dump(out, false, text);
}

static void log_answer(const struct idv_admin *a, const char *path,
                       struct idv_bytes in, const char *who, idv_rc rc,
                       int status)
{
    char asked[256];
    const struct idv_admin_row *row = find(a, path);
    enum idv_level level = rc != IDV_OK          ? IDV_LOG_WARN
                           : row && row->changes ? IDV_LOG_INFO
                                                 : IDV_LOG_DEBUG;
    snprintf(asked, sizeof(asked), "%.*s", in.n > 255 ? 255 : (int)in.n,
             in.n ? (const char *)in.p : "");
    idv_log(a->env, level, "admin",
            "role=%s path=%s who=%s status=%d asked=%s detail=%s", a->role,
            idv_log_value(path), idv_log_value(who), status,
            idv_log_value(asked),
            idv_log_value(rc == IDV_OK ? "" : idv_note()));
}

idv_rc idv_admin_answer(const struct idv_admin *a, const char *path,
                        struct idv_bytes in, const char *who,
                        struct idv_msg *reply)
{
    IDV_AUTO(buf) text = {.max = IDV_MAX_BODY};
    idv_note_clear();
    idv_rc rc = put_answer(a, path, in, who, &text);
    int status = status_of(rc);
    log_answer(a, path, in, who, rc, status);
    if (rc != IDV_OK) {
        idv_buf_clear(&text);
        IDV_TRY(put_failure(rc, &text));
    }
    return idv_msg_reply(reply, status, MEDIA, idv_view(&text));
}

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    const struct idv_admin *a = self;
    (void)told;
    *next = IDV_NEXT_REPLY;
    idv_note_clear();
    if (call->req.verb != IDV_POST)
        return idv_msg_refuse(&call->reply, 405, "method not allowed");
    return idv_admin_answer(a, call->req.path, idv_view(&call->req.body),
                            call->peer->address, &call->reply);
}

struct idv_service idv_admin_service(struct idv_admin *a)
{
    return (struct idv_service){serve, a};
}

/* the class by its word */
static idv_rc class_of(const char *word)
{
    for (int rc = IDV_E_NOMEM; rc <= IDV_E_UNABLE; rc++) {
        if (strcmp(idv_rc_name((idv_rc)rc), word) == 0)
            return (idv_rc)rc;
    }
    return IDV_E_STATE;
}

idv_rc idv_admin_read(const struct idv_msg *reply, struct idv_json **out)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    const char *text = "", *word = "";
    if (!idv_media_is(reply->media, MEDIA))
        return idv_fail(IDV_E_REJECT, "the service refuses (%d): %.*s",
                        reply->status,
                        (int)strcspn((const char *)reply->body.p, "\n"),
                        (const char *)reply->body.p);
    IDV_TRY(idv_json_parse(idv_view(&reply->body), 0, &o));
    if (reply->status == 200) {
        *out = idv_steal(&o);
        return IDV_OK;
    }
    IDV_TRY(idv_admin_text(o, "error", &text));
    IDV_TRY(idv_admin_text(o, "class", &word));
    return idv_fail(class_of(word), "%s", *text ? text : "refused");
}
