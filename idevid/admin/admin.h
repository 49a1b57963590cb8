/* SPDX-License-Identifier: Apache-2.0 */
/* What people ask of a service, as a table: the service answers on its admin
 * socket, a program straight from the store while no service runs. */
#ifndef IDEVID_ADMIN_H
#define IDEVID_ADMIN_H

#include <idevid/env.h>
#include <idevid/json.h>
#include <idevid/machine.h>

struct idv_admin_call {
    const struct idv_json *in; /* an object; NULL: nothing was said */
    struct idv_json *out;      /* an empty object to be filled */
    const char *who;           /* who asks: "unix:uid=0", "local:uid=1000" */
    int64_t now;
};

/*
 * A row answers one path. What it returns becomes the reply's status: IDV_OK
 * 200, IDV_E_ARG, FORMAT and LIMIT 400 (what was asked is wrong), IDV_E_REJECT
 * 403, IDV_E_STATE 409, anything else 500; the note goes to the asker, who is
 * the operator.
 *
 * Answers that may be long come in pages: "rows", an array, and "next", a
 * value that the asker gives back as "after" to go on; without it that was the
 * end. A page of IDV_ADMIN_PAGE rows of the usual length fits a message.
 */
#define IDV_ADMIN_PAGE 50
struct idv_admin_row {
    const char *path; /* "/list" */
    idv_rc (*answer)(void *self, const struct idv_admin_call *c);
    bool changes; /* logged when it did (IDV_LOG_INFO) */
};

/* All borrowed. self is the rows'. */
struct idv_admin {
    const char *role; /* "registrar", in logs */
    const struct idv_env *env;
    const struct idv_admin_row *rows; /* path NULL ends */
    void *self;
};

/*
 * Answers one request, a POST whose body is a JSON object or nothing: fills
 * the reply, for failures {"error": TEXT, "class": WORD}. Each is
 * logged, event "admin" with path, who, status and what was asked: changes and
 * failures always, looks with IDV_LOG_DEBUG. An idv_rc other than IDV_OK: not
 * even a reply could be made.
 */
idv_rc idv_admin_answer(const struct idv_admin *a, const char *path,
                        struct idv_bytes in, const char *who,
                        struct idv_msg *reply) IDV_CHECKED;

/* The same as the admin service of a server; a must outlive it. */
struct idv_service idv_admin_service(struct idv_admin *a);

/* Reads a reply: *out is the object of a 200; otherwise the class and text
 * that the answer failed with. */
idv_rc idv_admin_read(const struct idv_msg *reply,
                      struct idv_json **out) IDV_CHECKED;

/* --- fields.c: members of what is asked and answered ---------------------- */

/* *out is "" when absent; IDV_E_FORMAT: it is no text. */
idv_rc idv_admin_text(const struct idv_json *in, const char *name,
                      const char **out) IDV_CHECKED;
/* IDV_E_ARG when absent or empty. */
idv_rc idv_admin_need(const struct idv_json *in, const char *name,
                      const char **out) IDV_CHECKED;
idv_rc idv_admin_int(const struct idv_json *in, const char *name,
                     int64_t fallback, int64_t *out) IDV_CHECKED;
idv_rc idv_admin_bool(const struct idv_json *in, const char *name,
                      bool *out) IDV_CHECKED; /* absent: false */
/* Empty text and time 0 are left out. A time is put as RFC 3339 text. */
idv_rc idv_admin_put_text(struct idv_json *out, const char *name,
                          const char *text) IDV_CHECKED;
idv_rc idv_admin_put_time(struct idv_json *out, const char *name,
                          int64_t when) IDV_CHECKED;
idv_rc idv_admin_put_int(struct idv_json *out, const char *name,
                         int64_t v) IDV_CHECKED;
idv_rc idv_admin_put_bool(struct idv_json *out, const char *name,
                          bool v) IDV_CHECKED;

#endif
