/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a message, by a table. */
#include "factory/fields.h"

#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/limits.h>
#include <idevid/text.h>

bool idvi_is_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= p[i];
    return any == 0;
}

/* --- writing -------------------------------------------------------------- */

/* what a field holds: nothing when it is absent */
static struct idv_bytes content(const struct idvi_field *f, const void *from)
{
    const uint8_t *p = (const uint8_t *)from + f->at;
    switch (f->kind) {
    case IDVI_FIELD_TEXT:
        return idv_bytes(p, strnlen((const char *)p, f->max + 1));
    case IDVI_FIELD_FIXED:
        return idv_bytes(p, idvi_is_zero(p, f->max) ? 0 : f->max);
    default:
        return idv_view((const struct idv_buf *)(const void *)p);
    }
}

static idv_rc put_one(const struct idvi_field *f, const void *from,
                      const char *what, struct idv_json *object)
{
    struct idv_bytes v = content(f, from);
    bool text = f->kind == IDVI_FIELD_TEXT;
    if (v.n == 0 && f->needed)
        return idv_fail(IDV_E_ARG, "%s: no %s", what, f->name);
    if (v.n == 0)
        return IDV_OK;
    if (v.n > f->max)
        return idv_fail(IDV_E_ARG, "%s: %s of more than %zu bytes", what,
                        f->name, f->max);
    if (text && !idv_text_printable(v))
        return idv_fail(IDV_E_ARG, "%s: %s is no text", what, f->name);
    return idv_json_set(object, f->name,
                        text ? idv_json_new_text(v) : idv_json_new_base64(v));
}

idv_rc idvi_fields_put(const struct idvi_field *fields, size_t n,
                       const void *from, const char *what,
                       struct idv_json *object)
{
    for (size_t i = 0; i < n; i++)
        IDV_TRY(put_one(&fields[i], from, what, object));
    return IDV_OK;
}

/* --- reading -------------------------------------------------------------- */

static idv_rc get_text(const struct idvi_field *f, struct idv_bytes text,
                       const char *what, uint8_t *to)
{
    if (text.n > f->max)
        return idv_fail(IDV_E_LIMIT, "%s: %s of %zu bytes, at most %zu", what,
                        f->name, text.n, f->max);
    if (!idv_text_printable(text))
        return idv_fail(IDV_E_FORMAT, "%s: %s has control characters", what,
                        f->name);
    memcpy(to, text.p, text.n);
    return IDV_OK;
}

static idv_rc get_base64(const struct idvi_field *f, struct idv_bytes text,
                         const char *what, struct idv_buf *raw)
{
    raw->max = f->max;
    idv_rc rc = idv_base64_to_bytes(text, IDV_BASE64_STRICT, raw);
    if (rc == IDV_OK || rc == IDV_E_NOMEM)
        return rc;
    idv_note_clear();
    if (rc == IDV_E_LIMIT)
        return idv_fail(rc, "%s: %s of more than %zu bytes", what, f->name,
                        f->max);
    return idv_fail(IDV_E_FORMAT, "%s: %s is not base64", what, f->name);
}

static idv_rc get_fixed(const struct idvi_field *f, struct idv_bytes text,
                        const char *what, uint8_t *to)
{
    IDV_AUTO(buf) raw = {0};
    IDV_TRY(get_base64(f, text, what, &raw));
    if (raw.n != f->max)
        return idv_fail(IDV_E_FORMAT, "%s: %s of %zu bytes, not %zu", what,
                        f->name, raw.n, f->max);
    if (f->needed && idvi_is_zero(raw.p, raw.n))
        return idv_fail(IDV_E_FORMAT, "%s: no %s", what, f->name);
    memcpy(to, raw.p, raw.n);
    return IDV_OK;
}

static idv_rc get_one(const struct idvi_field *f, const struct idv_json *object,
                      const char *what, void *to)
{
    const struct idv_json *v = idv_json_get(object, f->name);
    const char *text = idv_json_text(v);
    uint8_t *at = (uint8_t *)to + f->at;
    if (v && !text)
        return idv_fail(IDV_E_FORMAT, "%s: %s is not a string", what, f->name);
    if (f->needed && (!text || !*text))
        return idv_fail(IDV_E_FORMAT, "%s: no %s", what, f->name);
    if (!text || !*text)
        return IDV_OK;
    switch (f->kind) {
    case IDVI_FIELD_TEXT:
        return get_text(f, idv_str(text), what, at);
    case IDVI_FIELD_FIXED:
        return get_fixed(f, idv_str(text), what, at);
    default:
        return get_base64(f, idv_str(text), what, (struct idv_buf *)(void *)at);
    }
}

idv_rc idvi_fields_get(const struct idvi_field *fields, size_t n,
                       const struct idv_json *object, const char *what,
                       void *to)
{
    for (size_t i = 0; i < n; i++)
        IDV_TRY(get_one(&fields[i], object, what, to));
    return IDV_OK;
}

idv_rc idvi_object_parse(struct idv_bytes json, const char *what,
                         struct idv_json **out)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    idv_rc rc = idv_json_parse(json, IDV_MAX_BODY, &o);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "%s", what);
    if (idv_json_type(o) != IDV_JSON_OBJECT)
        return idv_fail(IDV_E_FORMAT, "%s: not a JSON object", what);
    *out = idv_steal(&o);
    return IDV_OK;
}
