/* SPDX-License-Identifier: Apache-2.0 */
/* JSON built and written. */
#include <string.h>

#include <jansson.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/json.h>

static struct idv_json *wrap(json_t *v)
{
    return (struct idv_json *)v;
}

IDV_AUTO_PTR_DEFINE(json_t, json_decref)

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

static struct idv_json *unfit(const char *why)
{
    (void)idv_fail(IDV_E_FORMAT, "JSON: %s", why);
    return NULL;
}

struct idv_json *idv_json_new_text(struct idv_bytes utf8)
{
    const char *p = utf8.n ? (const char *)utf8.p : "";
    if (utf8.n && memchr(p, 0, utf8.n))
        return unfit("U+0000 in a text");
    json_t *v = json_stringn(p, utf8.n);
    if (v)
        return wrap(v);
    IDV_AUTO_PTR(json_t) any = json_stringn_nocheck(p, utf8.n);
    return unfit(any ? "a text that is not UTF-8" : "out of memory");
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

struct sink {
    struct idv_buf *to;
    idv_rc rc;
};

static int put(const char *text, size_t n, void *arg)
{
    struct sink *s = arg;
    s->rc = idv_buf_put(s->to, idv_bytes(text, n));
    return s->rc == IDV_OK ? 0 : -1;
}

idv_rc idv_json_dump(const struct idv_json *v, bool pretty, struct idv_buf *out)
{
    IDV_AUTO(buf) text = {.max = out->max, .secret = out->secret};
    size_t flags = JSON_ENCODE_ANY | (pretty ? JSON_INDENT(2) : JSON_COMPACT);
    struct sink sink = {&text, IDV_OK};
    if (json_dump_callback((const json_t *)v, put, &sink, flags) != 0)
        return sink.rc != IDV_OK
                   ? sink.rc
                   : idv_fail(IDV_E_NOMEM, "JSON: could not be written");
    if (pretty)
        IDV_TRY(idv_buf_puts(&text, "\n"));
    return idv_buf_put(out, idv_view(&text));
}
