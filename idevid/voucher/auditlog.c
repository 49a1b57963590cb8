/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA's log of one device (RFC 8995 section 5.8): written, read, judged.
 */
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/json.h>
#include <idevid/voucher.h>

#include "voucher/json_number.h"

static void auto_log(struct idv_audit_log *log)
{
    idv_audit_log_free(log);
}

/* an event takes some 150 bytes of text */
#define LOG_TEXT_MAX ((size_t)IDV_MAX_AUDIT_EVENTS * 512)

void idv_audit_log_free(struct idv_audit_log *log)
{
    if (log->cap)
        free(log->events);
    memset(log, 0, sizeof(*log));
}

/* an array that is not ours is copied, not grown */
static idv_rc make_room(struct idv_audit_log *log)
{
    size_t cap = log->cap ? log->cap : 8;
    while (cap <= log->n)
        cap *= 2;
    struct idv_audit_event *p = calloc(cap, sizeof(*p));
    if (!p)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (log->n)
        memcpy(p, log->events, log->n * sizeof(*p));
    if (log->cap)
        free(log->events);
    log->events = p;
    log->cap = cap;
    return IDV_OK;
}

idv_rc idv_audit_log_add(struct idv_audit_log *log,
                         const struct idv_audit_event *event)
{
    if (log->n >= IDV_MAX_AUDIT_EVENTS)
        return idv_fail(IDV_E_LIMIT, "audit log: more than %d events",
                        IDV_MAX_AUDIT_EVENTS);
    if (log->n >= log->cap)
        IDV_TRY(make_room(log));
    log->events[log->n++] = *event;
    return IDV_OK;
}

/* --- writing -------------------------------------------------------------- */

static idv_rc put_event(struct idv_json *to, const struct idv_audit_event *e)
{
    char date[IDV_TIME_TEXT];
    IDV_TRY(idv_time_to_text(e->date, date));
    IDV_TRY(idv_json_set(to, "date", idv_json_new_text(idv_str(date))));
    IDV_TRY(
        idv_json_set(to, "domainID", idv_json_new_text(idv_str(e->domain_id))));
    IDV_TRY(idv_json_set(to, "nonce",
                         e->nonce[0] ? idv_json_new_text(idv_str(e->nonce))
                                     : idv_json_new_null()));
    if (e->assertion != IDV_ASSERT_NONE)
        IDV_TRY(idv_json_set(
            to, "assertion",
            idv_json_new_text(idv_str(idv_assertion_to_text(e->assertion)))));
    if (e->truncated)
        IDV_TRY(idv_json_set(to, "truncated", idv_json_new_int(e->truncated)));
    return e->salted ? idv_json_set(to, "serial-salt",
                                    idv_json_new_base64(
                                        idv_bytes(e->salt, sizeof(e->salt))))
                     : IDV_OK;
}

static idv_rc put_events(struct idv_json *root, const struct idv_audit_log *log)
{
    IDV_AUTO_PTR(idv_json) events = idv_json_new_array();
    if (!events)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (size_t i = 0; i < log->n; i++) {
        IDV_AUTO_PTR(idv_json) event = idv_json_new_object();
        if (!event)
            return idv_fail(IDV_E_NOMEM, "out of memory");
        IDV_TRY(put_event(event, &log->events[i]));
        IDV_TRY(idv_json_append(events, idv_steal(&event)));
    }
    return idv_json_set(root, "events", idv_steal(&events));
}

static idv_rc put_truncation(struct idv_json *root,
                             const struct idv_audit_log *log)
{
    if (!log->nonced_duplicates && !log->nonceless_duplicates &&
        !log->arbitrary)
        return IDV_OK;
    IDV_AUTO_PTR(idv_json) t = idv_json_new_object();
    if (!t)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_json_set(t, "nonced duplicates",
                         idv_json_new_int(log->nonced_duplicates)));
    IDV_TRY(idv_json_set(t, "nonceless duplicates",
                         idv_json_new_int(log->nonceless_duplicates)));
    IDV_TRY(idv_json_set(t, "arbitrary", idv_json_new_int(log->arbitrary)));
    return idv_json_set(root, "truncation", idv_steal(&t));
}

