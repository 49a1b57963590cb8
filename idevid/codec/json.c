/* SPDX-License-Identifier: Apache-2.0 */
/* JSON read strictly: jansson with what it leaves open closed. */

#include <jansson.h>

#include <idevid/json.h>
#include <idevid/limits.h>

/* struct idv_json is never defined: it stands for jansson's json_t. */
static struct idv_json *wrap(json_t *v)
{
    return (struct idv_json *)v;
}

static const json_t *unwrap(const struct idv_json *v)
{
    return (const json_t *)v;
}

/* jansson goes 2048 deep before it complains; look before it builds */
static idv_rc check_depth(struct idv_bytes t)
{
    size_t depth = 0;
    bool text = false;
    for (size_t i = 0; i < t.n; i++) {
        uint8_t c = t.p[i];
        if (text && c == '\\')
            i++;
        else if (c == '"')
            text = !text;
        else if (!text && (c == '{' || c == '['))
            depth++;
        else if (!text && (c == '}' || c == ']') && depth)
            depth--;
        if (depth > IDV_MAX_JSON_DEPTH)
            return idv_fail(IDV_E_LIMIT, "JSON: nested deeper than %d",
                            IDV_MAX_JSON_DEPTH);
    }
    return IDV_OK;
}

idv_rc idv_json_parse(struct idv_bytes text, size_t max, struct idv_json **out)
{
    json_error_t err;
    if (max == 0)
        max = IDV_MAX_BODY;
    if (text.n > max)
        return idv_fail(IDV_E_LIMIT, "JSON: more than %zu bytes", max);
    if (text.n == 0)
        return idv_fail(IDV_E_FORMAT, "JSON: empty");
    IDV_TRY(check_depth(text));
    json_t *v = json_loadb((const char *)text.p, text.n,
                           JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &err);
    if (!v && json_error_code(&err) == json_error_out_of_memory)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (!v)
        return idv_fail(IDV_E_FORMAT, "JSON: line %d column %d: %s", err.line,
                        err.column, err.text);
    *out = wrap(v);
    return IDV_OK;
}

void idv_json_free(struct idv_json *v)
{
    json_decref((json_t *)v);
}

enum idv_json_type idv_json_type(const struct idv_json *v)
{
    switch (v ? json_typeof(unwrap(v)) : JSON_NULL) {
    case JSON_OBJECT:
        return IDV_JSON_OBJECT;
    case JSON_ARRAY:
        return IDV_JSON_ARRAY;
    case JSON_STRING:
        return IDV_JSON_STRING;
    case JSON_INTEGER:
        return IDV_JSON_INT;
    case JSON_REAL:
        return IDV_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return IDV_JSON_BOOL;
    case JSON_NULL:
        break;
    }
    return IDV_JSON_NULL;
}

const struct idv_json *idv_json_get(const struct idv_json *v, const char *name)
{
    return wrap(json_object_get(unwrap(v), name));
}

size_t idv_json_count(const struct idv_json *v)
{
    if (json_is_array(unwrap(v)))
        return json_array_size(unwrap(v));
    return json_object_size(unwrap(v));
}

static void *member_at(json_t *v, size_t i)
{
    void *it = json_object_iter(v);
    while (it && i--)
        it = json_object_iter_next(v, it);
    return it;
}

const struct idv_json *idv_json_at(const struct idv_json *v, size_t i,
                                   const char **name)
{
    if (name)
        *name = NULL;
    if (json_is_array(unwrap(v)))
        return wrap(json_array_get(unwrap(v), i));
    if (!json_is_object(unwrap(v)))
        return NULL;
    /* jansson's iterators want the object writable, and write nothing */
    void *it = member_at((json_t *)(uintptr_t)v, i);
    if (!it)
        return NULL;
    if (name)
        *name = json_object_iter_key(it);
    return wrap(json_object_iter_value(it));
}

const char *idv_json_text(const struct idv_json *v)
{
    return json_string_value(unwrap(v));
}

idv_rc idv_json_int(const struct idv_json *v, const char *what, int64_t *out)
{
    if (!json_is_integer(unwrap(v)))
        return idv_fail(IDV_E_FORMAT, "%s: not a whole number", what);
    *out = json_integer_value(unwrap(v));
    return IDV_OK;
}

idv_rc idv_json_bool(const struct idv_json *v, const char *what, bool *out)
{
    if (!json_is_boolean(unwrap(v)))
        return idv_fail(IDV_E_FORMAT, "%s: neither true nor false", what);
    *out = json_is_true(unwrap(v));
    return IDV_OK;
}
