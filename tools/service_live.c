/* SPDX-License-Identifier: Apache-2.0 */
/* What a running service tells of itself, and how it looks to people. */
#include "config.h"

#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>
#include <idevid/x509.h>

#include "idevid/admin/admin.h"
#include "service.h"

/* --- what it tells -------------------------------------------------------- */

static idv_rc put_counts(const struct service *s, struct idv_json *out)
{
    struct idv_board_sum sum;
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_board_sum(s->board, &sum);
    IDV_TRY(tool_put_int(o, "workers", sum.workers));
    IDV_TRY(tool_put_int(o, "ready", sum.ready));
    IDV_TRY(tool_put_int(o, "connections", sum.connections));
    IDV_TRY(tool_put_int(o, "requests", sum.busy));
    return idv_json_set(out, "service", idv_steal(&o));
}

idv_rc service_put_live(const struct service *s, struct idv_json *out)
{
    if (!s || !s->board)
        return IDV_OK; /* it is tried only */
    IDV_TRY(tool_put_text(out, "version", PACKAGE_VERSION));
    IDV_TRY(idv_admin_put_time(out, "started", s->started));
    IDV_TRY(tool_put_int(out, "uptime-seconds",
                         (uint64_t)(tool_ms() - s->started_ms) / 1000));
    return put_counts(s, out);
}

/* of a URL neither user nor what follows its '?': a password may be there */
static idv_rc put_url(struct idv_json *out, const char *url, const char *rest)
{
    IDV_AUTO(buf) text = {0};
    const size_t n = strcspn(rest, "?");
    const char *at = memrchr(rest, '@', n);
    const char *from = at ? at + 1 : rest;
    IDV_TRY(idv_buf_put(&text, idv_bytes(url, (size_t)(rest - url))));
    IDV_TRY(idv_buf_put(&text, idv_bytes(from, (size_t)(rest + n - from))));
    return tool_put_text(out, "database", (const char *)text.p);
}

idv_rc service_put_database(const char *database, struct idv_json *out)
{
    const char *colon = strstr(database, "://");
    return colon ? put_url(out, database, colon + 3)
                 : tool_put_text(out, "database", database);
}

idv_rc service_put_key(const char *name, const X509 *cert, struct idv_json *o)
{
    int64_t from = 0, to = 0;
    IDV_TRY(tool_put_text(o, "name", name));
    if (!cert)
        return IDV_OK;
    IDV_TRY(idv_cert_times(cert, &from, &to));
    IDV_TRY(tool_put_text(o, "subject", idv_cert_subject(cert)));
    return idv_admin_put_time(o, "ends", to);
}

idv_rc service_add_key(const char *name, const X509 *cert,
                       struct idv_json *keys)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(service_put_key(name, cert, o));
    return idv_json_append(keys, idv_steal(&o));
}

/* --- how it looks --------------------------------------------------------- */

void service_say_numbers(struct tool *t, const char *what,
                         const struct idv_json *o)
{
    for (size_t i = 0; i < idv_json_count(o); i++) {
        const char *name = "";
        int64_t n = 0;
        const struct idv_json *v = idv_json_at(o, i, &name);
        if (idv_json_type(v) == IDV_JSON_INT &&
            idv_json_int(v, name, &n) == IDV_OK)
            tool_say(t, "%-10s %-22s %lld", what, name, (long long)n);
    }
}

static void say_text(struct tool *t, const struct idv_json *o, const char *name)
{
    const char *text = service_cell(o, name);
    if (*text)
        tool_say(t, "%-10s %s", name, text);
}

static void say_key(struct tool *t, const struct idv_json *k)
{
    const char *ends = service_cell(k, "ends"), *use = service_cell(k, "use");
    tool_say(t, "%-10s %-10s %s%s%s%s%s", "key", service_cell(k, "name"),
             service_cell(k, "subject"), *ends ? ", until " : "", ends,
             *use ? ", for vouchers: " : "", use);
}

idv_rc service_say_status(struct tool *t, const struct idv_json *answer)
{
    const struct idv_json *keys = idv_json_get(answer, "keys");
    bool running = false;
    IDV_TRY(
        idv_json_bool(idv_json_get(answer, "running"), "running", &running));
    tool_say(t, "%s", running ? "running" : "not running");
    say_text(t, answer, "version");
    say_text(t, answer, "started");
    service_say_numbers(t, "service", idv_json_get(answer, "service"));
    say_text(t, answer, "database");
    for (size_t i = 0; i < idv_json_count(keys); i++)
        say_key(t, idv_json_at(keys, i, NULL));
    return IDV_OK;
}