idv_rc idv_audit_log_to_json(const struct idv_audit_log *log,
                             struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) root = idv_json_new_object();
    if (!root)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_json_set(root, "version", idv_json_new_int(log->version)));
    IDV_TRY(put_events(root, log));
    IDV_TRY(put_truncation(root, log));
    if (log->keyid_n)
        IDV_TRY(idv_json_set(
            root, "issuer-keyid",
            idv_json_new_base64(idv_bytes(log->keyid, log->keyid_n))));
    return idv_json_dump(root, false, out);
}

/* --- reading -------------------------------------------------------------- */

static idv_rc get_counter(const struct idv_json *v, const char *name,
                          uint32_t *out)
{
    int64_t n = 0;
    IDV_TRY(idvi_json_uint(idv_json_get(v, name), name, UINT32_MAX, &n));
    *out = (uint32_t)n;
    return IDV_OK;
}

static idv_rc get_text(const struct idv_json *v, const char *name, char *out,
                       size_t max)
{
    const char *text = idv_json_text(idv_json_get(v, name));
    if (!text || !*text || strlen(text) >= max)
        return idv_fail(IDV_E_FORMAT, "audit log: %s is not a text of 1 to %zu",
                        name, max - 1);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return idv_fail(IDV_E_FORMAT, "audit log: control character in %s",
                            name);
    memcpy(out, text, strlen(text) + 1);
    return IDV_OK;
}

static idv_rc get_nonce(const struct idv_json *v, struct idv_audit_event *out)
{
    const struct idv_json *nonce = idv_json_get(v, "nonce");
    if (!nonce || idv_json_type(nonce) == IDV_JSON_NULL)
        return IDV_OK;
    return get_text(v, "nonce", out->nonce, sizeof(out->nonce));
}

static idv_rc get_assertion(const struct idv_json *v,
                            struct idv_audit_event *out)
{
    char word[32];
    out->assertion = IDV_ASSERT_NONE;
    if (!idv_json_get(v, "assertion"))
        return IDV_OK;
    IDV_TRY(get_text(v, "assertion", word, sizeof(word)));
    return idv_assertion_from_text(word, &out->assertion);
}

/* *n: how many bytes; 0 absent */
static idv_rc get_bytes(const struct idv_json *v, const char *name,
                        size_t least, size_t most, uint8_t *out, size_t *n)
{
    IDV_AUTO(buf) raw = {.max = most};
    const struct idv_json *m = idv_json_get(v, name);
    const char *text = idv_json_text(m);
    *n = 0;
    if (!m)
        return IDV_OK;
    if (!text ||
        idv_base64_to_bytes(idv_str(text), IDV_BASE64_STRICT, &raw) != IDV_OK ||
        raw.n < least) {
        idv_note_clear();
        return idv_fail(IDV_E_FORMAT,
                        "audit log: %s is not base64 of %zu to %zu bytes", name,
                        least, most);
    }
    memcpy(out, raw.p, raw.n);
    *n = raw.n;
    return IDV_OK;
}

static idv_rc get_salt(const struct idv_json *v, struct idv_audit_event *out)
{
    size_t n = 0;
    IDV_TRY(get_bytes(v, "serial-salt", sizeof(out->salt), sizeof(out->salt),
                      out->salt, &n));
    out->salted = n > 0;
    return IDV_OK;
}

static idv_rc get_event(const struct idv_json *v, struct idv_audit_event *out)
{
    char date[64];
    memset(out, 0, sizeof(*out));
    IDV_TRY(get_text(v, "date", date, sizeof(date)));
    IDV_TRY(idv_time_from_text(idv_str(date), &out->date));
    IDV_TRY(get_text(v, "domainID", out->domain_id, sizeof(out->domain_id)));
    IDV_TRY(get_nonce(v, out));
    IDV_TRY(get_assertion(v, out));
    IDV_TRY(get_salt(v, out));
    return get_counter(v, "truncated", &out->truncated);
}

