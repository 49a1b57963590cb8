/* SPDX-License-Identifier: Apache-2.0 */
/* JSON built and written. */
#include <jansson.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/json.h>

static struct idv_json *wrap(json_t *v)
{
    return (struct idv_json *)v;
}

static json_t *unwrap(struct idv_json *v)
{
    return (json_t *)v;
}

struct idv_json *idv_json_new_object(void)
{
    return wrap(json_object());
}

struct idv_json *idv_json_new_array(void)
{
    return wrap(json_array());
}

struct idv_json *idv_json_new_text(struct idv_bytes utf8)
{
    return wrap(json_stringn(utf8.n ? (const char *)utf8.p : "", utf8.n));
}

struct idv_json *idv_json_new_base64(struct idv_bytes raw)
{
    IDV_AUTO(buf) text = {0};
    if (idv_base64_from_bytes(raw, 0, &text) != IDV_OK)
        return NULL;
    return idv_json_new_text(idv_view(&text));
}

struct idv_json *idv_json_new_int(int64_t v)
{
    return wrap(json_integer(v));
}

struct idv_json *idv_json_new_bool(bool v)
{
    return wrap(json_boolean(v));
}

struct idv_json *idv_json_new_null(void)
{
    return wrap(json_null());
}

idv_rc idv_json_set(struct idv_json *object, const char *name,
                    struct idv_json *value)
{
    if (!value)
        return idv_fail(IDV_E_NOMEM, "JSON: '%s' could not be made", name);
    if (json_object_set_new(unwrap(object), name, unwrap(value)) != 0)
        return idv_fail(IDV_E_ARG, "JSON: '%s' could not be set", name);
    return IDV_OK;
}

idv_rc idv_json_append(struct idv_json *array, struct idv_json *value)
{
    if (!value)
        return idv_fail(IDV_E_NOMEM, "JSON: an element could not be made");
    if (json_array_append_new(unwrap(array), unwrap(value)) != 0)
        return idv_fail(IDV_E_ARG, "JSON: an element could not be appended");
    return IDV_OK;
}

static int put(const char *text, size_t n, void *out)
{
    return idv_buf_put(out, idv_bytes(text, n)) == IDV_OK ? 0 : -1;
}

idv_rc idv_json_dump(const struct idv_json *v, bool pretty, struct idv_buf *out)
{
    IDV_AUTO(buf) text = {.max = out->max, .secret = out->secret};
    size_t flags = JSON_ENCODE_ANY | (pretty ? JSON_INDENT(2) : JSON_COMPACT);
    if (json_dump_callback((const json_t *)v, put, &text, flags) != 0)
        return idv_fail(IDV_E_LIMIT, "JSON: could not be written");
    if (pretty)
        IDV_TRY(idv_buf_puts(&text, "\n"));
    return idv_buf_put(out, idv_view(&text));
}