static idv_rc get_events(const struct idv_json *root, struct idv_audit_log *log)
{
    const struct idv_json *events = idv_json_get(root, "events");
    if (!events || idv_json_type(events) != IDV_JSON_ARRAY)
        return idv_fail(IDV_E_FORMAT, "audit log: no events");
    for (size_t i = 0; i < idv_json_count(events); i++) {
        struct idv_audit_event event;
        IDV_TRY(get_event(idv_json_at(events, i, NULL), &event));
        IDV_TRY(idv_audit_log_add(log, &event));
    }
    return IDV_OK;
}

static idv_rc get_truncation(const struct idv_json *root,
                             struct idv_audit_log *log)
{
    const struct idv_json *t = idv_json_get(root, "truncation");
    if (t && idv_json_type(t) != IDV_JSON_OBJECT)
        return idv_fail(IDV_E_FORMAT, "audit log: truncation is not an object");
    IDV_TRY(get_counter(t, "nonced duplicates", &log->nonced_duplicates));
    IDV_TRY(get_counter(t, "nonceless duplicates", &log->nonceless_duplicates));
    return get_counter(t, "arbitrary", &log->arbitrary);
}

idv_rc idv_audit_log_from_json(struct idv_bytes json, struct idv_audit_log *out)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    memset(out, 0, sizeof(*out));
    IDV_TRY(idv_json_parse(json, LOG_TEXT_MAX, &root));
    __attribute__((cleanup(auto_log))) struct idv_audit_log log = {0};
    const struct idv_json *version = idv_json_get(root, "version");
    if (!version)
        return idv_fail(IDV_E_FORMAT, "audit log: no version");
    IDV_TRY(idvi_json_uint(version, "version", INT32_MAX, &log.version));
    IDV_TRY(get_events(root, &log));
    IDV_TRY(get_truncation(root, &log));
    IDV_TRY(get_bytes(root, "issuer-keyid", 1, sizeof(log.keyid), log.keyid,
                      &log.keyid_n));
    *out = log;
    memset(&log, 0, sizeof(log));
    return IDV_OK;
}

/* --- judging -------------------------------------------------------------- */

static size_t unpadded(const char *text)
{
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '=')
        n--;
    return n;
}

static char plain(char c)
{
    return c == '-' ? '+' : c == '_' ? '/' : c;
}

/* the same bytes, whichever base64 alphabet and padding spells them */
static bool same_domain(const char *a, const char *b)
{
    size_t n = unpadded(a);
    if (n == 0 || unpadded(b) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (plain(a[i]) != plain(b[i]))
            return false;
    return true;
}

static bool is_known(const struct idv_audit_policy *policy, const char *domain)
{
    for (size_t i = 0; policy->known && policy->known[i]; i++)
        if (same_domain(policy->known[i], domain))
            return true;
    return false;
}

static idv_rc judge_event(const struct idv_audit_event *e, size_t i,
                          const struct idv_audit_policy *policy)
{
    if (is_known(policy, e->domain_id))
        return IDV_OK;
    if (!policy->allow_foreign_nonced)
        return idv_fail(IDV_E_REJECT, "audit log: event %zu: unknown domain %s",
                        i, e->domain_id);
    if (!e->nonce[0] && !policy->allow_nonceless)
        return idv_fail(IDV_E_REJECT,
                        "audit log: event %zu: no nonce, unknown domain %s", i,
                        e->domain_id);
    return IDV_OK;
}

idv_rc idv_audit_log_judge(const struct idv_audit_log *log,
                           const struct idv_audit_policy *policy)
{
    for (size_t i = 0; i < log->n; i++)
        IDV_TRY(judge_event(&log->events[i], i, policy));
    if (log->arbitrary &&
        !(policy->allow_foreign_nonced && policy->allow_nonceless))
        return idv_fail(IDV_E_REJECT, "audit log: the maker left out %u events",
                        log->arbitrary);
    return IDV_OK;
}
